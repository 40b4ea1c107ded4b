//! Policies that are valid and do what is hardly meant: they allow or deny everything, or nothing.
//!
//! Only what the structure of the policy decides exactly, so that an answer does not depend on a solver: a
//! policy without conditions and without a scope, and a policy whose conditions are false for every valid
//! request (by constants, or by types as Cedar's validator proves it). The kinds and the beginnings of the
//! texts are AgentCore's.

use crate::names::PrincipalKind;
use crate::schema_text::ANY_FUTURE_TOOLS;
use crate::statement::{ActionScope, Effect, ResourceScope, Statement, is_unconditional_principal};

/// AgentCore's kinds of finding (`FindingType` of the control plane).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// Every request is allowed.
    AllowAll,
    /// No request is allowed.
    AllowNone,
    /// Every request is denied.
    DenyAll,
    /// No request is denied.
    DenyNone,
}

impl FindingKind {
    /// The kind as the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowAll => "ALLOW_ALL",
            Self::AllowNone => "ALLOW_NONE",
            Self::DenyAll => "DENY_ALL",
            Self::DenyNone => "DENY_NONE",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// What the policy does, in AgentCore's words where they are known.
    pub message: String,
}

impl Finding {
    /// A policy without an effect: no request matches it.
    #[must_use]
    pub fn never_applies(effect: Effect) -> Self {
        let (kind, does) = match effect {
            Effect::Permit => (FindingKind::AllowNone, "allow"),
            Effect::Forbid => (FindingKind::DenyNone, "deny"),
        };
        let message =
            format!("Ineffective: the policy will {does} no request, because its conditions are never true");
        Self { kind, message }
    }

    /// A policy that every request of these callers matches, whatever the tool and the gateway.
    #[must_use]
    pub fn always_applies(effect: Effect, principal: PrincipalKind) -> Self {
        Self::applies_throughout(effect, principal.entity_type(), ANY_FUTURE_TOOLS, "gateway/*")
    }

    /// A policy that every request matches which its scope lets through: callers, tools and gateways as a
    /// person would name them.
    #[must_use]
    pub fn applies_throughout(effect: Effect, principal: &str, actions: &str, resource: &str) -> Self {
        let (kind, name, does) = match effect {
            Effect::Permit => (FindingKind::AllowAll, "Overly Permissive", "allow"),
            Effect::Forbid => (FindingKind::DenyAll, "Overly Restrictive", "deny"),
        };
        let message = format!(
            "{name}: Policy Engine will {does} every request for the specified principal ({principal}), action \
             ({actions}) and resource ({resource}) combination if the policy is added or updated"
        );
        Self { kind, message }
    }
}

/// Looks at a policy that fits its schema. `impossible` is the validator's proof that it never applies.
pub(crate) fn find(statement: &Statement, impossible: bool) -> Vec<Finding> {
    if impossible || statement.constant == Some(false) {
        return vec![Finding::never_applies(statement.effect)];
    }
    let unscoped = is_unconditional_principal(statement)
        && statement.action == ActionScope::EveryTool
        && matches!(statement.resource, ResourceScope::Any | ResourceScope::AnyGateway);
    if unscoped && statement.constant == Some(true) {
        let callers = statement.principals.iter();
        return callers.map(|kind| Finding::always_applies(statement.effect, *kind)).collect();
    }
    Vec::new()
}
