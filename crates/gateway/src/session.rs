//! Sessions of clients before 2026-07-28, where a gateway keeps them: what was agreed at `initialize`, and the requests
//! that wait for the client's answer.
//!
//! Source: "Gateway sessions" in the AgentCore developer guide: a session ends a fixed time after `initialize`, belongs
//! to whoever opened it, and is unknown to everybody else.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::{GatewayId, Timestamp};
use http::StatusCode;
use mcp::Capabilities;
use mcp::jsonrpc::{INVALID_PARAMS, INVALID_REQUEST, Message};
use mcp::upstream::Peer;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::answer::Reply;
use crate::turn::Turn;

/// The most sessions that are kept at once.
const MOST: usize = 100_000;
/// The most requests of one session that may wait for the client.
const MOST_PENDING: usize = 100;

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Arc<Session>>>);

/// One session.
pub(crate) struct Session {
    pub(crate) id: String,
    gateway: GatewayId,
    /// Who opened it; nobody else has it.
    owner: String,
    until: Timestamp,
    capabilities: Capabilities,
    level: Mutex<Option<String>>,
    /// Requests to the client that wait for its answer, by our ids.
    pending: Mutex<HashMap<u64, oneshot::Sender<String>>>,
    next: AtomicU64,
}

impl Session {
    pub(crate) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer {
            key: format!("session {}", self.id),
            capabilities: self.capabilities.clone(),
            log_level: held(&self.level).clone(),
        }
    }

    /// A request to the client is about to be made: its id, and where its answer comes. The answer is the member of the
    /// message that says it, `"result":…` or `"error":…`.
    pub(crate) fn expect(self: &Arc<Self>) -> Option<Expected> {
        let mut pending = held(&self.pending);
        if pending.len() >= MOST_PENDING {
            return None;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        pending.insert(id, sender);
        Some(Expected { id, session: Arc::clone(self), answer })
    }
}

/// An answer of the client that is waited for. Nobody waits any more when this is dropped.
pub(crate) struct Expected {
    pub(crate) id: u64,
    session: Arc<Session>,
    pub(crate) answer: oneshot::Receiver<String>,
}

impl Drop for Expected {
    fn drop(&mut self) {
        held(&self.session.pending).remove(&self.id);
    }
}

impl Sessions {
    fn insert(&self, session: Arc<Session>, now: Timestamp) -> Result<(), Reply> {
        let mut sessions = held(&self.0);
        if sessions.len() >= MOST {
            sessions.retain(|_, session| now < session.until);
        }
        if sessions.len() >= MOST {
            return Err(Reply::unavailable("There are too many sessions. Try again"));
        }
        sessions.insert(session.id.clone(), session);
        Ok(())
    }

    /// The session of this id, if it lives and belongs to this caller of this gateway.
    fn find(&self, turn: &Turn, id: &str) -> Option<Arc<Session>> {
        let mut sessions = held(&self.0);
        let session = sessions.get(id)?;
        if session.until <= turn.now() {
            sessions.remove(id);
            return None;
        }
        let own = session.gateway == turn.gate.gateway.id && session.owner == turn.caller.key();
        own.then(|| Arc::clone(session))
    }
}

/// A lock whose holder panicked still holds what it held: single insertions and removals leave nothing half done.
fn held<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Finds the session of a message, where the gateway keeps sessions. `initialize` opens one.
pub(crate) fn recognise(turn: &mut Turn, message: &Message<'_>) -> Result<(), Reply> {
    let opens = matches!(message, Message::Request { method, .. } if method == "initialize");
    if turn.gate.session_seconds().is_none() || opens {
        return Ok(());
    }
    turn.session = Some(find(turn)?);
    Ok(())
}

fn find(turn: &Turn) -> Result<Arc<Session>, Reply> {
    let refuse = |status, detail| Err(Reply::refused(status, INVALID_REQUEST, detail));
    let Some(id) = turn.arrival.header("mcp-session-id") else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "The header Mcp-Session-Id is missing: send `initialize` first",
        );
    };
    match turn.lane.plane.sessions.find(turn, id) {
        Some(session) => Ok(session),
        None => refuse(StatusCode::NOT_FOUND, "There is no such session any more: send `initialize` again"),
    }
}

/// Opens a session for a client with these capabilities, and says its id.
pub(crate) fn open(turn: &Turn, capabilities: Capabilities) -> Result<Option<String>, Reply> {
    let Some(seconds) = turn.gate.session_seconds() else { return Ok(None) };
    let mut bytes = [0; 16];
    turn.lane.plane.setup.random.fill(&mut bytes);
    let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let session = Session {
        id: id.clone(),
        gateway: turn.gate.gateway.id.clone(),
        owner: turn.caller.key(),
        until: turn.now().plus(std::time::Duration::from_secs(seconds.into())),
        capabilities,
        level: Mutex::new(None),
        pending: Mutex::default(),
        next: AtomicU64::new(1),
    };
    turn.lane.plane.sessions.insert(Arc::new(session), turn.now())?;
    Ok(Some(id))
}

/// Ends the session that the request names.
pub(crate) fn end(turn: &Turn) -> Reply {
    match find(turn) {
        Ok(session) => {
            held(&turn.lane.plane.sessions.0).remove(&session.id);
            Reply::nothing()
        }
        Err(reply) => reply,
    }
}

/// The client's answer to a request that an upstream made.
pub(crate) fn answered(
    turn: &Turn,
    id: &RawValue,
    result: Option<&RawValue>,
    error: Option<&RawValue>,
) -> Reply {
    let Some(session) = &turn.session else { return Reply::accepted() };
    let waiting = id.get().parse().ok().and_then(|id: u64| held(&session.pending).remove(&id));
    let Some(waiting) = waiting else {
        let detail = "No request of this id waits for an answer";
        return Reply::refused(StatusCode::BAD_REQUEST, INVALID_REQUEST, detail);
    };
    let outcome = match (result, error) {
        (Some(result), _) => format!("\"result\":{}", result.get()),
        (None, error) => format!("\"error\":{}", error.map_or("{}", RawValue::get)),
    };
    // Whoever waited may have gone meanwhile.
    drop(waiting.send(outcome));
    Reply::accepted()
}

/// Remembers from which level on the client wants log messages (2025-11-25, "Logging").
pub(crate) fn set_level(turn: &Turn, id: &str, params: Option<&RawValue>) -> Reply {
    #[derive(Deserialize)]
    struct Params {
        level: Level,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Level {
        Debug,
        Info,
        Notice,
        Warning,
        Error,
        Critical,
        Alert,
        Emergency,
    }
    if !turn.gate.catalogue.logs() {
        return Reply::no_method(id, "logging/setLevel");
    }
    let Some(Params { level }) = params.and_then(|params| serde_json::from_str(params.get()).ok()) else {
        return Reply::error(
            id,
            INVALID_PARAMS,
            "logging/setLevel needs `params` with a `level` of RFC 5424",
        );
    };
    let level = match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Notice => "notice",
        Level::Warning => "warning",
        Level::Error => "error",
        Level::Critical => "critical",
        Level::Alert => "alert",
        Level::Emergency => "emergency",
    };
    if let Some(session) = &turn.session {
        *held(&session.level) = Some(level.to_owned());
    }
    Reply::result(id, "{}")
}
