//! What a supervisor is made with.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, Random};
use tokio::runtime::Handle;

/// What a supervisor is made with. [`Settings::new`] fills in defaults.
#[derive(Clone)]
pub struct Settings {
    /// The supervisor's own folder, made if it is missing. Below it: `code/` and `scratch/`, which are emptied
    /// at every start, `runtime/`, `logs/` and `lock`.
    pub work_dir: PathBuf,
    /// The Python interpreter for every Python function, such as that of a virtual environment that has boto3;
    /// `None` to look for one that fits on `search_path`.
    pub python: Option<PathBuf>,
    /// The interpreter for every JavaScript function; `None` to look for `node` on `search_path`.
    pub node: Option<PathBuf>,
    /// Where interpreters are looked for: the server's `PATH`. Functions do not inherit it.
    pub search_path: OsString,
    /// How long an instance is kept without work. Default: 10 minutes.
    pub idle_timeout: Duration,
    /// How many instances one function may have at once. Default: 10.
    pub max_instances_per_function: usize,
    /// How many instances all functions together may have at once. Default: 100. When it is reached, the
    /// instance that has been idle for longest makes room.
    pub max_instances: usize,
    /// How many callers of one function may wait for an instance. Default: 1,000.
    pub max_waiting_per_function: usize,
    /// How long a caller waits for an instance, not counting the start of one. Default: 10 seconds.
    pub max_wait: Duration,
    /// Whether functions' logs are also written to `logs/{account}/{region}/{name}.log`, at most 1 MiB and one
    /// earlier file each. Default: yes.
    pub log_files: bool,
    /// The user that functions run as, which needs a server that is root. Default: the server's own user, who
    /// can read whatever the server can: set this where functions are not trusted.
    pub run_as: Option<RunAs>,
    /// Where the supervisor's tasks run; it needs I/O and time enabled, and must outlive the supervisor.
    pub runtime: Handle,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub random: Arc<dyn Random>,
}

impl Settings {
    /// The defaults.
    #[must_use]
    pub fn new(work_dir: PathBuf, runtime: Handle, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            work_dir,
            python: None,
            node: None,
            search_path: OsString::from("/usr/local/bin:/usr/bin:/bin"),
            idle_timeout: Duration::from_secs(600),
            max_instances_per_function: 10,
            max_instances: 100,
            max_waiting_per_function: 1000,
            max_wait: Duration::from_secs(10),
            log_files: true,
            run_as: None,
            runtime,
            clock,
            random,
        }
    }
}

/// A user and a group of the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunAs {
    /// The numeric user id.
    pub user: u32,
    /// The numeric group id; supplementary groups are dropped.
    pub group: u32,
}
