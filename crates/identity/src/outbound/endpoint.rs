//! Where a provider's token endpoint is, and how it is asked: pools of our own in this process, every other server
//! through `egress`, which dials `https` and what is on this machine, and follows no redirect.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::{
    ActorToken, ClientAuthentication, Clock, CredentialProvider, CredentialSettings, OAuth2Discovery,
    OAuth2Settings, OnBehalfOfClient, OnBehalfOfGrant, Random, RequestId, Secret, Timestamp, TokenAnswer,
    UserPool,
};
use egress::Client;
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use url::Url;

use super::assertion::assertion;
use super::client_form::{ClientForm, Proof};
use super::grant_request::GrantRequest;
use super::party::{Acting, Party, TokenKind};
use super::speaker::Speaker;
use super::tokens::{Issued, TokenKey};
use super::vault::Held;
use super::{Refusal, token_answer};
use crate::issuer::is_of_issuer;
use crate::provider::{Names, PoolHint, Provider, TokenRequest};
use crate::web_identity::WebIdentities;

/// How long what a server says of itself is used without a question.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// How long after a failure to find an endpoint it is not looked for.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);
/// The largest metadata that are read, in bytes.
const MOST_METADATA: usize = 512 * 1024;
/// The largest answer of a token endpoint that is read, in bytes.
const MOST_ANSWER: usize = 64 * 1024;
/// How long metadata may take.
const DISCOVERY_PATIENCE: Duration = Duration::from_secs(5);
/// How long a token may take.
const TOKEN_PATIENCE: Duration = Duration::from_secs(10);
/// The longest URL that is dialled, in bytes.
const LONGEST_URL: usize = 2_048;

const FORM: &str = "application/x-www-form-urlencoded";

/// The authorization servers, ours and others'.
pub(super) struct Servers {
    pub(super) client: Client,
    pub(super) names: Arc<Names>,
    pub(super) provider: Arc<Provider>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) web_identities: Arc<WebIdentities>,
}

/// What was found out about a provider's endpoint, and when.
pub(super) struct Found {
    endpoint: Result<Endpoint, Refusal>,
    at: Timestamp,
}

#[derive(Clone)]
pub(super) struct Endpoint {
    url: String,
    /// The pool of our own that is meant.
    local: Option<PoolHint>,
    /// How clients may prove who they are, if that is said.
    methods: Option<Vec<String>>,
    /// Where people consent.
    pub(super) page: ConsentPage,
}

/// Where people consent, and by what its answers are known.
#[derive(Clone)]
pub(super) struct ConsentPage {
    /// `authorization_endpoint`, if there is one.
    pub(super) url: Option<String>,
    /// `issuer`.
    pub(super) issuer: String,
    /// `authorization_response_iss_parameter_supported` (RFC 9207, section 3).
    pub(super) names_issuer: bool,
}

