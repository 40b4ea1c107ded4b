//! Starts an instance: code, credentials, folder, listener, process, and then its first request for an event.
//!
//! It runs as a task of its own, so that a caller who goes away does not leave half an instance behind.

use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::FunctionRuntime;
use rustix::io::Errno;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::oneshot;

use crate::environment::{self, Places};
use crate::instance::{Instance, Parts};
use crate::journal::{Journal, Voice};
use crate::limits::{Bounds, Process};
use crate::outcome::Fault;
use crate::pools::{Refusal, Start};
use crate::processes;
use crate::spawn::{SpawnFailure, spawn};
use crate::supervise::{self, Life};
use crate::supervisor::{Inner, NODE_CLIENT, PYTHON_CLIENT};
use crate::{Code, InvokeError, Launch};

/// How long a runtime may take to ask for its first event, if its function's timeout is not longer: Lambda's
/// ten seconds.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// Starts an instance and tells the pools.
pub(crate) async fn run(inner: Arc<Inner>, start: Start) {
    match attempt(&inner, &start.launch).await {
        Ok(instance) => inner.started(&start, &instance),
        Err(refusal) => inner.start_failed(&start, refusal),
    }
}

async fn attempt(inner: &Arc<Inner>, launch: &Arc<Launch>) -> Result<Arc<Instance>, Refusal> {
    let presence = inner.roster.arrive();
    inner.watch.nudge();
    let task_root = match &launch.code {
        Code::Folder(folder) => {
            std::path::absolute(folder).map_err(|error| refused("find the code", error))?
        }
        Code::Archive { digest, archive } => inner.packages.ensure(*digest, archive).await?,
    };
    let credentials = launch
        .credentials
        .give()
        .await
        .map_err(|error| InvokeError::CredentialsUnavailable(error.to_string()))?;
    let program = Program::find(inner, launch, &task_root).await?;
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| refused("open a port", error))?;
    let address = listener.local_addr().map_err(|error| refused("open a port", error))?;
    if !inner.is_open() {
        return Err(InvokeError::ShuttingDown.into());
    }

    let id = inner.next_id();
    let scratch = inner.scratch.join(id.to_string());
    let environment = environment::build(
        launch,
        &credentials,
        &Places {
            task_root: &task_root,
            runtime_dir: &inner.runtime_dir,
            scratch: &scratch,
            interpreter_dir: program.folder(),
            runtime_api: &address.to_string(),
            log_stream: &inner.log_stream_name(&launch.version),
        },
    );
    let mut command = Command::new(&program.executable);
    command
        .args(&program.arguments)
        .env_clear()
        .envs(environment)
        .current_dir(&task_root)
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    let began = Instant::now();
    let spawned = spawn(command, scratch.clone(), inner.settings.run_as, || Ok(())).await;
    let (child, output) = spawned.map_err(|failure| explain(failure, launch))?;
    let process = child.id().and_then(Process::new).ok_or(InvokeError::Unstable)?;
    process
        .bound(Bounds::function(launch.memory_mib))
        .map_err(|error| refused("bound the process", error))?;

    let output = Arc::new(output);
    let (ready, readiness) = oneshot::channel();
    let journal = Journal::new(
        Arc::clone(&output),
        Arc::clone(&inner.logs),
        inner.logs.of(&launch.function, &launch.name),
        Arc::clone(&inner.settings.clock),
        Voice::default(),
    );
    let instance = Arc::new(Instance::new(Parts {
        id,
        launch: Arc::clone(launch),
        process,
        owner: Arc::downgrade(inner),
        watch: Arc::clone(&inner.watch),
        journal,
        ready,
        credentials_end: credentials.expires_at,
    }));
    inner.roster.add(&instance);
    tokio::spawn(supervise::live(Life {
        inner: Arc::clone(inner),
        instance: Arc::clone(&instance),
        child,
        listener,
        output,
        scratch,
        presence,
    }));
    become_ready(&instance, readiness, began).await?;
    Ok(instance)
}

