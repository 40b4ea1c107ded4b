//! A target as the API shows it. What was configured is shown as it was given.

use aws_shapes::bedrock_agentcore_control::{
    CredentialProviderConfiguration, GetGatewayTargetResponse, ListingMode, TargetConfiguration,
    TargetProtocolType, TargetStatus as WireStatus, TargetSummary, TargetType,
};
use domain::{Arn, HttpService, Listing, Target, TargetStatus, Upstream};

use super::read_document;
use crate::fault::Failure;

/// A target as GetGatewayTarget shows it.
pub(super) fn describe(target: &Target) -> Result<GetGatewayTargetResponse, Failure> {
    let configuration: TargetConfiguration = read_document(&target.configuration)?;
    let credentials: Vec<CredentialProviderConfiguration> = read_document(&target.credentials)?;
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
        metadata_configuration: target.metadata.as_ref().map(read_document).transpose()?,
        protocol_type: Some(match target.upstream {
            Upstream::Http(_) => TargetProtocolType::Http,
            _ => TargetProtocolType::Mcp,
        }),
    })
}

/// A target as lists show it.
pub(super) fn summarise(target: &Target) -> TargetSummary {
    let (listing_mode, resource_priority) = match &target.upstream {
        Upstream::Mcp(server) => {
            let mode = match server.listing {
                Listing::Default => ListingMode::Default,
                Listing::Dynamic => ListingMode::Dynamic,
            };
            (Some(mode), Some(i64::from(server.resource_priority)))
        }
        _ => (None, None),
    };
    TargetSummary {
        target_id: target.id.to_string(),
        name: target.name.clone(),
        status: wire_status(target.status),
        description: target.description.clone(),
        created_at: target.created_at,
        updated_at: target.updated_at,
        resource_priority,
        last_synchronized_at: target.last_synchronized_at,
        target_type: Some(target_type(&target.upstream)),
        listing_mode,
    }
}

fn target_type(upstream: &Upstream) -> TargetType {
    match upstream {
        Upstream::Lambda { .. } => TargetType::Lambda,
        Upstream::Mcp(_) => TargetType::McpServer,
        Upstream::OpenApi => TargetType::OpenApiSchema,
        Upstream::Smithy { .. } => TargetType::SmithyModel,
        Upstream::ApiGateway { .. } => TargetType::ApiGateway,
        Upstream::Http(HttpService::Runtime { .. }) => TargetType::AgentcoreRuntime,
        Upstream::Http(HttpService::Passthrough { .. }) => TargetType::Passthrough,
    }
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
