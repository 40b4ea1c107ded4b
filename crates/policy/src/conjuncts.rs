//! A policy as the list of what must all hold for it to apply, each part put to Cedar's own evaluator.
//!
//! Scope and conditions are cut at the places where Cedar combines them by "and": `when { a && b }` and
//! `unless { a || b }` are two parts each. The parts are evaluated in the order in which Cedar evaluates them, so that all
//! of them hold exactly when the policy applies, and the first that does not is the reason why it does not.

use std::str::FromStr as _;
use std::sync::Arc;

use cedar_policy::pst::{
    ActionConstraint, BinaryOp, Clause, EntityOrSlot, Expr, Literal, PrincipalConstraint, ResourceConstraint,
    UnaryOp, Var,
};
use cedar_policy::{Entities, EvalResult, Expression, Request, eval_expression};

use crate::decide::describe;
use crate::reads::Reads;
use crate::statement::Statement;

/// Where in a policy something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `principal` in the scope.
    Principal,
    /// `action` in the scope.
    Action,
    /// `resource` in the scope.
    Resource,
    /// A condition: a part of a `when`, or the contrary of a part of an `unless`.
    Condition,
}

impl Part {
    /// The part in one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Action => "action",
            Self::Resource => "resource",
            Self::Condition => "condition",
        }
    }
}

/// Whether something holds for a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It fails to evaluate: what Cedar says, without values.
    Fails(String),
    /// Nobody asked, because what it reads of the call is not known.
    Unknown,
}

/// One part of a policy.
pub(crate) struct Conjunct {
    pub(crate) part: Part,
    pub(crate) expression: Arc<Expr>,
    compiled: Option<Expression>,
    /// Whether it reads arguments or the time.
    pub(crate) reads_context: bool,
}

impl Conjunct {
    fn new(part: Part, expression: Arc<Expr>) -> Self {
        let mut reads = Reads::default();
        reads.add(&expression);
        Self { part, compiled: compile(&expression), reads_context: !reads.is_empty(), expression }
    }

    /// Whether it holds.
    pub(crate) fn ask(&self, request: &Request, entities: &Entities) -> Holds {
        let Some(compiled) = &self.compiled else {
            return Holds::Fails("it cannot be evaluated by itself".to_owned());
        };
        match eval_expression(request, entities, compiled) {
            Ok(EvalResult::Bool(true)) => Holds::Yes,
            Ok(EvalResult::Bool(false)) => Holds::No,
            Ok(_) => Holds::Fails("a value has the wrong type".to_owned()),
            Err(error) => Holds::Fails(describe(&error)),
        }
    }
}

/// An expression for Cedar's evaluator.
pub(crate) fn compile(expression: &Expr) -> Option<Expression> {
    Expression::from_str(&expression.to_string()).ok()
}

/// What must all hold, in the order in which it is asked.
pub(crate) fn conjuncts(statement: &Statement) -> Vec<Conjunct> {
    let body = statement.body();
    let mut found = Vec::new();
    let scope = [
        (Part::Principal, principal(&body.principal)),
        (Part::Action, action(&body.action)),
        (Part::Resource, resource(&body.resource)),
    ];
    for (part, expression) in scope {
        found.extend(expression.map(|expression| Conjunct::new(part, Arc::new(expression))));
    }
    for clause in body.clauses() {
        match clause {
            Clause::When(expression) => flatten(expression, Wanted::True, &mut found),
            Clause::Unless(expression) => flatten(expression, Wanted::False, &mut found),
        }
    }
    found
}

/// What an expression has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    True,
    False,
}

impl Wanted {
    pub(crate) fn contrary(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
        }
    }
}

fn flatten(expression: &Arc<Expr>, wanted: Wanted, found: &mut Vec<Conjunct>) {
    match (&**expression, wanted) {
        (Expr::BinaryOp { op: BinaryOp::And, left, right }, Wanted::True)
        | (Expr::BinaryOp { op: BinaryOp::Or, left, right }, Wanted::False) => {
            flatten(left, wanted, found);
            flatten(right, wanted, found);
        }
        (Expr::UnaryOp { op: UnaryOp::Not, expr }, wanted) => flatten(expr, wanted.contrary(), found),
        (_, Wanted::True) => found.push(Conjunct::new(Part::Condition, Arc::clone(expression))),
        (_, Wanted::False) => {
            let contrary = Expr::UnaryOp { op: UnaryOp::Not, expr: Arc::clone(expression) };
            found.push(Conjunct::new(Part::Condition, Arc::new(contrary)));
        }
    }
}

fn principal(constraint: &PrincipalConstraint) -> Option<Expr> {
    match constraint {
        PrincipalConstraint::Any => None,
        PrincipalConstraint::Is(entity_type) => {
            Some(Expr::Is { expr: var(Var::Principal), entity_type: entity_type.clone(), in_expr: None })
        }
        PrincipalConstraint::Eq(entity) => Some(binary(BinaryOp::Eq, Var::Principal, entity_of(entity)?)),
        PrincipalConstraint::In(entity) => Some(binary(BinaryOp::In, Var::Principal, entity_of(entity)?)),
        PrincipalConstraint::IsIn(entity_type, entity) => Some(Expr::Is {
            expr: var(Var::Principal),
            entity_type: entity_type.clone(),
            in_expr: Some(Arc::new(entity_of(entity)?)),
        }),
    }
}

fn resource(constraint: &ResourceConstraint) -> Option<Expr> {
    match constraint {
        ResourceConstraint::Any => None,
        ResourceConstraint::Is(entity_type) => {
            Some(Expr::Is { expr: var(Var::Resource), entity_type: entity_type.clone(), in_expr: None })
        }
        ResourceConstraint::Eq(entity) => Some(binary(BinaryOp::Eq, Var::Resource, entity_of(entity)?)),
        ResourceConstraint::In(entity) => Some(binary(BinaryOp::In, Var::Resource, entity_of(entity)?)),
        ResourceConstraint::IsIn(entity_type, entity) => Some(Expr::Is {
            expr: var(Var::Resource),
            entity_type: entity_type.clone(),
            in_expr: Some(Arc::new(entity_of(entity)?)),
        }),
    }
}

fn action(constraint: &ActionConstraint) -> Option<Expr> {
    let literal = |uid: &cedar_policy::pst::EntityUID| Expr::Literal(Literal::EntityUID(uid.clone()));
    match constraint {
        ActionConstraint::Any => None,
        ActionConstraint::Eq(uid) => Some(binary(BinaryOp::Eq, Var::Action, literal(uid))),
        ActionConstraint::In(uids) => {
            let set = Expr::Set(uids.iter().map(|uid| Arc::new(literal(uid))).collect());
            Some(binary(BinaryOp::In, Var::Action, set))
        }
    }
}

fn entity_of(entity: &EntityOrSlot) -> Option<Expr> {
    match entity {
        EntityOrSlot::Entity(uid) => Some(Expr::Literal(Literal::EntityUID(uid.clone()))),
        // A template's slot, which the parser has refused.
        EntityOrSlot::Slot(_) => None,
    }
}

fn binary(op: BinaryOp, left: Var, right: Expr) -> Expr {
    Expr::BinaryOp { op, left: var(left), right: Arc::new(right) }
}

fn var(var: Var) -> Arc<Expr> {
    Arc::new(Expr::Var(var))
}
