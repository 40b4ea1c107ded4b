//! Sessions of clients before 2026-07-28, where a gateway keeps them: what was agreed at `initialize`, and the requests
//! that wait for the client's answer.
//!
//! A session is its id: what was agreed, sealed for its gateway and whoever opened it. Nothing is written when one is
//! opened, and every replica can open the id. What can change later, its end and its log level, is a row that a replica
//! reads when it sees the session first, and again when the change feed says so (`session/sessions.rs`).
//!
//! Source: "Gateway sessions" in the AgentCore developer guide: a session ends a fixed time after `initialize`, belongs
//! to whoever opened it, and is unknown to everybody else.

mod keeper;
mod sealed;
mod sessions;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::Timestamp;
use http::StatusCode;
use mcp::jsonrpc::{INVALID_PARAMS, INVALID_REQUEST, Message};
use mcp::upstream::{Keeper, Peer};
use mcp::{Capabilities, LOG_LEVELS};
use serde::Deserialize;
use serde_json::value::RawValue;
use store::{McpSessionKey, McpSessionState, Store, StoreError};
use tokio::sync::oneshot;

use crate::answer::Reply;
use crate::turn::Turn;
use sealed::Sealed;
pub use sessions::Sessions;

/// The most requests of one session that may wait for the client.
const MOST_PENDING: usize = 100;

/// One session, as this replica knows it.
pub(crate) struct Session {
    /// The hash of its id, which is what it is called where others may read it.
    name: String,
    /// The hash of its gateway and of who opened it; nobody else has it.
    owner: String,
    until: Timestamp,
    capabilities: Capabilities,
    state: Mutex<McpSessionState>,
    /// How often the change feed has told of it, and how often it had when the state was read.
    told: AtomicU64,
    read: AtomicU64,
    /// Requests to the client that wait for its answer, by our ids.
    pending: Mutex<HashMap<u64, oneshot::Sender<String>>>,
    next: AtomicU64,
}

impl Session {
    fn new(name: String, owner: String, sealed: Sealed, state: McpSessionState) -> Self {
        Self {
            name,
            owner,
            until: sealed.until,
            capabilities: sealed.capabilities,
            state: Mutex::new(state),
            told: AtomicU64::new(0),
            read: AtomicU64::new(0),
            pending: Mutex::default(),
            next: AtomicU64::new(1),
        }
    }

    pub(crate) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The session as servers are asked on its behalf. What is opened with them is kept beside it.
    pub(crate) fn peer(self: &Arc<Self>, turn: &Turn) -> Peer {
        let keeper = keeper::Kept::new(turn.lane.plane.setup.sessions.store(), self, turn.now());
        Peer {
            key: format!("session {}", self.name),
            capabilities: self.capabilities.clone(),
            log_level: held(&self.state).level.clone(),
            keeper: Some(Keeper(Arc::new(keeper))),
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

    fn key(&self) -> McpSessionKey<'_> {
        McpSessionKey { session: &self.name, owner: &self.owner, until: self.until }
    }

    /// Reads the state again, if the change feed has told of it since it was read. Whoever comes meanwhile reads, too.
    async fn refresh(&self, store: &Store) -> Result<(), StoreError> {
        let told = self.told.load(Ordering::Acquire);
        if self.read.load(Ordering::Acquire) < told {
            let state = store.mcp_session(&self.name).await?;
            let mut present = held(&self.state);
            // Whoever read later was faster; and what was ended stays so.
            if self.read.fetch_max(told, Ordering::AcqRel) < told {
                *present = McpSessionState { ended: present.ended || state.ended, ..state };
            }
        }
        Ok(())
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

/// A lock whose holder panicked still holds what it held: single insertions and removals leave nothing half done.
fn held<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Finds the session of a message, where the gateway keeps sessions. `initialize` opens one.
pub(crate) async fn recognise(turn: &mut Turn, message: &Message<'_>) -> Result<(), Reply> {
    let opens = matches!(message, Message::Request { method, .. } if method == "initialize");
    if turn.gate.session_seconds().is_none() || opens {
        return Ok(());
    }
    turn.session = Some(find(turn).await?);
    Ok(())
}

async fn find(turn: &Turn) -> Result<Arc<Session>, Reply> {
    let refuse = |status, detail| Err(Reply::refused(status, INVALID_REQUEST, detail));
    let Some(id) = turn.arrival.header("mcp-session-id") else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "The header Mcp-Session-Id is missing: send `initialize` first",
        );
    };
    let owner = sealed::owner(turn.gate.gateway.id.as_str(), turn.caller.key());
    match turn.lane.plane.setup.sessions.find(id, &owner, turn.now()).await {
        Ok(Some(session)) => Ok(session),
        Ok(None) => {
            refuse(StatusCode::NOT_FOUND, "There is no such session any more: send `initialize` again")
        }
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &StoreError) -> Reply {
    tracing::warn!(%error, "A session cannot be read or written.");
    Reply::unavailable("Sessions cannot be read now. Try again")
}

/// Opens a session for a client with these capabilities, and says its id.
pub(crate) fn open(turn: &Turn, capabilities: Capabilities) -> Result<Option<String>, Reply> {
    let Some(seconds) = turn.gate.session_seconds() else { return Ok(None) };
    let owner = sealed::owner(turn.gate.gateway.id.as_str(), turn.caller.key());
    let until = turn.now().plus(Duration::from_secs(seconds.into()));
    let plane = &turn.lane.plane;
    let opened =
        plane.setup.sessions.open(owner, Sealed { until, capabilities }, &*plane.setup.random, turn.now());
    opened.map(Some).map_err(|error| unreadable(&error))
}

/// Ends the session that the request names, at all replicas.
pub(crate) async fn end(turn: &Turn) -> Reply {
    let session = match find(turn).await {
        Ok(session) => session,
        Err(reply) => return reply,
    };
    let state = McpSessionState { ended: true, ..McpSessionState::default() };
    match write(turn, &session, state).await {
        Ok(()) => Reply::nothing(),
        Err(reply) => reply,
    }
}

/// Writes the state of a session for all replicas.
async fn write(turn: &Turn, session: &Session, state: McpSessionState) -> Result<(), Reply> {
    let (scope, store) = (&turn.gate.gateway.scope, turn.lane.plane.setup.sessions.store());
    match store.put_mcp_session(scope, session.key(), &state, turn.now()).await {
        Ok(true) => {
            let mut present = held(&session.state);
            // What somebody else ended meanwhile stays so.
            *present = McpSessionState { ended: present.ended || state.ended, ..state };
            Ok(())
        }
        Ok(false) => {
            Err(Reply::unavailable("Too many sessions of yours were changed: this one ends by itself"))
        }
        Err(error) => Err(unreadable(&error)),
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
pub(crate) async fn set_level(turn: &Turn, id: &str, params: Option<&RawValue>) -> Reply {
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
        let state = McpSessionState { level: Some(level), ..McpSessionState::default() };
        if let Err(reply) = write(turn, session, state).await {
            return reply;
        }
    }
    Reply::result(id, "{}")
}
