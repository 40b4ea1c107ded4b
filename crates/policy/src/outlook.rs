//! What a caller could do with a tool, before anybody has said with which arguments and when.
//!
//! What depends on the caller alone is decided; what depends on the call is left, as Cedar's type-aware partial evaluation
//! leaves it: a condition on the call, in Cedar's syntax.

use cedar_policy::pst::{Clause, Expr, Policy as PstPolicy};
use cedar_policy::{Context, Decision, Policy, PolicySet};
use domain::PolicyId;

use crate::conjuncts::{Conjunct, Holds, Part};
use crate::engine::{Engine, Tool};
use crate::names::PrincipalKind;
use crate::nesting::on_a_deep_stack;
use crate::principal::Principal;
use crate::remedy::requirement;
use crate::shown::shown;
use crate::source::Source;
use crate::statement::{Effect, Statement};

/// What becomes of a caller's calls of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Every call is allowed.
    Allowed,
    /// It depends on the arguments or the time.
    Conditional,
    /// Every call is denied.
    Denied,
}

/// A tool before a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The tool's full name.
    pub tool: String,
    /// Whether it is in the caller's list. A tool that is not is denied. The list is made faster than this is found out, so
    /// that it may show a tool whose calls are all denied: by a permit that always fails to evaluate.
    pub listed: bool,
    /// What becomes of calls.
    pub access: Access,
    /// The policies that do or may apply.
    pub prospects: Vec<Prospect>,
}

/// A policy that applies to some or all calls of a tool by a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prospect {
    /// The policy.
    pub policy: PolicyId,
    /// What it does.
    pub effect: Effect,
    /// What is left to be decided, in Cedar's syntax; `None` where it applies to every call.
    pub condition: Option<String>,
}

/// A policy that is about a tool, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The policy.
    pub policy: PolicyId,
    /// What it does.
    pub effect: Effect,
    /// The kinds of caller that it can be about.
    pub principals: Vec<PrincipalKind>,
    /// What has to hold of the caller and the call, each in Cedar's syntax and in words.
    pub conditions: Vec<(String, String)>,
}

impl Engine {
    /// What a caller could do with each tool, in the order of [`Engine::tools`].
    #[must_use]
    pub fn outlooks(&self, principal: &Principal) -> Vec<Outlook> {
        let look = || {
            let tools = self.tools.iter().zip(self.visible(principal));
            tools.map(|(tool, listed)| self.outlook(principal, tool, listed)).collect()
        };
        on_a_deep_stack(look).unwrap_or_default()
    }

    /// The policies that are about a tool; none where there is no such tool.
    #[must_use]
    pub fn requirements(&self, tool: &str) -> Vec<Requirement> {
        let Some(tool) = self.tool(tool) else { return Vec::new() };
        let about = |id: &PolicyId| -> Vec<PrincipalKind> {
            let kinds = PrincipalKind::ALL.into_iter();
            kinds
                .filter(|kind| self.candidates(&tool.candidates(*kind).slice).any(|(other, _)| other == id))
                .collect()
        };
        let told = || {
            let all = self.sources.iter().map(|(id, source)| (id, source, about(id)));
            all.filter(|(.., principals)| !principals.is_empty())
                .map(|(id, source, principals)| {
                    // What the scope says of tool and gateway is known to whoever asks about them.
                    let asked = source
                        .conjuncts()
                        .iter()
                        .filter(|it| !matches!(it.part, Part::Action | Part::Resource));
                    let conditions = asked.map(|it| (shown(&it.expression), requirement(&it.expression)));
                    Requirement {
                        policy: id.clone(),
                        effect: source.effect(),
                        principals,
                        conditions: conditions.collect(),
                    }
                })
                .collect()
        };
        on_a_deep_stack(told).unwrap_or_default()
    }

