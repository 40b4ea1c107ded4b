//! Where records are handed over: two bounded lists, which the exporter takes whole.
//!
//! Handing over takes a lock for the time of one push and never waits for anything else. The exporter looks every now and
//! then, so that nobody is woken for a record; only a list that is filling calls it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use domain::Random;
use http::HeaderMap;
use tokio::sync::Notify;

use crate::metrics::{Family, Kind, Label, Namespace, Point, PointValue};
use crate::{LogRecord, Sampling, Settings, Span, SpanId, TraceContext};

/// The way to the exporter, if there is one. A clone is the same.
#[derive(Clone, Default)]
pub struct Telemetry(Option<Arc<Queues>>);

pub(crate) struct Queues {
    pub(crate) spans: Queue<Span>,
    pub(crate) logs: Queue<LogRecord>,
    sampling: Sampling,
    /// Something waits that should not wait longer.
    pub(crate) filling: Notify,
    /// Exports that failed.
    pub(crate) failed: AtomicU64,
}

/// One kind of records.
pub(crate) struct Queue<T> {
    wanted: bool,
    most: usize,
    waiting: Mutex<Vec<T>>,
    pub(crate) dropped: AtomicU64,
    pub(crate) exported: AtomicU64,
}

impl<T> Queue<T> {
    fn new(wanted: bool, most: usize) -> Self {
        let (waiting, dropped, exported) = Default::default();
        Self { wanted, most, waiting, dropped, exported }
    }

    fn push(&self, record: T, filling: &Notify) {
        if !self.wanted {
            return;
        }
        let Ok(mut waiting) = self.waiting.lock() else { return };
        if waiting.len() >= self.most {
            drop(waiting);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.push(record);
        let half = waiting.len() == self.most / 2;
        drop(waiting);
        if half {
            filling.notify_one();
        }
    }

    /// At most `most` of those that wait, the oldest first.
    pub(crate) fn take(&self, most: usize) -> Vec<T> {
        let Ok(mut waiting) = self.waiting.lock() else { return Vec::new() };
        if waiting.len() <= most {
            return std::mem::take(&mut *waiting);
        }
        let rest = waiting.split_off(most);
        std::mem::replace(&mut *waiting, rest)
    }
}

impl Telemetry {
    pub(crate) fn new(settings: &Settings) -> (Self, Arc<Queues>) {
        let queues = Arc::new(Queues {
            spans: Queue::new(settings.signals.traces.is_some(), settings.queue),
            logs: Queue::new(settings.signals.logs.is_some(), settings.queue),
            sampling: settings.sampling,
            filling: Notify::new(),
            failed: AtomicU64::new(0),
        });
        (Self(Some(Arc::clone(&queues))), queues)
    }

    /// Nobody listens.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Whether anybody listens.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The trace of a request that arrived with these headers. `wanted` asks for one also where nobody listens.
    #[must_use]
    pub fn trace(&self, headers: &HeaderMap, random: &dyn Random, wanted: bool) -> Trace {
        let given = TraceContext::of_headers(headers);
        let (sampling, recorded) = match &self.0 {
            Some(queues) => (queues.sampling, queues.spans.wanted),
            None if wanted => (Sampling { ratio: 0.0, parent_based: true }, false),
            None => return given.map_or(Trace::None, |given| Trace::Passing(Box::new(given))),
        };
        let Some(given) = given else {
            let own = TraceContext::begin(random, |trace| sampling.takes(trace));
            return Trace::Own(Box::new(Own { recorded: recorded && own.sampled, own, parent: None }));
        };
        let mut own = given.child(random);
        if recorded && !sampling.parent_based {
            own.sampled = sampling.takes(&own.trace);
        }
        Trace::Own(Box::new(Own { recorded: recorded && own.sampled, own, parent: Some(given.span) }))
    }

    /// Hands a span over.
    pub fn span(&self, span: Span) {
        if let Some(queues) = &self.0 {
            queues.spans.push(span, &queues.filling);
        }
    }

    /// Whether log records are exported.
    #[must_use]
    pub fn logs(&self) -> bool {
        self.0.as_ref().is_some_and(|queues| queues.logs.wanted)
    }

    /// Hands a log record over.
    pub fn log(&self, record: LogRecord) {
        if let Some(queues) = &self.0 {
            queues.logs.push(record, &queues.filling);
        }
    }

    /// What became of the records: how many were exported, how many found no place or no taker.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let Some(queues) = &self.0 else { return Vec::new() };
        let point = |signal: &str, value: &AtomicU64| Point {
            labels: vec![Label::new("signal", "Signal", signal)],
            value: PointValue::Number(value.load(Ordering::Relaxed)),
        };
        let family = |name, help, points| Family {
            namespace: Namespace::Server,
            name,
            aws_name: "",
            help,
            kind: Kind::Counter,
            points,
        };
        vec![
            family(
                "telemetry_exported_total",
                "Spans and log records that a collector took.",
                vec![point("traces", &queues.spans.exported), point("logs", &queues.logs.exported)],
            ),
            family(
                "telemetry_dropped_total",
                "Spans and log records that found no place in the queue, or that the collector did not take.",
                vec![point("traces", &queues.spans.dropped), point("logs", &queues.logs.dropped)],
            ),
            family(
                "telemetry_export_failures_total",
                "Exports that failed, each of one batch.",
                vec![Point::alone(queues.failed.load(Ordering::Relaxed))],
            ),
        ]
    }
}

