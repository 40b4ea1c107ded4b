//! Keys of our own that sign JSON Web Tokens for others: made once, kept sealed, published for whoever verifies (RFC 7515,
//! RFC 7517, RFC 7518). The keys of pools are `provider/signer.rs`'s.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::{ClientKeyAlgorithm, Secret};
use serde_json::{Map, Value, json};

use crate::provider::KeyGenerationError;

/// How a key signs (RFC 7518, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
}

/// A curve: its name, its algorithm, and the length of a coordinate in bytes.
type Curve = (&'static str, &'static EcdsaSigningAlgorithm, usize);

impl JwtAlgorithm {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
        }
    }

    fn curve(self) -> Option<Curve> {
        match self {
            Self::Rs256 | Self::Ps256 => None,
            Self::Es256 => Some(("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING, 32)),
            Self::Es384 => Some(("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING, 48)),
        }
    }
}

impl From<ClientKeyAlgorithm> for JwtAlgorithm {
    fn from(algorithm: ClientKeyAlgorithm) -> Self {
        match algorithm {
            ClientKeyAlgorithm::Rs256 => Self::Rs256,
            ClientKeyAlgorithm::Ps256 => Self::Ps256,
            ClientKeyAlgorithm::Es256 => Self::Es256,
        }
    }
}

/// Makes a key, as the text that is sealed: RSA has 2,048 bits. It takes a while; call it where waiting hurts nobody.
///
/// # Errors
/// [`KeyGenerationError`] when the cryptographic library makes none.
pub fn generate_jwt_key(algorithm: JwtAlgorithm) -> Result<Secret, KeyGenerationError> {
    let text = |der: &[u8]| Secret::new(STANDARD.encode(der));
    match algorithm.curve() {
        None => {
            let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyGenerationError)?;
            let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyGenerationError)?;
            Ok(text(der.as_ref()))
        }
        Some((_, curve, _)) => {
            let pair = EcdsaKeyPair::generate(curve).map_err(|_| KeyGenerationError)?;
            Ok(text(pair.to_pkcs8v1().map_err(|_| KeyGenerationError)?.as_ref()))
        }
    }
}

/// A key that is ready to sign.
pub(crate) struct JwtKey {
    algorithm: JwtAlgorithm,
    pair: Pair,
    id: String,
    public: Value,
}

enum Pair {
    Rsa(KeyPair, &'static dyn RsaEncoding),
    Curve(EcdsaKeyPair),
}

impl JwtKey {
    /// The key of a text; nothing if it is none of this algorithm.
    pub(crate) fn parse(algorithm: JwtAlgorithm, text: &Secret) -> Option<Self> {
        let der = STANDARD.decode(text.expose()).ok()?;
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        // The members of a thumbprint stand in the order of their names (RFC 7638, section 3).
        let (pair, thumbprint, mut public) = match algorithm.curve() {
            None => {
                let pair = KeyPair::from_pkcs8(&der).ok()?;
                let n = number(pair.public_key().modulus().big_endian_without_leading_zero());
                let e = number(pair.public_key().exponent().big_endian_without_leading_zero());
                let encoding: &'static dyn RsaEncoding =
                    if algorithm == JwtAlgorithm::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let thumbprint = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
                (Pair::Rsa(pair, encoding), thumbprint, json!({ "kty": "RSA", "n": n, "e": e }))
            }
            Some((crv, curve, coordinate)) => {
                let pair = EcdsaKeyPair::from_pkcs8(curve, &der).ok()?;
                // Uncompressed: 0x04, then the two coordinates (SEC 1, section 2.3.3).
                let (x, y) = pair.public_key().as_ref().get(1..)?.split_at_checked(coordinate)?;
                let (x, y) = (number(x), number(y));
                let thumbprint = format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#);
                (Pair::Curve(pair), thumbprint, json!({ "kty": "EC", "crv": crv, "x": x, "y": y }))
            }
        };
        let id = number(digest(&SHA256, thumbprint.as_bytes()).as_ref());
        let members = public.as_object_mut()?;
        members.insert("use".to_owned(), json!("sig"));
        members.insert("alg".to_owned(), json!(algorithm.as_str()));
        members.insert("kid".to_owned(), json!(id));
        Some(Self { algorithm, pair, id, public })
    }

    /// The public key (RFC 7517, section 4).
    pub(crate) fn public(&self) -> Value {
        self.public.clone()
    }

    /// A signed token, with `header` besides what says how it is signed; nothing when the library does not sign.
    pub(crate) fn sign(&self, header: Map<String, Value>, claims: &str) -> Option<String> {
        let mut header = header;
        header.insert("alg".to_owned(), json!(self.algorithm.as_str()));
        header.insert("kid".to_owned(), json!(self.id));
        header.insert("typ".to_owned(), json!("JWT"));
        let header = Value::Object(header).to_string();
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let (random, bytes) = (SystemRandom::new(), message.as_bytes());
        let signature = match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, bytes, &mut signature).ok()?;
                URL_SAFE_NO_PAD.encode(signature)
            }
            Pair::Curve(pair) => URL_SAFE_NO_PAD.encode(pair.sign(&random, bytes).ok()?.as_ref()),
        };
        Some(format!("{message}.{signature}"))
    }
}
