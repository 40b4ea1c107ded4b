//! What a message of 2026-07-28 must say of itself: in `_meta`, and in headers that say the same as its body.
//!
//! Source: 2026-07-28, "Streamable HTTP", "Server Validation"; "Overview", "`_meta`".

use domain::beginning;
use http::{HeaderMap, StatusCode};
use mcp::jsonrpc::{HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, Message, UNSUPPORTED_VERSION};
use mcp::{Members, RequestMeta, Version, headers};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::answer::Reply;
use crate::authorize::Permitted;
use crate::listen::Spoken;
use crate::snapshot::Gate;
use crate::turn::Turn;

/// The headers that stand once.
const ROUTING: [&str; 3] = ["mcp-protocol-version", "mcp-method", "mcp-name"];

/// Looks at what a message says of itself, and remembers it.
pub(crate) fn check(turn: &mut Turn, message: &Message<'_>) -> Result<(), Reply> {
    turn.modern = true;
    let headers = &turn.arrival.headers;
    let (id, method, params) = match message {
        Message::Request { id, method, params } => (id.get(), &**method, *params),
        Message::Notification { .. } => {
            let spoken = named_version(headers).is_some_and(|named| speaks(&turn.gate, &named));
            return if spoken {
                Ok(())
            } else {
                Err(unsupported(&turn.gate, "null", named_version(headers)))
            };
        }
        Message::Answer { .. } => {
            let detail =
                "Clients send no answers since MCP 2026-07-28: retry the request with `inputResponses`";
            return Err(Reply::refused(StatusCode::BAD_REQUEST, INVALID_REQUEST, detail));
        }
    };
    let mismatch = |what: String| Reply::error(id, HEADER_MISMATCH, &format!("Header mismatch: {what}"));
    if let Some(twice) = ROUTING.iter().find(|name| headers.get_all(**name).iter().count() > 1) {
        return Err(mismatch(format!("{twice} stands more than once")));
    }
    let meta = RequestMeta::read(params).map_err(|problem| Reply::error(id, INVALID_PARAMS, &problem))?;
    let Some(version) = meta.version.as_deref() else {
        // Whoever names a version that nobody knows may be of either era.
        return Err(match turn.arrival.spoken {
            Spoken::Unknown => unsupported(&turn.gate, id, named_version(headers)),
            _ => missing(id, "protocolVersion"),
        });
    };
    if meta.capabilities.is_none() {
        return Err(missing(id, "clientCapabilities"));
    }
    match named_version(headers) {
        Some(named) if named == version => {}
        Some(_) => return Err(mismatch("MCP-Protocol-Version does not match `_meta`".to_owned())),
        None => return Err(mismatch("MCP-Protocol-Version is missing".to_owned())),
    }
    match headers.get("mcp-method").and_then(|value| value.to_str().ok()).map(str::trim) {
        Some(named) if named == method => {}
        Some(_) => return Err(mismatch("Mcp-Method does not match the method of the body".to_owned())),
        None => return Err(mismatch("Mcp-Method is missing".to_owned())),
    }
    if let Some(subject) = subject(method, params) {
        match headers.get("mcp-name").map(headers::decode) {
            Some(Some(named)) if named == subject => {}
            Some(_) => {
                return Err(mismatch("Mcp-Name does not match the name or URI of the body".to_owned()));
            }
            None => return Err(mismatch("Mcp-Name is missing".to_owned())),
        }
    }
    if !speaks(&turn.gate, version) {
        return Err(unsupported(&turn.gate, id, Some(version.to_owned())));
    }
    turn.meta = meta;
    Ok(())
}

/// Whether the headers of a call say what its marked arguments say.
pub(crate) fn check_param_headers(turn: &Turn, id: &str, permitted: &Permitted<'_>) -> Result<(), Reply> {
    let marked = &permitted.tool().param_headers;
    // The headers speak of the arguments that the client wrote, and not of those that an interceptor put in their place.
    if !turn.modern || turn.rewritten || marked.is_empty() {
        return Ok(());
    }
    let arguments: Value = serde_json::from_str(permitted.arguments()).unwrap_or_default();
    marked
        .check(&turn.arrival.headers, &arguments)
        .map_err(|problem| Reply::error(id, HEADER_MISMATCH, &format!("Header mismatch: {problem}")))
}

/// The version that the header names.
fn named_version(headers: &HeaderMap) -> Option<String> {
    let named = headers.get("mcp-protocol-version")?;
    Some(beginning(String::from_utf8_lossy(named.as_bytes()).trim(), 64))
}

fn speaks(gate: &Gate, named: &str) -> bool {
    Version::parse(named).is_some_and(|version| version.is_modern() && gate.versions.contains(&version))
}

/// What `Mcp-Name` must say.
fn subject(method: &str, params: Option<&RawValue>) -> Option<String> {
    let member = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        _ => return None,
    };
    Members::parse(params?).ok()?.text(member)
}

fn missing(id: &str, what: &str) -> Reply {
    let detail = format!("Invalid params: `_meta` needs `io.modelcontextprotocol/{what}`");
    Reply::error(id, INVALID_PARAMS, &detail)
}

/// 2026-07-28, `UnsupportedProtocolVersionError`.
fn unsupported(gate: &Gate, id: &str, requested: Option<String>) -> Reply {
    let supported: Vec<_> = gate.versions.iter().map(|version| version.as_str()).collect();
    let data = json!({ "supported": supported, "requested": requested.unwrap_or_default() });
    Reply::error_with(id, UNSUPPORTED_VERSION, "Unsupported protocol version", &data.to_string())
        .with_status(StatusCode::BAD_REQUEST)
}
