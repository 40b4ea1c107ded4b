//! An authorization request (RFC 6749, section 4.1.1; OpenID Connect Core 1.0, section 3.1.2.1), held against its client.
//!
//! Nothing is sent to an address that the client has not registered: until client and address are known, what is wrong is
//! told on a page, and after that to the client (RFC 6749, section 4.1.2.1).

use std::collections::HashMap;

use domain::{ClientOrigin, PoolClient, ResourceServer, UserPool};
use form_urlencoded::Serializer;
use store::{Page, StoreError};
use url::Url;

use super::client_metadata::is_this_machine;
use super::third_party::ClientError;
use super::{PoolHint, Provider};

/// The longest query of an authorization request, in bytes.
const LONGEST_QUERY: usize = 8 * 1024;
/// The longest `resource`, in bytes.
const LONGEST_RESOURCE: usize = 2_048;
/// The scopes that every pool has.
pub(super) const STANDARD: [&str; 5] =
    ["openid", "email", "phone", "profile", "aws.cognito.signin.user.admin"];

/// An authorization request that is sound.
pub(super) struct Asked {
    pub(super) pool: UserPool,
    pub(super) client: PoolClient,
    pub(super) redirect_uri: String,
    pub(super) scopes: Vec<String>,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) challenge: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) prompt: Option<String>,
}

/// Why an authorization request is refused, and to whom that may be told.
pub(super) enum Wrong {
    /// To the person alone.
    ToThePerson(&'static str),
    /// To the person alone, because nobody vouches for the address: a stranger who registers one must not have people sent
    /// there by a link to this server (RFC 9700, section 4.11.2).
    Untrusted(String),
    /// To the client, at an address it registered.
    ToTheClient(String),
    /// To nobody: it is ours.
    Internal(StoreError),
}

impl From<StoreError> for Wrong {
    fn from(error: StoreError) -> Self {
        Self::Internal(error)
    }
}

impl From<ClientError> for Wrong {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Store(error) => Self::Internal(error),
            ClientError::Document(error) => Self::ToThePerson(error.told()),
        }
    }
}

impl Asked {
    /// The address to which an error goes.
    fn refusal(&self, issuer: &str, error: &str, description: &str) -> String {
        let mut answer = vec![("error", error), ("error_description", description)];
        answer.extend(self.state.as_deref().map(|state| ("state", state)));
        answer.push(("iss", issuer));
        with_query(&self.redirect_uri, &answer)
    }

    /// Whether the answer goes to the person's own machine.
    pub(super) fn stays_here(&self) -> bool {
        Url::parse(&self.redirect_uri).is_ok_and(|url| is_this_machine(&url))
    }

    /// The address to which a code goes (RFC 9207: with the issuer).
    pub(super) fn granted(&self, issuer: &str, code: &str) -> String {
        let mut answer = vec![("code", code)];
        answer.extend(self.state.as_deref().map(|state| ("state", state)));
        answer.push(("iss", issuer));
        with_query(&self.redirect_uri, &answer)
    }
}

