//! Gateways: one MCP endpoint, how its callers are recognised, and which policies guard it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Arn, Document, GatewayId, GatewayStatus, Scope, Timestamp};

/// A gateway, as the control plane made it and the data plane serves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// Its identifier.
    pub id: GatewayId,
    /// Whose it is and where.
    pub scope: Scope,
    /// The name it was given, unique in its scope.
    pub name: String,
    /// What people say about it.
    pub description: Option<String>,
    /// The role that the gateway assumes towards its targets.
    pub role: Arn,
    /// What it speaks; absent, the gateway may mix kinds of targets.
    pub protocol_type: Option<ProtocolType>,
    /// How it speaks MCP, when that was configured.
    pub mcp: Option<McpSettings>,
    /// How callers are recognised.
    pub authorizer: Authorizer,
    /// The policy engine that guards it.
    pub policy: Option<PolicyAttachment>,
    /// Functions that see and may change requests and answers; one for each point at most.
    #[serde(default)]
    pub interceptors: Vec<Interceptor>,
    /// `interceptorConfigurations` as they were given, which is what the API echoes.
    #[serde(default)]
    pub interceptors_given: Option<Document>,
    /// How much a failing tool call tells its caller.
    pub exception_level: Option<ExceptionLevel>,
    /// The KMS key that its targets are sealed under in the database; absent, they are not.
    #[serde(default)]
    pub kms_key: Option<Arn>,
    /// Its workload identity. A gateway of before there were any gets one when it is updated.
    #[serde(default)]
    pub workload_identity: Option<Arn>,
    /// Where it is in its life.
    pub status: GatewayStatus,
    /// Why it is there, when that needs saying.
    pub status_reasons: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes, for optimistic concurrency.
    pub revision: i64,
}

/// The protocol of a gateway (API type `GatewayProtocolType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProtocolType {
    /// The Model Context Protocol.
    Mcp,
}

/// How a gateway speaks MCP (API type `MCPGatewayConfiguration`). An absent member was not configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct McpSettings {
    /// The protocol versions it negotiates; absent, all that Portcullis speaks.
    pub supported_versions: Option<Vec<String>>,
    /// What `initialize` tells the client's model.
    pub instructions: Option<String>,
    /// `Some(true)` answers an MCP request that accepts it as a server-sent event stream.
    pub streaming: Option<bool>,
    /// `Some(true)` gives the whole list of tools in one page.
    pub disable_list_pagination: Option<bool>,
    /// How long a session lives, in seconds from `initialize`; absent, there are no sessions.
    #[serde(default)]
    pub session_seconds: Option<u32>,
    /// Whether a tool that searches the tools is offered.
    #[serde(default)]
    pub search: bool,
}

/// A function that sees and may change requests or answers (API type `GatewayInterceptorConfiguration`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interceptor {
    /// The function.
    pub function: Arn,
    /// Whether it sees requests.
    pub on_request: bool,
    /// Whether it sees answers.
    pub on_response: bool,
    /// Whether it is given the headers of the request.
    pub pass_headers: bool,
    /// Whether the bodies of answers are kept from it.
    pub without_response_body: bool,
}

/// How much a failing tool call tells its caller (API type `ExceptionLevel`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExceptionLevel {
    /// Everything that is known about the failure, which may include the target's own words.
    Debug,
}

/// How a gateway recognises its callers (API types `AuthorizerType` and `AuthorizerConfiguration`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Authorizer {
    /// Anyone may call.
    None,
    /// A SigV4 signature whose principal may `bedrock-agentcore:InvokeGateway`.
    AwsIam,
    /// A JSON Web Token.
    CustomJwt(JwtAuthorizer),
}

impl Authorizer {
    /// The type's name in the API.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::AwsIam => "AWS_IAM",
            Self::CustomJwt(_) => "CUSTOM_JWT",
        }
    }
}

/// What a token must be to be accepted: every list that is not empty must be met
/// (API type `CustomJWTAuthorizerConfiguration`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwtAuthorizer {
    /// Where the issuer's metadata are: `…/.well-known/openid-configuration` or its RFC 8414 sibling.
    pub discovery_url: String,
    /// `aud` must name one of these.
    pub allowed_audience: Vec<String>,
    /// `client_id` must be one of these.
    pub allowed_clients: Vec<String>,
    /// The token must carry at least one of these scopes.
    pub allowed_scopes: Vec<String>,
    /// What the challenge and the metadata call an allowed scope, where that differs.
    pub advertised_scopes: BTreeMap<String, String>,
    /// Further claims, each of which must match.
    pub custom_claims: Vec<CustomClaim>,
}

/// A rule about one claim (API type `CustomClaimValidationType`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomClaim {
    /// The claim's name.
    pub name: String,
    /// What its value must be.
    pub matches: ClaimMatch,
}

/// What a claim's value must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClaimMatch {
    /// A string equal to this one.
    Equals(String),
    /// An array of strings that contains this one.
    Contains(String),
    /// An array of strings that contains at least one of these.
    ContainsAny(Vec<String>),
}

/// A policy engine in front of a gateway (API type `GatewayPolicyEngineConfiguration`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyAttachment {
    /// The engine.
    pub engine: Arn,
    /// Whether its decisions bind.
    pub mode: PolicyMode,
}

/// Whether decisions bind (API type `GatewayPolicyEngineMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyMode {
    /// Decisions are recorded and nothing is denied.
    LogOnly,
    /// Decisions bind.
    Enforce,
}
