//! What a statement says of itself before any schema is asked: its scope, and whether it has conditions.
//!
//! For those who look at policies from outside of the crate, such as the analysis.

use crate::names::PrincipalKind;
use crate::nesting::on_a_deep_stack;
use crate::problem::{Problem, ProblemKind};
use crate::statement::{ActionScope, Effect, ResourceScope, Statement};

/// A statement's scope and the sort of its conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Whether it permits or forbids.
    pub effect: Effect,
    /// The kinds of caller that its scope lets through.
    pub principals: Vec<PrincipalKind>,
    /// The gateways that it is about.
    pub resource: ResourceScope,
    /// Whether conditions restrict it.
    pub conditions: Conditions,
    actions: ActionScope,
}

/// What is known of a statement's conditions by their text alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditions {
    /// They always hold, or there are none.
    Hold,
    /// They never hold.
    Fail,
    /// They depend on the request.
    Depend,
}

impl Outline {
    /// Reads a statement.
    ///
    /// # Errors
    /// What is wrong with it, when it is not exactly one static policy.
    pub fn read(statement: &str) -> Result<Self, Vec<Problem>> {
        on_a_deep_stack(|| Statement::parse("statement", statement).map(Self::of)).unwrap_or_else(|| {
            Err(vec![Problem::new(ProblemKind::Internal, "the statement could not be read")])
        })
    }

    fn of(statement: Statement) -> Self {
        Self {
            effect: statement.effect,
            principals: statement.principals,
            resource: statement.resource,
            conditions: match statement.constant {
                Some(true) => Conditions::Hold,
                Some(false) => Conditions::Fail,
                None => Conditions::Depend,
            },
            actions: statement.action,
        }
    }

    /// The tools and targets that the scope names; empty when it is about every tool.
    #[must_use]
    pub fn actions(&self) -> &[String] {
        self.actions.names()
    }

    /// Whether the scope lets a call of `tool` through.
    #[must_use]
    pub fn may_call(&self, tool: &str) -> bool {
        self.actions.may_match(tool)
    }

    /// Whether the scope lets a call to `gateway` through.
    #[must_use]
    pub fn may_reach(&self, gateway: &str) -> bool {
        self.resource.may_match(gateway)
    }

    /// Whether the scope is about every gateway.
    #[must_use]
    pub fn is_about_every_gateway(&self) -> bool {
        matches!(self.resource, ResourceScope::Any | ResourceScope::AnyGateway)
    }
}
