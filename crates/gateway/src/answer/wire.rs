//! An answer on the wire: one JSON document, one event, or a stream of them.

use bytes::Bytes;
use domain::RequestId;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use mcp::jsonrpc;

use super::{Content, Reply};
use crate::body::Body;

/// A message as an event of a stream. Its data is one line: JSON has no line breaks of its own.
pub(crate) fn event(message: Bytes) -> Bytes {
    [OPEN, &one_line(message), CLOSE].concat().into()
}

/// What stands before the data of an event.
const OPEN: &[u8] = b"event: message\ndata: ";
/// What ends an event.
const CLOSE: &[u8] = b"\n\n";

/// A stream of messages that has begun.
pub(crate) fn streaming(body: Body, request_id: &RequestId) -> Response<Body> {
    let mut response = Response::new(body);
    as_stream(response.headers_mut(), request_id);
    response
}

fn as_stream(headers: &mut HeaderMap, request_id: &RequestId) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies that gather answers let the events through at once (2026-07-28, "Receiving Messages").
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    identified(headers, request_id);
}

/// A response that is passed on, under the id of its request.
pub(crate) fn identify(mut response: Response<Body>, request_id: &RequestId) -> Response<Body> {
    identified(response.headers_mut(), request_id);
    response
}

fn identified(headers: &mut HeaderMap, request_id: &RequestId) {
    if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
        headers.insert("x-amzn-requestid", id);
    }
}

/// Turns a reply into a response.
pub(crate) fn finish(reply: Reply, request_id: &RequestId) -> Response<Body> {
    let stream = reply.is_stream;
    let body = match reply.content {
        Content::Nothing => None,
        Content::Document(bytes) => Some(Body::whole(bytes)),
        Content::Result(id, result) => Some(Body::whole(jsonrpc::result(&id, &result))),
        Content::Message(bytes) if !stream => Some(Body::whole(bytes)),
        Content::Message(bytes) => {
            Some(Body::around(Bytes::from_static(OPEN), one_line(bytes), Bytes::from_static(CLOSE)))
        }
        Content::Around(before, shared) if stream => {
            Some(Body::around([OPEN, &before].concat().into(), shared, [b"}", CLOSE].concat().into()))
        }
        Content::Around(before, shared) => Some(Body::around(before, shared, Bytes::from_static(b"}"))),
    };
    let has_body = body.is_some();
    let mut response = Response::new(body.unwrap_or_default());
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.extend(reply.headers);
    if stream && has_body {
        as_stream(headers, request_id);
    } else if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    identified(headers, request_id);
    if let Some(challenge) = reply.challenge {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if reply.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if reply.status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// A message that an upstream wrote over several lines is put on one: between its tokens, JSON has only white space.
fn one_line(message: Bytes) -> Bytes {
    if !message.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return message;
    }
    message.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
}
