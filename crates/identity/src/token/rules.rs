//! An authorizer's rules: every one that is configured must hold.
//!
//! Source: "Configure inbound JWT authorizer" in the AgentCore developer guide. `allowedClients` looks at the claim
//! `client_id` and at no other; `allowedScopes` wants one of its scopes, whole; an ID token names its audience and no
//! client, so it is only accepted by an audience.

use domain::{ClaimMatch, CustomClaim, JwtAuthorizer};
use serde_json::Value;

use super::Claims;

/// Holds claims against an authorizer's rules.
///
/// # Errors
/// The first rule that does not hold.
pub fn check(claims: &Claims, authorizer: &JwtAuthorizer) -> Result<(), Rejection> {
    match rules(claims, authorizer).find(|(_, holds)| !holds) {
        Some((rule, _)) => Err(rule.rejection()),
        None => Ok(()),
    }
}

/// The rules of an authorizer that concern these claims, in their order, each with whether it holds. A rule is looked at
/// when it is asked for, so that whoever stops at the first that fails pays for no other.
pub fn rules<'a>(
    claims: &'a Claims,
    authorizer: &'a JwtAuthorizer,
) -> impl Iterator<Item = (Rule<'a>, bool)> {
    let customs = authorizer.custom_claims.iter().map(Rule::CustomClaim);
    [Rule::IdToken, Rule::Audience, Rule::Client]
        .into_iter()
        .chain(customs)
        // Last, because it alone is answered with 403: the bearer is known and lacks a scope.
        .chain(std::iter::once(Rule::Scope))
        .filter(|rule| rule.concerns(claims, authorizer))
        .map(|rule| (rule, rule.holds(claims, authorizer)))
}

/// A rule of an authorizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule<'a> {
    /// An ID token needs `allowedAudience`.
    IdToken,
    /// `allowedAudience`.
    Audience,
    /// `allowedClients`.
    Client,
    /// One of `customClaims`.
    CustomClaim(&'a CustomClaim),
    /// `allowedScopes`.
    Scope,
}

impl Rule<'_> {
    fn concerns(self, claims: &Claims, authorizer: &JwtAuthorizer) -> bool {
        match self {
            Self::IdToken => claims.text("token_use") == Some("id"),
            Self::Audience => !authorizer.allowed_audience.is_empty(),
            Self::Client => !authorizer.allowed_clients.is_empty(),
            Self::CustomClaim(_) => true,
            Self::Scope => !authorizer.allowed_scopes.is_empty(),
        }
    }

    fn holds(self, claims: &Claims, authorizer: &JwtAuthorizer) -> bool {
        let among = |allowed: &[String], value: &str| allowed.iter().any(|allowed| allowed == value);
        match self {
            Self::IdToken => !authorizer.allowed_audience.is_empty(),
            Self::Audience => match claims.all.get("aud") {
                Some(Value::String(audience)) => among(&authorizer.allowed_audience, audience),
                Some(Value::Array(audiences)) => {
                    audiences.iter().all(Value::is_string)
                        && audiences
                            .iter()
                            .filter_map(Value::as_str)
                            .any(|audience| among(&authorizer.allowed_audience, audience))
                }
                _ => false,
            },
            Self::Client => {
                claims.text("client_id").is_some_and(|client| among(&authorizer.allowed_clients, client))
            }
            Self::CustomClaim(rule) => holds(claims.all.get(&rule.name), &rule.matches),
            Self::Scope => claims.scopes().any(|scope| among(&authorizer.allowed_scopes, scope)),
        }
    }

    /// What it means that it does not hold.
    #[must_use]
    pub fn rejection(self) -> Rejection {
        match self {
            Self::IdToken => Rejection::IdToken,
            Self::Audience => Rejection::Audience,
            Self::Client => Rejection::Client,
            Self::CustomClaim(rule) => Rejection::CustomClaim(rule.name.clone()),
            Self::Scope => Rejection::Scope,
        }
    }
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
