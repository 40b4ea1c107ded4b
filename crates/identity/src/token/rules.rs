//! An authorizer's rules: every one that is configured must hold.
//!
//! Source: "Configure inbound JWT authorizer" in the AgentCore developer guide. `allowedClients` looks at the claim
//! `client_id` and at no other; `allowedScopes` wants one of its scopes, whole; an ID token names its audience and no
//! client, so it is only accepted by an audience.

use domain::{ClaimMatch, JwtAuthorizer};
use serde_json::Value;

use super::Claims;

/// Holds claims against an authorizer's rules.
///
/// # Errors
/// The first rule that does not hold.
pub fn check(claims: &Claims, authorizer: &JwtAuthorizer) -> Result<(), Rejection> {
    let is_id_token = claims.text("token_use") == Some("id");
    if is_id_token && authorizer.allowed_audience.is_empty() {
        return Err(Rejection::IdToken);
    }
    if !authorizer.allowed_audience.is_empty() {
        let allowed = |audience: &str| authorizer.allowed_audience.iter().any(|allowed| allowed == audience);
        let named = match claims.all.get("aud") {
            Some(Value::String(audience)) => allowed(audience),
            Some(Value::Array(audiences)) => {
                audiences.iter().all(Value::is_string)
                    && audiences.iter().filter_map(Value::as_str).any(allowed)
            }
            _ => false,
        };
        if !named {
            return Err(Rejection::Audience);
        }
    }
    if !authorizer.allowed_clients.is_empty() {
        let client = claims.text("client_id");
        if !client.is_some_and(|client| authorizer.allowed_clients.iter().any(|allowed| allowed == client)) {
            return Err(Rejection::Client);
        }
    }
    for rule in &authorizer.custom_claims {
        if !holds(claims.all.get(&rule.name), &rule.matches) {
            return Err(Rejection::CustomClaim(rule.name.clone()));
        }
    }
    // Last, because it alone is answered with 403: the bearer is known and lacks a scope.
    if !authorizer.allowed_scopes.is_empty() {
        let allowed = |scope: &str| authorizer.allowed_scopes.iter().any(|allowed| allowed == scope);
        if !claims.scopes().any(allowed) {
            return Err(Rejection::Scope);
        }
    }
    Ok(())
}

fn holds(claim: Option<&Value>, rule: &ClaimMatch) -> bool {
    let contains = |wanted: &str| {
        claim
            .and_then(Value::as_array)
            .is_some_and(|values| values.iter().any(|value| value.as_str() == Some(wanted)))
    };
    match rule {
        ClaimMatch::Equals(wanted) => claim.and_then(Value::as_str) == Some(wanted),
        ClaimMatch::Contains(wanted) => contains(wanted),
        ClaimMatch::ContainsAny(wanted) => wanted.iter().any(|wanted| contains(wanted)),
    }
}

/// The rule of an authorizer that a token does not meet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// `aud` names none of `allowedAudience`.
    #[error("its `aud` names none of the authorizer's allowedAudience")]
    Audience,
    /// `client_id` is none of `allowedClients`.
    #[error("its `client_id` is none of the authorizer's allowedClients")]
    Client,
    /// It carries none of `allowedScopes`.
    #[error("it carries none of the authorizer's allowedScopes")]
    Scope,
    /// A custom claim does not match.
    #[error("its claim `{0}` does not match the authorizer's rule")]
    CustomClaim(String),
    /// It is an ID token, and only an access token would do.
    #[error("it is an ID token (`token_use`), which only allowedAudience accepts")]
    IdToken,
}
