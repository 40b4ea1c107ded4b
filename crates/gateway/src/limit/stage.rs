//! The stage: what a message says of itself is held against the limits, and nothing else is looked up for it. Whether a
//! tool exists does not count, so nobody learns it from being turned away.

use std::time::Duration;

use domain::{Actor, split_tool_name};
use mcp::jsonrpc::{CallParams, Message};
use serde_json::Value;

use super::{Facts, Key, Throttled};
use crate::answer::Reply;
use crate::audit::Record;
use crate::offers;
use crate::turn::Turn;

/// Counts a message, or turns it away. `written` is the message as it came.
pub(crate) async fn check(
    turn: &mut Turn,
    message: &Message<'_>,
    written: &[u8],
    record: &mut Record,
) -> Result<(), Reply> {
    let (id, method, params) = match message {
        Message::Request { id, method, params } => (Some(id.get()), &**method, *params),
        Message::Notification { method, params } => (None, &**method, *params),
        // An answer is part of a call that was counted.
        Message::Answer { .. } => return Ok(()),
    };
    let refusal = |detail: &str| Reply::throttled(id, detail);
    if matches!(method, "tools/call" | "tools/list") {
        let counted = count_request(turn).await;
        counted.map_err(|throttled| refuse(turn, &throttled, record, refusal))?;
    }
    if turn.gate.limits.is_empty() {
        return Ok(());
    }
    // Read as the stages after this one read it.
    let subject = params.and_then(|params| match method {
        "tools/call" | "prompts/get" => CallParams::parse(params).ok(),
        "resources/read" => CallParams::parse_uri(params).ok(),
        _ => None,
    });
    let subject = subject.as_ref().map(|asked| &*asked.name);
    let named = subject.and_then(split_tool_name);
    let target = match method {
        "tools/call" | "prompts/get" => named.map(|(target, _)| target),
        _ => subject.and_then(|uri| offers::target_of_resource(&turn.gate.catalogue, uri)),
    };
    let whole = subject.filter(|_| method == "tools/call");
    let facts = Facts {
        target,
        tool: whole.map(|whole| [whole, named.map_or(whole, |(_, own)| own)]),
        principal: principal(turn),
        claims: turn.caller.claims(),
        headers: &turn.arrival.headers,
        body: body(turn, written),
    };
    let admitted = turn.gate.limits.admit(&facts, &*turn.lane.plane.setup.clock).await;
    match admitted {
        Ok(open) => {
            turn.open.extend(open);
            Ok(())
        }
        Err(throttled) => Err(refuse(turn, &throttled, record, refusal)),
    }
}

/// Counts a request towards the quotas of the installation.
pub(crate) async fn count_request(turn: &Turn) -> Result<(), Throttled> {
    turn.lane.plane.quotas.admit(&turn.gate.gateway, &*turn.lane.plane.setup.clock).await
}

/// The ARNs of a caller that signed: sessions of a role are one, whatever they call themselves.
pub(crate) fn principal(turn: &Turn) -> Option<[&str; 2]> {
    let Actor::Iam { arn, .. } = turn.caller.actor() else { return None };
    Some([turn.caller.principal().map_or(arn.as_str(), policy::Principal::id), arn])
}

/// The body, where a limit asks for it. One that can be read in two ways is read in none.
pub(crate) fn body(turn: &Turn, written: &[u8]) -> Option<Value> {
    let asked = turn.gate.limits.keys().any(|key| matches!(key, Key::Body(_)));
    asked.then(|| strict_json::parse(written).ok()).flatten()
}

/// Turns a request away, and says so in its record.
pub(crate) fn refuse(
    turn: &Turn,
    throttled: &Throttled,
    record: &mut Record,
    write: impl FnOnce(&str) -> Reply,
) -> Reply {
    let Throttled { limit, after } = throttled;
    tracing::info!(gateway.id = %turn.gate.gateway.id, limit = %limit, "A request is throttled.");
    record.throttled(limit);
    match after {
        None => write(&format!("Rate limit exceeded: {limit} lets nothing through")),
        Some(after) => {
            // Rounded up: who waits for as long as told is let through.
            let seconds = after.as_millis().div_ceil(Duration::from_secs(1).as_millis()).max(1);
            write(&format!("Rate limit exceeded: {limit}. Try again in {seconds} s")).retry_after(seconds)
        }
    }
}
