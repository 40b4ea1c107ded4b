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
    /// Whether the statement in force binds.
    #[serde(default)]
    pub enforcement: PolicyEnforcement,
    /// Whether it was asked to bind, which is what the API shows. It differs from what is in force while an update is
    /// made, and after one that failed.
    #[serde(default)]
    pub asked_enforcement: PolicyEnforcement,
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

impl Policy {
    /// What may be known of it without its statement.
    #[must_use]
    pub fn summary(&self) -> PolicySummary {
        PolicySummary {
            id: self.id.clone(),
            engine: self.engine.clone(),
            scope: self.scope.clone(),
            name: self.name.clone(),
            enforcement: self.asked_enforcement,
            status: self.status,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// What may be known of a policy without its statement, and so without the key that the statement is sealed under
/// (API type `PolicySummary`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySummary {
    /// Its identifier.
    pub id: PolicyId,
    /// The engine it is in.
    pub engine: PolicyEngineId,
    /// Whose it is and where.
    pub scope: Scope,
    /// Its name, unique in its scope.
    pub name: String,
    /// Whether it was asked to bind.
    pub enforcement: PolicyEnforcement,
    /// Where it is in its life.
    pub status: PolicyStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
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

/// Whether a policy binds (API type `EnforcementMode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyEnforcement {
    /// It takes part in decisions.
    #[default]
    Active,
    /// It decides nothing; what would be decided with it is recorded.
    LogOnly,
}

impl PolicyEnforcement {
    /// The mode as the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::LogOnly => "LOG_ONLY",
        }
    }
}
