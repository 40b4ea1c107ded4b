//! An upstream's answer in the words of its client's revision, where the two are of different eras.
//!
//! Source: 2026-07-28, "Key Changes": `resultType`, caching hints, the code of a resource that is not there, structured
//! content that need not be an object.

use bytes::Bytes;
use mcp::Members;
use mcp::jsonrpc::{self, INVALID_PARAMS, RESOURCE_NOT_FOUND};
use mcp::upstream::{Answer, Era};

/// The answer for a client, and the code of its error, if it is one.
pub(crate) fn translated(
    answer: &Answer,
    id: &str,
    from: Era,
    to_modern: bool,
    method: &str,
) -> (Bytes, Option<i64>) {
    let same = (from == Era::Modern) == to_modern;
    if same && !answer.is_error() {
        return (answer.for_client(id).into(), None);
    }
    let outcome = answer.outcome().and_then(|outcome| Members::parse(outcome).ok());
    if answer.is_error() {
        let code = outcome.as_ref().and_then(|error| error.get("code")?.parse().ok()).unwrap_or_default();
        let code = if method == "resources/read" { resource_code(code, to_modern) } else { code };
        let Some(mut error) = outcome else { return (answer.for_client(id).into(), Some(code)) };
        error.set("code", code.to_string());
        let message = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}");
        return (message.into(), Some(code));
    }
    let Some(mut result) = outcome else { return (answer.for_client(id).into(), None) };
    if to_modern {
        modernise(&mut result, method == "resources/read");
    } else {
        for member in ["resultType", "ttlMs", "cacheScope"] {
            result.remove(member);
        }
        if result.get("structuredContent").is_some_and(|content| !content.starts_with('{')) {
            result.remove("structuredContent");
        }
    }
    (jsonrpc::result(id, &result.to_string()).into(), None)
}

/// Gives a result the members that 2026-07-28 wants.
fn modernise(result: &mut Members<'_>, cacheable: bool) {
    if result.get("resultType").is_none() {
        result.set("resultType", "\"complete\"");
    }
    if cacheable && result.get("ttlMs").is_none() {
        result.set("ttlMs", "0");
        result.set("cacheScope", "\"private\"");
    }
}

/// A resource that is not there has another code since 2026-07-28.
fn resource_code(code: i64, to_modern: bool) -> i64 {
    match (code, to_modern) {
        (RESOURCE_NOT_FOUND, true) => INVALID_PARAMS,
        (INVALID_PARAMS, false) => RESOURCE_NOT_FOUND,
        _ => code,
    }
}
