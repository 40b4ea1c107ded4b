//! Masks a body that comes in pieces.
//!
//! What is held back is what could still become a secret: the bytes since the beginning of the longest pattern's beginning that
//! the last bytes are, and an escape that is not whole yet. For a text without any that is nothing, so the end of an
//! event does not wait for the next. What comes out does not depend on how the body was cut.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroize;

use crate::automaton::{START, State, Writing};
use crate::forms::GAP;
use crate::unit::{self, Text, Unit};
use crate::{Automata, Mask};

/// What stands for a secret: no character of it needs an escape in a JSON string.
const MARK: &[u8] = b"[masked]";
/// What stands for a secret of digits, since it may have been a JSON number.
const DIGITS: &[u8] = b"99999999";
/// What stands for a secret in base64, repeated to its length, so that what surrounds it can still be decoded.
const BASE64: &[u8] = b"masked";

/// Takes secrets out of a body that comes in pieces.
pub struct Masker {
    /// One for each part of the mask.
    readers: Vec<Reader>,
    /// What has come and not gone, and the place of its first byte in the body.
    held: Vec<u8>,
    base: usize,
    /// The secrets found and not masked yet, in order, none touching another.
    spans: VecDeque<Span>,
    /// How far the last secret masked went.
    covered: Option<usize>,
    /// Whether what went out ends in an odd number of backslashes: the next character would belong to them.
    escaping: bool,
}

/// Where the automata of a part of the mask stand.
struct Reader {
    automata: Arc<Automata>,
    exact: State,
    exact_at: usize,
    loose: State,
    loose_at: usize,
    /// Where the characters begin that the loose automaton read last, as many as its state is deep.
    starts: VecDeque<usize>,
    /// How many bytes in a row were left out.
    gap: usize,
}

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    /// The longest pattern that begins at `start`: where it ends, how it is written, how many characters it has. It decides by
    /// what the span is replaced.
    longest: (usize, std::cmp::Reverse<Writing>, usize),
}

impl Masker {
    pub(crate) fn new(mask: &Mask) -> Self {
        Self {
            readers: mask.0.iter().map(Reader::new).collect(),
            held: Vec::new(),
            base: 0,
            spans: VecDeque::new(),
            covered: None,
            escaping: false,
        }
    }

    /// Takes the next piece of the body and gives out what certainly belongs to no secret that is still coming, masked. At most
    /// as many characters stay behind as the longest form of a secret has, less one, and an escape.
    #[must_use]
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.held.len() + piece.len());
        self.push_into(piece, &mut out);
        out
    }

    /// Gives out the rest at the end of the body.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.finish_into(&mut out);
        out
    }

    /// Whether a secret was masked so far.
    #[must_use]
    pub fn has_masked(&self) -> bool {
        self.covered.is_some()
    }

    /// How many bytes are held back.
    #[must_use]
    pub fn holds(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn push_into(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(piece);
        self.read(At::Cut);
        let begins = self.readers.iter().map(Reader::begins).min();
        self.let_go(begins.unwrap_or(self.base + self.held.len()), out);
    }

    pub(crate) fn finish_into(&mut self, out: &mut Vec<u8>) {
        self.read(At::End);
        self.let_go(self.base + self.held.len(), out);
    }

    fn read(&mut self, until: At) {
        let mut readers = std::mem::take(&mut self.readers);
        let held = std::mem::take(&mut self.held);
        for reader in &mut readers {
            let rest =
                |at: usize| at.checked_sub(self.base).and_then(|at| held.get(at..)).unwrap_or_default();
            let (exact, loose) = (rest(reader.exact_at), rest(reader.loose_at));
            reader.read_exactly(exact, |secret| self.found(secret));
            reader.read_loosely(loose, until, |secret| self.found(secret));
        }
        (self.readers, self.held) = (readers, held);
    }

    /// Notes a secret. Those that overlap or touch are one.
    fn found(&mut self, Found { start, end, writing, characters }: Found) {
        let mut span = Span { start, end, longest: (end, std::cmp::Reverse(writing), characters) };
        let apart = self.spans.partition_point(|known| known.end < start);
        while let Some(other) = self.spans.get(apart).filter(|other| other.start <= span.end).copied() {
            self.spans.remove(apart);
            span.longest = match other.start.cmp(&span.start) {
                std::cmp::Ordering::Less => other.longest,
                std::cmp::Ordering::Equal => other.longest.max(span.longest),
                std::cmp::Ordering::Greater => span.longest,
            };
            span.start = span.start.min(other.start);
            span.end = span.end.max(other.end);
        }
        self.spans.insert(apart, span);
    }

    /// Writes everything before `limit`, at which or behind which any secret still to be found begins.
    fn let_go(&mut self, limit: usize, out: &mut Vec<u8>) {
        let mut at = self.base;
        loop {
            at = at.max(self.covered.unwrap_or(0));
            let next = self.spans.front().copied().filter(|span| span.start < limit);
            let Some(span) = next else { break };
            self.spans.pop_front();
            if self.covered.is_none_or(|covered| covered < span.start) {
                self.copy(at, span.start, out);
                self.mark(span, out);
            }
            self.covered = self.covered.max(Some(span.end));
        }
        self.copy(at, limit, out);
        let gone = limit.saturating_sub(self.base).min(self.held.len());
        self.held.drain(..gone);
        self.base += gone;
    }

    fn copy(&mut self, from: usize, to: usize, out: &mut Vec<u8>) {
        let bytes =
            from.checked_sub(self.base).and_then(|from| self.held.get(from..to.checked_sub(self.base)?));
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { return };
        let backslashes = bytes.iter().rev().take_while(|byte| **byte == b'\\').count();
        let goes_on = backslashes == bytes.len() && self.escaping;
        self.escaping = (backslashes % 2 == 1) != goes_on;
        out.extend_from_slice(bytes);
    }

    fn mark(&mut self, span: Span, out: &mut Vec<u8>) {
        let (end, std::cmp::Reverse(writing), characters) = span.longest;
        let written = self.held.get(span.start - self.base..end - self.base).unwrap_or_default();
        if self.escaping {
            // The mark must not become an escape of JSON.
            out.push(b'\\');
            self.escaping = false;
        }
        match writing {
            Writing::Base64 => out.extend(BASE64.iter().cycle().take(characters)),
            Writing::Text if written.iter().all(u8::is_ascii_digit) => out.extend_from_slice(DIGITS),
            Writing::Text => out.extend_from_slice(MARK),
        }
    }
}

