//! For whom a token is, besides the client: the person whose token came in, and who acts for them.

use aws_lc_rs::digest::{Context, SHA256};
use domain::{OnBehalfOf, Secret};

use super::speaker::Speaker;

/// For whom a token is, besides the client. Nobody, for tokens of the client itself.
#[derive(Clone, Default)]
pub(super) struct Party {
    /// Who speaks to the server, where it is to know.
    pub(super) speaker: Option<Speaker>,
    /// The person's token and what is to be done with it.
    pub(super) exchange: Option<Exchange>,
}

/// A person's token that is to become another.
#[derive(Clone)]
pub(super) struct Exchange {
    /// By which grant.
    pub(super) how: OnBehalfOf,
    /// The person's token.
    pub(super) subject: Secret,
    /// Who acts.
    pub(super) actor: Option<Acting>,
}

/// The token of who acts.
#[derive(Clone)]
pub(super) struct Acting {
    pub(super) token: Secret,
    pub(super) kind: TokenKind,
}

/// What a token is (RFC 8693, section 3).
#[derive(Clone, Copy)]
pub(super) enum TokenKind {
    AccessToken,
    Jwt,
}

impl TokenKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
        }
    }
}

/// What tells the parties of a provider's tokens apart. A person's token stands for the person and for what they may do
/// with it: one that says less never gets what was got with another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PartyKey([u8; 32]);

impl PartyKey {
    /// Of whatever makes a party; each part counts with its length.
    pub(super) fn of(parts: &[&str]) -> Self {
        let mut digest = Context::new(&SHA256);
        for part in parts {
            digest.update(&part.len().to_be_bytes());
            digest.update(part.as_bytes());
        }
        let mut key = [0; 32];
        key.copy_from_slice(digest.finish().as_ref());
        Self(key)
    }
}
