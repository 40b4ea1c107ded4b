//! One session, as those see it who use it and those who end it.
//!
//! ```text
//! Starting ──ready──▶ Ready ──end──▶ Ending ──gone──▶ Gone
//!     └── fails, end ───────────────────────────────▶ Gone
//! ```
//!
//! A session is in the list of sessions from its first moment until it is Gone: whoever comes while it ends waits, so
//! that two processes of one session never run side by side.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use super::{AgentSpec, Lease, StartError};
use crate::limits::Process;

/// By what a session is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) runtime: String,
    pub(super) version: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn of(spec: &AgentSpec, name: &str) -> Self {
        Self {
            runtime: spec.runtime.as_str().to_owned(),
            version: spec.version.clone(),
            name: name.to_owned(),
        }
    }
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing was asked of it for its idle time, and it was not busy.
    Idle,
    /// It was as old as it may become.
    TooOld,
    /// Somebody stopped it.
    Stopped,
    /// Its runtime was deleted.
    Dropped,
    /// The server shuts down.
    Shutdown,
    /// It used more than it may, in words.
    Excess(String),
    /// It never became ready.
    StartFailed,
    /// Its process ended by itself, in words, such as `exit status 1`.
    Exited(String),
}

impl Ending {
    /// In words, for the log.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Idle => "it was idle".to_owned(),
            Self::TooOld => "it reached its maximum life".to_owned(),
            Self::Stopped => "it was stopped".to_owned(),
            Self::Dropped => "its runtime was deleted".to_owned(),
            Self::Shutdown => "the server shuts down".to_owned(),
            Self::Excess(what) => format!("it used more than it may: {what}"),
            Self::StartFailed => "it did not become ready".to_owned(),
            Self::Exited(how) => format!("its process ended ({how})"),
        }
    }
}

/// Where a session stands.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    Starting,
    Ready(SocketAddr),
    Ending,
    Gone,
}

/// What those who use a session change.
struct Condition {
    stage: Stage,
    /// It has been ready once.
    was_ready: bool,
    /// Why it could not be started, for those who waited for it.
    failure: Option<StartError>,
    leases: usize,
    /// When it was last used, or seen to be busy.
    used: Instant,
}

/// One session.
pub(super) struct Session {
    pub(super) id: u64,
    pub(super) key: Key,
    pub(super) spec: Arc<AgentSpec>,
    pub(super) began: Instant,
    process: OnceLock<Process>,
    condition: watch::Sender<Condition>,
    ending: Mutex<Option<Ending>>,
}

impl Session {
    pub(super) fn new(id: u64, key: Key, spec: Arc<AgentSpec>) -> Self {
        let began = Instant::now();
        let condition =
            Condition { stage: Stage::Starting, was_ready: false, failure: None, leases: 0, used: began };
        let condition = watch::Sender::new(condition);
        Self { id, key, spec, began, process: OnceLock::new(), condition, ending: Mutex::default() }
    }

    /// Waits until it is ready and leases it. `None` if it ends: wait for that, and find another. That its start failed is
    /// for those who `awaited` it: whoever came later starts another.
    pub(super) async fn lease(self: &Arc<Self>, awaited: bool) -> Result<Option<Lease>, StartError> {
        let mut changes = self.condition.subscribe();
        let decided = |condition: &Condition| {
            condition.was_ready || condition.failure.is_some() || matches!(condition.stage, Stage::Gone)
        };
        // The sender lives as long as the session.
        let failure = changes.wait_for(decided).await.ok().and_then(|condition| condition.failure.clone());
        if let Some(failure) = failure {
            return if awaited { Err(failure) } else { Ok(None) };
        }
        let mut found = None;
        self.condition.send_if_modified(|condition| {
            if let Stage::Ready(address) = condition.stage {
                condition.leases += 1;
                found = Some(address);
            }
            false
        });
        Ok(found.map(|address| Lease::new(Arc::clone(self), address)))
    }

    /// A lease is given back.
    pub(super) fn release(&self) {
        self.condition.send_if_modified(|condition| {
            condition.leases = condition.leases.saturating_sub(1);
            condition.used = Instant::now();
            false
        });
    }

    /// Its process runs.
    pub(super) fn runs(&self, process: Process) {
        let _ = self.process.set(process);
    }

    pub(super) fn process(&self) -> Option<&Process> {
        self.process.get()
    }

    /// It is ready. `false` if it is to end already.
    pub(super) fn ready(&self, address: SocketAddr) -> bool {
        self.condition.send_if_modified(|condition| {
            let starting = matches!(condition.stage, Stage::Starting);
            if starting {
                condition.stage = Stage::Ready(address);
                condition.was_ready = true;
                condition.used = Instant::now();
            }
            starting
        })
    }

    /// It could not be started, for everybody who waits for it.
    pub(super) fn failed(&self, error: StartError) {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(Ending::StartFailed);
        self.condition.send_modify(|condition| {
            condition.failure.get_or_insert(error);
            condition.stage = Stage::Ending;
        });
    }

    /// It is to end. The first reason counts.
    pub(super) fn end(&self, why: Ending) {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.condition.send_if_modified(|condition| {
            let lives = matches!(condition.stage, Stage::Starting | Stage::Ready(_));
            if lives {
                condition.stage = Stage::Ending;
            }
            lives
        });
    }

    /// Kills its processes, if it has any yet.
    pub(super) fn kill(&self) {
        if let Some(process) = self.process.get() {
            process.kill();
        }
    }

    /// Nothing is left of it.
    pub(super) fn gone(&self) {
        self.condition.send_modify(|condition| condition.stage = Stage::Gone);
    }

    /// Why it ends, if it does.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it is to end.
    pub(super) async fn to_end(&self) {
        let mut changes = self.condition.subscribe();
        let _ = changes.wait_for(|condition| matches!(condition.stage, Stage::Ending | Stage::Gone)).await;
    }

    /// Waits until nothing is left of it.
    pub(super) async fn ended(&self) {
        let mut changes = self.condition.subscribe();
        let _ = changes.wait_for(|condition| matches!(condition.stage, Stage::Gone)).await;
    }

    pub(super) fn is_starting(&self) -> bool {
        matches!(self.condition.borrow().stage, Stage::Starting)
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self.condition.borrow().stage {
            Stage::Ready(address) => Some(address),
            Stage::Starting | Stage::Ending | Stage::Gone => None,
        }
    }

    pub(super) fn leases(&self) -> usize {
        self.condition.borrow().leases
    }

    /// When it was last used; `None` while somebody uses it.
    pub(super) fn unused_since(&self) -> Option<Instant> {
        let condition = self.condition.borrow();
        (condition.leases == 0).then_some(condition.used)
    }

    /// It says that it is busy.
    pub(super) fn is_busy(&self) {
        self.condition.send_if_modified(|condition| {
            condition.used = Instant::now();
            false
        });
    }

    /// Ends it if nobody has used it for its idle time. The look and the end are one step: nobody comes in between.
    pub(super) fn end_if_idle(&self) {
        let idle_timeout = self.spec.idle_timeout;
        self.condition.send_if_modified(|condition| {
            let idle = matches!(condition.stage, Stage::Ready(_))
                && condition.leases == 0
                && condition.used.elapsed() >= idle_timeout;
            if idle {
                self.ending.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(Ending::Idle);
                condition.stage = Stage::Ending;
            }
            idle
        });
    }
}
