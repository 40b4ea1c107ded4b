//! Whether the audit trail can be kept, and what becomes of changes and events while it cannot.
//!
//! Whoever keeps a part of the trail says here when it fails and when it is well again. While a part fails, changes of the
//! control plane are refused where they are committed, unless the operator chose to go on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// What is done while the trail cannot be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFailing {
    /// Changes of the control plane are refused; events of the data plane wait in memory, and when there is no more room,
    /// requests are refused.
    #[default]
    RefuseControlChanges,
    /// Changes and requests are refused at once.
    RefuseTraffic,
    /// Nothing is refused; events of the data plane that find no room are dropped and counted.
    Drop,
}

/// How the parts of the trail are.
#[derive(Default)]
pub struct AuditHealth {
    chosen: OnceLock<WhenFailing>,
    ill: Mutex<BTreeMap<String, String>>,
    dropped: AtomicU64,
}

impl AuditHealth {
    /// Chooses what is done while the trail cannot be kept; the first choice counts.
    pub fn choose(&self, what: WhenFailing) {
        let _ = self.chosen.set(what);
    }

    /// What is done while the trail cannot be kept.
    #[must_use]
    pub fn when_failing(&self) -> WhenFailing {
        self.chosen.get().copied().unwrap_or_default()
    }

    /// A part fails: said aloud once, and again when the reason is another.
    pub fn ill(&self, part: &str, why: &str) {
        let mut ill = self.ill.lock().unwrap_or_else(PoisonError::into_inner);
        if ill.get(part).map(String::as_str) != Some(why) {
            ill.insert(part.to_owned(), why.to_owned());
            drop(ill);
            tracing::error!(audit.part = part, error = why, "A part of the audit trail cannot be kept.");
        }
    }

    /// A part is well.
    pub fn well(&self, part: &str) {
        let was_ill = self.ill.lock().unwrap_or_else(PoisonError::into_inner).remove(part).is_some();
        if was_ill {
            let dropped = self.dropped();
            tracing::info!(audit.part = part, dropped, "A part of the audit trail is kept again.");
        }
    }

    /// What fails and why; `None` while everything is well.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let ill = self.ill.lock().unwrap_or_else(PoisonError::into_inner);
        ill.values().next().cloned()
    }

    /// Why changes are refused now; `None` when they are not.
    #[must_use]
    pub fn refuses_changes(&self) -> Option<String> {
        if self.when_failing() == WhenFailing::Drop { None } else { self.trouble() }
    }

    /// So many events were dropped.
    pub fn count_dropped(&self, events: u64) {
        self.dropped.fetch_add(events, Ordering::Relaxed);
    }

    /// How many events were dropped since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
