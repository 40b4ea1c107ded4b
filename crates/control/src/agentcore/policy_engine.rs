//! Policy engines.

use aws_shapes::bedrock_agentcore_control::{
    CreatePolicyEngineRequest, CreatePolicyEngineResponse, DeletePolicyEngineRequest,
    DeletePolicyEngineResponse, GetPolicyEngineRequest, GetPolicyEngineResponse,
    GetPolicyEngineSummaryRequest, GetPolicyEngineSummaryResponse, ListPolicyEngineSummariesRequest,
    ListPolicyEngineSummariesResponse, ListPolicyEnginesRequest, ListPolicyEnginesResponse,
    PolicyEngine as WireEngine, PolicyEngineOperations, PolicyEngineStatus as WireStatus,
    PolicyEngineSummary as WireSummary, UpdatePolicyEngineRequest, UpdatePolicyEngineResponse,
};
use domain::{Arn, PolicyEngine, PolicyEngineId, PolicyStatus, Scope, Settled};
use store::{Page, StoreError, Tx};

use super::gateway_settings::read_kms_key;
use super::tag::check_tags;
use super::{AgentCore, all_engines, bad_token, conflict, name_taken, not_found, over_quota};
use crate::authorized::Authorized;
use crate::context::Context;
use crate::fault::Failure;
use crate::idempotency::Attempt;
use crate::kms;
use crate::paging::Paging;
use crate::plane::ControlPlane;
use crate::settle::{self, Work, system_event};

/// How many items a page has when the caller does not say (API reference, ListPolicyEngines).
pub(super) const PAGE: usize = 10;

impl PolicyEngineOperations<Context> for AgentCore {
    type Error = Failure;

    async fn create_policy_engine(
        &self,
        context: &Context,
        mut input: CreatePolicyEngineRequest,
    ) -> Result<CreatePolicyEngineResponse, Failure> {
        let attempt = Attempt::new(input.client_token.take(), "", &input)?;
        let tags = input.tags.take().unwrap_or_default();
        check_tags(&tags)?;
        let allowed =
            context.authorize_with(&all_engines(&context.scope), |known| known.requesting_tags(&tags))?;
        let mut tx = allowed.begin().await?;
        if let Some(id) = attempt.made_before(context, &mut tx).await? {
            return Ok(describe(&find(&mut tx, &context.scope, &PolicyEngineId::from_text(id)).await?));
        }
        let most = context.setup().quotas.policy_engines;
        if tx.policy_engines(&context.scope, Page::ALL).await?.len() >= most {
            return Err(over_quota("policy engines", most));
        }
        let kms_key = read_kms_key("encryptionKeyArn", input.encryption_key_arn)?;
        if let Some(key) = &kms_key {
            kms::usable_by_caller(&mut tx, context, key, "bedrock-agentcore").await?;
        }
        let engine = PolicyEngine {
            kms_key,
            id: PolicyEngineId::mint(&*context.setup().random, &input.name),
            scope: context.scope.clone(),
            name: input.name,
            description: input.description,
            status: PolicyStatus::Creating,
            status_reasons: Vec::new(),
            created_at: context.now,
            updated_at: context.now,
            revision: 1,
        };
        tx.insert_policy_engine(&engine).await.map_err(|error| match error {
            StoreError::Exists => name_taken("A policy engine", &engine.name),
            error => error.into(),
        })?;
        let arn = Arn::policy_engine(&engine.scope, &engine.id);
        if !tags.is_empty() {
            tx.put_tags(&engine.scope, &arn, &tags).await?;
        }
        attempt.made(context, &mut tx, engine.id.as_str()).await?;
        allowed.commit_about(tx, &arn).await?;
        settle::begin(context.plane(), Work::Engine(engine.scope.clone(), engine.id.clone())).await;
        Ok(describe(&engine))
    }

    async fn get_policy_engine(
        &self,
        context: &Context,
        input: GetPolicyEngineRequest,
    ) -> Result<GetPolicyEngineResponse, Failure> {
        Ok(describe(&read(context, input.policy_engine_id).await?))
    }

