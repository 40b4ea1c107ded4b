//! The life of one process after it was started: its connections, its output, its end.
//!
//! One task sees to all of it. When the process ends, its group is killed before it is waited for, so that
//! the group's number cannot have passed to somebody else by then.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tokio::net::unix::pipe;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::instance::Instance;
use crate::journal::Drained;
use crate::outcome::Fault;
use crate::peer::{self, Peer};
use crate::roster::Presence;
use crate::runtime_api;
use crate::supervisor::Inner;

/// How many connections to its Runtime API a process may have at once.
const MOST_CONNECTIONS: usize = 32;

/// What the life of a process needs.
pub(crate) struct Life {
    pub(crate) inner: Arc<Inner>,
    pub(crate) instance: Arc<Instance>,
    pub(crate) child: Child,
    pub(crate) listener: TcpListener,
    /// The reading end of its stdout and stderr.
    pub(crate) output: Arc<pipe::Receiver>,
    pub(crate) scratch: PathBuf,
    pub(crate) presence: Presence,
}

/// Lives it.
pub(crate) async fn live(life: Life) {
    let Life { inner, instance, mut child, listener, output, scratch, presence } = life;
    let mut connections = JoinSet::new();
    let mut silent = false;
    let ending = ended(&instance, &mut child);
    tokio::pin!(ending);
    let status = loop {
        tokio::select! {
            status = &mut ending => break status,
            dialled = listener.accept(), if connections.len() < MOST_CONNECTIONS => if let Ok((stream, from)) = dialled {
                connections.spawn(serve(Arc::clone(&instance), stream, from.port()));
            },
            read = read(&output, &instance), if !silent => silent = read == Drained::Closed,
            Some(_) = connections.join_next() => {}
        }
    };
    instance.read_log();
    let fault = match status {
        Ok(status) => Fault::exited(status),
        Err(_) => Fault::Exited("Runtime exited without providing a reason".to_owned()),
    };
    tracing::debug!(function.arn = instance.launch.function.as_str(), instance.id, "an instance has ended");
    instance.end(fault);
    inner.roster.remove(&instance);
    // What it wrote there may be read-only even to us; the next start of the server tries again.
    let _ = tokio::fs::remove_dir_all(scratch).await;
    drop(presence);
}

/// Waits for the end of the process, and takes its group along.
async fn ended(instance: &Instance, child: &mut Child) -> io::Result<ExitStatus> {
    // If even waiting is impossible, the process is nobody's we could name.
    let _ = wait_unreaped(instance.process.pid()).await;
    instance.process.reap();
    child.wait().await
}

/// Waits until the process has ended, without taking note of it: its number stays taken.
pub(crate) async fn wait_unreaped(pid: Pid) -> io::Result<()> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let mut children = signal(SignalKind::child())?;
    while waitid(WaitId::Pid(pid), options)?.is_none() {
        // The signal tells that some child has ended, perhaps another.
        children.recv().await;
    }
    Ok(())
}

/// Waits for output and reads it.
async fn read(output: &pipe::Receiver, instance: &Instance) -> Drained {
    match output.readable().await {
        Ok(()) => instance.read_ready_log(),
        Err(_) => Drained::Closed,
    }
}

/// Serves the Runtime API on one connection, if a process of the instance has dialled it.
async fn serve(instance: Arc<Instance>, stream: TcpStream, from: u16) {
    let Ok(to) = stream.local_addr() else { return };
    let leader = instance.process.id();
    let traced = tokio::task::spawn_blocking(move || peer::trace(leader, from, to.port())).await;
    if !matches!(traced, Ok(Peer::Instance | Peer::Unknown)) {
        tracing::warn!(
            function.arn = instance.launch.function.as_str(),
            instance.id,
            peer.port = from,
            "a process that is not the function's dialled its Runtime API, and was refused",
        );
        return;
    }
    // Answers are small and awaited.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| runtime_api::serve(Arc::clone(&instance), request));
    // How a connection ends is the client's business: what matters is told by the process itself.
    let _ =
        http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), service).await;
}
