//! How much one serving thread has taken on, and whether it takes more.
//!
//! A thread that is given more than it can serve makes everybody wait, and those who come last the longest. So each thread
//! looks how late it is: whatever becomes ready stands in one line, and what looks stands in it, too. A thread that is late
//! for longer than a moment takes on less, in the proportion in which it is late, and refuses at once what is beyond that;
//! when it is in time again, it takes more, a tenth at each look. [`FEWEST`] are always taken, so that a thread that refuses
//! some never lacks work, and one that is late because its machine is busy with other things refuses nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::configuration::Limits;
use crate::doors::{Cut, Doors};

/// How many requests at once a thread always takes.
const FEWEST: usize = 256;
/// How often a thread looks that has many requests, and one that has few.
const LOOKS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(100)];
/// How long a thread is found late, look by look, before it takes less.
const LASTING: Duration = Duration::from_millis(100);
/// Beyond this the bound is no bound any more.
const PLENTY: usize = 100_000;

/// What one thread has taken on.
pub(crate) struct Pressure {
    under_way: AtomicUsize,
    /// How many it takes at once, as late as it is.
    most: AtomicUsize,
    /// How late it was when it looked last, in milliseconds.
    late: AtomicU64,
}

impl Pressure {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            under_way: AtomicUsize::new(0),
            most: AtomicUsize::new(usize::MAX),
            late: AtomicU64::new(0),
        })
    }

    /// Takes a request on.
    ///
    /// # Errors
    /// Why it must be refused.
    pub(crate) fn take(self: &Arc<Self>, limits: &Limits) -> Result<Taken, Cut> {
        // Nobody else changes the numbers of a thread while it is here.
        let under_way = self.under_way.load(Ordering::Relaxed);
        if under_way >= limits.requests {
            return Err(Cut::Requests);
        }
        if under_way >= self.most.load(Ordering::Relaxed) {
            return Err(Cut::Late);
        }
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Ok(Taken(Arc::clone(self)))
    }

    /// How many requests are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// How late the thread was when it looked last, in milliseconds.
    pub(crate) fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    /// Looks, for ever; on the thread that it is about.
    pub(crate) async fn follow(self: Arc<Self>, doors: Arc<Doors>) {
        let mut since = None;
        loop {
            let [often, seldom] = LOOKS;
            let pause = if self.under_way() < FEWEST { seldom } else { often };
            let due = Instant::now() + pause;
            sleep_until(due).await;
            let now = Instant::now();
            let late = now.saturating_duration_since(due);
            let bound = doors.limits().wait;
            since = (late > bound).then(|| since.unwrap_or(now));
            let lasts = since.is_some_and(|since| now.saturating_duration_since(since) >= LASTING);
            self.look(late, bound, lasts);
        }
    }

    fn look(&self, late: Duration, bound: Duration, lasts: bool) {
        self.late.store(u64::try_from(late.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let (under_way, most) = (self.under_way(), self.most.load(Ordering::Relaxed));
        let most = if lasts {
            let part = bound.as_secs_f64() / late.as_secs_f64().max(f64::EPSILON);
            // No bound is lifted by this: `most` may be under what is under way.
            most.min((under_way as f64 * part.min(1.0)) as usize).max(FEWEST)
        } else if late > bound || most == usize::MAX {
            most
        } else {
            let more = most.max(under_way);
            if more > PLENTY { usize::MAX } else { more + more / 10 + 1 }
        };
        self.most.store(most, Ordering::Relaxed);
    }
}

/// A request that was taken on, until this is dropped.
pub(crate) struct Taken(Arc<Pressure>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_millis(50);

    fn filled(pressure: &Arc<Pressure>, limits: &Limits) -> Vec<Taken> {
        std::iter::from_fn(|| pressure.take(limits).ok()).take(1_000).collect()
    }

    #[test]
    fn a_thread_takes_what_it_may_and_no_more() {
        let limits = Limits { requests: 3, ..Limits::default() };
        let pressure = Pressure::new();
        let held = filled(&pressure, &limits);
        assert_eq!((held.len(), pressure.take(&limits).err()), (3, Some(Cut::Requests)));
        drop(held);
        assert_eq!(pressure.under_way(), 0);
    }

    #[test]
    fn a_late_thread_takes_less_and_then_more_again() {
        let (limits, pressure) = (Limits::default(), Pressure::new());
        let held = filled(&pressure, &limits);
        assert_eq!(held.len(), 1_000);
        // Late for a moment alone: nothing comes of it.
        pressure.look(2 * BOUND, BOUND, false);
        assert!(pressure.take(&limits).is_ok());
        pressure.look(2 * BOUND, BOUND, true);
        assert_eq!(pressure.take(&limits).err(), Some(Cut::Late));
        drop(held);
        assert_eq!(filled(&pressure, &limits).len(), 500);
        let looks = (1..1_000).find(|_| {
            pressure.look(Duration::ZERO, BOUND, false);
            pressure.most.load(Ordering::Relaxed) == usize::MAX
        });
        // Within a second at a look every ten milliseconds.
        assert!(looks.is_some_and(|looks| looks < 100), "{looks:?}");
    }

    #[test]
    fn some_are_always_taken() {
        let (limits, pressure) = (Limits::default(), Pressure::new());
        let held = filled(&pressure, &limits);
        for _ in 0..100 {
            pressure.look(Duration::from_secs(5), BOUND, true);
        }
        drop(held);
        assert_eq!(filled(&pressure, &limits).len(), FEWEST);
    }
}
