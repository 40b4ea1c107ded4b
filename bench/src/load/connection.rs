//! One kept connection: its request is written once, and only the id in it changes.

use std::net::TcpStream as Dialled;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::plan::Plan;
use crate::message::{Chunks, Head, take_chunks};

pub(super) struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    /// Where in the request the id stands.
    id_at: usize,
    received: Vec<u8>,
    /// The body of an answer in chunks.
    unpacked: Vec<u8>,
}

/// An answer.
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
}

impl Connection {
    /// Dials.
    ///
    /// # Errors
    /// When nobody answers there.
    pub(super) fn open(address: &str, head: &str, body: &str) -> Result<Self, String> {
        let dial = || {
            let stream = Dialled::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            TcpStream::from_std(stream)
        };
        let id_at = head.len() + body.find(Plan::ID).ok_or("the message has no place for its id")?;
        Ok(Self {
            stream: dial().map_err(|error| error.to_string())?,
            request: [head, body].concat().into_bytes(),
            id_at,
            received: Vec::with_capacity(512 * 1024),
            unpacked: Vec::new(),
        })
    }

    /// Sends the request under an id, and waits for the answer.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn exchange(&mut self, id: u64) -> Result<Answer<'_>, String> {
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
        Ok(Answer { status, body })
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
                known = head.map(|head| (head.status, head.length, head.body));
                next_chunk = known.map_or(0, |(_, begin, _)| begin);
            }
            match known {
                Some((status, begin, Some(length))) if self.received.len() >= begin + length => {
                    return Ok((status, Some(begin)));
                }
                Some((status, _, None)) => {
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
