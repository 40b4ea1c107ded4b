//! What is kept of a decided call besides its audit event, where the operator asked for it: the claims that policies saw,
//! and the arguments. With it, `portcullis policy replay` can say what other policies would have decided.
//!
//! Nothing is copied while recording is off; the store seals what is handed over, on a thread of its own.

use std::sync::Arc;

use domain::{LONGEST_RECORDING, Recording, Timestamp};
use mcp::jsonrpc::CallParams;
use policy::Principal;
use serde_json::value::RawValue;

use crate::authenticate::Caller;
use crate::snapshot::{Gate, Guard};

/// What is recorded of calls that policies decide. Nothing by default.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    /// Whether the callers' claims are.
    pub claims: bool,
    /// Whether the arguments are.
    pub arguments: bool,
    /// The gateways, by id, whose calls are recorded; those of all gateways when there is none.
    pub gateways: Vec<String>,
}

impl Recorder {
    /// What is recorded of a call of a tool.
    pub(crate) fn call(
        &self,
        gate: &Gate,
        caller: &Caller,
        call: &CallParams<'_>,
        now: Timestamp,
    ) -> Option<Recording> {
        self.of(gate, caller, now, || Arc::from(call.arguments.map_or("{}", RawValue::get)))
    }

    /// What is recorded of a request to an HTTP target, which has no arguments.
    pub(crate) fn passage(&self, gate: &Gate, caller: &Caller, now: Timestamp) -> Option<Recording> {
        self.of(gate, caller, now, || Arc::from("{}"))
    }

    fn of(
        &self,
        gate: &Gate,
        caller: &Caller,
        now: Timestamp,
        arguments: impl FnOnce() -> Arc<str>,
    ) -> Option<Recording> {
        if !(self.claims || self.arguments) || matches!(gate.guard, Guard::Open) {
            return None;
        }
        if !self.gateways.is_empty() && !self.gateways.iter().any(|id| id == gate.gateway.id.as_str()) {
            return None;
        }
        let short = |text: &Arc<str>| text.len() <= LONGEST_RECORDING;
        let recording = Recording {
            decided_at: now,
            claims: self.claims.then(|| caller.claims_text()).flatten().filter(short),
            arguments: self.arguments.then(arguments).filter(short),
        };
        Some(recording).filter(|recording| !recording.is_empty())
    }
}

/// The claims of a caller as policies compare them; none for one that signs, about whom there is nothing to know but the
/// name.
pub(crate) fn claims_text(principal: &Principal) -> Option<Arc<str>> {
    if principal.kind() == policy::PrincipalKind::IamEntity {
        return None;
    }
    serde_json::to_string(&principal.tags()).ok().map(Arc::from)
}
