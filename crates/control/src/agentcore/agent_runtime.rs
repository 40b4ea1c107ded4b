//! Agent runtimes and their versions. A version is never changed: an update makes the next one, and the endpoint `DEFAULT`
//! follows it.

use aws_shapes::bedrock_agentcore_control::{
    AgentRuntimeOperations, CreateAgentRuntimeRequest, CreateAgentRuntimeResponse, DeleteAgentRuntimeRequest,
    DeleteAgentRuntimeResponse, GetAgentRuntimeRequest, GetAgentRuntimeResponse,
    ListAgentRuntimeVersionsRequest, ListAgentRuntimeVersionsResponse, ListAgentRuntimesRequest,
    ListAgentRuntimesResponse, UpdateAgentRuntimeRequest, UpdateAgentRuntimeResponse,
};
use domain::{
    AgentRuntime, AgentRuntimeEndpoint, AgentRuntimeId, AgentRuntimeStatus, AgentRuntimeVersion, Arn,
    DEFAULT_ENDPOINT, LAST_VERSION, Scope,
};
use store::{Page, StoreError, Tx};

use super::agent_runtime_settings::{Settings, condition_keys};
use super::agent_runtime_wire::{created, describe, summarise, updated, wire_status};
use super::tag::check_tags;
use super::{AgentCore, bad_token, conflict, linked_identity, name_taken, not_found, over_quota};
use crate::context::Context;
use crate::fault::{Failure, invalid};
use crate::idempotency::Attempt;
use crate::paging::Paging;
use crate::roles;
use crate::settle::{self, Work};

/// How many runtimes, versions and endpoints a page has when the caller does not say.
pub(super) const PAGE: usize = 100;

impl AgentRuntimeOperations<Context> for AgentCore {
    type Error = Failure;

    async fn create_agent_runtime(
        &self,
        context: &Context,
        mut input: CreateAgentRuntimeRequest,
    ) -> Result<CreateAgentRuntimeResponse, Failure> {
        let attempt = Attempt::new(input.client_token.take(), "", &input)?;
        let (name, tags) = (input.agent_runtime_name.clone(), input.tags.take());
        let settings = Settings::of_create(input)?;
        let asked_tags = tags.clone().unwrap_or_default();
        check_tags(&asked_tags)?;
        let allowed = context.authorize_with(&all(&context.scope), |conditions| {
            condition_keys(&settings, conditions).requesting_tags(&asked_tags)
        })?;
        roles::require_pass_role(context, &settings.role, roles::AGENTCORE)?;
        let artifact = settings.artifact.fetch(context).await?;
        let mut tx = allowed.begin().await?;
        if let Some(id) = attempt.made_before(context, &mut tx).await? {
            return Ok(created(&find(&mut tx, &context.scope, &AgentRuntimeId::from_text(id)).await?));
        }
        let most = context.setup().quotas.agent_runtimes;
        if tx.agent_runtimes(&context.scope, Page::ALL).await?.len() >= most {
            return Err(over_quota("agent runtimes", most));
        }
        let mut runtime = newcomer(context, &name);
        let arn = runtime.arn();
        settings.check_role(context, &mut tx, &arn).await?;
        runtime.workload_identity =
            Some(linked_identity::make(context, &mut tx, runtime.id.as_str(), &arn).await?);
        tx.insert_agent_runtime(&runtime).await.map_err(|error| match error {
            StoreError::Exists => name_taken("An agent runtime", &runtime.name),
            error => error.into(),
        })?;
        let (version, environment) = settings.into_version(context, &runtime, &artifact);
        tx.insert_agent_runtime_version(&version, &environment, artifact.archive()).await?;
        let endpoint = default_endpoint(context, &runtime);
        tx.insert_agent_runtime_endpoint(&endpoint).await?;
        if let Some(tags) = tags {
            tx.put_tags(&runtime.scope, &arn, &tags).await?;
        }
        attempt.made(context, &mut tx, runtime.id.as_str()).await?;
        allowed.commit_about(tx, &arn).await?;
        settle::begin(context.plane(), Work::AgentRuntime(runtime.scope.clone(), runtime.id.clone())).await;
        Ok(created(&runtime))
    }

    async fn get_agent_runtime(
        &self,
        context: &Context,
        input: GetAgentRuntimeRequest,
    ) -> Result<GetAgentRuntimeResponse, Failure> {
        let id = AgentRuntimeId::from_text(input.agent_runtime_id);
        let allowed = context.authorize_tagged(&Arn::agent_runtime(&context.scope, &id)).await?;
        let mut tx = allowed.read().await?;
        let runtime = find(&mut tx, &context.scope, &id).await?;
        let number = read_version(input.agent_runtime_version.as_deref())?.unwrap_or(runtime.version);
        let version = find_version(&mut tx, &runtime, number).await?;
        let environment = tx.agent_environment(&version).await?;
        Ok(describe(&runtime, &version, environment))
    }

