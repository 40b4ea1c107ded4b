//! Interceptors: functions that see each message before anything is looked up for it, and each answer before it leaves.
//! A message that they change is read, checked and authorized as changed. Whatever goes wrong with one ends the request:
//! nothing passes that an interceptor should have seen and did not.
//!
//! Source: "Types of interceptors" and "Header propagation with Gateway" in the AgentCore developer guide.

mod headers;
pub(crate) mod http;
mod output;

use std::sync::Arc;

use ::http::header::AUTHORIZATION;
use bytes::Bytes;
use domain::Arn;
use functions::Prepared;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::answer::Reply;
use crate::turn::Turn;
use crate::upstream::{Failed, invoke};

use output::Output;
pub(crate) use output::{Answered, Changed};

/// The largest event of a function, in bytes (Lambda, "Quotas": synchronous invocation payload).
const MAX_EVENT: usize = 6 * 1024 * 1024;

/// Says that an answer is one of several on a stream.
const STREAMING: &str = "\"isStreamingResponse\":true";

/// The interceptors of a gateway.
#[derive(Default)]
pub(crate) struct Interceptors {
    pub(crate) request: Option<Interceptor>,
    pub(crate) response: Option<Interceptor>,
}

/// A function that intercepts.
#[derive(Clone)]
pub(crate) struct Interceptor {
    pub(crate) function: Arn,
    /// The function, if there is one of this ARN here.
    pub(crate) prepared: Option<Arc<Prepared>>,
    pub(crate) pass_headers: bool,
    pub(crate) without_response_body: bool,
}

/// A message as interceptors are shown it, with its answer too.
#[derive(Clone, Default)]
pub(crate) struct Shown {
    /// As the client wrote it.
    raw: Bytes,
    /// As it is answered.
    current: Bytes,
}

/// What the interceptor of requests has done.
pub(crate) enum Seen {
    Unchanged,
    Changed(Bytes),
    Answered(Reply),
}

/// Shows a message to the interceptor of requests.
pub(crate) async fn request(turn: &mut Turn, written: &[u8]) -> Result<Seen, Failed> {
    let gate = Arc::clone(&turn.gate);
    if gate.interceptors.request.is_none() && gate.interceptors.response.is_none() {
        return Ok(Seen::Unchanged);
    }
    let raw = Bytes::copy_from_slice(written);
    turn.shown = Shown { current: raw.clone(), raw };
    let Some(interceptor) = &gate.interceptors.request else { return Ok(Seen::Unchanged) };
    let event = event(turn, interceptor, None)?;
    let answer = Box::pin(ask(turn, interceptor, event, None)).await?;
    let output = Output::read(&answer, "mcp")?;
    if let Some(response) = output.response {
        let answered = response.of_message()?;
        if answered.body.is_none() {
            return Err(Failed::new("the interceptor answered a request with no `body`"));
        }
        return Ok(Seen::Answered(Reply::intercepted(None, answered, Changed::All)));
    }
    let Some(changed) = output.request else { return Ok(Seen::Unchanged) };
    take_headers(turn, changed.headers)?;
    let Some(body) = changed.body else { return Ok(Seen::Unchanged) };
    let differs = match (serde_json::from_str::<Value>(&body), serde_json::from_slice::<Value>(written)) {
        (Ok(body), Ok(before)) => body != before,
        _ => true,
    };
    if !differs {
        return Ok(Seen::Unchanged);
    }
    let body = Bytes::from(body);
    turn.shown.current = body.clone();
    turn.rewritten = true;
    Ok(Seen::Changed(body))
}

/// Shows an answer to the interceptor of answers. One that says nothing is nothing to intercept.
pub(crate) async fn response(turn: &Turn, reply: Reply) -> Result<Reply, Failed> {
    let Some(interceptor) = &turn.gate.interceptors.response else { return Ok(reply) };
    let reply = reply.written_for(turn);
    let Some(message) = reply.written() else { return Ok(reply) };
    let begun = turn.outlet.as_ref().is_some_and(crate::stream::Outlet::has_begun);
    let mut members = Vec::new();
    if !begun {
        let mut headers = headers::shown(reply.headers.iter().map(|(name, value)| (name, value)));
        headers.insert("Content-Type".to_owned(), "application/json".into());
        members.push(format!("\"statusCode\":{}", reply.status().as_u16()));
        members.push(format!("\"headers\":{}", Value::Object(headers)));
    }
    if turn.outlet.is_some() {
        members.push(STREAMING.to_owned());
    }
    let event = event(turn, interceptor, Some((members, &message)))?;
    let answer = Box::pin(ask(turn, interceptor, event, None)).await?;
    let output = Output::read(&answer, "mcp")?;
    let Some(response) = output.response else { return Ok(reply) };
    let changed = if begun { Changed::BodyOnly } else { Changed::All };
    Ok(Reply::intercepted(Some(reply), response.of_message()?, changed))
}

