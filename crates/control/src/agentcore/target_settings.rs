//! A target's settings between AWS's shapes and the domain. What the API echoes is kept as it was given.

use aws_shapes::bedrock_agentcore_control::{
    CreateGatewayTargetRequest, CredentialProviderConfiguration, GetGatewayTargetResponse, ListingMode,
    McpTargetConfiguration, TargetConfiguration, TargetProtocolType, TargetStatus as WireStatus,
    TargetSummary, TargetType, ToolSchema, UpdateGatewayTargetRequest,
};
use domain::{
    Arn, Document, GatewayId, Listing, McpServer, Offers, Outbound, Propagation, Target, TargetId,
    TargetStatus, Timestamp, Tool, Upstream, tool_name,
};
use serde::Serialize;

use super::target::kind;
use super::tools;
use crate::context::Context;
use crate::fault::{Failure, invalid};

/// The longest name of a tool with its target's prefix ("Quotas" of the gateway).
const MAX_TOOL_NAME: usize = 256;

/// `resourcePriority` where none is given.
const DEFAULT_PRIORITY: u16 = 1_000;

/// What CreateGatewayTarget and UpdateGatewayTarget configure.
pub(super) struct Settings {
    description: Option<String>,
    configuration: Document,
    credentials: Document,
    pub(super) upstream: Upstream,
    tools: Vec<Tool>,
}

impl Settings {
    pub(super) fn of_create(input: CreateGatewayTargetRequest) -> Result<Self, Failure> {
        let credentials = input.credential_provider_configurations.unwrap_or_default();
        let configuration = written(&input.target_configuration)?;
        let TargetConfiguration::Mcp(given) = input.target_configuration;
        let (upstream, tools) = match given {
            McpTargetConfiguration::Lambda(lambda) => {
                if credentials.is_empty() {
                    return Err(invalid(
                        "credentialProviderConfigurations",
                        "A lambda target needs the credential provider GATEWAY_IAM_ROLE.",
                    ));
                }
                let function = Arn::parse(&lambda.lambda_arn).map_err(|error| {
                    invalid("targetConfiguration/mcp/lambda/lambdaArn", error.to_string())
                })?;
                let ToolSchema::InlinePayload(definitions) = lambda.tool_schema;
                (Upstream::Lambda { function }, tools::of_definitions(&definitions)?)
            }
            McpTargetConfiguration::McpServer(server) => {
                if !credentials.is_empty() {
                    return Err(invalid(
                        "credentialProviderConfigurations",
                        "Credentials for MCP servers are not supported by Portcullis yet: leave credentialProviderConfigurations out.",
                    ));
                }
                let server = McpServer {
                    endpoint: server.endpoint,
                    listing: Listing::Default,
                    resource_priority: DEFAULT_PRIORITY,
                    static_tools: false,
                };
                (Upstream::Mcp(server), Vec::new())
            }
        };
        let credentials = written(&credentials)?;
        Ok(Self { description: input.description, configuration, credentials, upstream, tools })
    }

    pub(super) fn of_update(input: UpdateGatewayTargetRequest) -> Result<Self, Failure> {
        Self::of_create(CreateGatewayTargetRequest {
            gateway_identifier: input.gateway_identifier,
            name: None,
            description: input.description,
            client_token: None,
            target_configuration: input.target_configuration,
            credential_provider_configurations: input.credential_provider_configurations,
        })
    }

    /// What can only be checked with the target's name and the quotas.
    pub(super) fn check(&self, context: &Context, name: &str) -> Result<(), Failure> {
        let most = context.setup().quotas.tools_per_target;
        if self.tools.len() > most {
            return Err(super::over_quota("tools per target", most));
        }
        let too_long = self.tools.iter().find(|tool| tool_name(name, &tool.name).len() > MAX_TOOL_NAME);
        match too_long {
            Some(tool) => Err(invalid(
                "targetConfiguration/mcp/lambda/toolSchema",
                format!(
                    "The tool {} would be called {}, which is longer than {MAX_TOOL_NAME} characters.",
                    tool.name,
                    tool_name(name, &tool.name)
                ),
            )),
            None => Ok(()),
        }
    }

