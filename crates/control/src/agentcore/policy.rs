//! Policies.

use aws_shapes::bedrock_agentcore_control::{
    CedarPolicy, CreatePolicyRequest, CreatePolicyResponse, DeletePolicyRequest, DeletePolicyResponse,
    EnforcementMode, GetPolicyRequest, GetPolicyResponse, ListPoliciesRequest, ListPoliciesResponse,
    Policy as WirePolicy, PolicyDefinition, PolicyOperations, PolicyStatus as WireStatus,
    PolicyValidationMode as WireValidation, UpdatePolicyRequest, UpdatePolicyResponse,
};
use domain::{
    Arn, Policy, PolicyEnforcement, PolicyEngineId, PolicyId, PolicyStatus, PolicyValidation, Scope, Settled,
};
use store::{Page, StoreError, Tx};

use super::policy_check::{self, Refusal};
use super::policy_engine::{PAGE, find as find_engine};
use super::{AgentCore, bad_token, name_taken, not_found, over_quota};
use crate::context::Context;
use crate::fault::Failure;
use crate::idempotency::Attempt;
use crate::paging::Paging;
use crate::plane::ControlPlane;
use crate::settle::{self, Work, system_event};

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
        let allowed = context.authorize(&Arn::policy_engine(&context.scope, &engine))?;
        let mut tx = allowed.begin().await?;
        if let Some(id) = attempt.made_before(context, &mut tx).await? {
            return Ok(describe(&find(&mut tx, &context.scope, &engine, &PolicyId::from_text(id)).await?));
        }
        find_engine(&mut tx, &context.scope, &engine).await?;
        let most = context.setup().quotas.policies_per_engine;
        if tx.policies(&context.scope, &engine, Page::ALL).await?.len() >= most {
            return Err(over_quota("policies per policy engine", most));
        }
        let PolicyDefinition::Cedar(CedarPolicy { statement }) = input.definition;
        let enforcement = input.enforcement_mode.map_or(PolicyEnforcement::Active, read_enforcement);
        let policy = Policy {
            id: PolicyId::mint(&*context.setup().random, &input.name),
            engine,
            scope: context.scope.clone(),
            name: input.name,
            description: input.description,
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
        let allowed = context.authorize(&Arn::policy_engine(&context.scope, &engine))?;
        let mut tx = allowed.read().await?;
        find_engine(&mut tx, &context.scope, &engine).await?;
        Ok(describe(&find(&mut tx, &context.scope, &engine, &PolicyId::from_text(input.policy_id)).await?))
    }

    /// The former statement stays in force until the new one is found good.
    async fn update_policy(
        &self,
        context: &Context,
        input: UpdatePolicyRequest,
    ) -> Result<UpdatePolicyResponse, Failure> {
        let engine = PolicyEngineId::from_text(input.policy_engine_id);
        let allowed = context.authorize(&Arn::policy_engine(&context.scope, &engine))?;
        let mut tx = allowed.begin().await?;
        find_engine(&mut tx, &context.scope, &engine).await?;
        let mut policy =
            find(&mut tx, &context.scope, &engine, &PolicyId::from_text(input.policy_id)).await?;
        policy.status = match policy.status {
            // A policy that never was in force is tried again as a creation.
            PolicyStatus::CreateFailed => PolicyStatus::Creating,
            status => status.begin_update()?,
        };
        if let Some(PolicyDefinition::Cedar(CedarPolicy { statement })) = input.definition {
            policy.statement = statement;
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
        let allowed = context.authorize(&Arn::policy_engine(&context.scope, &engine))?;
        let mut tx = allowed.begin().await?;
        find_engine(&mut tx, &context.scope, &engine).await?;
        let mut policy =
            find(&mut tx, &context.scope, &engine, &PolicyId::from_text(input.policy_id)).await?;
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
        let allowed = context.authorize(&Arn::policy_engine(&context.scope, &engine))?;
        let paging =
            Paging::new(input.next_token.as_deref(), input.max_results, PAGE).ok_or_else(bad_token)?;
        let mut tx = allowed.read().await?;
        find_engine(&mut tx, &context.scope, &engine).await?;
        let found = match &input.target_resource_scope {
            None => tx.policies(&context.scope, &engine, paging.page()).await?,
            Some(resource) => {
                let after = paging.page();
                let all = tx.policies(&context.scope, &engine, Page { limit: i64::MAX, ..after }).await?;
                let about =
                    |it: &Policy| policy::named_gateways(&it.statement).iter().any(|named| named == resource);
                let most = usize::try_from(after.limit).unwrap_or(usize::MAX);
                all.into_iter().filter(about).take(most).collect()
            }
        };
        let (policies, next_token) = paging.cut(found, |policy| policy.id.to_string());
        Ok(ListPoliciesResponse { policies: policies.iter().map(describe).collect(), next_token })
    }
}

