//! Gateway targets: what stands behind a gateway, and the tools it offers.

use serde::{Deserialize, Serialize};

use crate::{Arn, GatewayId, Scope, TargetId, TargetStatus, Timestamp};

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
    /// The tools it offers, by their own names.
    pub tools: Vec<Tool>,
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
    Mcp {
        /// Its endpoint.
        endpoint: String,
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
}

/// The name that clients see: `{target}___{tool}`, with three underscores.
#[must_use]
pub fn tool_name(target: &str, tool: &str) -> String {
    format!("{target}___{tool}")
}
