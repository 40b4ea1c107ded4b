//! Records and numbers in OTLP's words.

use prost::Message as _;

use crate::metrics::{BOUNDS, Family, Kind, Label, Point, PointValue};
use crate::proto::{self, Any, AnyValue, ArrayValue, Data, KeyValue, KeyValueList};
use crate::{Attributes, LogRecord, Severity, Span, SpanKind, Value};

/// The name of who made the records (an instrumentation scope).
const SCOPE: &str = "portcullis";
/// The sums of points count from the beginning (`AGGREGATION_TEMPORALITY_CUMULATIVE`).
const CUMULATIVE: i32 = 2;
/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;
/// Of a span whose parent is remote or not: it is not said (bits 8 and 9 of `SpanFlags` stay unset).
const SAMPLED: u32 = 1;

/// The resource that everything is told by.
pub(crate) fn resource(attributes: &[(String, String)]) -> proto::Resource {
    let pair = |(key, value): &(String, String)| pair(key, Any::String(value.clone()));
    proto::Resource { attributes: attributes.iter().map(pair).collect() }
}

/// An export of spans.
pub(crate) fn spans(resource: &proto::Resource, spans: &[Span]) -> Vec<u8> {
    let spans = spans.iter().map(span).collect();
    let scopes = vec![proto::ScopeSpans { scope: Some(scope(SCOPE)), spans }];
    let resources = vec![proto::ResourceSpans { resource: Some(resource.clone()), scopes }];
    proto::Traces { resources }.encode_to_vec()
}

/// An export of log records.
pub(crate) fn logs(resource: &proto::Resource, records: &[LogRecord]) -> Vec<u8> {
    let records = records.iter().map(log).collect();
    let scopes = vec![proto::ScopeLogs { scope: Some(scope(SCOPE)), records }];
    let resources = vec![proto::ResourceLogs { resource: Some(resource.clone()), scopes }];
    proto::Logs { resources }.encode_to_vec()
}

/// An export of metrics that were counted since `began`; both moments in nanoseconds since the epoch. Each namespace is a
/// scope, because AgentCore uses some names in several.
pub(crate) fn metrics(resource: &proto::Resource, families: &[Family], began: u64, now: u64) -> Vec<u8> {
    let mut scopes: Vec<proto::ScopeMetrics> = Vec::new();
    for family in families {
        let name = format!("{SCOPE}.{}", family.namespace.as_str());
        let metric = metric(family, began, now);
        match scopes.iter_mut().find(|it| it.scope.as_ref().is_some_and(|scope| scope.name == name)) {
            Some(scope) => scope.metrics.push(metric),
            None => {
                scopes.push(proto::ScopeMetrics { scope: Some(scope(&name)), metrics: vec![metric] });
            }
        }
    }
    let resources = vec![proto::ResourceMetrics { resource: Some(resource.clone()), scopes }];
    proto::Metrics { resources }.encode_to_vec()
}

