//! Whether this process may speak for the database: it is current, or it is cut off.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What a caller is told by a replica whose lease is over.
pub const CUT_OFF: &str = "This replica cannot reach its database, so what it knows may be out of date and no request is served. Try again, or \
     ask another replica";

/// No lease is needed: nobody else changes anything, or nobody would know.
const ALONE: u64 = u64::MAX;

/// Whether a process may serve what it knows, and whether the database can be asked.
pub struct Standing {
    /// Until when it is current, in milliseconds since the machine was started.
    until: AtomicU64,
    unreachable: AtomicBool,
}

impl Default for Standing {
    fn default() -> Self {
        Self { until: AtomicU64::new(ALONE), unreachable: AtomicBool::new(false) }
    }
}

impl Standing {
    /// Whether what this process knows may be served: it has the database to itself, or its lease runs.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.is_current_at(up)
    }

    /// The same at a moment, by how long the machine has been up then. A lease that was not needed costs no look at it.
    fn is_current_at(&self, moment: impl FnOnce() -> Duration) -> bool {
        let until = self.until.load(Ordering::Acquire);
        until == ALONE || millis(moment()) < until
    }

    /// Whether the database could not be reached when it was last tried.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.unreachable.load(Ordering::Acquire)
    }

    /// The lease runs until a moment, by how long the machine will have been [`up`].
    pub(crate) fn lasts_until(&self, until: Duration) {
        self.until.store(millis(until), Ordering::Release);
    }

    /// The lease is over.
    pub(crate) fn lapse(&self) {
        self.until.store(0, Ordering::Release);
    }

    /// Notes whether the database was reached; gives whether that is news.
    pub(crate) fn reached(&self, reached: bool) -> bool {
        self.unreachable.swap(!reached, Ordering::AcqRel) == reached
    }
}

#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
/// Elsewhere, this one goes on.
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// How long this machine has been up. The time while it was suspended counts, which `Instant` leaves out: others went on
/// meanwhile (Linux, `clock_gettime`: `CLOCK_BOOTTIME`).
pub(crate) fn up() -> Duration {
    let now = clock_gettime(CLOCK);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(ALONE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_current_while_its_lease_runs() {
        let standing = Standing::default();
        assert!(standing.is_current(), "nobody else is there");
        standing.lasts_until(up() + Duration::from_secs(60));
        assert!(standing.is_current());
        standing.lapse();
        assert!(!standing.is_current());
        standing.lasts_until(up());
        assert!(!standing.is_current());
    }

    #[test]
    fn a_lease_runs_while_the_machine_is_suspended() {
        let (standing, began) = (Standing::default(), up());
        standing.lasts_until(began + Duration::from_secs(4));
        for (seconds, is_current) in [(0, true), (3, true), (4, false), (3_600, false)] {
            assert_eq!(standing.is_current_at(|| began + Duration::from_secs(seconds)), is_current);
        }
        // The clock is that which counts suspended time: it is never behind the one that does not.
        let running = clock_gettime(ClockId::Monotonic);
        assert!(up().as_secs() >= running.tv_sec.unsigned_abs());
        assert_eq!(millis(Duration::MAX), ALONE - 1, "no lease is the one that nobody needs");
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
