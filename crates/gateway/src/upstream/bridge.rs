//! What a server asks of its client in the middle of a call, across the eras.
//!
//! A server of the former era makes a request on the stream of the call, and waits; one of 2026-07-28 answers that it
//! needs something, and wants to be asked again. A client of the former era is asked on the stream of its own request;
//! one of 2026-07-28 is answered that something is needed, and asks again. All four pairs are served; who declared no
//! capability is not asked.

use std::sync::Arc;

use domain::Timestamp;
use mcp::Members;
use mcp::jsonrpc::{INVALID_PARAMS, METHOD_NOT_FOUND, MISSING_CAPABILITY};
use mcp::required_for;
use mcp::upstream::{Answer, Exchange};
use serde_json::Value;
use serde_json::value::RawValue;

use super::mcp_server::{Broken, Heard, Line};
use crate::answer::Reply;
use crate::suspend::{self, Suspended, fingerprint};

/// What the question of a server of the former era is called towards a client of 2026-07-28.
const KEY: &str = "input";
/// The most that a server may ask for at once.
const MOST_INPUTS: usize = 20;

/// A request that a server of the former era makes.
pub(super) struct Asked {
    pub(super) request: String,
    pub(super) method: String,
    pub(super) params: Option<String>,
}

/// What becomes of a call when its server has asked for something.
pub(super) enum After {
    /// The server has its answer, and goes on.
    Answered(Exchange),
    /// There is something to tell the client: what it must bring while the call waits, or that it cannot.
    Ended(Reply),
}

/// A server of the former era asks.
pub(super) async fn asked_by_former(
    line: &Line<'_>,
    exchange: Exchange,
    id: &str,
    asked: Asked,
) -> Result<After, Broken> {
    let (turn, server) = (line.turn, &line.server.server);
    let outcome = if asked.method == "ping" {
        "\"result\":{}".to_owned()
    } else if turn.modern {
        let can = turn.meta.capabilities.as_ref().is_some_and(|can| can.answers(&asked.method));
        match required_for(&asked.method) {
            Some(_) if can => {
                let until = suspend::until(turn.now());
                return Ok(After::Ended(wait(line, exchange, id, asked, until)?));
            }
            Some(capability) => return Ok(After::Ended(missing_capability(id, capability))),
            None => unanswerable(),
        }
    } else {
        ask_client(line, &asked.method, asked.params.as_deref()).await.unwrap_or_else(unanswerable)
    };
    server.respond(line.sender(), &exchange, &asked.request, &outcome).await?;
    Ok(After::Answered(exchange))
}

/// What a server of 2026-07-28 has answered, if it needs something before it can answer.
pub(super) fn needs_of(answer: &Answer) -> Option<Members<'_>> {
    let result = answer.outcome().and_then(|result| Members::parse(result).ok());
    result.filter(|result| result.text("resultType").as_deref() == Some("input_required"))
}

/// A server of 2026-07-28 needs something: a client of the former era is asked for it. What comes back are the members
/// with which the server is to be asked again.
pub(super) async fn asked_by_modern(line: &Line<'_>, needs: &Members<'_>) -> Result<String, Broken> {
    let state = needs.get("requestState").map(|state| format!(",\"requestState\":{state}"));
    let Some(requests) = needs.get("inputRequests") else { return Ok(state.unwrap_or_default()) };
    let requests: serde_json::Map<String, Value> = serde_json::from_str(requests)
        .map_err(|_| Broken::Refused("it asks for input in a way that is not MCP".to_owned()))?;
    if requests.len() > MOST_INPUTS {
        return Err(Broken::Refused(format!("it asks for more than {MOST_INPUTS} inputs at once")));
    }
    let mut responses = Vec::with_capacity(requests.len());
    for (key, request) in requests {
        let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
        let params = request.get("params").map(Value::to_string);
        let outcome = ask_client(line, method, params.as_deref()).await;
        let result = outcome.as_deref().and_then(|outcome| outcome.strip_prefix("\"result\":"));
        let Some(result) = result else {
            let why = format!("it needs {method} of the client, which the client cannot or will not do");
            return Err(Broken::Refused(why));
        };
        responses.push(format!("{}:{result}", Value::from(key)));
    }
    let responses = responses.join(",");
    Ok(format!(",\"inputResponses\":{{{responses}}}{}", state.unwrap_or_default()))
}

