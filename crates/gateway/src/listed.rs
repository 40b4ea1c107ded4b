//! What policies let a caller see of a gateway's tools, as the span of a list tells it. Lists may be long: so many names are
//! told of either kind, in the catalogue's order. Whoever reads spans learns of tools that the caller does not.

use domain::PolicyMode;
use telemetry::{Attributes, Value};

use crate::snapshot::{Gate, Guard, Visible};

/// How many tools are told of either kind.
const MOST: usize = 100;

/// The tools that policies allow and deny to a caller.
#[derive(Clone)]
pub(crate) struct Listed {
    allowed: Vec<String>,
    denied: Vec<String>,
}

impl Listed {
    /// What a caller sees who sees this much. Nothing where no policies bind.
    pub(crate) fn of(gate: &Gate, visible: &Visible) -> Option<Self> {
        let Guard::Policies { mode: PolicyMode::Enforce, .. } = &gate.guard else { return None };
        let names = |seen: bool| {
            let tools = gate.catalogue.tools().iter().filter(|tool| visible.contains(tool.place) == seen);
            tools.take(MOST).map(|tool| tool.name.clone()).collect()
        };
        Some(Self { allowed: names(true), denied: names(false) })
    }

    pub(crate) fn attributes(&self) -> Attributes {
        vec![
            ("aws.agentcore.policy.allowed_tools", Value::Texts(self.allowed.clone())),
            ("aws.agentcore.policy.denied_tools", Value::Texts(self.denied.clone())),
        ]
    }
}