/// A form of a secret, and where it stands.
struct Found {
    start: usize,
    end: usize,
    writing: Writing,
    characters: usize,
}

impl Reader {
    fn new(automata: &Arc<Automata>) -> Self {
        Self {
            automata: Arc::clone(automata),
            exact: START,
            exact_at: 0,
            loose: START,
            loose_at: 0,
            starts: VecDeque::new(),
            gap: 0,
        }
    }

    /// Where the first secret may begin that is not found yet.
    fn begins(&self) -> usize {
        let exact = self.exact_at - self.automata.exact.open(self.exact);
        let done = self.starts.len().saturating_sub(self.automata.loose.open(self.loose));
        exact.min(self.starts.get(done).copied().unwrap_or(self.loose_at))
    }

    fn read_exactly(&mut self, rest: &[u8], mut found: impl FnMut(Found)) {
        for byte in rest {
            self.exact = self.automata.exact.step(self.exact, *byte);
            self.exact_at += 1;
            if let Some((characters, writing)) = self.automata.exact.matched(self.exact) {
                let end = self.exact_at;
                found(Found { start: end - characters, end, writing, characters });
            }
        }
    }

    fn read_loosely(&mut self, mut rest: &[u8], until: At, mut found: impl FnMut(Found)) {
        while !rest.is_empty() {
            let (length, text) = match (unit::next(rest), until) {
                (Unit::Taken { length, text }, _) => (length, text),
                (Unit::Unfinished, At::Cut) => break,
                (Unit::Unfinished, At::End) => (1, Text::default()),
            };
            self.read_character(length, text, &mut found);
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    fn read_character(&mut self, length: usize, text: Text, found: &mut impl FnMut(Found)) {
        let start = self.loose_at;
        self.loose_at += length;
        if text.bytes().is_empty() {
            self.gap += length;
            if self.gap > GAP {
                self.loose = START;
                self.starts.clear();
            }
            return;
        }
        self.gap = 0;
        let automaton = &self.automata.loose;
        for byte in text.bytes() {
            self.loose = automaton.step(self.loose, *byte);
            if self.loose == START {
                self.starts.clear();
                continue;
            }
            let depth = automaton.depth(self.loose);
            self.starts.push_back(start);
            while self.starts.len() > depth {
                self.starts.pop_front();
            }
            let Some((characters, writing)) = automaton.matched(self.loose) else { continue };
            if let Some(begin) = self.starts.get(depth - characters).copied() {
                found(Found { start: begin, end: self.loose_at, writing, characters });
            }
        }
    }
}

/// Where the bytes at hand end.
#[derive(Clone, Copy)]
enum At {
    Cut,
    End,
}

impl Drop for Masker {
    fn drop(&mut self) {
        self.held.zeroize();
    }
}

impl fmt::Debug for Masker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Masker")
    }
}
