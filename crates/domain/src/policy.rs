//! Policy engines and the Cedar policies in them.

use serde::{Deserialize, Serialize};

use crate::{Arn, PolicyEngineId, PolicyId, PolicyStatus, Scope, Timestamp};

/// A policy engine: a set of policies that guards the gateways it is attached to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyEngine {
    /// Its identifier.
    pub id: PolicyEngineId,
    /// Whose it is and where.
    pub scope: Scope,
    /// Its name, unique in its scope.
    pub name: String,
    /// What people say about it.
    pub description: Option<String>,
    /// The KMS key that its policies are sealed under in the database; absent, they are not.
    #[serde(default)]
    pub kms_key: Option<Arn>,
    /// Where it is in its life.
    pub status: PolicyStatus,
    /// Why it is there, when that needs saying.
    pub status_reasons: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, for optimistic concurrency.
    pub revision: i64,
}

/// One Cedar policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its identifier.
    pub id: PolicyId,
    /// The engine it is in.
    pub engine: PolicyEngineId,
    /// Whose it is and where.
    pub scope: Scope,
    /// Its name, unique in its scope.
    pub name: String,
    /// What people say about it.
    pub description: Option<String>,
    /// The statement as it was written. After a failed update this is the statement that was refused.
    pub statement: String,
    /// The statement that takes part in decisions: the last one that was found good.
    pub in_force: Option<String>,
    /// Which findings keep the statement from being in force.
    pub validation: PolicyValidation,
    /// Where it is in its life.
    pub status: PolicyStatus,
    /// Why it is there, when that needs saying.
    pub status_reasons: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, for optimistic concurrency.
    pub revision: i64,
}

/// Which findings keep a statement from being in force (API type `PolicyValidationMode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyValidation {
    /// All of them.
    #[default]
    FailOnAnyFindings,
    /// None: only the check against the schema counts.
    IgnoreAllFindings,
}
