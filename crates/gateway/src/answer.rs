//! Last stage: the answer, as MCP and AgentCore write it.

use bytes::Bytes;
use domain::{Outcome, RequestId};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use mcp::jsonrpc::{
    self, FORBIDDEN, HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND,
    MISSING_CAPABILITY, Malformed, PARSE_ERROR, UNAUTHENTICATED, UNSUPPORTED_VERSION,
};

use crate::body::Body;
use crate::turn::Turn;

mod shaped;

/// What AWS says to a call that policies deny, whatever the reason and whether or not the tool exists.
const DENIAL: &str = "AuthorizeActionException - Tool Execution Denied: Tool call not allowed due to policy enforcement \
                      [No policy applies to the request (denied by default).]";

/// An answer, and what the audit record says of it.
pub(crate) struct Reply {
    status: StatusCode,
    content: Content,
    challenge: Option<HeaderValue>,
    /// The error's name or code, when it is one.
    pub(crate) error: Option<String>,
    /// What came of the request.
    pub(crate) outcome: Outcome,
    /// The code of a JSON-RPC error.
    code: Option<i64>,
    /// Further headers.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    is_stream: bool,
}

enum Content {
    Nothing,
    /// A JSON document that is no message.
    Document(Bytes),
    /// A message.
    Message(Bytes),
    /// A result of our own, by the id of its request; it is an object.
    Result(String, String),
    /// A message around a result that many answers share.
    Around(Bytes, Bytes),
}

impl Reply {
    fn message(status: StatusCode, message: Vec<u8>) -> Self {
        Self {
            status,
            content: Content::Message(message.into()),
            challenge: None,
            error: None,
            outcome: Outcome::Success,
            code: None,
            headers: Vec::new(),
            is_stream: false,
        }
    }

    /// The result of a request.
    pub(crate) fn result(id: &str, result: &str) -> Self {
        let content = Content::Result(id.to_owned(), result.to_owned());
        Self { content, ..Self::message(StatusCode::OK, Vec::new()) }
    }

