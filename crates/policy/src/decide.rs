//! Decides one call.
//!
//! Deny by default; a forbid wins; an error never allows. The last is stricter than Cedar, which skips a
//! policy that fails: here a *forbid* that fails denies, because nobody can say that it would not have
//! forbidden. A permit that fails permits nothing, in Cedar and here.

use cedar_policy::{AuthorizationError, Context, Entities, Request};
use domain::{PolicyId, Timestamp};

use crate::engine::{Engine, Tool};
use crate::input::ArgumentError;
use crate::principal::Principal;
use crate::slice::Layer;
use crate::statement::Effect;

/// A call of a tool.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The tool's full name, `{target}___{tool}`.
    pub tool: &'a str,
    /// Its arguments: the JSON text of an object. Read only where a policy asks about them.
    pub arguments: &'a str,
    /// When it is made (`context.system.now`).
    pub now: Timestamp,
}

/// What the policies say to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the call may be made.
    pub allow: bool,
    /// The policies that decided, in alphabetical order: the permits of an allowed call, the forbids of a
    /// forbidden one.
    pub determining: Vec<PolicyId>,
    /// The policies that failed to evaluate, and how.
    pub errors: Vec<EvaluationError>,
    /// Why.
    pub reason: Reason,
}

/// A policy that failed to evaluate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationError {
    /// The policy.
    pub policy: PolicyId,
    /// What Cedar says.
    pub message: String,
}

/// Why a call was allowed or denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A permit matches and no forbid does.
    PermittedBy,
    /// A forbid matches.
    ForbiddenBy,
    /// No policy matches, or the gateway has no such tool.
    DefaultDeny,
    /// A forbid could not be evaluated.
    ForbidFailed,
    /// A forbid asks about an argument that the tool's schema, changed since, hides from policies: this one.
    Unseen(String),
    /// An argument that a policy reads is not what the tool's schema says.
    Arguments(ArgumentError),
}

impl Engine {
    /// Decides a call.
    #[must_use]
    pub fn decide(&self, principal: &Principal, call: &Call<'_>) -> Decision {
        match self.judge(principal, call) {
            Ok(verdict) => verdict.decision(),
            Err(reason) => Decision::deny(reason),
        }
    }

    /// The place of a tool among the engine's, if all calls of it by this principal are decided alike: no policy that may
    /// apply to them reads what is asked or when.
    #[must_use]
    pub fn settled(&self, principal: &Principal, tool: &str) -> Option<usize> {
        let tool = self.tool(tool)?;
        tool.candidates(principal.kind()).plan.is_none().then_some(tool.position)
    }

    /// Evaluates the policies that may apply to a call, or says why they cannot be asked.
    pub(crate) fn judge(&self, principal: &Principal, call: &Call<'_>) -> Result<Verdict, Reason> {
        let tool = self.tool(call.tool).ok_or(Reason::DefaultDeny)?;
        let candidates = tool.candidates(principal.kind());
        if candidates.slice.layers.is_empty() {
            return Err(Reason::DefaultDeny);
        }
        if let Some(argument) = &candidates.unseen {
            return Err(Reason::Unseen(argument.clone()));
        }
        let context = match &candidates.plan {
            None => Context::empty(),
            Some(plan) => plan.context(call.arguments, call.now).map_err(Reason::Arguments)?,
        };
        let mut verdict = Verdict::default();
        self.ask(principal, tool, context, candidates.slice.mentions_action, |request, entities| {
            for layer in &candidates.slice.layers {
                verdict.add(self, layer, request, entities);
            }
        });
        Ok(verdict)
    }

    /// Makes the request and hands it out. Entities of the action are needed only where a condition asks for
    /// the groups that it is in.
    pub(crate) fn ask(
        &self,
        principal: &Principal,
        tool: &Tool,
        context: Context,
        mentions_action: bool,
        mut question: impl FnMut(&Request, &Entities),
    ) {
        // Without a schema to validate against, making a request cannot fail.
        let request =
            Request::new(principal.uid.clone(), tool.action.clone(), self.gateway.clone(), context, None);
        let Ok(request) = request else { return };
        if !mentions_action {
            return question(&request, &principal.entities);
        }
        // Adding the action to the caller cannot fail either; if it did, nobody would be asked.
        if let Ok(entities) = principal.entities.clone().add_entities([tool.entity.clone()], None) {
            question(&request, &entities);
        }
    }
}

