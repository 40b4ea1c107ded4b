//! What a gateway says about itself: `initialize`, `server/discover` and `tools/list`.
//!
//! A list is computed once for each set of tools that somebody may see, page by page, and kept as the bytes of the
//! answer: whoever may see the same tools gets the same bytes. The tools of servers that are asked at each list come
//! after those.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp::jsonrpc::INVALID_PARAMS;
use mcp::{Capabilities, Version};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::answer::Reply;
use crate::snapshot::{Gate, Guard};
use crate::telling::Telling;
use crate::turn::Turn;
use crate::{offers, session, upstream};

/// What a list of 2026-07-28 says besides. It may change with every change of the configuration or of a policy, so it
/// is not to be kept ("Caching").
pub(crate) const UNCACHED: &str = "\"resultType\":\"complete\",\"ttlMs\":0,\"cacheScope\":\"private\",";

/// Agrees on a version (2025-11-25, "Lifecycle", "Version Negotiation"): the client's if it is spoken, else our newest
/// that is agreed upon so. Opens a session where the gateway keeps them.
pub(crate) fn initialize(turn: &Turn, id: &str, params: Option<&RawValue>) -> Reply {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(rename = "protocolVersion", borrow)]
        version: std::borrow::Cow<'a, str>,
        #[serde(borrow, default)]
        capabilities: Option<&'a RawValue>,
    }
    let gate = &turn.gate;
    let params = params.and_then(|params| serde_json::from_str::<Params<'_>>(params.get()).ok());
    let Some(params) = params else {
        return Reply::error(id, INVALID_PARAMS, "initialize needs `params` with a `protocolVersion`");
    };
    let mut former = gate.versions.iter().copied().filter(|version| !version.is_modern());
    let asked =
        Version::parse(&params.version).filter(|asked| former.clone().any(|version| version == *asked));
    let Some(version) = asked.or_else(|| former.next()) else {
        let detail = "This gateway speaks MCP 2026-07-28 only, which has no `initialize`";
        return Reply::error(id, INVALID_PARAMS, detail);
    };
    let capabilities = match params.capabilities.map(|given| Capabilities::read(given.get())).transpose() {
        Ok(capabilities) => capabilities.unwrap_or_default(),
        Err(problem) => return Reply::error(id, INVALID_PARAMS, &problem),
    };
    let opened = match session::open(turn, capabilities) {
        Ok(opened) => opened,
        Err(reply) => return reply,
    };
    let mut result = Map::new();
    result.insert("protocolVersion".to_owned(), version.as_str().into());
    result.insert("capabilities".to_owned(), capabilities_of(turn, false));
    result.insert("serverInfo".to_owned(), server_info(gate));
    instruct(gate, &mut result);
    Reply::result(id, &Value::Object(result).to_string()).with_session(opened.as_deref())
}

/// Says which versions are spoken, and what can be done (2026-07-28, "Discovery").
pub(crate) fn discover(turn: &Turn, id: &str) -> Reply {
    let gate = &turn.gate;
    let versions: Vec<_> = gate.versions.iter().map(|version| version.as_str()).collect();
    let mut result = Map::new();
    result.insert("resultType".to_owned(), "complete".into());
    result.insert("supportedVersions".to_owned(), json!(versions));
    result.insert("capabilities".to_owned(), capabilities_of(turn, true));
    result.insert("_meta".to_owned(), json!({ "io.modelcontextprotocol/serverInfo": server_info(gate) }));
    result.insert("ttlMs".to_owned(), 0.into());
    result.insert("cacheScope".to_owned(), "private".into());
    instruct(gate, &mut result);
    Reply::result(id, &Value::Object(result).to_string())
}

fn capabilities_of(turn: &Turn, modern: bool) -> Value {
    let catalogue = &turn.gate.catalogue;
    let reads = offers::are_offered(turn);
    let mut can = Map::new();
    // Changes are not announced: an approved change is seen at the next list.
    let unchanging = || if modern { json!({}) } else { json!({ "listChanged": false }) };
    can.insert("tools".to_owned(), unchanging());
    if reads && !catalogue.prompts.is_empty() {
        can.insert("prompts".to_owned(), unchanging());
    }
    if reads && catalogue.has_resources() {
        can.insert("resources".to_owned(), unchanging());
    }
    if reads && catalogue.completes() {
        can.insert("completions".to_owned(), json!({}));
    }
    if catalogue.logs() {
        can.insert("logging".to_owned(), json!({}));
    }
    Value::Object(can)
}

fn server_info(gate: &Gate) -> Value {
    json!({ "name": "agentcore-gateway", "title": gate.gateway.name, "version": env!("CARGO_PKG_VERSION") })
}

fn instruct(gate: &Gate, result: &mut Map<String, Value>) {
    if let Some(instructions) = gate.gateway.mcp.as_ref().and_then(|mcp| mcp.instructions.as_ref()) {
        result.insert("instructions".to_owned(), instructions.as_str().into());
    }
}

/// The tools that the caller may see, one page of them.
pub(crate) async fn tools(turn: &Turn, id: &str, params: Option<&RawValue>, telling: &mut Telling) -> Reply {
    let cursor = match read_params(id, params) {
        Ok(cursor) => cursor,
        Err(reply) => return reply,
    };
    let gate = &turn.gate;
    if let Guard::Policies { mode, .. } = &gate.guard {
        gate.meter.listed(*mode);
    }
    let visible = turn.caller.visible(gate);
    telling.listing(gate, visible);
    let page = match cursor {
        None => visible.first_page(gate),
        Some(last) => visible.page_after(gate, &last),
    };
    let Some(page) = page else { return bad_cursor(id) };
    let own = if turn.modern { UNCACHED } else { "" };
    if page.more || !gate.lists_unlisted() {
        return Reply::shared_result(id, own, &page.bytes);
    }
    let unlisted = upstream::unlisted_tools(turn).await;
    Reply::shared_result(id, own, &page.with(&unlisted))
}

/// The cursor of a list's parameters, read.
pub(crate) fn read_params(id: &str, params: Option<&RawValue>) -> Result<Option<String>, Reply> {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow, default)]
        cursor: Option<std::borrow::Cow<'a, str>>,
    }
    match params.map(|params| serde_json::from_str::<Params<'_>>(params.get())) {
        None => Ok(None),
        Some(Ok(Params { cursor: None })) => Ok(None),
        Some(Ok(Params { cursor: Some(cursor) })) => {
            read_cursor(&cursor).map(Some).ok_or_else(|| bad_cursor(id))
        }
        Some(Err(error)) => Err(Reply::error(id, INVALID_PARAMS, &format!("Invalid params: {error}"))),
    }
}

pub(crate) fn bad_cursor(id: &str) -> Reply {
    Reply::error(id, INVALID_PARAMS, "The cursor is not one of this list. Begin again without one")
}

/// A cursor is the name of the last entry of the page before.
pub(crate) fn cursor(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

fn read_cursor(cursor: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}
