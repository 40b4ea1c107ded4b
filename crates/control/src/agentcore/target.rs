//! Gateway targets.

use aws_shapes::bedrock_agentcore_control::{
    CreateGatewayTargetRequest, CreateGatewayTargetResponse, DeleteGatewayTargetRequest,
    DeleteGatewayTargetResponse, GatewayTargetOperations, GetGatewayTargetRequest, GetGatewayTargetResponse,
    ListGatewayTargetsRequest, ListGatewayTargetsResponse, SynchronizeGatewayTargetsRequest,
    SynchronizeGatewayTargetsResponse, TargetStatus as WireStatus, UpdateGatewayTargetRequest,
    UpdateGatewayTargetResponse,
};
use domain::{Arn, GatewayId, Listing, McpServer, Scope, Target, TargetId, Upstream};
use store::{Page, StoreError, Tx};

use super::gateway::find as find_gateway;
use super::policy_impact::Impact;
use super::target_settings::Settings;
use super::target_upstream::lists_itself;
use super::target_wire::{describe, summarise};
use super::{AgentCore, PAGE, bad_token, linked_identity, name_taken, not_found, over_quota, policy_impact};
use crate::context::Context;
use crate::fault::{Failure, invalid};
use crate::idempotency::Attempt;
use crate::paging::Paging;
use crate::settle::{self, Work};

impl GatewayTargetOperations<Context> for AgentCore {
    type Error = Failure;

    async fn create_gateway_target(
        &self,
        context: &Context,
        mut input: CreateGatewayTargetRequest,
    ) -> Result<CreateGatewayTargetResponse, Failure> {
        let attempt = Attempt::new(input.client_token.take(), &input.gateway_identifier, &input)?;
        let gateway = GatewayId::from_text(input.gateway_identifier.clone());
        let arn = Arn::gateway(&context.scope, &gateway);
        let id = TargetId::mint(&*context.setup().random);
        // The model lets the name be left out; a target then is called by its id.
        let name = input.name.take().unwrap_or_else(|| id.to_string());
        let settings = Settings::of_create(input)?;
        let allowed =
            context.authorize_tagged_with(&arn, |conditions| settings.condition_keys(conditions)).await?;
        let mut tx = allowed.read().await?;
        let owner = find_gateway(&mut tx, &context.scope, &gateway).await?;
        settings.check(&mut tx, &owner, &name).await?;
        drop(tx);
        let settings = settings.complete(context, &name).await?;
        let mut tx = allowed.begin().await?;
        if let Some(made) = attempt.made_before(context, &mut tx).await? {
            return describe(&find(&mut tx, &context.scope, &gateway, &TargetId::from_text(made)).await?);
        }
        // Documents were read meanwhile, and the gateway may have been changed.
        let owner = find_gateway(&mut tx, &context.scope, &gateway).await?;
        settings.check(&mut tx, &owner, &name).await?;
        let most = context.setup().quotas.targets_per_gateway;
        if tx.targets(&context.scope, &gateway, Page::ALL).await?.len() >= most {
            return Err(over_quota("targets per gateway", most));
        }
        let mut target = settings.into_target(id, gateway, name, context);
        let impact = policy_impact::of_change(&mut tx, &owner, None, Some(&target)).await?;
        impact.refusal()?;
        target.status_reasons.extend(impact.reasons());
        linked_identity::register(context, &mut tx, &target).await?;
        tx.insert_target(&target).await.map_err(|error| taken(error, &target.name))?;
        attempt.made(context, &mut tx, target.id.as_str()).await?;
        let about = Arn::target(&target.scope, &target.gateway, &target.id);
        allowed.commit_noting(tx, &about, impact.note()).await?;
        settle_later(context, &target).await;
        describe(&target)
    }

