//! Endpoints of agent runtimes: the names by which callers mean a version.

use aws_shapes::bedrock_agentcore_control::{
    AgentRuntimeEndpoint as WireEndpoint, AgentRuntimeEndpointOperations, AgentRuntimeEndpointStatus as Wire,
    CreateAgentRuntimeEndpointRequest, CreateAgentRuntimeEndpointResponse, DeleteAgentRuntimeEndpointRequest,
    DeleteAgentRuntimeEndpointResponse, GetAgentRuntimeEndpointRequest, GetAgentRuntimeEndpointResponse,
    ListAgentRuntimeEndpointsRequest, ListAgentRuntimeEndpointsResponse, UpdateAgentRuntimeEndpointRequest,
    UpdateAgentRuntimeEndpointResponse,
};
use domain::{AgentRuntimeEndpoint, AgentRuntimeId, AgentRuntimeStatus, Arn, DEFAULT_ENDPOINT, Scope};
use store::{Page, StoreError, Tx};

use super::agent_runtime::{PAGE, find as find_runtime, find_version, read_version};
use super::tag::check_tags;
use super::{AgentCore, bad_token, conflict, name_taken, not_found, over_quota};
use crate::context::Context;
use crate::fault::Failure;
use crate::idempotency::Attempt;
use crate::paging::Paging;
use crate::settle::{self, Work};

impl AgentRuntimeEndpointOperations<Context> for AgentCore {
    type Error = Failure;

    async fn create_agent_runtime_endpoint(
        &self,
        context: &Context,
        mut input: CreateAgentRuntimeEndpointRequest,
    ) -> Result<CreateAgentRuntimeEndpointResponse, Failure> {
        let id = AgentRuntimeId::from_text(input.agent_runtime_id.clone());
        let attempt = Attempt::new(input.client_token.take(), id.as_str(), &input)?;
        let tags = input.tags.take().unwrap_or_default();
        check_tags(&tags)?;
        let arn = Arn::agent_runtime(&context.scope, &id);
        let allowed = context.authorize_tagged_with(&arn, |known| known.requesting_tags(&tags)).await?;
        let version = read_version(input.agent_runtime_version.as_deref())?;
        let mut tx = allowed.begin().await?;
        let runtime = find_runtime(&mut tx, &context.scope, &id).await?;
        if let Some(name) = attempt.made_before(context, &mut tx).await? {
            return Ok(created(&find(&mut tx, &context.scope, &id, &name).await?));
        }
        let target = version.unwrap_or(runtime.version);
        find_version(&mut tx, &runtime, target).await?;
        let most = context.setup().quotas.endpoints_per_agent_runtime;
        if tx.agent_runtime_endpoints(&context.scope, &id, Page::ALL).await?.len() >= most {
            return Err(over_quota("endpoints of an agent runtime", most));
        }
        let endpoint = AgentRuntimeEndpoint {
            id: AgentRuntimeId::mint_endpoint(&*context.setup().random, &input.name),
            scope: context.scope.clone(),
            runtime: id,
            name: input.name,
            description: input.description,
            live: None,
            target,
            status: AgentRuntimeStatus::Creating,
            failure_reason: None,
            created_at: context.now,
            updated_at: context.now,
            revision: 1,
        };
        tx.insert_agent_runtime_endpoint(&endpoint).await.map_err(|error| match error {
            StoreError::Exists => name_taken("An endpoint", &endpoint.name),
            error => error.into(),
        })?;
        if !tags.is_empty() {
            tx.put_tags(&endpoint.scope, &endpoint.arn(), &tags).await?;
        }
        attempt.made(context, &mut tx, &endpoint.name).await?;
        allowed.commit_about(tx, &endpoint.arn()).await?;
        settle::begin(context.plane(), work(&endpoint)).await;
        Ok(created(&endpoint))
    }

    async fn get_agent_runtime_endpoint(
        &self,
        context: &Context,
        input: GetAgentRuntimeEndpointRequest,
    ) -> Result<GetAgentRuntimeEndpointResponse, Failure> {
        let id = AgentRuntimeId::from_text(input.agent_runtime_id);
        let name = input.endpoint_name;
        let allowed =
            context.authorize_tagged(&Arn::agent_runtime_endpoint(&context.scope, &id, &name)).await?;
        let endpoint = find(&mut allowed.read().await?, &context.scope, &id, &name).await?;
        Ok(describe(&endpoint))
    }

