//! What a server says to one request: its answer, and before it, on an event stream, notifications and requests of its
//! own.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use egress::EgressError;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::session::Session;
use super::{Era, UpstreamError};
use crate::depth::is_too_deep;
use crate::jsonrpc::Message;
use crate::{Events, Members};

/// The largest body that is read of an answer whose status is an error.
const MAX_ERROR: usize = 64 * 1024;

/// Something that a server says.
pub enum Said {
    /// Its answer: the last that it says.
    Answer(Answer),
    /// A notification, with the progress token that the client gave.
    Note {
        /// The method.
        method: String,
        /// The message.
        message: Bytes,
    },
    /// A request of its own, which only servers of the former era make.
    Request {
        /// Its id, as JSON.
        id: String,
        /// The method.
        method: String,
        /// The parameters, as JSON.
        params: Option<String>,
    },
}

/// One request and what is said to it. Dropping it closes the stream, by which a server of the new era knows that nobody
/// waits any more.
pub struct Exchange {
    id: u64,
    era: Era,
    source: Source,
    /// The client's own progress token.
    progress: Option<String>,
    pub(super) session: Option<Arc<Session>>,
    /// Headers of the answer.
    headers: http::HeaderMap,
    /// The largest message that is read, in bytes.
    largest: usize,
}

enum Source {
    Whole(Option<Bytes>),
    Stream { body: Incoming, events: Events, waiting: VecDeque<Vec<u8>> },
}

impl Exchange {
    /// Reads the head of the answer, and the whole body unless it is a stream.
    pub(super) async fn read(
        response: Response<Incoming>,
        id: u64,
        era: Era,
        progress: Option<String>,
        session: Option<Arc<Session>>,
        largest: usize,
    ) -> Result<Self, UpstreamError> {
        let (parts, mut body) = response.into_parts();
        let kind = parts.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let source = if parts.status.is_success() && kind.starts_with("text/event-stream") {
            Source::Stream { body, events: Events::default(), waiting: VecDeque::new() }
        } else if parts.status.is_success() {
            Source::Whole(Some(whole(&mut body, largest).await?))
        } else {
            // A server of the new era says its errors with a status; the message is what counts.
            let message = match era {
                // Whoever is not let in may be let in with another credential.
                Era::Modern if parts.status != StatusCode::UNAUTHORIZED => {
                    whole(&mut body, MAX_ERROR).await.ok()
                }
                Era::Modern | Era::Legacy => None,
            };
            let message = message.filter(|message| Answer::read(message, id).is_some());
            Source::Whole(Some(message.ok_or(UpstreamError::Status(parts.status))?))
        };
        Ok(Self { id, era, source, progress, session, headers: parts.headers, largest })
    }

    /// The headers that came with the answer.
    #[must_use]
    pub fn headers(&self) -> &http::HeaderMap {
        &self.headers
    }

    /// The era of the server.
    #[must_use]
    pub fn era(&self) -> Era {
        self.era
    }

    /// What the server says next; `None` when it has said everything.
    ///
    /// # Errors
    /// [`UpstreamError`] when the connection breaks, or a message is too large.
    pub async fn next(&mut self) -> Result<Option<Said>, UpstreamError> {
        loop {
            let message: Bytes = match &mut self.source {
                Source::Whole(message) => match message.take() {
                    Some(message) => message,
                    None => return Ok(None),
                },
                Source::Stream { body, events, waiting } => match waiting.pop_front() {
                    Some(message) => message.into(),
                    None => match body.frame().await {
                        None => return Ok(None),
                        Some(frame) => {
                            let frame = frame.map_err(|error| EgressError::Broken(error.to_string()))?;
                            if let Ok(data) = frame.into_data() {
                                waiting.extend(events.push(&data));
                                if events.waiting() > self.largest {
                                    return Err(UpstreamError::TooLarge(self.largest));
                                }
                            }
                            continue;
                        }
                    },
                },
            };
            if let Some(said) = self.understood(&message) {
                return Ok(Some(said));
            }
        }
    }

