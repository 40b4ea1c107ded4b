//! The watching thread of agents: memory, processes, disk, and log files.
//!
//! It looks at every session five times a second, and once a second at every process of the system (for those that left
//! their group) and at the folders. It is a thread and not a task, so that a busy runtime does not delay it. A session that
//! uses more than it may is killed at once, and its log says why.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::session::Session;
use super::{Ending, Inner, folder, strays};
use crate::SetupError;
use crate::limits::INTERPRETER_ALLOWANCE;
use crate::weight::{Weight, weigh};

/// How often sessions are weighed.
const TICK: Duration = Duration::from_millis(200);
/// How often processes and folders are looked for.
const SEARCH: Duration = Duration::from_secs(1);

/// Starts the thread, which ends when nobody has the agents any more.
pub(super) fn start(inner: Weak<Inner>) -> Result<(), SetupError> {
    let spawned = thread::Builder::new().name("portcullis-agent-warden".to_owned()).spawn(move || {
        let mut rounds = Rounds::default();
        while let Some(inner) = inner.upgrade() {
            rounds.make(&inner);
            drop(inner);
            thread::sleep(TICK);
        }
    });
    spawned.map(drop).map_err(SetupError::Thread)
}

/// What is remembered from round to round.
#[derive(Default)]
struct Rounds {
    searched: Option<Instant>,
    /// The processes that carry the mark of each session.
    marked: HashMap<u64, Vec<i32>>,
}

impl Rounds {
    /// Looks at everything once.
    fn make(&mut self, inner: &Arc<Inner>) {
        let sessions = inner.those(|_| true);
        let thorough = self.searched.is_none_or(|searched| searched.elapsed() >= SEARCH);
        if thorough {
            self.searched = Some(Instant::now());
            self.marked =
                if sessions.is_empty() { HashMap::new() } else { strays::by_session(&inner.folders) };
        }
        for session in &sessions {
            let excess = self.heavy(session).or_else(|| thorough.then(|| full(inner, session)).flatten());
            if let Some(excess) = excess {
                tracing::warn!(
                    runtime.arn = session.spec.runtime.as_str(),
                    session.id,
                    excess,
                    "an agent's session is killed, because it uses more than it may",
                );
                session.end(Ending::Excess(excess));
                session.kill();
            }
        }
        if inner.logs.has_unwritten() {
            inner.logs.write();
        }
    }

    /// What a session has too much of, in memory and processes.
    fn heavy(&self, session: &Session) -> Option<String> {
        let leader = session.process()?.id();
        let limits = &session.spec.limits;
        let limit = u64::from(limits.memory_mib) * 1024 * 1024 + INTERPRETER_ALLOWANCE;
        let marked = self.marked.get(&session.id).map_or(&[][..], Vec::as_slice);
        let Weight { bytes, processes } = weigh(leader, marked, limit);
        if bytes > limit {
            return Some(format!("{} MiB of memory, and it may use {}", bytes >> 20, limits.memory_mib));
        }
        (processes > limits.processes)
            .then(|| format!("{processes} processes, and it may have {}", limits.processes))
    }
}

/// What a session has too much of on the disk.
fn full(inner: &Inner, session: &Session) -> Option<String> {
    let limits = &session.spec.limits;
    let usage = folder::measure(&inner.folders.join(session.id.to_string()), limits.disk_entries);
    if usage.entries > limits.disk_entries {
        return Some(format!("more than {} files and folders", limits.disk_entries));
    }
    (usage.bytes > limits.disk_bytes)
        .then(|| format!("{} MiB of disk, and it may use {}", usage.bytes >> 20, limits.disk_bytes >> 20))
}