    /// Only the description can change; an empty one takes it away.
    async fn update_policy_engine(
        &self,
        context: &Context,
        input: UpdatePolicyEngineRequest,
    ) -> Result<UpdatePolicyEngineResponse, Failure> {
        let id = PolicyEngineId::from_text(input.policy_engine_id);
        let allowed = context.authorize_tagged(&Arn::policy_engine(&context.scope, &id)).await?;
        let mut tx = allowed.begin().await?;
        let mut engine = find(&mut tx, &context.scope, &id).await?;
        engine.status = engine.status.begin_update()?;
        if let Some(description) = input.description {
            engine.description = description.optional_value;
        }
        engine.updated_at = context.now;
        tx.update_policy_engine(&mut engine).await?;
        allowed.commit(tx).await?;
        settle::begin(context.plane(), Work::Engine(engine.scope.clone(), engine.id.clone())).await;
        Ok(describe(&engine))
    }

    async fn delete_policy_engine(
        &self,
        context: &Context,
        input: DeletePolicyEngineRequest,
    ) -> Result<DeletePolicyEngineResponse, Failure> {
        let id = PolicyEngineId::from_text(input.policy_engine_id);
        let arn = Arn::policy_engine(&context.scope, &id);
        let allowed = context.authorize_tagged(&arn).await?;
        let mut tx = allowed.begin().await?;
        let mut engine = find(&mut tx, &context.scope, &id).await?;
        engine.status = engine.status.begin_delete()?;
        if tx.policy_count(&context.scope, &id).await? > 0 {
            return Err(conflict(format!(
                "Policy engine {id} still has policies. Delete all policies before deleting the policy engine."
            )));
        }
        let guarded = tx.gateways_of_engine(&context.scope, &id).await?;
        if let Some(gateway) = guarded.first() {
            return Err(conflict(format!(
                "Policy engine {id} guards the gateway {}. Detach it with UpdateGateway before deleting it.",
                gateway.id
            )));
        }
        tx.delete_all_tags(&arn).await?;
        tx.delete_generations(&context.scope, &id).await?;
        tx.delete_policy_engine(&context.scope, &id).await?;
        allowed.commit(tx).await?;
        Ok(describe(&engine))
    }

    async fn list_policy_engines(
        &self,
        context: &Context,
        input: ListPolicyEnginesRequest,
    ) -> Result<ListPolicyEnginesResponse, Failure> {
        let (engines, next_token) = page_of_engines(context, input.next_token, input.max_results).await?;
        Ok(ListPolicyEnginesResponse { policy_engines: engines.iter().map(describe).collect(), next_token })
    }

    async fn get_policy_engine_summary(
        &self,
        context: &Context,
        input: GetPolicyEngineSummaryRequest,
    ) -> Result<GetPolicyEngineSummaryResponse, Failure> {
        Ok(summarise(&read(context, input.policy_engine_id).await?))
    }

    async fn list_policy_engine_summaries(
        &self,
        context: &Context,
        input: ListPolicyEngineSummariesRequest,
    ) -> Result<ListPolicyEngineSummariesResponse, Failure> {
        let (engines, next_token) = page_of_engines(context, input.next_token, input.max_results).await?;
        let policy_engines = engines.iter().map(summarise).collect();
        Ok(ListPolicyEngineSummariesResponse { policy_engines, next_token })
    }
}

/// An engine, for a caller who may see it.
async fn read(context: &Context, id: String) -> Result<PolicyEngine, Failure> {
    let id = PolicyEngineId::from_text(id);
    let allowed = context.authorize_tagged(&Arn::policy_engine(&context.scope, &id)).await?;
    find(&mut allowed.read().await?, &context.scope, &id).await
}

/// A page of engines, for a caller who may see them all.
async fn page_of_engines(
    context: &Context,
    token: Option<String>,
    size: Option<i64>,
) -> Result<(Vec<PolicyEngine>, Option<String>), Failure> {
    let allowed = context.authorize(&all_engines(&context.scope))?;
    let paging = Paging::new(token.as_deref(), size, PAGE).ok_or_else(bad_token)?;
    let found = allowed.read().await?.policy_engines(&context.scope, paging.page()).await?;
    Ok(paging.cut(found, |engine| engine.id.to_string()))
}

