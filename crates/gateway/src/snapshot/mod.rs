//! The configuration that the data plane serves: immutable, and swapped whole.
//!
//! A [`Gate`] is one gateway, compiled: its tools by name, its policies, its role, its challenges. A request that has
//! begun finishes on the gate it began with.

mod catalogue;
mod gate;
mod guard;
mod loader;
mod plan;
mod reading;
mod visible;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use catalogue::{Catalogue, McpEntry, OfferEntry, TargetEntry, ToolEntry, UpstreamEntry, shown};
pub(crate) use credentials::RoleAccess;
pub(crate) use gate::{Gate, Guard, Rules};
pub use loader::Loader;
pub(crate) use plan::Plan;
pub(crate) use visible::Visible;

/// All gateways that are served.
#[derive(Default)]
pub struct Snapshot {
    gates: HashMap<String, Arc<Gate>>,
}

impl Snapshot {
    /// Every gateway that is served.
    pub(crate) fn gates(&self) -> impl Iterator<Item = &Arc<Gate>> {
        self.gates.values()
    }

    /// The gateway of this id, if it is served.
    pub(crate) fn gate(&self, id: &str) -> Option<&Arc<Gate>> {
        self.gates.get(id)
    }
}