    /// The result of a request, out of a document that many answers share. It is an object; `own` are members of this
    /// answer alone, each followed by a comma.
    pub(crate) fn shared_result(id: &str, own: &str, result: &Bytes) -> Self {
        let before = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{{own}");
        let result = result.slice(1.min(result.len())..);
        Self { content: Content::Around(before.into(), result), ..Self::message(StatusCode::OK, Vec::new()) }
    }

    /// An answer that an upstream wrote, with the code of its error, if it is one.
    pub(crate) fn passed_on(message: Bytes, code: Option<i64>) -> Self {
        let reply =
            Self { content: Content::Message(message), code, ..Self::message(StatusCode::OK, Vec::new()) };
        match code {
            Some(_) => reply.failing("UpstreamError"),
            None => reply,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The message, where there is one.
    pub(crate) fn written(&self) -> Option<Bytes> {
        match &self.content {
            Content::Message(message) => Some(message.clone()),
            Content::Around(before, shared) => Some([&before[..], &shared[..], b"}"].concat().into()),
            Content::Result(id, result) => Some(jsonrpc::result(id, result).into()),
            Content::Nothing | Content::Document(_) => None,
        }
    }

    /// Nothing to say.
    pub(crate) fn nothing() -> Self {
        Self { content: Content::Nothing, ..Self::message(StatusCode::NO_CONTENT, Vec::new()) }
    }

    /// A JSON-RPC error in answer to a request.
    pub(crate) fn error(id: &str, code: i64, message: &str) -> Self {
        Self::message(StatusCode::OK, jsonrpc::error(Some(id), code, message)).with_code(code)
    }

    /// A JSON-RPC error with data, which is JSON.
    pub(crate) fn error_with(id: &str, code: i64, message: &str, data: &str) -> Self {
        Self::message(StatusCode::OK, jsonrpc::error_with(id, code, message, data)).with_code(code)
    }

    fn with_code(self, code: i64) -> Self {
        Self { error: Some(code.to_string()), outcome: Outcome::Refused, code: Some(code), ..self }
    }

    /// The same reply, under another status.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The same reply, which tells the client its session.
    pub(crate) fn with_session(mut self, id: Option<&str>) -> Self {
        if let Some(id) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
            self.headers.push((HeaderName::from_static("mcp-session-id"), id));
        }
        self
    }

    /// A request that is refused before its message counts.
    pub(crate) fn refused(status: StatusCode, code: i64, message: &str) -> Self {
        Self {
            error: Some(code.to_string()),
            outcome: Outcome::Refused,
            ..Self::message(status, jsonrpc::error(None, code, message))
        }
    }

    /// A body that is no message.
    pub(crate) fn malformed(malformed: &Malformed) -> Self {
        let message = jsonrpc::error(malformed.id.as_deref(), malformed.code, &malformed.detail);
        Self {
            error: Some(malformed.code.to_string()),
            outcome: Outcome::Refused,
            ..Self::message(StatusCode::BAD_REQUEST, message)
        }
    }

    /// A notification that was taken.
    pub(crate) fn accepted() -> Self {
        Self { content: Content::Nothing, ..Self::message(StatusCode::ACCEPTED, Vec::new()) }
    }

    /// A document that is no message.
    pub(crate) fn json(document: String) -> Self {
        Self { content: Content::Document(document.into()), ..Self::message(StatusCode::OK, Vec::new()) }
    }

    /// No such gateway.
    pub(crate) fn no_gateway(id: &str) -> Self {
        let shown: String = id.chars().take(120).collect();
        Self::refused(StatusCode::NOT_FOUND, INVALID_REQUEST, &format!("No gateway {shown} is served here"))
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::refused(
            StatusCode::METHOD_NOT_ALLOWED,
            INVALID_REQUEST,
            "This endpoint takes POST: it offers no stream to listen on",
        )
    }

    /// A request without a token that is accepted (AgentCore: "Invalid Bearer token").
    pub(crate) fn unauthenticated(challenge: Option<HeaderValue>) -> Self {
        Self { challenge, ..Self::refused(StatusCode::UNAUTHORIZED, UNAUTHENTICATED, "Invalid Bearer token") }
    }

    /// A token that lacks the scopes.
    pub(crate) fn insufficient_scope(challenge: Option<HeaderValue>) -> Self {
        Self { challenge, ..Self::refused(StatusCode::FORBIDDEN, FORBIDDEN, "Insufficient scope") }
    }

    /// A signature that is not accepted, or a principal that may not invoke the gateway.
    pub(crate) fn forbidden(message: &str) -> Self {
        Self::refused(StatusCode::FORBIDDEN, FORBIDDEN, message)
    }

    /// Nothing can be said about the caller now.
    pub(crate) fn unavailable(message: &str) -> Self {
        Self {
            outcome: Outcome::Failure,
            ..Self::refused(StatusCode::SERVICE_UNAVAILABLE, INTERNAL_ERROR, message)
        }
    }

    pub(crate) fn too_large() -> Self {
        Self::refused(StatusCode::PAYLOAD_TOO_LARGE, INVALID_REQUEST, "The request is larger than 6 MB")
    }

    pub(crate) fn no_method(id: &str, method: &str) -> Self {
        let shown: String = method.chars().take(64).collect();
        Self::error(id, METHOD_NOT_FOUND, &format!("Method not found: {shown}"))
    }

    pub(crate) fn unknown_tool(id: &str, name: &str) -> Self {
        let shown: String = name.chars().take(256).collect();
        Self::error(id, INVALID_PARAMS, &format!("Unknown tool: {shown}"))
    }

    /// A call that policies deny: a tool's result, as on AWS.
    pub(crate) fn denied(id: &str) -> Self {
        Self {
            error: Some("AuthorizeActionException".to_owned()),
            outcome: Outcome::Refused,
            ..Self::result(id, &jsonrpc::text_result(DENIAL, true))
        }
    }

    /// A tool that could not do what it was asked.
    pub(crate) fn tool_error(id: &str, text: &str) -> Self {
        Self {
            error: Some("ToolError".to_owned()),
            outcome: Outcome::Failure,
            ..Self::result(id, &jsonrpc::text_result(text, true))
        }
    }

    /// Whether it turns the caller away, whatever the request was.
    pub(crate) fn denies_access(&self) -> bool {
        matches!(
            self.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        )
    }

    /// The same reply, with the audit record saying that it is a failure.
    pub(crate) fn failing(self, error: &str) -> Self {
        Self { error: Some(error.to_owned()), outcome: Outcome::Failure, ..self }
    }

    /// The answers to the messages of a batch. Notifications get none; a batch of nothing else is only accepted.
    pub(crate) fn batch(replies: Vec<Self>) -> Self {
        let mut written = vec![b'['];
        for reply in replies {
            let pieces = match reply.content {
                Content::Message(message) => [message, Bytes::new(), Bytes::new()],
                Content::Result(id, result) => {
                    [jsonrpc::result(&id, &result).into(), Bytes::new(), Bytes::new()]
                }
                Content::Around(before, shared) => [before, shared, Bytes::from_static(b"}")],
                Content::Nothing | Content::Document(_) => continue,
            };
            if written.len() > 1 {
                written.push(b',');
            }
            pieces.iter().for_each(|piece| written.extend_from_slice(piece));
        }
        if written.len() == 1 {
            return Self::accepted();
        }
        written.push(b']');
        Self::message(StatusCode::OK, written)
    }

    /// The same reply, in the form that the client asked for. Since 2026-07-28 an error has a status of its own, and is
    /// no stream ("Streamable HTTP", "Server Validation").
    pub(crate) fn written_for(mut self, turn: &Turn) -> Self {
        if turn.modern && self.status == StatusCode::OK {
            self.status = match self.code {
                Some(METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
                Some(
                    PARSE_ERROR | INVALID_REQUEST | INVALID_PARAMS | HEADER_MISMATCH | MISSING_CAPABILITY
                    | UNSUPPORTED_VERSION,
                ) => StatusCode::BAD_REQUEST,
                _ => self.status,
            };
        }
        if let Content::Result(id, result) = &self.content {
            self.content = Content::Message(own_result(id, result, turn.modern).into());
        }
        self.is_stream = turn.arrival.as_stream && self.status == StatusCode::OK;
        self
    }

    /// The message alone, for a stream that has begun.
    pub(crate) fn into_message(self) -> Option<Bytes> {
        self.written()
    }
}

/// A result of our own in a message; since 2026-07-28 it says whether it is the whole ("Overview", "Results").
fn own_result(id: &str, result: &str, modern: bool) -> Vec<u8> {
    match result.strip_prefix('{').filter(|rest| modern && !rest.starts_with("\"resultType\"")) {
        Some("}") => jsonrpc::result(id, "{\"resultType\":\"complete\"}"),
        Some(rest) => jsonrpc::result(id, &format!("{{\"resultType\":\"complete\",{rest}")),
        None => jsonrpc::result(id, result),
    }
}

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
