//! What it is that was given in the place of a token: the answer of a token endpoint, a page, an opaque or an encrypted
//! token, or one that was signed in a way that is not accepted. Nothing of it is repeated but OAuth's own error codes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Case, Hint};
use crate::token::TokenError;

/// The hint for a token that cannot be read, or whose header is refused.
pub(super) fn hint(case: &Case<'_>, error: &TokenError) -> Hint {
    let given = case.given.trim();
    if let TokenError::Header(_) = error {
        return header(given);
    }
    if given.starts_with('{') {
        return answer(case, given);
    }
    if given.starts_with('<') {
        return page(case);
    }
    if given.contains(char::is_whitespace) {
        return Hint::new(
            "broken-token",
            "There is white space in it: it was broken across lines while it was copied. Give it as one word, without \
             `Bearer`.",
        );
    }
    match given.split('.').count() {
        5 => Hint::new(
            "encrypted-token",
            "It has five parts: it is encrypted (JWE), and only its issuer can read it. Ask for the access token of an \
             API of your own (Auth0: with `audience`; Entra: with a scope of your application).",
        ),
        3 => Hint::new(
            "broken-token",
            "It has three parts, and they are not those of a signed token: it was cut or changed while it was copied.",
        ),
        _ => Hint::new(
            "opaque-token",
            "It is no JSON Web Token: it is opaque, and only its issuer knows what it says. Ask the token endpoint for \
             the access token of an API of your own (Auth0: with `audience`; Okta: of a custom authorization server).",
        ),
    }
}

/// A symmetric algorithm, none, or one that nobody knows.
fn header(given: &str) -> Hint {
    let part = given.split('.').next().unwrap_or_default();
    let header: Option<Value> =
        URL_SAFE_NO_PAD.decode(part).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let algorithm = header.as_ref().and_then(|header| header.get("alg")).and_then(Value::as_str);
    match algorithm {
        Some(name) if name.starts_with("HS") => Hint::new(
            "algorithm",
            "It is signed with a shared secret, which whoever verifies could use to sign. Set the signing algorithm of \
             the API to RS256 at the identity provider.",
        ),
        Some(name) if name.eq_ignore_ascii_case("none") => {
            Hint::new("algorithm", "It is not signed at all. Have the identity provider sign with RS256.")
        }
        _ => Hint::new(
            "header",
            "RS, PS and ES algorithms and EdDSA are accepted, in a header without extensions: have the identity \
             provider sign with RS256.",
        ),
    }
}

/// The whole answer of a token endpoint, good or bad.
fn answer(case: &Case<'_>, given: &str) -> Hint {
    let answer: Value = serde_json::from_str(given).unwrap_or_default();
    if answer.get("access_token").is_some() {
        return Hint::new(
            "token-endpoint-answer",
            "This is the whole answer of a token endpoint: give the value of its `access_token` alone.",
        );
    }
    match answer.get("error").and_then(Value::as_str) {
        Some("unauthorized_client" | "unsupported_grant_type") => Hint::new(
            "client-credentials-grant",
            "The token endpoint does not let this client use the client credentials grant: enable it at the identity \
             provider. In Cognito the app client needs a secret, AllowedOAuthFlows with client_credentials, and \
             AllowedOAuthFlowsUserPoolClient.",
        ),
        Some("invalid_client") => Hint::new(
            "client-secret",
            "The token endpoint does not know this client, or its secret is another: look at both, letter by letter, \
             and at whether the endpoint wants them in the form or in a Basic header.",
        ),
        Some("invalid_scope") => Hint::new(
            "scope-of-request",
            "The token endpoint does not give the scopes that were asked for: define them at the identity provider and \
             let the client have them. In Cognito a scope is written `resource-server/scope`.",
        ),
        Some(_) => Hint::new(
            "token-endpoint-error",
            "This is an error of the token endpoint, not a token: it says itself what is wrong with the request.",
        ),
        None => page(case),
    }
}

/// "If the token endpoint doesn't work, check the discovery URL to find the correct token_endpoint."
fn page(case: &Case<'_>) -> Hint {
    let url = &case.authorizer.discovery_url;
    let place = match &case.inspection.token_endpoint {
        Some(endpoint) => format!("The document at {url} says that it is {endpoint}."),
        None => format!("The document at {url} names it as token_endpoint."),
    };
    Hint::new("token-endpoint", format!("This is no token: what answered is not the token endpoint. {place}"))
}