    pub(super) fn into_target(
        self,
        id: TargetId,
        gateway: GatewayId,
        name: String,
        context: &Context,
    ) -> Target {
        Target {
            id,
            gateway,
            scope: context.scope.clone(),
            name,
            description: self.description,
            configuration: self.configuration,
            credentials: self.credentials,
            upstream: self.upstream,
            outbound: Outbound::None,
            metadata: None,
            propagation: Propagation::default(),
            tools: self.tools,
            offers: Offers::default(),
            held: None,
            status: TargetStatus::Creating,
            status_reasons: Vec::new(),
            last_synchronized_at: None,
            created_at: context.now,
            updated_at: context.now,
            revision: 1,
        }
    }

    /// The tools of an upstream that lists them itself stay those that are known until they are read again.
    pub(super) fn apply(self, target: &mut Target, name: String, now: Timestamp) {
        let same_upstream = target.upstream == self.upstream;
        target.name = name;
        target.description = self.description;
        target.configuration = self.configuration;
        target.credentials = self.credentials;
        if !(same_upstream && matches!(self.upstream, Upstream::Mcp(_))) {
            target.tools = self.tools;
        }
        target.upstream = self.upstream;
        target.status_reasons = Vec::new();
        target.updated_at = now;
    }
}

/// The condition keys of CreateGatewayTarget and UpdateGatewayTarget.
pub(super) fn condition_keys(settings: &Settings, conditions: ::iam::Context) -> ::iam::Context {
    let conditions =
        conditions.with("bedrock-agentcore:McpTargetConfigurationType", kind(&settings.upstream));
    match settings.upstream {
        Upstream::Lambda { .. } => {
            conditions.with("bedrock-agentcore:CredentialProviderType", "GATEWAY_IAM_ROLE")
        }
        _ => conditions,
    }
}

/// A target as the API shows it.
pub(super) fn describe(target: &Target) -> Result<GetGatewayTargetResponse, Failure> {
    let configuration: TargetConfiguration = read(&target.configuration)?;
    let credentials: Vec<CredentialProviderConfiguration> = read(&target.credentials)?;
    Ok(GetGatewayTargetResponse {
        gateway_arn: Arn::gateway(&target.scope, &target.gateway).to_string(),
        target_id: target.id.to_string(),
        created_at: target.created_at,
        updated_at: target.updated_at,
        status: wire_status(target.status),
        status_reasons: (!target.status_reasons.is_empty()).then(|| target.status_reasons.clone()),
        name: target.name.clone(),
        description: target.description.clone(),
        target_configuration: configuration,
        credential_provider_configurations: credentials,
        last_synchronized_at: target.last_synchronized_at,
        protocol_type: Some(TargetProtocolType::Mcp),
    })
}

/// A target as lists show it.
pub(super) fn summarise(target: &Target) -> TargetSummary {
    let (target_type, listing_mode) = match target.upstream {
        Upstream::Lambda { .. } => (TargetType::Lambda, None),
        _ => (TargetType::McpServer, Some(ListingMode::Default)),
    };
    TargetSummary {
        target_id: target.id.to_string(),
        name: target.name.clone(),
        status: wire_status(target.status),
        description: target.description.clone(),
        created_at: target.created_at,
        updated_at: target.updated_at,
        last_synchronized_at: target.last_synchronized_at,
        target_type: Some(target_type),
        listing_mode,
    }
}

fn written<T: Serialize>(value: &T) -> Result<Document, Failure> {
    serde_json::to_string(value).map(Document).map_err(|error| Failure::internal(&error))
}

fn read<T: serde::de::DeserializeOwned>(document: &Document) -> Result<T, Failure> {
    serde_json::from_str(&document.0).map_err(|error| Failure::internal(&error))
}

fn wire_status(status: TargetStatus) -> WireStatus {
    match status {
        TargetStatus::Creating => WireStatus::Creating,
        TargetStatus::Ready => WireStatus::Ready,
        TargetStatus::Failed => WireStatus::Failed,
        TargetStatus::Updating => WireStatus::Updating,
        TargetStatus::UpdateUnsuccessful => WireStatus::UpdateUnsuccessful,
        TargetStatus::Synchronizing => WireStatus::Synchronizing,
        TargetStatus::SynchronizeUnsuccessful => WireStatus::SynchronizeUnsuccessful,
        TargetStatus::Deleting => WireStatus::Deleting,
    }
}
