//! Policies from plain language: generations and what became of their texts.

use aws_shapes::bedrock_agentcore_control::{
    Content, GetPolicyGenerationRequest, GetPolicyGenerationResponse, GetPolicyGenerationSummaryRequest,
    GetPolicyGenerationSummaryResponse, ListPolicyGenerationAssetsRequest,
    ListPolicyGenerationAssetsResponse, ListPolicyGenerationSummariesRequest,
    ListPolicyGenerationSummariesResponse, ListPolicyGenerationsRequest, ListPolicyGenerationsResponse,
    PolicyGenerationDetails, PolicyGenerationOperations, Resource, StartPolicyGenerationRequest,
    StartPolicyGenerationResponse,
};
use domain::{
    Arn, GENERATION_LIFE, Gateway, GatewayId, GenerationStatus, PolicyEngineId, PolicyGeneration,
    PolicyGenerationId,
};
use store::{StoreError, Tx};

use super::generation_wire::{describe, describe_asset, summarise};
use super::policy_engine::{PAGE, find as find_engine, page_of_engine, read_part};
use super::{AgentCore, bad_token, conflict, name_taken, not_found, over_quota};
use crate::context::Context;
use crate::fault::{Failure, invalid};
use crate::idempotency::Attempt;
use crate::paging::Paging;
use crate::settle::{self, Work};

impl PolicyGenerationOperations<Context> for AgentCore {
    type Error = Failure;

    /// The name is taken at once; what the text becomes is found out afterwards. What a gateway offers shows in what is
    /// generated, so the caller must be allowed to invoke it.
    async fn start_policy_generation(
        &self,
        context: &Context,
        mut input: StartPolicyGenerationRequest,
    ) -> Result<StartPolicyGenerationResponse, Failure> {
        let attempt = Attempt::new(input.client_token.take(), &input.policy_engine_id, &input)?;
        let engine = PolicyEngineId::from_text(input.policy_engine_id);
        let allowed = context.authorize_tagged(&Arn::policy_engine(&context.scope, &engine)).await?;
        let Resource::Arn(named) = input.resource;
        let (gateway, gateway_id) = read_gateway(context, &named)?;
        let invoke = "bedrock-agentcore:InvokeGateway";
        context.require_tagged(&mut allowed.read().await?, invoke, &gateway).await?;
        let mut tx = allowed.begin().await?;
        if let Some(id) = attempt.made_before(context, &mut tx).await? {
            let id = PolicyGenerationId::from_text(id);
            return Ok(describe(&find(context, &mut tx, &engine, &id).await?));
        }
        let status = find_engine(&mut tx, &context.scope, &engine).await?.status;
        if !status.decides() {
            return Err(conflict(format!("Policy engine {engine} is {status}. Wait until it is ACTIVE.")));
        }
        must_serve(tx.gateway(&context.scope, &gateway_id).await?, &gateway_id)?;
        let most = context.setup().quotas.policy_generations_per_engine;
        if tx.generation_count(&context.scope, &engine, context.now).await? >= most {
            return Err(over_quota("policy generations per policy engine", most));
        }
        let Content::RawText(text) = input.content;
        let generation = PolicyGeneration {
            id: PolicyGenerationId::mint(&*context.setup().random, &input.name),
            engine,
            scope: context.scope.clone(),
            name: input.name,
            gateway,
            text,
            assets: Vec::new(),
            status: GenerationStatus::Generating,
            status_reasons: Vec::new(),
            created_at: context.now,
            updated_at: context.now,
            expires_at: context.now.plus(GENERATION_LIFE),
            revision: 1,
        };
        tx.insert_generation(&generation).await.map_err(|error| match error {
            StoreError::Exists => name_taken("A policy generation", &generation.name),
            error => error.into(),
        })?;
        attempt.made(context, &mut tx, generation.id.as_str()).await?;
        allowed.commit_about(tx, &arn(&generation)).await?;
        let work =
            Work::Generation(generation.scope.clone(), generation.engine.clone(), generation.id.clone());
        settle::begin(context.plane(), work).await;
        Ok(describe(&generation))
    }

    async fn get_policy_generation(
        &self,
        context: &Context,
        input: GetPolicyGenerationRequest,
    ) -> Result<GetPolicyGenerationResponse, Failure> {
        let engine = PolicyEngineId::from_text(input.policy_engine_id);
        let id = PolicyGenerationId::from_text(input.policy_generation_id);
        let mut tx =
            read_part(context, &engine, &Arn::policy_generation(&context.scope, &engine, &id)).await?;
        Ok(describe(&find(context, &mut tx, &engine, &id).await?))
    }

    async fn list_policy_generations(
        &self,
        context: &Context,
        input: ListPolicyGenerationsRequest,
    ) -> Result<ListPolicyGenerationsResponse, Failure> {
        let engine = PolicyEngineId::from_text(input.policy_engine_id);
        let (mut tx, paging) = page_of_engine(context, &engine, input.next_token, input.max_results).await?;
        let found = tx.generations(&context.scope, &engine, paging.page(), context.now).await?;
        let (generations, next_token) = paging.cut(found, |generation| generation.id.to_string());
        let policy_generations = generations.iter().map(describe).collect();
        Ok(ListPolicyGenerationsResponse { policy_generations, next_token })
    }