/// Waits for the first request for an event.
async fn become_ready(
    instance: &Arc<Instance>,
    readiness: oneshot::Receiver<Result<(), Fault>>,
    began: Instant,
) -> Result<(), Refusal> {
    let limit = instance.launch.timeout().max(INIT_LIMIT);
    let fault = match tokio::time::timeout(limit, readiness).await {
        Ok(Ok(Ok(()))) => {
            let took = began.elapsed();
            instance.ready_after(took);
            instance.saw_memory(processes::resident(instance.process.id()).unwrap_or_default());
            tracing::debug!(
                function.arn = instance.launch.function.as_str(),
                instance.id,
                process.pid = instance.process.id(),
                duration_ms = took.as_millis(),
                "an instance is ready"
            );
            return Ok(());
        }
        Ok(Ok(Err(fault))) => fault,
        Ok(Err(_)) => Fault::Exited("Runtime exited without providing a reason".to_owned()),
        Err(_) => Fault::TimedOut(limit),
    };
    let log = instance.log_tail();
    instance.stop();
    Err(Refusal::Fault { fault, log, took: began.elapsed() })
}

/// What is executed.
struct Program {
    executable: PathBuf,
    arguments: Vec<PathBuf>,
}

impl Program {
    async fn find(inner: &Inner, launch: &Launch, task_root: &Path) -> Result<Self, Refusal> {
        match &launch.runtime {
            FunctionRuntime::Python(minor) => {
                let interpreter = inner.interpreters.python(launch.function.as_str(), *minor).await?;
                // -B: the code's folder is shared and stays as it is; -s: no packages of the user's own.
                let options = ["-B", "-s", "-X", "utf8"].map(PathBuf::from);
                let client = inner.runtime_dir.join(PYTHON_CLIENT);
                Ok(Self { executable: interpreter, arguments: options.into_iter().chain([client]).collect() })
            }
            FunctionRuntime::Node(major) => {
                let interpreter = inner.interpreters.node(launch.function.as_str(), *major).await?;
                // So that garbage is collected before the instance is found to use too much; Lambda does the same.
                let heap = format!("--max-old-space-size={}", launch.memory_mib * 9 / 10);
                let client = inner.runtime_dir.join(NODE_CLIENT);
                Ok(Self { executable: interpreter, arguments: vec![PathBuf::from(heap), client] })
            }
            FunctionRuntime::Provided(_) => {
                let bootstrap = task_root.join("bootstrap");
                let metadata = tokio::fs::metadata(&bootstrap).await;
                let fits = metadata
                    .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0);
                if fits {
                    Ok(Self { executable: bootstrap, arguments: Vec::new() })
                } else {
                    Err(invalid_entrypoint("Couldn't find valid bootstrap(s): [/var/task/bootstrap]"))
                }
            }
        }
    }

    /// The folder of the interpreter.
    fn folder(&self) -> Option<&Path> {
        if self.arguments.is_empty() {
            return None;
        }
        self.executable.parent()
    }
}

/// What is not executable in an archive is the function's fault, anything else is ours.
fn explain(failure: SpawnFailure, launch: &Launch) -> Refusal {
    let error = match failure {
        SpawnFailure::Folder(error) => return refused("make its folder", error).into(),
        SpawnFailure::Execute(error) => error,
    };
    let words = match Errno::from_io_error(&error) {
        Some(Errno::NOEXEC) => "exec format error",
        Some(Errno::NOENT) => "no such file or directory",
        Some(Errno::ACCESS) => "permission denied",
        _ => return refused("execute it", error).into(),
    };
    match launch.runtime {
        FunctionRuntime::Provided(_) => {
            invalid_entrypoint(&format!("fork/exec /var/task/bootstrap: {words}"))
        }
        FunctionRuntime::Python(_) | FunctionRuntime::Node(_) => {
            refused("execute the interpreter", error).into()
        }
    }
}

fn invalid_entrypoint(text: &str) -> Refusal {
    Refusal::Fault { fault: Fault::InvalidEntrypoint(text.to_owned()), log: Vec::new(), took: Duration::ZERO }
}

fn refused(attempt: &'static str, source: io::Error) -> InvokeError {
    InvokeError::Start { attempt, source }
}

impl<E: Into<InvokeError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}
