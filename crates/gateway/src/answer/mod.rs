//! Last stage: the answer, as MCP and AgentCore write it.

mod refusals;
mod shaped;
mod wire;

use std::borrow::Cow;

use bytes::Bytes;
use domain::Outcome;
use http::{HeaderName, HeaderValue, StatusCode};
use mask::Mask;
use mcp::jsonrpc::{
    self, HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, MISSING_CAPABILITY,
    PARSE_ERROR, UNSUPPORTED_VERSION,
};

use crate::turn::Turn;

pub(crate) use wire::{event, finish, identify, streaming};

/// An answer, and what the audit record says of it.
pub(crate) struct Reply {
    status: StatusCode,
    content: Content,
    challenge: Option<HeaderValue>,
    /// The error's name or code, when it is one.
    pub(crate) error: Option<String>,
    /// Why what was allowed failed: for the audit trail alone.
    pub(crate) why: Option<String>,
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
            why: None,
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

    /// The same reply, with what the audit trail is told of its failure.
    pub(crate) fn because(self, why: String) -> Self {
        Self { why: Some(why), ..self }
    }

    /// Whether it is a stream of events.
    pub(crate) fn is_stream(&self) -> bool {
        self.is_stream
    }

    /// The code of a JSON-RPC error, if it is one.
    pub(crate) fn code(&self) -> Option<i64> {
        self.code
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

    /// About how many bytes it has.
    pub(crate) fn len(&self) -> usize {
        match &self.content {
            Content::Message(message) | Content::Document(message) => message.len(),
            Content::Around(before, shared) => before.len() + shared.len(),
            Content::Result(_, result) => result.len(),
            Content::Nothing => 0,
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

    /// The same reply with headers that its upstream sent.
    pub(crate) fn with_headers(mut self, headers: Vec<(HeaderName, HeaderValue)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// The same reply without the secrets that a mask knows.
    pub(crate) fn masked(mut self, mask: &Mask) -> Self {
        self.content = match self.content {
            Content::Message(message) => Content::Message(without_secrets(mask, message)),
            Content::Result(id, result) => Content::Result(id, mask.text(&result).into_owned()),
            content @ (Content::Nothing | Content::Document(_) | Content::Around(..)) => content,
        };
        for (_, value) in &mut self.headers {
            if let Cow::Owned(masked) = mask.bytes(value.as_bytes()) {
                *value = HeaderValue::from_bytes(&masked).unwrap_or(HeaderValue::from_static(""));
            }
        }
        self
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

    /// A notification that was taken.
    pub(crate) fn accepted() -> Self {
        Self { content: Content::Nothing, ..Self::message(StatusCode::ACCEPTED, Vec::new()) }
    }

    /// A document that is no message.
    pub(crate) fn json(document: String) -> Self {
        Self { content: Content::Document(document.into()), ..Self::message(StatusCode::OK, Vec::new()) }
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

/// A message without the secrets that a mask knows; it is copied only if it holds one.
pub(crate) fn without_secrets(mask: &Mask, message: Bytes) -> Bytes {
    match mask.bytes(&message) {
        Cow::Borrowed(_) => message,
        Cow::Owned(masked) => masked.into(),
    }
}
