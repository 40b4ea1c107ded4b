//! The compact serialisation of a signed token (RFC 7515, section 7.1), taken apart without trusting any of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::TokenError;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 32 * 1024;

/// An algorithm that is accepted. Symmetric ones and `none` are not among them: a key that everyone can fetch must not
/// be one that signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of RFC 7518, section 3.1, and RFC 8037, section 3.1")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
}

impl Algorithm {
    /// The algorithm of this name, letter by letter.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::RS256,
            "RS384" => Self::RS384,
            "RS512" => Self::RS512,
            "PS256" => Self::PS256,
            "PS384" => Self::PS384,
            "PS512" => Self::PS512,
            "ES256" => Self::ES256,
            "ES384" => Self::ES384,
            "ES512" => Self::ES512,
            "EdDSA" => Self::EdDSA,
            _ => return None,
        })
    }
}

/// A signed token, taken apart. Nothing of it is proven.
pub struct Jws<'a> {
    /// The algorithm it claims to be signed with.
    pub algorithm: Algorithm,
    /// The key it claims to be signed with.
    pub key_id: Option<String>,
    /// What was signed: header and payload as they stand, with their dot.
    pub signed: &'a str,
    /// The payload.
    pub payload: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] or [`TokenError::Header`].
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Malformed("it is longer than 32 KiB"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed("it does not have three parts"));
        };
        // The engine refuses padding, white space and stray bits at the end, so that one token has one spelling.
        let decode = |part: &str| {
            URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed("a part of it is not base64url"))
        };
        let (algorithm, key_id) = read_header(&decode(header)?)?;
        let signed = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
        Ok(Self { algorithm, key_id, signed, payload: decode(payload)?, signature: decode(signature)? })
    }
}

fn read_header(bytes: &[u8]) -> Result<(Algorithm, Option<String>), TokenError> {
    let header =
        strict_json::parse(bytes).map_err(|_| TokenError::Malformed("its header is not sound JSON"))?;
    let Value::Object(header) = header else {
        return Err(TokenError::Malformed("its header is not a JSON object"));
    };
    if header.contains_key("crit") {
        // RFC 7515, section 4.1.11: what is not understood must be refused, and no extension is understood here.
        return Err(TokenError::Header("it has critical extensions"));
    }
    if header.contains_key("b64") || header.contains_key("zip") || header.contains_key("enc") {
        return Err(TokenError::Header("its payload would be encoded, compressed or encrypted"));
    }
    if header.get("cty").is_some_and(|kind| kind.as_str().is_none_or(is_jwt)) {
        return Err(TokenError::Header("it wraps another token"));
    }
    let algorithm = header
        .get("alg")
        .and_then(Value::as_str)
        .and_then(Algorithm::parse)
        .ok_or(TokenError::Header("its algorithm is not one that is accepted"))?;
    let key_id = match header.get("kid") {
        None => None,
        Some(Value::String(id)) if (1..=256).contains(&id.len()) => Some(id.clone()),
        Some(_) => return Err(TokenError::Header("its `kid` is not a text of 1 to 256 bytes")),
    };
    Ok((algorithm, key_id))
}

/// Whether a media type, with or without its `application/` (RFC 7515, section 4.1.10), is a token's.
fn is_jwt(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    kind.strip_prefix("application/").unwrap_or(&kind) == "jwt"
}