/// What is left to do after a policy was created or changed: find out whether its statement is good.
pub(crate) async fn settle_policy(
    plane: &ControlPlane,
    scope: &Scope,
    engine: &PolicyEngineId,
    id: &PolicyId,
) -> Result<(), Failure> {
    let store = &plane.setup.store;
    let mut tx = store.read().await?;
    let Some(read) = tx.policy(scope, engine, id).await? else { return Ok(()) };
    let found = policy_check::check(&plane.schemas, tx, &read).await;
    let mut tx = store.begin().await?;
    let Some(mut policy) = tx.policy(scope, engine, id).await? else { return Ok(()) };
    let under_way = matches!(policy.status, PolicyStatus::Creating | PolicyStatus::Updating);
    if !under_way || policy.revision != read.revision {
        return Ok(());
    }
    match found {
        Ok(()) => {
            policy.status = policy.status.settle(Settled::Well)?;
            policy.in_force = Some(policy.statement.clone());
            policy.enforcement = policy.asked_enforcement;
        }
        Err(Refusal::Unsound(reasons)) => {
            policy.status = policy.status.settle(Settled::Badly)?;
            policy.status_reasons = reasons;
        }
        Err(Refusal::Failed(failure)) => return Err(failure),
    }
    tx.update_policy(&mut policy).await?;
    tx.commit(&system_event(plane, scope, "policy.settle", &arn(&policy))).await?;
    Ok(())
}

async fn settle_later(context: &Context, policy: &Policy) {
    let work = Work::Policy(policy.scope.clone(), policy.engine.clone(), policy.id.clone());
    settle::begin(context.plane(), work).await;
}

async fn find(tx: &mut Tx, scope: &Scope, engine: &PolicyEngineId, id: &PolicyId) -> Result<Policy, Failure> {
    tx.policy(scope, engine, id).await?.ok_or_else(|| not_found("Policy", id))
}

fn arn(policy: &Policy) -> Arn {
    Arn::policy(&policy.scope, &policy.engine, &policy.id)
}

fn read_validation(given: Option<WireValidation>) -> PolicyValidation {
    match given {
        Some(WireValidation::IgnoreAllFindings) => PolicyValidation::IgnoreAllFindings,
        Some(WireValidation::FailOnAnyFindings) | None => PolicyValidation::FailOnAnyFindings,
    }
}

fn read_enforcement(given: EnforcementMode) -> PolicyEnforcement {
    match given {
        EnforcementMode::Active => PolicyEnforcement::Active,
        EnforcementMode::LogOnly => PolicyEnforcement::LogOnly,
    }
}

fn describe(policy: &Policy) -> WirePolicy {
    WirePolicy {
        policy_id: policy.id.to_string(),
        name: policy.name.clone(),
        policy_engine_id: policy.engine.to_string(),
        created_at: policy.created_at,
        updated_at: policy.updated_at,
        policy_arn: arn(policy).to_string(),
        status: match policy.status {
            PolicyStatus::Creating => WireStatus::Creating,
            PolicyStatus::Active => WireStatus::Active,
            PolicyStatus::Updating => WireStatus::Updating,
            PolicyStatus::Deleting => WireStatus::Deleting,
            PolicyStatus::CreateFailed => WireStatus::CreateFailed,
            PolicyStatus::UpdateFailed => WireStatus::UpdateFailed,
        },
        enforcement_mode: Some(match policy.asked_enforcement {
            PolicyEnforcement::Active => EnforcementMode::Active,
            PolicyEnforcement::LogOnly => EnforcementMode::LogOnly,
        }),
        definition: PolicyDefinition::Cedar(CedarPolicy { statement: policy.statement.clone() }),
        description: policy.description.clone(),
        status_reasons: policy.status_reasons.clone(),
    }
}
