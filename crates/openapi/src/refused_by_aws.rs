//! What AWS would refuse in a document that is served here.
//!
//! The list is that of "OpenAPI schema targets" in the AgentCore developer guide ("Key considerations and
//! limitations", "OpenAPI feature support") and of the quotas of gateways: an operationId everywhere; no `oneOf`,
//! `anyOf` or `allOf`; JSON, XML, multipart and form bodies; no serialization of parameters but the plain one; no
//! callbacks, webhooks or links; a public server with a static URL.

use serde_json::Value;

use crate::document::{Document, object, shortened, text};
use crate::findings::{Finding, Severity};
use crate::media::{Kind, essence, kind};
use crate::operation::{Location, Style};
use crate::parameter_plan::Declared;

/// The largest schema that AWS takes inline (quotas: "Inline payload size").
const INLINE_LIMIT: usize = 1024 * 1024;
/// The most reasons that are given for one operation.
const MAX_REASONS: usize = 50;
/// The longest tool name (quotas: "Tool name length").
pub(crate) const NAME_LIMIT: usize = 256;

/// What AWS would refuse of the document as a whole.
pub(crate) fn of_document(document: &Document, bytes: usize) -> Vec<Finding> {
    let mut reasons = Vec::new();
    if bytes > INLINE_LIMIT {
        reasons.push(format!(
            "the document has {bytes} bytes and AWS takes {INLINE_LIMIT} inline: store it in S3 and name its URI"
        ));
    }
    if object(document.root(), "webhooks").is_some_and(|webhooks| !webhooks.is_empty()) {
        reasons.push("it has webhooks, which no tool can receive: they are left out".to_owned());
    }
    let finding = |reason| Finding { operation: None, severity: Severity::RefusedByAws, reason };
    reasons.into_iter().map(finding).collect()
}

/// What AWS would refuse of an operation.
pub(crate) fn of_operation(
    document: &Document,
    operation: &Value,
    declared: &[Declared],
    input_schema: &Value,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if text(operation, "operationId").is_none() {
        reasons.push("it has no operationId: its tool is named by method and path".to_owned());
    }
    for word in combinators(input_schema) {
        reasons.push(format!("its input uses `{word}`"));
    }
    for parameter in declared {
        let plain = match parameter.location {
            Location::Query | Location::Cookie => Style::Form,
            Location::Path | Location::Header => Style::Simple,
        };
        let resolved = document.follow(&parameter.schema).unwrap_or(&parameter.schema);
        let is_object = resolved.get("type").is_some_and(|name| name == "object");
        if parameter.encoding.style != plain || parameter.encoding.allow_reserved || is_object {
            let place = parameter.location.name();
            let name = shortened(&parameter.name);
            reasons.push(format!("its {place} parameter `{name}` needs a serialization of its own"));
        }
    }
    let body = operation.get("requestBody").and_then(|body| document.follow(body).ok());
    for media_type in
        body.and_then(|body| object(body, "content")).into_iter().flatten().map(|(name, _)| name)
    {
        if reasons.len() < MAX_REASONS && is_custom(media_type) {
            reasons.push(format!("its body has the media type `{}`", shown(media_type)));
        }
    }
    if object(operation, "callbacks").is_some_and(|callbacks| !callbacks.is_empty()) {
        reasons.push("it has callbacks, which no tool can receive: they are left out".to_owned());
    }
    let mut linked = false;
    for (_, response) in object(operation, "responses").into_iter().flatten() {
        let Ok(response) = document.follow(response) else { continue };
        linked |= object(response, "links").is_some_and(|links| !links.is_empty());
        for (media_type, _) in object(response, "content").into_iter().flatten() {
            if reasons.len() >= MAX_REASONS || !is_custom(media_type) {
                continue;
            }
            let reason = format!("it answers with the media type `{}`", shown(media_type));
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
    }
    if linked {
        reasons.push("its responses have links: they are left out".to_owned());
    }
    reasons
}

/// A media type for a message.
fn shown(media_type: &str) -> String {
    shortened(media_type.split(';').next().unwrap_or_default().trim())
}

fn is_custom(media_type: &str) -> bool {
    match kind(media_type) {
        Kind::Json => !matches!(essence(media_type).as_str(), "application/json" | "*/*"),
        Kind::Xml => essence(media_type) != "application/xml",
        Kind::Form | Kind::Multipart => false,
        Kind::Text | Kind::Binary => true,
    }
}

/// The combining words that stand anywhere in a schema.
fn combinators(schema: &Value) -> Vec<&'static str> {
    fn walk(schema: &Value, found: &mut [(&'static str, bool)]) {
        match schema {
            Value::Object(members) => {
                for (name, value) in members {
                    // A property may be called `oneOf`; then it holds a schema and no list.
                    let word = found.iter_mut().find(|(word, _)| word == name);
                    if let (Some((_, seen)), Value::Array(_)) = (word, value) {
                        *seen = true;
                    }
                    walk(value, found);
                }
            }
            Value::Array(elements) => elements.iter().for_each(|element| walk(element, found)),
            _ => {}
        }
    }
    let mut found = [("oneOf", false), ("anyOf", false), ("allOf", false)];
    walk(schema, &mut found);
    found.into_iter().filter(|(_, seen)| *seen).map(|(word, _)| word).collect()
}

/// Arguments whose names the APIs of common models refuse (letters, digits, `_`, `-` and `.`, at most 64).
pub(crate) fn unusual_arguments(input_schema: &Value) -> Vec<&str> {
    let fits = |name: &str| {
        let plain =
            |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
        !name.is_empty() && name.len() <= 64 && name.chars().all(plain)
    };
    let properties = object(input_schema, "properties").into_iter().flatten();
    properties.map(|(name, _)| name.as_str()).filter(|name| !fits(name)).take(MAX_REASONS).collect()
}

/// The media types of the answers that are no error, for `Accept`: JSON first.
pub(crate) fn accept(document: &Document, operation: &Value) -> String {
    let mut types: Vec<String> = Vec::new();
    for (status, response) in object(operation, "responses").into_iter().flatten() {
        let Ok(response) = document.follow(response) else { continue };
        if !status.starts_with('2') && status != "default" {
            continue;
        }
        for (name, _) in object(response, "content").into_iter().flatten() {
            let name = essence(name);
            let fits =
                name.split_once('/').is_some_and(|(kind, subtype)| !kind.is_empty() && !subtype.is_empty())
                    && name.bytes().all(|byte| byte.is_ascii_graphic() && !b",;\"".contains(&byte));
            if fits && !types.contains(&name) && types.len() < 8 {
                types.push(name);
            }
        }
    }
    types.sort_by_key(|name| kind(name) != Kind::Json);
    if types.is_empty() || types.iter().any(|name| name == "*/*") {
        return "application/json, */*;q=0.8".to_owned();
    }
    types.join(", ")
}
