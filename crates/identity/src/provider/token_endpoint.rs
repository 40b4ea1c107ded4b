//! `POST /oauth2/token`: the client credentials grant (RFC 6749, sections 4.4 and 5), as Cognito answers it.

use std::collections::HashMap;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{
    Actor, AuditEvent, AuditKind, ClientId, Decision, EventId, Outcome, PoolClient, RequestId, Scope, Secret,
    UserPool,
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use store::Page;

use super::{PoolHint, Provider};

/// The length of a client's id, in bytes.
const ID_LENGTH: usize = 26;
/// How much of a client's own words an answer repeats, in characters.
const QUOTED: usize = 64;

/// A request to the token endpoint.
pub struct TokenRequest<'a> {
    /// What its host and path say about the pool.
    pub hint: PoolHint,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `Content-Type` header.
    pub content_type: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// The peer's address.
    pub source_ip: Option<String>,
    /// The request's id.
    pub request_id: &'a RequestId,
}

/// The answer: a status and a JSON object, never to be stored by anyone on the way (RFC 6749, section 5.1).
pub struct TokenAnswer {
    /// 200, or what the error wants.
    pub status: u16,
    /// The token, or the error.
    pub body: Value,
    /// Whether a `WWW-Authenticate: Basic` belongs to it (RFC 6749, section 5.2).
    pub challenge: bool,
}

/// A refusal in the words of RFC 6749, section 5.2.
struct Refusal {
    error: &'static str,
    description: String,
    /// Whether the client tried to authenticate by the `Authorization` header.
    by_header: bool,
    /// What went wrong is ours, not the client's.
    internal: bool,
}

impl Refusal {
    fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { error, description: description.into(), by_header: false, internal: false }
    }

    fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "The token endpoint failed.");
        Self {
            internal: true,
            ..Self::new("server_error", "Portcullis could not do this; its log has the cause")
        }
    }
}

/// The client's credentials as they were presented.
struct Presented {
    id: String,
    secret: Option<Secret>,
    by_header: bool,
}

impl Provider {
    /// Answers a request, and leaves its audit event.
    pub async fn token(&self, request: TokenRequest<'_>) -> TokenAnswer {
        let began = Instant::now();
        let time = self.clock.now();
        let mut seen = Seen::default();
        let granted = self.grant(&request, &mut seen).await;
        let (outcome, error) = match &granted {
            Ok(_) => (Outcome::Success, None),
            Err(refusal) if refusal.internal => (Outcome::Failure, Some(refusal.error.to_owned())),
            Err(refusal) => (Outcome::Refused, Some(refusal.error.to_owned())),
        };
        let event = AuditEvent {
            event_id: EventId::mint(&*self.random),
            time,
            kind: AuditKind::Token,
            scope: seen.scope.unwrap_or_else(|| Scope::global(&domain::AccountId::first())),
            actor: seen.client.map_or(Actor::Anonymous, |client_id| Actor::Client { client_id }),
            source_ip: request.source_ip,
            action: "client_credentials".to_owned(),
            resource: seen.pool,
            tool: None,
            decision: if granted.is_ok() { Decision::Allow } else { Decision::Deny },
            policies: Vec::new(),
            reason: granted.as_ref().err().map(|refusal| refusal.description.clone()),
            outcome,
            error,
            latency_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            request_id: request.request_id.clone(),
        };
        self.audit.record(event).await;
        match granted {
            Ok(body) => TokenAnswer { status: 200, body, challenge: false },
            Err(refusal) => {
                let challenge = refusal.error == "invalid_client" && refusal.by_header;
                let status = match () {
                    () if refusal.internal => 500,
                    () if challenge => 401,
                    () => 400,
                };
                let body = json!({ "error": refusal.error, "error_description": refusal.description });
                TokenAnswer { status, body, challenge }
            }
        }
    }

