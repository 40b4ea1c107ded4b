//! A client for an upstream server over streamable HTTP: it initialises once, keeps the session, and opens a new one
//! when the server has forgotten it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use domain::{Document, Tool};
use egress::{Client, EgressError};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{Events, Version};

/// The largest answer that is read, in bytes ("Quotas": payload).
const MAX_ANSWER: usize = 6 * 1024 * 1024;
/// How long an upstream has for what is asked of it on nobody's behalf.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most pages of a list that are read.
const MOST_PAGES: usize = 1_000;
/// How long all pages of a list may take together.
const LIST_PATIENCE: Duration = Duration::from_secs(60);
/// How large all pages of a list may be together, in bytes.
const MAX_LIST: usize = 16 * 1024 * 1024;

/// An upstream server. Its session is shared by all who call it.
pub struct Upstream {
    client: Client,
    endpoint: String,
    session: ArcSwapOption<Session>,
    initialising: Mutex<()>,
    /// The id of the next request: every request of a session has its own, whatever ids our clients use.
    next: AtomicU64,
}

/// What was agreed when the session was opened.
struct Session {
    version: Option<HeaderValue>,
    id: Option<HeaderValue>,
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
    fn read(bytes: Bytes, id: u64) -> Option<Self> {
        let fields: Fields<'_> = serde_json::from_slice(&bytes).ok()?;
        let given = fields.id?.get();
        if given.parse() != Ok(id) || fields.result.is_some() == fields.error.is_some() {
            return None;
        }
        // The id is a slice of the bytes.
        let start = given.as_ptr() as usize - bytes.as_ptr() as usize;
        let (id_at, is_error) = (start..start + given.len(), fields.error.is_some());
        Some(Self { bytes, id_at, is_error })
    }

    /// Whether it is a JSON-RPC error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.is_error
    }

    /// The answer byte for byte, but with the id that our client used.
    #[must_use]
    pub fn for_client(&self, id: &str) -> Vec<u8> {
        let before = self.bytes.get(..self.id_at.start).unwrap_or_default();
        let after = self.bytes.get(self.id_at.end..).unwrap_or_default();
        [before, id.as_bytes(), after].concat()
    }
}

