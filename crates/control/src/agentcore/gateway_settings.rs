//! A gateway's settings between AWS's shapes and the domain: what is given together must make sense together.

use aws_shapes::bedrock_agentcore_control::{
    AuthorizerConfiguration, AuthorizerType, AuthorizingClaimMatchValueType, ClaimMatchOperatorType,
    ClaimMatchValueType, CreateGatewayRequest, CustomClaimValidationType, CustomJWTAuthorizerConfiguration,
    ExceptionLevel as WireLevel, GatewayPolicyEngineConfiguration, GatewayPolicyEngineMode,
    GatewayProtocolConfiguration, GatewayProtocolType, GatewayStatus as WireStatus, GatewaySummary,
    GetGatewayResponse, InboundTokenClaimValueType, MCPGatewayConfiguration, StreamingConfiguration,
    UpdateGatewayRequest,
};
use domain::{
    Arn, Authorizer, ClaimMatch, CustomClaim, ExceptionLevel, Gateway, GatewayId, GatewayStatus,
    JwtAuthorizer, McpSettings, PolicyAttachment, PolicyMode, ProtocolType, Timestamp,
};
use store::Tx;

use super::{engine_of, not_found};
use crate::context::Context;
use crate::fault::{Failure, invalid};
use crate::roles;

/// The protocol versions of MCP that gateways speak, the newest first.
pub(super) const MCP_VERSIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

/// What CreateGateway and UpdateGateway configure.
pub(super) struct Settings {
    pub(super) description: Option<String>,
    pub(super) role: Arn,
    pub(super) protocol_type: Option<ProtocolType>,
    pub(super) mcp: Option<McpSettings>,
    pub(super) authorizer: Authorizer,
    pub(super) policy: Option<PolicyAttachment>,
    pub(super) exception_level: Option<ExceptionLevel>,
}

