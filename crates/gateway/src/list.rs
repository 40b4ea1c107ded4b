//! What a gateway says about itself: `initialize` and `tools/list`.
//!
//! A list is computed once for each set of tools that somebody may see, page by page, and kept as the bytes of the
//! answer: whoever may see the same tools gets the same bytes.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp::Version;
use mcp::jsonrpc::INVALID_PARAMS;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::answer::Reply;
use crate::authenticate::Caller;
use crate::snapshot::Gate;

/// Agrees on a version (MCP, "Lifecycle", "Version Negotiation"): the client's if it is spoken, else our newest.
pub(crate) fn initialize(gate: &Gate, id: &str, params: Option<&RawValue>) -> Reply {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(rename = "protocolVersion", borrow)]
        version: std::borrow::Cow<'a, str>,
    }
    let params = params.and_then(|params| serde_json::from_str::<Params<'_>>(params.get()).ok());
    let Some(params) = params else {
        return Reply::error(id, INVALID_PARAMS, "initialize needs `params` with a `protocolVersion`");
    };
    let asked = Version::parse(&params.version).filter(|version| gate.versions.contains(version));
    let Some(version) = asked.or_else(|| gate.versions.first().copied()) else {
        return Reply::error(id, INVALID_PARAMS, "This gateway speaks no version of MCP");
    };
    let mut result = json!({
        "protocolVersion": version.as_str(),
        "capabilities": { "tools": { "listChanged": false } },
        "serverInfo": { "name": "agentcore-gateway", "title": gate.gateway.name, "version": env!("CARGO_PKG_VERSION") },
    });
    let instructions = gate.gateway.mcp.as_ref().and_then(|mcp| mcp.instructions.as_ref());
    if let (Some(object), Some(instructions)) = (result.as_object_mut(), instructions) {
        object.insert("instructions".to_owned(), Value::from(instructions.as_str()));
    }
    Reply::result(id, &result.to_string())
}

/// The tools that the caller may see, one page of them.
pub(crate) fn tools(gate: &Gate, caller: &Arc<Caller>, id: &str, params: Option<&RawValue>) -> Reply {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow, default)]
        cursor: Option<std::borrow::Cow<'a, str>>,
    }
    let cursor = match params.map(|params| serde_json::from_str::<Params<'_>>(params.get())) {
        None => None,
        Some(Ok(params)) => params.cursor,
        Some(Err(error)) => return Reply::error(id, INVALID_PARAMS, &format!("Invalid params: {error}")),
    };
    let visible = caller.visible(gate);
    let page = match cursor {
        None => visible.first_page(gate),
        Some(cursor) => read_cursor(&cursor).and_then(|last| visible.page_after(gate, &last)),
    };
    match page {
        Some(page) => Reply::shared_result(id, page),
        None => {
            Reply::error(id, INVALID_PARAMS, "The cursor is not one of this list. Begin again without one")
        }
    }
}

/// A cursor is the name of the last tool of the page before.
pub(crate) fn cursor(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

fn read_cursor(cursor: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}
