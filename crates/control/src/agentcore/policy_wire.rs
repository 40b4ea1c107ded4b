//! Policies between AWS's shapes and the domain.

use aws_shapes::bedrock_agentcore_control::{
    CedarPolicy, EnforcementMode, Policy as WirePolicy, PolicyDefinition, PolicyStatus as WireStatus,
    PolicySummary as WireSummary, PolicyValidationMode as WireValidation,
};
use domain::{Arn, Policy, PolicyEnforcement, PolicyStatus, PolicySummary, PolicyValidation};

pub(super) fn read_validation(given: Option<WireValidation>) -> PolicyValidation {
    match given {
        Some(WireValidation::IgnoreAllFindings) => PolicyValidation::IgnoreAllFindings,
        Some(WireValidation::FailOnAnyFindings) | None => PolicyValidation::FailOnAnyFindings,
    }
}

pub(super) fn read_enforcement(given: EnforcementMode) -> PolicyEnforcement {
    match given {
        EnforcementMode::Active => PolicyEnforcement::Active,
        EnforcementMode::LogOnly => PolicyEnforcement::LogOnly,
    }
}

pub(super) fn describe(policy: &Policy) -> WirePolicy {
    let WireSummary { policy_id, name, policy_engine_id, created_at, updated_at, policy_arn, status, .. } =
        summarise(&policy.summary());
    WirePolicy {
        policy_id,
        name,
        policy_engine_id,
        created_at,
        updated_at,
        policy_arn,
        status,
        enforcement_mode: Some(wire_enforcement(policy.asked_enforcement)),
        definition: PolicyDefinition::Cedar(CedarPolicy { statement: policy.statement.clone() }),
        description: policy.description.clone(),
        status_reasons: policy.status_reasons.clone(),
    }
}

pub(super) fn summarise(policy: &PolicySummary) -> WireSummary {
    WireSummary {
        policy_id: policy.id.to_string(),
        name: policy.name.clone(),
        policy_engine_id: policy.engine.to_string(),
        created_at: policy.created_at,
        updated_at: policy.updated_at,
        policy_arn: Arn::policy(&policy.scope, &policy.engine, &policy.id).to_string(),
        status: match policy.status {
            PolicyStatus::Creating => WireStatus::Creating,
            PolicyStatus::Active => WireStatus::Active,
            PolicyStatus::Updating => WireStatus::Updating,
            PolicyStatus::Deleting => WireStatus::Deleting,
            PolicyStatus::CreateFailed => WireStatus::CreateFailed,
            PolicyStatus::UpdateFailed => WireStatus::UpdateFailed,
        },
        enforcement_mode: Some(wire_enforcement(policy.enforcement)),
    }
}

fn wire_enforcement(enforcement: PolicyEnforcement) -> EnforcementMode {
    match enforcement {
        PolicyEnforcement::Active => EnforcementMode::Active,
        PolicyEnforcement::LogOnly => EnforcementMode::LogOnly,
    }
}