    async fn grant(&self, request: &TokenRequest<'_>, seen: &mut Seen) -> Result<Value, Refusal> {
        let form = read_form(request)?;
        let presented = presented(request.authorization, &form)?;
        // What is longer than an id may be a secret that was put into the wrong field.
        seen.client = Some(presented.id.clone()).filter(|id| id.len() <= ID_LENGTH);
        let (pool, client) = self.authenticate(&request.hint, &presented, seen).await?;
        match form.get("grant_type").map(String::as_str) {
            Some("client_credentials") => {}
            Some("") | None => return Err(Refusal::new("invalid_request", "grant_type is missing")),
            Some(other) => {
                let other = quoted(other);
                let description = format!("grant_type {other} is not supported: use client_credentials");
                return Err(Refusal::new("unsupported_grant_type", description));
            }
        }
        if !client.oauth_enabled || !client.flows.iter().any(|flow| flow == "client_credentials") {
            return Err(Refusal::new(
                "unauthorized_client",
                "the client is not enabled for client_credentials: set AllowedOAuthFlows and AllowedOAuthFlowsUserPoolClient",
            ));
        }
        let scopes = self.scopes(&pool, &client, form.get("scope").map(String::as_str)).await?;
        self.mint(&pool, &client, &scopes).await
    }

    /// Recognises the client: it exists, belongs to the pool that was meant, and knows its secret. One answer for every
    /// way in which it may not.
    async fn authenticate(
        &self,
        hint: &PoolHint,
        presented: &Presented,
        seen: &mut Seen,
    ) -> Result<(UserPool, PoolClient), Refusal> {
        let invalid = || Refusal {
            by_header: presented.by_header,
            ..Refusal::new("invalid_client", "the client is not known, or its secret is another")
        };
        let meant = self.find(hint).await.map_err(|error| Refusal::internal(&error))?;
        let mut tx = self.store.read().await.map_err(|error| Refusal::internal(&error))?;
        let id = ClientId::from_text(&presented.id);
        let client = tx.pool_client(&id).await.map_err(|error| Refusal::internal(&error))?;
        let Some(client) = client else {
            // As much work as for a client that exists.
            let _ =
                Secret::new("no such client").matches(presented.secret.as_ref().map_or("", Secret::expose));
            return Err(invalid());
        };
        // From here on it is this account's affair, however it ends.
        seen.client = Some(client.id.to_string());
        seen.scope = Some(client.scope.clone());
        seen.pool = Some(domain::Arn::user_pool(&client.scope, &client.pool).to_string());
        let of_this_pool = match (hint, &meant) {
            (PoolHint::OfTheClient, _) => true,
            (_, Some(pool)) => pool.id == client.pool,
            (_, None) => false,
        };
        let knows_secret = match (&client.secret, &presented.secret) {
            (Some(secret), Some(presented)) => secret.matches(presented.expose()),
            // A public client cannot prove who it is, so it gets no tokens of its own (RFC 6749, section 4.4).
            _ => false,
        };
        if !of_this_pool || !knows_secret {
            return Err(invalid());
        }
        let pool = match meant {
            Some(pool) => pool,
            None => {
                let found = tx.user_pool(&client.pool).await.map_err(|error| Refusal::internal(&error))?;
                found.ok_or_else(invalid)?
            }
        };
        Ok((pool, client))
    }

    /// The scopes to grant: those that were asked for, each of which the client must have; all of the client's when none
    /// was asked for. A scope that its resource server no longer has is not granted.
    async fn scopes(
        &self,
        pool: &UserPool,
        client: &PoolClient,
        asked: Option<&str>,
    ) -> Result<Vec<String>, Refusal> {
        let mut tx = self.store.read().await.map_err(|error| Refusal::internal(&error))?;
        let servers =
            tx.resource_servers(&pool.id, Page::ALL).await.map_err(|error| Refusal::internal(&error))?;
        let existing: Vec<String> = servers.iter().flat_map(domain::ResourceServer::scope_names).collect();
        let may = |scope: &str| {
            client.scopes.iter().any(|allowed| allowed == scope)
                && existing.iter().any(|known| known == scope)
        };
        let asked: Vec<&str> =
            asked.unwrap_or_default().split(' ').filter(|scope| !scope.is_empty()).collect();
        if asked.is_empty() {
            return Ok(client.scopes.iter().filter(|scope| may(scope)).cloned().collect());
        }
        match asked.iter().find(|scope| !may(scope)) {
            Some(refused) => {
                let description = format!(
                    "the client may not have the scope {}: AllowedOAuthScopes names what it may have",
                    quoted(refused)
                );
                Err(Refusal::new("invalid_scope", description))
            }
            None => {
                let mut granted: Vec<String> = Vec::new();
                for scope in asked {
                    if granted.iter().all(|known| known != scope) {
                        granted.push(scope.to_owned());
                    }
                }
                Ok(granted)
            }
        }
    }

