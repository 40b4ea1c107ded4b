//! One process of a function, as a state machine between the one who invokes it and its Runtime API.
//!
//! ```text
//! Starting ──next──▶ Free ──assign──▶ Assigned ──next──▶ Running ──response, error──▶ Free
//!     │               └──assign, while next is parked──────▲ │
//!     └── init/error, exit, time-out ──▶ Ended ◀── exit, time-out, stop
//! ```
//!
//! An instance is free again as soon as it has answered, before its runtime asks for the next event: the event
//! that comes in between is kept for it. An event that was kept and never taken is given back, and may
//! safely go to another instance.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use domain::Timestamp;
use tokio::sync::oneshot;

use crate::journal::{Drained, Journal};
use crate::limits::Process;
use crate::outcome::{Answer, Fault};
use crate::report::{Report, billed};
use crate::runtime_api::{self, Event};
use crate::supervisor::Inner;
use crate::watch::Watch;
use crate::{Completed, FunctionError, Invocation, Launch};

/// What a credential must outlast besides the function's timeout, for an instance to be used again.
const CREDENTIAL_MARGIN: Duration = Duration::from_secs(180);

/// One process of a function.
pub(crate) struct Instance {
    /// Its number in the supervisor's life.
    pub(crate) id: u64,
    pub(crate) launch: Arc<Launch>,
    pub(crate) process: Process,
    owner: Weak<Inner>,
    watch: Arc<Watch>,
    stage: Mutex<Stage>,
    journal: Mutex<Journal>,
    /// When its credentials become too old to begin another invocation.
    reusable_until: Option<Timestamp>,
    /// It ends after what it does now.
    retiring: AtomicBool,
    /// The most memory it was seen to use, in KiB.
    peak_memory: AtomicU64,
    /// How long it took to become ready, in microseconds; zero once the first invocation has told.
    init_duration: AtomicU64,
}

enum Stage {
    Starting(oneshot::Sender<Result<(), Fault>>),
    /// With the runtime's parked request for the next event, if it has arrived.
    Free(Option<oneshot::Sender<Event>>),
    Assigned(Work, Event),
    Running(Work),
    Ended,
}

/// An invocation under way.
struct Work {
    invocation: Invocation,
    reply: oneshot::Sender<Reply>,
    began: Instant,
    deadline: Instant,
}

/// What comes back to the one who invoked.
pub(crate) enum Reply {
    Completed(Completed),
    /// The instance ended without having seen the event.
    NotDelivered(Invocation),
}

/// What the runtime gets when it asks for the next event.
pub(crate) enum Next {
    Now(Box<Event>),
    Later(oneshot::Receiver<Event>),
    /// It has not answered the last one.
    Refused,
}

/// What an instance is made of.
pub(crate) struct Parts {
    pub(crate) id: u64,
    pub(crate) launch: Arc<Launch>,
    pub(crate) process: Process,
    pub(crate) owner: Weak<Inner>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) journal: Journal,
    pub(crate) ready: oneshot::Sender<Result<(), Fault>>,
    pub(crate) credentials_end: Option<Timestamp>,
}

impl Instance {
    pub(crate) fn new(parts: Parts) -> Self {
        let margin = CREDENTIAL_MARGIN + parts.launch.timeout();
        let margin = i64::try_from(margin.as_millis()).unwrap_or(i64::MAX);
        let earlier = |end: Timestamp| Timestamp::from_millis(end.millis().saturating_sub(margin));
        Self {
            id: parts.id,
            launch: parts.launch,
            process: parts.process,
            owner: parts.owner,
            watch: parts.watch,
            stage: Mutex::new(Stage::Starting(parts.ready)),
            journal: Mutex::new(parts.journal),
            reusable_until: parts.credentials_end.map(earlier),
            retiring: AtomicBool::new(false),
            peak_memory: AtomicU64::new(0),
            init_duration: AtomicU64::new(0),
        }
    }

