//! The watching thread: deadlines, memory, idleness, patience, and log files.
//!
//! One thread looks at every instance ten times a second while anything works or waits, exactly when a
//! deadline falls, once a second while instances are only idle, and not at all when there are none. An invocation
//! therefore needs no timer of its own. It is a thread and not a task, so that a busy runtime does not delay it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::error::SetupError;
use crate::instance::Instance;
use crate::limits::{INTERPRETER_ALLOWANCE, MOST_PROCESSES};
use crate::processes;
use crate::supervisor::Inner;
use crate::weight::{self, Weight};

/// How often working instances are looked at.
const TICK: Duration = Duration::from_millis(100);
/// How often idle ones are.
const CALM_TICK: Duration = Duration::from_secs(1);
/// For how many ticks without work the thread stays at the faster pace.
const LINGER: u32 = 20;
/// How often idle instances are weighed, and all processes of the system looked at while others work, to find
/// those of a group whose parents have ended.
const SEARCH: Duration = Duration::from_secs(1);

/// What the thread is told.
#[derive(Default)]
pub(crate) struct Watch {
    thread: OnceLock<Thread>,
    /// It keeps the faster pace, and needs no waking.
    awake: AtomicBool,
    /// How many invocations are under way.
    running: AtomicUsize,
}

impl Watch {
    /// An invocation begins.
    pub(crate) fn began(&self) {
        self.running.fetch_add(1, Ordering::SeqCst);
        self.nudge();
    }

    /// An invocation has ended.
    pub(crate) fn ended(&self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
    }

    /// There is something to watch.
    pub(crate) fn nudge(&self) {
        if !self.awake.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Look now.
    pub(crate) fn wake(&self) {
        self.awake.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Starts the thread, which ends when the supervisor does.
    pub(crate) fn start(self: &Arc<Self>, inner: Weak<Inner>) -> Result<(), SetupError> {
        let watch = Arc::clone(self);
        let thread = thread::Builder::new()
            .name("portcullis-compute-watch".to_owned())
            .spawn(move || watch.run(&inner))
            .map_err(SetupError::Thread)?;
        let _ = self.thread.set(thread.thread().clone());
        Ok(())
    }

    fn run(&self, inner: &Weak<Inner>) {
        let mut rounds = Rounds::default();
        let mut quiet = 0;
        while let Some(inner) = inner.upgrade() {
            let next_deadline = rounds.make(&inner);
            let busy = self.running.load(Ordering::SeqCst) > 0 || inner.has_waiting();
            quiet = if busy { 0 } else { quiet + 1 };
            let nobody = inner.roster.is_empty() && !inner.logs.has_unwritten();
            let over = nobody && !inner.is_open();
            drop(inner);
            if over {
                return;
            }
            if quiet <= LINGER {
                let left = next_deadline.map(|at| at.saturating_duration_since(Instant::now()));
                thread::park_timeout(left.map_or(TICK, |left| left.min(TICK)));
                continue;
            }
            self.awake.store(false, Ordering::SeqCst);
            // Whoever began before that did not wake us.
            if self.running.load(Ordering::SeqCst) == 0 {
                if nobody {
                    thread::park();
                } else {
                    thread::park_timeout(CALM_TICK);
                }
            }
            self.awake.store(true, Ordering::SeqCst);
            // After a short look, calm again, unless there is work.
            quiet = LINGER;
        }
    }
}

/// What is remembered from round to round.
#[derive(Default)]
struct Rounds {
    searched: Option<Instant>,
    groups: HashMap<i32, Vec<i32>>,
}

impl Rounds {
    /// Looks at everything once; gives the next deadline.
    fn make(&mut self, inner: &Arc<Inner>) -> Option<Instant> {
        inner.sweep();
        let now = Instant::now();
        let mut next = None;
        let mut present = inner.roster.all();
        for instance in &present {
            match instance.deadline() {
                Some(deadline) if deadline <= now => instance.check_deadline(now),
                Some(deadline) => next = Some(next.map_or(deadline, |next: Instant| next.min(deadline))),
                None => {}
            }
        }
        let thorough = self.searched.is_none_or(|searched| now.saturating_duration_since(searched) >= SEARCH);
        if thorough {
            self.searched = Some(now);
            self.groups.clear();
            if present.iter().any(|instance| instance.is_busy()) {
                self.groups = processes::by_group();
            }
        } else {
            present.retain(|instance| instance.is_busy());
        }
        for instance in &present {
            self.weigh(instance);
        }
        inner.write_logs();
        next
    }

    /// Measures the memory of an instance, and kills it if that is too much.
    fn weigh(&self, instance: &Instance) {
        let strays = self.groups.get(&instance.process.id());
        let limit = u64::from(instance.launch.memory_mib) * 1024 * 1024 + INTERPRETER_ALLOWANCE;
        let Weight { bytes: used, processes } =
            weight::weigh(instance.process.id(), strays.map_or(&[], Vec::as_slice), limit);
        instance.saw_memory(used);
        if used > limit || processes > MOST_PROCESSES {
            tracing::warn!(
                function.arn = instance.launch.function.as_str(),
                instance.id,
                memory_mib = used / (1024 * 1024),
                limit_mib = instance.launch.memory_mib,
                processes,
                "an instance is killed, because it uses more than its function may",
            );
            instance.process.kill();
        }
    }
}
