//! The supervisor: one call, [`Supervisor::invoke`], and what keeps it true.
//!
//! It is made once and lives as long as the server. Its own tasks run on the runtime of its settings, and it
//! may be called from any: callers only wait for messages.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::{Arn, Timestamp};

use crate::code::{self, Packages};
use crate::instance::{Instance, Reply};
use crate::interpreter::Interpreters;
use crate::lease::Lease;
use crate::logs::Logs;
use crate::outcome::{Fault, LARGEST_EVENT};
use crate::package::Bounds;
use crate::pools::{Found, Moment, Orders, Pools, Refusal, Start};
use crate::report::{Report, billed};
use crate::roster::Roster;
use crate::watch::Watch;
use crate::workdir::{folder_error, take};
use crate::{
    Completed, FunctionError, Invocation, InvokeError, Launch, LogLine, Settings, SetupError, start,
};

/// The files of the runtime clients, in `runtime/`, and what stands in them.
const RUNTIME_CLIENTS: [(&str, &str); 2] = [
    (PYTHON_CLIENT, include_str!("python/bootstrap.py")),
    (NODE_CLIENT, include_str!("nodejs/bootstrap.mjs")),
];
/// The file of the runtime client for Python.
pub(crate) const PYTHON_CLIENT: &str = "bootstrap.py";
/// The file of the runtime client for JavaScript.
pub(crate) const NODE_CLIENT: &str = "bootstrap.mjs";
/// How many instances may end under an event before they see it, until we give up.
const ATTEMPTS: usize = 3;

/// Runs functions. Dropping it kills everything it runs; [`Supervisor::shutdown`] is gentler.
pub struct Supervisor(Arc<Inner>);

impl Supervisor {
    /// Takes the work folder, cleans up what an earlier server left there, and stands ready.
    ///
    /// # Errors
    /// [`SetupError`] when the folder is in use or cannot be written.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let inner = Arc::new(Inner::new(settings)?);
        inner.watch.start(Arc::downgrade(&inner))?;
        Ok(Self(inner))
    }

    /// Runs a function on one event, in an idle instance, a new one, or the first that becomes free.
    ///
    /// If the future is dropped, an invocation that has begun goes on to its end, as on Lambda; one that waits
    /// is forgotten.
    ///
    /// # Errors
    /// [`InvokeError`] when the function could not be run. What the function does wrong is no error but
    /// [`Completed::function_error`].
    pub async fn invoke(
        &self,
        launch: &Arc<Launch>,
        invocation: Invocation,
    ) -> Result<Completed, InvokeError> {
        let mut invocation = admit(invocation)?;
        for _ in 0..ATTEMPTS {
            let lease = match self.0.lease(launch).await {
                Ok(lease) => lease,
                Err(Refusal::Error(error)) => return Err(error),
                Err(Refusal::Fault { fault, log, took }) => {
                    return Ok(self.0.report_start(launch, &invocation, &fault, log, took));
                }
            };
            match self.0.run(lease, launch, invocation).await? {
                Reply::Completed(completed) => return Ok(completed),
                Reply::NotDelivered(returned) => invocation = returned,
            }
        }
        Err(InvokeError::Unstable)
    }

    /// Ends the instances of a function, whatever their state of it: the idle ones now, the others after what
    /// they do. Call it when a function was deleted or must not use its warm instances again.
    pub fn retire(&self, function: &Arn) {
        self.0.with_pools(|pools, _, orders| pools.retire(function, orders));
    }

    /// The last lines that a function's instances and the server wrote about it, oldest first: at most 2,000
    /// lines and 512 KiB. Empty for a function that has not run since the server's start.
    #[must_use]
    pub fn logs(&self, function: &Arn) -> Vec<LogLine> {
        self.0.logs.lines(function)
    }

    /// Takes no more invocations, lets those under way have `grace` to end, kills what is left, and returns
    /// when every process is gone.
    pub async fn shutdown(&self, grace: Duration) {
        *lock(&self.0.kill_at) = Instant::now().checked_add(grace);
        self.0.with_pools(|pools, _, orders| pools.close(orders));
        self.0.watch.wake();
        self.0.roster.emptied().await;
        let inner = Arc::clone(&self.0);
        let writing = self.0.settings.runtime.spawn_blocking(move || inner.logs.write());
        let _ = writing.await;
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.0.with_pools(|pools, _, orders| pools.close(orders));
        self.0.stop_all();
        self.0.watch.wake();
    }
}

