//! How a gateway speaks MCP, between AWS's shapes and the domain.

use aws_shapes::bedrock_agentcore_control::{
    GatewayProtocolConfiguration, MCPGatewayConfiguration, SearchType, SessionConfiguration,
    StreamingConfiguration,
};
use domain::McpSettings;

use crate::fault::{Failure, invalid};

/// The protocol versions of MCP that gateways speak, the newest first.
const MCP_VERSIONS: [&str; 4] = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"];

/// How long a session lives where nothing else is said, in seconds ("MCP sessions" in the developer guide).
const SESSION_SECONDS: u32 = 3_600;

/// `protocolConfiguration` as the domain knows it.
pub(super) fn read_protocol(given: GatewayProtocolConfiguration) -> Result<McpSettings, Failure> {
    let GatewayProtocolConfiguration::Mcp(given) = given;
    let versions = "protocolConfiguration/mcp/supportedVersions";
    for version in given.supported_versions.iter().flatten() {
        if !MCP_VERSIONS.contains(&version.as_str()) {
            return Err(invalid(
                versions,
                format!("Portcullis does not speak MCP {version}: it speaks {}.", MCP_VERSIONS.join(", ")),
            ));
        }
    }
    if given.supported_versions.as_ref().is_some_and(Vec::is_empty) {
        return Err(invalid(versions, "supportedVersions must name at least one version, or be left out."));
    }
    let session_seconds = given.session_configuration.map(|session| {
        session.session_timeout_in_seconds.and_then(|it| u32::try_from(it).ok()).unwrap_or(SESSION_SECONDS)
    });
    Ok(McpSettings {
        supported_versions: given.supported_versions,
        instructions: given.instructions,
        streaming: given.streaming_configuration.and_then(|streaming| streaming.enable_response_streaming),
        disable_list_pagination: given.disable_mcp_list_tools_pagination,
        session_seconds,
        search: given.search_type == Some(SearchType::Semantic),
    })
}

/// The settings as the API shows them.
pub(super) fn wire_protocol(mcp: &McpSettings) -> GatewayProtocolConfiguration {
    GatewayProtocolConfiguration::Mcp(MCPGatewayConfiguration {
        supported_versions: mcp.supported_versions.clone(),
        instructions: mcp.instructions.clone(),
        search_type: mcp.search.then_some(SearchType::Semantic),
        session_configuration: mcp
            .session_seconds
            .map(|seconds| SessionConfiguration { session_timeout_in_seconds: Some(i64::from(seconds)) }),
        streaming_configuration: mcp
            .streaming
            .map(|enabled| StreamingConfiguration { enable_response_streaming: Some(enabled) }),
        disable_mcp_list_tools_pagination: mcp.disable_list_pagination,
    })
}
