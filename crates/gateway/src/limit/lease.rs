//! Rates where there are several replicas: what a replica lets through, it has taken from the database before, for a short
//! while, and for all who wait at once (`domain::Pace`).
//!
//! A replica that is the only one counts for itself and asks nobody. Whether it is the only one, it says and learns every
//! second; one that has not reached the database for three is not believed to be. Where nothing can be taken, nothing is
//! let through. What replicas tell each other of time is by the database's clock: their own may differ.
//!
//! The leases of `store::Replica` say the same of who is there, and not enough: they forget who is gone, and here it counts
//! for as long as a burst takes to be paid for; and who is alone must know it for certain, by the clock that rates count by.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Clock, Pace, Random, Taken, Timestamp};
use store::{OtherReplicas, RateAsk, Store, StoreError};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::count::{Count, Counting, Name, WeakCounting};

/// How often a replica says that it is there.
const EVERY: Duration = Duration::from_secs(1);
/// For how long that is believed.
const BELIEVED: Duration = Duration::from_secs(3);
/// How long the database may take; then nothing was had.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long nobody asks again after that.
const PAUSE: i64 = 500_000_000;
/// How often what is left over is looked for.
const LOOK: Duration = Duration::from_millis(50);
/// How many requests are taken for in one transaction, and how many may wait for the next ones.
const AT_ONCE: usize = 64;
const WAITING: usize = 1_024;

/// What this replica takes of rates that it keeps with others.
#[derive(Clone, Default)]
pub struct Leases(Option<Arc<Inner>>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    /// What this process is called among the others.
    replica: String,
    others: Others,
    /// How far the clock is ahead of the database's, in milliseconds, as it was when this replica last said that it is there.
    ahead: AtomicI64,
    asks: mpsc::Sender<Ask>,
    /// Whether this replica has said that it ends; held while it says anything, so that it says nothing after that.
    left: tokio::sync::Mutex<bool>,
    /// Everything that is counted here.
    counted: Mutex<Vec<WeakCounting>>,
}

/// Who else there is, as far as this replica knows.
#[derive(Default)]
struct Others {
    live: AtomicUsize,
    /// Until when that is certain, and since when there was nobody else; in milliseconds.
    certain_until: AtomicI64,
    alone_since: AtomicI64,
    /// How often somebody came where nobody was. What was counted alone is made known to all then.
    arrivals: AtomicU64,
}

/// A value of which something is wanted.
pub(super) struct Ask {
    pub(super) counting: Arc<Counting>,
    pub(super) name: Name,
    pub(super) pace: Pace,
    /// Told when it was asked for; nobody, where it is asked for ahead of need.
    pub(super) done: Option<oneshot::Sender<()>>,
}

/// What one value is asked for in one transaction.
struct Work {
    counting: Arc<Counting>,
    name: Name,
    pace: Pace,
    wanted: u64,
    refund: i64,
}

impl Leases {
    /// Begins to share rates with other replicas, where the database may have some. Without it, each process counts for
    /// itself, as it does alone.
    pub async fn start(store: &Store, clock: &Arc<dyn Clock>, random: &dyn Random, runtime: &Handle) -> Self {
        if !store.may_be_shared() {
            return Self::default();
        }
        let (asks, asked) = mpsc::channel(WAITING);
        let inner = Arc::new(Inner {
            store: store.clone(),
            clock: Arc::clone(clock),
            replica: domain::uuid(random),
            others: Others::default(),
            ahead: AtomicI64::new(0),
            asks,
            left: tokio::sync::Mutex::new(false),
            counted: Mutex::default(),
        });
        inner.sit().await;
        runtime.spawn(Arc::clone(&inner).sit_for_ever());
        runtime.spawn(Arc::clone(&inner).take_for_ever(asked));
        Self(Some(inner))
    }

    /// Says that this replica ends, so that the others need not wait to be told.
    pub async fn leave(&self) {
        let Some(inner) = &self.0 else { return };
        *inner.left.lock().await = true;
        let shared = inner.others.arrivals.load(Ordering::Relaxed) > 0;
        let now = inner.for_all(inner.clock.now());
        let left = inner.store.leave_rate_seat(&inner.replica, shared.then_some(now)).await;
        if let Err(error) = left {
            tracing::warn!(%error, "Other replicas cannot be told that this one ends.");
        }
    }