    async fn mint(&self, pool: &UserPool, client: &PoolClient, scopes: &[String]) -> Result<Value, Refusal> {
        let now = self.clock.now().seconds();
        let life = i64::from(client.access_token_seconds);
        let claims = json!({
            "sub": client.id,
            "token_use": "access",
            "scope": scopes.join(" "),
            "auth_time": now,
            "iss": self.names.issuer(&pool.id, &pool.scope.region),
            "exp": now + life,
            "iat": now,
            "version": 2,
            "jti": EventId::mint(&*self.random),
            "client_id": client.id,
        });
        let signer =
            self.signers.of(&self.store, &pool.id).await.map_err(|error| Refusal::internal(&error))?;
        let signing = tokio::task::spawn_blocking(move || signer.sign(&claims)).await;
        let token =
            signing.map_err(|error| Refusal::internal(&error))?.map_err(|error| Refusal::internal(&error))?;
        Ok(json!({ "access_token": token, "expires_in": life, "token_type": "Bearer" }))
    }
}

/// What the audit event can name, however far the request got.
#[derive(Default)]
struct Seen {
    client: Option<String>,
    scope: Option<Scope>,
    pool: Option<String>,
}

fn read_form(request: &TokenRequest<'_>) -> Result<HashMap<String, String>, Refusal> {
    let kind = request.content_type.unwrap_or_default();
    if !kind
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
    {
        return Err(Refusal::new(
            "invalid_request",
            "Content-Type must be application/x-www-form-urlencoded",
        ));
    }
    let mut form = HashMap::new();
    for (name, value) in form_urlencoded::parse(request.body) {
        // RFC 6749, section 3.2: parameters must not be included more than once.
        if form.insert(name.clone().into_owned(), value.into_owned()).is_some() {
            let name = quoted(&name);
            return Err(Refusal::new("invalid_request", format!("{name} is given more than once")));
        }
    }
    Ok(form)
}

/// The client's id and secret, from the header or from the body, and not from both (RFC 6749, section 2.3).
fn presented(authorization: Option<&str>, form: &HashMap<String, String>) -> Result<Presented, Refusal> {
    let in_body = form.get("client_secret").map(|secret| Secret::new(secret.as_str()));
    let Some(header) = authorization else {
        let id = form.get("client_id").filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Refusal::new("invalid_request", "client_id is missing"))?;
        return Ok(Presented { id: id.clone(), secret: in_body, by_header: false });
    };
    let malformed = || Refusal {
        by_header: true,
        ..Refusal::new("invalid_client", "the Authorization header is no Basic credential")
    };
    let (scheme, encoded) = header.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(malformed)?;
    if in_body.is_some() {
        return Err(Refusal::new(
            "invalid_request",
            "the client authenticates twice: by header and in the body",
        ));
    }
    // RFC 6749, section 2.3.1: both parts are form-encoded before they are joined.
    let unfold = |text: &str| {
        percent_decode_str(&text.replace('+', " ")).decode_utf8().map(std::borrow::Cow::into_owned)
    };
    let (id, secret) = (unfold(id).map_err(|_| malformed())?, unfold(secret).map_err(|_| malformed())?);
    if form.get("client_id").is_some_and(|other| *other != id) {
        return Err(Refusal::new("invalid_request", "client_id in the body is another than in the header"));
    }
    Ok(Presented { id, secret: Some(Secret::new(secret)), by_header: true })
}

/// A client's own words in a description: short, and of the characters that it may hold (RFC 6749, section 5.2).
fn quoted(words: &str) -> String {
    let legal = |character: char| matches!(character, ' '..='~') && !matches!(character, '"' | '\\' | '`');
    let shown: String = words.chars().take(QUOTED).map(|it| if legal(it) { it } else { '?' }).collect();
    format!("`{shown}`")
}
