//! A gateway's settings between AWS's shapes and the domain: what is given together must make sense together.

use aws_shapes::bedrock_agentcore_control::{
    CreateGatewayRequest, ExceptionLevel as WireLevel, GatewayPolicyEngineConfiguration,
    GatewayPolicyEngineMode, GatewayProtocolType, GatewayStatus as WireStatus, GatewaySummary,
    GetGatewayResponse, UpdateGatewayRequest, WorkloadIdentityDetails,
};
use domain::{
    Arn, Authorizer, Document, ExceptionLevel, Gateway, GatewayId, GatewayStatus, Interceptor, McpSettings,
    PolicyAttachment, PolicyMode, ProtocolType, Timestamp,
};
use store::Tx;

use super::gateway_authorizer::{read_authorizer, wire_authorizer, wire_authorizer_type};
use super::gateway_protocol::{read_protocol, wire_protocol};
use super::interceptors::read_interceptors;
use super::{conflict, engine_of, not_found, read_document, written};
use crate::context::Context;
use crate::fault::{Failure, invalid};
use crate::{kms, roles};

/// What CreateGateway and UpdateGateway configure.
pub(super) struct Settings {
    pub(super) description: Option<String>,
    pub(super) role: Arn,
    pub(super) protocol_type: Option<ProtocolType>,
    pub(super) mcp: Option<McpSettings>,
    pub(super) authorizer: Authorizer,
    interceptors: Vec<Interceptor>,
    interceptors_given: Option<Document>,
    pub(super) policy: Option<PolicyAttachment>,
    pub(super) exception_level: Option<ExceptionLevel>,
    pub(super) kms_key: Option<Arn>,
}

impl Settings {
    pub(super) fn of_create(input: CreateGatewayRequest) -> Result<Self, Failure> {
        let interceptors = input.interceptor_configurations.unwrap_or_default();
        Ok(Self {
            description: input.description,
            role: read_role(&input.role_arn)?,
            protocol_type: input.protocol_type.map(|GatewayProtocolType::Mcp| ProtocolType::Mcp),
            mcp: input.protocol_configuration.map(read_protocol).transpose()?,
            authorizer: read_authorizer(input.authorizer_type, input.authorizer_configuration)?,
            interceptors_given: (!interceptors.is_empty()).then(|| written(&interceptors)).transpose()?,
            interceptors: read_interceptors(interceptors)?,
            policy: input.policy_engine_configuration.map(|given| read_policy(&given)).transpose()?,
            exception_level: input.exception_level.map(|WireLevel::Debug| ExceptionLevel::Debug),
            kms_key: read_kms_key("kmsKeyArn", input.kms_key_arn)?,
        })
    }

    pub(super) fn of_update(input: UpdateGatewayRequest) -> Result<Self, Failure> {
        Self::of_create(CreateGatewayRequest {
            name: input.name,
            description: input.description,
            client_token: None,
            role_arn: input.role_arn,
            protocol_type: input.protocol_type,
            protocol_configuration: input.protocol_configuration,
            authorizer_type: input.authorizer_type,
            authorizer_configuration: input.authorizer_configuration,
            interceptor_configurations: input.interceptor_configurations,
            policy_engine_configuration: input.policy_engine_configuration,
            exception_level: input.exception_level,
            kms_key_arn: input.kms_key_arn,
            tags: None,
        })
    }

    /// What the settings name must be there, and must fit together.
    pub(super) async fn check_references(&self, context: &Context, tx: &mut Tx) -> Result<(), Failure> {
        if roles::find(tx, &context.scope.account, &self.role).await?.is_none() {
            return Err(invalid(
                "roleArn",
                format!(
                    "The role {} does not exist in this account. Create it before the gateway.",
                    self.role
                ),
            ));
        }
        if let Some(key) = &self.kms_key {
            kms::usable_by_caller(tx, context, key, "bedrock-agentcore").await?;
        }
        let Some(policy) = &self.policy else { return Ok(()) };
        if self.authorizer == Authorizer::None {
            return Err(invalid(
                "policyEngineConfiguration",
                "A policy engine cannot guard a gateway whose authorizerType is NONE: there is no caller to decide about.",
            ));
        }
        let engine = engine_of(&policy.engine, &context.scope).ok_or_else(|| {
            invalid(
                "policyEngineConfiguration/arn",
                "The policy engine must be in the gateway's account and region.",
            )
        })?;
        let found = tx.policy_engine(&context.scope, &engine).await?;
        let status = found.ok_or_else(|| not_found("Policy engine", &engine))?.status;
        if status.decides() {
            return Ok(());
        }
        Err(conflict(format!("Policy engine {engine} is {status}. Wait until it is ACTIVE.")))
    }

    pub(super) fn into_gateway(self, id: GatewayId, name: String, context: &Context) -> Gateway {
        Gateway {
            id,
            scope: context.scope.clone(),
            name,
            description: self.description,
            role: self.role,
            protocol_type: self.protocol_type,
            mcp: self.mcp,
            authorizer: self.authorizer,
            policy: self.policy,
            interceptors: self.interceptors,
            interceptors_given: self.interceptors_given,
            exception_level: self.exception_level,
            kms_key: self.kms_key,
            workload_identity: None,
            status: GatewayStatus::Creating,
            status_reasons: Vec::new(),
            created_at: context.now,
            updated_at: context.now,
            revision: 1,
        }
    }

    pub(super) fn apply(self, gateway: &mut Gateway, now: Timestamp) {
        gateway.description = self.description;
        gateway.role = self.role;
        gateway.protocol_type = self.protocol_type;
        gateway.mcp = self.mcp;
        gateway.authorizer = self.authorizer;
        gateway.interceptors = self.interceptors;
        gateway.interceptors_given = self.interceptors_given;
        gateway.policy = self.policy;
        gateway.exception_level = self.exception_level;
        gateway.kms_key = self.kms_key;
        gateway.status_reasons = Vec::new();
        gateway.updated_at = now;
    }
}

