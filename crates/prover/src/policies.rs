//! Statements as the prover takes them.

use std::collections::BTreeSet;

use cedar_policy::{Policy, PolicyId, PolicySet};

use crate::failing::Weighed;
use crate::undecided::Undecided;
use crate::{failing, formula, identity};

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

    /// The policy, if it can become a formula at all. The work needs a deep stack.
    pub(crate) fn parse(&self) -> Result<Policy, Undecided> {
        policy::keep_shallow(&self.text).map_err(|problem| self.invalid(&problem))?;
        let policy = Policy::parse(Some(PolicyId::new(&self.id)), &self.text);
        let policy = policy.map_err(|error| self.invalid(&error))?;
        formula::keep_small(&policy)?;
        Ok(policy)
    }

    pub(crate) fn invalid(&self, why: &dyn std::fmt::Display) -> Undecided {
        Undecided::Invalid(format!("policy `{}`: {why}", self.id))
    }
}

/// Parses a set of statements into policies that Cedar decides as a gateway decides them. The work needs a deep stack.
pub(crate) fn parse(statements: &[Statement]) -> Result<PolicySet, Undecided> {
    let mut names = BTreeSet::new();
    let mut policies = Vec::with_capacity(statements.len());
    for statement in statements {
        if !names.insert(&statement.id) {
            return Err(statement.invalid(&"two policies have this name"));
        }
        policies.push(Weighed::of(identity::by_name(statement.parse()?))?);
    }
    failing::as_decided(&policies)
}
