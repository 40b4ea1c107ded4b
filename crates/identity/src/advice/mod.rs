//! What to do about a token that a gateway does not accept.
//!
//! Each hint answers one mistake that people make with identity providers; most of them are named in "Troubleshooting" of
//! AgentCore's setup of authentication ("Common 401 errors", "Other common issues"). Hints only read what an
//! [`Inspection`] and the rules found: whether a token is accepted is never decided here.

mod form;
mod rules;

use domain::{JwtAuthorizer, Timestamp};

use crate::issuer::{Inspection, IssuerError, Step, VerifyError};
use crate::token::{Claims, TokenError};

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Names the mistake, for scripts; it does not change.
    pub code: &'static str,
    /// What to do about it, in a sentence or two.
    pub text: String,
}

impl Hint {
    fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// What is known when hints are given.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// What was given as a token.
    pub given: &'a str,
    /// What was found out about it.
    pub inspection: &'a Inspection,
    /// What the gateway asks for.
    pub authorizer: &'a JwtAuthorizer,
    /// What time it is.
    pub now: Timestamp,
}

/// All hints that there are, in the order of the findings.
#[must_use]
pub fn advise(case: &Case<'_>) -> Vec<Hint> {
    let mut hints = Vec::new();
    if let Some(error) = case.inspection.fault(Step::Form) {
        hints.push(form::hint(case, error));
    }
    hints.extend(discovery(case));
    hints.extend(signature(case));
    if let Some(claims) = &case.inspection.claims {
        hints.extend(time(case, claims));
        hints.extend(issuer(case, claims));
        rules::hints(case, claims, &mut hints);
    }
    hints
}

/// "Check that the discovery URL is accessible and returns valid OpenID configuration."
fn discovery(case: &Case<'_>) -> Option<Hint> {
    let url = &case.authorizer.discovery_url;
    let Some(VerifyError::Issuer(error)) = case.inspection.failure(Step::Keys) else { return None };
    Some(match error {
        IssuerError::Unreachable { .. } => Hint::new(
            "discovery-unreachable",
            format!(
                "The gateway must reach the issuer's documents. Open {url} and the jwks_uri in it from this machine: \
                 both must answer 200, over https, without a redirect. A private address needs `outbound.allow`."
            ),
        ),
        IssuerError::Discovery(_) => Hint::new(
            "discovery-invalid",
            format!(
                "{url} must serve an OpenID configuration whose `issuer` is what stands before /.well-known/, and \
                 whose jwks_uri serves a key set. Copy the URL from the identity provider's own pages."
            ),
        ),
        IssuerError::Store(_) => return None,
    })
}

fn signature(case: &Case<'_>) -> Option<Hint> {
    Some(match case.inspection.fault(Step::Signature)? {
        TokenError::UnknownKey => Hint::new(
            "key-unknown",
            format!(
                "The issuer behind the discovery URL publishes the keys {}. The token was signed by another issuer or \
                 tenant, by a key that is gone, or with an algorithm that its key is not for: get a new token there.",
                listed(&case.inspection.key_ids)
            ),
        ),
        TokenError::AmbiguousKey => Hint::new(
            "key-ambiguous",
            "The token names no `kid`, and the issuer has several keys: have the provider write `kid` into its headers.",
        ),
        _ => Hint::new(
            "signature",
            "The token was changed after it was signed, or cut while it was copied, or is another issuer's whose key \
             has the same id: get a new token, and give it whole.",
        ),
    })
}

fn time(case: &Case<'_>, claims: &Claims) -> Option<Hint> {
    let faulty = |name| case.inspection.fault(Step::Claim(name));
    if let Some(TokenError::Claim(_, "past")) = faulty("exp") {
        return Some(Hint::new(
            "expired",
            format!(
                "It ended at {}, and it is {} here, with 60 seconds of leeway: get a new token, or set the clock.",
                claims.expires_at, case.now
            ),
        ));
    }
    let ahead = ["nbf", "iat"]
        .into_iter()
        .find(|name| matches!(faulty(name), Some(TokenError::Claim(_, "in the future"))))?;
    Some(Hint::new(
        "clock",
        format!(
            "Its `{ahead}` lies more than 60 seconds ahead of the clock here, which says {}: one of the two clocks is \
             wrong.",
            case.now
        ),
    ))
}

fn issuer(case: &Case<'_>, claims: &Claims) -> Option<Hint> {
    case.inspection.fault(Step::Issuer)?;
    let (found, expected) = (&claims.issuer, &case.inspection.issuers);
    let microsoft = ["https://sts.windows.net/", "https://login.microsoftonline.com/"];
    let is_entra = |issuer: &String| microsoft.iter().any(|host| issuer.starts_with(host));
    if is_entra(found) && expected.iter().any(is_entra) {
        return Some(Hint::new(
            "entra-version",
            "Entra's tokens of version 1.0 (`ver`) are issued by sts.windows.net, those of 2.0 by \
             login.microsoftonline.com/{tenant}/v2.0. Take the discovery URL of the token's version and tenant, or set \
             accessTokenAcceptedVersion in the application's manifest.",
        ));
    }
    Some(Hint::new(
        "issuer-mismatch",
        format!(
            "The discovery URL stands for {}, letter by letter, and the token is issued by `{found}`: take the \
             discovery URL of the issuer that gave the token, or ask the other one for a token.",
            listed(expected)
        ),
    ))
}

/// Words for people: each in backticks.
fn listed<T: AsRef<str>>(words: &[T]) -> String {
    match words {
        [] => "none".to_owned(),
        words => words.iter().map(|word| format!("`{}`", word.as_ref())).collect::<Vec<_>>().join(", "),
    }
}