    /// Gives it an event for a launch of the state that it runs, or gives the event back if it has ended.
    pub(crate) fn assign(
        &self,
        invocation: Invocation,
        launch: &Launch,
        now: Timestamp,
    ) -> Result<oneshot::Receiver<Reply>, Invocation> {
        let timeout = self.launch.timeout();
        let event = runtime_api::event(&invocation, &launch.invoked_as, now.plus(timeout), now);
        self.watch.began();
        let (reply, replied) = oneshot::channel();
        let began = Instant::now();
        let work = Work { invocation, reply, began, deadline: began + timeout };
        let mut stage = lock(&self.stage);
        match std::mem::replace(&mut *stage, Stage::Ended) {
            Stage::Free(poll) => {
                lock(&self.journal).begin(&work.invocation.request_id, &self.launch.version);
                let delivered = match poll {
                    Some(poll) => deliver(poll, event),
                    None => Err(event),
                };
                *stage = match delivered {
                    Ok(()) => Stage::Running(work),
                    Err(event) => Stage::Assigned(work, event),
                };
                Ok(replied)
            }
            other => {
                *stage = other;
                self.watch.ended();
                Err(work.invocation)
            }
        }
    }

    /// The runtime asks for the next event.
    pub(crate) fn next(&self) -> Next {
        let mut stage = lock(&self.stage);
        let (parked, later) = oneshot::channel();
        match std::mem::replace(&mut *stage, Stage::Ended) {
            Stage::Starting(ready) => {
                *stage = Stage::Free(Some(parked));
                let _ = ready.send(Ok(()));
                Next::Later(later)
            }
            // Whoever asked before has lost its connection: its request is dropped.
            Stage::Free(_) => {
                *stage = Stage::Free(Some(parked));
                Next::Later(later)
            }
            Stage::Assigned(work, event) => {
                *stage = Stage::Running(work);
                Next::Now(Box::new(event))
            }
            other @ (Stage::Running(_) | Stage::Ended) => {
                *stage = other;
                Next::Refused
            }
        }
    }

    /// The runtime answers the event `request_id`. `false` if that is not the one it was given.
    pub(crate) fn answer(self: &Arc<Self>, request_id: &str, answer: Answer) -> bool {
        let mut stage = lock(&self.stage);
        match std::mem::replace(&mut *stage, Stage::Ended) {
            Stage::Running(work) if work.invocation.request_id == request_id => {
                *stage = Stage::Free(None);
                drop(stage);
                let (completed, reply) = self.complete(work, answer);
                // Before the caller hears of it, so that its next call finds the instance free.
                self.release();
                let _ = reply.send(Reply::Completed(completed));
                true
            }
            other => {
                *stage = other;
                false
            }
        }
    }

    /// Whether the event `request_id` awaits its answer.
    pub(crate) fn is_running(&self, request_id: &str) -> bool {
        matches!(&*lock(&self.stage), Stage::Running(work) if work.invocation.request_id == request_id)
    }

    /// The runtime could not begin. `false` if it had begun already.
    pub(crate) fn fail_start(&self, fault: Fault) -> bool {
        let mut stage = lock(&self.stage);
        match std::mem::replace(&mut *stage, Stage::Ended) {
            Stage::Starting(ready) => {
                drop(stage);
                self.read_log();
                let _ = ready.send(Err(fault));
                true
            }
            other => {
                *stage = other;
                false
            }
        }
    }

    /// Kills it if what it does takes longer than it may.
    pub(crate) fn check_deadline(self: &Arc<Self>, now: Instant) {
        let mut stage = lock(&self.stage);
        let late = matches!(&*stage, Stage::Running(work) | Stage::Assigned(work, _) if work.deadline <= now);
        if late {
            let former = std::mem::replace(&mut *stage, Stage::Ended);
            drop(stage);
            self.process.kill();
            self.settle(former, Fault::TimedOut(self.launch.timeout()));
        }
    }

    /// Its process has ended.
    pub(crate) fn end(self: &Arc<Self>, fault: Fault) {
        let former = std::mem::replace(&mut *lock(&self.stage), Stage::Ended);
        self.settle(former, fault);
    }

    /// Ends it now.
    pub(crate) fn stop(self: &Arc<Self>) {
        self.process.kill();
        self.end(Fault::Exited("Runtime exited with error: signal: killed".to_owned()));
    }

