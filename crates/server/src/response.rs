//! Responses that are no one plane's: small documents, and the turning of a plane's answer into the one kind of body.

use bytes::Bytes;
use domain::RequestId;
use gateway::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

/// An answer whose body is one piece.
pub(crate) fn whole(answer: Response<Bytes>) -> Response<Body> {
    again_later(answer.map(Body::whole))
}

/// Who cannot be served now is told when to ask again, in seconds (RFC 9110, section 10.2.3).
pub(crate) fn again_later(mut response: Response<Body>) -> Response<Body> {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// A JSON document.
pub(crate) fn json(status: StatusCode, document: &Value, request_id: &RequestId) -> Response<Body> {
    let mut response = Response::new(Body::whole(document.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    with_request_id(again_later(response), request_id)
}

/// A line of text.
pub(crate) fn text(status: StatusCode, line: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::whole(Bytes::from_static(line.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    again_later(response)
}

/// Marks an answer that nobody on the way may keep (RFC 6749, section 5.1).
pub(crate) fn never_stored(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert("pragma", HeaderValue::from_static("no-cache"));
    response
}

pub(crate) fn with_request_id(mut response: Response<Body>, request_id: &RequestId) -> Response<Body> {
    if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}
