//! Counting: so many in a time, and so many at once, for each name for itself.
//!
//! A rate is kept with the generic cell rate algorithm (ITU-T I.371): one moment for each name says when all that was
//! counted will have been paid for. A name whose moment is past and that holds nothing open is the same as one that was
//! never seen, so forgetting it loses nothing. That bounds what is remembered; while it is full, new names wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use domain::{LimitEntry, Period, Rate, Timestamp};

/// The most names that one limit remembers.
const MOST: usize = 65_536;
/// How long to wait where the time is not known: for a connection to end, or for room.
const A_WHILE: Duration = Duration::from_secs(1);

/// What is counted for itself: a hash, so that its size is known.
pub(super) type Name = [u8; 32];

/// The name of a row with so many wildcards and these values.
pub(super) fn name<'a>(wild: usize, values: impl Iterator<Item = Option<&'a String>>) -> Name {
    let mut hash = Context::new(&SHA256);
    hash.update(&(wild as u64).to_be_bytes());
    for value in values {
        match value {
            Some(value) => {
                hash.update(&(value.len() as u64 + 1).to_be_bytes());
                hash.update(value.as_bytes());
            }
            None => hash.update(&0_u64.to_be_bytes()),
        }
    }
    hash.finish().as_ref().try_into().unwrap_or_default()
}

/// What a row allows.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    requests: Option<Pace>,
    /// How many may be open at once.
    connections: Option<u64>,
}

/// A rate, in nanoseconds.
#[derive(Clone, Copy, Debug)]
enum Pace {
    Blocked,
    Every {
        interval: i64,
        /// How far ahead of the present the moment may be.
        ahead: i64,
    },
}

impl Allowance {
    pub(super) fn of(entry: &LimitEntry) -> Self {
        // Connections are counted, and not in a time: the period of their rate says nothing.
        let connections = entry.connections.map(|most| most.rate.floor() as u64);
        Self { requests: entry.requests.map(Pace::of), connections }
    }

    /// So many requests, and nothing else.
    pub(super) fn of_requests(rate: Rate) -> Self {
        Self { requests: Some(Pace::of(rate)), connections: None }
    }
}

impl Pace {
    fn of(Rate { rate, period }: Rate) -> Self {
        let period = match period {
            Period::Second => 1_000_000_000_i64,
            Period::Minute => 60_000_000_000,
        };
        if rate <= 0.0 {
            return Self::Blocked;
        }
        let interval = ((period as f64 / rate) as i64).max(1);
        // A rate under one lets one through when nothing was counted.
        Self::Every { interval, ahead: period.max(interval) }
    }
}

/// What was counted of one limit.
#[derive(Clone, Default)]
pub(super) struct Counts(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    counts: HashMap<Name, Count>,
    /// When it was last looked through for names to forget.
    swept: Option<Timestamp>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    /// When all that was counted is paid for, in nanoseconds since the epoch.
    paid: i64,
    open: u64,
}

/// A request that was counted.
pub(super) struct Counted {
    name: Name,
    cost: i64,
    holds: bool,
}

/// A request that is open. It is not any more when this is dropped.
pub(crate) struct Open {
    name: Name,
    counts: Counts,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.counts.change(&self.name, |count| count.open = count.open.saturating_sub(1));
    }
}

impl Counts {
    /// Counts one, or says when another try is worth it.
    pub(super) fn add(
        &self,
        name: Name,
        allowance: &Allowance,
        now: Timestamp,
    ) -> Result<Counted, Option<Duration>> {
        if matches!(allowance.requests, Some(Pace::Blocked)) || allowance.connections == Some(0) {
            return Err(None);
        }
        let moment = now.millis().saturating_mul(1_000_000);
        let mut known = self.known();
        if !known.counts.contains_key(&name) && known.counts.len() >= MOST {
            known.sweep(now, moment);
            if known.counts.len() >= MOST {
                tracing::warn!("A rate limit counts as many values as it can; new ones wait.");
                return Err(Some(A_WHILE));
            }
        }
        let count = known.counts.entry(name).or_default();
        if allowance.connections.is_some_and(|most| count.open >= most) {
            return Err(Some(A_WHILE));
        }
        let mut cost = 0;
        if let Some(Pace::Every { interval, ahead }) = allowance.requests {
            // A clock that was set back does not make anybody wait longer than the limit does.
            count.paid = count.paid.clamp(moment, moment.saturating_add(ahead));
            let paid = count.paid.saturating_add(interval);
            let over = paid.saturating_sub(moment).saturating_sub(ahead);
            // What arithmetic in whole nanoseconds leaves over is not held against anybody.
            if over > 0 {
                return Err(Some(Duration::from_nanos(u64::try_from(over).unwrap_or(0))));
            }
            count.paid = paid;
            cost = interval;
        }
        let holds = allowance.connections.is_some();
        count.open += u64::from(holds);
        Ok(Counted { name, cost, holds })
    }

    /// A request that was counted is not made.
    pub(super) fn take_back(&self, counted: &Counted) {
        self.change(&counted.name, |count| {
            count.paid = count.paid.saturating_sub(counted.cost);
            count.open = count.open.saturating_sub(u64::from(counted.holds));
        });
    }

    /// What holds a request open, where that is counted.
    pub(super) fn hold(&self, counted: &Counted) -> Option<Open> {
        counted.holds.then(|| Open { name: counted.name, counts: self.clone() })
    }

    fn change(&self, name: &Name, change: impl FnOnce(&mut Count)) {
        if let Some(count) = self.known().counts.get_mut(name) {
            change(count);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Whoever panicked with it left numbers that are each sound for themselves.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Forgets the names that are as if they had never been seen; once a second at most, because it looks at all.
    fn sweep(&mut self, now: Timestamp, moment: i64) {
        if self.swept.is_some_and(|last| now.since(last) < A_WHILE && last <= now) {
            return;
        }
        self.swept = Some(now);
        self.counts.retain(|_, count| count.open > 0 || count.paid > moment);
    }
}
