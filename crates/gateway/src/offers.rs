//! What MCP servers offer besides tools: prompts, resources and templates, and the completion of their arguments.
//!
//! A prompt is named as a tool is, `{target}___{prompt}`; a resource keeps its URI, and the target with the lowest
//! `resourcePriority` gives it when more than one has it.

use bytes::Bytes;
use domain::beginning;
use mcp::Members;
use mcp::jsonrpc::{CallParams, INVALID_PARAMS, RESOURCE_NOT_FOUND};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::answer::Reply;
use crate::audit::Record;
use crate::authorize::{Reading, readable, reading};
use crate::list::{UNCACHED, bad_cursor, cursor, read_params};
use crate::snapshot::{Catalogue, OfferEntry};
use crate::turn::Turn;
use crate::upstream::{self, Question};

/// How many entries a page has.
const PAGE: usize = 100;
/// How much work one template may make.
const TRIES: u32 = 2_000;

/// Whether prompts and resources are offered to anybody here. Where they are not, the gateway is one without them.
pub(crate) fn are_offered(turn: &Turn) -> bool {
    reading(&turn.gate, turn.lane.plane.setup.prompts_and_resources).is_ok()
}

pub(crate) fn prompts(turn: &Turn, id: &str, params: Option<&RawValue>) -> Reply {
    let catalogue = &turn.gate.catalogue;
    if catalogue.prompts.is_empty() || !are_offered(turn) {
        return Reply::no_method(id, "prompts/list");
    }
    page(turn, id, params, "prompts", &catalogue.prompts)
}

pub(crate) fn resources(turn: &Turn, id: &str, params: Option<&RawValue>) -> Reply {
    let catalogue = &turn.gate.catalogue;
    if !catalogue.has_resources() || !are_offered(turn) {
        return Reply::no_method(id, "resources/list");
    }
    page(turn, id, params, "resources", &catalogue.resources)
}

pub(crate) fn templates(turn: &Turn, id: &str, params: Option<&RawValue>) -> Reply {
    let catalogue = &turn.gate.catalogue;
    if !catalogue.has_resources() || !are_offered(turn) {
        return Reply::no_method(id, "resources/templates/list");
    }
    page(turn, id, params, "resourceTemplates", &catalogue.templates)
}

fn page(turn: &Turn, id: &str, params: Option<&RawValue>, member: &str, all: &[OfferEntry]) -> Reply {
    let begin = match read_params(id, params) {
        Ok(None) => 0,
        Ok(Some(last)) => match all.iter().position(|entry| entry.name == last) {
            Some(last) => last + 1,
            None => return bad_cursor(id),
        },
        Err(reply) => return reply,
    };
    let size = if turn.gate.lists_in_one_page() { usize::MAX } else { PAGE };
    let entries: Vec<_> = all.iter().skip(begin).take(size).collect();
    let mut text = format!("{{\"{member}\":[").into_bytes();
    for (at, entry) in entries.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        text.extend_from_slice(&entry.shown);
    }
    text.push(b']');
    if let Some(last) = entries.last().filter(|_| begin + entries.len() < all.len()) {
        text.extend_from_slice(format!(",\"nextCursor\":{}", Value::from(cursor(&last.name))).as_bytes());
    }
    text.push(b'}');
    Reply::shared_result(id, if turn.modern { UNCACHED } else { "" }, &Bytes::from(text))
}

/// Gets a prompt.
pub(crate) async fn get_prompt(turn: &Turn, id: &str, asked: &CallParams<'_>, record: &mut Record) -> Reply {
    record.tool(&asked.name);
    let right = match right_to_read(turn, id, record) {
        Ok(right) => right,
        Err(reply) => return reply,
    };
    let Some(prompt) = turn.gate.catalogue.prompts.iter().find(|prompt| prompt.name == asked.name) else {
        let shown = beginning(&asked.name, 256);
        return Reply::error(id, INVALID_PARAMS, &format!("Unknown prompt: {shown}"));
    };
    let readable = readable(&turn.caller, &right, prompt, asked);
    record.telling.reaching(turn, readable.offer().target, None);
    let question = Question { method: "prompts/get", member: "name" };
    let reply = upstream::read(turn, &readable, id, question).await;
    record.telling.reached(reply.error.as_deref());
    reply
}

/// Reads a resource.
pub(crate) async fn read_resource(
    turn: &Turn,
    id: &str,
    asked: &CallParams<'_>,
    record: &mut Record,
) -> Reply {
    record.tool(&asked.name);
    let right = match right_to_read(turn, id, record) {
        Ok(right) => right,
        Err(reply) => return reply,
    };
    let Some(offer) = resource(turn, &asked.name) else { return no_resource(turn, id, &asked.name) };
    let readable = readable(&turn.caller, &right, &offer, asked);
    record.telling.reaching(turn, offer.target, None);
    let question = Question { method: "resources/read", member: "uri" };
    let reply = upstream::read(turn, &readable, id, question).await;
    record.telling.reached(reply.error.as_deref());
    reply
}

/// The right to read, or one denial for all that is there and all that is not.
fn right_to_read(turn: &Turn, id: &str, record: &mut Record) -> Result<Reading, Reply> {
    match reading(&turn.gate, turn.lane.plane.setup.prompts_and_resources) {
        Ok(right) => {
            record.reading(right.decided());
            Ok(right)
        }
        Err(decided) => {
            record.reading(&decided);
            Err(Reply::denied_reading(id))
        }
    }
}

