//! An agent runtime of this installation as an HTTP target. It is called as anybody calls it: with the target's credential,
//! through its own authorizer, and with a record of its own. No connection is made for it.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use domain::{Arn, Propagation};
use http::header::{ACCEPT_ENCODING, HeaderValue};
use http::{Method, Request};
use http_body_util::Either;
use mcp::upstream::Dress;
use runtimes::{Arrival, Asked, Payload, Place};

use super::Failed;
use super::http::{Forwarded, REQUEST, RESPONSE, passed};
use crate::body::Body;
use crate::turn::Turn;

/// What passes to a runtime besides.
const TO_RUNTIME: &[&str] = &["baggage", SESSION, "x-amzn-trace-id"];
/// What comes back from a runtime besides.
const FROM_RUNTIME: &[&str] =
    &["baggage", "mcp-protocol-version", SESSION, "x-amzn-errortype", "x-amzn-trace-id"];
const SESSION: &str = "x-amzn-bedrock-agentcore-runtime-session-id";
/// What the names of headers begin with that callers make up themselves.
const CUSTOM: &str = "x-amzn-bedrock-agentcore-runtime-custom-";

/// The runtime that a target is.
pub(super) struct Called<'a> {
    pub(super) runtime: &'a Arn,
    pub(super) qualifier: Option<&'a str>,
    /// Which headers the target lets through.
    pub(super) propagation: &'a Propagation,
}

/// Invokes the runtime. `below` is what stands after the target's name: `/invocations`, or the runtime's own path.
pub(super) async fn invoke(
    turn: &Turn,
    called: &Called<'_>,
    method: &Method,
    below: &str,
    body: Bytes,
    credential: &dyn Dress,
) -> Result<Forwarded, Failed> {
    let (runtime, propagation) = (called.runtime, called.propagation);
    let names_it = |place: Place| place.runtime == runtime.as_str() && place.asked == Asked::Invoke;
    if below.trim_end_matches('/') != "/invocations" && !Place::of(below).is_some_and(names_it) {
        return Err(Failed::absent(format!("the agent runtime {runtime} is invoked at /invocations")));
    }
    let setup = &turn.lane.plane.setup;
    let escaped: String = form_urlencoded::byte_serialize(runtime.as_str().as_bytes()).collect();
    let qualifier = called.qualifier.unwrap_or(domain::DEFAULT_ENDPOINT);
    let url = format!("{}/runtimes/{escaped}/invocations?qualifier={qualifier}", setup.names.public_url());
    let mut request = Request::new(body);
    *request.method_mut() = method.clone();
    *request.uri_mut() = url.parse().map_err(|_| Failed::new("the runtime's URL cannot be made"))?;
    let given = &turn.arrival.headers;
    let custom = given.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with(CUSTOM));
    let to_runtime = propagation.request_headers.iter().map(String::as_str).chain(custom);
    *request.headers_mut() = passed(given, REQUEST, &with(to_runtime, TO_RUNTIME));
    request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    credential.dress(&mut request).map_err(Failed::new)?;
    let (head, body) = request.into_parts();
    let arrival = Arrival {
        head,
        payload: Payload::Whole(body),
        // It is the gateway that calls.
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        through: Some(turn.caller.key().to_owned()),
    };
    let place = Place { runtime: runtime.to_string(), asked: Asked::Invoke };
    let until = tokio::time::Instant::now() + setup.call_timeout;
    let answering = Box::pin(turn.lane.runtimes.answer(&place, arrival));
    let answered = tokio::time::timeout_at(until, answering).await;
    let late = |_| Failed::new(format!("the agent runtime {runtime} did not answer in time")).late();
    let (head, body) = answered.map_err(late)?.into_parts();
    let back = propagation.response_headers.iter().map(String::as_str);
    Ok(Forwarded {
        status: head.status,
        headers: passed(&head.headers, RESPONSE, &with(back, FROM_RUNTIME)),
        body: Body::passing(Either::Right(body), until),
    })
}

/// The names of headers that a target lets through, with those that every runtime has.
fn with<'a>(names: impl Iterator<Item = &'a str>, always: &[&'a str]) -> Vec<String> {
    names.chain(always.iter().copied()).map(str::to_owned).collect()
}