/// What the supervisor's tasks share.
pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) packages: Packages,
    pub(crate) interpreters: Interpreters,
    pub(crate) logs: Arc<Logs>,
    pub(crate) roster: Roster,
    pub(crate) watch: Arc<Watch>,
    /// The folder of the runtime clients.
    pub(crate) runtime_dir: PathBuf,
    /// Above the folders of processes.
    pub(crate) scratch: PathBuf,
    pools: Mutex<Pools>,
    /// When those who still work at a shutdown are killed.
    kill_at: Mutex<Option<Instant>>,
    next_id: AtomicU64,
    /// Held while we live: the folder is ours.
    _lock: File,
}

impl Inner {
    fn new(mut settings: Settings) -> Result<Self, SetupError> {
        let work_dir = std::path::absolute(&settings.work_dir)
            .map_err(|source| folder_error("find", &settings.work_dir, source))?;
        for configured in [&mut settings.python, &mut settings.node].into_iter().flatten() {
            *configured = std::path::absolute(&*configured)
                .map_err(|source| folder_error("find", configured, source))?;
        }
        let held = take(&work_dir, settings.run_as)?;
        let (code, scratch, runtime_dir) =
            (work_dir.join("code"), work_dir.join("scratch"), work_dir.join("runtime"));
        code::empty(&scratch).map_err(|source| folder_error("empty", &scratch, source))?;
        code::empty(&runtime_dir).map_err(|source| folder_error("empty", &runtime_dir, source))?;
        for (name, text) in RUNTIME_CLIENTS {
            let client = runtime_dir.join(name);
            fs::write(&client, text).map_err(|source| folder_error("write", &client, source))?;
        }
        Ok(Self {
            packages: Packages::open(code.clone(), Bounds::FUNCTION)
                .map_err(|source| folder_error("empty", &code, source))?,
            interpreters: Interpreters::new(
                settings.python.clone(),
                settings.node.clone(),
                settings.search_path.clone(),
            ),
            logs: Arc::new(Logs::new(settings.log_files.then(|| work_dir.join("logs")))),
            roster: Roster::new(),
            watch: Arc::default(),
            runtime_dir,
            scratch,
            pools: Mutex::new(Pools::new(&settings)),
            kill_at: Mutex::default(),
            next_id: AtomicU64::new(1),
            settings,
            _lock: held,
        })
    }

    /// Waits for an instance.
    async fn lease(self: &Arc<Self>, launch: &Arc<Launch>) -> Result<Lease, Refusal> {
        match self.with_pools(|pools, now, orders| pools.lease(launch, now, orders)) {
            Found::Idle(lease) => Ok(lease),
            Found::Refused(error) => Err(error.into()),
            Found::Queued(granted) => {
                self.watch.nudge();
                granted.await.unwrap_or_else(|_| Err(InvokeError::ShuttingDown.into()))
            }
        }
    }

    /// Gives a leased instance its event and waits for what comes of it.
    async fn run(
        self: &Arc<Self>,
        lease: Lease,
        launch: &Launch,
        invocation: Invocation,
    ) -> Result<Reply, InvokeError> {
        let Some(instance) = lease.into_instance() else {
            return Ok(Reply::NotDelivered(invocation));
        };
        match instance.assign(invocation, launch, self.now()) {
            Ok(replied) => replied.await.map_err(|_| InvokeError::ShuttingDown),
            Err(returned) => {
                self.gone(&instance);
                Ok(Reply::NotDelivered(returned))
            }
        }
    }

    /// An instance has done its work.
    pub(crate) fn release(self: &Arc<Self>, instance: &Arc<Instance>) {
        self.with_pools(|pools, now, orders| pools.release(instance, now, orders));
    }

    /// An instance has ended.
    pub(crate) fn gone(self: &Arc<Self>, instance: &Arc<Instance>) {
        self.with_pools(|pools, _, orders| pools.gone(instance, orders));
    }