    /// How many others a rate of this pace is kept with; nobody, where this replica counts for itself. It does so when
    /// nobody else was there for as long as it takes to pay for a burst, so that all that others let through is paid for.
    pub(super) fn shared_with(&self, pace: Option<Pace>, now: Timestamp) -> Option<usize> {
        let others = &self.0.as_ref()?.others;
        let live = others.live.load(Ordering::Acquire);
        let since = others.alone_since.load(Ordering::Acquire);
        let burst = pace.map_or(0, |pace| pace.ahead / 1_000_000);
        let alone = live == 0
            && now.millis() < others.certain_until.load(Ordering::Acquire)
            && since.saturating_add(burst) <= now.millis();
        (!alone).then_some(live)
    }

    /// Remembers what is counted, so that it can be made known to whoever comes.
    pub(super) fn know(&self, counting: WeakCounting) {
        let Some(inner) = &self.0 else { return };
        let mut counted = inner.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.retain(WeakCounting::lives);
        counted.push(counting);
    }

    /// Takes what a request lacks, and waits for it. Answers whether it is worth another look.
    pub(super) async fn take(&self, counting: &Arc<Counting>, name: Name, pace: Pace) -> bool {
        let Some(inner) = &self.0 else { return false };
        let (done, asked) = oneshot::channel();
        let ask = Ask { counting: Arc::clone(counting), name, pace, done: Some(done) };
        let asking = async { inner.asks.send(ask).await.is_ok() && asked.await.is_ok() };
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or(false)
    }

    /// Takes more of what is used much, and waits for nothing.
    pub(super) fn take_ahead(&self, ask: Ask) {
        if let Some(inner) = &self.0 {
            // Where there is no room, those who need it ask for themselves.
            drop(inner.asks.try_send(ask));
        }
    }
}

impl Inner {
    async fn sit_for_ever(self: Arc<Self>) {
        loop {
            tokio::time::sleep(EVERY).await;
            self.sit().await;
        }
    }

    async fn sit(self: &Arc<Self>) {
        let left = self.left.lock().await;
        if *left {
            return;
        }
        let sitting = async {
            if let Some(time) = self.store.database_time().await? {
                let ahead = self.clock.now().millis().saturating_sub(time.millis());
                self.ahead.store(ahead, Ordering::Release);
            }
            let now = self.clock.now();
            let until = now.plus(BELIEVED);
            let knows = self.others.live.load(Ordering::Acquire);
            let place = (self.for_all(now), self.for_all(until));
            let found = self.store.keep_rate_seat(&self.replica, knows, place).await?;
            let here =
                |moment: Timestamp| Timestamp::from_millis(moment.millis().saturating_add(self.ahead()));
            Ok::<_, StoreError>((OtherReplicas { until: found.until.map(here), ..found }, until))
        };
        match tokio::time::timeout(PATIENCE, sitting).await {
            Ok(Ok((found, until))) => self.saw(found, until),
            Ok(Err(error)) => tracing::warn!(%error, "Other replicas cannot be asked about."),
            Err(_) => tracing::warn!("Other replicas cannot be asked about: the database does not answer."),
        }
    }

