//! Agent runtimes as the API shows them.

use std::collections::BTreeMap;

use aws_shapes::bedrock_agentcore_control::{
    AgentManagedRuntimeType, AgentRuntime as WireRuntime, AgentRuntimeArtifact, AgentRuntimeStatus as Wire,
    Code, CodeConfiguration, ContainerConfiguration, CreateAgentRuntimeResponse, GetAgentRuntimeResponse,
    LifecycleConfiguration, NetworkConfiguration, NetworkMode, ProtocolConfiguration,
    RequestHeaderConfiguration, S3Location, ServerProtocol, UpdateAgentRuntimeResponse,
    WorkloadIdentityDetails,
};
use domain::{
    AgentArtifact, AgentProtocol, AgentRuntime, AgentRuntimeStatus, AgentRuntimeVersion, Authorizer, Secret,
};

use super::gateway_authorizer::wire_authorizer;

/// A runtime that was just made.
pub(super) fn created(runtime: &AgentRuntime) -> CreateAgentRuntimeResponse {
    CreateAgentRuntimeResponse {
        agent_runtime_arn: runtime.arn().to_string(),
        workload_identity_details: identity(runtime),
        agent_runtime_id: runtime.id.to_string(),
        agent_runtime_version: runtime.version.to_string(),
        created_at: runtime.created_at,
        status: wire_status(runtime.status),
    }
}

/// A runtime that was just changed.
pub(super) fn updated(runtime: &AgentRuntime) -> UpdateAgentRuntimeResponse {
    UpdateAgentRuntimeResponse {
        agent_runtime_arn: runtime.arn().to_string(),
        agent_runtime_id: runtime.id.to_string(),
        workload_identity_details: identity(runtime),
        agent_runtime_version: runtime.version.to_string(),
        created_at: runtime.created_at,
        last_updated_at: runtime.updated_at,
        status: wire_status(runtime.status),
    }
}

/// One version of a runtime, whole. Who may read it may read its environment, as on AWS.
pub(super) fn describe(
    runtime: &AgentRuntime,
    version: &AgentRuntimeVersion,
    environment: BTreeMap<String, Secret>,
) -> GetAgentRuntimeResponse {
    let environment: BTreeMap<_, _> =
        environment.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect();
    GetAgentRuntimeResponse {
        agent_runtime_arn: runtime.arn().to_string(),
        agent_runtime_name: runtime.name.clone(),
        agent_runtime_id: runtime.id.to_string(),
        agent_runtime_version: version.number.to_string(),
        created_at: runtime.created_at,
        last_updated_at: when(runtime, version),
        role_arn: version.role.to_string(),
        network_configuration: Some(NetworkConfiguration { network_mode: NetworkMode::Public }),
        status: wire_status(status(runtime, version)),
        lifecycle_configuration: LifecycleConfiguration {
            idle_runtime_session_timeout: Some(version.lifecycle.idle.into()),
            max_lifetime: Some(version.lifecycle.most.into()),
        },
        failure_reason: runtime.failure_reason.clone(),
        description: version.description.clone(),
        workload_identity_details: identity(runtime),
        agent_runtime_artifact: Some(wire_artifact(&version.artifact)),
        protocol_configuration: version.protocol.map(|protocol| ProtocolConfiguration {
            server_protocol: match protocol {
                AgentProtocol::Http => ServerProtocol::Http,
                AgentProtocol::Mcp => ServerProtocol::Mcp,
            },
        }),
        environment_variables: (!environment.is_empty()).then_some(environment),
        authorizer_configuration: match &version.authorizer {
            Authorizer::CustomJwt(jwt) => Some(wire_authorizer(jwt)),
            Authorizer::AwsIam | Authorizer::None => None,
        },
        request_header_configuration: version
            .header_allowlist
            .clone()
            .map(RequestHeaderConfiguration::RequestHeaderAllowlist),
    }
}

/// One version of a runtime, as lists show it.
pub(super) fn summarise(runtime: &AgentRuntime, version: &AgentRuntimeVersion) -> WireRuntime {
    WireRuntime {
        agent_runtime_arn: runtime.arn().to_string(),
        agent_runtime_id: runtime.id.to_string(),
        agent_runtime_version: version.number.to_string(),
        agent_runtime_name: runtime.name.clone(),
        // The model demands one; the name says as much as was said.
        description: version.description.clone().unwrap_or_else(|| runtime.name.clone()),
        last_updated_at: when(runtime, version),
        status: wire_status(status(runtime, version)),
    }
}

fn status(runtime: &AgentRuntime, version: &AgentRuntimeVersion) -> AgentRuntimeStatus {
    if version.number == runtime.version { runtime.status } else { version.status }
}

fn when(runtime: &AgentRuntime, version: &AgentRuntimeVersion) -> domain::Timestamp {
    if version.number == runtime.version { runtime.updated_at } else { version.created_at }
}

fn identity(runtime: &AgentRuntime) -> Option<WorkloadIdentityDetails> {
    let arn = runtime.workload_identity.as_ref()?;
    Some(WorkloadIdentityDetails { workload_identity_arn: arn.to_string() })
}

fn wire_artifact(artifact: &AgentArtifact) -> AgentRuntimeArtifact {
    match artifact {
        AgentArtifact::Url(url) => AgentRuntimeArtifact::ContainerConfiguration(ContainerConfiguration {
            container_uri: url.clone(),
        }),
        AgentArtifact::Code(code) => AgentRuntimeArtifact::CodeConfiguration(CodeConfiguration {
            code: Code::S3(S3Location { bucket: code.bucket.clone(), prefix: code.key.clone() }),
            runtime: wire_language(&code.runtime),
            entry_point: code.entry_point.clone(),
        }),
    }
}

/// A language by its name; what is kept was one of these when it came.
fn wire_language(name: &str) -> AgentManagedRuntimeType {
    use AgentManagedRuntimeType as Language;
    [Language::Python310, Language::Python311, Language::Python312, Language::Python314, Language::Node22]
        .into_iter()
        .find(|language| language.as_str() == name)
        .unwrap_or(Language::Python313)
}

/// A status as the API writes it.
pub(super) fn wire_status(status: AgentRuntimeStatus) -> Wire {
    match status {
        AgentRuntimeStatus::Creating => Wire::Creating,
        AgentRuntimeStatus::CreateFailed => Wire::CreateFailed,
        AgentRuntimeStatus::Updating => Wire::Updating,
        AgentRuntimeStatus::UpdateFailed => Wire::UpdateFailed,
        AgentRuntimeStatus::Ready => Wire::Ready,
        AgentRuntimeStatus::Deleting => Wire::Deleting,
    }
}
