//! `targetConfiguration` between AWS's shapes and the domain: what the target's calls go to, and where its tools are
//! described.

use aws_shapes::bedrock_agentcore_control::{
    ApiGatewayTargetConfiguration, ApiGatewayToolConfiguration, ApiSchemaConfiguration,
    HttpTargetConfiguration, ListingMode, McpServerTargetConfiguration, McpTargetConfiguration,
    McpToolSchemaConfiguration, PassthroughProtocolType, PassthroughTargetConfiguration,
    RuntimeTargetConfiguration, StaticQueryParameterConflictResolution, TargetConfiguration, ToolSchema,
};
use domain::{Arn, HttpService, Listing, McpServer, Tool, Upstream};

use super::schema_source::Source;
use super::tools;
use crate::fault::{Failure, invalid};

/// `resourcePriority` where none is given (API type `McpServerTargetConfiguration`).
const DEFAULT_PRIORITY: u16 = 1_000;

/// Where the tools of a target are described.
pub(super) enum Described {
    /// Here: by the request itself, by the upstream when it is asked, or not at all.
    Here(Vec<Tool>),
    /// By a list of tool definitions.
    Definitions(Source),
    /// By a list of tools as an MCP server would give it.
    McpTools(Source),
    /// By an OpenAPI document.
    OpenApi(Source),
    /// By a Smithy model.
    Smithy(Source),
    /// By the export of a stage, as far as its filters let it.
    ApiGateway(Box<ApiGatewayToolConfiguration>),
}

/// What a configuration says.
///
/// # Errors
/// AWS's ValidationException about what does not make sense.
pub(super) fn read(given: &TargetConfiguration) -> Result<(Upstream, Described), Failure> {
    match given {
        TargetConfiguration::Mcp(given) => read_mcp(given),
        TargetConfiguration::Http(HttpTargetConfiguration::AgentcoreRuntime(given)) => {
            Ok((Upstream::Http(runtime(given)?), Described::Here(Vec::new())))
        }
        TargetConfiguration::Http(HttpTargetConfiguration::Passthrough(given)) => {
            Ok((Upstream::Http(passthrough(given)?), Described::Here(Vec::new())))
        }
    }
}

fn read_mcp(given: &McpTargetConfiguration) -> Result<(Upstream, Described), Failure> {
    match given {
        McpTargetConfiguration::Lambda(lambda) => {
            let function = Arn::parse(&lambda.lambda_arn)
                .map_err(|error| invalid("targetConfiguration/mcp/lambda/lambdaArn", error.to_string()))?;
            let described = match &lambda.tool_schema {
                ToolSchema::InlinePayload(definitions) => {
                    Described::Here(tools::of_definitions(definitions)?)
                }
                ToolSchema::S3(at) => {
                    Described::Definitions(Source::s3(at, "targetConfiguration/mcp/lambda/toolSchema/s3"))
                }
            };
            Ok((Upstream::Lambda { function }, described))
        }
        McpTargetConfiguration::McpServer(server) => read_server(server),
        McpTargetConfiguration::OpenApiSchema(schema) => {
            let source = api_schema(schema, "targetConfiguration/mcp/openApiSchema");
            Ok((Upstream::OpenApi, Described::OpenApi(source)))
        }
        McpTargetConfiguration::SmithyModel(model) => {
            let source = api_schema(model, "targetConfiguration/mcp/smithyModel");
            // The model says where its service is and what its calls are signed for.
            let upstream = Upstream::Smithy { signing_name: String::new() };
            Ok((upstream, Described::Smithy(source)))
        }
        McpTargetConfiguration::ApiGateway(stage) => read_stage(stage),
    }
}

fn read_server(given: &McpServerTargetConfiguration) -> Result<(Upstream, Described), Failure> {
    let field = "targetConfiguration/mcp/mcpServer/mcpToolSchema";
    let listing = match given.listing_mode {
        Some(ListingMode::Dynamic) => Listing::Dynamic,
        Some(ListingMode::Default) | None => Listing::Default,
    };
    let described = match &given.mcp_tool_schema {
        None => Described::Here(Vec::new()),
        Some(_) if listing == Listing::Dynamic => {
            return Err(invalid(
                field,
                "mcpToolSchema fixes the tools, and the listing mode DYNAMIC asks the server for them: choose one.",
            ));
        }
        Some(McpToolSchemaConfiguration::InlinePayload(text)) => {
            Described::McpTools(Source::inline(text, field))
        }
        Some(McpToolSchemaConfiguration::S3(at)) => Described::McpTools(Source::s3(at, field)),
    };
    let priority = given.resource_priority.and_then(|it| u16::try_from(it).ok());
    let server = McpServer {
        endpoint: endpoint(&given.endpoint, "targetConfiguration/mcp/mcpServer/endpoint")?,
        listing,
        resource_priority: priority.unwrap_or(DEFAULT_PRIORITY),
        static_tools: given.mcp_tool_schema.is_some(),
    };
    Ok((Upstream::Mcp(server), described))
}

