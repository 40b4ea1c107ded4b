//! One process's side of the log: reads the pipe that is its stdout and stderr, and remembers the end of what
//! the present invocation wrote.
//!
//! The pipe is read by the process's task as it fills, and once more at the moment an answer arrives: what
//! the function printed before it answered then belongs to that invocation, and stands before its END line.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, PoisonError, RwLock};

use domain::{Clock, Timestamp};
use mask::Mask;
use tokio::net::unix::pipe;

use crate::logs::{FunctionLog, Logs};

/// How much of an invocation's log is kept for `LogType=Tail`: 4 KiB.
const TAIL_BYTES: usize = 4096;
/// The longest line; what is longer becomes several.
const LONGEST_LINE: usize = 64 * 1024;
/// How much is read in one go, so that a function that never stops writing does not keep its reader.
const MOST_AT_ONCE: usize = 1024 * 1024;

/// What reading the pipe came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// Nothing is left in it now.
    Empty,
    /// There may be more.
    More,
    /// Nobody can write into it any more.
    Closed,
}

/// How a process's lines are told.
#[derive(Default)]
pub(crate) struct Voice {
    /// Stands before every line.
    pub(crate) prefix: String,
    /// What is taken out of the lines; it may come to know more while the process runs.
    pub(crate) mask: Option<Arc<RwLock<Mask>>>,
}

/// The log of one process.
pub(crate) struct Journal {
    pipe: Arc<pipe::Receiver>,
    logs: Arc<Logs>,
    log: Arc<FunctionLog>,
    clock: Arc<dyn Clock>,
    buffer: Box<[u8]>,
    /// The beginning of a line whose end has not come yet.
    unfinished: Vec<u8>,
    tail: VecDeque<u8>,
    voice: Voice,
}

impl Journal {
    pub(crate) fn new(
        pipe: Arc<pipe::Receiver>,
        logs: Arc<Logs>,
        log: Arc<FunctionLog>,
        clock: Arc<dyn Clock>,
        voice: Voice,
    ) -> Self {
        Self {
            pipe,
            logs,
            log,
            clock,
            buffer: vec![0; 8 * 1024].into_boxed_slice(),
            unfinished: Vec::new(),
            tail: VecDeque::new(),
            voice,
        }
    }

    /// Writes lines of the server's own.
    pub(crate) fn write(&mut self, text: &str) {
        let now = self.clock.now();
        self.record(now, text);
    }

    /// Begins an invocation: what was written before it is not its own.
    pub(crate) fn begin(&mut self, request_id: &str, version: &str) {
        self.drain();
        self.finish_line();
        self.tail.clear();
        self.write(&format!("START RequestId: {request_id} Version: {version}"));
    }

    /// Ends an invocation with `lines`, and gives the end of what was written.
    pub(crate) fn end(&mut self, lines: &str) -> Vec<u8> {
        self.drain();
        self.finish_line();
        self.write(lines);
        Vec::from(std::mem::take(&mut self.tail))
    }

    /// The end of what was written so far.
    pub(crate) fn tail(&mut self) -> Vec<u8> {
        self.drain();
        self.finish_line();
        Vec::from(std::mem::take(&mut self.tail))
    }

    /// Reads what is in the pipe at this moment, whether or not the runtime has noticed it yet.
    pub(crate) fn drain(&mut self) -> Drained {
        self.drain_by(|pipe, buffer| Ok(rustix::io::read(pipe.as_fd(), buffer)?))
    }

    /// Reads what the runtime has noticed in the pipe, and lets it notice more afterwards.
    pub(crate) fn drain_ready(&mut self) -> Drained {
        self.drain_by(pipe::Receiver::try_read)
    }

    fn drain_by(&mut self, read: impl Fn(&pipe::Receiver, &mut [u8]) -> io::Result<usize>) -> Drained {
        let mut left = MOST_AT_ONCE;
        while left > 0 {
            match read(&self.pipe, &mut self.buffer) {
                Ok(0) => return Drained::Closed,
                Ok(length) => {
                    left = left.saturating_sub(length);
                    self.take(length);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Drained::Empty,
                Err(_) => return Drained::Closed,
            }
        }
        Drained::More
    }

    /// Records the lines in the first `length` bytes of the buffer.
    fn take(&mut self, length: usize) {
        let now = self.clock.now();
        let buffer = std::mem::take(&mut self.buffer);
        let bytes = buffer.get(..length).unwrap_or_default();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.unfinished.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.unfinished.len() >= LONGEST_LINE {
                self.record_unfinished(now);
            }
        }
        self.buffer = buffer;
    }

    /// Treats a line without an end as a line.
    fn finish_line(&mut self) {
        if !self.unfinished.is_empty() {
            let now = self.clock.now();
            self.record_unfinished(now);
        }
    }

    fn record_unfinished(&mut self, now: Timestamp) {
        let line = std::mem::take(&mut self.unfinished);
        self.record(now, String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
        self.unfinished = line;
        self.unfinished.clear();
    }

    fn record(&mut self, now: Timestamp, text: &str) {
        let mask = self.voice.mask.as_ref();
        let mask = mask.map(|mask| mask.read().unwrap_or_else(PoisonError::into_inner).clone());
        let text = mask.as_ref().map_or(Cow::Borrowed(text), |mask| mask.text(text));
        if self.voice.prefix.is_empty() {
            self.logs.push(&self.log, now, &text);
        } else {
            self.logs.push(&self.log, now, &format!("{}{text}", self.voice.prefix));
        }
        self.tail.extend(text.as_bytes());
        self.tail.push_back(b'\n');
        let excess = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..excess);
    }
}
