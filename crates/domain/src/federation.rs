//! What is between a workload, a person and someone else's service: the session in which the person is asked to consent,
//! and the tokens that came of it.

use crate::{Scope, Secret, Timestamp};

/// A session in which a person is asked to consent. It is known by two handles, each a secret of its own, and kept under
/// their hashes: the one in the page's URL, which the person has from the beginning, and the one that the workload has and
/// that the person's browser brings back at the end.
pub struct AuthorizationSession {
    /// The hash of the handle in the hosted authorization URL.
    pub request: String,
    /// The hash of the handle in `sessionUri`.
    pub session: String,
    /// What its tokens will be found by: how many there are for the same is bounded.
    pub handle: String,
    /// Whose it is and where.
    pub scope: Scope,
    /// How far it is.
    pub status: AuthorizationStatus,
    /// When it ends.
    pub expires_at: Timestamp,
    /// For whom, for what, and what came of it. The store keeps it sealed.
    pub details: Secret,
}

/// How far an authorization session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizationStatus {
    /// The person has not come back.
    Waiting,
    /// The person came back with a code, which is being exchanged. A code is good once, and so is this state.
    Exchanging,
    /// The tokens are there, and nobody's: whose browser brought them is still to be said.
    Consented,
    /// The tokens are in the vault.
    Completed,
    /// It came to nothing.
    Failed,
}

impl AuthorizationStatus {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Waiting, Self::Exchanging, Self::Consented, Self::Completed, Self::Failed];

    /// The status as the store writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Exchanging => "exchanging",
            Self::Consented => "consented",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// The tokens of a person for a workload.
pub struct UserToken {
    /// What they are found by: a hash of the provider, the workload, the person and what was asked for.
    pub handle: String,
    /// Whose the provider and the workload are, and where.
    pub scope: Scope,
    /// The provider's name: they end with it.
    pub provider: String,
    /// The workload's name: they end with it.
    pub workload: String,
    /// Counts their changes, for optimistic concurrency.
    pub revision: i64,
    /// The tokens themselves. The store keeps them sealed.
    pub tokens: Secret,
}
