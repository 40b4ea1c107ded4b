//! What is told: spans and log records, with their attributes.
//!
//! Nothing in them is a secret, an argument or a body: whoever makes one puts names, ids, numbers and outcomes into it.

use std::borrow::Cow;
use std::time::Duration;

use domain::Timestamp;

use crate::{SpanId, TraceContext};

/// Names and values.
pub type Attributes = Vec<(&'static str, Value)>;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text.
    Text(Cow<'static, str>),
    /// A whole number.
    Number(i64),
    /// Any other number.
    Real(f64),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    Texts(Vec<String>),
    /// Names and values of their own.
    Members(Attributes),
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(i64::from(number))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// A duration, in milliseconds.
impl From<Duration> for Value {
    fn from(duration: Duration) -> Self {
        Self::Real(duration.as_secs_f64() * 1000.0)
    }
}

/// On which side of a call a span stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// Work inside this server.
    Internal,
    /// A request that this server answered.
    Server,
    /// A request that this server made.
    Client,
}

/// A piece of work that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its own place.
    pub context: TraceContext,
    /// The span that it is a part of.
    pub parent: Option<SpanId>,
    /// Its name.
    pub name: Cow<'static, str>,
    /// On which side it stands.
    pub kind: SpanKind,
    /// When it began, in nanoseconds since the epoch.
    pub began: u64,
    /// How long it took.
    pub took: Duration,
    /// Its attributes.
    pub attributes: Attributes,
    /// What went wrong, by its name; nothing when all went well.
    pub error: Option<String>,
}

/// How grave a log record is, with its number in OTLP (`SeverityNumber`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Info = 9,
    /// A failure.
    Error = 17,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// When.
    pub time: Timestamp,
    /// How grave it is.
    pub severity: Severity,
    /// What happened.
    pub body: Value,
    /// Its attributes.
    pub attributes: Attributes,
    /// The span in which it happened.
    pub context: Option<TraceContext>,
}
