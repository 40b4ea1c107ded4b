//! One policy statement, parsed: its scope in AgentCore's words, and what its conditions look at.

use std::collections::BTreeSet;

use cedar_policy::pst::{
    ActionConstraint, Clause, EntityOrSlot, EntityUID, Expr, PrincipalConstraint, ResourceConstraint,
    StaticPolicy, Template, Var,
};
use cedar_policy::{Policy, PolicyId, pst};

use crate::constant::constant;
use crate::names::{ACTION, CALL_TOOL, GATEWAY, MCP, PrincipalKind, target_of};
use crate::nesting;
use crate::problem::{Locator, Problem, ProblemKind};
use crate::reads::Reads;

/// What a policy does to the requests that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It permits them, if no policy forbids them.
    Permit,
    /// It forbids them, whatever other policies permit.
    Forbid,
}

impl Effect {
    /// The keyword of Cedar.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Forbid => "forbid",
        }
    }
}

/// A parsed statement.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) policy: Policy,
    pub(crate) effect: Effect,
    pub(crate) principals: Vec<PrincipalKind>,
    pub(crate) action: ActionScope,
    pub(crate) resource: ResourceScope,
    /// What the conditions read of the context.
    pub(crate) reads: Reads,
    /// Whether the conditions look at the action, beyond what the scope says of it.
    pub(crate) mentions_action: bool,
    /// Whether the conditions are the same for every request: `Some(true)` when they always hold.
    pub(crate) constant: Option<bool>,
    /// How deep the syntax tree is at most.
    pub(crate) depth: usize,
    body: Template,
}

/// Which actions a policy is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ActionScope {
    /// Every tool call: unconstrained, or `in` one of the built-in groups.
    EveryTool,
    /// `==` one action: a group is none, because no call is a call of a group.
    Is(String),
    /// `in` the named tools and targets.
    In(Vec<String>),
}

impl ActionScope {
    /// The names, as the policy wrote them.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::EveryTool => &[],
            Self::Is(name) => std::slice::from_ref(name),
            Self::In(names) => names,
        }
    }

    /// Whether a call of `tool` matches.
    pub(crate) fn may_match(&self, tool: &str) -> bool {
        match self {
            Self::EveryTool => true,
            Self::Is(name) => name == tool,
            Self::In(names) => {
                names.iter().any(|name| name == tool || target_of(tool) == Some(name.as_str()))
            }
        }
    }
}

/// Which gateways a policy is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceScope {
    /// `resource`, without a constraint.
    Any,
    /// `resource is AgentCore::Gateway`.
    AnyGateway,
    /// `resource == AgentCore::Gateway::"{arn}"`.
    Gateway(String),
    /// Something that can be no gateway, or a form that AgentCore does not know.
    Other,
}

impl ResourceScope {
    /// Whether a call to `gateway` may match.
    pub(crate) fn may_match(&self, gateway: &str) -> bool {
        match self {
            Self::Any | Self::AnyGateway => true,
            Self::Gateway(arn) => arn == gateway,
            Self::Other => false,
        }
    }
}

impl Statement {
    /// Parses exactly one static policy. The work needs a deep stack
    /// ([`nesting::on_a_deep_stack`]) unless the statement is known to be shallow.
    pub(crate) fn parse(id: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let locator = Locator::new(text);
        let depth = nesting::keep_shallow(text).map_err(|problem| vec![problem])?;
        let policy = Policy::parse(Some(PolicyId::new(id)), text)
            .map_err(|errors| errors.iter().map(|error| syntax(error, &locator)).collect::<Vec<_>>())?;
        let body = match policy.to_pst() {
            Ok(pst::Policy::Static(policy)) => policy.body().clone(),
            Ok(pst::Policy::Linked(_)) => return Err(vec![not_understood("it is linked to a template")]),
            Err(error) => return Err(vec![not_understood(&error.to_string())]),
        };
        Ok(Self::describe(policy, body, depth))
    }

    fn describe(policy: Policy, body: Template, depth: usize) -> Self {
        let mut reads = Reads::default();
        let mut mentioned = false;
        for clause in body.clauses() {
            let (Clause::When(expression) | Clause::Unless(expression)) = clause;
            reads.add(expression);
            mentioned |= mentions_action(expression);
        }
        Self {
            effect: match body.effect {
                pst::Effect::Permit => Effect::Permit,
                pst::Effect::Forbid => Effect::Forbid,
            },
            principals: PrincipalKind::ALL
                .into_iter()
                .filter(|kind| may_be(&body.principal, *kind))
                .collect(),
            action: action_scope(&body.action),
            resource: resource_scope(&body.resource),
            constant: constant(body.clauses()),
            reads,
            mentions_action: mentioned,
            depth,
            policy,
            body,
        }
    }

    /// The syntax tree.
    pub(crate) fn body(&self) -> &Template {
        &self.body
    }

