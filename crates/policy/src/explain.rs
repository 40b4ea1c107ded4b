//! Why a caller may make a call, or may not: every policy with what of it holds and what does not.
//!
//! The decision is [`Engine::decide`]'s, and whether a part of a policy holds is what Cedar's evaluator says of that part
//! in the same request; nothing is decided a second time. A property test holds the two against each other: a permit
//! all of whose parts hold is a permit that decided, and the other way round.

use cedar_policy::pst::{BinaryOp, Expr, Literal, Var};
use cedar_policy::{Context, Entities, EvalResult, Request, eval_expression};
use domain::PolicyId;

use crate::conjuncts::{Conjunct, Holds, Part, compile};
use crate::decide::{Call, Decision};
use crate::engine::{Engine, Tool};
use crate::nesting::on_a_deep_stack;
use crate::principal::Principal;
use crate::remedy::{remedy, subject};
use crate::shown::shown;
use crate::source::{SHALLOW, Source};
use crate::statement::Effect;

/// How much of a value is shown, in characters.
const MAX_VALUE: usize = 300;

/// Why a call is allowed or denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// Whether the gateway has the tool.
    pub offered: bool,
    /// Whether the tool is in the caller's list: whether some call of it could be permitted, whatever its arguments and
    /// whenever.
    pub listed: bool,
    /// Every policy of the engine, in the order of their ids. None where the gateway has no such tool.
    pub accounts: Vec<Account>,
}

/// What one policy says to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The policy.
    pub policy: PolicyId,
    /// What it does where it applies.
    pub effect: Effect,
    /// Whether it applies.
    pub outcome: Holds,
    /// What must all hold for it to apply, in the order in which it is asked. None where it always applies.
    pub conditions: Vec<Condition>,
}

impl Account {
    /// How many of the conditions do not hold.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.conditions.iter().filter(|condition| condition.holds != Holds::Yes).count()
    }

    /// Whether the scope is about this kind of caller, this tool and this gateway.
    #[must_use]
    pub fn is_in_scope(&self) -> bool {
        self.conditions.iter().all(|it| it.part == Part::Condition || it.holds == Holds::Yes)
    }
}

/// One part of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Where it stands.
    pub part: Part,
    /// It, in Cedar's syntax.
    pub text: String,
    /// Whether it holds. A part that fails only because a part before it does not hold is unknown: nobody gets there.
    pub holds: Holds,
    /// What it asks about, and what that is in this call.
    pub seen: Vec<Seen>,
    /// What would have to be different, where it does not hold.
    pub remedy: Option<String>,
}

/// A fact of the call. It may hold what a caller's token says of a person: it is for that person, and for those who see
/// the token anyhow, and not for logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What it is, in words.
    pub what: String,
    /// Its value, in Cedar's syntax; `None` where there is none.
    pub value: Option<String>,
}

impl Engine {
    /// Explains what becomes of a call. It takes longer than the decision, and is no part of a call.
    #[must_use]
    pub fn explain(&self, principal: &Principal, call: &Call<'_>) -> Explanation {
        let here = || self.explain_here(principal, call);
        let explained = if self.depth <= SHALLOW { Some(here()) } else { on_a_deep_stack(here) };
        explained.unwrap_or_else(|| Explanation {
            decision: self.decide(principal, call),
            offered: self.tool(call.tool).is_some(),
            listed: false,
            accounts: Vec::new(),
        })
    }

    fn explain_here(&self, principal: &Principal, call: &Call<'_>) -> Explanation {
        let decision = self.decide(principal, call);
        let Some(tool) = self.tool(call.tool) else {
            return Explanation { decision, offered: false, listed: false, accounts: Vec::new() };
        };
        let mut accounts = Vec::new();
        let (context, candidates) = self.known_context(principal, tool, call);
        self.ask(principal, tool, context, true, |request, entities| {
            for (id, source) in &self.sources {
                let scene = Scene {
                    request,
                    entities,
                    // What other policies read of the context was not put into it.
                    context_is_known: candidates.contains(&id),
                };
                accounts.push(scene.account(id, source));
            }
        });
        Explanation { decision, offered: true, listed: self.lists(principal, call.tool), accounts }
    }

