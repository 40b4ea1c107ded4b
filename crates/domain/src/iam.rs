//! The people and programs that IAM knows: users, roles, managed policies, access keys.

use serde::{Deserialize, Serialize};

use crate::identifiers::unique_id;
use crate::{AccessKeyId, AccountId, Arn, Document, Random, Secret, Timestamp};

/// A user of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Whose it is.
    pub account: AccountId,
    /// Its name, unique in its account without regard to case.
    pub name: String,
    /// Its path: `/` or `/…/`.
    pub path: String,
    /// Its unique id: `AIDA…`.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl User {
    /// `arn:aws:iam::{account}:user{path}{name}`.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::iam(&self.account, &format!("user{}{}", self.path, self.name))
    }

    /// A new unique id for a user.
    #[must_use]
    pub fn mint_id(random: &dyn Random) -> String {
        unique_id(random, "AIDA")
    }
}

/// A role that someone may assume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Whose it is.
    pub account: AccountId,
    /// Its name, unique in its account without regard to case.
    pub name: String,
    /// Its path: `/` or `/…/`.
    pub path: String,
    /// Its unique id: `AROA…`.
    pub id: String,
    /// What people say about it.
    pub description: Option<String>,
    /// Who may assume it: the policy exactly as it was written.
    pub trust_policy: Document,
    /// The longest session, in seconds: 3,600 to 43,200.
    pub max_session_seconds: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Role {
    /// `arn:aws:iam::{account}:role{path}{name}`.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::iam(&self.account, &format!("role{}{}", self.path, self.name))
    }

    /// A new unique id for a role.
    #[must_use]
    pub fn mint_id(random: &dyn Random) -> String {
        unique_id(random, "AROA")
    }
}

/// A policy that can be attached to users and roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// Its ARN: of the account, or `arn:aws:iam::aws:policy/…` for those that every account has.
    pub arn: Arn,
    /// Its unique id: `ANPA…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// What people say about it.
    pub description: Option<String>,
    /// The policy exactly as it was written.
    pub document: Document,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ManagedPolicy {
    /// A new unique id for a managed policy.
    #[must_use]
    pub fn mint_id(random: &dyn Random) -> String {
        unique_id(random, "ANPA")
    }
}

/// Who holds an access key, an inline policy or an attached policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Holder {
    /// The account itself.
    Root,
    /// A user, by name.
    User(String),
    /// A role, by name.
    Role(String),
}

impl Holder {
    /// The kind, as the store writes it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::User(_) => "user",
            Self::Role(_) => "role",
        }
    }

    /// The name; empty for the account itself.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Root => "",
            Self::User(name) | Self::Role(name) => name,
        }
    }
}

/// A lasting access key.
#[derive(Clone)]
pub struct AccessKey {
    /// Its public part.
    pub id: AccessKeyId,
    /// Its secret part: the store keeps it sealed.
    pub secret: Secret,
    /// Whose it is.
    pub account: AccountId,
    /// Who signs with it: the account itself or a user.
    pub holder: Holder,
    /// Whether it may be used.
    pub status: AccessKeyStatus,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Whether an access key may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessKeyStatus {
    /// It may.
    Active,
    /// It may not, until it is activated again.
    Inactive,
}

impl AccessKeyStatus {
    /// The status as the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }

    /// The status that the API writes so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Active" => Some(Self::Active),
            "Inactive" => Some(Self::Inactive),
            _ => None,
        }
    }
}
