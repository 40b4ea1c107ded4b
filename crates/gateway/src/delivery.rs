//! Where a gateway's application logs are delivered: log groups that the control plane tied to it.
//!
//! A record is the JSON that AgentCore delivers ("Gateway logs" in its developer guide). It is handed over and never waited
//! for; what finds no room is counted.

use std::sync::Arc;

use domain::{Arn, Scope};
use serde_json::{Map, json};
use store::{LogLine, LogWriter};
use telemetry::{LogRecord, Value};

/// The stream that records are written to; AgentCore's has a name of its own, too.
const STREAM: &str = "BedrockAgentCoreGateway_ApplicationLogs";

/// The log groups of one gateway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deliveries {
    scope: Option<Scope>,
    groups: Arc<[String]>,
}

impl Deliveries {
    /// The groups of a gateway of this scope.
    pub(crate) fn new(scope: &Scope, groups: Vec<String>) -> Self {
        Self { scope: Some(scope.clone()), groups: groups.into() }
    }

    /// Whether anything is delivered.
    pub(crate) fn any(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Delivers a record.
    pub(crate) fn deliver(&self, writer: &LogWriter, resource: &Arn, record: &LogRecord) {
        let Some(scope) = &self.scope else { return };
        if !self.any() {
            return;
        }
        let message = message(resource, record);
        for group in self.groups.iter() {
            writer.write(LogLine {
                scope: scope.clone(),
                group: group.clone(),
                stream: STREAM.to_owned(),
                time: record.time,
                message: message.clone(),
            });
        }
    }
}

/// A record as JSON.
fn message(resource: &Arn, record: &LogRecord) -> String {
    let mut members = Map::new();
    members.insert("resource_arn".to_owned(), resource.as_str().into());
    for (name, value) in &record.attributes {
        members.insert((*name).to_owned(), json_of(value));
    }
    members.insert("body".to_owned(), json_of(&record.body));
    if let Some(context) = &record.context {
        members.insert("trace_id".to_owned(), hex::encode(context.trace).into());
        members.insert("span_id".to_owned(), hex::encode(context.span).into());
    }
    serde_json::Value::Object(members).to_string()
}

fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) => text.as_ref().into(),
        Value::Number(number) => (*number).into(),
        Value::Real(number) => json!(number),
        Value::Flag(flag) => (*flag).into(),
        Value::Texts(texts) => json!(texts),
        Value::Members(members) => {
            let members = members.iter().map(|(name, value)| ((*name).to_owned(), json_of(value)));
            serde_json::Value::Object(members.collect())
        }
    }
}