    async fn get_gateway_target(
        &self,
        context: &Context,
        input: GetGatewayTargetRequest,
    ) -> Result<GetGatewayTargetResponse, Failure> {
        let gateway = GatewayId::from_text(input.gateway_identifier);
        let allowed = context.authorize_tagged(&Arn::gateway(&context.scope, &gateway)).await?;
        let mut tx = allowed.read().await?;
        find_gateway(&mut tx, &context.scope, &gateway).await?;
        describe(&find(&mut tx, &context.scope, &gateway, &TargetId::from_text(input.target_id)).await?)
    }

    /// A full replacement: what is not given is no longer configured.
    async fn update_gateway_target(
        &self,
        context: &Context,
        mut input: UpdateGatewayTargetRequest,
    ) -> Result<UpdateGatewayTargetResponse, Failure> {
        let gateway = GatewayId::from_text(input.gateway_identifier.clone());
        let id = TargetId::from_text(input.target_id.clone());
        let name = input.name.take();
        let settings = Settings::of_update(input)?;
        let arn = Arn::gateway(&context.scope, &gateway);
        let allowed = context.authorize_tagged_with(&arn, |known| settings.condition_keys(known));
        let allowed = allowed.await?;
        let mut tx = allowed.read().await?;
        let owner = find_gateway(&mut tx, &context.scope, &gateway).await?;
        let target = find(&mut tx, &context.scope, &gateway, &id).await?;
        let name = name.unwrap_or_else(|| target.name.clone());
        settings.check(&mut tx, &owner, &name).await?;
        drop(tx);
        let settings = settings.complete(context, &name).await?;
        let mut tx = allowed.begin().await?;
        let owner = find_gateway(&mut tx, &context.scope, &gateway).await?;
        let mut target = find(&mut tx, &context.scope, &gateway, &id).await?;
        settings.check(&mut tx, &owner, &name).await?;
        target.status = target.status.begin_update()?;
        let before = target.clone();
        settings.apply(&mut target, name, context.now, context.setup().pins);
        let impact = policy_impact::of_change(&mut tx, &owner, Some(&before), Some(&target)).await?;
        // What lists its tools itself has yet to say what they are.
        let note = if lists_itself(&target.upstream) { None } else { impact.note() };
        if note.is_some() {
            impact.refusal()?;
            target.status_reasons.extend(impact.reasons());
        }
        let approval = policy_impact::of_approval(&mut tx, &owner, &target).await?;
        target.status_reasons.extend(approval.warnings());
        linked_identity::register(context, &mut tx, &target).await?;
        let called = target.name.clone();
        tx.update_target(&mut target).await.map_err(|error| taken(error, &called))?;
        let about = Arn::target(&target.scope, &target.gateway, &target.id);
        allowed.commit_noting(tx, &about, note).await?;
        settle_later(context, &target).await;
        describe(&target)
    }

    async fn delete_gateway_target(
        &self,
        context: &Context,
        input: DeleteGatewayTargetRequest,
    ) -> Result<DeleteGatewayTargetResponse, Failure> {
        let gateway = GatewayId::from_text(input.gateway_identifier);
        let id = TargetId::from_text(input.target_id);
        let arn = Arn::gateway(&context.scope, &gateway);
        let allowed = context.authorize_tagged(&arn).await?;
        let mut tx = allowed.begin().await?;
        let owner = find_gateway(&mut tx, &context.scope, &gateway).await?;
        let impact = match tx.target(&context.scope, &gateway, &id).await {
            // What nobody can read any more can still be taken away.
            Err(StoreError::KeyUnusable(_)) => Impact::default(),
            found => {
                let target = found?.ok_or_else(|| not_found("Target", &id))?;
                target.status.begin_delete()?;
                // A forbid about tools that are gone forbids nothing that could be called.
                policy_impact::of_change(&mut tx, &owner, Some(&target), None).await?
            }
        };
        let reasons = impact.reasons();
        tx.delete_target(&context.scope, &gateway, &id).await?;
        allowed.commit_noting(tx, &Arn::target(&context.scope, &gateway, &id), impact.note()).await?;
        Ok(DeleteGatewayTargetResponse {
            gateway_arn: arn.to_string(),
            target_id: id.to_string(),
            status: WireStatus::Deleting,
            status_reasons: (!reasons.is_empty()).then_some(reasons),
        })
    }

