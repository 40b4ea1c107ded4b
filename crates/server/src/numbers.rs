//! Everything that is counted, for those who ask for it and for those to whom it is sent.

use std::sync::Arc;

use gateway::Lane;
use store::{AuditLog, Store};
use telemetry::{Family, Fetches, Kind, Namespace, Telemetry};

use crate::doors::Doors;
use crate::replica;
use crate::tls::Tls;

/// Where the numbers are.
#[derive(Clone)]
pub(crate) struct Numbers {
    pub(crate) lane: Lane,
    pub(crate) fetches: Fetches,
    pub(crate) audit: AuditLog,
    pub(crate) telemetry: Telemetry,
    pub(crate) doors: Arc<Doors>,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) store: Store,
}

impl Numbers {
    /// As they stand now.
    pub(crate) fn read(&self) -> Vec<Family> {
        let mut families = self.lane.metrics();
        families.push(self.lane.runtimes().requests());
        families.extend(self.fetches.families());
        families.extend(self.telemetry.families());
        families.extend(trail(&self.audit));
        families.extend(self.doors.families());
        families.extend(self.tls.iter().flat_map(|tls| tls.families()));
        families.extend(replica::numbers(self.store.standing()));
        families
    }
}

/// How the audit trail is.
fn trail(audit: &AuditLog) -> [Family; 2] {
    let family = |name, help, kind, number| Family::of_one(Namespace::Audit, name, help, kind, number);
    [
        family(
            "dropped_events_total",
            "Audit events that found no room while the trail failed",
            Kind::Counter,
            audit.dropped(),
        ),
        family(
            "failing",
            "Whether a part of the audit trail cannot be kept",
            Kind::Gauge,
            u64::from(audit.is_failing()),
        ),
    ]
}