/// What is read of a server's metadata (RFC 8414, section 2).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    token_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    authorization_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Servers {
    /// Asks for a token of a provider's client, or for the party.
    pub(super) async fn token(&self, held: &Held, key: &TokenKey, party: &Party) -> Result<Issued, Refusal> {
        let provider = &held.provider;
        let (CredentialSettings::OAuth2(settings), Some(secret)) = (&provider.settings, &provider.secret)
        else {
            return Err(Refusal::OtherKind { provider: provider.arn(), gives: "an API key" });
        };
        let endpoint = self.endpoint_of(held, settings).await?;
        let (grant, client) = match &party.exchange {
            None => (GrantRequest::of_the_client(key), OnBehalfOfClient::Proven),
            Some(exchange) => {
                let mut exchange = exchange.clone();
                if matches!(exchange.how.grant, OnBehalfOfGrant::TokenExchange(ActorToken::IamIdentity)) {
                    let token = self.spoken(party.speaker.as_ref(), &endpoint.url).await?;
                    exchange.actor = Some(Acting { token, kind: TokenKind::Jwt });
                }
                (GrantRequest::of_the_person(&exchange, settings.vendor, key), exchange.how.client)
            }
        };
        let proof = match client {
            OnBehalfOfClient::Unnamed => Proof::Unnamed,
            OnBehalfOfClient::Proven => {
                self.proof(provider, secret, &endpoint, settings, party.speaker.as_ref()).await?
            }
        };
        let form = ClientForm::new(&settings.client_id, &proof, &grant);
        let got = self.ask(&endpoint, settings.vendor.facts().answer, &form).await;
        // What somebody presented was not good enough, and the endpoint is where it was.
        let is_grant = |refusal: &Refusal| refusal.code() == Some("invalid_grant");
        if got.as_ref().err().is_some_and(|refusal| !is_grant(refusal)) {
            // It may have moved: the next attempt looks where it is.
            *held.found.lock().await = None;
        }
        got
    }

    /// How a provider's client proves who it is to an endpoint.
    pub(super) async fn proof<'a>(
        &self,
        provider: &CredentialProvider,
        secret: &'a Secret,
        endpoint: &Endpoint,
        settings: &OAuth2Settings,
        speaker: Option<&Speaker>,
    ) -> Result<Proof<'a>, Refusal> {
        let is_there =
            || if secret.matches("") { Err(Refusal::NoSecret(provider.arn())) } else { Ok(secret) };
        match endpoint.authentication(settings)? {
            ClientAuthentication::Basic => Ok(Proof::Basic(is_there()?)),
            ClientAuthentication::Post => Ok(Proof::Post(is_there()?)),
            ClientAuthentication::PrivateKey => {
                let now = self.clock.now();
                assertion(provider, &endpoint.url, &*self.random, now).map(Proof::Assertion)
            }
            ClientAuthentication::IamIdentity => {
                self.spoken(speaker, &endpoint.url).await.map(Proof::Assertion)
            }
        }
    }

    pub(super) async fn ask(
        &self,
        endpoint: &Endpoint,
        written: TokenAnswer,
        form: &ClientForm,
    ) -> Result<Issued, Refusal> {
        let asked = self.clock.now();
        let (status, body) = match &endpoint.local {
            Some(hint) => self.ask_here(hint.clone(), form).await,
            None => self.ask_there(&endpoint.url, form).await?,
        };
        token_answer::read(&bare(&endpoint.url), written, status, &body, asked)
    }

    /// The URL of a provider's token endpoint.
    pub(super) async fn token_endpoint(
        &self,
        held: &Held,
        settings: &OAuth2Settings,
    ) -> Result<String, Refusal> {
        Ok(self.endpoint_of(held, settings).await?.url)
    }

    /// Where the endpoint is, as it was found out before or is now.
    pub(super) async fn endpoint_of(
        &self,
        held: &Held,
        settings: &OAuth2Settings,
    ) -> Result<Endpoint, Refusal> {
        let mut found = held.found.lock().await;
        let now = self.clock.now();
        let known = found
            .as_ref()
            .filter(|found| now.since(found.at) < if found.endpoint.is_ok() { FRESH } else { FAILURE_PAUSE });
        if let Some(known) = known {
            return known.endpoint.clone();
        }
        let endpoint = self.look_for(settings).await;
        *found = Some(Found { endpoint: endpoint.clone(), at: self.clock.now() });
        endpoint
    }

    async fn look_for(&self, settings: &OAuth2Settings) -> Result<Endpoint, Refusal> {
        let url = match &settings.discovery {
            OAuth2Discovery::Metadata(server) => {
                let page = ConsentPage {
                    url: Some(server.authorization_endpoint.clone()),
                    issuer: server.issuer.clone(),
                    names_issuer: false,
                };
                return self.named(&server.token_endpoint, server.authentication_methods.clone(), page).await;
            }
            OAuth2Discovery::Url(url) => url,
        };
        if let Some(pool) = self.names.pool_of_discovery_url(url) {
            let hint = PoolHint::Id(pool);
            if let Some(pool) = self.provider.find(&hint).await? {
                let url = format!("{}/oauth2/token", self.names.public(&pool.id));
                return Ok(Endpoint { url, local: Some(hint), methods: None, page: self.page_of(&pool) });
            }
        }
        let metadata = self.metadata(url).await?;
        let endpoint = metadata.token_endpoint.ok_or_else(|| Refusal::Discovery {
            url: bare(url),
            why: "its document has no token_endpoint",
        })?;
        let page = ConsentPage {
            url: metadata.authorization_endpoint,
            issuer: metadata.issuer,
            names_issuer: metadata.authorization_response_iss_parameter_supported,
        };
        self.named(&endpoint, metadata.token_endpoint_auth_methods_supported, page).await
    }

    /// Where people consent to what a pool of our own gives.
    fn page_of(&self, pool: &UserPool) -> ConsentPage {
        ConsentPage {
            url: Some(format!("{}/oauth2/authorize", self.names.public(&pool.id))),
            issuer: self.names.issuer(&pool.id, &pool.scope.region),
            names_issuer: true,
        }
    }

    /// The endpoint of a URL: a pool of our own, or a server elsewhere.
    async fn named(
        &self,
        url: &str,
        methods: Option<Vec<String>>,
        page: ConsentPage,
    ) -> Result<Endpoint, Refusal> {
        check_url(url).map_err(|why| Refusal::Endpoint { url: bare(url), why })?;
        let (local, page) = match self.names.pool_of_token_endpoint(url) {
            Some(PoolHint::OfTheClient) => (Some(PoolHint::OfTheClient), page),
            Some(hint) => match self.provider.find(&hint).await? {
                Some(pool) => (Some(hint), self.page_of(&pool)),
                None => (None, page),
            },
            None => (None, page),
        };
        Ok(Endpoint { url: url.to_owned(), local, methods, page })
    }

    async fn metadata(&self, url: &str) -> Result<Metadata, Refusal> {
        let refused = |why| Refusal::Discovery { url: bare(url), why };
        check_url(url).map_err(refused)?;
        let fetched = self.client.fetch(url, MOST_METADATA, DISCOVERY_PATIENCE).await;
        let document =
            fetched.map_err(|cause| Refusal::Unreachable { url: bare(url), cause: Arc::new(cause) })?;
        let read = strict_json::check(&document).ok().and_then(|_| serde_json::from_slice(&document).ok());
        let metadata: Metadata = read.ok_or_else(|| refused("it does not serve a server's metadata"))?;
        // Otherwise whoever can place a document anywhere could send our secret wherever they like.
        if is_of_issuer(url, &metadata.issuer) {
            Ok(metadata)
        } else {
            Err(refused("it serves the metadata of another issuer"))
        }
    }

    async fn ask_here(&self, hint: PoolHint, form: &ClientForm) -> (u16, Bytes) {
        let request_id = RequestId::mint(&*self.random);
        let answer = self
            .provider
            .token(TokenRequest {
                hint,
                authorization: form.authorization.as_ref().map(|header| header.as_str()),
                content_type: Some(FORM),
                body: form.body.as_bytes(),
                source_ip: None,
                request_id: &request_id,
            })
            .await;
        (answer.status, Bytes::from(answer.body.to_string()))
    }

    async fn ask_there(&self, url: &str, form: &ClientForm) -> Result<(u16, Bytes), Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &form.authorization {
            let unfit = |_| Refusal::Endpoint { url: bare(url), why: "the client's secret fits no header" };
            let mut value = HeaderValue::from_str(authorization).map_err(unfit)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let body = Bytes::copy_from_slice(form.body.as_bytes());
        let answer = self.client.post(url, headers, body, MOST_ANSWER, TOKEN_PATIENCE).await;
        let answer =
            answer.map_err(|cause| Refusal::Unreachable { url: bare(url), cause: Arc::new(cause) })?;
        Ok((answer.status.as_u16(), answer.body))
    }
}

