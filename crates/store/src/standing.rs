//! Whether this process may speak for the database: it is current, or it is cut off.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a caller is told by a replica whose lease is over.
pub const CUT_OFF: &str = "This replica cannot reach its database, so what it knows may be out of date and no request is served. Try again, or \
     ask another replica";

/// No lease is needed: nobody else changes anything, or nobody would know.
const ALONE: u64 = u64::MAX;

/// Whether a process may serve what it knows, and whether the database can be asked.
pub struct Standing {
    began: Instant,
    /// Until when it is current, in milliseconds since `began`.
    until: AtomicU64,
    unreachable: AtomicBool,
}

impl Default for Standing {
    fn default() -> Self {
        Self { began: Instant::now(), until: AtomicU64::new(ALONE), unreachable: AtomicBool::new(false) }
    }
}

impl Standing {
    /// Whether what this process knows may be served: it has the database to itself, or its lease runs.
    #[must_use]
    pub fn is_current(&self) -> bool {
        let until = self.until.load(Ordering::Acquire);
        until == ALONE || self.since_began(Instant::now()) < until
    }

    /// Whether the database could not be reached when it was last tried.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.unreachable.load(Ordering::Acquire)
    }

    /// The lease runs until a moment.
    pub(crate) fn lasts_until(&self, until: Instant) {
        self.until.store(self.since_began(until), Ordering::Release);
    }

    /// The lease is over.
    pub(crate) fn lapse(&self) {
        self.until.store(0, Ordering::Release);
    }

    /// Notes whether the database was reached; gives whether that is news.
    pub(crate) fn reached(&self, reached: bool) -> bool {
        self.unreachable.swap(!reached, Ordering::AcqRel) == reached
    }

    fn since_began(&self, moment: Instant) -> u64 {
        let since: Duration = moment.saturating_duration_since(self.began);
        u64::try_from(since.as_millis()).unwrap_or(ALONE - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_current_while_its_lease_runs() {
        let standing = Standing::default();
        assert!(standing.is_current(), "nobody else is there");
        standing.lasts_until(Instant::now() + Duration::from_secs(60));
        assert!(standing.is_current());
        standing.lapse();
        assert!(!standing.is_current());
        standing.lasts_until(Instant::now());
        assert!(!standing.is_current());
    }

    #[test]
    fn what_changes_is_news() {
        let standing = Standing::default();
        assert!(!standing.reached(true) && !standing.is_cut_off());
        assert!(standing.reached(false) && standing.is_cut_off());
        assert!(!standing.reached(false));
        assert!(standing.reached(true) && !standing.is_cut_off());
    }
}