    /// The context of the call, and the policies that it was made for: none when there is no context.
    fn known_context<'e>(
        &'e self,
        principal: &Principal,
        tool: &'e Tool,
        call: &Call<'_>,
    ) -> (Context, Vec<&'e PolicyId>) {
        let candidates = tool.candidates(principal.kind());
        let context = match &candidates.plan {
            None => Ok(Context::empty()),
            Some(plan) => plan.context(call.arguments, call.now),
        };
        match context {
            Ok(context) => (context, self.candidates(&candidates.slice).map(|(id, _)| id).collect()),
            Err(_) => (Context::empty(), Vec::new()),
        }
    }
}

/// A call, before one policy.
pub(crate) struct Scene<'a> {
    pub(crate) request: &'a Request,
    pub(crate) entities: &'a Entities,
    pub(crate) context_is_known: bool,
}

impl Scene<'_> {
    fn account(&self, id: &PolicyId, source: &Source) -> Account {
        let conjuncts = source.conjuncts();
        let mut conditions = Vec::with_capacity(conjuncts.len());
        let mut outcome = Holds::Yes;
        for conjunct in conjuncts {
            let mut holds = self.holds(conjunct);
            if outcome == Holds::Yes {
                outcome = holds.clone();
            } else if matches!(holds, Holds::Fails(_)) {
                holds = Holds::Unknown;
            }
            conditions.push(self.condition(conjunct, holds));
        }
        Account { policy: id.clone(), effect: source.effect(), outcome, conditions }
    }

    /// Whether a part holds.
    pub(crate) fn holds(&self, conjunct: &Conjunct) -> Holds {
        if conjunct.reads_context && !self.context_is_known {
            return Holds::Unknown;
        }
        conjunct.ask(self.request, self.entities)
    }

    fn condition(&self, conjunct: &Conjunct, holds: Holds) -> Condition {
        let expression = &conjunct.expression;
        let mut observed = Vec::new();
        if !conjunct.reads_context || self.context_is_known {
            observe(expression, &mut observed);
        }
        Condition {
            part: conjunct.part,
            text: shown(expression),
            remedy: (holds != Holds::Yes).then(|| remedy(expression)),
            seen: observed.into_iter().map(|it| self.see(it)).collect(),
            holds,
        }
    }

    fn see(&self, expression: &Expr) -> Seen {
        let value = compile(expression)
            .and_then(|compiled| eval_expression(self.request, self.entities, &compiled).ok())
            .map(|value| value_text(&value));
        Seen { what: subject(expression), value }
    }
}

/// The parts of an expression that a call has values for, each once.
fn observe<'e>(expression: &'e Expr, found: &mut Vec<&'e Expr>) {
    match expression {
        Expr::Var(Var::Context) => {}
        expression if found.contains(&expression) => {}
        Expr::Var(_) | Expr::GetAttr { .. } | Expr::BinaryOp { op: BinaryOp::GetTag, .. } => {
            found.push(expression);
        }
        // Whether something is there is the answer itself.
        Expr::HasAttr { .. } | Expr::BinaryOp { op: BinaryOp::HasTag, .. } | Expr::Literal(_) => {}
        Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } => observe(expr, found),
        Expr::BinaryOp { left, right, .. } => {
            observe(left, found);
            observe(right, found);
        }
        Expr::Is { expr, in_expr, .. } => {
            observe(expr, found);
            in_expr.iter().for_each(|container| observe(container, found));
        }
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            for part in [cond, then_expr, else_expr] {
                observe(part, found);
            }
        }
        Expr::Set(elements) => elements.iter().for_each(|element| observe(element, found)),
        Expr::Record(attributes) => attributes.values().for_each(|value| observe(value, found)),
        _ => {}
    }
}

/// A value in Cedar's syntax, cut.
fn value_text(value: &EvalResult) -> String {
    let text = match value {
        EvalResult::String(text) => Expr::Literal(Literal::String(text.as_str().into())).to_string(),
        value => value.to_string(),
    };
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
