//! Agents as supervised local processes: one process, with its group, for each session.
//!
//! [`Agents::session`] takes an [`AgentSpec`] (one version of one runtime) and a session's name, starts the process or
//! finds the one that runs, and gives a [`Lease`] with the address at which it listens. An agent that was written for
//! Amazon Bedrock AgentCore Runtime's containers runs unmodified: it believes that it listens on port 8080 (HTTP) or 8000
//! (MCP), and a shim for its language ([`shims`]) puts a socket of 127.0.0.1 in the place of that, which the server has
//! opened before. So no two sessions compete for a port, nobody else can take one, and nothing is open to the network.
//!
//! A session ends when nothing was asked of it for its idle time and it does not say that it is busy (`HealthyBusy`), at
//! the end of its life, when it is stopped, when it uses more than it may, and when its process ends. Then its whole group
//! is gone, and what left the group (found by a mark in its environment), and its folder.
//!
//! What is not as on AWS: a session is a process and no microVM. It runs as the server's own user unless
//! [`AgentSettings::run_as`] says otherwise, on the machine's network and file system. Memory, processes and disk are
//! measured a few times a second.
//!
//! Sources: Bedrock AgentCore Developer Guide, "HTTP protocol contract", "MCP protocol contract", "Use isolated sessions
//! for agents", "Quotas for Amazon Bedrock AgentCore".

mod environment;
mod error;
mod folder;
mod keeper;
mod lease;
mod life;
mod prepare;
mod probe;
mod program;
mod role;
mod session;
mod settings;
mod shims;
mod spec;
mod start;
mod strays;
mod warden;

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::Arn;
use tokio::sync::{OnceCell, Semaphore};

pub use error::StartError;
pub use lease::Lease;
pub use session::Ending;
pub use settings::AgentSettings;
pub use spec::{AgentLimits, AgentSpec, Language, Protocol};

use crate::code::{self, Packages};
use crate::interpreter::Interpreters;
use crate::logs::Logs;
use crate::package::Bounds;
use crate::workdir::{folder_error, take};
use crate::{LogLine, SetupError};
use keeper::Keeper;
use role::Roles;
use session::{Key, Session};

/// The longest name of a session, in bytes (`runtimeSessionId`: 256).
const LONGEST_NAME: usize = 256;

/// Runs agents. Dropping it kills everything that it runs; [`Agents::shutdown`] is gentler.
pub struct Agents(Arc<Inner>);

/// How many there are at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sessions, with those that start or end.
    pub sessions: usize,
    /// Those of them that are starting.
    pub starting: usize,
    /// Those of them that somebody holds a lease of.
    pub busy: usize,
}

impl Agents {
    /// Takes the work folder, ends and removes what an earlier server left there, and stands ready.
    ///
    /// # Errors
    /// [`SetupError`] when the folder is in use or cannot be written.
    pub fn new(settings: AgentSettings) -> Result<Self, SetupError> {
        let inner = Arc::new(Inner::new(settings)?);
        inner.roles.serve(&inner.settings.runtime);
        warden::start(Arc::downgrade(&inner))?;
        Ok(Self(inner))
    }

    /// The session of that name, started if it does not run. Callers that come while it starts wait for the same start;
    /// those that come while it ends wait for its end, and then for a new one. It goes on if the future is dropped.
    ///
    /// A session belongs to one version of its runtime: another version has another process under the same name.
    ///
    /// # Errors
    /// [`StartError`], for every caller that waited.
    pub async fn session(&self, spec: &Arc<AgentSpec>, name: &str) -> Result<Lease, StartError> {
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(StartError::Name);
        }
        loop {
            let (session, awaited) = self.0.find_or_start(spec, name)?;
            if let Some(lease) = session.lease(awaited).await? {
                return Ok(lease);
            }
            session.ended().await;
        }
    }

    /// Whether a session of that name runs, in any version of the runtime.
    #[must_use]
    pub fn has_session(&self, runtime: &Arn, name: &str) -> bool {
        lock(&self.0.sessions).keys().any(|key| key.runtime == runtime.as_str() && key.name == name)
    }

    /// Stops the session of that name in every version of the runtime, and returns when it is gone. `false` if there
    /// was none.
    pub async fn stop(&self, runtime: &Arn, name: &str) -> bool {
        let meant = self.0.those(|key| key.runtime == runtime.as_str() && key.name == name);
        end_all(&meant, &Ending::Stopped).await;
        !meant.is_empty()
    }

    /// Stops all sessions of a runtime and forgets its log: it was deleted. Returns when they are gone.
    pub async fn drop_runtime(&self, runtime: &Arn) {
        end_all(&self.0.those(|key| key.runtime == runtime.as_str()), &Ending::Dropped).await;
        self.0.logs.forget(runtime);
    }

    /// How many sessions there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.count(|_| true)
    }

    /// How many sessions a runtime has, in all its versions.
    #[must_use]
    pub fn counts_of(&self, runtime: &Arn) -> Counts {
        self.0.count(|key| key.runtime == runtime.as_str())
    }

    /// The last lines that the sessions of a runtime and the server wrote about it, oldest first, each behind the name of
    /// its session in brackets: at most 2,000 lines and 512 KiB. Credentials and variables with names like those of
    /// secrets are masked.
    #[must_use]
    pub fn logs(&self, runtime: &Arn) -> Vec<LogLine> {
        self.0.logs.lines(runtime)
    }

    /// Starts no more sessions, asks all to end, kills those that have not ended after `grace`, and returns when every
    /// process is gone.
    pub async fn shutdown(&self, grace: Duration) {
        self.0.closed.store(true, Ordering::SeqCst);
        let all = self.0.those(|_| true);
        let ending = end_all(&all, &Ending::Shutdown);
        tokio::pin!(ending);
        if tokio::time::timeout(grace, &mut ending).await.is_err() {
            for session in &all {
                session.kill();
            }
            ending.await;
        }
        let inner = Arc::clone(&self.0);
        let _ = self.0.settings.runtime.spawn_blocking(move || inner.logs.write()).await;
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::SeqCst);
        for session in self.0.those(|_| true) {
            session.end(Ending::Shutdown);
            session.kill();
        }
    }
}

