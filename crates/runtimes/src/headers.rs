//! Which headers pass, in either direction. Nothing passes that is not named here or by the runtime's allow-list; what the
//! agent is told about its caller is written here and nowhere else, so that no caller can say it.

use std::collections::BTreeSet;

use domain::{AgentProtocol, RequestId, Secret};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use telemetry::TraceContext;

use crate::authenticate::Caller;
use crate::place::Query;
use crate::refusal::Refusal;
use crate::registry::Served;

/// The id of a session.
pub(crate) const SESSION: &str = "x-amzn-bedrock-agentcore-runtime-session-id";
/// The id of a session, as MCP has it.
pub(crate) const MCP_SESSION: &str = "mcp-session-id";
/// For whom a signed caller speaks.
pub(crate) const USER: &str = "x-amzn-bedrock-agentcore-runtime-user-id";
const REQUEST: &str = "x-amzn-bedrock-agentcore-runtime-request-id";
const WORKLOAD_TOKEN: &str = "workloadaccesstoken";
const CALLBACK: &str = "oauth2callbackurl";
/// The trace, as X-Ray has it.
const AMAZON_TRACE: &str = "x-amzn-trace-id";
/// What headers begin with that callers make up themselves.
pub(crate) const CUSTOM: &str = "x-amzn-bedrock-agentcore-runtime-custom-";
/// The longest value of a header that is let through, in bytes ("Quotas": 4 KB).
const LONGEST: usize = 4_096;

/// What reaches every agent.
const ALWAYS: &[&str] = &["accept", "content-type", AMAZON_TRACE, "baggage"];
/// What reaches agents that speak MCP besides.
const OF_MCP: &[&str] = &["last-event-id", "mcp-method", "mcp-name", "mcp-protocol-version"];
/// What comes back from every agent.
const BACK: &[&str] = &[
    "baggage",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-type",
    "mcp-protocol-version",
    "traceparent",
    "tracestate",
    "x-amzn-trace-id",
];

/// What the agent is told of a request.
pub(crate) struct Told<'a> {
    pub(crate) served: &'a Served,
    pub(crate) caller: &'a Caller,
    pub(crate) session: &'a str,
    pub(crate) request_id: &'a RequestId,
    /// Where the request stands in its trace.
    pub(crate) place: Option<&'a TraceContext>,
    /// The token by which the agent asks for credentials.
    pub(crate) workload_token: Option<Secret>,
}

/// The headers with which an agent is called.
///
/// # Errors
/// When one that is let through is too long.
pub(crate) fn to_agent(from: &HeaderMap, query: &Query, told: &Told<'_>) -> Result<HeaderMap, Refusal> {
    let mut headers = HeaderMap::new();
    let is_mcp = told.served.version.speaks() == AgentProtocol::Mcp;
    for name in ALWAYS.iter().chain(OF_MCP.iter().filter(|_| is_mcp)) {
        if let Some(value) = from.get(*name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    let allowed: BTreeSet<String> =
        told.served.version.header_allowlist.iter().flatten().map(|name| name.to_ascii_lowercase()).collect();
    let lets_through = |name: &str| allowed.contains(name) || name.starts_with(CUSTOM);
    for name in from.keys().filter(|name| lets_through(name.as_str())) {
        if told.caller.shown_in.as_ref() == Some(name) {
            continue;
        }
        for value in from.get_all(name) {
            if value.len() > LONGEST {
                return Err(Refusal::invalid(format!("The header {name} is longer than {LONGEST} bytes.")));
            }
            headers.append(name.clone(), value.clone());
        }
    }
    // Browsers cannot give a WebSocket headers of its own.
    for (name, value) in query.all.iter().filter(|(name, _)| name.to_ascii_lowercase().starts_with(CUSTOM)) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
            && value.len() <= LONGEST
            && !headers.contains_key(&name)
        {
            headers.insert(name, value);
        }
    }
    say(&mut headers, SESSION, told.session);
    if is_mcp {
        say(&mut headers, MCP_SESSION, told.session);
    }
    say(&mut headers, REQUEST, told.request_id.as_str());
    if let Some(place) = told.place {
        place.write(&mut headers);
        // What the caller says of another trace is the caller's own business.
        let amazon = place.amazon_trace_id();
        let root = amazon.split(';').next().unwrap_or_default();
        let given = headers.get(AMAZON_TRACE).map(|value| value.to_str().unwrap_or_default());
        if given.is_none_or(|given| given.split(';').any(|part| part.trim() == root)) {
            say(&mut headers, AMAZON_TRACE, &amazon);
        }
    }
    if let Some(user) = &told.caller.user_id {
        say(&mut headers, USER, user);
    }
    if let Some(url) = told.served.workload.as_ref().and_then(|workload| workload.return_urls.first()) {
        say(&mut headers, CALLBACK, url);
    }
    if let Some(token) = &told.workload_token
        && let Ok(mut value) = HeaderValue::from_str(token.expose())
    {
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(WORKLOAD_TOKEN), value);
    }
    Ok(headers)
}

/// The headers that come back.
pub(crate) fn from_agent(from: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in BACK {
        if let Some(value) = from.get(*name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    headers
}

/// Says whose answer it is: the session's, where one is known.
pub(crate) fn identify<B>(
    mut response: Response<B>,
    request_id: &RequestId,
    session: Option<(&str, AgentProtocol)>,
) -> Response<B> {
    let headers = response.headers_mut();
    say(headers, "x-amzn-requestid", request_id.as_str());
    if let Some((session, protocol)) = session {
        say(headers, SESSION, session);
        if protocol == AgentProtocol::Mcp {
            say(headers, MCP_SESSION, session);
        }
    }
    response
}

fn say(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
