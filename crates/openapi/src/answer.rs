//! A response becomes what a tool answers (MCP 2025-11-25, "Tool Result").
//!
//! A JSON object is structured content and text at once, images and audio are content of their kind, other texts are
//! text, other bytes a blob. A status that is no success is an error of the tool with the status and the body, which a
//! model can read and act on. The size of the body is the caller's to bound.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use crate::media::{Kind, essence, kind};
use crate::operation::Operation;

/// The most bytes that are embedded as base64: more than that fits in no answer of 6 MB.
const MAX_EMBEDDED: usize = 4 * 1024 * 1024;

/// What a tool answers: the members of MCP's `CallToolResult`.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolAnswer {
    /// The pieces of content.
    pub content: Vec<Value>,
    /// The answer itself, when it is a JSON object and no error.
    pub structured_content: Option<Map<String, Value>>,
    /// Whether the upstream refused or failed.
    pub is_error: bool,
}

impl ToolAnswer {
    /// The answer as MCP's `CallToolResult`.
    #[must_use]
    pub fn into_value(self) -> Value {
        let mut result = Map::from_iter([("content".to_owned(), Value::Array(self.content))]);
        if let Some(structured) = self.structured_content {
            result.insert("structuredContent".to_owned(), Value::Object(structured));
        }
        result.insert("isError".to_owned(), Value::Bool(self.is_error));
        Value::Object(result)
    }
}

impl Operation {
    /// What the tool answers after this response.
    #[must_use]
    pub fn result(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ToolAnswer {
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !status.is_success() {
            return failure(status, media_type, body);
        }
        if body.is_empty() {
            return plain(vec![text(format!("HTTP {status}"))]);
        }
        let essence = essence(media_type);
        let is_text = matches!(kind(media_type), Kind::Json | Kind::Xml | Kind::Text | Kind::Form);
        match std::str::from_utf8(body) {
            Ok(utf8) if is_text || essence.is_empty() || essence == "image/svg+xml" => {
                let is_json = kind(media_type) == Kind::Json || essence.is_empty();
                ToolAnswer {
                    content: vec![text(utf8)],
                    structured_content: if is_json { structured(body) } else { None },
                    is_error: false,
                }
            }
            _ => plain(vec![self.embedded(&essence, body)]),
        }
    }

    /// Bytes as content of their kind.
    fn embedded(&self, media_type: &str, body: &[u8]) -> Value {
        let media_type = if media_type.is_empty() { "application/octet-stream" } else { media_type };
        if body.len() > MAX_EMBEDDED {
            return text(format!(
                "the answer is {} bytes of {media_type}, and at most {MAX_EMBEDDED} can be handed on",
                body.len()
            ));
        }
        let data = STANDARD.encode(body);
        if media_type.starts_with("image/") {
            return json!({"type": "image", "data": data, "mimeType": media_type});
        }
        if media_type.starts_with("audio/") {
            return json!({"type": "audio", "data": data, "mimeType": media_type});
        }
        let uri = format!("answer:{}", self.name);
        json!({"type": "resource", "resource": {"uri": uri, "mimeType": media_type, "blob": data}})
    }
}

fn plain(content: Vec<Value>) -> ToolAnswer {
    ToolAnswer { content, structured_content: None, is_error: false }
}

fn text(text: impl Into<String>) -> Value {
    json!({"type": "text", "text": text.into()})
}

/// The answer as an object, if it is one in which no member stands twice.
fn structured(body: &[u8]) -> Option<Map<String, Value>> {
    match strict_json::parse(body) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

fn failure(status: StatusCode, media_type: &str, body: &[u8]) -> ToolAnswer {
    let mut said = format!("HTTP {status}");
    if status.is_redirection() {
        said.push_str("\nThe server answered with a redirect, which is not followed.");
    }
    match std::str::from_utf8(body) {
        Ok(utf8) if !utf8.is_empty() => {
            said.push('\n');
            said.push_str(utf8);
        }
        Ok(_) => {}
        Err(_) => said.push_str(&format!("\n{} bytes of {}", body.len(), essence(media_type))),
    }
    ToolAnswer { content: vec![text(said)], structured_content: None, is_error: true }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
