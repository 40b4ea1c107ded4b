//! An invocation: what the caller sends goes to the agent as it comes, and what the agent says comes back as it says it,
//! event by event. An agent that fails is told as that; its own words about it are its owner's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::AgentProtocol;
use egress::{Client, EgressError, Streamed};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::agents::{Held, Reached};
use crate::body::{Body, LARGEST, Payload, too_large};
use crate::headers::from_agent;
use crate::refusal::{Kind, Refusal};

/// How long an agent has until it begins to answer ("Quotas": synchronous requests, 15 minutes).
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How long an answer may take altogether ("Quotas": streaming, 60 minutes).
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Calls an agent.
///
/// # Errors
/// AWS's RuntimeClientError when it cannot be reached, or answers with anything but success.
pub(crate) async fn send(
    client: &Client,
    turns: &Arc<Semaphore>,
    protocol: AgentProtocol,
    head: &Parts,
    reached: Reached,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Response<Body>, Refusal> {
    let began = Instant::now();
    let Reached { base, held, .. } = reached;
    let (path, payload, id) = match protocol {
        AgentProtocol::Http => ("/invocations", payload, Value::Null),
        AgentProtocol::Mcp => {
            must_accept_both(head)?;
            // Whoever is told of an error must find the request that it is about.
            let message = payload.whole(turns).await?;
            let id = id_of(&message);
            ("/mcp", Payload::Whole(message), id)
        }
    };
    let told = |refusal: Refusal| Refusal { id: id.clone(), ..refusal };
    let (body, is_too_large) = sized(head, payload)?;
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = format!("{base}{path}").parse().map_err(|error| told(Refusal::internal(&error)))?;
    *request.headers_mut() = headers;
    // What is passed on may be events, which nobody must gather to compress them.
    request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let answer = match tokio::time::timeout(PATIENCE, client.send_streamed(request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) if is_too_large.load(Ordering::Relaxed) => return Err(told(too_large())),
        Ok(Err(error)) => return Err(told(unreachable(&base, &held, &error).await)),
        Err(_) => {
            let message = format!("The agent did not answer within {} minutes.", PATIENCE.as_secs() / 60);
            return Err(told(Refusal::new(Kind::Agent, message)));
        }
    };
    passed(answer, began + LONGEST, held).map_err(told)
}

/// What is sent; its length is said where it is known.
fn sized(head: &Parts, payload: Payload) -> Result<(Streamed, Arc<AtomicBool>), Refusal> {
    let length =
        head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > LARGEST) {
        return Err(too_large());
    }
    Ok(payload.streamed())
}

fn passed(answer: Response<Incoming>, until: Instant, held: Held) -> Result<Response<Body>, Refusal> {
    let (head, incoming) = answer.into_parts();
    if !head.status.is_success() {
        let message = format!(
            "Received error ({}) from the agent. Its owner finds more in what it writes.",
            head.status.as_u16()
        );
        return Err(Refusal::new(Kind::Agent, message));
    }
    let mut response = Response::new(Body::passing(incoming, until, held));
    *response.status_mut() = head.status;
    *response.headers_mut() = from_agent(&head.headers);
    Ok(response)
}

/// What the caller is told of an agent that cannot be reached; where it is and why is in the log.
pub(crate) async fn unreachable(base: &str, held: &Held, error: &EgressError) -> Refusal {
    held.broke_off().await;
    tracing::warn!(agent = base, %error, "An agent cannot be reached.");
    Refusal::new(Kind::Agent, "The agent cannot be reached. Its owner finds why in the server's log.")
}

/// A client of MCP takes an answer and a stream of events (streamable HTTP, "Sending messages to the server").
fn must_accept_both(head: &Parts) -> Result<(), Refusal> {
    let accepted = head.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accepted: Vec<_> =
        accepted.flat_map(|value| value.split(',')).map(|kind| kind.trim().to_ascii_lowercase()).collect();
    let takes = |kind: &str| accepted.iter().any(|taken| taken.split(';').next() == Some(kind));
    if takes("*/*") || (takes("application/json") && takes("text/event-stream")) {
        return Ok(());
    }
    let message = "MCP protocol requires Accept header: application/json, text/event-stream";
    Err(Refusal::new(Kind::NotAcceptable, message))
}

/// The id of a request of MCP; null where it has none, or is none.
fn id_of(message: &Bytes) -> Value {
    #[derive(Deserialize)]
    struct WithId {
        #[serde(default)]
        id: Value,
    }
    let id = serde_json::from_slice::<WithId>(message).map(|message| message.id).unwrap_or_default();
    if id.is_string() || id.is_number() { id } else { Value::Null }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_and_nothing_else_passes_for_one() {
        assert_eq!(id_of(&Bytes::from_static(br#"{"jsonrpc":"2.0","id":7,"method":"x"}"#)), 7);
        assert_eq!(id_of(&Bytes::from_static(br#"{"id":"a"}"#)), "a");
        for odd in [&b"{}"[..], b"[]", b"nonsense", br#"{"id":{"a":1}}"#] {
            assert_eq!(id_of(&Bytes::copy_from_slice(odd)), Value::Null);
        }
    }

    #[test]
    fn a_client_of_mcp_takes_both() {
        let check = |accept: &str| {
            let request = Request::builder().header(ACCEPT, accept).body(()).unwrap();
            must_accept_both(&request.into_parts().0).is_ok()
        };
        assert!(check("application/json, text/event-stream"));
        assert!(check("*/*"));
        assert!(!check("application/json"));
        assert!(!check("text/html"));
    }
}
