//! Sessions of clients before 2026-07-28, where a gateway keeps them: what was agreed at `initialize`, and the requests
//! that wait for the client's answer.
//!
//! Source: "Gateway sessions" in the AgentCore developer guide: a session ends a fixed time after `initialize`, belongs
//! to whoever opened it, and is unknown to everybody else.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{GatewayId, Timestamp};
use http::StatusCode;
use mcp::jsonrpc::{INVALID_PARAMS, INVALID_REQUEST, Message};
use mcp::upstream::Peer;
use mcp::{Capabilities, LOG_LEVELS};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::answer::Reply;
use crate::turn::Turn;

/// The most sessions that are kept at once.
const MOST: usize = 100_000;
/// The most of one owner on one gateway: the oldest gives way to a new one.
const MOST_OF_OWNER: usize = 1_000;
/// How often those that have ended are looked for, when there is no room.
const SWEEP: Duration = Duration::from_secs(1);
/// The most requests of one session that may wait for the client.
const MOST_PENDING: usize = 100;

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    sessions: HashMap<String, Arc<Session>>,
    /// Of each owner on each gateway, the oldest first; some may have ended.
    by_owner: HashMap<(GatewayId, String), VecDeque<String>>,
    swept: Timestamp,
}

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
        let mut kept = held(&self.0);
        let Kept { sessions, by_owner, swept } = &mut *kept;
        if sessions.len() >= MOST && swept.plus(SWEEP) <= now {
            *swept = now;
            sessions.retain(|_, session| now < session.until);
            by_owner.retain(|_, ids| {
                ids.retain(|id| sessions.contains_key(id));
                !ids.is_empty()
            });
        }
        if sessions.len() >= MOST {
            return Err(Reply::unavailable("There are too many sessions. Try again"));
        }
        let own = by_owner.entry((session.gateway.clone(), session.owner.clone())).or_default();
        if own.len() >= MOST_OF_OWNER
            && let Some(oldest) = own.pop_front()
        {
            sessions.remove(&oldest);
        }
        own.push_back(session.id.clone());
        sessions.insert(session.id.clone(), session);
        Ok(())
    }

    /// The session of this id, if it lives and belongs to this caller of this gateway.
    fn find(&self, turn: &Turn, id: &str) -> Option<Arc<Session>> {
        let mut kept = held(&self.0);
        let session = kept.sessions.get(id)?;
        if session.until <= turn.now() {
            kept.sessions.remove(id);
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
    let id = hex::encode(bytes);
    let session = Session {
        id: id.clone(),
        gateway: turn.gate.gateway.id.clone(),
        owner: turn.caller.key().to_owned(),
        until: turn.now().plus(Duration::from_secs(seconds.into())),
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
            held(&turn.lane.plane.sessions.0).sessions.remove(&session.id);
            Reply::nothing()
        }
        Err(reply) => reply,
    }
}

/// Whether an answer of the client is waited for.
pub(crate) fn expects(turn: &Turn, id: &RawValue) -> bool {
    let asked: Option<u64> = id.get().parse().ok();
    let waiting = |session: &Arc<Session>| asked.is_some_and(|id| held(&session.pending).contains_key(&id));
    turn.session.as_ref().is_some_and(waiting)
}

/// What an answer gets that nobody waits for.
pub(crate) fn unexpected() -> Reply {
    let detail = "No request of this id waits for an answer";
    Reply::refused(StatusCode::BAD_REQUEST, INVALID_REQUEST, detail)
}

/// The client's answer to a request that an upstream made.
pub(crate) fn answered(
    turn: &Turn,
    id: &RawValue,
    result: Option<&RawValue>,
    error: Option<&RawValue>,
) -> Reply {
    let Some(session) = &turn.session else { return unexpected() };
    let waiting = id.get().parse().ok().and_then(|id: u64| held(&session.pending).remove(&id));
    let Some(waiting) = waiting else { return unexpected() };
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
        level: String,
    }
    if !turn.gate.catalogue.logs() {
        return Reply::no_method(id, "logging/setLevel");
    }
    let given: Option<Params> = params.and_then(|params| serde_json::from_str(params.get()).ok());
    let Some(Params { level }) = given.filter(|given| LOG_LEVELS.contains(&given.level.as_str())) else {
        return Reply::error(
            id,
            INVALID_PARAMS,
            "logging/setLevel needs `params` with a `level` of RFC 5424",
        );
    };
    if let Some(session) = &turn.session {
        *held(&session.level) = Some(level);
    }
    Reply::result(id, "{}")
}
