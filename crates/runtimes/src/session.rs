//! Sessions: how they are named, and whose they are.
//!
//! A session is its first caller's. Under a token that is its issuer and subject, under a signature the role without the
//! name of its session, or the user, together with the user id that is spoken for. Whoever else names the session is told
//! what anybody is told who may not call.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use domain::{AgentProtocol, Timestamp, uuid};
use http::HeaderMap;
use quick_cache::sync::Cache;

use crate::authenticate::Caller;
use crate::edge::House;
use crate::headers::{MCP_SESSION, SESSION};
use crate::place::Query;
use crate::refusal::{Kind, Refusal};
use crate::registry::Served;

/// How long the id of a session is at least where callers sign (API type `SessionType`).
const SHORTEST_SIGNED: usize = 33;
/// How long it is at most.
const LONGEST: usize = 256;
/// How long a binding is believed without a look into the store.
const BELIEVED: Duration = Duration::from_secs(60);
/// How long a binding outlasts the longest life of what it is about.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// How many bindings are remembered.
const REMEMBERED: usize = 20_000;

/// What a caller is told whose session it is not. It does not say that there is one.
const DENIED: &str = "You are not authorized to perform this operation.";

/// The bindings that were looked at lately, by session.
pub(crate) struct Bindings(Cache<String, Believed>);

/// A binding that was looked at.
#[derive(Clone)]
struct Believed {
    owner: String,
    /// Until when it is believed.
    until: Timestamp,
    /// How long the session's processes can live at most, for which it was asked then.
    life: Duration,
}

impl Default for Bindings {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

/// The name of the session that a request is for; a new one where it names none.
pub(crate) fn name(
    house: &House,
    served: &Served,
    caller: &Caller,
    headers: &HeaderMap,
    query: &Query,
) -> Result<String, Refusal> {
    let given = named(served.version.speaks(), headers, query)?;
    let Some(name) = given else { return Ok(uuid(&*house.setup.random)) };
    let shortest = if caller.signs { SHORTEST_SIGNED } else { 1 };
    let sound = name.bytes().all(|byte| byte.is_ascii_graphic());
    if (shortest..=LONGEST).contains(&name.len()) && sound {
        return Ok(name);
    }
    Err(Refusal::invalid(format!(
        "The id of a session has {shortest} to {LONGEST} visible characters: see the header {SESSION}."
    )))
}

/// The name that a request gives, in whichever place it gives it.
fn named(protocol: AgentProtocol, headers: &HeaderMap, query: &Query) -> Result<Option<String>, Refusal> {
    let header = |name: &str| match headers.get(name).map(http::HeaderValue::to_str) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text.to_owned()).filter(|text| !text.is_empty())),
        Some(Err(_)) => Err(Refusal::invalid(format!("The header {name} has characters that it may not."))),
    };
    if let Some(name) = header(SESSION)? {
        return Ok(Some(name));
    }
    if let (AgentProtocol::Mcp, Some(name)) = (protocol, header(MCP_SESSION)?) {
        return Ok(Some(name));
    }
    Ok(query.value(SESSION).map(str::to_owned))
}

/// Has the caller hold a session: one that is nobody's becomes the caller's.
///
/// # Errors
/// AWS's AccessDeniedException when it is somebody else's.
pub(crate) async fn hold(
    house: &Arc<House>,
    served: &Served,
    caller: &Caller,
    name: &str,
) -> Result<(), Refusal> {
    let now = house.setup.clock.now();
    let (session, owner) = hashes(served, caller, name);
    let life = Duration::from_secs(served.version.lifecycle.most.into());
    if let Some(known) = house.bindings.0.get(&session)
        && now < known.until
        && life <= known.life
    {
        return if known.owner == owner { Ok(()) } else { Err(Refusal::denied(DENIED)) };
    }
    let held = house
        .setup
        .store
        .hold_agent_session(&session, [&owner, &hash(&caller.principal)], now, now.plus(life + MARGIN))
        .await;
    if !held.map_err(|error| Refusal::of_store(&error))? {
        return Err(Refusal::denied(DENIED));
    }
    house.bindings.0.insert(session, Believed { owner, until: now.plus(BELIEVED), life });
    Ok(())
}

/// Whether a session is the caller's to end: it opened it, whoever it spoke for then.
///
/// # Errors
/// AWS's ResourceNotFoundException when it does not, whether somebody else does or not.
pub(crate) async fn held(
    house: &Arc<House>,
    served: &Served,
    caller: &Caller,
    name: &str,
) -> Result<(), Refusal> {
    let (session, _) = hashes(served, caller, name);
    let principal = hash(&caller.principal);
    let held = house.setup.store.keeps_agent_session(&session, &principal, house.setup.clock.now()).await;
    if held.map_err(|error| Refusal::of_store(&error))? {
        return Ok(());
    }
    Err(Refusal::new(Kind::NotFound, "The session does not exist."))
}

fn hashes(served: &Served, caller: &Caller, name: &str) -> (String, String) {
    (hash(&format!("session\n{}\n{name}", served.runtime.arn())), hash(&caller.owner))
}

fn hash(text: &str) -> String {
    hex::encode(digest(&SHA256, text.as_bytes()))
}
