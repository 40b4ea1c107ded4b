//! The two keys of an issuer: made once, parsed once, published for whoever verifies.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::{AccountId, Random, Secret, Timestamp, WebIdentityIssuer, uuid};
use serde_json::{Value, json};

use super::WebIdentityAlgorithm;
use crate::provider::KeyGenerationError;

/// The length of a coordinate of P-384, in bytes.
const COORDINATE: usize = 48;

/// Makes the issuer of an account, enabled. Its keys take a while: call it where waiting hurts nobody.
///
/// # Errors
/// [`KeyGenerationError`] when the cryptographic library makes none.
pub fn make_issuer(
    random: &dyn Random,
    account: &AccountId,
    now: Timestamp,
) -> Result<WebIdentityIssuer, KeyGenerationError> {
    let rsa = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyGenerationError)?;
    let rsa: Pkcs8V1Der<'_> = rsa.as_der().map_err(|_| KeyGenerationError)?;
    let ec = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(|_| KeyGenerationError)?;
    let ec = ec.to_pkcs8v1().map_err(|_| KeyGenerationError)?;
    Ok(WebIdentityIssuer {
        account: account.clone(),
        id: uuid(random),
        is_enabled: true,
        created_at: now,
        rsa: Some(Secret::new(STANDARD.encode(rsa.as_ref()))),
        ec: Some(Secret::new(STANDARD.encode(ec.as_ref()))),
    })
}

/// Keys that are ready to sign.
pub(super) struct Keys {
    rsa: KeyPair,
    ec: EcdsaKeyPair,
    public: Value,
    rsa_id: String,
    ec_id: String,
}

impl Keys {
    /// The keys of an issuer; nothing if they are none.
    pub(super) fn parse(issuer: &WebIdentityIssuer) -> Option<Self> {
        let der = |key: &Option<Secret>| STANDARD.decode(key.as_ref()?.expose()).ok();
        let rsa = KeyPair::from_pkcs8(&der(&issuer.rsa)?).ok()?;
        let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &der(&issuer.ec)?).ok()?;
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let modulus = number(rsa.public_key().modulus().big_endian_without_leading_zero());
        let exponent = number(rsa.public_key().exponent().big_endian_without_leading_zero());
        // Uncompressed: 0x04, then the two coordinates (SEC 1, section 2.3.3).
        let (x, y) = ec.public_key().as_ref().get(1..)?.split_at_checked(COORDINATE)?;
        let (x, y) = (number(x), number(y));
        // The thumbprints of RFC 7638.
        let thumbprint = |text: String| number(digest(&SHA256, text.as_bytes()).as_ref());
        let rsa_id = thumbprint(format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#));
        let ec_id = thumbprint(format!(r#"{{"crv":"P-384","kty":"EC","x":"{x}","y":"{y}"}}"#));
        let public = json!({ "keys": [
            { "kty": "RSA", "use": "sig", "alg": "RS256", "kid": rsa_id, "n": modulus, "e": exponent },
            { "kty": "EC", "use": "sig", "alg": "ES384", "kid": ec_id, "crv": "P-384", "x": x, "y": y },
        ] });
        Some(Self { rsa, ec, public, rsa_id, ec_id })
    }

    /// The key set (RFC 7517, section 5).
    pub(super) fn public(&self) -> Value {
        self.public.clone()
    }

    /// A signed token; nothing when the library does not sign.
    pub(super) fn sign(&self, algorithm: WebIdentityAlgorithm, claims: &str) -> Option<String> {
        let id = match algorithm {
            WebIdentityAlgorithm::Rs256 => &self.rsa_id,
            WebIdentityAlgorithm::Es384 => &self.ec_id,
        };
        let header = json!({ "alg": algorithm.as_str(), "kid": id, "typ": "JWT" }).to_string();
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let (random, bytes) = (SystemRandom::new(), message.as_bytes());
        let signature = match algorithm {
            WebIdentityAlgorithm::Rs256 => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature).ok()?;
                URL_SAFE_NO_PAD.encode(signature)
            }
            WebIdentityAlgorithm::Es384 => {
                URL_SAFE_NO_PAD.encode(self.ec.sign(&random, bytes).ok()?.as_ref())
            }
        };
        Some(format!("{message}.{signature}"))
    }
}
