//! Numbers that are counted, gathered into families: one form for all who read them.
//!
//! A family has the name that Prometheus reads and the one that AgentCore gives the same number ("AgentCore generated
//! observability data"); so has each of its labels.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets of a [`Histogram`], in seconds.
pub const BOUNDS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// The same, in microseconds.
const BOUNDS_US: [u64; BOUNDS.len()] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000, 60_000_000,
];

/// What a family is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Namespace {
    /// Requests to gateways.
    Gateway,
    /// Decisions of policies.
    Policy,
    /// Tokens and keys that were given out.
    Identity,
    /// Requests to agent runtimes.
    Runtime,
    /// The audit trail.
    Audit,
    /// The server itself.
    Server,
}

impl Namespace {
    /// As it stands in names of metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Policy => "policy",
            Self::Identity => "identity",
            Self::Runtime => "runtime",
            Self::Audit => "audit",
            Self::Server => "server",
        }
    }
}

/// How a number moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Upwards.
    Counter,
    /// Up and down.
    Gauge,
    /// Many of them, spread over buckets; in seconds.
    Histogram,
}

/// Numbers of one name.
#[derive(Clone, Debug)]
pub struct Family {
    /// What they are about.
    pub namespace: Namespace,
    /// The name for Prometheus, without its `portcullis_{namespace}_`.
    pub name: &'static str,
    /// AgentCore's name.
    pub aws_name: &'static str,
    /// What they say, in a sentence.
    pub help: &'static str,
    /// How they move.
    pub kind: Kind,
    /// The numbers.
    pub points: Vec<Point>,
}

/// One number, and what tells it from others of its family.
#[derive(Clone, Debug)]
pub struct Point {
    /// What tells it apart.
    pub labels: Vec<Label>,
    /// The number.
    pub value: PointValue,
}

impl Point {
    /// A number that is alone in its family.
    #[must_use]
    pub fn alone(number: u64) -> Self {
        Self { labels: Vec::new(), value: PointValue::Number(number) }
    }
}

impl Family {
    /// A family of one number, for which AgentCore has no name.
    #[must_use]
    pub fn of_one(
        namespace: Namespace,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        number: u64,
    ) -> Self {
        Self { namespace, name, aws_name: "", help, kind, points: vec![Point::alone(number)] }
    }
}

/// The value of a point.
#[derive(Clone, Debug)]
pub enum PointValue {
    /// One number.
    Number(u64),
    /// Many.
    Histogram(HistogramValue),
}

/// A label.
#[derive(Clone, Debug)]
pub struct Label {
    /// Its name for Prometheus.
    pub name: &'static str,
    /// AgentCore's name of the dimension.
    pub aws_name: &'static str,
    /// Its value.
    pub value: String,
}

impl Label {
    /// A label.
    #[must_use]
    pub fn new(name: &'static str, aws_name: &'static str, value: impl Into<String>) -> Self {
        Self { name, aws_name, value: value.into() }
    }
}

/// Durations, counted in buckets. Counting one costs three additions.
#[derive(Debug, Default)]
pub struct Histogram {
    /// By bucket; the last is for what is longer than every bound.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum_us: AtomicU64,
}

/// What a histogram had counted at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramValue {
    /// By bucket, each for itself.
    pub buckets: Vec<u64>,
    /// All of them.
    pub count: u64,
    /// Their sum, in seconds.
    pub sum: f64,
}

impl Histogram {
    /// Counts a duration.
    pub fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS_US.len());
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn value(&self) -> HistogramValue {
        let buckets: Vec<u64> = self.buckets.iter().map(|it| it.load(Ordering::Relaxed)).collect();
        let sum = Duration::from_micros(self.sum_us.load(Ordering::Relaxed)).as_secs_f64();
        HistogramValue { count: buckets.iter().sum(), buckets, sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_of_bounds_say_the_same() {
        for (seconds, micros) in BOUNDS.iter().zip(BOUNDS_US) {
            assert_eq!(Duration::from_secs_f64(*seconds), Duration::from_micros(micros));
        }
    }

    #[test]
    fn a_duration_is_counted_in_the_bucket_that_it_fits_into() {
        let histogram = Histogram::default();
        for millis in [1, 2, 70_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let value = histogram.value();
        assert_eq!((value.count, value.sum), (3, 70.003));
        assert_eq!(value.buckets.first(), Some(&1), "a bound is in its bucket");
        assert_eq!(value.buckets.get(1), Some(&1));
        assert_eq!(value.buckets.last(), Some(&1));
    }
}
