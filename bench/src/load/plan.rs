//! What is to be called, how often, and what is a right answer; and what was measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Tally;
use super::connection::Answer;
use crate::failure::Failure;
use crate::process::{idle_time, processor_time};

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
    /// Groups of processes whose processor time is read besides.
    #[serde(default)]
    pub(crate) beside: Vec<Vec<u32>>,
    /// Whether each connection begins a session of MCP, and calls in it.
    #[serde(default)]
    pub(crate) session: bool,
    /// Whether a right answer is the one that we would give to the byte. What others put around it is theirs to choose.
    #[serde(default = "yes")]
    pub(crate) exact: bool,
}

fn yes() -> bool {
    true
}

impl Plan {
    /// Stands in the message for the id: as long as every id is.
    pub(crate) const ID: &str = "##########";

    /// The head of every request with so long a body; `session` is the id of its session, if it is in one.
    pub(super) fn head(&self, session: Option<&str>, length: usize) -> String {
        let session = session.map(|id| format!("mcp-session-id: {id}\r\n"));
        let token = self.token.as_ref().map(|token| format!("authorization: Bearer {token}\r\n"));
        format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\nmcp-protocol-version: 2025-11-25\r\n\
             {}{}content-length: {length}\r\n\r\n",
            self.path,
            self.address,
            token.unwrap_or_default(),
            session.unwrap_or_default(),
        )
    }

    /// The ids of one connection, which no other uses.
    pub(crate) fn ids(&self, connection: usize) -> impl Iterator<Item = u64> {
        let step = self.concurrency.max(1);
        (FIRST_ID + connection as u64..).step_by(step)
    }

    /// Whether an answer is the right one.
    pub(crate) fn check(&self, id: u64, answer: &Answer<'_>) -> Result<(), String> {
        let shown = || String::from_utf8_lossy(answer.body).chars().take(300).collect::<String>();
        if answer.status != 200 {
            return Err(format!("status {}: {}", answer.status, shown()));
        }
        if !self.exact {
            let right = holds(answer.body, format!("\"id\":{id}").as_bytes())
                && holds(answer.body, self.expected.as_bytes())
                && !holds(answer.body, b"\"isError\":true")
                && events(answer.body) >= self.events;
            return if right { Ok(()) } else { Err(format!("a wrong answer: {}", shown())) };
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

/// The processor time that everybody has used.
pub(super) struct Used {
    watched: Duration,
    own: Duration,
    beside: Vec<Duration>,
    /// What nobody used.
    idle: Duration,
}

impl Used {
    /// As it stands now. What is read besides may have ended.
    pub(super) fn read(plan: &Plan) -> Result<Self, Failure> {
        let group = |pids: &Vec<u32>| pids.iter().filter_map(|pid| processor_time(*pid).ok()).sum();
        Ok(Self {
            watched: processor_time(plan.watched)?,
            own: processor_time(std::process::id())?,
            beside: plan.beside.iter().map(group).collect(),
            idle: idle_time()?,
        })
    }

    /// What was used since.
    pub(super) fn since(&self, before: &Self) -> Self {
        let beside = self.beside.iter().zip(&before.beside);
        Self {
            watched: self.watched.saturating_sub(before.watched),
            own: self.own.saturating_sub(before.own),
            beside: beside.map(|(now, before)| now.saturating_sub(*before)).collect(),
            idle: self.idle.saturating_sub(before.idle),
        }
    }
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
    /// The processor time that an answer cost the one who called, in microseconds.
    pub(crate) own_us: f64,
    /// That of each group that was to be read besides.
    pub(crate) beside_us: Vec<f64>,
    /// How many cores of the machine had nothing to do.
    pub(crate) idle_cores: f64,
}

impl Measured {
    pub(super) fn new(tally: Tally, lasted: Duration, used: &Used, resident_mib: u64) -> Self {
        let latencies = &tally.latencies;
        let answers = latencies.count();
        let seconds = lasted.as_secs_f64();
        let each = |used: Duration| used.as_secs_f64() / answers.max(1) as f64 * 1e6;
        Self {
            answers,
            per_second: answers as f64 / seconds,
            p50_us: latencies.quantile(0.5).as_secs_f64() * 1e6,
            p99_us: latencies.quantile(0.99).as_secs_f64() * 1e6,
            processor_us: each(used.watched),
            busy: used.watched.as_secs_f64() / seconds,
            resident_mib,
            errors: tally.errors,
            first_error: tally.first_error,
            own_us: each(used.own),
            beside_us: used.beside.iter().copied().map(each).collect(),
            idle_cores: used.idle.as_secs_f64() / seconds,
        }
    }
}
