//! A Lambda function's bootstrap, as small as one can be: it asks the Runtime API for an event and answers with it.
//!
//! Source: Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes". Nothing of Portcullis' own is
//! used: what is measured is what a `provided` runtime of anybody's gets.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::failure::Failure;
use crate::message::Head;

pub(crate) fn run(api: &str) -> Result<(), Failure> {
    let stream =
        TcpStream::connect(api).map_err(|error| Failure::of("the Runtime API does not answer", error))?;
    stream.set_nodelay(true)?;
    let mut client = Client { stream, api: api.to_owned(), received: Vec::with_capacity(16 * 1024) };
    loop {
        client.send("GET", "/2018-06-01/runtime/invocation/next", b"")?;
        let event = client.receive()?;
        let path = format!("/2018-06-01/runtime/invocation/{}/response", event.request_id);
        client.send("POST", &path, &event.body)?;
        client.receive()?;
    }
}

/// A connection to the Runtime API.
struct Client {
    stream: TcpStream,
    api: String,
    received: Vec<u8>,
}

/// An answer of the Runtime API.
struct Answer {
    request_id: String,
    body: Vec<u8>,
}

impl Client {
    fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<(), Failure> {
        let (api, length) = (&self.api, body.len());
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {api}\r\ncontent-length: {length}\r\n\r\n");
        Ok(self.stream.write_all(&[head.as_bytes(), body].concat())?)
    }

    fn receive(&mut self) -> Result<Answer, Failure> {
        self.received.clear();
        loop {
            let mut piece = [0; 16 * 1024];
            let length = self.stream.read(&mut piece)?;
            if length == 0 {
                return Err(Failure::new("the Runtime API is gone"));
            }
            self.received.extend_from_slice(piece.get(..length).unwrap_or_default());
            let Some(head) = Head::read(&self.received).map_err(Failure::new)? else { continue };
            let length = head.body.ok_or_else(|| Failure::new("the Runtime API answers in chunks"))?;
            if let Some(body) = self.received.get(head.length..head.length + length) {
                let id = head.header(b"lambda-runtime-aws-request-id").unwrap_or_default();
                return Ok(Answer {
                    request_id: String::from_utf8_lossy(id).into_owned(),
                    body: body.to_vec(),
                });
            }
        }
    }
}
