//! Tokens, right ones and others.

use serde_json::{Value, json};

use super::NOW;
use super::keys::{Key, encode, merged};

/// What a token of this key says of itself.
pub(crate) fn header(key: &Key) -> Value {
    json!({ "alg": key.algorithm, "kid": key.id, "typ": "JWT" })
}

/// What a good access token of this issuer claims.
pub(crate) fn claims(issuer: &str) -> Value {
    let now = NOW.seconds();
    json!({
        "iss": issuer,
        "sub": "machine",
        "client_id": "machine",
        "token_use": "access",
        "scope": "read invoke",
        "iat": now,
        "exp": now + 3600,
    })
}

/// The claims with others in their place; a null takes one away.
pub(crate) fn claims_with(issuer: &str, change: Value) -> Value {
    merged(claims(issuer), change)
}

/// A token of these parts, signed as its key is published.
pub(crate) fn token(header: &Value, claims: &Value, key: &Key) -> String {
    raw(header.to_string().as_bytes(), claims.to_string().as_bytes(), |message| key.sign(message))
}

/// A token of parts that need not be JSON, signed in whatever way.
pub(crate) fn raw(header: &[u8], payload: &[u8], sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encode(header), encode(payload));
    let signature = encode(&sign(message.as_bytes()));
    format!("{message}.{signature}")
}
