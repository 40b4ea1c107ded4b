//! Keys of a key management service, as in AWS KMS, and the token vaults that they protect. What a key is made of is not
//! part of this: the store keeps it sealed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Arn, Random, Scope, Timestamp};

/// A symmetric key, without what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KmsKey {
    /// Whose it is and where.
    pub scope: Scope,
    /// Its id, a UUID.
    pub id: String,
    /// What its owner says of it; empty for nothing.
    pub description: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What may be done with it.
    pub state: KmsKeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it will be gone, with what it is made of, if its deletion is scheduled.
    pub gone_at: Option<Timestamp>,
}

/// What may be done with a key (`KeyState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KmsKeyState {
    /// Everything.
    Enabled,
    /// It can be enabled again, and deleted.
    Disabled,
    /// Its deletion can be taken back.
    PendingDeletion,
}

impl KmsKeyState {
    /// The state as AWS writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion => "PendingDeletion",
        }
    }

    /// The state in words: "the key is …".
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::PendingDeletion => "pending deletion",
        }
    }
}

impl KmsKey {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::kms_key(&self.scope, &self.id)
    }

    /// A new id: a UUID of version 4 (RFC 9562, section 5.4).
    #[must_use]
    pub fn mint_id(random: &dyn Random) -> String {
        crate::EventId::mint(random).to_string()
    }

    /// Whether it is gone at a moment, although its row may still be there.
    #[must_use]
    pub fn is_gone(&self, now: Timestamp) -> bool {
        self.gone_at.is_some_and(|gone_at| gone_at <= now)
    }
}

/// The token vault of an account in a region: what its secrets are sealed under. There is one, `default`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenVault {
    /// Whose it is and where.
    pub scope: Scope,
    /// The key of its owner under which its data keys are wrapped; none means the server's own.
    pub key: Option<Arn>,
    /// When that was last changed.
    pub changed_at: Timestamp,
}
