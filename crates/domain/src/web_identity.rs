//! Who an account's identities are to others: the issuer of the tokens of `sts:GetWebIdentityToken`.

use serde::{Deserialize, Serialize};

use crate::{AccountId, Arn, Secret, Timestamp};

/// The issuer of an account. It has one at most, which keeps its name and its keys for good.
#[derive(Clone, Serialize, Deserialize)]
pub struct WebIdentityIssuer {
    /// Whose it is.
    pub account: AccountId,
    /// A UUID, the last part of its URL.
    pub id: String,
    /// Whether it issues tokens.
    pub is_enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// The key that signs RS256. The store keeps both keys sealed, apart from this document.
    #[serde(skip)]
    pub rsa: Option<Secret>,
    /// The key that signs ES384, of the curve P-384.
    #[serde(skip)]
    pub ec: Option<Secret>,
}

impl WebIdentityIssuer {
    /// What audit events call it.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Self::arn_of(&self.account)
    }

    /// What audit events call the issuer of an account.
    #[must_use]
    pub fn arn_of(account: &AccountId) -> Arn {
        Arn::iam(account, "outbound-web-identity-federation")
    }
}
