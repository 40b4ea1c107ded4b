//! The statements that an engine was compiled from, kept as text and taken apart when somebody asks why.
//!
//! A decision does not need them. What is taken apart once is kept, so that the second question about a policy costs what
//! evaluating its parts costs.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use domain::PolicyId;

use crate::conjuncts::{Conjunct, conjuncts};
use crate::statement::{Effect, Statement};

/// Syntax trees up to this depth are taken apart on the caller's stack.
pub(crate) const SHALLOW: usize = 32;

/// All statements, by the ids of their policies.
pub(crate) type Sources = BTreeMap<PolicyId, Source>;

/// One statement.
pub(crate) struct Source {
    text: Box<str>,
    pub(crate) effect: Effect,
    depth: usize,
    conjuncts: OnceLock<Vec<Conjunct>>,
}

/// Without the parts: they are Cedar's.
impl std::fmt::Debug for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Source").field("text", &self.text).finish_non_exhaustive()
    }
}

impl Source {
    pub(crate) fn new(text: &str, statement: &Statement) -> Self {
        Self {
            text: text.into(),
            effect: statement.effect,
            depth: statement.depth,
            conjuncts: OnceLock::new(),
        }
    }

    /// Whether it can be taken apart on a stack of ordinary size.
    pub(crate) fn is_shallow(&self) -> bool {
        self.depth <= SHALLOW
    }

    /// It, as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Its parts.
    pub(crate) fn conjuncts(&self, id: &PolicyId) -> &[Conjunct] {
        self.conjuncts.get_or_init(|| {
            // It was parsed before, when the engine was compiled.
            Statement::parse(id.as_str(), &self.text)
                .map(|statement| conjuncts(&statement))
                .unwrap_or_default()
        })
    }
}