    async fn update_agent_runtime_endpoint(
        &self,
        context: &Context,
        mut input: UpdateAgentRuntimeEndpointRequest,
    ) -> Result<UpdateAgentRuntimeEndpointResponse, Failure> {
        let id = AgentRuntimeId::from_text(input.agent_runtime_id.clone());
        let name = input.endpoint_name.clone();
        let attempt = Attempt::new(input.client_token.take(), &format!("{id}/{name}"), &input)?;
        let allowed =
            context.authorize_tagged(&Arn::agent_runtime_endpoint(&context.scope, &id, &name)).await?;
        let version = read_version(input.agent_runtime_version.as_deref())?;
        let mut tx = allowed.begin().await?;
        let runtime = find_runtime(&mut tx, &context.scope, &id).await?;
        let mut endpoint = find(&mut tx, &context.scope, &id, &name).await?;
        if attempt.made_before(context, &mut tx).await?.is_some() {
            return Ok(updated(&endpoint));
        }
        endpoint.status = endpoint.status.begin_update()?;
        if let Some(number) = version {
            if endpoint.is_default() && number != runtime.version {
                return Err(conflict(
                    "The endpoint DEFAULT follows the newest version and cannot be pointed at another. Create an \
                     endpoint of your own for that.",
                ));
            }
            find_version(&mut tx, &runtime, number).await?;
            endpoint.target = number;
        }
        if input.description.is_some() {
            endpoint.description = input.description;
        }
        endpoint.updated_at = context.now;
        endpoint.failure_reason = None;
        tx.update_agent_runtime_endpoint(&mut endpoint).await?;
        attempt.made(context, &mut tx, &endpoint.name).await?;
        allowed.commit(tx).await?;
        settle::begin(context.plane(), work(&endpoint)).await;
        Ok(updated(&endpoint))
    }

    async fn delete_agent_runtime_endpoint(
        &self,
        context: &Context,
        input: DeleteAgentRuntimeEndpointRequest,
    ) -> Result<DeleteAgentRuntimeEndpointResponse, Failure> {
        let id = AgentRuntimeId::from_text(input.agent_runtime_id);
        let name = input.endpoint_name;
        let arn = Arn::agent_runtime_endpoint(&context.scope, &id, &name);
        let allowed = context.authorize_tagged(&arn).await?;
        let mut tx = allowed.begin().await?;
        let endpoint = find(&mut tx, &context.scope, &id, &name).await?;
        if endpoint.is_default() {
            return Err(conflict(format!(
                "The endpoint {DEFAULT_ENDPOINT} goes with its agent runtime and cannot be deleted by itself."
            )));
        }
        endpoint.status.begin_delete()?;
        tx.delete_all_tags(&arn).await?;
        tx.delete_resource_policy(&context.scope, &arn).await?;
        tx.delete_agent_runtime_endpoint(&endpoint).await?;
        allowed.commit(tx).await?;
        Ok(DeleteAgentRuntimeEndpointResponse {
            status: Wire::Deleting,
            agent_runtime_id: Some(id.to_string()),
            endpoint_name: Some(name),
        })
    }

    async fn list_agent_runtime_endpoints(
        &self,
        context: &Context,
        input: ListAgentRuntimeEndpointsRequest,
    ) -> Result<ListAgentRuntimeEndpointsResponse, Failure> {
        let id = AgentRuntimeId::from_text(input.agent_runtime_id);
        let allowed = context.authorize_tagged(&Arn::agent_runtime(&context.scope, &id)).await?;
        let paging =
            Paging::new(input.next_token.as_deref(), input.max_results, PAGE).ok_or_else(bad_token)?;
        let mut tx = allowed.read().await?;
        find_runtime(&mut tx, &context.scope, &id).await?;
        let found = tx.agent_runtime_endpoints(&context.scope, &id, paging.page()).await?;
        let (endpoints, next_token) = paging.cut(found, |endpoint| endpoint.name.clone());
        Ok(ListAgentRuntimeEndpointsResponse {
            runtime_endpoints: endpoints.iter().map(summarise).collect(),
            next_token,
        })
    }
}