    /// Tells everybody who waits for something of it that nothing more will come.
    fn settle(self: &Arc<Self>, former: Stage, fault: Fault) {
        if let Some(owner) = self.owner.upgrade() {
            owner.gone(self);
        }
        match former {
            Stage::Starting(ready) => {
                self.read_log();
                let _ = ready.send(Err(fault));
            }
            Stage::Running(work) => {
                let (completed, reply) = self.complete(work, Answer::Fault(fault));
                let _ = reply.send(Reply::Completed(completed));
            }
            Stage::Assigned(work, _) if matches!(fault, Fault::TimedOut(_)) => {
                let (completed, reply) = self.complete(work, Answer::Fault(fault));
                let _ = reply.send(Reply::Completed(completed));
            }
            Stage::Assigned(work, _) => {
                self.watch.ended();
                let _ = work.reply.send(Reply::NotDelivered(work.invocation));
            }
            Stage::Free(_) | Stage::Ended => {}
        }
    }

    /// Measures and logs what has ended.
    fn complete(&self, work: Work, answer: Answer) -> (Completed, oneshot::Sender<Reply>) {
        self.watch.ended();
        let request_id = &work.invocation.request_id;
        let duration = match &answer {
            Answer::Fault(Fault::TimedOut(after)) => *after,
            _ => work.began.elapsed(),
        };
        let init_duration = match self.init_duration.swap(0, Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        };
        let report = Report {
            request_id,
            duration,
            memory_mib: self.launch.memory_mib,
            peak_memory_kib: self.peak_memory.load(Ordering::Relaxed),
            init_duration,
            fault: match &answer {
                Answer::Fault(fault) => Some(fault),
                _ => None,
            },
        };
        let log_tail = lock(&self.journal).end(&report.lines());
        let (payload, error_type) = match answer {
            Answer::Given(payload) => (payload, None),
            Answer::Reported { payload, error_type } => (payload, Some(error_type)),
            Answer::Fault(fault) => (fault.payload(request_id), Some(fault.error_type())),
        };
        let completed = Completed {
            payload,
            log_tail,
            function_error: error_type.map(FunctionError::unhandled),
            duration,
            billed_milliseconds: billed(duration),
            init_duration,
            version: self.launch.version.clone(),
        };
        (completed, work.reply)
    }

    /// Reads what the process has written.
    pub(crate) fn read_log(&self) -> Drained {
        lock(&self.journal).drain()
    }

    /// The same, told by the runtime that there is something.
    pub(crate) fn read_ready_log(&self) -> Drained {
        lock(&self.journal).drain_ready()
    }

    /// The end of what it has written so far.
    pub(crate) fn log_tail(&self) -> Vec<u8> {
        lock(&self.journal).tail()
    }

    /// It became ready after this time.
    pub(crate) fn ready_after(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.init_duration.store(micros.max(1), Ordering::Relaxed);
    }

    /// Whether it may take another event.
    pub(crate) fn is_reusable(&self, now: Timestamp) -> bool {
        !self.retiring.load(Ordering::Relaxed) && self.reusable_until.is_none_or(|until| now < until)
    }

    /// Lets it end after what it does now.
    pub(crate) fn retire(&self) {
        self.retiring.store(true, Ordering::Relaxed);
    }

    /// Whether it works or begins, so that its memory needs watching.
    pub(crate) fn is_busy(&self) -> bool {
        !matches!(&*lock(&self.stage), Stage::Free(_) | Stage::Ended)
    }

    /// When what it does must be done.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &*lock(&self.stage) {
            Stage::Running(work) | Stage::Assigned(work, _) => Some(work.deadline),
            _ => None,
        }
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(&*lock(&self.stage), Stage::Ended)
    }

    /// It was seen to use so much memory, in bytes.
    pub(crate) fn saw_memory(&self, bytes: u64) {
        self.peak_memory.fetch_max(bytes / 1024, Ordering::Relaxed);
    }

    /// It may be given to somebody else.
    pub(crate) fn release(self: &Arc<Self>) {
        if let Some(owner) = self.owner.upgrade() {
            owner.release(self);
        }
    }
}

/// Hands an event to a parked request, or back if its connection is gone.
fn deliver(poll: oneshot::Sender<Event>, event: Event) -> Result<(), Event> {
    poll.send(event)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