/// What layers of policies say, taken together.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) permits: Vec<PolicyId>,
    pub(crate) forbids: Vec<PolicyId>,
    pub(crate) errors: Vec<EvaluationError>,
    /// The forbids among the policies that failed.
    pub(crate) failed_forbids: Vec<PolicyId>,
}

impl Verdict {
    /// What one layer says.
    pub(crate) fn of(engine: &Engine, layer: &Layer, request: &Request, entities: &Entities) -> Self {
        let mut verdict = Self::default();
        verdict.add(engine, layer, request, entities);
        verdict
    }

    /// Whether a forbid matches, or failed.
    pub(crate) fn forbids(&self) -> bool {
        !(self.failed_forbids.is_empty() && self.forbids.is_empty())
    }

    /// Whether a permit matches. Not known when a forbid does.
    pub(crate) fn permits(&self) -> bool {
        !self.permits.is_empty()
    }

    fn add(&mut self, engine: &Engine, layer: &Layer, request: &Request, entities: &Entities) {
        let response = engine.authorizer.is_authorized(request, &layer.policies, entities);
        let diagnostics = response.diagnostics();
        for id in diagnostics.reason() {
            // A response names its forbids if there are any, and its permits otherwise.
            let determining = match layer.effects.get(id) {
                Some(Effect::Permit) => &mut self.permits,
                Some(Effect::Forbid) | None => &mut self.forbids,
            };
            determining.push(PolicyId::from_text(AsRef::<str>::as_ref(id)));
        }
        for AuthorizationError::PolicyEvaluationError(error) in diagnostics.errors() {
            let id = error.policy_id();
            let policy = PolicyId::from_text(AsRef::<str>::as_ref(id));
            if layer.effects.get(id) != Some(&Effect::Permit) {
                self.failed_forbids.push(policy.clone());
            }
            self.errors.push(EvaluationError { policy, message: describe(error.inner()) });
        }
    }

    fn decision(self) -> Decision {
        let (allow, reason, mut determining) = if !self.forbids.is_empty() {
            (false, Reason::ForbiddenBy, self.forbids)
        } else if !self.failed_forbids.is_empty() {
            (false, Reason::ForbidFailed, Vec::new())
        } else if self.permits.is_empty() {
            (false, Reason::DefaultDeny, Vec::new())
        } else {
            (true, Reason::PermittedBy, self.permits)
        };
        determining.sort_unstable();
        let mut errors = self.errors;
        errors.sort_unstable_by(|left, right| left.policy.cmp(&right.policy));
        Decision { allow, determining, errors, reason }
    }
}

impl Decision {
    pub(crate) fn deny(reason: Reason) -> Self {
        Self::by(false, Vec::new(), reason)
    }

    pub(crate) fn by(allow: bool, determining: Vec<PolicyId>, reason: Reason) -> Self {
        Self { allow, determining, errors: Vec::new(), reason }
    }
}

/// What went wrong. Some of Cedar's messages repeat values, and an argument is not for the audit trail.
pub(crate) fn describe(error: &cedar_policy::EvaluationError) -> String {
    use cedar_policy::EvaluationError as Error;
    match error {
        Error::EntityAttrDoesNotExist(_) | Error::RecordAttrDoesNotExist(_) | Error::RecursionLimit(_) => {
            error.to_string()
        }
        Error::EntityDoesNotExist(_) => "an entity does not exist".to_owned(),
        Error::TypeError(_) => "a value has the wrong type".to_owned(),
        Error::IntegerOverflow(_) => "an integer overflowed".to_owned(),
        _ => "an extension function failed".to_owned(),
    }
}
