//! Policies.

use aws_shapes::bedrock_agentcore_control::{
    CedarPolicy, CreatePolicyRequest, CreatePolicyResponse, DeletePolicyRequest, DeletePolicyResponse,
    GetPolicyRequest, GetPolicyResponse, GetPolicySummaryRequest, GetPolicySummaryResponse,
    ListPoliciesRequest, ListPoliciesResponse, ListPolicySummariesRequest, ListPolicySummariesResponse,
    PolicyDefinition, PolicyOperations, UpdatePolicyRequest, UpdatePolicyResponse,
};
use domain::{Arn, Policy, PolicyEnforcement, PolicyEngineId, PolicyId, PolicyStatus, Scope, Settled};
use store::{Page, StoreError, Tx};

use super::policy_engine::{authorize_part, find as find_engine, page_of_engine, read_part};
use super::policy_settle::settle_later;
use super::policy_wire::{describe, read_enforcement, read_validation, summarise};
use super::{AgentCore, generation, name_taken, not_found, over_quota, policy_permission};
use crate::context::Context;
use crate::fault::Failure;
use crate::idempotency::Attempt;

impl PolicyOperations<Context> for AgentCore {
    type Error = Failure;

    /// The name is taken at once; whether the statement is good is found out afterwards, and a statement that is not
    /// leaves a policy in CREATE_FAILED with the reasons, as on AWS.
    async fn create_policy(
        &self,
        context: &Context,
        mut input: CreatePolicyRequest,
    ) -> Result<CreatePolicyResponse, Failure> {
        let attempt = Attempt::new(input.client_token.take(), &input.policy_engine_id, &input)?;
        let engine = PolicyEngineId::from_text(input.policy_engine_id);
        let allowed = context.authorize_tagged(&Arn::policy_engine(&context.scope, &engine)).await?;
        let mut tx = allowed.begin().await?;
        if let Some(id) = attempt.made_before(context, &mut tx).await? {
            return Ok(describe(&find(&mut tx, &context.scope, &engine, &PolicyId::from_text(id)).await?));
        }
        find_engine(&mut tx, &context.scope, &engine).await?;
        let statement = read_definition(context, &mut tx, &engine, input.definition).await?;
        policy_permission::require_scope(context, &mut tx, &statement).await?;
        let most = context.setup().quotas.policies_per_engine;
        if tx.policy_count(&context.scope, &engine).await? >= most {
            return Err(over_quota("policies per policy engine", most));
        }
        let enforcement = input.enforcement_mode.map_or(PolicyEnforcement::Active, read_enforcement);
        let mut policy = Policy {
            id: PolicyId::mint(&*context.setup().random, &input.name),
            engine,
            scope: context.scope.clone(),
            name: input.name,
            description: input.description,
            gateway: policy::named_gateways(&statement).pop(),
            statement,
            in_force: None,
            validation: read_validation(input.validation_mode),
            enforcement,
            asked_enforcement: enforcement,
            status: PolicyStatus::Creating,
            status_reasons: Vec::new(),
            created_at: context.now,
            updated_at: context.now,
            revision: 1,
        };
        keep_within_quotas(context, &mut tx, &policy).await?;
        bar(context, &mut tx, &mut policy).await?;
        tx.insert_policy(&policy).await.map_err(|error| match error {
            StoreError::Exists => name_taken("A policy", &policy.name),
            error => error.into(),
        })?;
        attempt.made(context, &mut tx, policy.id.as_str()).await?;
        allowed.commit_about(tx, &arn(&policy)).await?;
        settle_later(context, &policy).await;
        Ok(describe(&policy))
    }

    async fn get_policy(
        &self,
        context: &Context,
        input: GetPolicyRequest,
    ) -> Result<GetPolicyResponse, Failure> {
        let engine = PolicyEngineId::from_text(input.policy_engine_id);
        let id = PolicyId::from_text(input.policy_id);
        let mut tx = read_part(context, &engine, &Arn::policy(&context.scope, &engine, &id)).await?;
        Ok(describe(&find(&mut tx, &context.scope, &engine, &id).await?))
    }

