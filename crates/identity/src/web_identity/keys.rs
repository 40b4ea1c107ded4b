//! The two keys of an issuer: made once, parsed once, published for whoever verifies.

use domain::{AccountId, Random, Timestamp, WebIdentityIssuer, uuid};
use serde_json::{Map, Value, json};

use super::WebIdentityAlgorithm;
use crate::jwt_key::{JwtAlgorithm, JwtKey, generate_jwt_key};
use crate::provider::KeyGenerationError;

/// Makes the issuer of an account, enabled. Its keys take a while: call it where waiting hurts nobody.
///
/// # Errors
/// [`KeyGenerationError`] when the cryptographic library makes none.
pub fn make_issuer(
    random: &dyn Random,
    account: &AccountId,
    now: Timestamp,
) -> Result<WebIdentityIssuer, KeyGenerationError> {
    Ok(WebIdentityIssuer {
        account: account.clone(),
        id: uuid(random),
        is_enabled: true,
        created_at: now,
        rsa: Some(generate_jwt_key(JwtAlgorithm::Rs256)?),
        ec: Some(generate_jwt_key(JwtAlgorithm::Es384)?),
    })
}

/// Keys that are ready to sign.
pub(super) struct Keys {
    rsa: JwtKey,
    ec: JwtKey,
}

impl Keys {
    /// The keys of an issuer; nothing if they are none.
    pub(super) fn parse(issuer: &WebIdentityIssuer) -> Option<Self> {
        let rsa = JwtKey::parse(JwtAlgorithm::Rs256, issuer.rsa.as_ref()?)?;
        let ec = JwtKey::parse(JwtAlgorithm::Es384, issuer.ec.as_ref()?)?;
        Some(Self { rsa, ec })
    }

    /// The key set (RFC 7517, section 5).
    pub(super) fn public(&self) -> Value {
        json!({ "keys": [self.rsa.public(), self.ec.public()] })
    }

    /// A signed token; nothing when the library does not sign.
    pub(super) fn sign(&self, algorithm: WebIdentityAlgorithm, claims: &str) -> Option<String> {
        let key = match algorithm {
            WebIdentityAlgorithm::Rs256 => &self.rsa,
            WebIdentityAlgorithm::Es384 => &self.ec,
        };
        key.sign(Map::new(), claims)
    }
}
