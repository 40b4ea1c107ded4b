//! What a server tells about its work: which call led to which, how long it took, how often it happened.
//!
//! [`Telemetry`] is where records are handed over. It never waits and never grows: what finds no place in its queue is
//! counted and forgotten, so that a collector that hangs or refuses slows nobody down. A task of its own ([`Exporter`])
//! sends what was gathered to a collector over OTLP (HTTP, protobuf). Without a collector nothing is kept at all, and a
//! trace that a caller began is only passed on.
//!
//! Metrics are counted whether or not anybody exports them ([`Family`]): Prometheus reads them as text, and a collector
//! gets the same numbers.

mod context;
mod encode;
mod exporter;
mod fetches;
mod metrics;
mod prometheus;
mod proto;
mod queue;
mod records;
mod settings;

pub use context::{SpanId, TraceContext, TraceId};
pub use encode::nanos;
pub use exporter::Exporter;
pub use fetches::{Fetch, Fetches, Given};
pub use metrics::{BOUNDS, Family, Histogram, HistogramValue, Kind, Label, Namespace, Point, PointValue};
pub use prometheus::write as write_prometheus;
pub use queue::{Telemetry, Trace};
pub use records::{Attributes, LogRecord, Severity, Span, SpanKind, Value};
pub use settings::{InvalidSetting, Sampling, Settings, Signals, read_pairs};