impl Provider {
    /// Reads an authorization request.
    pub(super) async fn read_asked(&self, hint: &PoolHint, query: &str) -> Result<Asked, Wrong> {
        let mut given = once_each(query).ok_or(Wrong::ToThePerson(
            "The request is too long, or says something twice. Go back to the application and begin again.",
        ))?;
        let unknown = Wrong::ToThePerson("The application that sent you here is not known.");
        let id = given.remove("client_id").unwrap_or_default();
        let Some((client, pool)) = self.meant_client(hint, &id).await? else { return Err(unknown) };
        let of_this_pool = match hint {
            PoolHint::OfTheClient => true,
            hint => self.find(hint).await?.is_some_and(|meant| meant.id == pool.id),
        };
        if !of_this_pool {
            return Err(unknown);
        }
        let redirect_uri = given.remove("redirect_uri").unwrap_or_default();
        if !client.callback_urls.iter().any(|registered| is_meant(registered, &redirect_uri, client.origin)) {
            return Err(Wrong::ToThePerson(
                "The application wants you sent to an address that it has not registered (redirect_uri).",
            ));
        }
        let asked = Asked {
            redirect_uri,
            scopes: given.remove("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
            state: given.remove("state"),
            nonce: given.remove("nonce"),
            challenge: given.remove("code_challenge"),
            resource: given.remove("resource"),
            // Whoever wants a fresh sign-in gets one.
            prompt: given.remove("prompt").or_else(|| given.remove("max_age").map(|_| "login".to_owned())),
            pool,
            client,
        };
        self.check_asked(asked, &given).await
    }

    async fn check_asked(&self, mut asked: Asked, given: &HashMap<String, String>) -> Result<Asked, Wrong> {
        let issuer = self.names.issuer(&asked.pool.id, &asked.pool.scope.region);
        let refuse = |asked: &Asked, error: &str, why: &str| {
            Err(match asked.client.origin.is_third_party() && !asked.stays_here() {
                true => Wrong::Untrusted(format!("{error}: {why}")),
                false => Wrong::ToTheClient(asked.refusal(&issuer, error, why)),
            })
        };
        if !asked.client.oauth_enabled || !asked.client.flows.iter().any(|flow| flow == "code") {
            return refuse(&asked, "unauthorized_client", "the client is not enabled for the code flow");
        }
        match given.get("response_type").map(String::as_str) {
            Some("code") => {}
            None => return refuse(&asked, "invalid_request", "response_type is missing"),
            Some(_) => {
                return refuse(&asked, "unsupported_response_type", "only response_type=code is supported");
            }
        }
        if given.get("response_mode").is_some_and(|mode| mode != "query") {
            return refuse(&asked, "invalid_request", "only response_mode=query is supported");
        }
        if given.contains_key("request") || given.contains_key("request_uri") {
            return refuse(&asked, "request_not_supported", "request objects are not supported");
        }
        let method = given.get("code_challenge_method").map(String::as_str);
        match (&asked.challenge, method) {
            (Some(challenge), Some("S256")) if is_challenge(challenge) => {}
            (None, None) if asked.client.secret.is_some() => {}
            (None, None) => {
                return refuse(&asked, "invalid_request", "a client without a secret needs code_challenge");
            }
            _ => {
                return refuse(
                    &asked,
                    "invalid_request",
                    "code_challenge must be by code_challenge_method=S256",
                );
            }
        }
        if asked.resource.as_deref().is_some_and(|resource| !is_resource(resource)) {
            return refuse(&asked, "invalid_target", "resource must be an absolute URI without a fragment");
        }
        if asked.client.origin.is_third_party() {
            // Its tokens are good at one place, which the person is shown, and nowhere else.
            let Some(resource) = &asked.resource else {
                let told = "resource is missing: name the gateway's URL, as its metadata has it";
                return refuse(&asked, "invalid_target", told);
            };
            if !self.is_gateway_of(&asked.pool, resource).await? {
                let told = "resource is not the URL of a gateway that trusts this pool";
                return refuse(&asked, "invalid_target", told);
            }
        }
        let mut tx = self.store.read().await?;
        let servers = tx.resource_servers(&asked.pool.id, Page::ALL).await?;
        let existing: Vec<String> = servers.iter().flat_map(ResourceServer::scope_names).collect();
        let may = |scope: &String| {
            asked.client.scopes.contains(scope)
                && (STANDARD.contains(&scope.as_str()) || existing.contains(scope))
        };
        if asked.client.origin.is_third_party() {
            // It asks for what it read somewhere, and is told what it got (RFC 6749, section 3.3).
            let some = !asked.scopes.is_empty();
            asked.scopes = asked.scopes.iter().filter(|scope| may(scope)).cloned().collect();
            if some && asked.scopes.is_empty() {
                return refuse(&asked, "invalid_scope", "scope names nothing that the client may have");
            }
        }
        if !asked.scopes.iter().all(may) {
            return refuse(&asked, "invalid_scope", "scope names what the client may not have");
        }
        if asked.scopes.is_empty() {
            asked.scopes = asked.client.scopes.iter().filter(|scope| may(scope)).cloned().collect();
        }
        if asked.prompt.as_deref() == Some("none") {
            // Every sign-in and every consent takes a person.
            return refuse(&asked, "interaction_required", "somebody has to be asked");
        }
        Ok(asked)
    }

    /// The address that tells the client that a person refused.
    pub(super) fn refused_by_person(&self, asked: &Asked) -> String {
        let issuer = self.names.issuer(&asked.pool.id, &asked.pool.scope.region);
        asked.refusal(&issuer, "access_denied", "the user did not allow it")
    }
}

/// The parameters of a query, of which none may stand twice (RFC 6749, section 3.1).
pub(crate) fn once_each(query: &str) -> Option<HashMap<String, String>> {
    if query.len() > LONGEST_QUERY {
        return None;
    }
    let mut given = HashMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if given.insert(name.into_owned(), value.into_owned()).is_some() {
            return None;
        }
    }
    given.retain(|_, value| !value.is_empty());
    Some(given)
}

