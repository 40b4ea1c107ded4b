//! The statements that an engine was compiled from, parsed once and kept.
//!
//! A decision does not need them. They are for whoever asks why, and for the engine that comes after this one: most of its
//! policies are the same, and what is found out about one (its syntax tree, the forms in which it is asked, its parts) is
//! handed on and not found out again. So one more policy costs what it costs, however many there are.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use cedar_policy::Policy;
use domain::PolicyId;

use crate::conjuncts::{Conjunct, conjuncts};
use crate::problem::Problem;
use crate::statement::{Effect, Statement};

/// Syntax trees up to this depth are taken apart on the caller's stack.
pub(crate) const SHALLOW: usize = 32;

/// All statements, by the ids of their policies.
pub(crate) type Sources = BTreeMap<PolicyId, Arc<Source>>;

/// A policy in a form of Cedar's, or why it has none.
type Form = OnceLock<Result<Policy, String>>;

/// One statement.
pub(crate) struct Source {
    text: Box<str>,
    statement: Statement,
    rule: Form,
    question: Form,
    conjuncts: OnceLock<Vec<Conjunct>>,
}

/// Without the parts: they are Cedar's.
impl std::fmt::Debug for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Source").field("text", &self.text).finish_non_exhaustive()
    }
}

impl Source {
    /// Parses a statement. The work needs a deep stack, as [`Statement::parse`] does.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(id: &PolicyId, text: &str) -> Result<Self, Vec<Problem>> {
        Ok(Self {
            text: text.into(),
            statement: Statement::parse(id.as_str(), text)?,
            rule: OnceLock::new(),
            question: OnceLock::new(),
            conjuncts: OnceLock::new(),
        })
    }

    /// Whether it can be taken apart on a stack of ordinary size.
    pub(crate) fn is_shallow(&self) -> bool {
        self.statement.depth <= SHALLOW
    }

    /// It, as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// It, parsed.
    pub(crate) fn statement(&self) -> &Statement {
        &self.statement
    }

    /// What it does.
    pub(crate) fn effect(&self) -> Effect {
        self.statement.effect
    }

    /// [`Statement::without_answered_scope`].
    pub(crate) fn rule(&self) -> Result<&Policy, String> {
        let made = self
            .rule
            .get_or_init(|| self.statement.without_answered_scope().map_err(|error| error.to_string()));
        made.as_ref().map_err(String::clone)
    }

    /// [`Statement::as_question`].
    pub(crate) fn question(&self) -> Result<&Policy, String> {
        let made =
            self.question.get_or_init(|| self.statement.as_question().map_err(|error| error.to_string()));
        made.as_ref().map_err(String::clone)
    }

    /// Its parts.
    pub(crate) fn conjuncts(&self) -> &[Conjunct] {
        self.conjuncts.get_or_init(|| conjuncts(&self.statement))
    }
}
