//! Starts a session: code, socket, folder, process, and then its first good answer.
//!
//! It runs as a task of its own, so that a caller who goes away does not leave half a session behind.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use mask::Mask;
use tokio::net::TcpSocket;
use tokio::process::Command;

use super::environment::{self, Surroundings};
use super::folder::Places;
use super::life::{self, Life};
use super::prepare;
use super::probe::{self, Health};
use super::session::Session;
use super::{AgentSpec, Ending, Inner, StartError};
use crate::journal::{Journal, Voice};
use crate::limits::{Bounds, Process};
use crate::spawn::{SpawnFailure, spawn};

/// How often a starting agent is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Starts a session.
pub(super) async fn run(inner: Arc<Inner>, session: Arc<Session>) {
    let Err(error) = attempt(&inner, &session).await else { return };
    tracing::info!(
        runtime.arn = session.spec.runtime.as_str(),
        session.id,
        reason = %error,
        "an agent's session could not be started"
    );
    session.failed(error);
    if session.process().is_none() {
        inner.roles.revoke(session.id);
        inner.remove(&session);
        session.gone();
    }
}

async fn attempt(inner: &Arc<Inner>, session: &Arc<Session>) -> Result<(), StartError> {
    let spec = &session.spec;
    let _turn = tokio::select! {
        turn = inner.starts.acquire() => turn.map_err(|_| StartError::ShuttingDown)?,
        () = session.to_end() => return Err(StartError::Stopped),
    };
    let (code, program) = tokio::select! {
        found = prepare::find(inner, spec) => found?,
        () = session.to_end() => return Err(StartError::Stopped),
    };
    let (socket, address) = open().map_err(StartError::system("open a port"))?;
    let mask = Arc::new(RwLock::new(Mask::new(&environment::secrets(spec))));
    let role = spec.credentials.clone();
    let role = role.map(|credentials| inner.roles.admit(session.id, credentials, Arc::clone(&mask)));
    let places = Places::of(inner.folders.join(session.id.to_string()));
    let surroundings = Surroundings {
        places: &places,
        code: &code,
        shims: &inner.shims,
        interpreter: &program.interpreter,
        role,
    };
    let mut command = Command::new(&program.executable);
    command
        .args(&program.arguments)
        .env_clear()
        .envs(environment::build(spec, &surroundings))
        .current_dir(&places.work)
        .stdin(Stdio::from(socket.try_clone().map_err(StartError::system("share a port"))?))
        .process_group(0)
        .kill_on_drop(true);
    if session.ending().is_some() {
        return Err(StartError::Stopped);
    }
    let run_as = inner.settings.run_as;
    let furnish = {
        let places = places.clone();
        move || places.furnish(&code, run_as)
    };
    let spawned = spawn(command, places.folder.clone(), run_as, furnish).await;
    let (child, output) = spawned.map_err(|failure| explain(failure, spec))?;
    let process = child.id().and_then(Process::new);
    let process = process.ok_or_else(|| StartError::EntryPoint("it ended at once".to_owned()))?;
    inner.keeper.keep(process.id());
    let limits = spec.limits;
    let bounded = process.bound(Bounds {
        memory_mib: limits.memory_mib,
        files: limits.open_files,
        largest_file: limits.largest_file,
    });
    session.runs(process);
    let output = Arc::new(output);
    let journal = Journal::new(
        Arc::clone(&output),
        Arc::clone(&inner.logs),
        inner.logs.of(&spec.runtime, &spec.name),
        Arc::clone(&inner.settings.clock),
        Voice { prefix: format!("[{}] ", session.key.name), mask: Some(mask) },
    );
    let journal = Arc::new(Mutex::new(journal));
    tokio::spawn(life::live(Life {
        inner: Arc::clone(inner),
        session: Arc::clone(session),
        child,
        output,
        socket,
        places,
        journal: Arc::clone(&journal),
    }));
    bounded.map_err(StartError::system("bound the process"))?;
    become_ready(inner, session, address, &journal).await
}

/// Waits until it is well for the first time.
async fn become_ready(
    inner: &Inner,
    session: &Session,
    address: SocketAddr,
    journal: &Mutex<Journal>,
) -> Result<(), StartError> {
    let tail = || {
        let tail = journal.lock().unwrap_or_else(PoisonError::into_inner).tail();
        String::from_utf8_lossy(&tail).into_owned()
    };
    let after = inner.settings.start_limit;
    let began = Instant::now();
    let mut found = "nothing listens on its port".to_owned();
    while began.elapsed() < after {
        let look = async {
            let health = probe::ask(session.spec.protocol, address).await;
            if matches!(health, Health::Unwell(_)) {
                tokio::time::sleep(LOOK).await;
            }
            health
        };
        tokio::select! {
            health = look => match health {
                Health::Healthy | Health::Busy => {
                    return if session.ready(address) { Ok(()) } else { Err(StartError::Stopped) };
                }
                Health::Unwell(words) => found = words,
            },
            () = session.to_end() => return Err(match session.ending() {
                Some(Ending::Exited(how)) => StartError::Exited { how, log: tail() },
                Some(Ending::Excess(what)) => StartError::Exited { how: format!("killed: {what}"), log: tail() },
                _ => StartError::Stopped,
            }),
        }
    }
    Err(StartError::NotReady { after, found, log: tail() })
}

/// A socket on a free port of loopback, which does not listen yet.
fn open() -> io::Result<(OwnedFd, SocketAddr)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok((socket.as_fd().try_clone_to_owned()?, socket.local_addr()?))
}

fn explain(failure: SpawnFailure, spec: &AgentSpec) -> StartError {
    match failure {
        SpawnFailure::Folder(error) => StartError::system("make its folder")(error),
        SpawnFailure::Execute(error) => {
            let program = spec.entry_point.first().map_or("", String::as_str);
            StartError::EntryPoint(format!("`{program}` cannot be executed: {error}"))
        }
    }
}
