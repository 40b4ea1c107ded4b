//! Policies that do not bind (`enforcementMode` `LOG_ONLY`): what each of them would do, if it were active.
//!
//! They are compiled apart from those that bind, so that no decision and no list can depend on them, and cost
//! nothing where there are none. Each is looked at by itself beside the active policies, not together with
//! the others that do not bind ("Test a policy in LOG_ONLY mode" in the AgentCore developer guide): whoever
//! promotes one wants to know what that one changes.

use domain::PolicyId;

use crate::decide::{Call, Decision, EvaluationError, Reason};
use crate::engine::{CompileError, Engine};
use crate::principal::Principal;
use crate::reason;
use crate::schema::GatewayTools;
use crate::slice::Purpose;

/// The policies that are watched for one gateway, compiled.
#[derive(Debug)]
pub struct Observer {
    engine: Engine,
}

/// What the watched policies say of one call. All lists are in alphabetical order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// The policies that match it (AWS's metric `LogOnlyMatches`).
    pub matched: Vec<PolicyId>,
    /// Those of them that would change the decision if they alone became active: a forbid of what is allowed, a
    /// permit of what is denied by default (`LogOnlyDecisionFlips`). A forbid that fails is among them, because
    /// one that is active denies what it cannot judge.
    pub flips: Vec<PolicyId>,
    /// The policies that could not be evaluated, and why (`LogOnlyEvalIncomplete`).
    pub errors: Vec<EvaluationError>,
}

impl Observation {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.matched.is_empty() && self.flips.is_empty() && self.errors.is_empty()
    }
}

impl Observer {
    /// Compiles the policies of an engine that do not bind, for the `gateway` that it is attached to.
    ///
    /// # Errors
    /// [`CompileError`] when a statement is not a policy. Nothing depends on the observer, so a gateway is to
    /// go on without one.
    pub fn compile<S: AsRef<str>>(
        gateway: &GatewayTools<'_>,
        policies: impl IntoIterator<Item = (PolicyId, S)>,
    ) -> Result<Self, CompileError> {
        Self::compile_after(None, gateway, policies)
    }

    /// The same, with what is known from a `former` observer, as [`Engine::compile_after`].
    ///
    /// # Errors
    /// As [`Observer::compile`].
    pub fn compile_after<S: AsRef<str>>(
        former: Option<&Self>,
        gateway: &GatewayTools<'_>,
        policies: impl IntoIterator<Item = (PolicyId, S)>,
    ) -> Result<Self, CompileError> {
        let former = former.map(|former| &former.engine);
        Engine::compile_for(Purpose::Observe, former, gateway, policies).map(|engine| Self { engine })
    }

    /// What the watched policies say of a call about which the active ones have made `decision`.
    #[must_use]
    pub fn observe(&self, principal: &Principal, call: &Call<'_>, decision: &Decision) -> Observation {
        let verdict = match self.engine.judge(principal, call) {
            Ok(verdict) => verdict,
            Err(Reason::DefaultDeny) => return Observation::default(),
            Err(reason) => return self.incomplete(principal, call, &reason),
        };
        let mut flips = Vec::new();
        if decision.allow {
            flips.extend(verdict.forbids.iter().chain(&verdict.failed_forbids).cloned());
        } else if decision.reason == Reason::DefaultDeny {
            flips.extend(verdict.permits.iter().cloned());
        }
        let mut matched = verdict.permits;
        matched.extend(verdict.forbids);
        Observation { matched, flips, errors: verdict.errors }.sorted()
    }

    /// Arguments that cannot be read leave open what any of the policies would have said.
    fn incomplete(&self, principal: &Principal, call: &Call<'_>, reason: &Reason) -> Observation {
        let layers = self.engine.tool(call.tool).map(|tool| &tool.candidates(principal.kind()).slice.layers);
        let message = reason::unreadable(reason).unwrap_or_default();
        let policies = layers.into_iter().flatten().flat_map(|layer| layer.effects.keys());
        let errors = policies.map(|id| EvaluationError {
            policy: PolicyId::from_text(AsRef::<str>::as_ref(id)),
            message: message.clone(),
        });
        Observation { errors: errors.collect(), ..Observation::default() }.sorted()
    }
}

impl Observation {
    fn sorted(mut self) -> Self {
        self.matched.sort_unstable();
        self.flips.sort_unstable();
        self.errors.sort_unstable_by(|left, right| left.policy.cmp(&right.policy));
        self
    }
}
