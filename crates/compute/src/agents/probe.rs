//! Asks an agent how it is: whether it listens, and what it answers to `GET /ping`.
//!
//! The agent is a stranger: it has a few seconds, 8 KiB, and its answer is looked at for one word. Source: Bedrock
//! AgentCore Developer Guide, "HTTP protocol contract requirements".

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Protocol;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const LONGEST: u64 = 8 * 1024;

/// How an agent is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It listens, and answers if its protocol has it answer.
    Healthy,
    /// It says that it works on something.
    Busy,
    /// It is not ready, or not well, in words.
    Unwell(String),
}

#[derive(Deserialize)]
struct Ping {
    status: Option<String>,
}

/// Asks the agent at `address`.
pub(super) async fn ask(protocol: Protocol, address: SocketAddr) -> Health {
    let asked = async {
        let stream = connect(address).await.map_err(|_| "nothing listens on its port".to_owned())?;
        match protocol {
            Protocol::Http => ping(stream).await,
            // MCP has no ping that is not part of a conversation.
            Protocol::Mcp => Ok(Health::Healthy),
        }
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(health)) => health,
        Ok(Err(words)) => Health::Unwell(words),
        Err(_) => Health::Unwell("it listens, and does not answer /ping within 5 s".to_owned()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it dials a port of loopback that the server opened for its own child"
)]
async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    TcpStream::connect(address).await
}

async fn ping(mut stream: TcpStream) -> Result<Health, String> {
    let failed = |error: std::io::Error| format!("it does not answer /ping: {error}");
    let request = b"GET /ping HTTP/1.1\r\nHost: localhost:8080\r\nAccept: application/json\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.map_err(failed)?;
    let mut answer = Vec::new();
    let read = (&mut stream).take(LONGEST).read_to_end(&mut answer).await;
    // One that closes badly has still answered.
    if answer.is_empty() {
        read.map_err(failed)?;
    }
    judge(&answer)
}

/// What an answer means.
fn judge(answer: &[u8]) -> Result<Health, String> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split_ascii_whitespace().nth(1).unwrap_or_default();
    if !head.starts_with("HTTP/1.") || status != "200" {
        let status = if status.is_empty() { "no HTTP status" } else { status };
        return Err(format!("it answers /ping with {}, and not with 200", status.escape_debug()));
    }
    // A body in chunks has its length before it: the object is looked for between its braces.
    let object = body.find('{').zip(body.rfind('}')).and_then(|(start, end)| body.get(start..=end));
    let ping = object.and_then(|object| serde_json::from_str::<Ping>(object).ok());
    match ping.and_then(|ping| ping.status).as_deref() {
        Some("HealthyBusy") => Ok(Health::Busy),
        _ => Ok(Health::Healthy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged() {
        let of = |answer: &str| judge(answer.as_bytes());
        assert_eq!(of("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"Healthy\"}"), Ok(Health::Healthy));
        let busy = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n19\r\n{\"status\": \"HealthyBusy\"}\r\n0\r\n\r\n";
        assert_eq!(of(busy), Ok(Health::Busy));
        assert_eq!(of("HTTP/1.1 200 OK\r\n\r\nok"), Ok(Health::Healthy));
        for wrong in ["", "HTTP/1.1 404 Not Found\r\n\r\n", "SSH-2.0 200", "\u{1b}[2J"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
