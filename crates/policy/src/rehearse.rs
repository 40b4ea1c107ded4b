//! Tries other policies on calls of the past.
//!
//! A call is decided again by the candidate as far as it is known. Where that leaves the decision open, one thing may still
//! be known: when the policies that it hangs on are the same as those in force, then whatever is not known makes no
//! difference between the two.

use std::collections::HashMap;

use domain::PolicyId;

use crate::decide::Decision;
use crate::engine::{CompileError, Engine};
use crate::partial::{Depends, KnownCaller, PartialCall, PartialDecision};

/// A set of policies, compiled, with what each of them says.
#[derive(Debug)]
pub struct PolicySetOnTrial {
    engine: Engine,
    statements: HashMap<PolicyId, String>,
}

impl PolicySetOnTrial {
    /// Compiles the policies with `compile`, which knows the gateway and its tools.
    ///
    /// # Errors
    /// What `compile` says.
    pub fn new<E>(
        policies: Vec<(PolicyId, String)>,
        compile: impl FnOnce(&[(PolicyId, String)]) -> Result<Engine, E>,
    ) -> Result<Self, E> {
        let engine = compile(&policies)?;
        Ok(Self { engine, statements: policies.into_iter().collect() })
    }

    /// The same for a gateway whose tools are known.
    ///
    /// # Errors
    /// [`CompileError`] when a statement is not a policy.
    pub fn compile(
        gateway: &crate::GatewayTools<'_>,
        policies: Vec<(PolicyId, String)>,
    ) -> Result<Self, CompileError> {
        Self::new(policies, |policies| Engine::compile(gateway, policies.iter().cloned()))
    }

    /// What the policies of a list say, in alphabetical order.
    fn texts(&self, policies: &[PolicyId]) -> Vec<Option<&str>> {
        let text = |id| self.statements.get(id).map(String::as_str);
        let mut texts: Vec<_> = policies.iter().map(text).collect();
        texts.sort_unstable();
        texts
    }
}

/// What another set of policies makes of a call that was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// It is decided as it was.
    Same,
    /// The decision hangs on what was not recorded, and on the same policies as now: nothing changes.
    Unaffected,
    /// It was denied, and would be allowed.
    NewlyAllowed(Decision),
    /// It was allowed, and would be denied.
    NewlyDenied(Decision),
    /// Not enough of it was recorded.
    Undecidable(Depends),
    /// The gateway has no such tool any more, so that no policies would be asked.
    ToolGone,
}

/// A set of policies that is tried, beside those in force.
#[derive(Debug)]
pub struct Rehearsal {
    /// The policies in force; none where no engine is attached.
    pub present: Option<PolicySetOnTrial>,
    /// Those that are tried.
    pub candidate: PolicySetOnTrial,
}

impl Rehearsal {
    /// Decides a call of the past, as far as it is known, by the candidate. `allowed` is what was decided.
    #[must_use]
    pub fn replay(&self, caller: KnownCaller<'_>, call: &PartialCall<'_>, allowed: bool) -> Replayed {
        if self.candidate.engine.tool(call.tool).is_none() {
            return Replayed::ToolGone;
        }
        match (self.candidate.engine.decide_partially(caller, call), allowed) {
            (PartialDecision::Certain(decision), allowed) if decision.allow == allowed => Replayed::Same,
            (PartialDecision::Certain(decision), false) => Replayed::NewlyAllowed(decision),
            (PartialDecision::Certain(decision), true) => Replayed::NewlyDenied(decision),
            (PartialDecision::Depends(depends), _) if self.hangs_on_the_same(caller, call, &depends) => {
                Replayed::Unaffected
            }
            (PartialDecision::Depends(depends), _) => Replayed::Undecidable(depends),
        }
    }

    fn hangs_on_the_same(&self, caller: KnownCaller<'_>, call: &PartialCall<'_>, depends: &Depends) -> bool {
        let Some(present) = &self.present else { return false };
        match present.engine.decide_partially(caller, call) {
            PartialDecision::Depends(now) => {
                present.texts(&now.policies) == self.candidate.texts(&depends.policies)
            }
            PartialDecision::Certain(_) => false,
        }
    }
}
