//! Decides a call of which not everything is known.
//!
//! Decisions of the past are judged again by other policies, and what was recorded of them may leave out the caller's
//! claims, the arguments, or both. Cedar's type-aware partial evaluation then says of each policy whether it applies in
//! any case, in none, fails in any case, or depends on what is not known; and this file puts that together as
//! [`Engine::decide`] would: a decision is certain only if that one decides so whatever the unknown is.
//!
//! One thing is taken for granted of unknown arguments: that they are what the tool's schema says. (A call whose
//! arguments are not is denied before a policy is asked.)

use std::collections::{BTreeMap, HashSet};

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Policy as PstPolicy};
use cedar_policy::{
    Context, Effect as CedarEffect, PartialEntities, PartialEntity, PartialRequest, PolicySet,
    RestrictedExpression, Schema,
};
use domain::{PolicyId, Timestamp};

use crate::decide::{Call, Decision, Reason};
use crate::engine::{Engine, Tool};
use crate::input::ContextPlan;
use crate::model::Model;
use crate::names::PrincipalKind;
use crate::nesting::on_a_deep_stack;
use crate::principal::Principal;
use crate::reads::Reads;
use crate::slice::Layer;

/// Syntax trees up to this depth are evaluated on the caller's stack.
const SHALLOW: usize = 32;

/// A caller, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub enum KnownCaller<'a> {
    /// With all its claims.
    Whole(&'a Principal),
    /// By name: the claims of an `OAuthUser` are not known, and an `IamEntity` has none.
    Named(PrincipalKind, &'a str),
}

/// A call, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct PartialCall<'a> {
    /// The tool's full name.
    pub tool: &'a str,
    /// Its arguments, the JSON text of an object; `None` when they are not known.
    pub arguments: Option<&'a str>,
    /// When it is made.
    pub now: Timestamp,
}

/// What the policies say to a call of which not everything is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartialDecision {
    /// The call is decided so, whatever is not known. Which policies determine the decision may be known in part.
    Certain(Decision),
    /// It depends.
    Depends(Depends),
}

/// What a decision depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Depends {
    /// The policies that may decide, in alphabetical order: all but those that are known not to apply.
    pub policies: Vec<PolicyId>,
    /// Whether it depends on the caller's claims.
    pub on_claims: bool,
    /// Whether it depends on the arguments.
    pub on_arguments: bool,
}

impl Engine {
    /// Decides a call as far as it is known.
    #[must_use]
    pub fn decide_partially(&self, caller: KnownCaller<'_>, call: &PartialCall<'_>) -> PartialDecision {
        if self.depth <= SHALLOW {
            return self.decide_partially_here(caller, call);
        }
        let everything = Depends { on_claims: true, on_arguments: true, ..Depends::default() };
        on_a_deep_stack(|| self.decide_partially_here(caller, call))
            .unwrap_or(PartialDecision::Depends(everything))
    }

    fn decide_partially_here(&self, caller: KnownCaller<'_>, call: &PartialCall<'_>) -> PartialDecision {
        let tagless;
        let caller = match caller {
            // There is nothing more to know.
            KnownCaller::Named(PrincipalKind::IamEntity, id) => {
                match Principal::named(PrincipalKind::IamEntity, id) {
                    Ok(principal) => {
                        tagless = principal;
                        KnownCaller::Whole(&tagless)
                    }
                    Err(_) => caller,
                }
            }
            caller => caller,
        };
        let kind = caller.kind();
        let denied = |reason| PartialDecision::Certain(Decision::deny(reason));
        let Some(tool) = self.tool(call.tool) else { return denied(Reason::DefaultDeny) };
        let candidates = tool.candidates(kind);
        if candidates.slice.layers.is_empty() {
            return denied(Reason::DefaultDeny);
        }
        if let Some(argument) = &candidates.unseen {
            return denied(Reason::Unseen(argument.clone()));
        }
        let reads_input = candidates.slice.reads().field("input").is_some();
        let arguments = call.arguments.or_else(|| (!reads_input).then_some("{}"));
        if let (KnownCaller::Whole(principal), Some(arguments)) = (caller, arguments) {
            let call = Call { tool: call.tool, arguments, now: call.now };
            return PartialDecision::Certain(self.decide(principal, &call));
        }
        if let (Some(plan), Some(arguments)) = (&candidates.plan, arguments)
            && let Err(error) = plan.context(arguments, call.now)
        {
            return denied(Reason::Arguments(error));
        }
        let context = arguments.and_then(|arguments| {
            let record = self.models.record(tool)?;
            ContextPlan::whole(record.clone()).context(arguments, call.now).ok()
        });
        let mut prospects = Prospects::default();
        for layer in &candidates.slice.layers {
            prospects.look(self, caller, tool, layer, context.as_ref(), call.now);
        }
        prospects.decision(caller, arguments)
    }
}