/// Shows the interceptor of answers what a server asks of the client on the stream of a call.
pub(crate) async fn said(turn: &Turn, message: Bytes) -> Result<Bytes, Failed> {
    let Some(interceptor) = &turn.gate.interceptors.response else { return Ok(message) };
    let mut members = vec![STREAMING.to_owned()];
    if turn.outlet.as_ref().is_some_and(|outlet| !outlet.has_begun()) {
        members.push("\"statusCode\":200,\"headers\":{}".to_owned());
    }
    let event = event(turn, interceptor, Some((members, &message)))?;
    let answer = Box::pin(ask(turn, interceptor, event, None)).await?;
    let output = Output::read(&answer, "mcp")?;
    let body = output
        .response
        .map(output::ChangedResponse::of_message)
        .transpose()?
        .and_then(|answered| answered.body);
    Ok(body.unwrap_or(message))
}

/// The event that an interceptor gets; bodies go into it as they were written.
fn event(
    turn: &Turn,
    interceptor: &Interceptor,
    response: Option<(Vec<String>, &[u8])>,
) -> Result<Bytes, Failed> {
    let Shown { raw, current } = &turn.shown;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = match interceptor.pass_headers {
        true => format!("\"headers\":{},", Value::Object(headers::shown(turn.arrival.headers.iter()))),
        false => String::new(),
    };
    let response = match response {
        None => String::new(),
        Some((mut members, body)) => {
            let body = if interceptor.without_response_body { "null".to_owned() } else { text(body) };
            members.push(format!("\"body\":{body}"));
            format!(",\"gatewayResponse\":{{{}}}", members.join(","))
        }
    };
    let event = format!(
        "{{\"interceptorInputVersion\":\"1.0\",\"mcp\":{{\"rawGatewayRequest\":{{\"body\":{}}},\
         \"gatewayRequest\":{{\"path\":\"/mcp\",\"httpMethod\":\"POST\",{headers}\"body\":{}}}{response}}}}}",
        Value::from(text(raw)),
        text(current),
    );
    Ok(event.into())
}

/// Asks an interceptor, as the gateway's role.
pub(crate) async fn ask(
    turn: &Turn,
    interceptor: &Interceptor,
    event: Bytes,
    context: Option<Bytes>,
) -> Result<Bytes, Failed> {
    let of_interceptor = |detail: String| Failed::new(format!("the interceptor: {detail}"));
    if event.len() > MAX_EVENT {
        return Err(of_interceptor(format!(
            "what Lambda function {} should see is larger than 6 MB",
            interceptor.function
        )));
    }
    let invoked = invoke(turn, &interceptor.function, interceptor.prepared.as_deref(), event, context).await;
    let completed = invoked.map_err(|failed| of_interceptor(failed.detail))?;
    match completed.function_error {
        None => Ok(completed.payload),
        Some(error) => {
            let kind = error.error_type.as_deref().unwrap_or("an error");
            let detail = format!("Lambda function {} failed with {kind}", interceptor.function);
            Err(of_interceptor(detail).answered(String::from_utf8_lossy(&completed.payload)))
        }
    }
}

/// Takes the headers that an interceptor gave. They go before the client's; which of them an upstream gets is its
/// target's to say, but for a credential: that was given for nothing else.
pub(crate) fn take_headers(turn: &mut Turn, given: Option<&RawValue>) -> Result<(), Failed> {
    for (name, value) in headers::given(given, &turn.arrival.headers)? {
        if name == AUTHORIZATION {
            let mut value = value;
            value.set_sensitive(true);
            turn.authorization = Some(value);
        } else if !headers::is_ours(&name) {
            turn.arrival.headers.insert(name, value);
        }
    }
    Ok(())
}
