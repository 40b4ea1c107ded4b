//! `POST /oauth2/token`: the grants (RFC 6749, sections 4.1.3, 4.4, 5 and 6), as Cognito answers them.

use std::collections::HashMap;

use domain::{EventId, Outcome, PoolClient, RequestId, UserPool};
use serde_json::{Value, json};
use store::Page;

use super::client_authentication::{Presented, Refusal, presented, quoted, read_form};
use super::trail::Trail;
use super::trigger::{About, Source};
use super::{PoolHint, Provider};

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

impl Provider {
    /// Answers a request, and leaves its audit event.
    pub async fn token(&self, request: TokenRequest<'_>) -> TokenAnswer {
        let mut trail =
            Trail::begin(self, "client_credentials", request.source_ip.clone(), request.request_id);
        let granted = self.grant(&request, &mut trail).await;
        self.answered(trail, granted).await
    }

    /// The answer to a request, after its audit event.
    pub(super) async fn answered(&self, trail: Trail, done: Result<Value, Refusal>) -> TokenAnswer {
        let refused = done.as_ref().err().map(|refusal| {
            let outcome = if refusal.internal { Outcome::Failure } else { Outcome::Refused };
            (refusal.error, refusal.description.as_str(), outcome)
        });
        self.record(trail, refused).await;
        match done {
            Ok(body) => TokenAnswer { status: 200, body, challenge: false },
            Err(refusal) => refusal.into(),
        }
    }

    async fn grant(&self, request: &TokenRequest<'_>, trail: &mut Trail) -> Result<Value, Refusal> {
        let form = read_form(request)?;
        let presented = presented(request.authorization, &form, trail)?;
        let (pool, client) = self.authenticate(&request.hint, &presented, trail).await?;
        match form.get("grant_type").map(String::as_str) {
            Some("client_credentials") => self.for_itself(&pool, &client, &form, &presented).await,
            Some("authorization_code") => {
                "authorization_code".clone_into(&mut trail.action);
                self.exchange_code(&pool, &client, &form, trail).await
            }
            Some("refresh_token") => {
                "refresh_token".clone_into(&mut trail.action);
                self.refresh(&pool, &client, &form, trail).await
            }
            Some("") | None => Err(Refusal::new("invalid_request", "grant_type is missing")),
            Some(other) => {
                let other = quoted(other);
                let description = format!(
                    "grant_type {other} is not supported: use authorization_code, refresh_token or client_credentials"
                );
                Err(Refusal::new("unsupported_grant_type", description))
            }
        }
    }

    async fn for_itself(
        &self,
        pool: &UserPool,
        client: &PoolClient,
        form: &HashMap<String, String>,
        presented: &Presented,
    ) -> Result<Value, Refusal> {
        // A public client cannot prove who it is, so it gets no tokens of its own (RFC 6749, section 4.4).
        if client.secret.is_none() {
            return Err(presented.unknown());
        }
        if !client.oauth_enabled || !client.flows.iter().any(|flow| flow == "client_credentials") {
            return Err(Refusal::new(
                "unauthorized_client",
                "the client is not enabled for client_credentials: set AllowedOAuthFlows and AllowedOAuthFlowsUserPoolClient",
            ));
        }
        let scopes = self.scopes(pool, client, form.get("scope").map(String::as_str)).await?;
        self.mint(pool, client, &scopes).await
    }

    /// The scopes to grant: those that were asked for, each of which the client must have; all of the client's when none
    /// was asked for. A scope that its resource server no longer has is not granted.
    async fn scopes(
        &self,
        pool: &UserPool,
        client: &PoolClient,
        asked: Option<&str>,
    ) -> Result<Vec<String>, Refusal> {
        let mut tx = self.store.read().await?;
        let servers = tx.resource_servers(&pool.id, Page::ALL).await?;
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
        let about =
            About { source: Source::ClientCredentials, pool, client, user: None, groups: &[], scopes };
        let shape = self.shape(&about).await;
        let shape = shape.map_err(|error| Refusal::new("invalid_request", quoted(&error.to_string())))?;
        let now = self.clock.now().seconds();
        let life = i64::from(client.access_token_seconds);
        let mut claims = json!({
            "sub": client.id,
            "token_use": "access",
            "scope": shape.scopes(scopes).join(" "),
            "auth_time": now,
            "iss": self.names.issuer(&pool.id, &pool.scope.region),
            "exp": now + life,
            "iat": now,
            "version": 2,
            "jti": EventId::mint(&*self.random),
            "client_id": client.id,
        });
        if let Value::Object(claims) = &mut claims {
            shape.shape_access(claims);
        }
        let signer = self.signers.of(&self.store, &pool.id).await?;
        let signing = tokio::task::spawn_blocking(move || signer.sign(&claims)).await;
        let token = signing.map_err(|error| Refusal::internal(&error))??;
        Ok(json!({ "access_token": token, "expires_in": life, "token_type": "Bearer" }))
    }
}