    async fn list_gateway_targets(
        &self,
        context: &Context,
        input: ListGatewayTargetsRequest,
    ) -> Result<ListGatewayTargetsResponse, Failure> {
        let gateway = GatewayId::from_text(input.gateway_identifier);
        let allowed = context.authorize_tagged(&Arn::gateway(&context.scope, &gateway)).await?;
        let paging =
            Paging::new(input.next_token.as_deref(), input.max_results, PAGE).ok_or_else(bad_token)?;
        let mut tx = allowed.read().await?;
        find_gateway(&mut tx, &context.scope, &gateway).await?;
        let found = tx.targets(&context.scope, &gateway, paging.page()).await?;
        let (targets, next_token) = paging.cut(found, |target| target.id.to_string());
        Ok(ListGatewayTargetsResponse { items: targets.iter().map(summarise).collect(), next_token })
    }

    /// Has the lists of an MCP server read again.
    async fn synchronize_gateway_targets(
        &self,
        context: &Context,
        input: SynchronizeGatewayTargetsRequest,
    ) -> Result<SynchronizeGatewayTargetsResponse, Failure> {
        let gateway = GatewayId::from_text(input.gateway_identifier);
        let allowed = context.authorize_tagged(&Arn::gateway(&context.scope, &gateway)).await?;
        let mut tx = allowed.begin().await?;
        find_gateway(&mut tx, &context.scope, &gateway).await?;
        let mut targets = Vec::new();
        for id in input.target_id_list {
            let mut target = find(&mut tx, &context.scope, &gateway, &TargetId::from_text(id)).await?;
            may_synchronize(&target)?;
            target.status = target.status.begin_synchronize()?;
            target.status_reasons = Vec::new();
            tx.update_target(&mut target).await?;
            targets.push(target);
        }
        // The model has exactly one.
        let about = match targets.first() {
            Some(target) => Arn::target(&target.scope, &target.gateway, &target.id),
            None => Arn::gateway(&context.scope, &gateway),
        };
        allowed.commit_about(tx, &about).await?;
        for target in &targets {
            settle_later(context, target).await;
        }
        let targets = targets.iter().map(describe).collect::<Result<_, _>>()?;
        Ok(SynchronizeGatewayTargetsResponse { targets: Some(targets) })
    }
}

/// Only what a server lists, and not at every call, can be read again.
fn may_synchronize(target: &Target) -> Result<(), Failure> {
    let why = match &target.upstream {
        Upstream::Mcp(McpServer { static_tools: true, .. }) => {
            "its tools are those of its mcpToolSchema: take that out with UpdateGatewayTarget first"
        }
        Upstream::Mcp(McpServer { listing: Listing::Dynamic, .. }) => {
            "its listing mode is DYNAMIC, so its tools are read whenever they are asked for"
        }
        Upstream::Mcp(_) => return Ok(()),
        _ => "only MCP servers list their tools themselves",
    };
    Err(invalid("targetIdList", format!("The target {} cannot be synchronized: {why}.", target.id)))
}

async fn settle_later(context: &Context, target: &Target) {
    let work = Work::Target(target.scope.clone(), target.gateway.clone(), target.id.clone());
    settle::begin(context.plane(), work).await;
}

async fn find(tx: &mut Tx, scope: &Scope, gateway: &GatewayId, id: &TargetId) -> Result<Target, Failure> {
    tx.target(scope, gateway, id).await?.ok_or_else(|| not_found("Target", id))
}

fn taken(error: StoreError, name: &str) -> Failure {
    match error {
        StoreError::Exists => name_taken("A target", name),
        error => error.into(),
    }
}