/// Ends these, and waits until they are gone.
async fn end_all(sessions: &[Arc<Session>], ending: &Ending) {
    for session in sessions {
        session.end(ending.clone());
    }
    for session in sessions {
        session.ended().await;
    }
}

/// What the tasks of agents share.
pub(crate) struct Inner {
    settings: AgentSettings,
    packages: Packages,
    interpreters: Interpreters,
    logs: Arc<Logs>,
    roles: Arc<Roles>,
    keeper: Keeper,
    /// Bounds how many start at once, so that each has a fair share of its time to start.
    starts: Semaphore,
    sessions: Mutex<HashMap<Key, Arc<Session>>>,
    /// The packages that are ready to run, by their folders, and those that are being made so.
    prepared: Mutex<HashMap<PathBuf, Arc<OnceCell<()>>>>,
    /// Above the folders of sessions.
    folders: PathBuf,
    shims: PathBuf,
    next_id: AtomicU64,
    closed: AtomicBool,
    /// Held while we live: the folder is ours.
    _lock: File,
}

impl Inner {
    fn new(mut settings: AgentSettings) -> Result<Self, SetupError> {
        let work_dir = std::path::absolute(&settings.work_dir)
            .map_err(|source| folder_error("find", &settings.work_dir, source))?;
        for configured in [&mut settings.python, &mut settings.node].into_iter().flatten() {
            *configured = std::path::absolute(&*configured)
                .map_err(|source| folder_error("find", configured, source))?;
        }
        let held = take(&work_dir, settings.run_as)?;
        let (code, folders, shims) =
            (work_dir.join("code"), work_dir.join("sessions"), work_dir.join("shims"));
        // Before their folders go: they might write into them.
        strays::kill_all(&folders);
        for folder in [&folders, &shims, &code] {
            folder::remove(folder).map_err(|source| folder_error("empty", folder, source))?;
            code::empty(folder).map_err(|source| folder_error("make", folder, source))?;
        }
        shims::write(&shims)?;
        Ok(Self {
            packages: Packages::open(code.clone(), Bounds::AGENT)
                .map_err(|source| folder_error("empty", &code, source))?,
            interpreters: Interpreters::new(
                settings.python.clone(),
                settings.node.clone(),
                settings.search_path.clone(),
            ),
            logs: Arc::new(Logs::new(settings.log_files.then(|| work_dir.join("logs")))),
            roles: Arc::new(
                Roles::open(Arc::clone(&settings.random))
                    .map_err(|source| folder_error("open a port beside", &work_dir, source))?,
            ),
            keeper: Keeper::start()
                .map_err(|source| folder_error("start a keeper for", &work_dir, source))?,
            starts: Semaphore::new(settings.max_parallel_starts.max(1)),
            sessions: Mutex::default(),
            prepared: Mutex::default(),
            folders,
            shims,
            next_id: AtomicU64::new(1),
            closed: AtomicBool::new(false),
            settings,
            _lock: held,
        })
    }

    /// The session that runs, or one whose start has just begun; and whether the caller waits for a start.
    fn find_or_start(
        self: &Arc<Self>,
        spec: &Arc<AgentSpec>,
        name: &str,
    ) -> Result<(Arc<Session>, bool), StartError> {
        let key = Key::of(spec, name);
        let mut sessions = lock(&self.sessions);
        if let Some(session) = sessions.get(&key) {
            return Ok((Arc::clone(session), session.is_starting()));
        }
        if self.closed.load(Ordering::SeqCst) {
            return Err(StartError::ShuttingDown);
        }
        if sessions.len() >= self.settings.max_sessions {
            return Err(StartError::TooMany { limit: self.settings.max_sessions });
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(Session::new(id, key.clone(), Arc::clone(spec)));
        sessions.insert(key, Arc::clone(&session));
        self.settings.runtime.spawn(start::run(Arc::clone(self), Arc::clone(&session)));
        Ok((session, true))
    }

    /// A session is gone.
    fn remove(&self, session: &Session) {
        let mut sessions = lock(&self.sessions);
        if sessions.get(&session.key).is_some_and(|present| present.id == session.id) {
            sessions.remove(&session.key);
        }
    }

    fn those(&self, meant: impl Fn(&Key) -> bool) -> Vec<Arc<Session>> {
        let sessions = lock(&self.sessions);
        sessions.iter().filter(|(key, _)| meant(key)).map(|(_, session)| Arc::clone(session)).collect()
    }

    fn count(&self, meant: impl Fn(&Key) -> bool) -> Counts {
        let those = self.those(meant);
        Counts {
            sessions: those.len(),
            starting: those.iter().filter(|session| session.is_starting()).count(),
            busy: those.iter().filter(|session| session.leases() > 0).count(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
