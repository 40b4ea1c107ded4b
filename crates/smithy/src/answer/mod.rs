//! What a service answered becomes one JSON object: headers, status and body by the model's bindings.
//!
//! Answers are not believed: what does not fit its shape stays as it came, what the model does not know is left out,
//! and a body that is none is an error of its own. An error of the service is named with its code, its message and its
//! status, and has the error shape's members beside them.

mod error;
mod header;
mod json;
mod tree;
mod xml;

use base64::Engine as _;
use http::HeaderMap;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::plan::{Binding, Operation, Plan, Protocol, Shape, Structure};

/// What a tool call came to.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolAnswer {
    /// The output's members; for an error `code`, `message`, `status` and the error's own members.
    pub content: Value,
    /// Whether the service answered with an error, or with something that is no answer.
    pub is_error: bool,
}

impl Operation {
    /// Reads the service's answer. Moments are RFC 3339, bytes are base64.
    #[must_use]
    pub fn answer(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ToolAnswer {
        let plan = &self.plan;
        if !status.is_success() && status.as_u16() != plan.status {
            return error::answer(plan, status, headers, body);
        }
        match output(plan, status, headers, body) {
            Ok(content) => ToolAnswer { content: Value::Object(content), is_error: false },
            Err(Unreadable::Error) => error::answer(plan, status, headers, body),
            Err(Unreadable::Body(why)) => ToolAnswer {
                content: json!({
                    "code": "UnreadableAnswer",
                    "message": format!("the service's answer cannot be read: {why}"),
                    "status": status.as_u16(),
                }),
                is_error: true,
            },
        }
    }
}

/// Why a body is no output.
enum Unreadable {
    /// It is an error with the status of a success, as S3 answers to long copies.
    Error,
    /// It is something else, as the end of a sentence.
    Body(String),
}

fn output(
    plan: &Plan,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Map<String, Value>, Unreadable> {
    let Some(output) = plan.output.and_then(|at| plan.structure(at)) else { return Ok(Map::new()) };
    let mut content = match output.members.iter().find(|member| member.binding == Binding::Payload) {
        Some(payload) => {
            let value = self::payload(plan, output, body)?;
            value.map(|value| (payload.name.clone(), value)).into_iter().collect()
        }
        None => document(plan, output, body)?,
    };
    header::read(plan, output, status, headers, &mut content);
    Ok(content)
}

/// The body of an output that has no payload.
fn document(plan: &Plan, output: &Structure, body: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    let in_body = output.members.iter().any(|member| member.binding == Binding::Body);
    if !in_body || body.is_empty() {
        return Ok(Map::new());
    }
    match plan.protocol {
        Protocol::RestXml => {
            let root = root(body)?;
            if plan.unwrapped {
                let only = output.members.iter().find(|member| member.binding == Binding::Body);
                return Ok(only
                    .map(|only| (only.name.clone(), xml::value(plan, only, &root)))
                    .into_iter()
                    .collect());
            }
            Ok(xml::structure(plan, output, &root))
        }
        Protocol::RestJson1 | Protocol::AwsJson1_0 | Protocol::AwsJson1_1 => {
            let value: Value = serde_json::from_slice(body).map_err(|_| not("JSON"))?;
            match value {
                Value::Object(object) => Ok(json::structure(plan, output, object)),
                Value::Null => Ok(Map::new()),
                _ => Err(not("a JSON object")),
            }
        }
    }
}

/// The value of the payload; none when there is no body and an empty one would mean nothing.
fn payload(plan: &Plan, output: &Structure, body: &[u8]) -> Result<Option<Value>, Unreadable> {
    let payload = output.members.iter().find(|member| member.binding == Binding::Payload);
    let Some(payload) = payload else { return Ok(None) };
    Ok(match plan.shape(payload.shape) {
        Some(Shape::Blob(_)) => Some(base64::engine::general_purpose::STANDARD.encode(body).into()),
        Some(Shape::String(_)) => Some(String::from_utf8_lossy(body).into_owned().into()),
        _ if body.is_empty() => None,
        _ if plan.protocol == Protocol::RestXml => Some(xml::value(plan, payload, &root(body)?)),
        _ => {
            let value = serde_json::from_slice(body).map_err(|_| not("JSON"))?;
            Some(json::value(plan, payload, value))
        }
    })
}

/// The root of a document in XML that is no error.
fn root(body: &[u8]) -> Result<tree::Element, Unreadable> {
    let root = tree::read(body).map_err(Unreadable::Body)?;
    if root.name == "Error" && root.child("Code").is_some() { Err(Unreadable::Error) } else { Ok(root) }
}

fn not(kind: &str) -> Unreadable {
    Unreadable::Body(format!("its body is not {kind}"))
}
