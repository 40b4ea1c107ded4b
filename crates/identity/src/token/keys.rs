//! An issuer's key set (RFC 7517, section 5), reduced to the keys that can verify a signature.

use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaPublicKeyComponents,
    VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Algorithm, Jws, TokenError};

/// The most keys of one set that are looked at.
const MOST_KEYS: usize = 100;

/// The keys of one issuer that can verify a signature.
pub struct KeySet {
    keys: Vec<Key>,
}

struct Key {
    id: Option<String>,
    /// The only algorithm the key is for, when its owner said so.
    algorithm: Option<Algorithm>,
    material: Material,
}

enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// A key of a curve, whose algorithm is given by the curve.
    Curve {
        algorithm: Algorithm,
        key: Box<ParsedPublicKey>,
    },
}

impl KeySet {
    /// Reads a key set. Keys that are not for signatures, that are symmetric, too small, or of a kind that is not known
    /// are passed over, as RFC 7517, section 5, wants it.
    ///
    /// # Errors
    /// [`KeySetError`] when it is no key set.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeySetError> {
        let set = strict_json::parse(bytes).map_err(|_| KeySetError("it is not sound JSON"))?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(KeySetError("it has no list `keys`"))?;
        if keys.len() > MOST_KEYS {
            return Err(KeySetError("it has more than 100 keys"));
        }
        Ok(Self { keys: keys.iter().filter_map(Value::as_object).filter_map(read_key).collect() })
    }

    /// A set of RSA keys of our own: id, modulus and exponent, both base64url.
    #[must_use]
    pub fn of_rsa<'a>(keys: impl Iterator<Item = (&'a str, &'a str, &'a str)>) -> Self {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let keys = keys.map(|(id, modulus, exponent)| Key {
            id: Some(id.to_owned()),
            algorithm: Some(Algorithm::RS256),
            material: Material::Rsa { modulus: decode(modulus), exponent: decode(exponent) },
        });
        Self { keys: keys.collect() }
    }

    /// Whether the set has no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The ids of its keys.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(|key| key.id.as_deref())
    }

    /// Proves a token's signature with the one key that can have made it.
    ///
    /// # Errors
    /// [`TokenError::UnknownKey`], [`TokenError::AmbiguousKey`] or [`TokenError::Signature`].
    pub fn verify(&self, token: &Jws<'_>) -> Result<(), TokenError> {
        let mut fitting = self.keys.iter().filter(|key| key.fits(token));
        let key = fitting.next().ok_or(TokenError::UnknownKey)?;
        if fitting.next().is_some() {
            return Err(TokenError::AmbiguousKey);
        }
        key.verify(token).map_err(|_| TokenError::Signature)
    }
}

impl Key {
    /// A token without a `kid` fits every key of its algorithm; a token with one only the key of that id.
    fn fits(&self, token: &Jws<'_>) -> bool {
        let named = token.key_id.is_none() || token.key_id == self.id;
        let made_for = match &self.material {
            Material::Rsa { .. } => rsa(token.algorithm).is_some(),
            Material::Curve { algorithm, .. } => *algorithm == token.algorithm,
        };
        named && made_for && self.algorithm.is_none_or(|only| only == token.algorithm)
    }

    fn verify(&self, token: &Jws<'_>) -> Result<(), aws_lc_rs::error::Unspecified> {
        let message = token.signed.as_bytes();
        match &self.material {
            Material::Rsa { modulus, exponent } => {
                let parameters = rsa(token.algorithm).ok_or(aws_lc_rs::error::Unspecified)?;
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(
                    parameters,
                    message,
                    &token.signature,
                )
            }
            Material::Curve { key, .. } => key.verify_sig(message, &token.signature),
        }
    }
}

/// The parameters also bound the key: 2,048 to 8,192 bits (RFC 7518, section 3.3).
fn rsa(algorithm: Algorithm) -> Option<&'static signature::RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &RSA_PSS_2048_8192_SHA512,
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 | Algorithm::EdDSA => return None,
    })
}

fn read_key(key: &Map<String, Value>) -> Option<Key> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    if key.contains_key("use") && text("use") != Some("sig") {
        return None;
    }
    if let Some(operations) = key.get("key_ops") {
        operations.as_array()?.iter().find(|operation| operation.as_str() == Some("verify"))?;
    }
    let algorithm = match key.get("alg") {
        None => None,
        Some(name) => Some(Algorithm::parse(name.as_str()?)?),
    };
    let material = match text("kty")? {
        "RSA" => {
            let (modulus, exponent) = (bytes("n")?, bytes("e")?);
            (256..=1024).contains(&modulus.len()).then_some(Material::Rsa { modulus, exponent })?
        }
        "EC" => {
            let (algorithm, parameters, size): (_, &'static dyn VerificationAlgorithm, usize) =
                match text("crv")? {
                    "P-256" => (Algorithm::ES256, &ECDSA_P256_SHA256_FIXED, 32),
                    "P-384" => (Algorithm::ES384, &ECDSA_P384_SHA384_FIXED, 48),
                    "P-521" => (Algorithm::ES512, &ECDSA_P521_SHA512_FIXED, 66),
                    _ => return None,
                };
            let (x, y) = (bytes("x")?, bytes("y")?);
            if x.len() != size || y.len() != size {
                return None;
            }
            // SEC 1, section 2.3.3: an uncompressed point.
            let point = [&[4][..], &x, &y].concat();
            Material::Curve { algorithm, key: Box::new(ParsedPublicKey::new(parameters, point).ok()?) }
        }
        "OKP" if text("crv")? == "Ed25519" => {
            // The library would also read a key in DER, of any kind that it knows.
            let x = bytes("x").filter(|x| x.len() == 32)?;
            Material::Curve {
                algorithm: Algorithm::EdDSA,
                key: Box::new(ParsedPublicKey::new(&ED25519, x).ok()?),
            }
        }
        _ => return None,
    };
    Some(Key { id: text("kid").map(str::to_owned), algorithm, material })
}

/// Bytes that are no key set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key set cannot be read: {0}")]
pub struct KeySetError(pub &'static str);