fn work(endpoint: &AgentRuntimeEndpoint) -> Work {
    Work::AgentRuntimeEndpoint(endpoint.scope.clone(), endpoint.runtime.clone(), endpoint.name.clone())
}

/// The endpoint of a name.
pub(super) async fn find(
    tx: &mut Tx,
    scope: &Scope,
    runtime: &AgentRuntimeId,
    name: &str,
) -> Result<AgentRuntimeEndpoint, Failure> {
    let found = tx.agent_runtime_endpoint(scope, runtime, name).await?;
    found.ok_or_else(|| not_found("Endpoint", &format!("{name} of agent runtime {runtime}")))
}

fn created(endpoint: &AgentRuntimeEndpoint) -> CreateAgentRuntimeEndpointResponse {
    CreateAgentRuntimeEndpointResponse {
        target_version: endpoint.target.to_string(),
        agent_runtime_endpoint_arn: endpoint.arn().to_string(),
        agent_runtime_arn: runtime_arn(endpoint),
        agent_runtime_id: Some(endpoint.runtime.to_string()),
        endpoint_name: Some(endpoint.name.clone()),
        status: wire_status(endpoint.status),
        created_at: endpoint.created_at,
    }
}

fn updated(endpoint: &AgentRuntimeEndpoint) -> UpdateAgentRuntimeEndpointResponse {
    UpdateAgentRuntimeEndpointResponse {
        live_version: endpoint.live.map(|number| number.to_string()),
        target_version: Some(endpoint.target.to_string()),
        agent_runtime_endpoint_arn: endpoint.arn().to_string(),
        agent_runtime_arn: runtime_arn(endpoint),
        status: wire_status(endpoint.status),
        created_at: endpoint.created_at,
        last_updated_at: endpoint.updated_at,
    }
}

fn describe(endpoint: &AgentRuntimeEndpoint) -> GetAgentRuntimeEndpointResponse {
    GetAgentRuntimeEndpointResponse {
        live_version: endpoint.live.map(|number| number.to_string()),
        target_version: Some(endpoint.target.to_string()),
        agent_runtime_endpoint_arn: endpoint.arn().to_string(),
        agent_runtime_arn: runtime_arn(endpoint),
        description: endpoint.description.clone(),
        status: wire_status(endpoint.status),
        created_at: endpoint.created_at,
        last_updated_at: endpoint.updated_at,
        failure_reason: endpoint.failure_reason.clone(),
        name: endpoint.name.clone(),
        id: endpoint.id.clone(),
    }
}

fn summarise(endpoint: &AgentRuntimeEndpoint) -> WireEndpoint {
    WireEndpoint {
        name: endpoint.name.clone(),
        live_version: endpoint.live.map(|number| number.to_string()),
        target_version: Some(endpoint.target.to_string()),
        agent_runtime_endpoint_arn: endpoint.arn().to_string(),
        agent_runtime_arn: runtime_arn(endpoint),
        status: wire_status(endpoint.status),
        id: endpoint.id.clone(),
        description: endpoint.description.clone(),
        created_at: endpoint.created_at,
        last_updated_at: endpoint.updated_at,
    }
}

fn runtime_arn(endpoint: &AgentRuntimeEndpoint) -> String {
    Arn::agent_runtime(&endpoint.scope, &endpoint.runtime).to_string()
}

fn wire_status(status: AgentRuntimeStatus) -> Wire {
    match status {
        AgentRuntimeStatus::Creating => Wire::Creating,
        AgentRuntimeStatus::CreateFailed => Wire::CreateFailed,
        AgentRuntimeStatus::Updating => Wire::Updating,
        AgentRuntimeStatus::UpdateFailed => Wire::UpdateFailed,
        AgentRuntimeStatus::Ready => Wire::Ready,
        AgentRuntimeStatus::Deleting => Wire::Deleting,
    }
}
