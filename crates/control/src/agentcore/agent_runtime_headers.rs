//! Which headers of a request may be let through to an agent.
//!
//! Source: "Pass custom headers to Amazon Bedrock AgentCore Runtime" in the developer guide: any name but the restricted
//! ones, those of signing (`x-amz-`) and the service's own (`x-amzn-`); `Authorization` only where it holds a token that
//! was verified here.

use domain::Authorizer;

use crate::fault::{Failure, invalid};

const FIELD: &str = "requestHeaderConfiguration/requestHeaderAllowlist";
/// What the names of headers begin with that callers may make up themselves.
const CUSTOM: &str = "x-amzn-bedrock-agentcore-runtime-custom-";

/// Headers that no agent is shown, or that are shown to every agent in another way: lower case, in the guide's groups.
const RESTRICTED: &[&str] = &[
    // Authentication.
    "proxy-authorization",
    "www-authenticate",
    // Content.
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
    // Caching.
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
    // Connections.
    "connection",
    "keep-alive",
    "proxy-connection",
    "upgrade",
    "transfer-encoding",
    "te",
    "trailer",
    // The request and its parts.
    "host",
    "user-agent",
    "referer",
    "from",
    "range",
    "accept-ranges",
    // Servers.
    "server",
    "date",
    "location",
    "retry-after",
    // Cookies.
    "set-cookie",
    "cookie",
    // Browsers' security.
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
    // Client hints.
    "accept-ch",
    "accept-ch-lifetime",
    "dpr",
    "width",
    "viewport-width",
    "downlink",
    "ect",
    "rtt",
    "save-data",
    // Proposed and withdrawn.
    "clear-site-data",
    "feature-policy",
    "expect-ct",
    "public-key-pins",
    "public-key-pins-report-only",
    // Proxies and what they are believed.
    "via",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-requested-with",
    "x-csrf-token",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-originating-ip",
    "x-source-ip",
    "x-original-url",
    "x-original-host",
    "x-rewrite-url",
    "cf-ray",
    "cf-connecting-ip",
    "x-cache",
    "x-served-by",
    "link",
    // WebSocket.
    "sec-websocket-key",
    "sec-websocket-accept",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    // What the service itself tells the agent.
    "workloadaccesstoken",
    "oauth2callbackurl",
    "traceparent",
    "tracestate",
    "baggage",
    "mcp-session-id",
];

/// Holds an allow-list against the rules.
///
/// # Errors
/// AWS's ValidationException, which names the header.
pub(super) fn check_allowlist(names: &[String], authorizer: &Authorizer) -> Result<(), Failure> {
    let mut seen = Vec::with_capacity(names.len());
    for name in names {
        let lower = name.to_ascii_lowercase();
        let refused = |why: &str| Err(invalid(FIELD, format!("The header {name} {why}.")));
        let is_reserved = (lower.starts_with("x-amz-") || lower.starts_with("x-amzn-"))
            && !(lower.starts_with(CUSTOM) && lower.len() > CUSTOM.len());
        if is_reserved {
            return refused("is the service's own, and cannot be let through to an agent");
        }
        if RESTRICTED.contains(&lower.as_str()) {
            return refused("is restricted, and cannot be let through to an agent");
        }
        if lower == "authorization" && !matches!(authorizer, Authorizer::CustomJwt(_)) {
            return refused(
                "can be let through to an agent only with a customJWTAuthorizer: a signature is nothing for agents",
            );
        }
        if seen.contains(&lower) {
            return refused("is listed twice: case makes no difference");
        }
        seen.push(lower);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::JwtAuthorizer;

    use super::*;

    fn check(names: &[&str], authorizer: &Authorizer) -> Result<(), Failure> {
        check_allowlist(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>(), authorizer)
    }

    #[test]
    fn what_may_pass_passes() {
        let jwt = Authorizer::CustomJwt(JwtAuthorizer::default());
        assert!(check(&["Authorization", "X-Tenant"], &jwt).is_ok());
        assert!(check(&["X-Amzn-Bedrock-AgentCore-Runtime-Custom-Team"], &Authorizer::AwsIam).is_ok());
    }

    #[test]
    fn what_must_not_pass_is_refused_in_every_spelling() {
        let jwt = Authorizer::CustomJwt(JwtAuthorizer::default());
        for name in [
            "Cookie",
            "COOKIE",
            "x-amz-security-token",
            "X-Amzn-Trace-Id",
            "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id",
            "X-Amzn-Bedrock-AgentCore-Runtime-Custom-",
            "X-Amz-Bedrock-AgentCore-Identity-WAT",
            "WorkloadAccessToken",
            "Host",
            "X-Forwarded-For",
            "Transfer-Encoding",
        ] {
            assert!(check(&[name], &jwt).is_err(), "{name}");
        }
        assert!(check(&["Authorization"], &Authorizer::AwsIam).is_err());
        assert!(check(&["X-Tenant", "x-tenant"], &jwt).is_err());
    }
}