    /// What may be known without the KMS key that the text is sealed under.
    async fn get_policy_generation_summary(
        &self,
        context: &Context,
        input: GetPolicyGenerationSummaryRequest,
    ) -> Result<GetPolicyGenerationSummaryResponse, Failure> {
        let engine = PolicyEngineId::from_text(input.policy_engine_id);
        let id = PolicyGenerationId::from_text(input.policy_generation_id);
        let mut tx =
            read_part(context, &engine, &Arn::policy_generation(&context.scope, &engine, &id)).await?;
        let found = tx.generation_summary(&context.scope, &engine, &id, context.now).await?;
        Ok(summarise(&found.ok_or_else(|| not_found("Policy generation", &id))?))
    }

    async fn list_policy_generation_summaries(
        &self,
        context: &Context,
        input: ListPolicyGenerationSummariesRequest,
    ) -> Result<ListPolicyGenerationSummariesResponse, Failure> {
        let engine = PolicyEngineId::from_text(input.policy_engine_id);
        let (mut tx, paging) = page_of_engine(context, &engine, input.next_token, input.max_results).await?;
        let found = tx.generation_summaries(&context.scope, &engine, paging.page(), context.now).await?;
        let (generations, next_token) = paging.cut(found, |generation| generation.id.to_string());
        let policy_generations = generations.iter().map(summarise).collect();
        Ok(ListPolicyGenerationSummariesResponse { policy_generations, next_token })
    }

    /// The assets stand in the order of the text.
    async fn list_policy_generation_assets(
        &self,
        context: &Context,
        input: ListPolicyGenerationAssetsRequest,
    ) -> Result<ListPolicyGenerationAssetsResponse, Failure> {
        let engine = PolicyEngineId::from_text(input.policy_engine_id);
        let id = PolicyGenerationId::from_text(input.policy_generation_id);
        let mut tx =
            read_part(context, &engine, &Arn::policy_generation(&context.scope, &engine, &id)).await?;
        let paging =
            Paging::new(input.next_token.as_deref(), input.max_results, PAGE).ok_or_else(bad_token)?;
        let assets = find(context, &mut tx, &engine, &id).await?.assets;
        let after = paging.page().after.to_owned();
        let from = match after.as_str() {
            "" => 0,
            after => 1 + assets.iter().position(|asset| asset.id == after).ok_or_else(bad_token)?,
        };
        let (assets, next_token) =
            paging.cut(assets.into_iter().skip(from).collect(), |asset| asset.id.clone());
        Ok(ListPolicyGenerationAssetsResponse {
            policy_generation_assets: Some(assets.iter().map(describe_asset).collect()),
            next_token,
        })
    }
}

/// The statement of an asset, for a policy of the same engine.
pub(super) async fn statement_of(
    context: &Context,
    tx: &mut Tx,
    engine: &PolicyEngineId,
    made: PolicyGenerationDetails,
) -> Result<String, Failure> {
    let id = PolicyGenerationId::from_text(made.policy_generation_id);
    let generation = find(context, tx, engine, &id).await?;
    let asset = generation.assets.into_iter().find(|asset| asset.id == made.policy_generation_asset_id);
    let asset =
        asset.ok_or_else(|| not_found("Policy generation asset", &made.policy_generation_asset_id))?;
    asset.statement.ok_or_else(|| {
        let said: Vec<String> = asset.findings.into_iter().map(|finding| finding.description).collect();
        invalid(
            "definition/policyGeneration/policyGenerationAssetId",
            format!("The asset {} has no statement: {}", asset.id, said.join(" ")),
        )
    })
}

/// A generation that has not expired.
async fn find(
    context: &Context,
    tx: &mut Tx,
    engine: &PolicyEngineId,
    id: &PolicyGenerationId,
) -> Result<PolicyGeneration, Failure> {
    let found = tx.generation(&context.scope, engine, id, context.now).await?;
    found.ok_or_else(|| not_found("Policy generation", id))
}

/// The gateway that policies are to be about: one of the caller's account and of the region.
fn read_gateway(context: &Context, named: &str) -> Result<(Arn, GatewayId), Failure> {
    let wrong = || {
        invalid(
            "resource/arn",
            format!(
                "{named} is not the ARN of a gateway in this account and region. Name the gateway that the policies are for."
            ),
        )
    };
    let arn = Arn::parse(named).map_err(|_| wrong())?;
    let id = arn.resource().strip_prefix("gateway/").map(GatewayId::from_text).ok_or_else(wrong)?;
    if arn.service() != "bedrock-agentcore" || arn.scope().as_ref() != Some(&context.scope) {
        return Err(wrong());
    }
    Ok((arn, id))
}

fn must_serve(found: Option<Gateway>, id: &GatewayId) -> Result<(), Failure> {
    let gateway = found.ok_or_else(|| not_found("Gateway", id))?;
    if gateway.status.serves() {
        return Ok(());
    }
    Err(conflict(format!("Gateway {id} is {}. Wait until it is READY.", gateway.status)))
}

fn arn(generation: &PolicyGeneration) -> Arn {
    Arn::policy_generation(&generation.scope, &generation.engine, &generation.id)
}