impl Upstream {
    /// The server at `endpoint`, dialled through `client`.
    #[must_use]
    pub fn new(client: Client, endpoint: &str) -> Self {
        Self {
            client,
            endpoint: endpoint.to_owned(),
            session: ArcSwapOption::empty(),
            initialising: Mutex::new(()),
            // Zero is the handshake's.
            next: AtomicU64::new(1),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Makes a request, and gives back its answer as it came.
    ///
    /// `params` is a JSON object. `client` is the caller's own, so that connections stay on its thread.
    ///
    /// # Errors
    /// [`UpstreamError`] when there is no answer.
    pub async fn exchange(
        &self,
        client: &Client,
        method: &str,
        params: &str,
        patience: Duration,
    ) -> Result<Answer, UpstreamError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let message =
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{params}}}");
        let message = Bytes::from(message);
        let exchange = async {
            let session = self.session(client).await?;
            match self.post(client, Some(&session), message.clone(), Some(id)).await {
                Err(UpstreamError::Status(StatusCode::NOT_FOUND)) if session.id.is_some() => {
                    // The server has forgotten the session (2025-06-18, "Session Management", item 3).
                    self.session.compare_and_swap(&session, None);
                    let session = self.session(client).await?;
                    self.post(client, Some(&session), message, Some(id)).await
                }
                answer => answer,
            }
        };
        let answered = tokio::time::timeout(patience, exchange).await;
        answered.unwrap_or(Err(UpstreamError::TimedOut(patience)))?.ok_or(UpstreamError::NoAnswer)
    }

    /// The server's tools, all pages of them, at most `most`.
    ///
    /// # Errors
    /// [`UpstreamError`] when they cannot be read.
    pub async fn list_tools(&self, most: usize) -> Result<Vec<Tool>, UpstreamError> {
        let listing = tokio::time::timeout(LIST_PATIENCE, self.pages(most)).await;
        listing.unwrap_or(Err(UpstreamError::TimedOut(LIST_PATIENCE)))
    }

    async fn pages(&self, most: usize) -> Result<Vec<Tool>, UpstreamError> {
        let mut bytes = 0_usize;
        let mut tools = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let params = cursor.map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor })).to_string();
            let answer = self.exchange(&self.client, "tools/list", &params, PATIENCE).await?;
            bytes = bytes.saturating_add(answer.bytes.len());
            if bytes > MAX_LIST {
                return Err(UpstreamError::Malformed(format!("its list is larger than {MAX_LIST} bytes")));
            }
            let answer = strict_json::parse(&answer.bytes)
                .map_err(|error| UpstreamError::Malformed(error.to_string()))?;
            if let Some(error) = answer.get("error") {
                return Err(UpstreamError::Malformed(format!(
                    "it answers tools/list with the error {error}"
                )));
            }
            let listed = answer.pointer("/result/tools").and_then(Value::as_array);
            let listed =
                listed.ok_or_else(|| UpstreamError::Malformed("its list has no `tools`".to_owned()))?;
            for tool in listed {
                tools.push(read_tool(tool)?);
            }
            if tools.len() > most {
                return Err(UpstreamError::Malformed(format!("it lists more than {most} tools")));
            }
            cursor = answer.pointer("/result/nextCursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                return Ok(tools);
            }
        }
        Err(UpstreamError::Malformed(format!("its list has more than {MOST_PAGES} pages")))
    }

    async fn session(&self, client: &Client) -> Result<Arc<Session>, UpstreamError> {
        if let Some(session) = self.session.load_full() {
            return Ok(session);
        }
        let _turn = self.initialising.lock().await;
        if let Some(session) = self.session.load_full() {
            return Ok(session);
        }
        let session = Arc::new(self.initialise(client).await?);
        self.session.store(Some(Arc::clone(&session)));
        Ok(session)
    }

    async fn initialise(&self, client: &Client) -> Result<Session, UpstreamError> {
        let [newest, ..] = Version::ALL;
        let request = json!({
            "jsonrpc": "2.0",
            "id": 0,
            "method": "initialize",
            "params": {
                "protocolVersion": newest.as_str(),
                "capabilities": {},
                "clientInfo": { "name": "portcullis", "version": env!("CARGO_PKG_VERSION") },
            },
        });
        let response = self.send(client, None, request.to_string().into()).await?;
        let id = response.headers().get("mcp-session-id").cloned();
        let answer = self.read(response, Some(0)).await?.ok_or(UpstreamError::NoAnswer)?;
        let answer: Value =
            strict_json::parse(&answer.bytes).map_err(|error| UpstreamError::Malformed(error.to_string()))?;
        let version =
            answer.pointer("/result/protocolVersion").and_then(Value::as_str).and_then(Version::parse);
        let version = version.ok_or_else(|| {
            UpstreamError::Malformed(format!("it does not agree on a protocol version: {}", bounded(&answer)))
        })?;
        let header = (version > Version::WITHOUT_HEADER).then(|| HeaderValue::from_static(version.as_str()));
        let session = Session { version: header, id };
        let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.post(client, Some(&session), note.to_string().into(), None).await?;
        Ok(session)
    }

    async fn post(
        &self,
        client: &Client,
        session: Option<&Session>,
        message: Bytes,
        id: Option<u64>,
    ) -> Result<Option<Answer>, UpstreamError> {
        let response = self.send(client, session, message).await?;
        self.read(response, id).await
    }

    async fn send(
        &self,
        client: &Client,
        session: Option<&Session>,
        message: Bytes,
    ) -> Result<http::Response<Incoming>, UpstreamError> {
        let mut request = Request::post(self.endpoint.as_str())
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(Full::new(message))
            .map_err(|_| UpstreamError::Egress(EgressError::Url(self.endpoint.clone())))?;
        if let Some(session) = session {
            if let Some(version) = &session.version {
                request.headers_mut().insert("mcp-protocol-version", version.clone());
            }
            if let Some(id) = &session.id {
                request.headers_mut().insert("mcp-session-id", id.clone());
            }
        }
        Ok(client.send(request).await?)
    }

    /// The answer to the request of this id, out of a JSON body or an event stream; `None` where none is due.
    async fn read(
        &self,
        response: http::Response<Incoming>,
        id: Option<u64>,
    ) -> Result<Option<Answer>, UpstreamError> {
        let (parts, mut body) = response.into_parts();
        if !parts.status.is_success() {
            return Err(UpstreamError::Status(parts.status));
        }
        let Some(id) = id else { return Ok(None) };
        let kind = parts.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_stream = kind.starts_with("text/event-stream");
        let mut events = Events::default();
        let mut whole: Option<Bytes> = None;
        let mut rest: Vec<u8> = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| UpstreamError::Egress(EgressError::Broken(error.to_string())))?;
            let Ok(data) = frame.into_data() else { continue };
            if is_stream {
                let found = events.push(&data).into_iter().find_map(|event| Answer::read(event.into(), id));
                if found.is_some() {
                    return Ok(found);
                }
                if events.waiting() > MAX_ANSWER {
                    return Err(UpstreamError::TooLarge);
                }
                continue;
            }
            // One frame is the usual case, and is passed on without a copy.
            match whole.take() {
                None if rest.is_empty() => whole = Some(data),
                first => {
                    if let Some(first) = first {
                        rest.extend_from_slice(&first);
                    }
                    rest.extend_from_slice(&data);
                }
            }
            if rest.len() + whole.as_ref().map_or(0, Bytes::len) > MAX_ANSWER {
                return Err(UpstreamError::TooLarge);
            }
        }
        let whole = whole.unwrap_or_else(|| rest.into());
        let answer = if is_stream { None } else { Answer::read(whole, id) };
        answer.map(Some).ok_or(UpstreamError::NoAnswer)
    }
}

fn read_tool(tool: &Value) -> Result<Tool, UpstreamError> {
    let malformed = |what: &str| UpstreamError::Malformed(format!("a tool of its list {what}"));
    let Value::Object(definition) = tool else { return Err(malformed("is no object")) };
    let mut definition = definition.clone();
    let Some(Value::String(name)) = definition.remove("name") else { return Err(malformed("has no name")) };
    let schema = definition.get("inputSchema").filter(|schema| schema.is_object());
    let input_schema = schema.ok_or_else(|| malformed("has no inputSchema"))?.to_string();
    Ok(Tool {
        name,
        definition: Document(Value::Object(definition).to_string()),
        input_schema: Document(input_schema),
        plan: None,
    })
}

fn bounded(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}

/// Why an upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// It cannot be reached, or the connection broke.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// It answered with this status.
    #[error("it answered {0}")]
    Status(StatusCode),
    /// It answered, but not to what it was asked.
    #[error("it gave no answer to the request")]
    NoAnswer,
    /// It answered with something that is not the protocol.
    #[error("{0}")]
    Malformed(String),
    /// Its answer is larger than 6 MiB.
    #[error("its answer is larger than {MAX_ANSWER} bytes")]
    TooLarge,
    /// It did not answer in time.
    #[error("it gave no answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
}
