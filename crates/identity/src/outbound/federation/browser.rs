//! What a person's browser does: it opens the hosted page, is sent to the authorization server, comes back with a code, and
//! goes on to the workload's application.
//!
//! The `state` of an authorization request is sealed and holds for one session, one browser and one PKCE verifier, so that
//! opening a page changes nothing. Whoever comes back must have the cookie of whoever was sent: otherwise an attacker could
//! have somebody else's browser end what the attacker began (RFC 6749, section 10.12). The page's handle and the session's
//! are two, and only the browser that came back with a code learns the second one.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{
    Actor, AuthorizationStatus, CredentialKind, CredentialSettings, OAuth2Settings, RequestId, Secret,
};
use serde::{Deserialize, Serialize};
use store::StoreError;
use url::{Host, Url};

use super::record::About;
use super::session::{Details, LIFE, Pending, URN};
use super::tokens::Tokens;
use super::{client_of, parameters};
use crate::outbound::endpoint::{ConsentPage, bare, check_url};
use crate::outbound::vault::Held;
use crate::outbound::{Outbound, Refusal};
use crate::provider::{BrowserAnswer, Shown, notice, once_each, opaque, sha256, the_cookie, with_query};

/// What `state` is sealed for.
const PLACE: &str = "federation|state";
/// The longest `state` that is looked at, in bytes.
const LONGEST_STATE: usize = 1_024;
/// The errors of an authorization endpoint that are handed on (RFC 6749, section 4.1.2.1; OpenID Connect Core, section
/// 3.1.2.6). Every other one is the server's own affair.
const ERRORS: [&str; 8] = [
    "access_denied",
    "invalid_scope",
    "invalid_target",
    "temporarily_unavailable",
    "login_required",
    "consent_required",
    "interaction_required",
    "account_selection_required",
];

/// A request of a browser.
pub struct Visit<'a> {
    /// The query, as it stands.
    pub query: &'a str,
    /// The `Cookie` header.
    pub cookies: &'a str,
    /// The peer's address.
    pub source_ip: &'a str,
    /// The request's id.
    pub request_id: &'a RequestId,
}

/// What the server is given, and brings back.
#[derive(Serialize, Deserialize)]
struct State {
    /// The hash of the page's handle.
    request: String,
    /// The hash of the browser's cookie.
    browser: String,
    /// `code_verifier` (RFC 7636, section 4.1).
    verifier: String,
}

/// Why a browser gets no further: a page for the person.
enum Stop {
    /// The person can do something about it.
    Told(&'static str),
    /// Nobody there can.
    Broken(Refusal),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Broken(error.into())
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Broken(refusal)
    }
}

const OVER: &str =
    "This link is over: it is good for ten minutes, and once. Go back to the application and begin again.";
const OTHER_BROWSER: &str =
    "This was begun in another browser, or too long ago. Go back to the application and begin again.";
const NOT_THE_SERVER: &str = "The answer is not from the service that you were sent to, and was thrown away. Go back to the application and begin again.";
const CHANGED: &str =
    "The application's settings were changed meanwhile. Go back to the application and begin again.";

impl Outbound {
    /// `GET /identities/oauth2/authorize`: on to the authorization server.
    pub async fn open_page(&self, visit: &Visit<'_>) -> BrowserAnswer {
        match self.sent_on(visit).await {
            Ok(answer) => answer,
            Err(stop) => stopped(stop, visit),
        }
    }

    /// `GET /identities/oauth2/callback/{id}`: back from the authorization server, and on to the application.
    pub async fn come_back(&self, provider: &str, visit: &Visit<'_>) -> BrowserAnswer {
        match self.returned(provider, visit).await {
            Ok(answer) => answer,
            Err(stop) => stopped(stop, visit),
        }
    }

