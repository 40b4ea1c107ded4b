//! `[limits]` and `[drain]`: how much clients may hold of the server, and how it ends.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::Deserialize;

use crate::terminal::Failure;

/// The fewest KiB of a head: the smallest buffer that HTTP/1 is read with.
const LEAST_HEAD: usize = 8;

/// How much clients may hold of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at once.
    pub(crate) connections: usize,
    /// Connections of one peer at once; trusted proxies are not counted so.
    pub(crate) connections_per_peer: usize,
    /// TLS handshakes at once.
    pub(crate) handshakes: usize,
    /// How long a TLS handshake may take.
    pub(crate) handshake: Duration,
    /// The largest head of a request, in bytes.
    pub(crate) head_bytes: usize,
    /// The most headers of a request.
    pub(crate) headers: usize,
    /// How long the head of a request may take.
    pub(crate) head: Duration,
    /// How long the body of a request may pause.
    pub(crate) pause: Duration,
    /// How long a connection is kept without a request.
    pub(crate) idle: Duration,
    /// Requests under way at once, of each serving thread.
    pub(crate) requests: usize,
    /// How late a serving thread may be before it refuses requests.
    pub(crate) wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_peer: 1_000,
            handshakes: 2_000,
            handshake: Duration::from_secs(10),
            head_bytes: 64 * 1024,
            headers: 100,
            head: Duration::from_secs(15),
            pause: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            requests: 10_000,
            wait: Duration::from_millis(50),
        }
    }
}

/// `[limits]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Section {
    connections: Option<NonZeroUsize>,
    connections_per_peer: Option<NonZeroUsize>,
    handshakes: Option<NonZeroUsize>,
    handshake_seconds: Option<NonZeroU64>,
    head_kilobytes: Option<NonZeroUsize>,
    headers: Option<NonZeroUsize>,
    head_seconds: Option<NonZeroU64>,
    body_pause_seconds: Option<NonZeroU64>,
    idle_seconds: Option<NonZeroU64>,
    requests_per_thread: Option<NonZeroUsize>,
    wait_milliseconds: Option<NonZeroU64>,
}

impl Section {
    /// The limits, with those that are not set as they usually are. `connections` is what `server.max-connections` says,
    /// the other name of `limits.connections`.
    pub(super) fn settings(self, connections: Option<NonZeroUsize>) -> Result<Limits, Failure> {
        let usual = Limits::default();
        let count = |number: Option<NonZeroUsize>, usual| number.map_or(usual, NonZeroUsize::get);
        let seconds = |number: Option<NonZeroU64>, usual| {
            number.map_or(usual, |seconds| Duration::from_secs(seconds.get()))
        };
        if self.connections.is_some() && connections.is_some() {
            return Err(Failure::usage(
                "limits.connections and server.max-connections are the same: set one of them",
            ));
        }
        if self.head_kilobytes.is_some_and(|kilobytes| kilobytes.get() < LEAST_HEAD) {
            return Err(Failure::usage(format!("limits.head-kilobytes must be at least {LEAST_HEAD}")));
        }
        Ok(Limits {
            connections: count(self.connections.or(connections), usual.connections),
            connections_per_peer: count(self.connections_per_peer, usual.connections_per_peer),
            handshakes: count(self.handshakes, usual.handshakes),
            handshake: seconds(self.handshake_seconds, usual.handshake),
            head_bytes: self
                .head_kilobytes
                .map_or(usual.head_bytes, |kilobytes| kilobytes.get().saturating_mul(1024)),
            headers: count(self.headers, usual.headers),
            head: seconds(self.head_seconds, usual.head),
            pause: seconds(self.body_pause_seconds, usual.pause),
            idle: seconds(self.idle_seconds, usual.idle),
            requests: count(self.requests_per_thread, usual.requests),
            wait: self
                .wait_milliseconds
                .map_or(usual.wait, |milliseconds| Duration::from_millis(milliseconds.get())),
        })
    }
}

/// How the server ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drain {
    /// How long it goes on to take connections after it has said that it ends.
    pub(crate) delay: Duration,
    /// How long requests under way have to be finished after that.
    pub(crate) timeout: Duration,
}

/// `[drain]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DrainSection {
    delay_seconds: u64,
    timeout_seconds: Option<u64>,
}

impl DrainSection {
    pub(super) fn settings(&self) -> Drain {
        Drain {
            delay: Duration::from_secs(self.delay_seconds),
            timeout: Duration::from_secs(self.timeout_seconds.unwrap_or(25)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(text: &str, connections: Option<usize>) -> Result<Limits, String> {
        let section: Section = toml::from_str(text).unwrap();
        section.settings(connections.and_then(NonZeroUsize::new)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn what_is_not_set_is_as_usual() {
        let limits = limits("head-seconds = 3\n", Some(7)).unwrap();
        assert_eq!((limits.head, limits.connections, limits.headers), (Duration::from_secs(3), 7, 100));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(limits("connections = 5\n", Some(5)).unwrap_err().contains("set one of them"));
        assert!(limits("head-kilobytes = 4\n", None).unwrap_err().contains("at least 8"));
        assert!(toml::from_str::<Section>("headers = 0\n").is_err());
    }
}
