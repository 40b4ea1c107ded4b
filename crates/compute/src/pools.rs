//! Who works, who is idle and who waits: the instances of every function and the callers in front of them.
//!
//! All of it is one value under one lock, held for less than a microsecond: nothing here starts, stops or
//! waits for anything. What is to be done comes back as [`Orders`]. Every caller that finds no idle instance
//! queues up, and instances are started for as many callers as wait for one; whichever instance becomes free
//! first, new or used, serves the first in the queue.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{Arn, Timestamp};
use tokio::sync::oneshot;

use crate::instance::Instance;
use crate::lease::Lease;
use crate::outcome::Fault;
use crate::{InvokeError, Launch, Settings};

/// What a waiting caller gets.
pub(crate) type Grant = Result<Lease, Refusal>;

/// Why a caller gets no instance.
pub(crate) enum Refusal {
    /// Something was missing to start one.
    Error(InvokeError),
    /// The function could not begin.
    Fault { fault: Fault, log: Vec<u8>, took: Duration },
}

/// The two kinds of time that decisions need.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    pub(crate) timestamp: Timestamp,
}

/// What must be done after the lock is released.
#[derive(Default)]
pub(crate) struct Orders {
    pub(crate) start: Vec<Start>,
    pub(crate) stop: Vec<Arc<Instance>>,
}

/// An instance to start.
pub(crate) struct Start {
    pub(crate) launch: Arc<Launch>,
    epoch: u64,
}

/// What a caller found.
pub(crate) enum Found {
    Idle(Lease),
    Queued(oneshot::Receiver<Grant>),
    Refused(InvokeError),
}

/// The instances of every function and the callers in front of them.
pub(crate) struct Pools {
    per_function: usize,
    total: usize,
    most_waiting: usize,
    max_wait: Duration,
    idle_timeout: Duration,
    /// The states of each function's versions, by its ARN: seldom more than one of each. A later state of one version
    /// says nothing about the others.
    functions: HashMap<String, Vec<Pool>>,
    /// How many instances there are, starting ones included.
    live: usize,
    waiting: usize,
    tickets: u64,
    closed: bool,
}

/// The instances of one state of one function.
struct Pool {
    launch: Arc<Launch>,
    /// Counts calls of `retire`: what was ordered before one does not live after it.
    epoch: u64,
    /// A later state has been seen: nothing is kept.
    superseded: bool,
    /// The last is the most recently used.
    idle: Vec<Idle>,
    members: Vec<Arc<Instance>>,
    starting: usize,
    queue: VecDeque<Waiter>,
}

struct Idle {
    instance: Arc<Instance>,
    since: Instant,
}

struct Waiter {
    ticket: u64,
    since: Instant,
    sender: oneshot::Sender<Grant>,
}