/// Whether a registered address is the one that is asked for: letter by letter, but for the port of a loopback address
/// (RFC 8252, section 7.3), which an application on the person's machine learns only when it starts. A metadata document is
/// the same for all who run the application, and many write `localhost` there.
fn is_meant(registered: &str, asked: &str, origin: ClientOrigin) -> bool {
    if registered == asked {
        return !asked.is_empty();
    }
    let localhost = (origin == ClientOrigin::MetadataDocument).then_some("http://localhost");
    ["http://127.0.0.1", "http://[::1]"].into_iter().chain(localhost).any(|loopback| {
        let rest = |url: &'_ str| -> Option<String> { url.strip_prefix(loopback).and_then(without_port) };
        matches!((rest(registered), rest(asked)), (Some(one), Some(other)) if one == other)
    })
}

/// What follows a host and its port.
fn without_port(rest: &str) -> Option<String> {
    let path = match rest.strip_prefix(':') {
        Some(port) => {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            let (number, path) = port.split_at_checked(digits)?;
            number.parse::<u16>().ok()?;
            path
        }
        None => rest,
    };
    (path.is_empty() || path.starts_with(['/', '?'])).then(|| path.to_owned())
}

/// An address with more parameters.
pub(crate) fn with_query(url: &str, pairs: &[(&str, &str)]) -> String {
    let more = Serializer::new(String::new()).extend_pairs(pairs).finish();
    let between = if url.contains('?') { '&' } else { '?' };
    format!("{url}{between}{more}")
}

/// SHA-256 in base64url (RFC 7636, section 4.2).
fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'))
}

/// RFC 8707, section 2.
fn is_resource(text: &str) -> bool {
    text.len() <= LONGEST_RESOURCE && !text.contains('#') && Url::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_a_loopback_address_is_free() {
        for (registered, asked) in [
            ("https://app.example/cb", "https://app.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:4711/cb"),
            ("http://127.0.0.1:1/cb", "http://127.0.0.1:4711/cb"),
            ("http://[::1]/cb", "http://[::1]:4711/cb"),
        ] {
            assert!(is_meant(registered, asked, ClientOrigin::Administrator), "{asked}");
        }
        for (registered, asked) in [
            ("https://app.example/cb", "https://app.example/cb/"),
            ("https://app.example/cb", "https://app.example:444/cb"),
            ("https://app.example/cb", "https://app.example/cb?x=1"),
            ("https://app.example/cb", "https://APP.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:4711/other"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb"),
            ("http://127.0.0.1", "http://127.0.0.1evil.example"),
            ("http://127.0.0.1/cb", "https://127.0.0.1/cb"),
            ("http://localhost/cb", "http://localhost:4711/cb"),
            ("", ""),
        ] {
            assert!(!is_meant(registered, asked, ClientOrigin::Administrator), "{asked}");
        }
        let by_document = |asked| is_meant("http://localhost/cb", asked, ClientOrigin::MetadataDocument);
        assert!(by_document("http://localhost:4711/cb"));
        assert!(
            !by_document("http://localhost.evil.example/cb") && !by_document("http://localhost:4711/other")
        );
    }
}
