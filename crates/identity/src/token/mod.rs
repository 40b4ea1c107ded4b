//! JSON Web Tokens: read strictly, verified by a key that the issuer published, held against an authorizer's rules.
//!
//! Nothing in a token decides how it is verified: the key comes from the issuer's key set, the algorithm must be one
//! that the key is made for, and headers that name keys or places of keys (`jwk`, `jku`, `x5c`, `x5u`) are not read at
//! all. Sources: RFC 7515 (JWS), RFC 7517 (JWK), RFC 7518 (JWA), RFC 7519 (JWT), RFC 8725 (JWT best practices).

mod bearer;
mod claims;
mod jws;
mod keys;
mod rules;

pub use bearer::bearer;
pub use claims::{Claims, LEEWAY};
pub(crate) use claims::{object, standing};
pub use jws::{Algorithm, Jws, MAX_TOKEN};
pub use keys::{KeySet, KeySetError};
pub use rules::{Rejection, Rule, check, rules};

/// Why a token is not accepted. The words are for logs and for the person who debugs; a caller is told less.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no compact JWS, or its header is not one that is accepted.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// Its header asks for something that is never done.
    #[error("the token's header is refused: {0}")]
    Header(&'static str),
    /// The issuer has no key that could have signed it.
    #[error("no key of the issuer's key set fits the token's `kid` and `alg`")]
    UnknownKey,
    /// Several keys fit, and nothing says which.
    #[error("several keys of the issuer's key set fit the token, and it does not say which signed it")]
    AmbiguousKey,
    /// The signature is another than the key makes.
    #[error("the token's signature does not hold")]
    Signature,
    /// A claim that every token must have is missing or is not what it must be.
    #[error("the token's claim `{0}` is {1}")]
    Claim(&'static str, &'static str),
}