    /// How far this replica's clock is ahead of the one that all have in common, in milliseconds.
    fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Acquire)
    }

    /// A moment of this replica's clock by the one that all have in common.
    fn for_all(&self, moment: Timestamp) -> Timestamp {
        Timestamp::from_millis(moment.millis().saturating_sub(self.ahead()))
    }

    fn saw(self: &Arc<Self>, found: OtherReplicas, until: Timestamp) {
        let others = &self.others;
        others.alone_since.store(found.until.map_or(i64::MIN, Timestamp::millis), Ordering::Release);
        let before = others.live.swap(found.live, Ordering::AcqRel);
        others.certain_until.store(until.millis(), Ordering::Release);
        if before != found.live {
            tracing::info!(replicas = found.live + 1, "Rate limits are kept by so many replicas together.");
        }
        if before == 0 && found.live > 0 {
            others.arrivals.fetch_add(1, Ordering::AcqRel);
            // Beside: there may be much of it, and this replica has to say that it is there.
            tokio::spawn(Arc::clone(self).make_known());
        }
    }

    /// Hands over what was counted while nobody else was there.
    async fn make_known(self: Arc<Self>) {
        let counted: Vec<Arc<Counting>> = {
            let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            counted.iter().filter_map(WeakCounting::upgrade).collect()
        };
        let moment = nanos(self.clock.now());
        for counting in counted {
            for (name, pace) in counting.owing(moment) {
                let ask = Ask { counting: Arc::clone(&counting), name, pace, done: None };
                if self.asks.send(ask).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn take_for_ever(self: Arc<Self>, mut asked: mpsc::Receiver<Ask>) {
        let mut kept = Kept::default();
        loop {
            let mut asks = Vec::new();
            tokio::select! {
                got = asked.recv_many(&mut asks, AT_ONCE) => if got == 0 { return },
                () = tokio::time::sleep(LOOK), if !kept.0.is_empty() => {}
            }
            let moment = nanos(self.clock.now());
            let mut work = kept.over(moment);
            for ask in &asks {
                let work = work.entry(ask.counting.key(&ask.name)).or_insert_with(|| Work {
                    counting: Arc::clone(&ask.counting),
                    name: ask.name,
                    pace: ask.pace,
                    wanted: 0,
                    refund: 0,
                });
                work.wanted += u64::from(ask.done.is_some());
            }
            self.settle(work, moment, &mut kept).await;
            for done in asks.into_iter().filter_map(|ask| ask.done) {
                // Whoever waited may have gone meanwhile.
                let _ = done.send(());
            }
        }
    }

    /// Takes and gives back in one transaction, and tells those who count.
    async fn settle(&self, work: HashMap<String, Work>, moment: i64, kept: &mut Kept) {
        if work.is_empty() {
            return;
        }
        let arrivals = self.others.arrivals.load(Ordering::Acquire);
        let among = (self.others.live.load(Ordering::Acquire) + 1, arrivals);
        let asks: Vec<_> = work
            .iter()
            .map(|(key, work)| {
                let wants = |count: &mut Count| count.wants(work.pace, among, moment);
                let (owed, ahead) = work.counting.change(&work.name, wants);
                let wanted = work.wanted + ahead;
                RateAsk { name: key, pace: work.pace, wanted, refund: work.refund, owed }
            })
            .collect();
        let ahead = self.ahead().saturating_mul(1_000_000);
        let taking = self.store.take_rates(&asks, moment.saturating_sub(ahead));
        let taking = tokio::time::timeout(PATIENCE, taking);
        let unanswered = |_| Err(StoreError::Unavailable("it does not answer".to_owned()));
        match taking.await.unwrap_or_else(unanswered) {
            Ok(taken) => {
                for ((ask, work), taken) in asks.iter().zip(work.values()).zip(taken) {
                    let (paid, next) = (taken.paid.saturating_add(ahead), taken.next.saturating_add(ahead));
                    let taken = Taken { paid, next, ..taken };
                    let asked = (work.pace, ask.wanted);
                    work.counting.change(&work.name, |count| count.taken(taken, asked, arrivals, moment));
                    if taken.granted > 0 {
                        kept.add(ask.name, work, moment);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "Nothing can be taken of rate limits: what is not taken is not let through.");
                for work in work.values() {
                    work.counting.change(&work.name, |count| count.refused(moment.saturating_add(PAUSE)));
                }
            }
        }
    }
}

/// What was taken, by the moment at which what is left of it is given back.
#[derive(Default)]
struct Kept(BTreeMap<(i64, String), (Arc<Counting>, Name, Pace)>);

impl Kept {
    fn add(&mut self, key: &str, work: &Work, moment: i64) {
        let until = moment.saturating_add(work.pace.keeps());
        self.0.insert((until, key.to_owned()), (Arc::clone(&work.counting), work.name, work.pace));
    }

    /// What is to be given back now.
    fn over(&mut self, moment: i64) -> HashMap<String, Work> {
        let mut work: HashMap<String, Work> = HashMap::new();
        while let Some(entry) = self.0.first_entry().filter(|entry| entry.key().0 <= moment) {
            let ((_, key), (counting, name, pace)) = entry.remove_entry();
            let refund = counting.change(&name, |count| count.over(pace, moment));
            if refund > 0 {
                let work = work.entry(key).or_insert(Work { counting, name, pace, wanted: 0, refund: 0 });
                work.refund += refund;
            }
        }
        work
    }
}

/// A moment, as rates count.
pub(super) fn nanos(now: Timestamp) -> i64 {
    now.millis().saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use domain::{FixedClock, Period, Rate, SystemRandom};
    use store::MasterKey;

    use super::*;
    use crate::limit::count::{Allowance, Counts, Uncounted};

    const NAME: Name = [1; 32];
    const PACE: Pace = Pace { interval: 6_000_000_000, ahead: 60_000_000_000 };

    struct Replica {
        inner: Arc<Inner>,
        counts: Counts,
        clock: Arc<FixedClock>,
    }

    impl Replica {
        async fn new(url: &str, master: &MasterKey, clock: &Arc<FixedClock>) -> Self {
            let (asks, asked) = mpsc::channel(WAITING);
            let inner = Arc::new(Inner {
                store: Store::open(url, master, Arc::new(SystemRandom)).await.unwrap(),
                clock: Arc::<FixedClock>::clone(clock),
                replica: domain::uuid(&SystemRandom),
                others: Others::default(),
                ahead: AtomicI64::new(0),
                asks,
                left: tokio::sync::Mutex::new(false),
                counted: Mutex::default(),
            });
            tokio::spawn(Arc::clone(&inner).take_for_ever(asked));
            let counts = Counts::new([0; 32], &Leases(Some(Arc::clone(&inner))));
            Self { inner, counts, clock: Arc::clone(clock) }
        }

        /// How many of so many requests are let through, and whether anything was taken for them.
        async fn let_through(&self, requests: usize) -> (usize, bool) {
            let allowance = Allowance::of_requests(Rate { rate: 10.0, period: Period::Minute });
            let (mut through, mut took) = (0, false);
            for _ in 0..requests {
                loop {
                    match self.counts.add(NAME, &allowance, self.clock.now()) {
                        Ok(_) => through += 1,
                        Err(Uncounted::Short(name, pace)) => {
                            took = true;
                            assert!(self.counts.take(name, pace).await);
                            continue;
                        }
                        Err(Uncounted::Throttled(after)) => assert!(after.is_some()),
                    }
                    break;
                }
            }
            (through, took)
        }

        fn shares(&self) -> bool {
            let leases = Leases(Some(Arc::clone(&self.inner)));
            leases.shared_with(Some(PACE), self.clock.now()).is_some()
        }
    }

    /// Two replicas on one database, who do not know of each other.
    async fn two(folder: &tempfile::TempDir) -> [Replica; 2] {
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let master = MasterKey::generate(&SystemRandom);
        let clock = Arc::new(FixedClock::at(Timestamp::from_seconds(1_000_000)));
        [Replica::new(&url, &master, &clock).await, Replica::new(&url, &master, &clock).await]
    }

    #[tokio::test]
    async fn replicas_let_through_no_more_than_one_would() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = two(&folder).await;
        for replica in [&one, &other, &one] {
            replica.inner.sit().await;
        }
        let mut through = 0;
        for _ in 0..10 {
            through += one.let_through(1).await.0 + other.let_through(1).await.0;
        }
        assert_eq!(through, 10);
        one.clock.advance(Duration::from_secs(12));
        assert_eq!(one.let_through(5).await.0 + other.let_through(5).await.0, 2);
    }

    #[tokio::test]
    async fn one_that_is_alone_asks_nobody_and_hands_over_what_it_counted() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = two(&folder).await;
        assert!(one.shares(), "nothing is known of others yet");
        one.inner.sit().await;
        assert_eq!(one.let_through(6).await, (6, false));
        other.inner.sit().await;
        one.inner.sit().await;
        let key = one.counts.key(&NAME);
        let ask = RateAsk { name: &key, pace: PACE, wanted: 0, refund: 0, owed: 0 };
        let moment = nanos(one.clock.now());
        for look in 0.. {
            let known = one.inner.store.take_rates(&[ask], moment).await.unwrap();
            if known[0].paid > moment {
                break;
            }
            assert!(look < 500, "nobody was told");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(other.let_through(6).await, (4, true));
        assert_eq!(one.let_through(1).await.0, 0);
    }

    #[tokio::test]
    async fn one_that_left_is_not_said_to_be_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = two(&folder).await;
        for replica in [&other, &one] {
            replica.inner.sit().await;
        }
        let live = |replica: &Replica| replica.inner.others.live.load(Ordering::Acquire);
        assert_eq!(live(&one), 1);
        Leases(Some(Arc::clone(&other.inner))).leave().await;
        // A beat that was under way, or due.
        other.inner.sit().await;
        one.clock.advance(Duration::from_millis(1));
        one.inner.sit().await;
        assert_eq!(live(&one), 0);
    }

    #[tokio::test]
    async fn a_replica_counts_alone_when_all_that_others_let_through_is_paid_for() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = two(&folder).await;
        for replica in [&other, &one] {
            replica.inner.sit().await;
        }
        assert!(one.shares());
        // The other one is not heard of any more.
        for (seconds, shares) in [(4, true), (58, true), (2, false)] {
            one.clock.advance(Duration::from_secs(seconds));
            one.inner.sit().await;
            assert_eq!(one.shares(), shares);
        }
        // Nor is the database.
        one.clock.advance(BELIEVED);
        assert!(one.shares());
    }
}