/// The ARN of a KMS key, if one is given.
pub(super) fn read_kms_key(field: &str, given: Option<String>) -> Result<Option<Arn>, Failure> {
    given.map(|arn| Arn::parse(&arn)).transpose().map_err(|error| invalid(field, error.to_string()))
}

/// The condition keys of CreateGateway and UpdateGateway ("Condition keys for gateways" in the developer guide).
pub(super) fn condition_keys(settings: &Settings, conditions: ::iam::Context) -> ::iam::Context {
    let mut conditions =
        conditions.with("bedrock-agentcore:GatewayAuthorizerType", settings.authorizer.type_name());
    if let Authorizer::CustomJwt(jwt) = &settings.authorizer {
        conditions = conditions.with("bedrock-agentcore:DiscoveryUrl", jwt.discovery_url.as_str());
    }
    if settings.protocol_type.is_some() {
        conditions = conditions.with("bedrock-agentcore:ProtocolType", "MCP");
    }
    if let Some(key) = &settings.kms_key {
        conditions = conditions.with("bedrock-agentcore:KmsKeyArn", key.as_str());
    }
    if let Some(policy) = &settings.policy {
        conditions = conditions
            .with("bedrock-agentcore:PolicyEngineArn", policy.engine.as_str())
            .with("bedrock-agentcore:PolicyEngineMode", wire_mode(policy.mode).as_str());
    }
    conditions
}

/// A gateway as the API shows it. What is not configured is not shown: an empty optional would not survive being sent
/// back in an update.
pub(super) fn describe(gateway: &Gateway, public_url: &str) -> Result<GetGatewayResponse, Failure> {
    Ok(GetGatewayResponse {
        gateway_arn: Arn::gateway(&gateway.scope, &gateway.id).to_string(),
        gateway_id: gateway.id.to_string(),
        gateway_url: Some(format!("{public_url}/gateways/{}/mcp", gateway.id)),
        created_at: gateway.created_at,
        updated_at: gateway.updated_at,
        status: wire_status(gateway.status),
        status_reasons: (!gateway.status_reasons.is_empty()).then(|| gateway.status_reasons.clone()),
        name: gateway.name.clone(),
        description: gateway.description.clone(),
        role_arn: Some(gateway.role.to_string()),
        protocol_type: gateway.protocol_type.map(|ProtocolType::Mcp| GatewayProtocolType::Mcp),
        protocol_configuration: gateway.mcp.as_ref().map(wire_protocol),
        authorizer_type: wire_authorizer_type(&gateway.authorizer),
        authorizer_configuration: match &gateway.authorizer {
            Authorizer::CustomJwt(jwt) => Some(wire_authorizer(jwt)),
            Authorizer::AwsIam | Authorizer::None => None,
        },
        interceptor_configurations: gateway.interceptors_given.as_ref().map(read_document).transpose()?,
        policy_engine_configuration: gateway.policy.as_ref().map(|policy| GatewayPolicyEngineConfiguration {
            arn: policy.engine.to_string(),
            mode: wire_mode(policy.mode),
        }),
        exception_level: gateway.exception_level.map(|ExceptionLevel::Debug| WireLevel::Debug),
        kms_key_arn: gateway.kms_key.as_ref().map(ToString::to_string),
        workload_identity_details: gateway
            .workload_identity
            .as_ref()
            .map(|arn| WorkloadIdentityDetails { workload_identity_arn: arn.to_string() }),
    })
}

/// A gateway as lists show it.
pub(super) fn summarise(gateway: &Gateway) -> GatewaySummary {
    GatewaySummary {
        gateway_id: gateway.id.to_string(),
        name: gateway.name.clone(),
        status: wire_status(gateway.status),
        description: gateway.description.clone(),
        created_at: gateway.created_at,
        updated_at: gateway.updated_at,
        authorizer_type: wire_authorizer_type(&gateway.authorizer),
        protocol_type: gateway.protocol_type.map(|ProtocolType::Mcp| GatewayProtocolType::Mcp),
    }
}

fn read_role(arn: &str) -> Result<Arn, Failure> {
    Arn::parse(arn).map_err(|error| invalid("roleArn", error.to_string()))
}

fn read_policy(given: &GatewayPolicyEngineConfiguration) -> Result<PolicyAttachment, Failure> {
    let engine = Arn::parse(&given.arn)
        .map_err(|error| invalid("policyEngineConfiguration/arn", error.to_string()))?;
    let mode = match given.mode {
        GatewayPolicyEngineMode::LogOnly => PolicyMode::LogOnly,
        GatewayPolicyEngineMode::Enforce => PolicyMode::Enforce,
    };
    Ok(PolicyAttachment { engine, mode })
}

fn wire_mode(mode: PolicyMode) -> GatewayPolicyEngineMode {
    match mode {
        PolicyMode::LogOnly => GatewayPolicyEngineMode::LogOnly,
        PolicyMode::Enforce => GatewayPolicyEngineMode::Enforce,
    }
}

fn wire_status(status: GatewayStatus) -> WireStatus {
    match status {
        GatewayStatus::Creating => WireStatus::Creating,
        GatewayStatus::Ready => WireStatus::Ready,
        GatewayStatus::Failed => WireStatus::Failed,
        GatewayStatus::Updating => WireStatus::Updating,
        GatewayStatus::UpdateUnsuccessful => WireStatus::UpdateUnsuccessful,
        GatewayStatus::Deleting => WireStatus::Deleting,
    }
}
