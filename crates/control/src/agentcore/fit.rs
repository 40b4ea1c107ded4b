//! What a gateway and its targets must agree about, whichever of the two is changed.

use domain::{
    Authorizer, Gateway, HttpService, Listing, McpServer, OAuthGrant, OAuthOutbound, Outbound, Propagation,
    Upstream,
};

use crate::fault::{Failure, invalid};

/// Holds a target against its gateway.
///
/// # Errors
/// AWS's ValidationException about the first thing that does not fit.
pub(super) fn check(
    gateway: &Gateway,
    target: &str,
    upstream: &Upstream,
    outbound: &Outbound,
    propagation: &Propagation,
) -> Result<(), Failure> {
    let mcp = gateway.mcp.as_ref();
    if matches!(upstream, Upstream::Http(HttpService::Runtime { .. } | HttpService::Passthrough { .. }))
        && gateway.protocol_type.is_some()
    {
        return Err(invalid(
            "targetConfiguration/http",
            format!(
                "The target {target} is an HTTP target, and a gateway whose protocolType is MCP has none: leave \
                 protocolType out of the gateway."
            ),
        ));
    }
    let dynamic = matches!(upstream, Upstream::Mcp(McpServer { listing: Listing::Dynamic, .. }));
    if dynamic && mcp.is_some_and(|mcp| mcp.search) {
        return Err(invalid(
            "targetConfiguration/mcp/mcpServer/listingMode",
            format!(
                "The target {target} has the listing mode DYNAMIC, which does not go with the searchType SEMANTIC of \
                 the gateway: what is listed anew for every client cannot be searched."
            ),
        ));
    }
    if mcp.is_some_and(|mcp| mcp.session_seconds.is_some()) && passes_session_id(propagation) {
        return Err(invalid(
            "metadataConfiguration",
            format!(
                "The target {target} passes the header Mcp-Session-Id through, and the gateway has sessions of its \
                 own: take the header out, or sessionConfiguration."
            ),
        ));
    }
    match (outbound, &gateway.authorizer) {
        (Outbound::CallerIam(_), Authorizer::CustomJwt(_) | Authorizer::None) => Err(invalid(
            "credentialProviderConfigurations",
            format!(
                "The target {target} is called with CALLER_IAM_CREDENTIALS, which only callers of a gateway with the \
                 authorizerType AWS_IAM have; this gateway's is {}.",
                gateway.authorizer.type_name()
            ),
        )),
        (Outbound::JwtPassthrough, Authorizer::AwsIam | Authorizer::None) => Err(invalid(
            "credentialProviderConfigurations",
            format!(
                "The target {target} is called with JWT_PASSTHROUGH, and callers of a gateway with the authorizerType \
                 {} present no token: use CUSTOM_JWT.",
                gateway.authorizer.type_name()
            ),
        )),
        (
            Outbound::OAuth(OAuthOutbound { grant: OAuthGrant::AuthorizationCode, .. }),
            Authorizer::AwsIam | Authorizer::None,
        ) => Err(invalid(
            "credentialProviderConfigurations",
            format!(
                "The target {target} is called with AUTHORIZATION_CODE, and callers of a gateway with the \
                 authorizerType {} are nobody who could consent: use CUSTOM_JWT.",
                gateway.authorizer.type_name()
            ),
        )),
        (
            Outbound::OAuth(OAuthOutbound { grant: OAuthGrant::TokenExchange, .. }),
            Authorizer::AwsIam | Authorizer::None,
        ) => Err(invalid(
            "credentialProviderConfigurations",
            format!(
                "The target {target} is called with TOKEN_EXCHANGE, and callers of a gateway with the authorizerType {} \
                 present no token that could be exchanged: use CUSTOM_JWT.",
                gateway.authorizer.type_name()
            ),
        )),
        _ => Ok(()),
    }
}

fn passes_session_id(propagation: &Propagation) -> bool {
    let headers = propagation.request_headers.iter().chain(&propagation.response_headers);
    headers.into_iter().any(|name| name == "mcp-session-id")
}
