//! What CreateAgentRuntime and UpdateAgentRuntime configure, between AWS's shapes and the domain.

use std::collections::BTreeMap;

use aws_shapes::bedrock_agentcore_control::{
    AuthorizerConfiguration, CreateAgentRuntimeRequest, LifecycleConfiguration, RequestHeaderConfiguration,
    ServerProtocol, UpdateAgentRuntimeRequest,
};
use domain::{
    AgentProtocol, AgentRuntime, AgentRuntimeStatus, AgentRuntimeVersion, Arn, Authorizer, Secret,
    SessionLife,
};
use store::Tx;

use super::agent_runtime_artifact::{Fetched, Source};
use super::agent_runtime_headers::check_allowlist;
use super::gateway_authorizer::read_jwt;
use crate::context::Context;
use crate::fault::{Failure, invalid};
use crate::roles;

/// What a version is made of.
pub(super) struct Settings {
    description: Option<String>,
    pub(super) artifact: Source,
    pub(super) role: Arn,
    protocol: Option<AgentProtocol>,
    lifecycle: SessionLife,
    pub(super) authorizer: Authorizer,
    header_allowlist: Option<Vec<String>>,
    environment: BTreeMap<String, Secret>,
}

impl Settings {
    pub(super) fn of_create(input: CreateAgentRuntimeRequest) -> Result<Self, Failure> {
        let authorizer = match input.authorizer_configuration {
            None => Authorizer::AwsIam,
            Some(AuthorizerConfiguration::CustomJwtAuthorizer(given)) => {
                Authorizer::CustomJwt(read_jwt(given)?)
            }
        };
        let header_allowlist = input
            .request_header_configuration
            .map(|RequestHeaderConfiguration::RequestHeaderAllowlist(names)| names);
        check_allowlist(header_allowlist.as_deref().unwrap_or_default(), &authorizer)?;
        Ok(Self {
            description: input.description,
            artifact: Source::read(input.agent_runtime_artifact)?,
            role: Arn::parse(&input.role_arn).map_err(|error| invalid("roleArn", error.to_string()))?,
            protocol: input.protocol_configuration.map(|given| match given.server_protocol {
                ServerProtocol::Http => AgentProtocol::Http,
                ServerProtocol::Mcp => AgentProtocol::Mcp,
            }),
            lifecycle: read_lifecycle(input.lifecycle_configuration)?,
            authorizer,
            header_allowlist,
            environment: read_environment(input.environment_variables.unwrap_or_default())?,
        })
    }

    pub(super) fn of_update(input: UpdateAgentRuntimeRequest) -> Result<Self, Failure> {
        Self::of_create(CreateAgentRuntimeRequest {
            agent_runtime_name: String::new(),
            agent_runtime_artifact: input.agent_runtime_artifact,
            role_arn: input.role_arn,
            network_configuration: input.network_configuration,
            client_token: None,
            description: input.description,
            authorizer_configuration: input.authorizer_configuration,
            request_header_configuration: input.request_header_configuration,
            protocol_configuration: input.protocol_configuration,
            lifecycle_configuration: input.lifecycle_configuration,
            environment_variables: input.environment_variables,
            tags: None,
        })
    }

    /// The role must be there, and must trust the service on behalf of this runtime.
    pub(super) async fn check_role(
        &self,
        context: &Context,
        tx: &mut Tx,
        runtime: &Arn,
    ) -> Result<(), Failure> {
        let role = roles::find(tx, &context.scope.account, &self.role).await?;
        if role.is_some_and(|role| roles::trusts(&role, roles::AGENTCORE, runtime, context.now)) {
            return Ok(());
        }
        let message = format!(
            "Role validation failed for '{}'. Please verify that the role exists and its trust policy allows \
             assumption by this service",
            self.role
        );
        Err(invalid("roleArn", message))
    }

    /// The newest version of a runtime, and its environment.
    pub(super) fn into_version(
        self,
        context: &Context,
        runtime: &AgentRuntime,
        artifact: &Fetched,
    ) -> (AgentRuntimeVersion, BTreeMap<String, Secret>) {
        let version = AgentRuntimeVersion {
            scope: runtime.scope.clone(),
            runtime: runtime.id.clone(),
            number: runtime.version,
            description: self.description,
            artifact: artifact.artifact().clone(),
            role: self.role,
            protocol: self.protocol,
            lifecycle: self.lifecycle,
            authorizer: self.authorizer,
            header_allowlist: self.header_allowlist,
            status: AgentRuntimeStatus::Creating,
            created_at: context.now,
        };
        (version, self.environment)
    }
}

/// What policies may say about a runtime that is made or changed: who may call it.
pub(super) fn condition_keys(settings: &Settings, conditions: ::iam::Context) -> ::iam::Context {
    match &settings.authorizer {
        Authorizer::CustomJwt(jwt) => {
            conditions.with("bedrock-agentcore:DiscoveryUrl", jwt.discovery_url.as_str())
        }
        Authorizer::AwsIam | Authorizer::None => conditions,
    }
}

fn read_lifecycle(given: Option<LifecycleConfiguration>) -> Result<SessionLife, Failure> {
    let usual = SessionLife::default();
    let seconds = |given: Option<i64>, usual: u32| {
        given.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(usual)
    };
    let Some(given) = given else { return Ok(usual) };
    let most = seconds(given.max_lifetime, usual.most);
    let idle = seconds(given.idle_runtime_session_timeout, usual.idle.min(most));
    if idle > most {
        return Err(invalid(
            "lifecycleConfiguration",
            "idleRuntimeSessionTimeout must not be longer than maxLifetime.",
        ));
    }
    Ok(SessionLife { idle, most })
}

/// Variables that every operating system can pass on.
fn read_environment(given: BTreeMap<String, String>) -> Result<BTreeMap<String, Secret>, Failure> {
    let mut environment = BTreeMap::new();
    for (name, value) in given {
        let sound = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !sound {
            return Err(invalid(
                "environmentVariables",
                "The name of a variable is made of letters, digits and underscores, and does not begin with a digit.",
            ));
        }
        if compute::is_reserved_variable(&name) {
            return Err(invalid(
                "environmentVariables",
                format!("The variable {name} is reserved: the runtime sets it."),
            ));
        }
        if value.contains('\0') {
            return Err(invalid(
                "environmentVariables",
                format!("The value of {name} has a null character."),
            ));
        }
        environment.insert(name, Secret::new(value));
    }
    Ok(environment)
}