/// Asks a client of the former era, on the stream of its own request; `None` when it cannot be asked. What comes back is
/// the member of its answer: `"result":…` or `"error":…`.
async fn ask_client(line: &Line<'_>, method: &str, params: Option<&str>) -> Option<String> {
    let (session, outlet) = (line.turn.session.as_ref()?, line.turn.outlet.as_ref()?);
    if !session.capabilities().answers(method) {
        return None;
    }
    let mut expected = session.expect()?;
    let params = params.map(|params| format!(",\"params\":{params}")).unwrap_or_default();
    let (id, method) = (expected.id, Value::from(method));
    let question = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":{method}{params}}}");
    // What the interceptor fails to see is not asked.
    let question = crate::intercept::said(line.turn, line.carried.masked(question.into())).await;
    let question = question.map_err(|failed| failed.noted(&line.turn.gate, "An interceptor failed.")).ok()?;
    outlet.say(question).await;
    (&mut expected.answer).await.ok()
}

/// 2026-07-28, `MissingRequiredClientCapabilityError`.
fn missing_capability(id: &str, capability: &str) -> Reply {
    let data = format!("{{\"requiredCapabilities\":{{\"{capability}\":{{}}}}}}");
    Reply::error_with(id, MISSING_CAPABILITY, "Missing required client capability", &data)
}

fn unanswerable() -> String {
    format!("\"error\":{{\"code\":{METHOD_NOT_FOUND},\"message\":\"The client cannot do that\"}}")
}

/// Lets a call wait, and answers that its client must bring something.
fn wait(
    line: &Line<'_>,
    exchange: Exchange,
    id: &str,
    asked: Asked,
    until: Timestamp,
) -> Result<Reply, Broken> {
    let turn = line.turn;
    let (plane, now) = (&turn.lane.plane, turn.now());
    let needed = needed(&asked.method, asked.params.as_deref());
    let Asked { request, method, params } = asked;
    let (fingerprint, caller) = (fingerprint_of(line), turn.peer().key);
    let mask = line.carried.mask().cloned();
    let call = Suspended { exchange, request, method, params, fingerprint, mask, caller, until };
    let name = plane.suspensions.keep(call, &*plane.setup.random, now);
    let name = name.ok_or_else(|| {
        Broken::Refused("too many calls wait for their clients, or its question is too large".to_owned())
    })?;
    let plane = Arc::clone(plane);
    tokio::spawn(async move {
        tokio::time::sleep(suspend::PATIENCE).await;
        plane.suspensions.sweep(plane.setup.clock.now());
    });
    Ok(Reply::result(id, &input_required(&needed, &name)))
}

fn needed(method: &str, params: Option<&str>) -> String {
    let method = Value::from(method);
    format!("{{\"{KEY}\":{{\"method\":{method},\"params\":{}}}}}", params.unwrap_or("{}"))
}

fn input_required(needed: &str, name: &str) -> String {
    format!("{{\"resultType\":\"input_required\",\"inputRequests\":{needed},\"requestState\":\"{name}\"}}")
}

/// Who calls what with which arguments.
fn fingerprint_of(line: &Line<'_>) -> [u8; 32] {
    let (turn, asking) = (line.turn, line.asking);
    fingerprint(&[
        turn.gate.gateway.id.as_str(),
        line.server.server.endpoint(),
        &turn.peer().key,
        asking.method,
        &asking.call.name,
        asking.call.arguments.map_or("{}", RawValue::get),
    ])
}

impl Line<'_> {
    /// The call that waits for what this request brings, if the request is about one.
    pub(super) fn waiting(&self) -> Option<String> {
        let state = self.asking.call.request_state.filter(|_| self.turn.modern)?;
        serde_json::from_str::<String>(state.get()).ok().filter(|name| name.starts_with(suspend::PREFIX))
    }

    /// Goes on with the call that waited for its client under this name.
    pub(super) async fn resume(&mut self, id: &str, name: &str) -> Result<Reply, Broken> {
        let (turn, call) = (self.turn, self.asking.call);
        let (plane, now) = (&turn.lane.plane, turn.now());
        let Some(waiting) = plane.suspensions.take(name, &fingerprint_of(self), now) else {
            let detail = "`requestState` names no call of yours that waits: begin again without it";
            return Ok(Reply::error(id, INVALID_PARAMS, detail));
        };
        // The stream was opened with what was shown then.
        self.carried.also(waiting.mask.as_ref());
        let responses = call.input_responses.and_then(|given| Members::parse(given).ok()).unwrap_or_default();
        let Some(response) = responses.get(KEY).filter(|response| response.starts_with('{')) else {
            // What is missing is asked for again ("Error Handling").
            let again = Asked { request: waiting.request, method: waiting.method, params: waiting.params };
            return wait(self, waiting.exchange, id, again, waiting.until);
        };
        let outcome = format!("\"result\":{response}");
        self.server.server.respond(self.sender(), &waiting.exchange, &waiting.request, &outcome).await?;
        match self.hear(id, waiting.exchange).await? {
            Heard::Reply(reply) => Ok(reply),
            Heard::Again(_) => Err(Broken::Refused("it changed its protocol during a call".to_owned())),
        }
    }
}
