//! Workload identities: what an agent is called when it asks for credentials.

use serde::{Deserialize, Serialize};

use crate::{Arn, Scope, Timestamp};

/// A workload identity. It lives in its account's directory, which is always called `default`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkloadIdentity {
    /// Whose it is and where.
    pub scope: Scope,
    /// Its name, unique in its scope.
    pub name: String,
    /// What tells it from a former one of the same name: tokens of that one are not this one's.
    pub id: String,
    /// Where a person may be sent after consenting.
    pub return_urls: Vec<String>,
    /// The generation of its tokens: those of former ones are revoked.
    pub generation: i64,
    /// What it belongs to, when a service made it: it lives and goes with that.
    #[serde(default)]
    pub linked_to: Option<Arn>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, for optimistic concurrency.
    pub revision: i64,
}

impl WorkloadIdentity {
    /// The first of a name, of `scope`, with the id that tells it from others.
    #[must_use]
    pub fn new(scope: &Scope, name: &str, id: String, now: Timestamp) -> Self {
        Self {
            scope: scope.clone(),
            name: name.to_owned(),
            id,
            return_urls: Vec::new(),
            generation: 1,
            linked_to: None,
            created_at: now,
            updated_at: now,
            revision: 1,
        }
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::workload_identity(&self.scope, &self.name)
    }
}

/// For whom a workload acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum WorkloadUser {
    /// For itself.
    Nobody,
    /// For the person whose token was verified.
    Token {
        /// `iss` of the token.
        issuer: String,
        /// `sub` of the token.
        subject: String,
    },
    /// For a person of whom the workload only says who it is.
    Id {
        /// The id, as the workload gave it.
        id: String,
    },
}
