//! The permit that came nearest to a call that nothing permits: what the audit trail says of a plain denial.
//!
//! Nearest is the one with the fewest conditions that do not hold; among these the one with most that do. The work is
//! bounded, because whoever is denied can be denied often: a few candidates, those that name the tool first, and a few
//! conditions each; a policy is taken apart once and kept. What is told is for a log that others read: which condition,
//! by the names of claims and arguments and the operator. Values are left out, those of the call and those that the
//! policy compares with: a statement may be sealed in the database, and the audit trail is not.

use std::sync::Arc;

use cedar_policy::Context;
use cedar_policy::pst::{BinaryOp, EntityUID, Expr, Literal, PatternElem};
use domain::PolicyId;

use crate::conjuncts::Holds;
use crate::decide::Call;
use crate::engine::Engine;
use crate::explain::Scene;
use crate::principal::Principal;
use crate::shown::shown;
use crate::slice::Slice;
use crate::source::Source;
use crate::statement::Effect;

/// How many permits are looked at.
const MAX_PERMITS: usize = 8;
/// How many conditions of one permit are looked at; a permit with more is left out.
const MAX_CONDITIONS: usize = 24;
/// How long the condition may be that is told, in characters.
const MAX_TOLD: usize = 160;

/// A permit that did not apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// The policy.
    pub policy: PolicyId,
    /// How many of its conditions hold.
    pub held: usize,
    /// How many it has, its scope counted.
    pub of: usize,
    /// The first that does not hold, in Cedar's syntax with every value left out.
    pub condition: String,
}

impl Nearest {
    /// The sentence for the audit trail.
    #[must_use]
    pub fn audit_text(&self) -> String {
        let Self { policy, held, of, condition } = self;
        format!(
            "The nearest permit is {policy}: {held} of its {of} conditions hold, and this one does not: {condition}"
        )
    }
}

impl Engine {
    /// The permit that came nearest to this call; `None` where no permit is about the tool and this kind of caller, or
    /// where the arguments cannot be read.
    #[must_use]
    pub fn nearest_permit(&self, principal: &Principal, call: &Call<'_>) -> Option<Nearest> {
        let tool = self.tool(call.tool)?;
        let candidates = tool.candidates(principal.kind());
        let permits: Vec<(&PolicyId, &Source)> = self
            .candidates(&candidates.slice)
            .filter(|(_, source)| source.effect() == Effect::Permit && source.is_shallow())
            .take(MAX_PERMITS)
            .collect();
        if permits.is_empty() {
            return None;
        }
        let context = match &candidates.plan {
            None => Some(Context::empty()),
            Some(plan) => plan.context(call.arguments, call.now).ok(),
        };
        let (context_is_known, context) = (context.is_some(), context.unwrap_or_else(Context::empty));
        let mut nearest: Option<(usize, Nearest)> = None;
        self.ask(principal, tool, context, true, |request, entities| {
            let scene = Scene { request, entities, context_is_known };
            for (id, source) in &permits {
                let Some((missing, found)) = scene.distance(id, source) else { continue };
                let is_nearer = nearest.as_ref().is_none_or(|(least, best)| {
                    missing < *least || (missing == *least && found.held > best.held)
                });
                if is_nearer {
                    nearest = Some((missing, found));
                }
            }
        });
        nearest.map(|(_, found)| found)
    }

    /// The policies of a slice with their statements, those first that name the tool itself. Within a layer they come in the
    /// order of their ids.
    pub(crate) fn candidates<'e>(
        &'e self,
        slice: &'e Slice,
    ) -> impl Iterator<Item = (&'e PolicyId, &'e Source)> {
        slice
            .layers
            .iter()
            .rev()
            .flat_map(|layer| layer.ids.iter())
            .filter_map(|id| self.sources.get_key_value(id).map(|(id, source)| (id, &**source)))
    }
}

impl Scene<'_> {
    /// How many conditions of a permit do not hold, and which is the first. `None` for a permit that applies, or has too many.
    fn distance(&self, id: &PolicyId, source: &Source) -> Option<(usize, Nearest)> {
        let conjuncts = source.conjuncts();
        if conjuncts.len() > MAX_CONDITIONS {
            return None;
        }
        let held: Vec<bool> = conjuncts.iter().map(|it| self.holds(it) == Holds::Yes).collect();
        let first = held.iter().position(|held| !held)?;
        let count = held.iter().filter(|held| **held).count();
        let condition = without_values(&conjuncts.get(first)?.expression);
        let found = Nearest { policy: id.clone(), held: count, of: conjuncts.len(), condition };
        Some((conjuncts.len() - count, found))
    }
}