impl KnownCaller<'_> {
    fn kind(self) -> PrincipalKind {
        match self {
            Self::Whole(principal) => principal.kind(),
            Self::Named(kind, _) => kind,
        }
    }

    /// The caller and the gateway, as partial evaluation takes them.
    fn entities(self, engine: &Engine, model: &Model) -> Option<PartialEntities> {
        match self {
            Self::Whole(principal) => model.entities(principal, &engine.gateway),
            Self::Named(kind, id) => {
                let text = RestrictedExpression::new_string(id.to_owned());
                let attributes = BTreeMap::from([("id".into(), text)]);
                let none = || Some(HashSet::new());
                let caller =
                    PartialEntity::new(kind.uid(id), Some(attributes), none(), None, &model.schema).ok()?;
                let gateway = engine.gateway.clone();
                let gateway =
                    PartialEntity::new(gateway, Some(BTreeMap::new()), none(), None, &model.schema).ok()?;
                PartialEntities::from_partial_entities([caller, gateway], &model.schema).ok()
            }
        }
    }

    fn request(self, engine: &Engine, model: &Model, context: Option<Context>) -> Option<PartialRequest> {
        let uid = match self {
            Self::Whole(principal) => principal.uid.clone(),
            Self::Named(kind, id) => kind.uid(id),
        };
        model.request_by(uid, &engine.gateway, context)
    }
}

/// What is known of one policy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prospect {
    Applies,
    DoesNot,
    Fails,
    Open,
}

/// What is known of all policies that may apply, taken together.
#[derive(Default)]
struct Prospects {
    permits: Vec<PolicyId>,
    open_permits: Vec<PolicyId>,
    forbids: Vec<PolicyId>,
    failed_forbids: bool,
    open_forbids: Vec<PolicyId>,
    /// Whether what is open asks about tags; also where nobody knows what it asks.
    asks_tags: bool,
    asks_input: bool,
}

impl Prospects {
    fn look(
        &mut self,
        engine: &Engine,
        caller: KnownCaller<'_>,
        tool: &Tool,
        layer: &Layer,
        context: Option<&Context>,
        now: Timestamp,
    ) {
        let evaluated = || {
            let model = engine.models.for_layer(tool, layer.mentions_action)?;
            let entities = caller.entities(engine, model)?;
            let request = caller.request(engine, model, context.cloned())?;
            Some((model, entities, request))
        };
        match evaluated() {
            Some((model, entities, request)) => {
                let asked = Asked { engine, caller, tool, known: Asks::known(caller, context), now };
                self.evaluate(&asked, &layer.policies, (&request, &entities), &model.schema);
            }
            None => self.all_open(&layer.policies),
        }
    }

    fn evaluate(
        &mut self,
        asked: &Asked<'_>,
        policies: &PolicySet,
        (request, entities): (&PartialRequest, &PartialEntities),
        schema: &Schema,
    ) {
        match policies.tpe(request, entities, schema) {
            Ok(response) => {
                for residual in response.residual_policies() {
                    let (mut prospect, asks) = judge(&residual);
                    if prospect == Prospect::Open && asks.within(asked.known) {
                        // It depends on the time alone, which partial evaluation knows with the arguments or not at all.
                        prospect = asked.answer(&residual);
                    }
                    if prospect == Prospect::Open {
                        self.asks_tags |= asks.tags;
                        self.asks_input |= asks.input;
                    }
                    self.note(&residual, prospect);
                }
            }
            // Some policy does not fit the tools as they are now, and may do anything. The others still count.
            Err(_) if policies.num_of_policies() > 1 => {
                for policy in policies.policies() {
                    match PolicySet::from_policies([policy.clone()]) {
                        Ok(alone) => self.evaluate(asked, &alone, (request, entities), schema),
                        Err(_) => self.open(policy),
                    }
                }
            }
            Err(_) => self.all_open(policies),
        }
    }

    fn all_open(&mut self, policies: &PolicySet) {
        policies.policies().for_each(|policy| self.open(policy));
    }

    fn open(&mut self, policy: &cedar_policy::Policy) {
        (self.asks_tags, self.asks_input) = (true, true);
        self.note(policy, Prospect::Open);
    }

    fn note(&mut self, policy: &cedar_policy::Policy, prospect: Prospect) {
        let id = PolicyId::from_text(AsRef::<str>::as_ref(policy.id()));
        match (policy.effect(), prospect) {
            (_, Prospect::DoesNot) | (CedarEffect::Permit, Prospect::Fails) => {}
            (CedarEffect::Permit, Prospect::Applies) => self.permits.push(id),
            (CedarEffect::Permit, Prospect::Open) => self.open_permits.push(id),
            (CedarEffect::Forbid, Prospect::Applies) => self.forbids.push(id),
            (CedarEffect::Forbid, Prospect::Fails) => self.failed_forbids = true,
            (CedarEffect::Forbid, Prospect::Open) => self.open_forbids.push(id),
        }
    }

