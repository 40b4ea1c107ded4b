//! An OTLP endpoint for logs, over HTTP in JSON: one log record an event. Source: OpenTelemetry Protocol specification 1.x,
//! "OTLP/HTTP", "JSON Protobuf Encoding".

use std::time::Duration;

use bytes::Bytes;
use domain::{Actor, AuditEvent, Decision, Outcome};
use egress::Client;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use store::ChainedEvent;

use super::SinkError;

/// How much of an answer is read, in bytes.
const ANSWER: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

/// An endpoint for logs.
pub struct OtlpSink {
    url: String,
    headers: HeaderMap,
    client: Client,
    chain: String,
}

impl OtlpSink {
    /// The endpoint at a URL, which is the whole one, with `/v1/logs`; `headers` go with every request.
    #[must_use]
    pub fn new(url: String, headers: HeaderMap, client: Client, chain: &str) -> Self {
        Self { url, headers, client, chain: chain.to_owned() }
    }

    pub(super) async fn deliver(&mut self, events: &[ChainedEvent]) -> Result<(), SinkError> {
        let failed = |why: String| SinkError(format!("{}: {why}", self.url));
        let records: Vec<Value> = events.iter().map(|it| self.record(it)).collect();
        let body = json!({ "resourceLogs": [{
            "resource": { "attributes": [
                attribute("service.name", "portcullis"),
                attribute("service.instance.id", &self.chain),
            ] },
            "scopeLogs": [{ "scope": { "name": "portcullis.audit" }, "logRecords": records }],
        }] });
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = Bytes::from(body.to_string());
        let answer = self.client.post(&self.url, headers, body, ANSWER, PATIENCE).await;
        let answer = answer.map_err(|error| failed(error.to_string()))?;
        if !answer.status.is_success() {
            return Err(failed(format!("answers {}", answer.status.as_u16())));
        }
        // What was refused for good must not be sent again ("Partial Success"); somebody must know of it.
        let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let refused = told.pointer("/partialSuccess/rejectedLogRecords");
        let refused = refused.and_then(|it| it.as_i64().or_else(|| it.as_str()?.parse().ok())).unwrap_or(0);
        if refused > 0 {
            tracing::error!(refused, url = self.url, "A log endpoint refuses audit events for good.");
        }
        Ok(())
    }

    fn record(&self, stored: &ChainedEvent) -> Value {
        let event = &stored.event;
        let (number, word) = severity(event);
        let nanos = i128::from(event.time.millis()) * 1_000_000;
        let body = serde_json::to_string(event).unwrap_or_default();
        let mut attributes = vec![
            attribute("event.name", "portcullis.audit"),
            attribute("audit.event.id", event.event_id.as_str()),
            attribute("audit.chain", &self.chain),
            attribute("audit.place", &stored.place.to_string()),
            attribute("audit.action", &event.action),
            attribute("cloud.account.id", event.scope.account.as_str()),
            attribute("cloud.region", event.scope.region.as_str()),
        ];
        let more = [
            ("audit.resource", event.resource.as_deref()),
            ("audit.tool", event.tool.as_deref()),
            ("audit.error", event.error.as_deref()),
            ("audit.principal", principal(&event.actor)),
            ("client.address", event.source_ip.as_deref()),
        ];
        attributes.extend(more.iter().filter_map(|(name, text)| Some(attribute(name, (*text)?))));
        for (name, value) in [
            ("audit.kind", serde_json::to_value(event.kind)),
            ("audit.decision", serde_json::to_value(event.decision)),
            ("audit.outcome", serde_json::to_value(event.outcome)),
        ] {
            if let Some(word) = value.ok().as_ref().and_then(Value::as_str) {
                attributes.push(attribute(name, word));
            }
        }
        let mut record = json!({
            "timeUnixNano": nanos.to_string(),
            "severityNumber": number,
            "severityText": word,
            "body": { "stringValue": body },
            "attributes": attributes,
        });
        let trace = event.call.as_ref().and_then(|call| call.trace.as_ref());
        if let (Some(trace), Some(members)) = (trace, record.as_object_mut()) {
            // In this encoding, they are written in hexadecimal digits, unlike other bytes.
            members.insert("traceId".to_owned(), trace.trace_id.as_str().into());
            members.insert("spanId".to_owned(), trace.span_id.as_str().into());
        }
        record
    }
}

fn attribute(name: &str, value: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

/// A failure is an error, a refusal a warning ("Logs Data Model", "Severity Fields").
fn severity(event: &AuditEvent) -> (u8, &'static str) {
    match (event.outcome, event.decision) {
        (Outcome::Failure, _) => (17, "ERROR"),
        (Outcome::Refused, _) | (_, Decision::Deny | Decision::WouldDeny) => (13, "WARN"),
        _ => (9, "INFO"),
    }
}

fn principal(actor: &Actor) -> Option<&str> {
    match actor {
        Actor::Iam { arn, .. } => Some(arn),
        Actor::Token { subject, client_id, .. } => subject.as_deref().or(client_id.as_deref()),
        Actor::Client { client_id } => Some(client_id),
        Actor::System => Some("portcullis"),
        Actor::Anonymous => None,
    }
}