/// What stands where a value stood.
const LEFT_OUT: &str = "...";

/// An expression in Cedar's syntax, with every value left out but names of claims and attributes.
fn without_values(expression: &Expr) -> String {
    let text = shown(&mask(expression)).replace(&format!("\"{LEFT_OUT}\""), LEFT_OUT);
    match text.char_indices().nth(MAX_TOLD) {
        Some((end, _)) => format!("{}{LEFT_OUT}", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn mask(expression: &Expr) -> Expr {
    let inner = |it: &Arc<Expr>| Arc::new(mask(it));
    match expression {
        Expr::Literal(Literal::EntityUID(uid)) => {
            Expr::Literal(Literal::EntityUID(EntityUID { ty: uid.ty.clone(), eid: LEFT_OUT.into() }))
        }
        Expr::Literal(Literal::Bool(_)) | Expr::Var(_) => expression.clone(),
        Expr::UnaryOp { op, expr } => Expr::UnaryOp { op: *op, expr: inner(expr) },
        // The name of a claim is no value.
        Expr::BinaryOp { op: op @ (BinaryOp::GetTag | BinaryOp::HasTag), left, right }
            if matches!(**right, Expr::Literal(_)) =>
        {
            Expr::BinaryOp { op: *op, left: inner(left), right: Arc::clone(right) }
        }
        Expr::BinaryOp { op, left, right } => {
            Expr::BinaryOp { op: *op, left: inner(left), right: inner(right) }
        }
        Expr::GetAttr { expr, attr } => Expr::GetAttr { expr: inner(expr), attr: attr.clone() },
        Expr::HasAttr { expr, attrs } => Expr::HasAttr { expr: inner(expr), attrs: attrs.clone() },
        Expr::Like { expr, .. } => {
            let pattern = LEFT_OUT.chars().map(PatternElem::Char).collect();
            Expr::Like { expr: inner(expr), pattern }
        }
        Expr::Is { expr, entity_type, in_expr } => Expr::Is {
            expr: inner(expr),
            entity_type: entity_type.clone(),
            in_expr: in_expr.as_ref().map(inner),
        },
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            Expr::IfThenElse { cond: inner(cond), then_expr: inner(then_expr), else_expr: inner(else_expr) }
        }
        // Texts, numbers, and whatever holds several of them.
        _ => Expr::Literal(Literal::String(LEFT_OUT.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conjuncts::conjuncts;
    use crate::statement::Statement;

    fn masked(condition: &str) -> String {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        let parts = conjuncts(&Statement::parse("p", &text).unwrap());
        let texts: Vec<String> = parts.iter().map(|part| without_values(&part.expression)).collect();
        texts.join(" ; ")
    }

    #[test]
    fn names_and_operators_stay_and_values_go() {
        for (condition, told) in [
            (r#"principal.getTag("scope") like "*secret*""#, r#"principal.getTag("scope") like ..."#),
            (
                r#"principal.hasTag("team") && context.input.amount < 4711"#,
                r#"principal.hasTag("team") ; context.input.amount < ..."#,
            ),
            (r#"context.input.to.city == "Ulm""#, "context.input.to.city == ..."),
            (r#"["a", "b"].contains(context.input.x)"#, "....contains(context.input.x)"),
            (
                r#"principal == AgentCore::OAuthUser::"ann@example.com""#,
                "principal == AgentCore::OAuthUser::...",
            ),
            (r#"context.input.d.lessThan(decimal("1.5"))"#, "context.input.d.lessThan(decimal(...))"),
            (r#"!(context.system.now > datetime("2026-01-01"))"#, "!(context.system.now > datetime(...))"),
        ] {
            assert_eq!(masked(condition), told, "{condition}");
        }
    }

    #[test]
    fn what_is_told_is_short() {
        let long: Vec<String> = (0..8)
            .map(|number| format!("context.input.argument_of_many_letters_{number} == {number}"))
            .collect();
        assert!(masked(&long.join(" || ")).chars().count() <= MAX_TOLD + LEFT_OUT.len());
    }
}