    fn decision(mut self, caller: KnownCaller<'_>, arguments: Option<&str>) -> PartialDecision {
        let certain = |allow, reason, mut determining: Vec<PolicyId>| {
            determining.sort_unstable();
            PartialDecision::Certain(Decision::by(allow, determining, reason))
        };
        if !self.forbids.is_empty() {
            return certain(false, Reason::ForbiddenBy, self.forbids);
        }
        if self.failed_forbids {
            return certain(false, Reason::ForbidFailed, Vec::new());
        }
        if self.permits.is_empty() && self.open_permits.is_empty() {
            return certain(false, Reason::DefaultDeny, Vec::new());
        }
        if self.open_forbids.is_empty() && !self.permits.is_empty() {
            return certain(true, Reason::PermittedBy, self.permits);
        }
        let mut policies = self.permits;
        policies.append(&mut self.open_permits);
        policies.append(&mut self.open_forbids);
        policies.sort_unstable();
        PartialDecision::Depends(Depends {
            policies,
            on_claims: self.asks_tags && matches!(caller, KnownCaller::Named(..)),
            on_arguments: self.asks_input && arguments.is_none(),
        })
    }
}

/// What an expression asks about.
#[derive(Clone, Copy, Default)]
struct Asks {
    tags: bool,
    input: bool,
}

impl Asks {
    fn known(caller: KnownCaller<'_>, context: Option<&Context>) -> Self {
        Self { tags: matches!(caller, KnownCaller::Whole(_)), input: context.is_some() }
    }

    fn within(self, known: Self) -> bool {
        (!self.tags || known.tags) && (!self.input || known.input)
    }
}

/// A call about which something is left to ask.
struct Asked<'a> {
    engine: &'a Engine,
    caller: KnownCaller<'a>,
    tool: &'a Tool,
    known: Asks,
    now: Timestamp,
}

impl Asked<'_> {
    /// Evaluates what is left of a policy, which asks about nothing that is not known.
    fn answer(&self, residual: &cedar_policy::Policy) -> Prospect {
        let named;
        let principal = match self.caller {
            KnownCaller::Whole(principal) => principal,
            KnownCaller::Named(kind, id) => match Principal::named(kind, id) {
                Ok(principal) => {
                    named = principal;
                    &named
                }
                Err(_) => return Prospect::Open,
            },
        };
        let alone = PolicySet::from_policies([residual.clone()]);
        let (Ok(alone), Ok(context)) = (alone, ContextPlan::time_alone().context("{}", self.now)) else {
            return Prospect::Open;
        };
        let mut prospect = Prospect::Open;
        self.engine.ask(principal, self.tool, context, true, |request, entities| {
            let response = self.engine.authorizer.is_authorized(request, &alone, entities);
            let diagnostics = response.diagnostics();
            prospect = if diagnostics.errors().next().is_some() {
                Prospect::Fails
            } else if diagnostics.reason().next().is_some() {
                Prospect::Applies
            } else {
                Prospect::DoesNot
            };
        });
        prospect
    }
}

/// What is left of a policy after partial evaluation, in one word; and what it asks about.
fn judge(residual: &cedar_policy::Policy) -> (Prospect, Asks) {
    let anything = (Prospect::Open, Asks { tags: true, input: true });
    let Ok(PstPolicy::Static(policy)) = residual.to_pst() else { return anything };
    let clauses = policy.body().clauses();
    let [Clause::When(expression)] = clauses.as_slice() else { return anything };
    match &**expression {
        Expr::Literal(Literal::Bool(true)) => (Prospect::Applies, Asks::default()),
        Expr::Literal(Literal::Bool(false)) => (Prospect::DoesNot, Asks::default()),
        Expr::ResidualError => (Prospect::Fails, Asks::default()),
        expression => {
            let mut reads = Reads::default();
            reads.add(expression);
            let input = reads.field("input").is_some();
            (Prospect::Open, Asks { tags: asks_tags(expression), input })
        }
    }
}

/// Whether an expression asks about tags. A kind of expression that a later Cedar brings may ask.
fn asks_tags(expression: &Expr) -> bool {
    match expression {
        Expr::BinaryOp { op: BinaryOp::HasTag | BinaryOp::GetTag, .. } => true,
        Expr::BinaryOp { left, right, .. } => asks_tags(left) || asks_tags(right),
        Expr::UnaryOp { expr, .. }
        | Expr::GetAttr { expr, .. }
        | Expr::HasAttr { expr, .. }
        | Expr::Like { expr, .. } => asks_tags(expr),
        Expr::Is { expr, in_expr, .. } => asks_tags(expr) || in_expr.as_ref().is_some_and(|it| asks_tags(it)),
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            asks_tags(cond) || asks_tags(then_expr) || asks_tags(else_expr)
        }
        Expr::Set(elements) => elements.iter().any(|element| asks_tags(element)),
        Expr::Record(attributes) => attributes.values().any(|value| asks_tags(value)),
        Expr::Literal(_) | Expr::Var(_) | Expr::ResidualError => false,
        _ => true,
    }
}