    /// The answer, whatever is said before it.
    ///
    /// # Errors
    /// [`UpstreamError`] when there is none.
    pub async fn answer(&mut self) -> Result<Answer, UpstreamError> {
        loop {
            match self.next().await? {
                Some(Said::Answer(answer)) => return Ok(answer),
                Some(_) => {}
                None => return Err(UpstreamError::NoAnswer),
            }
        }
    }

    /// What a message is; `None` for what does not belong here, or is no message.
    fn understood(&self, bytes: &Bytes) -> Option<Said> {
        if is_too_deep(bytes) {
            return None;
        }
        match Message::parse(bytes).ok()? {
            Message::Answer { id, result, error } => {
                let found = Fields { id: Some(id), result, error };
                Answer::of(bytes, &found, self.id).map(Said::Answer)
            }
            Message::Notification { method, params } => {
                let method = method.into_owned();
                let message = match params.filter(|_| method == "notifications/progress") {
                    Some(params) => self.with_own_token(params)?,
                    None => bytes.clone(),
                };
                Some(Said::Note { method, message })
            }
            Message::Request { id, method, params } => Some(Said::Request {
                id: id.get().to_owned(),
                method: method.into_owned(),
                params: params.map(|params| params.get().to_owned()),
            }),
        }
    }

    /// A notification of progress with the token that the client gave.
    fn with_own_token(&self, params: &RawValue) -> Option<Bytes> {
        let mut params = Members::parse(params).ok()?;
        if params.get("progressToken") != Some(&self.id.to_string()) {
            return None;
        }
        params.set("progressToken", self.progress.clone()?);
        let message =
            format!("{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{params}}}");
        Some(message.into())
    }
}

async fn whole(body: &mut Incoming, limit: usize) -> Result<Bytes, UpstreamError> {
    let mut first: Option<Bytes> = None;
    let mut rest: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| EgressError::Broken(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        // One frame is the usual case, and is passed on without a copy.
        match first.take() {
            None if rest.is_empty() => first = Some(data),
            before => {
                if let Some(before) = before {
                    rest.extend_from_slice(&before);
                }
                rest.extend_from_slice(&data);
            }
        }
        if rest.len() + first.as_ref().map_or(0, Bytes::len) > limit {
            return Err(UpstreamError::TooLarge(limit));
        }
    }
    Ok(first.unwrap_or_else(|| rest.into()))
}

/// An answer, as much of it as must be read.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// An answer of an upstream, as it came.
pub struct Answer {
    bytes: Bytes,
    /// Where our id stands in it.
    id_at: Range<usize>,
    is_error: bool,
}

impl Answer {
    /// The answer to our request `id`, if these bytes are one.
    fn read(bytes: &Bytes, id: u64) -> Option<Self> {
        let fields: Fields<'_> = serde_json::from_slice(bytes).ok()?;
        Self::of(bytes, &fields, id)
    }

    /// The same, of bytes in which these fields were found.
    fn of(bytes: &Bytes, fields: &Fields<'_>, id: u64) -> Option<Self> {
        let given = fields.id?.get();
        if given.parse() != Ok(id) || fields.result.is_some() == fields.error.is_some() {
            return None;
        }
        // The id is a slice of the bytes.
        let start = given.as_ptr() as usize - bytes.as_ptr() as usize;
        let (id_at, is_error) = (start..start + given.len(), fields.error.is_some());
        Some(Self { bytes: bytes.clone(), id_at, is_error })
    }

    /// Whether it is a JSON-RPC error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.is_error
    }

    /// It, as it came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its result, or its error.
    #[must_use]
    pub fn outcome(&self) -> Option<&RawValue> {
        let fields: Fields<'_> = serde_json::from_slice(&self.bytes).ok()?;
        fields.result.or(fields.error)
    }

    /// The answer byte for byte, but with the id that our client used.
    #[must_use]
    pub fn for_client(&self, id: &str) -> Vec<u8> {
        let before = self.bytes.get(..self.id_at.start).unwrap_or_default();
        let after = self.bytes.get(self.id_at.end..).unwrap_or_default();
        [before, id.as_bytes(), after].concat()
    }
}
