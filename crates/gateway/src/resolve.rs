//! Fourth stage: which tool a name means. What it finds out is for `authorize` only.

use std::ops::Deref;

use crate::snapshot::{Gate, ToolEntry};

/// A tool.
pub(crate) enum Resolved<'g> {
    /// One that the gateway knows.
    Known(&'g ToolEntry),
    /// One of a server whose lists are read only when somebody asks for them.
    Unlisted(Box<ToolEntry>),
}

impl Deref for Resolved<'_> {
    type Target = ToolEntry;

    fn deref(&self) -> &ToolEntry {
        match self {
            Self::Known(tool) => tool,
            Self::Unlisted(tool) => tool,
        }
    }
}

/// The tool of this name, if the gateway offers it.
pub(crate) fn tool<'g>(gate: &'g Gate, name: &str) -> Option<Resolved<'g>> {
    match gate.catalogue.tool(name) {
        Some(tool) => Some(Resolved::Known(tool)),
        None => gate.catalogue.unlisted_tool(name).map(|tool| Resolved::Unlisted(Box::new(tool))),
    }
}