    /// The policy without what an index has already answered: the action, the resource and, where it is only
    /// a type, the principal. Equal to the whole policy for every request that the index leads to it.
    pub(crate) fn without_answered_scope(&self) -> Result<Policy, pst::PstConstructionError> {
        self.with_effect(self.body.effect)
    }

    /// A permit that matches what this policy matches, answered scope aside: a question whether it applies.
    pub(crate) fn as_question(&self) -> Result<Policy, pst::PstConstructionError> {
        self.with_effect(pst::Effect::Permit)
    }

    fn with_effect(&self, effect: pst::Effect) -> Result<Policy, pst::PstConstructionError> {
        let principal = match &self.body.principal {
            PrincipalConstraint::Is(_) => PrincipalConstraint::Any,
            other => other.clone(),
        };
        let (action, resource) = (ActionConstraint::Any, ResourceConstraint::Any);
        let template = Template::new(self.body.id.clone(), effect, principal, action, resource)
            .try_with_clauses(self.body.clauses().iter().cloned())?;
        Policy::from_pst(pst::Policy::Static(StaticPolicy::try_from(template)?))
    }
}

/// Whether the scope leaves the principal unconstrained or constrains it to a type.
pub(crate) fn is_unconditional_principal(statement: &Statement) -> bool {
    matches!(statement.body.principal, PrincipalConstraint::Any | PrincipalConstraint::Is(_))
}

fn syntax(error: &cedar_policy::ParseError, locator: &Locator<'_>) -> Problem {
    let problem = Problem::from_cedar(ProblemKind::Syntax, &error.into(), locator);
    if problem.message.starts_with("unexpected token `permit`")
        || problem.message.starts_with("unexpected token `forbid`")
    {
        return problem
            .help("a policy is exactly one permit or forbid statement: make each statement a policy");
    }
    problem
}

fn not_understood(why: &str) -> Problem {
    Problem::new(ProblemKind::Syntax, format!("the statement was not understood: {why}"))
}

/// Whether a principal of this kind can match the scope. There are no groups of principals, so that `in` is
/// equality.
fn may_be(constraint: &PrincipalConstraint, kind: PrincipalKind) -> bool {
    let is = |uid: &EntityUID| uid.ty.to_string() == kind.entity_type();
    match constraint {
        PrincipalConstraint::Any => true,
        PrincipalConstraint::Is(entity_type) => entity_type.to_string() == kind.entity_type(),
        PrincipalConstraint::Eq(EntityOrSlot::Entity(uid))
        | PrincipalConstraint::In(EntityOrSlot::Entity(uid)) => is(uid),
        PrincipalConstraint::IsIn(entity_type, EntityOrSlot::Entity(uid)) => {
            entity_type.to_string() == kind.entity_type() && is(uid)
        }
        // A template's slot, which the parser has refused.
        _ => true,
    }
}

/// What is no `AgentCore::Action` is left out: no call is ever one.
fn action_scope(constraint: &ActionConstraint) -> ActionScope {
    let name = |uid: &EntityUID| (uid.ty.to_string() == ACTION).then(|| uid.eid.to_string());
    match constraint {
        ActionConstraint::Any => ActionScope::EveryTool,
        ActionConstraint::Eq(uid) => name(uid).map_or(ActionScope::In(Vec::new()), ActionScope::Is),
        ActionConstraint::In(uids) => {
            let names: BTreeSet<String> = uids.iter().filter_map(name).collect();
            if names.contains(MCP) || names.contains(CALL_TOOL) {
                ActionScope::EveryTool
            } else {
                ActionScope::In(names.into_iter().collect())
            }
        }
    }
}

fn resource_scope(constraint: &ResourceConstraint) -> ResourceScope {
    match constraint {
        ResourceConstraint::Any => ResourceScope::Any,
        ResourceConstraint::Is(entity_type) if entity_type.to_string() == GATEWAY => {
            ResourceScope::AnyGateway
        }
        // There are no groups of gateways, so that `in` is equality.
        ResourceConstraint::Eq(EntityOrSlot::Entity(uid))
        | ResourceConstraint::In(EntityOrSlot::Entity(uid))
            if uid.ty.to_string() == GATEWAY =>
        {
            ResourceScope::Gateway(uid.eid.to_string())
        }
        ResourceConstraint::IsIn(entity_type, EntityOrSlot::Entity(uid))
            if entity_type.to_string() == GATEWAY && uid.ty.to_string() == GATEWAY =>
        {
            ResourceScope::Gateway(uid.eid.to_string())
        }
        _ => ResourceScope::Other,
    }
}

fn mentions_action(expression: &Expr) -> bool {
    expression.reduce(
        &|part| match part {
            Expr::Var(found) => Some(*found == Var::Action),
            _ => None,
        },
        &|left, right| left || right,
        false,
    )
}
