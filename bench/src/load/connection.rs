//! One kept connection: its request is written once, and only the id in it changes.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::plan::Plan;
use crate::message::{Chunks, Head, take_chunks};

/// How many bytes are received without asking for memory: of small answers, and of large ones.
const ROOM: [usize; 2] = [16 * 1024, 512 * 1024];

/// How long a connection may take to be taken.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    /// Where in the request the id stands.
    id_at: usize,
    received: Vec<u8>,
    /// The body of an answer in chunks.
    unpacked: Vec<u8>,
    /// Whether the last answer said that it is.
    closes: bool,
}

/// An answer.
pub(crate) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
    /// Whether the connection ends behind it.
    pub(super) closes: bool,
}

impl Connection {
    /// Dials, and begins a session where the plan wants one.
    ///
    /// # Errors
    /// When nobody answers there.
    #[expect(clippy::disallowed_methods, reason = "whoever measures calls what it is told to, itself")]
    pub(crate) async fn open(plan: &Plan) -> Result<Self, String> {
        let dialling = tokio::time::timeout(PATIENCE, TcpStream::connect(&plan.address));
        let stream = dialling.await.map_err(|_| "nobody takes the connection".to_owned())?;
        let stream = stream.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut connection = Self {
            stream,
            request: Vec::new(),
            id_at: 0,
            received: Vec::with_capacity(if plan.least > ROOM[0] { ROOM[1] } else { ROOM[0] }),
            unpacked: Vec::new(),
            closes: false,
        };
        let session = if plan.session { Some(connection.begin_session(plan).await?) } else { None };
        let head = plan.head(session.as_deref(), plan.body.len());
        let at = plan.body.find(Plan::ID).ok_or("the message has no place for its id")?;
        connection.id_at = head.len() + at;
        connection.request = [head.as_str(), &plan.body].concat().into_bytes();
        Ok(connection)
    }

    /// `initialize`, and the notification behind it; gives the id of the session (MCP 2025-11-25, "Session Management").
    async fn begin_session(&mut self, plan: &Plan) -> Result<String, String> {
        const INITIALIZE: &str = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\
             \"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}";
        const INITIALIZED: &str = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
        self.say(&plan.head(None, INITIALIZE.len()), INITIALIZE).await?;
        let head = Head::read(&self.received)?.ok_or("there is no answer to `initialize`")?;
        let id = head.header(b"mcp-session-id").ok_or("the answer to `initialize` has no session")?;
        let id = String::from_utf8_lossy(id).into_owned();
        self.say(&plan.head(Some(&id), INITIALIZED.len()), INITIALIZED).await?;
        Ok(id)
    }

    async fn say(&mut self, head: &str, body: &str) -> Result<(), String> {
        let request = [head, body].concat();
        self.stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
        self.received.clear();
        self.unpacked.clear();
        match self.receive().await? {
            (200..=299, _) => Ok(()),
            (status, _) => Err(format!("status {status} to the beginning of a session")),
        }
    }

    /// Sends the request under an id, and waits for the answer.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn exchange(&mut self, id: u64) -> Result<Answer<'_>, String> {
        let place = self.request.get_mut(self.id_at..self.id_at + Plan::ID.len());
        place.ok_or("the id has no place")?.copy_from_slice(id.to_string().as_bytes());
        self.stream.write_all(&self.request).await.map_err(|error| error.to_string())?;
        self.received.clear();
        self.unpacked.clear();
        let (status, body) = self.receive().await?;
        let body = match body {
            Some(at) => self.received.get(at..).unwrap_or_default(),
            None => &self.unpacked,
        };
        Ok(Answer { status, body, closes: self.closes })
    }

    /// Reads an answer; gives its status, and where its body begins unless that came in chunks.
    async fn receive(&mut self) -> Result<(u16, Option<usize>), String> {
        let mut known = None;
        let mut next_chunk = 0;
        loop {
            let read = self.stream.read_buf(&mut self.received).await.map_err(|error| error.to_string())?;
            if read == 0 {
                return Err("the connection was closed".to_owned());
            }
            if known.is_none() {
                let head = Head::read(&self.received)?;
                known = head.map(|head| {
                    let closes =
                        head.header(b"connection").is_some_and(|it| it.eq_ignore_ascii_case(b"close"));
                    (head.status, head.length, head.body, closes)
                });
                next_chunk = known.map_or(0, |(_, begin, ..)| begin);
                self.closes = known.is_some_and(|(.., closes)| closes);
            }
            match known {
                Some((status, begin, Some(length), _)) if self.received.len() >= begin + length => {
                    return Ok((status, Some(begin)));
                }
                Some((status, _, None, _)) => {
                    match take_chunks(&self.received, next_chunk, &mut self.unpacked)? {
                        Chunks::Next(at) => next_chunk = at,
                        Chunks::Over => return Ok((status, None)),
                    }
                }
                _ => {}
            }
        }
    }
}