fn scope(name: &str) -> proto::Scope {
    proto::Scope { name: name.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

fn span(span: &Span) -> proto::Span {
    let took = u64::try_from(span.took.as_nanos()).unwrap_or(u64::MAX);
    let state = span.context.state.as_ref().and_then(|state| state.to_str().ok());
    let error = span.error.as_ref();
    proto::Span {
        trace_id: span.context.trace.to_vec(),
        span_id: span.context.span.to_vec(),
        trace_state: state.unwrap_or_default().to_owned(),
        parent_span_id: span.parent.map(|parent| parent.to_vec()).unwrap_or_default(),
        name: span.name.clone().into_owned(),
        kind: match span.kind {
            SpanKind::Internal => 1,
            SpanKind::Server => 2,
            SpanKind::Client => 3,
        },
        start: span.began,
        end: span.began.saturating_add(took),
        attributes: attributes(&span.attributes),
        status: error.map(|error| proto::Status { message: error.clone(), code: ERROR }),
        flags: SAMPLED,
    }
}

fn log(record: &LogRecord) -> proto::LogRecord {
    let context = record.context.as_ref();
    let time = nanos(record.time);
    proto::LogRecord {
        time,
        observed: time,
        severity: match record.severity {
            Severity::Info => Severity::Info as i32,
            Severity::Error => Severity::Error as i32,
        },
        severity_text: match record.severity {
            Severity::Info => "INFO".to_owned(),
            Severity::Error => "ERROR".to_owned(),
        },
        body: Some(AnyValue { value: Some(any(&record.body)) }),
        attributes: attributes(&record.attributes),
        flags: context.map_or(0, |context| u32::from(context.sampled)),
        trace_id: context.map(|context| context.trace.to_vec()).unwrap_or_default(),
        span_id: context.map(|context| context.span.to_vec()).unwrap_or_default(),
    }
}

/// A moment as OTLP has it: nanoseconds since the epoch.
#[must_use]
pub fn nanos(moment: domain::Timestamp) -> u64 {
    u64::try_from(moment.millis()).unwrap_or_default().saturating_mul(1_000_000)
}

fn metric(family: &Family, start: u64, time: u64) -> proto::Metric {
    let number = |point: &Point| proto::NumberPoint {
        start: if family.kind == Kind::Gauge { 0 } else { start },
        time,
        whole: match &point.value {
            PointValue::Number(number) => i64::try_from(*number).ok(),
            PointValue::Histogram(_) => None,
        },
        attributes: dimensions(&point.labels),
    };
    let data = match family.kind {
        Kind::Gauge => Data::Gauge(proto::Gauge { points: family.points.iter().map(number).collect() }),
        Kind::Counter => Data::Sum(proto::Sum {
            points: family.points.iter().map(number).collect(),
            temporality: CUMULATIVE,
            monotonic: true,
        }),
        Kind::Histogram => {
            let point = |point: &Point| match &point.value {
                PointValue::Number(_) => None,
                PointValue::Histogram(value) => Some(proto::HistogramPoint {
                    start,
                    time,
                    count: value.count,
                    sum: Some(value.sum),
                    buckets: value.buckets.clone(),
                    bounds: BOUNDS.to_vec(),
                    attributes: dimensions(&point.labels),
                }),
            };
            let points = family.points.iter().filter_map(point).collect();
            Data::Histogram(proto::Histogram { points, temporality: CUMULATIVE })
        }
    };
    let name = if family.aws_name.is_empty() { family.name } else { family.aws_name };
    proto::Metric {
        name: name.to_owned(),
        description: family.help.to_owned(),
        unit: if family.kind == Kind::Histogram { "s" } else { "1" }.to_owned(),
        data: Some(data),
    }
}

fn dimensions(labels: &[Label]) -> Vec<KeyValue> {
    labels.iter().map(|label| pair(label.aws_name, Any::String(label.value.clone()))).collect()
}

fn attributes(attributes: &Attributes) -> Vec<KeyValue> {
    attributes.iter().map(|(name, value)| pair(name, any(value))).collect()
}

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}

fn any(value: &Value) -> Any {
    match value {
        Value::Text(text) => Any::String(text.clone().into_owned()),
        Value::Number(number) => Any::Int(*number),
        Value::Real(number) => Any::Double(*number),
        Value::Flag(flag) => Any::Bool(*flag),
        Value::Texts(texts) => {
            let value = |text: &String| AnyValue { value: Some(Any::String(text.clone())) };
            Any::Array(ArrayValue { values: texts.iter().map(value).collect() })
        }
        Value::Members(members) => Any::Members(KeyValueList { values: attributes(members) }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::TraceContext;

    /// The bytes are those that the published protocol has for this span: a slip in a field's number is a slip in them.
    #[test]
    fn a_span_has_the_bytes_of_the_protocol() {
        let context =
            TraceContext::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        let given = Span {
            context,
            parent: None,
            name: "a".into(),
            kind: SpanKind::Client,
            began: 1,
            took: Duration::from_nanos(1),
            attributes: vec![("b", Value::Number(7))],
            error: None,
        };
        let written = hex::encode(span(&given).encode_to_vec());
        let expected = [
            "0a10",
            "0af7651916cd43dd8448eb211c80319c",
            "1208",
            "b7ad6b7169203331",
            "2a0161",
            "3003",
            "390100000000000000",
            "410200000000000000",
            "4a07",
            "0a0162",
            "12021807",
            "850101000000",
        ];
        assert_eq!(written, expected.concat());
    }
}