/// Some operations are about the engine and about a part of it, and both must be allowed.
pub(super) async fn authorize_part<'a>(
    context: &'a Context,
    engine: &PolicyEngineId,
    part: &Arn,
) -> Result<Authorized<'a>, Failure> {
    let allowed = context.authorize_tagged(&Arn::policy_engine(&context.scope, engine)).await?;
    context.authorize_tagged(part).await?;
    Ok(allowed)
}

/// A transaction for reading a part of an engine that is there.
pub(super) async fn read_part(context: &Context, engine: &PolicyEngineId, part: &Arn) -> Result<Tx, Failure> {
    let mut tx = authorize_part(context, engine, part).await?.read().await?;
    find(&mut tx, &context.scope, engine).await?;
    Ok(tx)
}

/// How every list of what an engine holds begins: the caller may see the engine, the page is one, the engine is there.
pub(super) async fn page_of_engine(
    context: &Context,
    engine: &PolicyEngineId,
    token: Option<String>,
    size: Option<i64>,
) -> Result<(Tx, Paging), Failure> {
    let allowed = context.authorize_tagged(&Arn::policy_engine(&context.scope, engine)).await?;
    let paging = Paging::new(token.as_deref(), size, PAGE).ok_or_else(bad_token)?;
    let mut tx = allowed.read().await?;
    find(&mut tx, &context.scope, engine).await?;
    Ok((tx, paging))
}

/// Nothing is left to do but to say that it is done.
pub(crate) async fn settle_engine(
    plane: &ControlPlane,
    scope: &Scope,
    id: &PolicyEngineId,
) -> Result<(), Failure> {
    let mut tx = plane.setup.store.begin().await?;
    let Some(mut engine) = tx.policy_engine(scope, id).await? else { return Ok(()) };
    if !matches!(engine.status, PolicyStatus::Creating | PolicyStatus::Updating) {
        return Ok(());
    }
    engine.status = engine.status.settle(Settled::Well)?;
    tx.update_policy_engine(&mut engine).await?;
    tx.commit(&system_event(plane, scope, "policy-engine.settle", &Arn::policy_engine(scope, id))).await?;
    Ok(())
}

/// The engine of an id.
pub(super) async fn find(tx: &mut Tx, scope: &Scope, id: &PolicyEngineId) -> Result<PolicyEngine, Failure> {
    tx.policy_engine(scope, id).await?.ok_or_else(|| not_found("Policy engine", id))
}

fn describe(engine: &PolicyEngine) -> WireEngine {
    let WireSummary {
        policy_engine_id,
        name,
        created_at,
        updated_at,
        policy_engine_arn,
        status,
        encryption_key_arn,
    } = summarise(engine);
    WireEngine {
        policy_engine_id,
        name,
        created_at,
        updated_at,
        policy_engine_arn,
        status,
        encryption_key_arn,
        description: engine.description.clone(),
        status_reasons: engine.status_reasons.clone(),
    }
}

fn summarise(engine: &PolicyEngine) -> WireSummary {
    WireSummary {
        policy_engine_id: engine.id.to_string(),
        name: engine.name.clone(),
        created_at: engine.created_at,
        updated_at: engine.updated_at,
        policy_engine_arn: Arn::policy_engine(&engine.scope, &engine.id).to_string(),
        status: match engine.status {
            PolicyStatus::Creating => WireStatus::Creating,
            PolicyStatus::Active => WireStatus::Active,
            PolicyStatus::Updating => WireStatus::Updating,
            PolicyStatus::Deleting => WireStatus::Deleting,
            PolicyStatus::CreateFailed => WireStatus::CreateFailed,
            PolicyStatus::UpdateFailed => WireStatus::UpdateFailed,
        },
        encryption_key_arn: engine.kms_key.as_ref().map(ToString::to_string),
    }
}
