//! Fourth stage: which tool a name means. What it finds out is for `authorize` only.

use crate::snapshot::{Gate, ToolEntry};

/// The tool of this name, if the gateway offers it.
pub(crate) fn tool<'g>(gate: &'g Gate, name: &str) -> Option<&'g ToolEntry> {
    gate.catalogue.tool(name)
}