fn api_schema(given: &ApiSchemaConfiguration, field: &'static str) -> Source {
    match given {
        ApiSchemaConfiguration::InlinePayload(text) => Source::inline(text, field),
        ApiSchemaConfiguration::S3(at) => Source::s3(at, field),
    }
}

fn read_stage(given: &ApiGatewayTargetConfiguration) -> Result<(Upstream, Described), Failure> {
    let api = "targetConfiguration/mcp/apiGateway";
    let sound = |text: &str, most: usize| {
        (1..=most).contains(&text.len())
            && text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_' || it == b'-')
    };
    if !sound(&given.rest_api_id, 64) {
        return Err(invalid(&format!("{api}/restApiId"), "restApiId must be the id of a REST API."));
    }
    if !sound(&given.stage, 128) {
        return Err(invalid(
            &format!("{api}/stage"),
            "stage must be the name of a stage: letters, digits, hyphens and underscores.",
        ));
    }
    if given.api_gateway_tool_configuration.tool_filters.is_empty() {
        return Err(invalid(
            &format!("{api}/apiGatewayToolConfiguration/toolFilters"),
            "At least one filter must say which operations become tools.",
        ));
    }
    let upstream = Upstream::ApiGateway { rest_api: given.rest_api_id.clone(), stage: given.stage.clone() };
    Ok((upstream, Described::ApiGateway(Box::new(given.api_gateway_tool_configuration.clone()))))
}

fn runtime(given: &RuntimeTargetConfiguration) -> Result<HttpService, Failure> {
    let runtime = Arn::parse(&given.arn)
        .map_err(|error| invalid("targetConfiguration/http/agentcoreRuntime/arn", error.to_string()))?;
    Ok(HttpService::Runtime { runtime, qualifier: given.qualifier.clone() })
}

fn passthrough(given: &PassthroughTargetConfiguration) -> Result<HttpService, Failure> {
    let protocol = match given.protocol_type {
        PassthroughProtocolType::Mcp => "MCP",
        PassthroughProtocolType::A2A => "A2A",
        PassthroughProtocolType::Inference => "INFERENCE",
        PassthroughProtocolType::Custom => "CUSTOM",
    };
    Ok(HttpService::Passthrough {
        endpoint: endpoint(&given.endpoint, "targetConfiguration/http/passthrough/endpoint")?,
        protocol: protocol.to_owned(),
        static_query: given.static_query_parameters.clone().unwrap_or_default(),
        caller_overrides: given.static_query_parameter_conflict_resolution
            == Some(StaticQueryParameterConflictResolution::ClientOverride),
    })
}

/// A URL that calls can be made to: whole, and without a user or a fragment in it.
fn endpoint(text: &str, field: &str) -> Result<String, Failure> {
    let uri: http::Uri =
        text.parse().map_err(|_| invalid(field, format!("{text} is no URL: write it percent-encoded.")))?;
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    if authority.is_empty() || authority.contains('@') || text.contains('#') {
        return Err(invalid(
            field,
            format!("{text} must be an absolute URL without user information and without a fragment."),
        ));
    }
    Ok(text.to_owned())
}

/// Whether the upstream is asked for its tools.
pub(super) fn lists_itself(upstream: &Upstream) -> bool {
    matches!(upstream, Upstream::Mcp(McpServer { static_tools: false, .. }))
}

/// Whether two upstreams are the same place, so that what is known of the one holds for the other.
pub(super) fn same_place(one: &Upstream, other: &Upstream) -> bool {
    match (one, other) {
        (Upstream::Mcp(one), Upstream::Mcp(other)) => {
            one.endpoint == other.endpoint && one.static_tools == other.static_tools
        }
        (Upstream::OpenApi, Upstream::OpenApi) | (Upstream::Smithy { .. }, Upstream::Smithy { .. }) => true,
        _ => one == other,
    }
}

/// The kind of an upstream, as condition keys name it.
pub(super) fn kind(upstream: &Upstream) -> &'static str {
    match upstream {
        Upstream::Lambda { .. } => "lambda",
        Upstream::Mcp(_) => "mcpServer",
        Upstream::OpenApi => "openApiSchema",
        Upstream::Smithy { .. } => "smithyModel",
        Upstream::ApiGateway { .. } => "apiGateway",
        Upstream::Http(HttpService::Runtime { .. }) => "agentcoreRuntime",
        Upstream::Http(HttpService::Passthrough { .. }) => "passthrough",
    }
}
