//! Errors of a service: which one, its message, and the members that the model has for it.
//!
//! Source: "Operation error serialization" of each protocol in the Smithy 2.0 specification. The name is looked for
//! wherever one of the protocols puts it, because services mix them.

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::{ToolAnswer, header, json as json_body, tree, xml};
use crate::plan::{Plan, Protocol};

/// The longest message that is passed on from a body that is no error of the model's, in characters.
const MAX_MESSAGE: usize = 2_000;

pub(super) fn answer(plan: &Plan, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ToolAnswer {
    let found = match plan.protocol {
        Protocol::RestXml => in_xml(plan, body),
        Protocol::RestJson1 | Protocol::AwsJson1_0 | Protocol::AwsJson1_1 => in_json(plan, headers, body),
    };
    let code = found.code.unwrap_or_else(|| status.canonical_reason().unwrap_or("UnknownError").to_owned());
    let mut members = found.members;
    if let Some(shape) = shape_of(plan, &code) {
        header::read(plan, shape, status, headers, &mut members);
    }
    let message = ["message", "Message", "errorMessage"].iter().find_map(|name| members.remove(*name));
    let message = found.message.or_else(|| message.and_then(|message| message.as_str().map(str::to_owned)));
    let mut content = Map::new();
    content.insert("code".to_owned(), code.into());
    content.insert("message".to_owned(), message.unwrap_or_default().into());
    content.insert("status".to_owned(), json!(status.as_u16()));
    members.retain(|name, _| !matches!(name.as_str(), "code" | "message" | "status"));
    content.extend(members);
    ToolAnswer { content: Value::Object(content), is_error: true }
}

#[derive(Default)]
struct Found {
    code: Option<String>,
    message: Option<String>,
    members: Map<String, Value>,
}

fn in_json(plan: &Plan, headers: &HeaderMap, body: &[u8]) -> Found {
    let named = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
        let code = named("x-amzn-errortype").map(|code| bare(&code));
        return Found { code, message: text(body), members: Map::new() };
    };
    let in_body = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let code = named("x-amzn-errortype").or_else(|| in_body("__type")).or_else(|| in_body("code"));
    let code = code.map(|code| bare(&code));
    let message = ["message", "Message", "errorMessage"].iter().find_map(|name| in_body(name));
    let shape = code.as_deref().and_then(|code| shape_of(plan, code));
    let members = shape.map(|shape| json_body::all(plan, shape, object)).unwrap_or_default();
    // Services that spoke awsQuery before say in a header what the error was called there.
    let before = named("x-amzn-query-error").and_then(|text| Some(text.split_once(';')?.0.to_owned()));
    Found { code: before.or(code), message, members }
}

fn in_xml(plan: &Plan, body: &[u8]) -> Found {
    let Ok(root) = tree::read(body) else {
        return Found { message: text(body), ..Found::default() };
    };
    let error = if root.name == "Error" { &root } else { root.child("Error").unwrap_or(&root) };
    let said = |name: &str| error.child(name).map(|child| child.text.trim().to_owned());
    let code = said("Code").filter(|code| !code.is_empty());
    let shape = code.as_deref().and_then(|code| shape_of(plan, code));
    let members = shape.map(|shape| xml::all(plan, shape, error)).unwrap_or_default();
    Found { code, message: said("Message").or_else(|| said("message")), members }
}

fn shape_of<'a>(plan: &'a Plan, code: &str) -> Option<&'a crate::plan::Structure> {
    let known = |error: &&crate::plan::ErrorShape| error.name == code || error.alias.as_deref() == Some(code);
    plan.errors.iter().find(known).and_then(|error| plan.structure(error.shape))
}

/// `aws.protocoltests#FooError:http://…` is `FooError`.
fn bare(code: &str) -> String {
    let code = code.split_once(':').map_or(code, |(code, _)| code);
    code.rsplit_once('#').map_or(code, |(_, code)| code).trim().to_owned()
}

/// A body that is no error of the model's, as far as it is text.
fn text(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok().map(str::trim).filter(|text| !text.is_empty())?;
    Some(text.chars().take(MAX_MESSAGE).collect())
}
