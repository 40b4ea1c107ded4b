//! What a client signs to prove who it is (RFC 7523, sections 2.2 and 3), and the key by which that is verified.

use std::time::Duration;

use domain::{
    ClientKey, CredentialProvider, CredentialSettings, OAuth2Settings, Random, Secret, Timestamp, uuid,
};
use serde_json::{Map, Value, json};

use super::Refusal;
use crate::jwt_key::JwtKey;

/// How long an assertion is good.
const LIFE: Duration = Duration::from_secs(60);

/// An assertion of a provider's client for a token endpoint, good once and for a minute.
pub(super) fn assertion(
    provider: &CredentialProvider,
    endpoint: &str,
    random: &dyn Random,
    now: Timestamp,
) -> Result<Secret, Refusal> {
    let unusable = || Refusal::NoKey(provider.arn());
    let (settings, client, key) = client_key(provider).ok_or_else(unusable)?;
    let text = |members: &std::collections::BTreeMap<String, String>| {
        members.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>()
    };
    let mut claims = text(&client.claims);
    for (name, value) in [
        ("iss", json!(settings.client_id)),
        ("sub", json!(settings.client_id)),
        ("aud", json!(endpoint)),
        ("jti", json!(uuid(random))),
        ("iat", json!(now.seconds())),
        ("exp", json!(now.plus(LIFE).seconds())),
    ] {
        claims.insert(name.to_owned(), value);
    }
    let signed = key.sign(text(&client.header), &Value::Object(claims).to_string());
    signed.map(Secret::new).ok_or_else(unusable)
}

/// The key set of a provider's client (RFC 7517, section 5): nothing where it signs nothing.
#[must_use]
pub fn client_key_set(provider: &CredentialProvider) -> Option<Value> {
    let (_, _, key) = client_key(provider)?;
    Some(json!({ "keys": [key.public()] }))
}

fn client_key(provider: &CredentialProvider) -> Option<(&OAuth2Settings, &ClientKey, JwtKey)> {
    let CredentialSettings::OAuth2(settings) = &provider.settings else { return None };
    let client = settings.client_key.as_ref()?;
    let key = JwtKey::parse(client.algorithm.into(), provider.secret.as_ref()?)?;
    Some((settings, client, key))
}
