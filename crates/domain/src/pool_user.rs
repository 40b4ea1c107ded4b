//! Who signs in to a user pool: users, groups, and the secrets that a sign-in hands out.

use serde::{Deserialize, Serialize};

use crate::{Scope, Secret, Timestamp, UserPoolId};

/// A user of a pool.
#[derive(Clone, Serialize, Deserialize)]
pub struct PoolUser {
    /// The pool it belongs to.
    pub pool: UserPoolId,
    /// Whose it is and where.
    pub scope: Scope,
    /// The name it was given; names are compared without regard to case.
    pub name: String,
    /// `sub` of its tokens: a UUID that no other user ever gets.
    pub sub: String,
    /// Its attributes, in the order given, without `sub`.
    pub attributes: Vec<UserAttribute>,
    /// Whether it may sign in as it is.
    pub status: PoolUserStatus,
    /// The hash of its password, as a PHC string. The store keeps it sealed, apart from this document.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// Until when a temporary password is good.
    pub password_expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, for optimistic concurrency.
    pub revision: i64,
}

impl PoolUser {
    /// A name as it is looked up.
    #[must_use]
    pub fn key_of(name: &str) -> String {
        name.to_lowercase()
    }

    /// Its own name as it is looked up.
    #[must_use]
    pub fn key(&self) -> String {
        Self::key_of(&self.name)
    }
}

/// Something that is known about a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAttribute {
    /// A claim of OpenID Connect, such as `email`.
    pub name: String,
    /// What it is.
    pub value: String,
}

/// Whether a user may sign in as it is (`UserStatusType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoolUserStatus {
    /// It has a password of its own.
    Confirmed,
    /// It must choose a password when it next signs in.
    ForceChangePassword,
}

/// A group of users of a pool: `cognito:groups` of their tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolGroup {
    /// The pool it belongs to.
    pub pool: UserPoolId,
    /// Whose it is and where.
    pub scope: Scope,
    /// Its name, unique in its pool.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its place among a user's groups: the lowest comes first.
    pub precedence: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What is kept about a secret that a sign-in handed out. The secret itself is not kept: it is known by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// SHA-256 of the secret, in base64url.
    pub hash: String,
    /// What it is good for.
    pub kind: TicketKind,
    /// The pool it is of.
    pub pool: UserPoolId,
    /// The client it was handed to; empty for a browser's.
    pub client: String,
    /// The user it stands for, by the name as it is looked up.
    pub user: String,
    /// What came of one sign-in is one family, and is taken back together.
    pub family: String,
    /// Whether it was used up. A secret that is shown again after that was stolen.
    pub spent: bool,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// What its kind needs beside: a JSON object.
    pub details: String,
}

/// What a ticket is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketKind {
    /// An authorization code (RFC 6749, section 4.1).
    Code,
    /// A refresh token (RFC 6749, section 6).
    Refresh,
    /// A browser that has signed in.
    Browser,
    /// A sign-in that waits for a new password.
    Challenge,
}

impl TicketKind {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Refresh => "refresh",
            Self::Browser => "browser",
            Self::Challenge => "challenge",
        }
    }
}