/// The resource of this URI, or the template that it fits, under this URI.
fn resource(turn: &Turn, uri: &str) -> Option<OfferEntry> {
    let target = place_of(&turn.gate.catalogue, uri)?;
    Some(OfferEntry { name: uri.to_owned(), own_name: uri.to_owned(), shown: Bytes::new(), target })
}

/// The name of the target that gives a resource.
pub(crate) fn target_of_resource<'c>(catalogue: &'c Catalogue, uri: &str) -> Option<&'c str> {
    let target = place_of(catalogue, uri)?;
    catalogue.target(target).map(|target| target.name.as_str())
}

fn place_of(catalogue: &Catalogue, uri: &str) -> Option<usize> {
    let listed = catalogue.resources.iter().find(|resource| resource.name == uri);
    let fitting = || catalogue.templates.iter().find(|template| fits(&template.name, uri, &mut { TRIES }));
    listed.or_else(fitting).map(|found| found.target)
}

/// A resource that is not there (2025-11-25 and 2026-07-28, "Resources", "Error Handling").
fn no_resource(turn: &Turn, id: &str, uri: &str) -> Reply {
    let code = if turn.modern { INVALID_PARAMS } else { RESOURCE_NOT_FOUND };
    let shown = beginning(uri, 1_024);
    Reply::error_with(id, code, "Resource not found", &json!({ "uri": shown }).to_string())
}

/// Completes an argument of a prompt or a template: asks the server that has it.
pub(crate) async fn complete(turn: &Turn, id: &str, params: Option<&RawValue>) -> Reply {
    let wrong = |detail: &str| Reply::error(id, INVALID_PARAMS, detail);
    let catalogue = &turn.gate.catalogue;
    if !catalogue.completes() || !are_offered(turn) {
        return Reply::no_method(id, "completion/complete");
    }
    let Some(mut params) = params.and_then(|params| Members::parse(params).ok()) else {
        return wrong("completion/complete needs `params` with a `ref` and an `argument`");
    };
    let reference = params.get("ref").and_then(|given| serde_json::from_str::<Members<'_>>(given).ok());
    let Some(mut reference) = reference else { return wrong("`ref` must be an object") };
    let (member, listed) = match reference.text("type").as_deref() {
        Some("ref/prompt") => ("name", &catalogue.prompts),
        Some("ref/resource") => ("uri", &catalogue.templates),
        _ => return wrong("`ref` must have the type ref/prompt or ref/resource"),
    };
    let named = reference.text(member).unwrap_or_default();
    let Some(offer) = listed.iter().find(|offer| offer.name == named) else {
        return wrong("`ref` names nothing that this gateway offers");
    };
    reference
        .set(if member == "name" { "name" } else { "uri" }, Value::from(offer.own_name.as_str()).to_string());
    let reference = reference.to_string();
    params.set("ref", reference);
    params.retain(|name| matches!(name, "ref" | "argument" | "context" | "_meta"));
    upstream::complete(turn, offer, id, params).await
}

/// Whether a URI may come out of a template (RFC 6570): a simple expression stands for one segment, one with an
/// operator for anything.
///
/// `tries` bounds how often the end of an expression is looked for: what costs more fits nothing.
fn fits(template: &str, uri: &str, tries: &mut u32) -> bool {
    let Some(left) = tries.checked_sub(1) else { return false };
    *tries = left;
    let Some((literal, rest)) = template.split_once('{') else { return template == uri };
    let Some(uri) = uri.strip_prefix(literal) else { return false };
    let Some((expression, rest)) = rest.split_once('}') else { return false };
    let many = expression.starts_with(['+', '#', '/', '?', '&', ';', '.']);
    let longest = if many { uri.len() } else { uri.find('/').unwrap_or(uri.len()) };
    if rest.is_empty() {
        return longest == uri.len() && (many || !uri.is_empty());
    }
    let shortest = usize::from(!many);
    // What follows the expression begins at one of the places where its literal does.
    let literal = rest.split('{').next().unwrap_or_default();
    uri.char_indices()
        .map(|(at, _)| at)
        .filter(|at| (shortest..=longest).contains(at))
        .filter_map(|at| uri.get(at..))
        .filter(|left| left.starts_with(literal))
        .take(64)
        .any(|left| fits(rest, left, tries))
}

#[cfg(test)]
mod tests {
    use super::{TRIES, fits};

    #[test]
    fn uris_fit_templates() {
        for (template, uri) in [
            ("test://template/{id}/data", "test://template/7/data"),
            ("file:///{+path}", "file:///a/b/c.txt"),
            ("a:{x}-{y}", "a:1-2"),
            ("a:{x}{?q}", "a:1?q=2"),
            ("a:b", "a:b"),
        ] {
            assert!(fits(template, uri, &mut { TRIES }), "{template} {uri}");
        }
        for (template, uri) in [
            ("test://template/{id}/data", "test://template/7/8/data"),
            ("test://template/{id}/data", "test://template//data"),
            ("test://template/{id}", "test://template/"),
            ("a:{x}", "b:1"),
            ("a:{x", "a:1"),
            ("{+a}{+b}{+c}{+d}{+e}{+f}!", &"x".repeat(200)),
        ] {
            assert!(!fits(template, uri, &mut { TRIES }), "{template} {uri}");
        }
    }
}
