//! What [`super::Agents`] is made with.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, Random};
use tokio::runtime::Handle;

use crate::RunAs;

/// What [`super::Agents`] is made with. [`AgentSettings::new`] fills in defaults.
#[derive(Clone)]
pub struct AgentSettings {
    /// A folder of its own, made if it is missing, and not the one of functions. Below it: `code/` and `sessions/`, which
    /// are emptied at every start, `shims/`, `logs/` and `lock`.
    pub work_dir: PathBuf,
    /// The Python interpreter for every agent; `None` to look for one that fits on `search_path`.
    pub python: Option<PathBuf>,
    /// The Node.js for every agent; `None` to look for `node` on `search_path`.
    pub node: Option<PathBuf>,
    /// Where interpreters are looked for: the server's `PATH`. Agents do not inherit it.
    pub search_path: OsString,
    /// How many sessions there may be at once. Default: 200.
    pub max_sessions: usize,
    /// How many sessions may start at once; others wait for their turn. Default: 8.
    pub max_parallel_starts: usize,
    /// How long a session may take from its process to being ready. Default: 60 seconds.
    pub start_limit: Duration,
    /// How long a process may take to end after SIGTERM, until it is killed. Default: 5 seconds.
    pub stop_grace: Duration,
    /// How often sessions that nobody uses are asked whether they are busy. Default: 15 seconds.
    pub ping_interval: Duration,
    /// Whether logs are also written to `logs/{account}/{region}/{name}.log`, at most 1 MiB and one earlier file each.
    /// Default: yes.
    pub log_files: bool,
    /// The user that agents run as, which needs a server that is root. Default: the server's own user, who can read
    /// whatever the server can: set this where agents are not trusted.
    pub run_as: Option<RunAs>,
    /// Where the tasks run; it needs I/O and time enabled, and must outlive the agents.
    pub runtime: Handle,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub random: Arc<dyn Random>,
}

impl AgentSettings {
    /// The defaults.
    #[must_use]
    pub fn new(work_dir: PathBuf, runtime: Handle, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            work_dir,
            python: None,
            node: None,
            search_path: OsString::from("/usr/local/bin:/usr/bin:/bin"),
            max_sessions: 200,
            max_parallel_starts: 8,
            start_limit: Duration::from_secs(60),
            stop_grace: Duration::from_secs(5),
            ping_interval: Duration::from_secs(15),
            log_files: true,
            run_as: None,
            runtime,
            clock,
            random,
        }
    }
}
