//! Counting: so many in a time, and so many at once, for each name for itself.
//!
//! A rate is kept with the generic cell rate algorithm (ITU-T I.371): one moment for each name says when all that was
//! counted will have been paid for. A name whose moment is past and that holds nothing open is the same as one that was
//! never seen, so forgetting it loses nothing. That bounds what is remembered; while it is full, new names wait.
//!
//! Where there are other replicas, a request needs one that was taken of all of theirs (`lease.rs`, `share.rs`), and what
//! is counted here is what this replica alone would know if the others went.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use domain::{LimitEntry, Pace, Period, Rate, Taken, Timestamp};

use super::lease::{Ask, Leases, nanos};
use super::share::{Share, Spent};

/// The most names that one limit remembers.
const MOST: usize = 65_536;
/// How long to wait where the time is not known: for a connection to end, or for room.
pub(super) const A_WHILE: Duration = Duration::from_secs(1);

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
    requests: Option<Limited>,
    /// How many may be open at once.
    connections: Option<u64>,
}

/// How many requests are let through.
#[derive(Clone, Copy, Debug)]
enum Limited {
    Blocked,
    To(Pace),
}

impl Allowance {
    pub(super) fn of(entry: &LimitEntry) -> Self {
        // Connections are counted, and not in a time: the period of their rate says nothing.
        let connections = entry.connections.map(|most| most.rate.floor() as u64);
        Self { requests: entry.requests.map(Limited::of), connections }
    }

    /// So many requests, and nothing else.
    pub(super) fn of_requests(rate: Rate) -> Self {
        Self { requests: Some(Limited::of(rate)), connections: None }
    }
}

impl Limited {
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
        Self::To(Pace { interval, ahead: period.max(interval) })
    }
}

/// What was counted of one limit, and what is taken of it where others count, too.
#[derive(Clone)]
pub(super) struct Counts {
    counting: Arc<Counting>,
    leases: Leases,
}

/// What was counted of one limit.
pub(super) struct Counting {
    known: Mutex<Known>,
    /// What the limit is called at all replicas.
    tag: Name,
}

/// The same, for whoever must not keep it.
pub(super) struct WeakCounting(Weak<Counting>);

#[derive(Default)]
struct Known {
    counts: HashMap<Name, Count>,
    /// When it was last looked through for names to forget.
    swept: Option<Timestamp>,
}

/// What was counted of one name.
#[derive(Default)]
pub(super) struct Count {
    /// When all that was counted is paid for, in nanoseconds since the epoch.
    paid: i64,
    open: u64,
    /// What was taken of it, where others count, too.
    share: Option<Box<Share>>,
    /// Its pace, when it was counted last.
    pace: Option<Pace>,
}

/// Why a request was not counted.
pub(super) enum Uncounted {
    /// It is one too many; when another try is worth it, if it ever is.
    Throttled(Option<Duration>),
    /// One has to be taken first.
    Short(Name, Pace),
}

/// A request that was counted.
pub(super) struct Counted {
    name: Name,
    cost: i64,
    /// What it was taken with.
    batch: Option<i64>,
    holds: bool,
}

/// A request that is open. It is not any more when this is dropped.
pub(crate) struct Open {
    name: Name,
    counting: Arc<Counting>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.counting.change(&self.name, |count| count.open = count.open.saturating_sub(1));
    }
}

impl Counts {
    /// Counts of what is called so at all replicas.
    pub(super) fn new(tag: Name, leases: &Leases) -> Self {
        let counting = Arc::new(Counting { known: Mutex::default(), tag });
        leases.know(WeakCounting(Arc::downgrade(&counting)));
        Self { counting, leases: leases.clone() }
    }

    /// Counts one, or says why not.
    pub(super) fn add(
        &self,
        name: Name,
        allowance: &Allowance,
        now: Timestamp,
    ) -> Result<Counted, Uncounted> {
        let wait = |after| Err(Uncounted::Throttled(after));
        let pace = match allowance.requests {
            Some(Limited::Blocked) => return wait(None),
            Some(Limited::To(pace)) => Some(pace),
            None => None,
        };
        if allowance.connections == Some(0) {
            return wait(None);
        }
        let others = self.leases.shared_with(pace, now);
        let moment = nanos(now);
        let mut known = self.counting.known();
        if !known.counts.contains_key(&name) && known.counts.len() >= MOST {
            known.sweep(now, moment);
            if known.counts.len() >= MOST {
                tracing::warn!("A rate limit counts as many values as it can; new ones wait.");
                return wait(Some(A_WHILE));
            }
        }
        let count = known.counts.entry(name).or_default();
        // Each of several replicas has its part of what may be open, rounded up.
        let parts = others.map_or(1, |others| others as u64 + 1);
        if allowance.connections.is_some_and(|most| count.open >= most.div_ceil(parts)) {
            return wait(Some(A_WHILE));
        }
        let mut counted = Counted { name, cost: 0, batch: None, holds: allowance.connections.is_some() };
        if let Some(pace) = pace {
            count.pace = Some(pace);
            match others {
                None => count.pay(pace, moment).map_err(|over| Uncounted::Throttled(Some(over)))?,
                Some(_) => match count.share.get_or_insert_default().spend(moment) {
                    Spent::Given { batch, take_ahead } => {
                        counted.batch = Some(batch);
                        count.paid = count.paid.max(moment).saturating_add(pace.interval);
                        if take_ahead {
                            let counting = Arc::clone(&self.counting);
                            self.leases.take_ahead(Ask { counting, name, pace, done: None });
                        }
                    }
                    Spent::Wait(next) => return wait(Some(Pace::until(next, moment))),
                    Spent::Short => return Err(Uncounted::Short(name, pace)),
                },
            }
            counted.cost = pace.interval;
        }
        count.open += u64::from(counted.holds);
        Ok(counted)
    }