impl Endpoint {
    /// How the client proves who it is: as its owner says, as the vendor does, as the server wants it, or in the header (RFC 8414, section 2).
    pub(super) fn authentication(&self, settings: &OAuth2Settings) -> Result<ClientAuthentication, Refusal> {
        if let Some(said) = settings.authentication.or(settings.vendor.facts().authentication) {
            return Ok(said);
        }
        let Some(methods) = &self.methods else { return Ok(ClientAuthentication::Basic) };
        let has = |wanted: &str| methods.iter().any(|method| method == wanted);
        match () {
            () if has("client_secret_basic") => Ok(ClientAuthentication::Basic),
            () if has("client_secret_post") => Ok(ClientAuthentication::Post),
            () => Err(Refusal::Endpoint {
                url: bare(&self.url),
                why: "it takes clients by neither client_secret_basic nor client_secret_post",
            }),
        }
    }
}

/// Whether a URL can be a server's: `https` or `http`, with a host, and without a user, a password or a fragment. `http` is
/// dialled on this machine and in networks that the operator allows, and nowhere else; `egress` sees to that.
///
/// # Errors
/// What is wrong with it.
pub fn check_url(url: &str) -> Result<(), &'static str> {
    if url.len() > LONGEST_URL {
        return Err("a URL may have 2048 bytes at most");
    }
    let parsed = Url::parse(url).map_err(|_| "it is no URL")?;
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.fragment().is_some() {
        return Err("a URL with a user, a password or a fragment cannot be used");
    }
    if !matches!(parsed.scheme(), "https" | "http") || parsed.host().is_none() {
        return Err(
            "it must begin with https:// (http:// is accepted for this machine and allowed networks)",
        );
    }
    Ok(())
}

/// A URL without its query, which may hold what is nobody else's business.
pub(super) fn bare(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}