    /// The former statement stays in force until the new one is found good.
    async fn update_policy(
        &self,
        context: &Context,
        input: UpdatePolicyRequest,
    ) -> Result<UpdatePolicyResponse, Failure> {
        let engine = PolicyEngineId::from_text(input.policy_engine_id);
        let id = PolicyId::from_text(input.policy_id);
        let part = Arn::policy(&context.scope, &engine, &id);
        let allowed = authorize_part(context, &engine, &part).await?;
        let mut tx = allowed.begin().await?;
        find_engine(&mut tx, &context.scope, &engine).await?;
        let mut policy = find(&mut tx, &context.scope, &engine, &id).await?;
        policy_permission::require_scope_of(context, &mut tx, &policy).await?;
        policy.status = match policy.status {
            // A policy that never was in force is tried again as a creation.
            PolicyStatus::CreateFailed => PolicyStatus::Creating,
            status => status.begin_update()?,
        };
        if let Some(definition) = input.definition {
            policy.statement = read_definition(context, &mut tx, &engine, definition).await?;
            policy_permission::require_scope(context, &mut tx, &policy.statement).await?;
            policy.gateway = policy::named_gateways(&policy.statement).pop();
            keep_within_quotas(context, &mut tx, &policy).await?;
        }
        if let Some(description) = input.description {
            policy.description = description.optional_value;
        }
        policy.validation = read_validation(input.validation_mode);
        if let Some(asked) = input.enforcement_mode {
            policy.asked_enforcement = read_enforcement(asked);
        }
        policy.status_reasons = Vec::new();
        policy.updated_at = context.now;
        bar(context, &mut tx, &mut policy).await?;
        tx.update_policy(&mut policy).await?;
        allowed.commit_about(tx, &arn(&policy)).await?;
        settle_later(context, &policy).await;
        Ok(describe(&policy))
    }

    async fn delete_policy(
        &self,
        context: &Context,
        input: DeletePolicyRequest,
    ) -> Result<DeletePolicyResponse, Failure> {
        let engine = PolicyEngineId::from_text(input.policy_engine_id);
        let id = PolicyId::from_text(input.policy_id);
        let part = Arn::policy(&context.scope, &engine, &id);
        let allowed = authorize_part(context, &engine, &part).await?;
        let mut tx = allowed.begin().await?;
        find_engine(&mut tx, &context.scope, &engine).await?;
        let mut policy = find(&mut tx, &context.scope, &engine, &id).await?;
        policy_permission::require_scope_of(context, &mut tx, &policy).await?;
        policy.status = policy.status.begin_delete()?;
        tx.delete_policy(&context.scope, &engine, &policy.id).await?;
        allowed.commit_about(tx, &arn(&policy)).await?;
        Ok(describe(&policy))
    }

    async fn list_policies(
        &self,
        context: &Context,
        input: ListPoliciesRequest,
    ) -> Result<ListPoliciesResponse, Failure> {
        let engine = PolicyEngineId::from_text(input.policy_engine_id);
        let (mut tx, paging) = page_of_engine(context, &engine, input.next_token, input.max_results).await?;
        let found = match &input.target_resource_scope {
            None => tx.policies(&context.scope, &engine, paging.page()).await?,
            Some(resource) => naming(&mut tx, &context.scope, &engine, paging.page(), resource).await?,
        };
        let (policies, next_token) = paging.cut(found, |policy| policy.id.to_string());
        Ok(ListPoliciesResponse { policies: policies.iter().map(describe).collect(), next_token })
    }