    /// Takes what a request lacks, and says whether that is worth another try.
    pub(super) async fn take(&self, name: Name, pace: Pace) -> bool {
        self.leases.take(&self.counting, name, pace).await
    }

    /// A request that was counted is not made.
    pub(super) fn take_back(&self, counted: &Counted) {
        self.counting.change(&counted.name, |count| {
            count.paid = count.paid.saturating_sub(counted.cost);
            count.open = count.open.saturating_sub(u64::from(counted.holds));
            if let (Some(share), Some(batch)) = (&mut count.share, counted.batch) {
                share.take_back(batch);
            }
        });
    }

    #[cfg(test)]
    pub(super) fn key(&self, name: &Name) -> String {
        self.counting.key(name)
    }

    /// What holds a request open, where that is counted.
    pub(super) fn hold(&self, counted: &Counted) -> Option<Open> {
        counted.holds.then(|| Open { name: counted.name, counting: Arc::clone(&self.counting) })
    }
}

impl Counting {
    /// What a name of this limit is called at all replicas.
    pub(super) fn key(&self, name: &Name) -> String {
        let mut hash = Context::new(&SHA256);
        hash.update(&self.tag);
        hash.update(name);
        hex::encode(hash.finish())
    }

    /// What was counted here and is not paid for.
    pub(super) fn owing(&self, moment: i64) -> Vec<(Name, Pace)> {
        let known = self.known();
        let owing = known.counts.iter().filter(|(_, count)| count.paid > moment);
        owing.filter_map(|(name, count)| Some((*name, count.pace?))).collect()
    }

    pub(super) fn change<T: Default>(&self, name: &Name, change: impl FnOnce(&mut Count) -> T) -> T {
        self.known().counts.get_mut(name).map(change).unwrap_or_default()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Whoever panicked with it left numbers that are each sound for themselves.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WeakCounting {
    pub(super) fn upgrade(&self) -> Option<Arc<Counting>> {
        self.0.upgrade()
    }

    pub(super) fn lives(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl Count {
    /// Counts one where nobody else does; how long it is too early, if it is.
    fn pay(&mut self, pace: Pace, moment: i64) -> Result<(), Duration> {
        // A clock that was set back does not make anybody wait longer than the limit does.
        self.paid = self.paid.clamp(moment, moment.saturating_add(pace.ahead));
        let paid = self.paid.saturating_add(pace.interval);
        let over = paid.saturating_sub(moment).saturating_sub(pace.ahead);
        // What arithmetic in whole nanoseconds leaves over is not held against anybody.
        if over > 0 {
            return Err(Pace::until(over, 0));
        }
        self.paid = paid;
        Ok(())
    }

    /// What was let through alone and those who came since do not know of, in nanoseconds; and how much more is needed than
    /// by those who wait.
    pub(super) fn wants(&self, pace: Pace, (replicas, arrivals): (usize, u64), moment: i64) -> (i64, u64) {
        let share = self.share.as_ref();
        let owes = share.is_none_or(|share| share.owes(arrivals));
        let owed = if owes { self.paid.saturating_sub(moment).max(0) } else { 0 };
        (owed, share.map_or(0, |share| share.demand(pace, replicas, moment)))
    }

    pub(super) fn taken(&mut self, taken: Taken, asked: (Pace, u64), arrivals: u64, moment: i64) {
        self.share.get_or_insert_default().taken(taken, asked, arrivals, moment);
    }

    pub(super) fn refused(&mut self, until: i64) {
        self.share.get_or_insert_default().refused(until);
    }

    pub(super) fn over(&mut self, pace: Pace, moment: i64) -> i64 {
        self.share.as_mut().map_or(0, |share| share.over(pace, moment))
    }
}

impl Known {
    /// Forgets the names that are as if they had never been seen; once a second at most, because it looks at all.
    fn sweep(&mut self, now: Timestamp, moment: i64) {
        if self.swept.is_some_and(|last| now.since(last) < A_WHILE && last <= now) {
            return;
        }
        self.swept = Some(now);
        self.counts.retain(|_, count| {
            let shared = count.share.as_ref().is_some_and(|share| !share.is_over(moment));
            count.open > 0 || count.paid > moment || shared
        });
    }
}