impl Pools {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            per_function: settings.max_instances_per_function.max(1),
            total: settings.max_instances.max(1),
            most_waiting: settings.max_waiting_per_function,
            max_wait: settings.max_wait,
            idle_timeout: settings.idle_timeout,
            functions: HashMap::new(),
            live: 0,
            waiting: 0,
            tickets: 0,
            closed: false,
        }
    }

    /// An idle instance, or a place in the queue.
    pub(crate) fn lease(&mut self, launch: &Arc<Launch>, now: Moment, orders: &mut Orders) -> Found {
        if self.closed {
            return Found::Refused(InvokeError::ShuttingDown);
        }
        if let Some(pool) = self.pool_of(launch) {
            while let Some(Idle { instance, .. }) = pool.idle.pop() {
                if instance.is_reusable(now.timestamp) && !instance.has_ended() {
                    return Found::Idle(Lease::of(instance));
                }
                orders.stop.push(instance);
            }
        }
        let most_waiting = self.most_waiting;
        let ticket = self.tickets;
        let pool = self.pool_for(launch, orders);
        pool.queue.retain(|waiter| !waiter.sender.is_closed());
        if pool.queue.len() >= most_waiting {
            return Found::Refused(InvokeError::TooManyRequests);
        }
        let (sender, receiver) = oneshot::channel();
        pool.queue.push_back(Waiter { ticket, since: now.instant, sender });
        self.tickets += 1;
        self.dismiss(orders);
        self.count_waiting();
        self.feed(orders);
        Found::Queued(receiver)
    }

    /// An instance has done its work, or was leased in vain.
    pub(crate) fn release(&mut self, instance: &Arc<Instance>, now: Moment, orders: &mut Orders) {
        let open = !self.closed;
        let Some(pool) = self.pool_of(&instance.launch) else {
            orders.stop.push(Arc::clone(instance));
            return;
        };
        if open && instance.is_reusable(now.timestamp) && !instance.has_ended() {
            if pool.hand_over(instance) {
                self.count_waiting();
                return;
            }
            if !pool.superseded {
                pool.idle.push(Idle { instance: Arc::clone(instance), since: now.instant });
                if self.waiting > 0 {
                    self.feed(orders);
                }
                return;
            }
        }
        orders.stop.push(Arc::clone(instance));
        self.dismiss(orders);
        self.feed(orders);
    }

    /// A start has succeeded: the instance serves at least one caller, if one still waits.
    pub(crate) fn started(
        &mut self,
        start: &Start,
        instance: &Arc<Instance>,
        now: Moment,
        orders: &mut Orders,
    ) {
        let open = !self.closed;
        let Some(pool) = self.pool_of(&start.launch) else {
            orders.stop.push(Arc::clone(instance));
            return;
        };
        pool.starting = pool.starting.saturating_sub(1);
        pool.members.push(Arc::clone(instance));
        if pool.epoch != start.epoch {
            instance.retire();
        }
        if open && pool.hand_over(instance) {
            self.count_waiting();
        } else {
            self.release(instance, now, orders);
        }
    }

    /// A start has failed, which the first in the queue hears.
    pub(crate) fn start_failed(&mut self, start: &Start, mut refusal: Refusal, orders: &mut Orders) {
        if let Some(pool) = self.pool_of(&start.launch) {
            pool.starting = pool.starting.saturating_sub(1);
            self.live = self.live.saturating_sub(1);
        }
        if let Some(pool) = self.pool_of(&start.launch) {
            while let Some(waiter) = pool.queue.pop_front() {
                match waiter.sender.send(Err(refusal)) {
                    Err(Err(unheard)) => refusal = unheard,
                    _ => break,
                }
            }
        }
        self.count_waiting();
        self.feed(orders);
        self.forget_empty();
    }

    /// An instance has ended.
    pub(crate) fn gone(&mut self, instance: &Arc<Instance>, orders: &mut Orders) {
        self.remove(instance);
        self.feed(orders);
        self.forget_empty();
    }

    /// Lets the instances of a function end: the idle ones now, the others after what they do.
    pub(crate) fn retire(&mut self, function: &Arn, orders: &mut Orders) {
        for pool in self.functions.get_mut(function.as_str()).into_iter().flatten() {
            pool.epoch += 1;
            for member in &pool.members {
                member.retire();
            }
            orders.stop.extend(pool.idle.drain(..).map(|idle| idle.instance));
        }
        self.dismiss(orders);
        self.feed(orders);
    }

    /// Ends what has been idle for too long or has old credentials, and sends away who has waited too long.
    pub(crate) fn sweep(&mut self, now: Moment, orders: &mut Orders) {
        for pool in self.functions.values_mut().flatten() {
            let idle_timeout = self.idle_timeout;
            pool.idle.retain(|idle| {
                let keep = now.instant.saturating_duration_since(idle.since) < idle_timeout
                    && idle.instance.is_reusable(now.timestamp);
                if !keep {
                    orders.stop.push(Arc::clone(&idle.instance));
                }
                keep
            });
            // Those for whom an instance is starting are served when it has started.
            let patient = pool.starting.min(pool.queue.len());
            let mut rest = pool.queue.split_off(patient);
            while let Some(waiter) = rest.pop_front() {
                if now.instant.saturating_duration_since(waiter.since) < self.max_wait {
                    rest.push_front(waiter);
                    break;
                }
                let _ = waiter.sender.send(Err(Refusal::Error(InvokeError::TooManyRequests)));
            }
            pool.queue.append(&mut rest);
        }
        self.dismiss(orders);
        self.count_waiting();
        self.feed(orders);
    }

    /// Takes no more callers, sends away those who wait, and ends what is idle.
    pub(crate) fn close(&mut self, orders: &mut Orders) {
        self.closed = true;
        for pool in self.functions.values_mut().flatten() {
            orders.stop.extend(pool.idle.drain(..).map(|idle| idle.instance));
            for waiter in pool.queue.drain(..) {
                let _ = waiter.sender.send(Err(Refusal::Error(InvokeError::ShuttingDown)));
            }
        }
        self.dismiss(orders);
        self.count_waiting();
    }

    /// How many callers wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether callers are still taken.
    pub(crate) fn is_open(&self) -> bool {
        !self.closed
    }

    /// Orders starts for callers for whom none is under way, in the order in which they came, as far as the
    /// limits allow. An instance that has long been idle makes room.
    fn feed(&mut self, orders: &mut Orders) {
        while self.waiting > 0 && !self.closed {
            let per_function = self.per_function;
            let hungry = self
                .functions
                .values_mut()
                .flatten()
                .filter(|pool| pool.members.len() + pool.starting < per_function)
                .filter_map(|pool| Some((pool.queue.get(pool.starting)?.ticket, pool)))
                .min_by_key(|(ticket, _)| *ticket);
            let Some((_, pool)) = hungry else { return };
            if self.live < self.total {
                pool.starting += 1;
                self.live += 1;
                orders.start.push(Start { launch: Arc::clone(&pool.launch), epoch: pool.epoch });
            } else if let Some(oldest) = self.take_oldest_idle() {
                self.remove(&oldest);
                orders.stop.push(oldest);
            } else {
                return;
            }
        }
    }

    fn take_oldest_idle(&mut self) -> Option<Arc<Instance>> {
        let pools = self.functions.values_mut().flatten();
        let pool = pools
            .filter(|pool| !pool.idle.is_empty())
            .min_by_key(|pool| pool.idle.first().map(|idle| idle.since))?;
        Some(pool.idle.remove(0).instance)
    }

    /// The pool of exactly this state, new if need be. A new, later state supersedes the others.
    fn pool_for(&mut self, launch: &Arc<Launch>, orders: &mut Orders) -> &mut Pool {
        let pools = self.functions.entry(launch.function.to_string()).or_default();
        let known = pools.iter().position(|pool| pool.runs(launch));
        let at = known.unwrap_or_else(|| {
            let mut same = pools.iter().filter(|pool| pool.launch.version == launch.version);
            let superseded = same.any(|pool| pool.launch.updated_at > launch.updated_at);
            if !superseded {
                for pool in pools.iter_mut().filter(|pool| pool.launch.version == launch.version) {
                    pool.superseded = true;
                    orders.stop.extend(pool.idle.drain(..).map(|idle| idle.instance));
                }
            }
            pools.push(Pool::new(Arc::clone(launch), superseded));
            pools.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the position was found or made above")]
        &mut pools[at]
    }

    fn pool_of(&mut self, launch: &Launch) -> Option<&mut Pool> {
        self.functions.get_mut(launch.function.as_str())?.iter_mut().find(|pool| pool.runs(launch))
    }

    /// Strikes those who are ordered to stop off the lists.
    fn dismiss(&mut self, orders: &Orders) {
        for instance in &orders.stop {
            self.remove(instance);
        }
    }

    fn remove(&mut self, instance: &Arc<Instance>) {
        let Some(pool) = self.pool_of(&instance.launch) else { return };
        pool.idle.retain(|idle| !Arc::ptr_eq(&idle.instance, instance));
        let before = pool.members.len();
        pool.members.retain(|member| !Arc::ptr_eq(member, instance));
        let removed = before - pool.members.len();
        self.live = self.live.saturating_sub(removed);
    }

    fn count_waiting(&mut self) {
        self.waiting = self.functions.values().flatten().map(|pool| pool.queue.len()).sum();
    }

    fn forget_empty(&mut self) {
        self.functions.retain(|_, pools| {
            pools.retain(|pool| !pool.members.is_empty() || pool.starting > 0 || !pool.queue.is_empty());
            !pools.is_empty()
        });
    }
}

impl Pool {
    fn new(launch: Arc<Launch>, superseded: bool) -> Self {
        Self {
            launch,
            epoch: 0,
            superseded,
            idle: Vec::new(),
            members: Vec::new(),
            starting: 0,
            queue: VecDeque::new(),
        }
    }

    /// Whether its instances serve invocations of this launch.
    fn runs(&self, launch: &Launch) -> bool {
        self.launch.revision_id == launch.revision_id && self.launch.version == launch.version
    }

    /// Gives an instance to the first caller who still waits.
    fn hand_over(&mut self, instance: &Arc<Instance>) -> bool {
        while let Some(waiter) = self.queue.pop_front() {
            match waiter.sender.send(Ok(Lease::of(Arc::clone(instance)))) {
                Ok(()) => return true,
                // Nobody is there any more. The lease must not release: we are in the middle of that.
                Err(unheard) => drop(unheard.map(Lease::into_instance)),
            }
        }
        false
    }
}