    /// What may be known without the KMS key that the statement is sealed under.
    async fn get_policy_summary(
        &self,
        context: &Context,
        input: GetPolicySummaryRequest,
    ) -> Result<GetPolicySummaryResponse, Failure> {
        let engine = PolicyEngineId::from_text(input.policy_engine_id);
        let id = PolicyId::from_text(input.policy_id);
        let mut tx = read_part(context, &engine, &Arn::policy(&context.scope, &engine, &id)).await?;
        let found = tx.policy_summary(&context.scope, &engine, &id).await?;
        Ok(summarise(&found.ok_or_else(|| not_found("Policy", &id))?))
    }

    /// As above; which gateway a policy names is in its statement, so that `targetResourceScope` needs the key.
    async fn list_policy_summaries(
        &self,
        context: &Context,
        input: ListPolicySummariesRequest,
    ) -> Result<ListPolicySummariesResponse, Failure> {
        let engine = PolicyEngineId::from_text(input.policy_engine_id);
        let (mut tx, paging) = page_of_engine(context, &engine, input.next_token, input.max_results).await?;
        let found = match &input.target_resource_scope {
            None => tx.policy_summaries(&context.scope, &engine, paging.page()).await?,
            Some(resource) => {
                let about = naming(&mut tx, &context.scope, &engine, paging.page(), resource).await?;
                about.iter().map(Policy::summary).collect()
            }
        };
        let (policies, next_token) = paging.cut(found, |policy| policy.id.to_string());
        Ok(ListPolicySummariesResponse { policies: policies.iter().map(summarise).collect(), next_token })
    }
}

async fn find(tx: &mut Tx, scope: &Scope, engine: &PolicyEngineId, id: &PolicyId) -> Result<Policy, Failure> {
    tx.policy(scope, engine, id).await?.ok_or_else(|| not_found("Policy", id))
}

fn arn(policy: &Policy) -> Arn {
    Arn::policy(&policy.scope, &policy.engine, &policy.id)
}

/// A statement that was written, or one that a generation of this engine made.
async fn read_definition(
    context: &Context,
    tx: &mut Tx,
    engine: &PolicyEngineId,
    definition: PolicyDefinition,
) -> Result<String, Failure> {
    match definition {
        PolicyDefinition::Cedar(CedarPolicy { statement }) => Ok(statement),
        PolicyDefinition::PolicyGeneration(made) => generation::statement_of(context, tx, engine, made).await,
    }
}

/// The policies of a page that name a gateway with `resource ==`.
async fn naming(
    tx: &mut Tx,
    scope: &Scope,
    engine: &PolicyEngineId,
    page: Page<'_>,
    resource: &str,
) -> Result<Vec<Policy>, Failure> {
    let all = tx.policies(scope, engine, Page { limit: i64::MAX, ..page }).await?;
    let about = |it: &Policy| policy::named_gateways(&it.statement).iter().any(|named| named == resource);
    let most = usize::try_from(page.limit).unwrap_or(usize::MAX);
    Ok(all.into_iter().filter(about).take(most).collect())
}

/// What a statement, and all of one gateway together, may measure.
async fn keep_within_quotas(context: &Context, tx: &mut Tx, policy: &Policy) -> Result<(), Failure> {
    let quotas = &context.setup().quotas;
    let own = policy.statement.len();
    if own > quotas.policy_bytes {
        return Err(over_quota("bytes per policy", quotas.policy_bytes));
    }
    let gateway = policy.gateway.as_deref().unwrap_or_default();
    let others = tx.policy_bytes(&policy.scope, &policy.engine, gateway, &policy.id).await?;
    if others.saturating_add(own) > quotas.policy_bytes_per_resource {
        return Err(over_quota("bytes of policies per resource", quotas.policy_bytes_per_resource));
    }
    Ok(())
}

/// A policy that cannot be checked on behalf of its author fails at once.
async fn bar(context: &Context, tx: &mut Tx, policy: &mut Policy) -> Result<(), Failure> {
    if let Some(reason) = policy_permission::barred(context, tx, &policy.statement).await? {
        policy.status = policy.status.settle(Settled::Badly)?;
        policy.status_reasons = vec![reason];
    }
    Ok(())
}