impl Settings {
    pub(super) fn of_create(input: CreateGatewayRequest) -> Result<Self, Failure> {
        Ok(Self {
            description: input.description,
            role: read_role(&input.role_arn)?,
            protocol_type: input.protocol_type.map(|GatewayProtocolType::Mcp| ProtocolType::Mcp),
            mcp: input.protocol_configuration.map(read_protocol).transpose()?,
            authorizer: read_authorizer(input.authorizer_type, input.authorizer_configuration)?,
            policy: input.policy_engine_configuration.map(|given| read_policy(&given)).transpose()?,
            exception_level: input.exception_level.map(|WireLevel::Debug| ExceptionLevel::Debug),
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
            policy_engine_configuration: input.policy_engine_configuration,
            exception_level: input.exception_level,
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
        found.map(|_| ()).ok_or_else(|| not_found("Policy engine", &engine))
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
            interceptors: Vec::new(),
            exception_level: self.exception_level,
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
        gateway.policy = self.policy;
        gateway.exception_level = self.exception_level;
        gateway.status_reasons = Vec::new();
        gateway.updated_at = now;
    }
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
    if let Some(policy) = &settings.policy {
        conditions = conditions
            .with("bedrock-agentcore:PolicyEngineArn", policy.engine.as_str())
            .with("bedrock-agentcore:PolicyEngineMode", wire_mode(policy.mode).as_str());
    }
    conditions
}

/// A gateway as the API shows it. What is not configured is not shown: an empty optional would not survive being sent
/// back in an update.
pub(super) fn describe(gateway: &Gateway, public_url: &str) -> GetGatewayResponse {
    GetGatewayResponse {
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
        policy_engine_configuration: gateway.policy.as_ref().map(|policy| GatewayPolicyEngineConfiguration {
            arn: policy.engine.to_string(),
            mode: wire_mode(policy.mode),
        }),
        exception_level: gateway.exception_level.map(|ExceptionLevel::Debug| WireLevel::Debug),
    }
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

fn read_protocol(given: GatewayProtocolConfiguration) -> Result<McpSettings, Failure> {
    let GatewayProtocolConfiguration::Mcp(given) = given;
    for version in given.supported_versions.iter().flatten() {
        if !MCP_VERSIONS.contains(&version.as_str()) {
            return Err(invalid(
                "protocolConfiguration/mcp/supportedVersions",
                format!("Portcullis does not speak MCP {version}: it speaks {}.", MCP_VERSIONS.join(", ")),
            ));
        }
    }
    if given.supported_versions.as_ref().is_some_and(Vec::is_empty) {
        return Err(invalid(
            "protocolConfiguration/mcp/supportedVersions",
            "supportedVersions must name at least one version, or be left out.",
        ));
    }
    Ok(McpSettings {
        supported_versions: given.supported_versions,
        instructions: given.instructions,
        streaming: given.streaming_configuration.and_then(|streaming| streaming.enable_response_streaming),
        disable_list_pagination: given.disable_mcp_list_tools_pagination,
        session_seconds: None,
        search: false,
    })
}

fn wire_protocol(mcp: &McpSettings) -> GatewayProtocolConfiguration {
    GatewayProtocolConfiguration::Mcp(MCPGatewayConfiguration {
        supported_versions: mcp.supported_versions.clone(),
        instructions: mcp.instructions.clone(),
        streaming_configuration: mcp
            .streaming
            .map(|enabled| StreamingConfiguration { enable_response_streaming: Some(enabled) }),
        disable_mcp_list_tools_pagination: mcp.disable_list_pagination,
    })
}

fn read_authorizer(
    kind: AuthorizerType,
    configuration: Option<AuthorizerConfiguration>,
) -> Result<Authorizer, Failure> {
    match (kind, configuration) {
        (AuthorizerType::None, None) => Ok(Authorizer::None),
        (AuthorizerType::AwsIam, None) => Ok(Authorizer::AwsIam),
        (AuthorizerType::CustomJwt, Some(AuthorizerConfiguration::CustomJwtAuthorizer(given))) => {
            read_jwt(given).map(Authorizer::CustomJwt)
        }
        (AuthorizerType::CustomJwt, None) => Err(invalid(
            "authorizerConfiguration",
            "authorizerConfiguration is required when authorizerType is CUSTOM_JWT.",
        )),
        (_, Some(_)) => Err(invalid(
            "authorizerConfiguration",
            "authorizerConfiguration belongs to authorizerType CUSTOM_JWT: leave it out.",
        )),
    }
}

fn read_jwt(given: CustomJWTAuthorizerConfiguration) -> Result<JwtAuthorizer, Failure> {
    let configured = given.allowed_audience.is_some()
        || given.allowed_clients.is_some()
        || given.allowed_scopes.is_some()
        || given.custom_claims.is_some();
    if !configured {
        return Err(invalid(
            "authorizerConfiguration/customJWTAuthorizer",
            "At least one of allowedAudience, allowedClients, allowedScopes and customClaims must be configured.",
        ));
    }
    let scheme_holds =
        given.discovery_url.starts_with("https://") || given.discovery_url.starts_with("http://");
    if !scheme_holds {
        return Err(invalid(
            "authorizerConfiguration/customJWTAuthorizer/discoveryUrl",
            "The discovery URL must begin with https:// (http:// is accepted for this machine only).",
        ));
    }
    let custom_claims = given.custom_claims.unwrap_or_default();
    Ok(JwtAuthorizer {
        discovery_url: given.discovery_url,
        allowed_audience: given.allowed_audience.unwrap_or_default(),
        allowed_clients: given.allowed_clients.unwrap_or_default(),
        allowed_scopes: given.allowed_scopes.unwrap_or_default(),
        advertised_scopes: given.advertised_scope_mapping.unwrap_or_default(),
        custom_claims: custom_claims.into_iter().map(read_claim).collect::<Result<_, _>>()?,
    })
}

fn read_claim(given: CustomClaimValidationType) -> Result<CustomClaim, Failure> {
    use ClaimMatchOperatorType::{Contains, ContainsAny, Equals};
    use InboundTokenClaimValueType::{String as Text, StringArray};
    let AuthorizingClaimMatchValueType { claim_match_value: value, claim_match_operator: operator } =
        given.authorizing_claim_match_value;
    let matches = match (given.inbound_token_claim_value_type, operator, value) {
        (Text, Equals, ClaimMatchValueType::MatchValueString(value)) => ClaimMatch::Equals(value),
        (StringArray, Contains, ClaimMatchValueType::MatchValueString(value)) => ClaimMatch::Contains(value),
        (StringArray, ContainsAny, ClaimMatchValueType::MatchValueStringList(values)) => {
            ClaimMatch::ContainsAny(values)
        }
        _ => {
            return Err(invalid(
                "authorizerConfiguration/customJWTAuthorizer/customClaims",
                format!(
                    "The rule for the claim {} does not fit its type: a STRING is compared by EQUALS with matchValueString, \
                     a STRING_ARRAY by CONTAINS with matchValueString or by CONTAINS_ANY with matchValueStringList.",
                    given.inbound_token_claim_name
                ),
            ));
        }
    };
    Ok(CustomClaim { name: given.inbound_token_claim_name, matches })
}

fn wire_authorizer(jwt: &JwtAuthorizer) -> AuthorizerConfiguration {
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    AuthorizerConfiguration::CustomJwtAuthorizer(CustomJWTAuthorizerConfiguration {
        discovery_url: jwt.discovery_url.clone(),
        allowed_audience: some(&jwt.allowed_audience),
        allowed_clients: some(&jwt.allowed_clients),
        allowed_scopes: some(&jwt.allowed_scopes),
        advertised_scope_mapping: (!jwt.advertised_scopes.is_empty()).then(|| jwt.advertised_scopes.clone()),
        custom_claims: (!jwt.custom_claims.is_empty())
            .then(|| jwt.custom_claims.iter().map(wire_claim).collect()),
    })
}

fn wire_claim(claim: &CustomClaim) -> CustomClaimValidationType {
    let (kind, operator, value) = match &claim.matches {
        ClaimMatch::Equals(value) => (
            InboundTokenClaimValueType::String,
            ClaimMatchOperatorType::Equals,
            ClaimMatchValueType::MatchValueString(value.clone()),
        ),
        ClaimMatch::Contains(value) => (
            InboundTokenClaimValueType::StringArray,
            ClaimMatchOperatorType::Contains,
            ClaimMatchValueType::MatchValueString(value.clone()),
        ),
        ClaimMatch::ContainsAny(values) => (
            InboundTokenClaimValueType::StringArray,
            ClaimMatchOperatorType::ContainsAny,
            ClaimMatchValueType::MatchValueStringList(values.clone()),
        ),
    };
    CustomClaimValidationType {
        inbound_token_claim_name: claim.name.clone(),
        inbound_token_claim_value_type: kind,
        authorizing_claim_match_value: AuthorizingClaimMatchValueType {
            claim_match_value: value,
            claim_match_operator: operator,
        },
    }
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

fn wire_authorizer_type(authorizer: &Authorizer) -> AuthorizerType {
    match authorizer {
        Authorizer::None => AuthorizerType::None,
        Authorizer::AwsIam => AuthorizerType::AwsIam,
        Authorizer::CustomJwt(_) => AuthorizerType::CustomJwt,
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
