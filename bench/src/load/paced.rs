//! The one who calls by the clock: so many calls a second are due, whether or not the ones before were answered.
//!
//! A call takes a kept connection that is free. Is none, it waits, and its wait counts; or it is given up after a while,
//! where more is offered than can be sent. What comes back is sorted into slots of time: right answers, refusals (429 and
//! 503), and everything that is neither.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::LocalSet;

use super::connection::Connection;
use super::histogram::Histogram;
use super::plan::Plan;
use crate::failure::Failure;
use crate::runtime;

/// What is to be called, and when.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Paced {
    /// What; its concurrency is how many connections there are.
    pub(crate) plan: Plan,
    /// How much, one after the other.
    pub(crate) phases: Vec<Stretch>,
    /// How long a slot is.
    pub(crate) slot_ms: u64,
    /// How long a call waits for a connection before it is given up; for ever, if it is not said.
    pub(crate) patience_ms: Option<u64>,
}

/// A time in which so much is due.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Stretch {
    pub(crate) per_second: f64,
    pub(crate) seconds: f64,
}

/// What came back in one slot.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Slot {
    /// Right answers.
    pub(crate) answers: u64,
    /// Half of them came within this many microseconds after they were due.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Refusals.
    pub(crate) refused: u64,
    pub(crate) refused_p50_us: f64,
    pub(crate) refused_p99_us: f64,
    /// What is neither.
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    /// Calls that were given up because no connection was free.
    pub(crate) unsent: u64,
}

/// Does what is said on standard input.
pub(crate) fn run() -> Result<(), Failure> {
    let paced: Paced = serde_json::from_reader(std::io::stdin())?;
    let slots = LocalSet::new().block_on(&runtime()?, drive(paced))?;
    Ok(serde_json::to_writer(std::io::stdout(), &slots)?)
}

async fn drive(paced: Paced) -> Result<Vec<Slot>, Failure> {
    let connections = paced.plan.concurrency;
    let shared = Rc::new(Shared {
        pace: RefCell::new(Pace::new(&paced, Instant::now())),
        seen: RefCell::default(),
        slot: Duration::from_millis(paced.slot_ms.max(1)),
        plan: paced.plan,
        began: Instant::now(),
    });
    let callers: Vec<_> =
        (0..connections).map(|number| tokio::task::spawn_local(call(Rc::clone(&shared), number))).collect();
    for caller in callers {
        caller.await.map_err(|error| Failure::of("a caller broke", error))?;
    }
    let seen = shared.seen.borrow();
    Ok(seen.iter().map(Seen::told).collect())
}

struct Shared {
    pace: RefCell<Pace>,
    seen: RefCell<Vec<Seen>>,
    slot: Duration,
    plan: Plan,
    began: Instant,
}

impl Shared {
    /// Notes something in the slot of now.
    fn note(&self, what: impl FnOnce(&mut Seen)) {
        let at = (self.began.elapsed().as_nanos() / self.slot.as_nanos()) as usize;
        let mut seen = self.seen.borrow_mut();
        if seen.len() <= at {
            seen.resize_with(at + 1, Seen::default);
        }
        if let Some(slot) = seen.get_mut(at) {
            what(slot);
        }
    }
}

/// One connection's calls.
async fn call(shared: Rc<Shared>, number: usize) {
    let mut ids = shared.plan.ids(number);
    let mut kept = None;
    loop {
        let (due, given_up) = shared.pace.borrow_mut().next(Instant::now());
        if given_up > 0 {
            shared.note(|seen| seen.unsent += given_up);
        }
        let Some(due) = due else { return };
        let now = Instant::now();
        let began = if due > now {
            tokio::time::sleep_until(due.into()).await;
            // The clock of the runtime wakes late by a millisecond; that is no wait of the call's.
            Instant::now()
        } else {
            due
        };
        let outcome = exchange(&shared.plan, &mut kept, ids.next().unwrap_or_default()).await;
        let took = began.elapsed();
        shared.note(|seen| match outcome {
            Ok(Came::Right) => seen.answered.record(took),
            Ok(Came::Refused) => seen.refused.record(took),
            Err(error) => {
                seen.errors += 1;
                seen.first_error.get_or_insert(error);
            }
        });
    }
}