    async fn sent_on(&self, visit: &Visit<'_>) -> Result<BrowserAnswer, Stop> {
        let given = once_each(visit.query).ok_or(Stop::Told(OVER))?;
        let urn = given.get("request_uri").and_then(|urn| urn.strip_prefix(URN)).ok_or(Stop::Told(OVER))?;
        let pending = self.waiting(&sha256(urn)).await?;
        let (held, settings) = self.held_of(&pending).await?;
        let page = self.servers.endpoint_of(&held, &settings).await?.page;
        let url = page_url(&page)?;
        let (cookie, verifier) = (opaque(&*self.servers.random), opaque(&*self.servers.random));
        let state = State {
            request: pending.session.request.clone(),
            browser: sha256(cookie.expose()),
            verifier: verifier.expose().to_owned(),
        };
        let challenge = sha256(&state.verifier);
        let state = self.sealed(&state)?;
        let details = &pending.details;
        let (redirect_uri, scope) = (self.callback_of(details), details.scopes.join(" "));
        let mut asked = vec![
            ("response_type", "code"),
            ("client_id", settings.client_id.as_str()),
            ("redirect_uri", redirect_uri.as_str()),
            ("state", state.as_str()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        asked.extend((!scope.is_empty()).then_some(("scope", scope.as_str())));
        asked.extend(details.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let set =
            self.servers.provider.set_cookie(&self.cookie_name(&state), cookie.expose(), LIFE.as_secs());
        Ok(BrowserAnswer { shown: Shown::Address(with_query(url, &asked)), cookies: vec![set] })
    }

    async fn returned(&self, provider: &str, visit: &Visit<'_>) -> Result<BrowserAnswer, Stop> {
        let given = once_each(visit.query).ok_or(Stop::Told(NOT_THE_SERVER))?;
        let text = |name: &str| given.get(name).map(String::as_str);
        let sealed = text("state").unwrap_or_default();
        let state = self.unsealed(sealed).ok_or(Stop::Told(OTHER_BROWSER))?;
        let name = self.cookie_name(sealed);
        let cookie = the_cookie(visit.cookies, &name).map(|cookie| sha256(&cookie));
        if !cookie.is_some_and(|cookie| Secret::new(&state.browser).matches(&cookie)) {
            return Err(Stop::Told(OTHER_BROWSER));
        }
        let mut pending = self.waiting(&state.request).await?;
        if pending.details.provider_id != provider {
            return Err(Stop::Told(NOT_THE_SERVER));
        }
        let (held, settings) = self.held_of(&pending).await?;
        let page = self.servers.endpoint_of(&held, &settings).await?.page;
        if !is_of(&page, text("iss")) {
            let why = ("invalid_issuer", "the answer names another issuer than the one that was asked");
            self.fail(pending, why, Some(visit.source_ip), visit.request_id).await?;
            return Err(Stop::Told(NOT_THE_SERVER));
        }
        if !self.is_still_registered(&pending).await? {
            let why = ("invalid_request", "the return URL is not registered any more");
            self.fail(pending, why, Some(visit.source_ip), visit.request_id).await?;
            return Err(Stop::Told(CHANGED));
        }
        let gone = vec![self.servers.provider.set_cookie(&name, "", 0)];
        let (code, error) = (text("code"), text("error"));
        let (Some(code), None) = (code, error) else {
            let error = ERRORS.into_iter().find(|known| Some(*known) == error).unwrap_or("server_error");
            let address = Self::address(&pending, Some(error));
            let why = (error, "the authorization server gave no code");
            self.fail(pending, why, Some(visit.source_ip), visit.request_id).await?;
            return Ok(BrowserAnswer { shown: Shown::Address(address), cookies: gone });
        };
        self.begin_exchange(&mut pending, visit).await?;
        let address = self.exchange(pending, &held, &settings, code, &state.verifier, visit).await?;
        Ok(BrowserAnswer { shown: Shown::Address(address), cookies: gone })
    }
}

impl Outbound {
    /// The session of a page, if nobody has come back in it.
    async fn waiting(&self, request: &str) -> Result<Pending, Stop> {
        let mut tx = self.store.read().await?;
        let found = tx.authorization_session_of_request(request, self.clock.now()).await?;
        let pending = found.map(Pending::open).transpose()?;
        pending.filter(|it| it.status() == AuthorizationStatus::Waiting).ok_or(Stop::Told(OVER))
    }

    /// The provider of a session, as it was when that began: a code for one client is never shown to another's server.
    async fn held_of(&self, pending: &Pending) -> Result<(Arc<Held>, OAuth2Settings), Stop> {
        let (scope, name) = (&pending.session.scope, &pending.details.provider);
        let held = self.vault.find(scope, CredentialKind::OAuth2, name).await?.ok_or(Stop::Told(CHANGED))?;
        if let Some(refusal) = &held.unusable {
            return Err(refusal.clone().into());
        }
        let settings = match &held.provider.settings {
            CredentialSettings::OAuth2(settings) => settings.clone(),
            CredentialSettings::ApiKey => return Err(Stop::Told(CHANGED)),
        };
        let is_same =
            held.provider.id == pending.details.provider_id && client_of(&settings) == pending.details.client;
        if is_same { Ok((held, settings)) } else { Err(Stop::Told(CHANGED)) }
    }

    /// Whether the workload is still there, and the person may still be sent where the session ends.
    async fn is_still_registered(&self, pending: &Pending) -> Result<bool, StoreError> {
        let (scope, details) = (&pending.session.scope, &pending.details);
        let workload = self.store.read().await?.workload_identity(scope, &details.workload).await?;
        Ok(workload.is_some_and(|workload| {
            workload.id == details.workload_id && workload.return_urls.contains(&details.return_url)
        }))
    }

    /// Takes the one turn that a session's code has.
    async fn begin_exchange(&self, pending: &mut Pending, visit: &Visit<'_>) -> Result<(), Stop> {
        let mut tx = self.store.begin().await?;
        match pending.advance(&mut tx, AuthorizationStatus::Exchanging).await {
            Ok(()) => {}
            Err(StoreError::Stale) => return Err(Stop::Told(OVER)),
            Err(error) => return Err(error.into()),
        }
        Ok(tx.commit(&self.event(self.about(pending, visit), None, visit.request_id)).await?)
    }

    /// Has the code exchanged, and keeps what it gives for whoever completes the session. Gives where the browser goes.
    async fn exchange(
        &self,
        mut pending: Pending,
        held: &Held,
        settings: &OAuth2Settings,
        code: &str,
        verifier: &str,
        visit: &Visit<'_>,
    ) -> Result<String, Stop> {
        let redirect_uri = self.callback_of(&pending.details);
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri.as_str()),
            ("code_verifier", verifier),
        ];
        let shared = parameters::of_tokens(&pending.details.parameters);
        match self.granted(held, &grant, &shared).await {
            Ok(issued) => {
                let address = Self::address(&pending, None);
                pending.details.tokens = Some(Tokens::new(&issued, client_of(settings)));
                let mut tx = self.store.begin().await?;
                pending.advance(&mut tx, AuthorizationStatus::Consented).await?;
                tx.commit(&self.event(self.about(&pending, visit), None, visit.request_id)).await?;
                Ok(address)
            }
            Err(refusal) => {
                tracing::warn!(provider.arn = %held.provider.arn(), error = %refusal, "A code cannot be exchanged.");
                let address = Self::address(&pending, Some("server_error"));
                let told = refusal.to_string();
                let why = (refusal.code().unwrap_or("server_error"), told.as_str());
                self.fail(pending, why, Some(visit.source_ip), visit.request_id).await?;
                Ok(address)
            }
        }
    }

    fn about<'a>(&self, pending: &'a Pending, visit: &Visit<'a>) -> About<'a> {
        About {
            action: "authorization_code",
            scope: &pending.session.scope,
            provider: &pending.details.provider,
            // Whose browser it is, the workload says when it completes the session.
            actor: Actor::Anonymous,
            source_ip: Some(visit.source_ip),
        }
    }

    /// Where the browser goes: to the application, with the session, what the workload wanted handed back, and what went
    /// wrong.
    fn address(pending: &Pending, error: Option<&str>) -> String {
        let details = &pending.details;
        let mut told = vec![("session_id", details.uri.as_str())];
        told.extend(details.state.as_deref().map(|state| ("state", state)));
        told.extend(error.map(|error| ("error", error)));
        with_query(&details.return_url, &told)
    }

    /// `redirect_uri`: the provider's callback URL.
    fn callback_of(&self, details: &Details) -> String {
        format!("{}/identities/oauth2/callback/{}", self.servers.names.public_url(), details.provider_id)
    }

    fn cookie_name(&self, state: &str) -> String {
        let name: String = sha256(state).chars().take(16).collect();
        format!("{}portcullis-consent-{name}", self.servers.provider.prefix())
    }

    fn sealed(&self, state: &State) -> Result<String, StoreError> {
        let plain = serde_json::to_vec(state).map_err(|error| StoreError::Refused(error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(self.store.seal_for(PLACE, &plain)?))
    }

    fn unsealed(&self, state: &str) -> Option<State> {
        let sealed = (state.len() <= LONGEST_STATE).then(|| URL_SAFE_NO_PAD.decode(state).ok())??;
        serde_json::from_slice(&self.store.open_for(PLACE, &sealed).ok()?).ok()
    }
}

/// Whether an answer can be of the server that was asked: one that names an issuer names this one, and one that says it always
/// does always does (RFC 9207, section 2.4).
fn is_of(page: &ConsentPage, issuer: Option<&str>) -> bool {
    match issuer {
        Some(issuer) => issuer == page.issuer,
        None => !page.names_issuer,
    }
}

/// Where people consent: `https`, or a server on the person's own machine (RFC 9700, section 2.6).
fn page_url(page: &ConsentPage) -> Result<&str, Refusal> {
    let refused = |url: &str, why| Refusal::Endpoint { url: bare(url), why };
    let Some(url) = page.url.as_deref() else {
        return Err(refused(&page.issuer, "the server has no authorization_endpoint"));
    };
    check_url(url).map_err(|why| refused(url, why))?;
    let parsed = Url::parse(url).map_err(|_| refused(url, "it is no URL"))?;
    let is_local = match parsed.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if parsed.scheme() == "https" || is_local {
        Ok(url)
    } else {
        Err(refused(url, "people are sent to https:// only, or to their own machine"))
    }
}

fn stopped(stop: Stop, visit: &Visit<'_>) -> BrowserAnswer {
    let page = match stop {
        Stop::Told(text) => notice(400, "This cannot be done", text),
        Stop::Broken(refusal) => {
            tracing::error!(error = %refusal, request.id = %visit.request_id, "A person cannot be sent on.");
            let text = "The service that you were to be sent to cannot be used now. Try again, or tell the application's owner.";
            notice(503, "Not now", text)
        }
    };
    BrowserAnswer { shown: Shown::Page(page), cookies: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(url: &str, names_issuer: bool) -> ConsentPage {
        ConsentPage { url: Some(url.to_owned()), issuer: "https://as.example".to_owned(), names_issuer }
    }

    #[test]
    fn an_answer_names_the_issuer_that_was_asked() {
        let (promised, silent) = (page("https://as.example/a", true), page("https://as.example/a", false));
        assert!(is_of(&promised, Some("https://as.example")) && is_of(&silent, Some("https://as.example")));
        assert!(is_of(&silent, None) && !is_of(&promised, None));
        for other in ["https://other.example", "https://as.example/", "", "HTTPS://AS.EXAMPLE"] {
            assert!(!is_of(&promised, Some(other)) && !is_of(&silent, Some(other)), "{other}");
        }
    }

    #[test]
    fn people_are_sent_to_encrypted_pages() {
        for url in [
            "https://as.example/authorize",
            "http://127.0.0.1:1/a",
            "http://[::1]/a",
            "http://localhost:8080/a",
        ] {
            assert!(page_url(&page(url, false)).is_ok(), "{url}");
        }
        for url in [
            "http://as.example/a",
            "javascript:alert(1)",
            "http://127.0.0.1.evil.example/a",
            "/a",
            "https://u:p@as.example/a",
        ] {
            assert!(page_url(&page(url, false)).is_err(), "{url}");
        }
    }
}