/// The trace that a request belongs to.
#[derive(Clone, Debug, Default)]
pub enum Trace {
    /// None.
    #[default]
    None,
    /// One that its caller began, in which this server has no span: it is passed on as it came.
    Passing(Box<TraceContext>),
    /// One in which this server has a span.
    Own(Box<Own>),
}

/// A span of this server's that is under way.
#[derive(Clone, Debug)]
pub struct Own {
    /// Its place.
    own: TraceContext,
    /// The caller's span.
    parent: Option<SpanId>,
    recorded: bool,
}

impl Trace {
    /// The span of this server and its parent, if there is one to record.
    #[must_use]
    pub fn recorded(&self) -> Option<(&TraceContext, Option<SpanId>)> {
        match self {
            Self::Own(it) if it.recorded => Some((&it.own, it.parent)),
            Self::Own(_) | Self::Passing(_) | Self::None => None,
        }
    }

    /// The same trace with another span of this server's beside the first.
    #[must_use]
    pub fn sibling(&self, random: &dyn Random) -> Self {
        match self {
            Self::Own(it) => Self::Own(Box::new(Own { own: it.own.child(random), ..Own::clone(it) })),
            Self::Passing(_) | Self::None => self.clone(),
        }
    }

    /// What log records are told to belong to.
    #[must_use]
    pub fn context(&self) -> Option<&TraceContext> {
        match self {
            Self::Own(it) => Some(&it.own),
            Self::Passing(_) | Self::None => None,
        }
    }

    /// Where the request stands: at this server's span, or at its caller's where this server has none.
    #[must_use]
    pub fn place(&self) -> Option<&TraceContext> {
        match self {
            Self::Own(it) => Some(&it.own),
            Self::Passing(given) => Some(given),
            Self::None => None,
        }
    }

    /// The context of a call that is made on behalf of the request: a new span's, where there is one to record.
    #[must_use]
    pub fn onwards(&self, random: &dyn Random) -> Option<TraceContext> {
        match self {
            Self::Own(it) if it.recorded => Some(it.own.child(random)),
            Self::Own(it) => Some(it.own.clone()),
            Self::Passing(given) => Some(TraceContext::clone(given)),
            Self::None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::FixedRandom;
    use http::HeaderValue;

    use super::*;
    use crate::{Severity, Signals, Value};

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    fn settings(queue: usize, sampling: Sampling) -> Settings {
        Settings {
            signals: Signals::under("http://127.0.0.1:1"),
            headers: Vec::new(),
            timeout: Duration::from_secs(1),
            queue,
            gather: Duration::from_secs(1),
            metrics_every: Duration::from_secs(1),
            sampling,
            resource: Vec::new(),
        }
    }

    fn record() -> LogRecord {
        let body = Value::from("x");
        let (time, severity) = (domain::Timestamp::default(), Severity::Info);
        LogRecord { time, severity, body, attributes: Vec::new(), context: None }
    }

    #[test]
    fn what_finds_no_place_is_counted_and_forgotten() {
        let (telemetry, queues) = Telemetry::new(&settings(3, Sampling::default()));
        for _ in 0..5 {
            telemetry.log(record());
        }
        assert_eq!(queues.logs.dropped.load(Ordering::Relaxed), 2);
        assert_eq!(queues.logs.take(2).len(), 2);
        assert_eq!(queues.logs.take(2).len(), 1);
        let text = crate::write_prometheus(&telemetry.families());
        assert!(text.contains("portcullis_server_telemetry_dropped_total{signal=\"logs\"} 2"), "{text}");
    }

    #[test]
    fn a_trace_is_passed_on_continued_or_begun() {
        let random = FixedRandom::default();
        let none = HeaderMap::new();
        let mut given = HeaderMap::new();
        given.insert("traceparent", HeaderValue::from_static(GIVEN));
        let written = |trace: &Trace| trace.onwards(&random).map(|it| it.traceparent());

        let off = Telemetry::off();
        assert_eq!(written(&off.trace(&none, &random, false)), None);
        let passing = off.trace(&given, &random, false);
        assert_eq!(written(&passing).as_deref(), Some(GIVEN));
        assert_eq!(passing.place().unwrap().audited().span_id, "b7ad6b7169203331");
        assert!(off.trace(&none, &random, false).place().is_none());
        assert!(
            off.trace(&none, &random, true).context().is_some(),
            "records of another kind are correlated"
        );

        let (on, _) = Telemetry::new(&settings(3, Sampling::default()));
        let own = on.trace(&none, &random, false);
        let (context, parent) = own.recorded().unwrap();
        assert_eq!((parent, context.sampled), (None, true));
        assert_eq!(own.place(), Some(context));
        // A caller that does not record its trace keeps the spans of this server out of it too.
        let quiet = on.trace(&given, &random, false);
        assert!(quiet.recorded().is_none());
        assert!(written(&quiet).unwrap().starts_with("00-0af7651916cd43dd8448eb211c80319c-"));

        let (all, _) = Telemetry::new(&settings(3, Sampling { ratio: 1.0, parent_based: false }));
        let loud = all.trace(&given, &random, false);
        let parent = loud.recorded().unwrap().1.unwrap();
        assert_eq!(hex::encode(parent), "b7ad6b7169203331");
    }
}