    pub(crate) fn started(self: &Arc<Self>, start: &Start, instance: &Arc<Instance>) {
        self.with_pools(|pools, now, orders| pools.started(start, instance, now, orders));
    }

    pub(crate) fn start_failed(self: &Arc<Self>, start: &Start, refusal: Refusal) {
        self.with_pools(|pools, _, orders| pools.start_failed(start, refusal, orders));
    }

    /// What is due by the clock. Called by the watching thread.
    pub(crate) fn sweep(self: &Arc<Self>) {
        self.with_pools(Pools::sweep);
        if lock(&self.kill_at).is_some_and(|at| at <= Instant::now()) {
            self.stop_all();
        }
    }

    /// Writes log files, elsewhere, if there is something to write.
    pub(crate) fn write_logs(self: &Arc<Self>) {
        if self.logs.has_unwritten() {
            let logs = Arc::clone(&self.logs);
            self.settings.runtime.spawn_blocking(move || logs.write());
        }
    }

    pub(crate) fn has_waiting(&self) -> bool {
        lock(&self.pools).waiting() > 0
    }

    pub(crate) fn is_open(&self) -> bool {
        lock(&self.pools).is_open()
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// `2026/11/21/[$LATEST]` and 32 hexadecimal digits, as Lambda names streams.
    pub(crate) fn log_stream_name(&self, version: &str) -> String {
        let mut random = [0; 16];
        self.settings.random.fill(&mut random);
        let now = self.now().to_string();
        let date = now.get(..10).unwrap_or_default().replace('-', "/");
        format!("{date}/[{version}]{}", hex::encode(random))
    }

    fn now(&self) -> Timestamp {
        self.settings.clock.now()
    }

    fn stop_all(&self) {
        for instance in self.roster.all() {
            instance.stop();
        }
    }

    /// Decides under the lock, and acts after it.
    fn with_pools<T>(self: &Arc<Self>, decide: impl FnOnce(&mut Pools, Moment, &mut Orders) -> T) -> T {
        let now = Moment { instant: Instant::now(), timestamp: self.now() };
        let mut orders = Orders::default();
        let decision = decide(&mut lock(&self.pools), now, &mut orders);
        for start in orders.start {
            self.settings.runtime.spawn(start::run(Arc::clone(self), start));
        }
        for instance in orders.stop {
            instance.stop();
        }
        decision
    }

    /// What a failed start comes to for the invocation that met it, in the log and for its caller.
    fn report_start(
        &self,
        launch: &Launch,
        invocation: &Invocation,
        fault: &Fault,
        mut log_tail: Vec<u8>,
        took: Duration,
    ) -> Completed {
        let request_id = &invocation.request_id;
        let report = Report {
            request_id,
            duration: took,
            memory_mib: launch.memory_mib,
            peak_memory_kib: 0,
            init_duration: None,
            fault: Some(fault),
        };
        let lines = format!("START RequestId: {request_id} Version: {}\n{}", launch.version, report.lines());
        let log = self.logs.of(&launch.function, &launch.name);
        self.logs.push(&log, self.now(), &lines);
        self.watch.nudge();
        log_tail.extend_from_slice(lines.as_bytes());
        log_tail.push(b'\n');
        let excess = log_tail.len().saturating_sub(4096);
        log_tail.drain(..excess);
        Completed {
            payload: fault.payload(request_id),
            log_tail,
            function_error: Some(FunctionError::unhandled(fault.error_type())),
            duration: took,
            billed_milliseconds: billed(took),
            init_duration: None,
            version: launch.version.clone(),
        }
    }
}

/// Checks what could not be passed on.
fn admit(invocation: Invocation) -> Result<Invocation, InvokeError> {
    let size = invocation.payload.len();
    if size > LARGEST_EVENT {
        return Err(InvokeError::PayloadTooLarge { size, limit: LARGEST_EVENT });
    }
    let id = invocation.request_id.as_bytes();
    let legal = id.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'/');
    if legal && (1..=128).contains(&id.len()) {
        Ok(invocation)
    } else {
        Err(InvokeError::InvalidRequestId(invocation.request_id))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