    /// Makes the next version. What is not given is no longer configured.
    async fn update_agent_runtime(
        &self,
        context: &Context,
        mut input: UpdateAgentRuntimeRequest,
    ) -> Result<UpdateAgentRuntimeResponse, Failure> {
        let id = AgentRuntimeId::from_text(input.agent_runtime_id.clone());
        let attempt = Attempt::new(input.client_token.take(), id.as_str(), &input)?;
        let settings = Settings::of_update(input)?;
        let arn = Arn::agent_runtime(&context.scope, &id);
        let allowed = context.authorize_tagged_with(&arn, |known| condition_keys(&settings, known)).await?;
        roles::require_pass_role(context, &settings.role, roles::AGENTCORE)?;
        let artifact = settings.artifact.fetch(context).await?;
        let mut tx = allowed.begin().await?;
        let mut runtime = find(&mut tx, &context.scope, &id).await?;
        if attempt.made_before(context, &mut tx).await?.is_some() {
            return Ok(updated(&runtime));
        }
        runtime.status = runtime.status.begin_update()?;
        settings.check_role(context, &mut tx, &arn).await?;
        let most = context.setup().quotas.versions_per_agent_runtime;
        if tx.agent_runtime_versions(&context.scope, &id, Page::ALL).await?.len() >= most {
            return Err(over_quota("versions of an agent runtime", most));
        }
        if runtime.version >= LAST_VERSION {
            return Err(conflict(format!(
                "The agent runtime {id} has had {LAST_VERSION} versions, the last."
            )));
        }
        runtime.version += 1;
        runtime.updated_at = context.now;
        runtime.failure_reason = None;
        tx.update_agent_runtime(&mut runtime).await?;
        let (version, environment) = settings.into_version(context, &runtime, &artifact);
        tx.insert_agent_runtime_version(&version, &environment, artifact.archive()).await?;
        attempt.made(context, &mut tx, &runtime.version.to_string()).await?;
        allowed.commit(tx).await?;
        settle::begin(context.plane(), Work::AgentRuntime(runtime.scope.clone(), runtime.id.clone())).await;
        Ok(updated(&runtime))
    }

    /// Removes a runtime with all its versions, or one version that no endpoint names.
    async fn delete_agent_runtime(
        &self,
        context: &Context,
        input: DeleteAgentRuntimeRequest,
    ) -> Result<DeleteAgentRuntimeResponse, Failure> {
        let id = AgentRuntimeId::from_text(input.agent_runtime_id);
        let arn = Arn::agent_runtime(&context.scope, &id);
        let allowed = context.authorize_tagged(&arn).await?;
        let version = read_version(input.agent_runtime_version.as_deref())?;
        let mut tx = allowed.begin().await?;
        let runtime = find(&mut tx, &context.scope, &id).await?;
        runtime.status.begin_delete()?;
        let endpoints = tx.agent_runtime_endpoints(&context.scope, &id, Page::ALL).await?;
        match version {
            Some(number) => {
                let version = find_version(&mut tx, &runtime, number).await?;
                let names = |endpoint: &&AgentRuntimeEndpoint| {
                    endpoint.target == number || endpoint.live == Some(number)
                };
                if let Some(endpoint) = endpoints.iter().find(names) {
                    return Err(conflict(format!(
                        "The endpoint {} serves version {number} of agent runtime {id}. Point it at another version first.",
                        endpoint.name
                    )));
                }
                tx.delete_agent_runtime_version(&version).await?;
            }
            None => {
                if let Some(endpoint) = endpoints.iter().find(|endpoint| !endpoint.is_default()) {
                    return Err(conflict(format!(
                        "Agent runtime {id} has the endpoint {}. Delete its endpoints before the runtime.",
                        endpoint.name
                    )));
                }
                for endpoint in &endpoints {
                    tx.delete_all_tags(&endpoint.arn()).await?;
                    tx.delete_resource_policy(&context.scope, &endpoint.arn()).await?;
                }
                tx.delete_all_tags(&arn).await?;
                tx.delete_resource_policy(&context.scope, &arn).await?;
                linked_identity::remove(&mut tx, &runtime.scope, id.as_str(), &arn).await?;
                tx.delete_agent_runtime(&context.scope, &id).await?;
            }
        }
        allowed.commit(tx).await?;
        Ok(DeleteAgentRuntimeResponse {
            status: wire_status(AgentRuntimeStatus::Deleting),
            agent_runtime_id: Some(id.to_string()),
            agent_runtime_version: version.map(|number| number.to_string()),
        })
    }

