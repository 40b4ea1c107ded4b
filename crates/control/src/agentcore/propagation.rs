//! Which headers and query parameters pass through to a target and back ("Header propagation with Gateway" in the
//! developer guide): what is restricted there is refused here, name by name.

use std::collections::HashSet;

use aws_shapes::bedrock_agentcore_control::MetadataConfiguration;
use domain::{ApiKeyLocation, ApiKeyOutbound, Outbound, Propagation, Upstream};

use crate::fault::{Failure, invalid};

const FIELD: &str = "metadataConfiguration";

/// What begins so belongs to the gateway, except for the runtime's own.
const RESERVED: [&str; 2] = ["x-amzn-", "x-amz-"];
/// What begins so is the protocol's, which an MCP server hears from the gateway alone: sessions, methods, and
/// parameters that are headers (2026-07-28, "Schema Extension").
const PROTOCOL: &str = "mcp-";
const RUNTIME: &str = "x-amzn-bedrock-agentcore-runtime-custom-";

/// "Header restrictions" of the page, in lower case. Its names of pseudo headers (`:path`) are no names of headers
/// anyway. The last three are ours: hop-by-hop of RFC 9110, section 7.6.1, and the protocol's own.
const RESTRICTED: [&str; 99] = [
    "authorization",
    "proxy-authorization",
    "www-authenticate",
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "content-type",
    "content-length",
    "content-encoding",
    "content-language",
    "content-location",
    "content-range",
    "cache-control",
    "etag",
    "expires",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "pragma",
    "vary",
    "connection",
    "keep-alive",
    "proxy-connection",
    "upgrade",
    "host",
    "user-agent",
    "referer",
    "from",
    "range",
    "accept-ranges",
    "transfer-encoding",
    "te",
    "trailer",
    "server",
    "date",
    "location",
    "retry-after",
    "set-cookie",
    "cookie",
    "content-security-policy",
    "content-security-policy-report-only",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-expose-headers",
    "access-control-max-age",
    "access-control-request-method",
    "access-control-request-headers",
    "origin",
    "accept-ch",
    "accept-ch-lifetime",
    "dpr",
    "width",
    "viewport-width",
    "downlink",
    "ect",
    "rtt",
    "save-data",
    "clear-site-data",
    "feature-policy",
    "expect-ct",
    "public-key-pins",
    "public-key-pins-report-only",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-requested-with",
    "x-csrf-token",
    "cf-ray",
    "cf-connecting-ip",
    "x-amz-cf-id",
    "x-cache",
    "x-served-by",
    "link",
    "sec-websocket-key",
    "sec-websocket-accept",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "proxy-authenticate",
    "forwarded",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
];

/// `metadataConfiguration` as the domain knows it.
///
/// # Errors
/// AWS's ValidationException about the first name that cannot pass.
pub(super) fn read(
    given: Option<&MetadataConfiguration>,
    upstream: &Upstream,
    outbound: &Outbound,
) -> Result<Propagation, Failure> {
    let Some(given) = given else { return Ok(Propagation::default()) };
    let queries = given.allowed_query_parameters.clone().unwrap_or_default();
    let mut seen = HashSet::new();
    for name in &queries {
        if name.chars().any(|it| !it.is_ascii_graphic() || "&=#?+%".contains(it)) {
            return Err(refused(
                name,
                "may hold letters, digits, hyphens and the like, and no & = # ? + or %",
            ));
        }
        if !seen.insert(name.as_str()) {
            return Err(refused(name, "is named twice"));
        }
        if key_name(outbound, ApiKeyLocation::Query).is_some_and(|key| key == *name) {
            return Err(refused(name, "carries the API key of the target"));
        }
    }
    let request_headers = headers(given.allowed_request_headers.as_deref(), outbound)?;
    let ours = request_headers.iter().find(|name| name.starts_with(PROTOCOL));
    if let Some(name) = ours.filter(|_| matches!(upstream, Upstream::Mcp(_))) {
        return Err(refused(
            name,
            "belongs to the protocol, which the gateway speaks with an MCP server itself",
        ));
    }
    Ok(Propagation {
        request_headers,
        query_parameters: queries,
        response_headers: headers(given.allowed_response_headers.as_deref(), outbound)?,
    })
}

/// Refuses names that the tools of a REST target set by themselves.
///
/// # Errors
/// AWS's ValidationException about the first such name.
pub(super) fn check_schema(
    propagation: &Propagation,
    headers: &HashSet<String>,
    queries: &HashSet<String>,
) -> Result<(), Failure> {
    let header = propagation.request_headers.iter().find(|name| headers.contains(*name));
    let query = propagation.query_parameters.iter().find(|name| queries.contains(*name));
    header.or(query).map_or(Ok(()), |name| Err(refused(name, "is a parameter of the API's own schema")))
}

fn headers(given: Option<&[String]>, outbound: &Outbound) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for given in given.unwrap_or_default() {
        let name = given.to_ascii_lowercase();
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            return Err(refused(given, "may hold letters, digits, hyphens and underscores"));
        }
        if RESTRICTED.contains(&name.as_str()) {
            return Err(refused(given, "is restricted and cannot be propagated"));
        }
        if RESERVED.iter().any(|prefix| name.starts_with(prefix)) && !name.starts_with(RUNTIME) {
            return Err(refused(
                given,
                "begins with X-Amz- or X-Amzn-, which only X-Amzn-Bedrock-AgentCore-Runtime-Custom-… may",
            ));
        }
        if key_name(outbound, ApiKeyLocation::Header).is_some_and(|key| key.eq_ignore_ascii_case(&name)) {
            return Err(refused(given, "carries the API key of the target"));
        }
        if names.contains(&name) {
            return Err(refused(given, "is named twice"));
        }
        names.push(name);
    }
    Ok(names)
}

fn key_name(outbound: &Outbound, at: ApiKeyLocation) -> Option<&str> {
    match outbound {
        Outbound::ApiKey(ApiKeyOutbound { location, parameter, .. }) if *location == at => {
            Some(parameter.as_deref().unwrap_or(match at {
                ApiKeyLocation::Header => "authorization",
                ApiKeyLocation::Query => "api_key",
            }))
        }
        _ => None,
    }
}

fn refused(name: &str, why: &str) -> Failure {
    invalid(FIELD, format!("The name {name} {why}."))
}
