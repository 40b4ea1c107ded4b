//! Gateway targets: what stands behind a gateway, and the tools it offers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Arn, GatewayId, Outbound, Propagation, Scope, TargetId, TargetStatus, Timestamp};

/// A JSON document kept exactly as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(pub String);

/// A gateway target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its identifier.
    pub id: TargetId,
    /// The gateway it belongs to.
    pub gateway: GatewayId,
    /// Whose it is and where.
    pub scope: Scope,
    /// Its name, unique in its gateway: the first part of its tools' names.
    pub name: String,
    /// What people say about it.
    pub description: Option<String>,
    /// `targetConfiguration` as it was given, which is what the API echoes.
    pub configuration: Document,
    /// `credentialProviderConfigurations` as they were given.
    pub credentials: Document,
    /// What a call goes to.
    pub upstream: Upstream,
    /// How the gateway makes itself known to it.
    #[serde(default)]
    pub outbound: Outbound,
    /// `metadataConfiguration` as it was given.
    #[serde(default)]
    pub metadata: Option<Document>,
    /// What passes through to it and back.
    #[serde(default)]
    pub propagation: Propagation,
    /// The tools it offers, by their own names.
    pub tools: Vec<Tool>,
    /// Prompts, resources and templates of an MCP server.
    #[serde(default)]
    pub offers: Offers,
    /// What the server lists now, where that differs from what is approved and waits for approval.
    #[serde(default)]
    pub held: Option<Held>,
    /// Where it is in its life.
    pub status: TargetStatus,
    /// Why it is there, when that needs saying.
    pub status_reasons: Vec<String>,
    /// When its tools were last read from the upstream, for upstreams that list them.
    pub last_synchronized_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, for optimistic concurrency.
    pub revision: i64,
}

/// What a target's calls go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Upstream {
    /// A function, invoked with the gateway's role.
    Lambda {
        /// The function's ARN, with a version or alias where one was given.
        function: Arn,
    },
    /// An MCP server that speaks streamable HTTP.
    Mcp(McpServer),
    /// A REST API by its OpenAPI document; each tool carries its own plan.
    OpenApi,
    /// A service by its Smithy model; each tool carries its own plan.
    Smithy {
        /// The name that calls are signed for.
        signing_name: String,
    },
    /// A stage of a REST API of API Gateway; each tool carries its own plan.
    ApiGateway {
        /// The API.
        rest_api: String,
        /// The stage.
        stage: String,
    },
    /// An HTTP service that the gateway stands in front of, under `/{target}/…`.
    Http(HttpService),
}

/// An MCP server (API type `McpServerTargetConfiguration`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct McpServer {
    /// Its endpoint.
    pub endpoint: String,
    /// When its lists are read.
    #[serde(default)]
    pub listing: Listing,
    /// Which of several servers gives a resource that more than one has: the lowest; 0 to 1,000.
    #[serde(default = "lowest_priority")]
    pub resource_priority: u16,
    /// Whether its tools are those of the configuration, and the server is never asked for them.
    #[serde(default)]
    pub static_tools: bool,
}

/// The priority of resources where none was given.
fn lowest_priority() -> u16 {
    1_000
}

/// When an MCP server's lists are read (API type `ListingMode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Listing {
    /// When the target is made, changed or synchronised.
    #[default]
    Default,
    /// Whenever a client asks for them.
    Dynamic,
}

/// An HTTP service (API type `HttpTargetConfiguration`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpService {
    /// An agent runtime.
    Runtime {
        /// Its ARN.
        runtime: Arn,
        /// Its endpoint; absent, `DEFAULT`.
        qualifier: Option<String>,
    },
    /// Any other service.
    Passthrough {
        /// Its base URL.
        endpoint: String,
        /// What it speaks, in the API's word: `MCP`, `A2A`, `INFERENCE` or `CUSTOM`.
        protocol: String,
        /// Parameters that every call's query gets.
        static_query: BTreeMap<String, String>,
        /// Whether a parameter of the caller's wins over a static one of the same name.
        caller_overrides: bool,
    },
}

/// A tool, as MCP's `tools/list` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name in its target, without the target's prefix.
    pub name: String,
    /// Its definition as JSON: an object with `description`, `inputSchema` and whatever else the upstream
    /// said, without `name`.
    pub definition: Document,
    /// Its input schema alone, as JSON.
    pub input_schema: Document,
    /// How it is called, where the upstream is a REST API: the plan that the import made of its operation.
    #[serde(default)]
    pub plan: Option<Document>,
}

/// What an MCP server offers besides tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offers {
    /// Its prompts: name and definition, without the name.
    pub prompts: Vec<Offer>,
    /// Its resources: URI and definition.
    pub resources: Vec<Offer>,
    /// Its resource templates: URI template and definition.
    pub templates: Vec<Offer>,
    /// Whether it completes arguments.
    pub completions: bool,
    /// Whether it sends log messages.
    pub logging: bool,
}

/// A prompt, a resource or a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The name of a prompt, the URI of a resource, the template of a template.
    pub name: String,
    /// Its definition as JSON: for prompts without the `name`, for the others whole.
    pub definition: Document,
}

/// Definitions that wait for approval: what a server lists now, while what it listed before stays in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The tools as they are listed now.
    pub tools: Vec<Tool>,
    /// When they were read.
    pub since: Timestamp,
}

/// The input schema of what takes no input: a request to an HTTP target, as policies see it.
pub const NO_INPUT: &str = "{\"type\":\"object\",\"properties\":{}}";

/// What stands between a target's name and a tool's: three underscores ("Gateway tool naming").
const SEPARATOR: &str = "___";

/// The name that clients see: `{target}___{tool}`.
#[must_use]
pub fn tool_name(target: &str, tool: &str) -> String {
    format!("{target}{SEPARATOR}{tool}")
}

/// The target's name and the tool's own, out of the name that clients see.
#[must_use]
pub fn split_tool_name(name: &str) -> Option<(&str, &str)> {
    name.split_once(SEPARATOR)
}
