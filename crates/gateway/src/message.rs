//! Third stage: the messages of a body, read once into slices of it.

use http::StatusCode;
use mcp::Version;
use mcp::jsonrpc::{
    self, CallParams, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, Malformed, Message, Split,
};
use serde_json::value::RawValue;

use crate::answer::Reply;
use crate::listen::{Arrival, Spoken};
use crate::snapshot::Gate;

/// The most messages of one batch.
const MOST_MESSAGES: usize = 100;

/// What a body holds.
pub(crate) enum Messages<'a> {
    One(Written<'a>),
    /// Messages of an array, each of which stands for itself.
    Batch(Vec<Result<Written<'a>, Reply>>),
}

/// A message, and how it was written.
pub(crate) struct Written<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) message: Message<'a>,
}

impl<'a> Written<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Reply> {
        let message = Message::parse(bytes).map_err(|malformed| unreadable(&malformed))?;
        Ok(Self { bytes, message })
    }

    /// The id under which it wants an answer.
    pub(crate) fn id(&self) -> Option<&str> {
        match &self.message {
            Message::Request { id, .. } => Some(id.get()),
            Message::Notification { .. } | Message::Answer { .. } => None,
        }
    }

    /// Whether everybody reads the same in it: a member that stands twice, or is nested deeper than anyone reads, could
    /// be one thing for a rate limit or an interceptor and another for the upstream. The arguments of a tool that nobody
    /// but its policies reads are checked with those ("arguments.rs").
    pub(crate) fn check(&self, gate: &Gate) -> Result<(), Reply> {
        let (id, of_tool) = match &self.message {
            Message::Request { id, method, .. } => (Some(id.get()), method == "tools/call"),
            Message::Notification { .. } | Message::Answer { .. } => (None, false),
        };
        if of_tool && !gate.has_readers() {
            return Ok(());
        }
        strict_json::check(self.bytes).map_err(|error| match id {
            Some(id) => Reply::error(id, INVALID_PARAMS, &format!("Invalid params: {error}")),
            None => Reply::refused(StatusCode::BAD_REQUEST, INVALID_REQUEST, &error.to_string()),
        })
    }
}

impl<'a> Written<'a> {
    /// The message as one that may stand for another: of the same kind, and under the same id, by which its client
    /// knows the answer.
    pub(crate) fn instead_of(self, other: &Message<'_>) -> Result<Message<'a>, Reply> {
        let same = match (&self.message, other) {
            (Message::Request { id, .. }, Message::Request { id: before, .. })
            | (Message::Answer { id, .. }, Message::Answer { id: before, .. }) => id.get() == before.get(),
            (Message::Notification { .. }, Message::Notification { .. }) => true,
            _ => false,
        };
        if same {
            return Ok(self.message);
        }
        let detail = "An interceptor put a message of another kind or id in place of this one";
        Err(Reply::refused(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL_ERROR, detail))
    }
}

/// Reads a body.
pub(crate) fn read<'a>(body: &'a [u8], arrival: &Arrival, gate: &Gate) -> Result<Messages<'a>, Reply> {
    let invalid = |detail: &str| Reply::refused(StatusCode::BAD_REQUEST, INVALID_REQUEST, detail);
    match jsonrpc::split(body).map_err(|malformed| unreadable(&malformed))? {
        Split::One(bytes) => {
            let written = Written::parse(bytes)?;
            check_version(&written.message, arrival, gate)?;
            Ok(Messages::One(written))
        }
        Split::Batch(messages) => {
            let spoken = matches!(arrival.spoken, Spoken::Unsaid | Spoken::Former(Version::V2025_03_26));
            if !(spoken && gate.versions.contains(&Version::V2025_03_26)) {
                return Err(invalid("Batches are spoken by MCP 2025-03-26 only: send one message"));
            }
            if messages.is_empty() {
                return Err(invalid("An empty batch is no request"));
            }
            if messages.len() > MOST_MESSAGES {
                return Err(invalid("A batch may have 100 messages at most"));
            }
            let messages: Vec<_> = messages.into_iter().map(Written::parse).collect();
            // 2025-03-26, "Initialization": the first request must not be part of a batch.
            let initialises = |written: &Result<Written<'_>, Reply>| {
                let message = written.as_ref().map(|written| &written.message);
                matches!(message, Ok(Message::Request { method, .. }) if method == "initialize")
            };
            if messages.iter().any(initialises) {
                return Err(invalid("`initialize` must not be part of a batch"));
            }
            Ok(Messages::Batch(messages))
        }
    }
}

/// The parameters of a request that is about something.
pub(crate) fn about<'a>(
    id: &str,
    params: Option<&'a RawValue>,
    parse: fn(&'a RawValue) -> Result<CallParams<'a>, String>,
) -> Result<CallParams<'a>, Reply> {
    let params = params.ok_or_else(|| "The request needs `params` that say what it is about".to_owned());
    params.and_then(parse).map_err(|problem| Reply::error(id, INVALID_PARAMS, &problem))
}

/// A version that is not spoken is refused (2025-06-18, "Protocol Version Header"); but a client that still looks for one
/// that is gets its answer.
fn check_version(message: &Message<'_>, arrival: &Arrival, gate: &Gate) -> Result<(), Reply> {
    let named = match &arrival.spoken {
        Spoken::Refused(named) => *named,
        Spoken::Unsaid if !arrival.is_modern(message) && gate.versions.iter().all(|one| one.is_modern()) => {
            Version::WITHOUT_HEADER
        }
        _ => return Ok(()),
    };
    match message {
        Message::Request { method, .. } if method == "initialize" => Ok(()),
        _ => {
            let detail = format!(
                "Unsupported MCP-Protocol-Version: {named}. Send `initialize` to agree on one that this gateway speaks"
            );
            Err(Reply::refused(StatusCode::BAD_REQUEST, INVALID_REQUEST, &detail))
        }
    }
}

fn unreadable(malformed: &Malformed) -> Reply {
    Reply::malformed(malformed)
}