    fn outlook(&self, principal: &Principal, tool: &Tool, listed: bool) -> Outlook {
        let candidates = tool.candidates(principal.kind());
        let mut prospects = Vec::new();
        for (id, source) in self.candidates(&candidates.slice) {
            match self.chance(principal, tool, id, source) {
                Chance::Never => {}
                Chance::Always => {
                    prospects.push(Prospect { policy: id.clone(), effect: source.effect(), condition: None });
                }
                Chance::Maybe(condition) => prospects.push(Prospect {
                    policy: id.clone(),
                    effect: source.effect(),
                    condition: Some(condition),
                }),
            }
        }
        let any = |effect, always: bool| {
            prospects.iter().any(|it: &Prospect| it.effect == effect && (!always || it.condition.is_none()))
        };
        let access =
            if candidates.unseen.is_some() || any(Effect::Forbid, true) || !any(Effect::Permit, false) {
                Access::Denied
            } else if any(Effect::Permit, true) && !any(Effect::Forbid, false) {
                Access::Allowed
            } else {
                Access::Conditional
            };
        Outlook { tool: tool.name.clone(), listed, access, prospects }
    }

    /// Whether a policy applies to calls of a tool by a caller.
    fn chance(&self, principal: &Principal, tool: &Tool, id: &PolicyId, source: &Source) -> Chance {
        let conjuncts = source.conjuncts();
        let reads = conjuncts.iter().any(|it| it.reads_context);
        let mut found = Chance::Always;
        if !reads {
            self.ask(principal, tool, Context::empty(), true, |request, entities| {
                let first = conjuncts.iter().map(|it| it.ask(request, entities)).find(|it| *it != Holds::Yes);
                found = match (first, source.effect()) {
                    (None, _) => Chance::Always,
                    // A forbid that fails denies.
                    (Some(Holds::Fails(_)), Effect::Forbid) => Chance::Always,
                    (Some(_), _) => Chance::Never,
                };
            });
            return found;
        }
        self.partial(principal, tool, id, source).unwrap_or_else(|| Chance::Maybe(all_of(conjuncts)))
    }

    /// What Cedar's partial evaluation leaves of a policy; `None` where it cannot say.
    fn partial(&self, principal: &Principal, tool: &Tool, id: &PolicyId, source: &Source) -> Option<Chance> {
        let statement = Statement::parse(id.as_str(), source.text()).ok()?;
        let question = PolicySet::from_policies([statement.as_question().ok()?]).ok()?;
        let model = self.models.of_tool(tool)?;
        let request = model.request(principal, &self.gateway)?;
        let entities = model.entities(principal, &self.gateway)?;
        let response = question.tpe(&request, &entities, &model.schema).ok()?;
        Some(match response.decision() {
            Some(Decision::Allow) => Chance::Always,
            Some(Decision::Deny) => Chance::Never,
            None => Chance::Maybe(response.residual_policies().find_map(|policy| condition_of(&policy))?),
        })
    }
}

enum Chance {
    Never,
    Maybe(String),
    Always,
}

/// The condition of a residual.
fn condition_of(policy: &Policy) -> Option<String> {
    let PstPolicy::Static(policy) = policy.to_pst().ok()? else { return None };
    let conditions = policy.body().clauses().iter().map(|clause| match clause {
        Clause::When(expression) => shown(without_true(expression)),
        Clause::Unless(expression) => format!("!({})", shown(expression)),
    });
    Some(conditions.collect::<Vec<_>>().join(" && "))
}

/// A residual ends with what was decided already.
fn without_true(expression: &Expr) -> &Expr {
    use cedar_policy::pst::{BinaryOp, Literal};
    match expression {
        Expr::BinaryOp { op: BinaryOp::And, left, right } => match (&**left, &**right) {
            (Expr::Literal(Literal::Bool(true)), other) | (other, Expr::Literal(Literal::Bool(true))) => {
                without_true(other)
            }
            _ => expression,
        },
        _ => expression,
    }
}

fn all_of(conjuncts: &[Conjunct]) -> String {
    let texts: Vec<String> = conjuncts.iter().map(|it| shown(&it.expression)).collect();
    texts.join(" && ")
}
