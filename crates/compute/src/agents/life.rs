//! The life of a session after its process was started: its output, its idleness, its end.
//!
//! One task sees to all of it. When the process ends, by itself or asked to, nothing of it is left before the session
//! counts as gone: first its group is killed, before the process is waited for, so that the group's number cannot have
//! passed to somebody else by then; then what left the group; then its folder.

use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::unix::pipe;
use tokio::process::Child;
use tokio::time::{Instant, sleep, sleep_until};

use super::folder::{self, Places};
use super::probe::{self, Health};
use super::session::Session;
use super::{Ending, Inner, strays};
use crate::journal::{Drained, Journal};
use crate::outcome;
use crate::supervise::wait_unreaped;

/// What the life of a session needs.
pub(super) struct Life {
    pub(super) inner: Arc<Inner>,
    pub(super) session: Arc<Session>,
    pub(super) child: Child,
    /// The reading end of its stdout and stderr.
    pub(super) output: Arc<pipe::Receiver>,
    /// The socket that it listens on: held to the end, so that nobody else can have its port.
    pub(super) socket: OwnedFd,
    pub(super) places: Places,
    pub(super) journal: Arc<Mutex<Journal>>,
}

/// Lives it.
pub(super) async fn live(life: Life) {
    let Life { inner, session, mut child, output, socket, places, journal } = life;
    let attending = tokio::spawn(attend(Arc::clone(&session), inner.settings.ping_interval));
    let too_old = sleep_until(Instant::from_std(session.began) + session.spec.max_life);
    let ending = ended(&inner, &session, &mut child);
    tokio::pin!(too_old, ending);
    let (mut silent, mut kill_at) = (false, None);
    let status = loop {
        tokio::select! {
            status = &mut ending => break status,
            read = read(&output, &journal), if !silent => silent = read == Drained::Closed,
            () = &mut too_old, if kill_at.is_none() => session.end(Ending::TooOld),
            () = session.to_end(), if kill_at.is_none() => {
                if let Some(process) = session.process() {
                    process.terminate();
                }
                kill_at = Some(Instant::now() + inner.settings.stop_grace);
            }
            () = sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => {
                session.kill();
                // Again, should it have escaped between two looks.
                kill_at = Some(Instant::now() + Duration::from_millis(100));
            }
        }
    };
    attending.abort();
    session.end(Ending::Exited(status.map_or_else(|error| error.to_string(), outcome::ending)));
    let folder = places.folder.clone();
    // Whatever cannot be removed now is removed at the next start of the server.
    let _ = tokio::task::spawn_blocking(move || {
        strays::kill(&folder);
        folder::remove(&folder)
    })
    .await;
    tell(&session, &journal);
    inner.roles.revoke(session.id);
    drop(socket);
    inner.remove(&session);
    session.gone();
}

/// Waits for the end of the process, and takes its group along.
async fn ended(inner: &Inner, session: &Session, child: &mut Child) -> io::Result<ExitStatus> {
    if let Some(process) = session.process() {
        // If even waiting is impossible, the process is nobody's we could name.
        let _ = wait_unreaped(process.pid()).await;
        process.reap();
        inner.keeper.release(process.id());
    }
    child.wait().await
}

/// Ends the session when nobody has used it for its idle time, and asks it meanwhile whether it is busy.
async fn attend(session: Arc<Session>, interval: Duration) {
    let interval = interval.min(session.spec.idle_timeout / 3).max(Duration::from_millis(20));
    loop {
        sleep(interval).await;
        let Some(address) = session.address() else { continue };
        if session.unused_since().is_none() {
            continue;
        }
        if probe::ask(session.spec.protocol, address).await == Health::Busy {
            session.is_busy();
        }
        session.end_if_idle();
    }
}

/// Waits for output and reads it.
async fn read(output: &pipe::Receiver, journal: &Mutex<Journal>) -> Drained {
    match output.readable().await {
        Ok(()) => journal.lock().unwrap_or_else(PoisonError::into_inner).drain_ready(),
        Err(_) => Drained::Closed,
    }
}

/// Says in the log how it ended, after its last words.
fn tell(session: &Session, journal: &Mutex<Journal>) {
    let words = session.ending().map(|ending| ending.words()).unwrap_or_default();
    let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
    journal.tail();
    journal.write(&format!("the session has ended: {words}"));
    tracing::info!(
        runtime.arn = session.spec.runtime.as_str(),
        session.id,
        reason = words,
        "an agent's session has ended"
    );
}
