//! Statements as the prover takes them.

use cedar_policy::{Policy, PolicyId, PolicySet};

use crate::undecided::Undecided;
use crate::{formula, identity};

/// A policy as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What the policy is called; unique within its set.
    pub id: String,
    /// One permit or forbid.
    pub text: String,
}

impl Statement {
    /// A statement with its name.
    #[must_use]
    pub fn new(id: impl Into<String>, text: impl Into<String>) -> Self {
        Self { id: id.into(), text: text.into() }
    }
}

/// Parses a set of statements. The work needs a deep stack.
pub(crate) fn parse(statements: &[Statement]) -> Result<PolicySet, Undecided> {
    let mut policies = PolicySet::new();
    for statement in statements {
        let invalid = |why: String| Undecided::Invalid(format!("policy `{}`: {why}", statement.id));
        policy::keep_shallow(&statement.text).map_err(|problem| invalid(problem.to_string()))?;
        let policy = Policy::parse(Some(PolicyId::new(&statement.id)), &statement.text)
            .map_err(|error| invalid(error.to_string()))?;
        formula::keep_small(&policy)?;
        policies.add(identity::by_name(policy)).map_err(|error| invalid(error.to_string()))?;
    }
    Ok(policies)
}
