//! Agent runtimes: an agent behind one authorizer, its versions, and the endpoints by which callers name them.
//!
//! A version is never changed: an update makes the next one. An endpoint says which version serves; the one called
//! `DEFAULT` follows the newest. Source: "Amazon Bedrock AgentCore Runtime versioning and endpoints" in the developer guide.

use serde::{Deserialize, Serialize};

use crate::{AgentRuntimeId, AgentRuntimeStatus, Arn, Authorizer, Scope, Timestamp};

/// The name of the endpoint that follows the newest version, and that a request without a qualifier means.
pub const DEFAULT_ENDPOINT: &str = "DEFAULT";
/// The largest number of a version (API type `AgentRuntimeVersion`).
pub const LAST_VERSION: i64 = 99_999;

/// An agent runtime: what does not change between its versions, and which of them is the newest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRuntime {
    /// Its identifier.
    pub id: AgentRuntimeId,
    /// Whose it is and where.
    pub scope: Scope,
    /// The name it was given, unique in its scope.
    pub name: String,
    /// The number of its newest version, from 1.
    pub version: i64,
    /// Its workload identity.
    pub workload_identity: Option<Arn>,
    /// Where it is in its life.
    pub status: AgentRuntimeStatus,
    /// Why it failed, if it did.
    pub failure_reason: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, for optimistic concurrency.
    pub revision: i64,
}

impl AgentRuntime {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::agent_runtime(&self.scope, &self.id)
    }
}

/// One version of a runtime. Its environment may hold secrets and is kept apart, sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRuntimeVersion {
    /// Whose it is and where.
    pub scope: Scope,
    /// The runtime.
    pub runtime: AgentRuntimeId,
    /// Its number, from 1.
    pub number: i64,
    /// What people say about it.
    pub description: Option<String>,
    /// What the agent is.
    pub artifact: AgentArtifact,
    /// The role that the agent works with.
    pub role: Arn,
    /// What it speaks; absent, it was not configured, and HTTP is meant.
    pub protocol: Option<AgentProtocol>,
    /// How long its sessions live.
    pub lifecycle: SessionLife,
    /// How callers are recognised: [`Authorizer::AwsIam`] or [`Authorizer::CustomJwt`].
    pub authorizer: Authorizer,
    /// The headers of requests that reach the agent, as they were given.
    pub header_allowlist: Option<Vec<String>>,
    /// Where it is in its life: it serves when it is READY.
    pub status: AgentRuntimeStatus,
    /// When it was made.
    pub created_at: Timestamp,
}

impl AgentRuntimeVersion {
    /// What the agent speaks.
    #[must_use]
    pub fn speaks(&self) -> AgentProtocol {
        self.protocol.unwrap_or(AgentProtocol::Http)
    }
}

/// What an agent is (API type `AgentRuntimeArtifact`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentArtifact {
    /// A program that already runs, by the URL at which it listens. It is the operator's to start and to end.
    Url(String),
    /// A zip archive that is run here, one process a session.
    Code(AgentCode),
}

/// A zip archive with an agent (API type `CodeConfiguration`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCode {
    /// The bucket that it was copied from.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// The SHA-256 of the archive, in base 64.
    pub sha256: String,
    /// What runs it, such as `PYTHON_3_13` (API type `AgentManagedRuntimeType`).
    pub runtime: String,
    /// The file to run, after what wraps it where there are two.
    pub entry_point: Vec<String>,
}

/// What an agent speaks (API type `ServerProtocol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentProtocol {
    /// `POST /invocations`, `GET /ping`, and `GET /ws`.
    Http,
    /// The Model Context Protocol at `POST /mcp`.
    Mcp,
}

/// How long the sessions of an agent live, in seconds (API type `LifecycleConfiguration`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLife {
    /// Without a request: 60 to 1,209,600.
    pub idle: u32,
    /// Altogether: 60 to 1,209,600.
    pub most: u32,
}

/// Fifteen minutes without a request, eight hours altogether ("Use isolated sessions for agents").
impl Default for SessionLife {
    fn default() -> Self {
        Self { idle: 900, most: 28_800 }
    }
}

/// A name for a version of a runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRuntimeEndpoint {
    /// Its identifier: the name, a hyphen and ten characters.
    pub id: String,
    /// Whose it is and where.
    pub scope: Scope,
    /// The runtime.
    pub runtime: AgentRuntimeId,
    /// Its name, unique in its runtime.
    pub name: String,
    /// What people say about it.
    pub description: Option<String>,
    /// The version that serves; none before the first was ready.
    pub live: Option<i64>,
    /// The version that shall serve.
    pub target: i64,
    /// Where it is in its life.
    pub status: AgentRuntimeStatus,
    /// Why it failed, if it did.
    pub failure_reason: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, for optimistic concurrency.
    pub revision: i64,
}

impl AgentRuntimeEndpoint {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::agent_runtime_endpoint(&self.scope, &self.runtime, &self.name)
    }

    /// Whether it follows the newest version.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.name == DEFAULT_ENDPOINT
    }
}