    async fn list_agent_runtimes(
        &self,
        context: &Context,
        input: ListAgentRuntimesRequest,
    ) -> Result<ListAgentRuntimesResponse, Failure> {
        let allowed = context.authorize(&all(&context.scope))?;
        let paging =
            Paging::new(input.next_token.as_deref(), input.max_results, PAGE).ok_or_else(bad_token)?;
        let mut tx = allowed.read().await?;
        let found = tx.agent_runtimes(&context.scope, paging.page()).await?;
        let (runtimes, next_token) = paging.cut(found, |runtime| runtime.id.to_string());
        let mut agent_runtimes = Vec::with_capacity(runtimes.len());
        for runtime in &runtimes {
            let version = find_version(&mut tx, runtime, runtime.version).await?;
            agent_runtimes.push(summarise(runtime, &version));
        }
        Ok(ListAgentRuntimesResponse { agent_runtimes, next_token })
    }

    async fn list_agent_runtime_versions(
        &self,
        context: &Context,
        input: ListAgentRuntimeVersionsRequest,
    ) -> Result<ListAgentRuntimeVersionsResponse, Failure> {
        let id = AgentRuntimeId::from_text(input.agent_runtime_id);
        let allowed = context.authorize_tagged(&Arn::agent_runtime(&context.scope, &id)).await?;
        let paging =
            Paging::new(input.next_token.as_deref(), input.max_results, PAGE).ok_or_else(bad_token)?;
        let mut tx = allowed.read().await?;
        let runtime = find(&mut tx, &context.scope, &id).await?;
        let found = tx.agent_runtime_versions(&context.scope, &id, paging.page()).await?;
        let (versions, next_token) = paging.cut(found, |version| version.number.to_string());
        let agent_runtimes = versions.iter().map(|version| summarise(&runtime, version)).collect();
        Ok(ListAgentRuntimeVersionsResponse { agent_runtimes, next_token })
    }
}

/// The ARN that stands for all agent runtimes of a scope: what creating and listing are decided about.
fn all(scope: &Scope) -> Arn {
    Arn::agentcore(scope, "runtime/*")
}

fn newcomer(context: &Context, name: &str) -> AgentRuntime {
    AgentRuntime {
        id: AgentRuntimeId::mint(&*context.setup().random, name),
        scope: context.scope.clone(),
        name: name.to_owned(),
        version: 1,
        workload_identity: None,
        status: AgentRuntimeStatus::Creating,
        failure_reason: None,
        created_at: context.now,
        updated_at: context.now,
        revision: 1,
    }
}

fn default_endpoint(context: &Context, runtime: &AgentRuntime) -> AgentRuntimeEndpoint {
    AgentRuntimeEndpoint {
        id: AgentRuntimeId::mint_endpoint(&*context.setup().random, DEFAULT_ENDPOINT),
        scope: runtime.scope.clone(),
        runtime: runtime.id.clone(),
        name: DEFAULT_ENDPOINT.to_owned(),
        description: None,
        live: None,
        target: runtime.version,
        status: AgentRuntimeStatus::Creating,
        failure_reason: None,
        created_at: context.now,
        updated_at: context.now,
        revision: 1,
    }
}

/// The number of a version, if one is given.
pub(super) fn read_version(text: Option<&str>) -> Result<Option<i64>, Failure> {
    let read = |text: &str| {
        text.parse().map_err(|_| invalid("agentRuntimeVersion", "A version is a number from 1 to 99999."))
    };
    text.map(read).transpose()
}

/// The runtime of an id.
pub(super) async fn find(tx: &mut Tx, scope: &Scope, id: &AgentRuntimeId) -> Result<AgentRuntime, Failure> {
    tx.agent_runtime(scope, id).await?.ok_or_else(|| not_found("Agent runtime", id))
}

/// One version of a runtime.
pub(super) async fn find_version(
    tx: &mut Tx,
    runtime: &AgentRuntime,
    number: i64,
) -> Result<AgentRuntimeVersion, Failure> {
    let found = tx.agent_runtime_version(&runtime.scope, &runtime.id, number).await?;
    found.ok_or_else(|| not_found("Version", &format!("{number} of agent runtime {}", runtime.id)))
}
