//! What is to be called, how often, and what is a right answer; and what was measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::connection::Answer;
use super::histogram::Histogram;

/// The first id. All ids have the same length, so that all requests have.
const FIRST_ID: u64 = 1_000_000_000;

/// What is to be called.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// An address and a port.
    pub(crate) address: String,
    /// The path of the endpoint.
    pub(crate) path: String,
    /// The bearer token, if one is sent.
    pub(crate) token: Option<String>,
    /// The message, with [`Plan::ID`] where its id belongs.
    pub(crate) body: String,
    /// What every right answer holds.
    pub(crate) expected: String,
    /// How many bytes a right answer has at least.
    pub(crate) least: usize,
    /// How many events a right answer has; none when it is no stream.
    pub(crate) events: usize,
    /// How many connections call at once.
    pub(crate) concurrency: usize,
    /// How long is called before anything counts.
    pub(crate) warm_up_ms: u64,
    /// How long is measured.
    pub(crate) window_ms: u64,
    /// The process whose processor time is read.
    pub(crate) watched: u32,
}

impl Plan {
    /// Stands in the message for the id: as long as every id is.
    pub(crate) const ID: &str = "##########";

    /// The head of every request.
    pub(super) fn head(&self) -> String {
        let token = self.token.as_ref().map(|token| format!("authorization: Bearer {token}\r\n"));
        format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\nmcp-protocol-version: 2025-11-25\r\n\
             {}content-length: {}\r\n\r\n",
            self.path,
            self.address,
            token.unwrap_or_default(),
            self.body.len(),
        )
    }

    /// The ids of one connection, which no other uses.
    pub(super) fn ids(&self, connection: usize) -> impl Iterator<Item = u64> {
        let step = self.concurrency.max(1);
        (FIRST_ID + connection as u64..).step_by(step)
    }

    /// Whether an answer is the right one.
    pub(super) fn check(&self, id: u64, answer: &Answer<'_>) -> Result<(), String> {
        let shown = || String::from_utf8_lossy(answer.body).chars().take(300).collect::<String>();
        if answer.status != 200 {
            return Err(format!("status {}: {}", answer.status, shown()));
        }
        // What differs stands at the beginning, or in the last event, so that long answers need not be searched.
        let length = answer.body.len();
        let (searched, end) = match self.events {
            0 => (answer.body.get(..length.min(1_024)), &b"}"[..]),
            _ => (answer.body.get(length.saturating_sub(1_024)..), &b"}\n\n"[..]),
        };
        let searched = searched.unwrap_or_default();
        let id = format!("\"id\":{id}");
        let right = holds(searched, id.as_bytes())
            && holds(searched, self.expected.as_bytes())
            && !holds(searched, b"\"isError\":true")
            && length >= self.least
            && answer.body.ends_with(end)
            && (self.events == 0 || events(answer.body) == self.events);
        if right { Ok(()) } else { Err(format!("a wrong answer: {}", shown())) }
    }
}

/// How many events a stream has.
fn events(stream: &[u8]) -> usize {
    stream.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"data:")).count()
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len().max(1)).any(|window| window == part)
}

/// What was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Right answers while it was measured.
    pub(crate) answers: u64,
    /// Right answers a second.
    pub(crate) per_second: f64,
    /// Half of the answers came within this many microseconds.
    pub(crate) p50_us: f64,
    /// 99 of 100 did.
    pub(crate) p99_us: f64,
    /// The processor time that an answer cost the process that is measured, all its threads together, in microseconds.
    pub(crate) processor_us: f64,
    /// How much of one core that process used.
    pub(crate) busy: f64,
    /// Its memory at the end, in MiB.
    pub(crate) resident_mib: u64,
    /// Wrong answers and broken connections, the warm-up's with them.
    pub(crate) errors: u64,
    /// The first of them.
    pub(crate) first_error: Option<String>,
}

impl Measured {
    pub(super) fn new(
        latencies: &Histogram,
        lasted: Duration,
        used: Duration,
        resident_mib: u64,
        errors: u64,
        first_error: Option<String>,
    ) -> Self {
        let answers = latencies.count();
        let (seconds, used) = (lasted.as_secs_f64(), used.as_secs_f64());
        Self {
            answers,
            per_second: answers as f64 / seconds,
            p50_us: latencies.quantile(0.5).as_secs_f64() * 1e6,
            p99_us: latencies.quantile(0.99).as_secs_f64() * 1e6,
            processor_us: used / answers.max(1) as f64 * 1e6,
            busy: used / seconds,
            resident_mib,
            errors,
            first_error,
        }
    }
}