enum Came {
    Right,
    Refused,
}

async fn exchange(plan: &Plan, kept: &mut Option<Connection>, id: u64) -> Result<Came, String> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(plan).await?,
    };
    let answer = connection.exchange(id).await?;
    let came = if matches!(answer.status, 429 | 503) {
        Came::Refused
    } else {
        plan.check(id, &answer)?;
        Came::Right
    };
    if !answer.closes {
        *kept = Some(connection);
    }
    Ok(came)
}

#[derive(Default)]
struct Seen {
    answered: Histogram,
    refused: Histogram,
    errors: u64,
    first_error: Option<String>,
    unsent: u64,
}

impl Seen {
    fn told(&self) -> Slot {
        let micros = |histogram: &Histogram, part| histogram.quantile(part).as_secs_f64() * 1e6;
        Slot {
            answers: self.answered.count(),
            p50_us: micros(&self.answered, 0.5),
            p99_us: micros(&self.answered, 0.99),
            refused: self.refused.count(),
            refused_p50_us: micros(&self.refused, 0.5),
            refused_p99_us: micros(&self.refused, 0.99),
            errors: self.errors,
            first_error: self.first_error.clone(),
            unsent: self.unsent,
        }
    }
}

/// When calls are due.
struct Pace {
    phases: Vec<Stretch>,
    patience: Option<Duration>,
    /// When the first of the phases that are left begins.
    begins: Instant,
    /// Which call of it is next.
    next: u64,
}

impl Pace {
    fn new(paced: &Paced, begins: Instant) -> Self {
        let phases = paced.phases.iter().rev().copied().collect();
        Self { phases, patience: paced.patience_ms.map(Duration::from_millis), begins, next: 0 }
    }

    /// When the next call is due, unless there is none any more; and how many before it are given up.
    fn next(&mut self, now: Instant) -> (Option<Instant>, u64) {
        let mut given_up = 0;
        while let Some(phase) = self.phases.last() {
            let last = (phase.per_second * phase.seconds) as u64;
            if let Some(patience) = self.patience {
                let late = now.saturating_duration_since(self.begins + patience).as_secs_f64();
                let first = ((late * phase.per_second) as u64).min(last);
                given_up += first.saturating_sub(self.next);
                self.next = self.next.max(first);
            }
            if self.next < last {
                let due = self.begins + Duration::from_secs_f64(self.next as f64 / phase.per_second);
                self.next += 1;
                return (Some(due), given_up);
            }
            self.begins += Duration::from_secs_f64(phase.seconds);
            self.next = 0;
            self.phases.pop();
        }
        (None, given_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(patience: Option<Duration>, begins: Instant) -> Pace {
        let phase = |per_second, seconds| Stretch { per_second, seconds };
        Pace { phases: vec![phase(100.0, 0.02), phase(10.0, 0.2)], patience, begins, next: 0 }
    }

    #[test]
    fn calls_are_due_by_the_clock_whatever_came_of_those_before() {
        let begins = Instant::now();
        let mut pace = pace(None, begins);
        let due: Vec<_> = std::iter::from_fn(|| pace.next(begins + Duration::from_secs(9)).0).collect();
        let due: Vec<_> = due.iter().map(|due| due.duration_since(begins).as_millis()).collect();
        assert_eq!(due, [0, 100, 200, 210]);
    }

    #[test]
    fn calls_that_find_no_connection_are_given_up_and_counted() {
        let begins = Instant::now();
        let mut pace = pace(Some(Duration::from_millis(5)), begins);
        assert_eq!(pace.next(begins), (Some(begins), 0));
        let late = begins + Duration::from_millis(206);
        assert_eq!(pace.next(late), (Some(begins + Duration::from_millis(200)), 1));
        assert_eq!(pace.next(begins + Duration::from_secs(1)), (None, 1));
    }
}
