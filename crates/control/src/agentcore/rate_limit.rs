//! Rate limits of gateways. They are in force when they are written, so their status is always ACTIVE.

use std::collections::HashSet;

use aws_shapes::bedrock_agentcore_control::{
    BatchPutGatewayRateLimitsRequest, BatchPutGatewayRateLimitsResponse, CreateGatewayRateLimitRequest,
    CreateGatewayRateLimitResponse, DeleteGatewayRateLimitRequest, DeleteGatewayRateLimitResponse,
    GatewayRateLimitOperations, GatewayRateLimitStatus, GetGatewayRateLimitRequest,
    GetGatewayRateLimitResponse, LimitEntry as WireEntry, ListGatewayRateLimitsRequest,
    ListGatewayRateLimitsResponse, UpdateGatewayRateLimitRequest, UpdateGatewayRateLimitResponse,
};
use domain::{Arn, GatewayId, RateLimit, RequestId, Scope};
use store::{StoreError, Tx};

use super::gateway::find as find_gateway;
use super::rate_limit_settings::{check_keys, describe, detail, read_entries};
use super::{AgentCore, PAGE, bad_token, name_taken, not_found, over_quota};
use crate::context::Context;
use crate::fault::{Failure, invalid};
use crate::idempotency::Attempt;
use crate::paging::Paging;

impl GatewayRateLimitOperations<Context> for AgentCore {
    type Error = Failure;

    async fn create_gateway_rate_limit(
        &self,
        context: &Context,
        mut input: CreateGatewayRateLimitRequest,
    ) -> Result<CreateGatewayRateLimitResponse, Failure> {
        let attempt = Attempt::new(input.client_token.take(), &input.gateway_identifier, &input)?;
        let gateway = GatewayId::from_text(input.gateway_identifier.clone());
        let allowed = context.authorize_tagged(&Arn::gateway(&context.scope, &gateway)).await?;
        let asked = Asked {
            id: input.rate_limit_id,
            description: input.description,
            keys: input.dimension_keys,
            entries: input.entries,
        };
        let limit = asked.into_limit(context, &gateway)?;
        let mut tx = allowed.begin().await?;
        find_gateway(&mut tx, &context.scope, &gateway).await?;
        if let Some(made) = attempt.made_before(context, &mut tx).await? {
            return Ok(describe(&find(&mut tx, &context.scope, &gateway, &made).await?));
        }
        room_for_one(&mut tx, context, &gateway).await?;
        insert(&mut tx, &limit).await?;
        attempt.made(context, &mut tx, &limit.id).await?;
        allowed.commit(tx).await?;
        Ok(describe(&limit))
    }

    /// Makes or replaces limits, all of them or none.
    async fn batch_put_gateway_rate_limits(
        &self,
        context: &Context,
        mut input: BatchPutGatewayRateLimitsRequest,
    ) -> Result<BatchPutGatewayRateLimitsResponse, Failure> {
        let attempt = Attempt::new(input.client_token.take(), &input.gateway_identifier, &input)?;
        let gateway = GatewayId::from_text(input.gateway_identifier.clone());
        let allowed = context.authorize_tagged(&Arn::gateway(&context.scope, &gateway)).await?;
        let mut seen = HashSet::new();
        let mut wanted = Vec::new();
        for one in input.rate_limits {
            if one.rate_limit_id.as_ref().is_some_and(|id| !seen.insert(id.clone())) {
                return Err(invalid("rateLimits", "The batch names a rateLimitId twice."));
            }
            let asked = Asked {
                id: one.rate_limit_id,
                description: one.description,
                keys: one.dimension_keys,
                entries: one.entries,
            };
            wanted.push(asked.into_limit(context, &gateway)?);
        }
        let mut tx = allowed.begin().await?;
        find_gateway(&mut tx, &context.scope, &gateway).await?;
        if let Some(made) = attempt.made_before(context, &mut tx).await? {
            let mut limits = Vec::new();
            for id in made.split(' ') {
                limits.extend(tx.rate_limit(&context.scope, &gateway, id).await?);
            }
            let rate_limits = limits.iter().map(detail).collect();
            return Ok(BatchPutGatewayRateLimitsResponse { rate_limits });
        }
        let mut put = Vec::new();
        for limit in wanted {
            put.push(put_one(&mut tx, context, limit).await?);
        }
        let ids: Vec<_> = put.iter().map(|limit| limit.id.as_str()).collect();
        attempt.made(context, &mut tx, &ids.join(" ")).await?;
        allowed.commit(tx).await?;
        Ok(BatchPutGatewayRateLimitsResponse { rate_limits: put.iter().map(detail).collect() })
    }

    async fn get_gateway_rate_limit(
        &self,
        context: &Context,
        input: GetGatewayRateLimitRequest,
    ) -> Result<GetGatewayRateLimitResponse, Failure> {
        let gateway = GatewayId::from_text(input.gateway_identifier);
        let allowed = context.authorize_tagged(&Arn::gateway(&context.scope, &gateway)).await?;
        let mut tx = allowed.read().await?;
        find_gateway(&mut tx, &context.scope, &gateway).await?;
        Ok(describe(&find(&mut tx, &context.scope, &gateway, &input.rate_limit_id).await?))
    }

    /// Replaces the entries; a description that is not given stays. The dimensions stay in any case.
    async fn update_gateway_rate_limit(
        &self,
        context: &Context,
        input: UpdateGatewayRateLimitRequest,
    ) -> Result<UpdateGatewayRateLimitResponse, Failure> {
        let gateway = GatewayId::from_text(input.gateway_identifier);
        let allowed = context.authorize_tagged(&Arn::gateway(&context.scope, &gateway)).await?;
        let mut tx = allowed.begin().await?;
        find_gateway(&mut tx, &context.scope, &gateway).await?;
        let mut limit = find(&mut tx, &context.scope, &gateway, &input.rate_limit_id).await?;
        limit.entries = read_entries(&limit.dimension_keys, input.entries)?;
        limit.description = input.description.or(limit.description);
        limit.updated_at = context.now;
        tx.update_rate_limit(&mut limit).await?;
        allowed.commit(tx).await?;
        Ok(describe(&limit))
    }

    async fn delete_gateway_rate_limit(
        &self,
        context: &Context,
        input: DeleteGatewayRateLimitRequest,
    ) -> Result<DeleteGatewayRateLimitResponse, Failure> {
        let gateway = GatewayId::from_text(input.gateway_identifier);
        let allowed = context.authorize_tagged(&Arn::gateway(&context.scope, &gateway)).await?;
        let mut tx = allowed.begin().await?;
        find_gateway(&mut tx, &context.scope, &gateway).await?;
        find(&mut tx, &context.scope, &gateway, &input.rate_limit_id).await?;
        tx.delete_rate_limit(&context.scope, &gateway, &input.rate_limit_id).await?;
        allowed.commit(tx).await?;
        Ok(DeleteGatewayRateLimitResponse {
            rate_limit_id: input.rate_limit_id,
            status: GatewayRateLimitStatus::Deleting,
        })
    }

    async fn list_gateway_rate_limits(
        &self,
        context: &Context,
        input: ListGatewayRateLimitsRequest,
    ) -> Result<ListGatewayRateLimitsResponse, Failure> {
        let gateway = GatewayId::from_text(input.gateway_identifier);
        let allowed = context.authorize_tagged(&Arn::gateway(&context.scope, &gateway)).await?;
        let paging =
            Paging::new(input.next_token.as_deref(), input.max_results, PAGE).ok_or_else(bad_token)?;
        let mut tx = allowed.read().await?;
        find_gateway(&mut tx, &context.scope, &gateway).await?;
        let found = tx.rate_limits_page(&context.scope, &gateway, paging.page()).await?;
        let (limits, next_token) = paging.cut(found, |limit| limit.id.clone());
        Ok(ListGatewayRateLimitsResponse { rate_limits: limits.iter().map(detail).collect(), next_token })
    }
}

/// A limit as it was asked for.
struct Asked {
    id: Option<String>,
    description: Option<String>,
    keys: Vec<String>,
    entries: Vec<WireEntry>,
}

impl Asked {
    fn into_limit(self, context: &Context, gateway: &GatewayId) -> Result<RateLimit, Failure> {
        check_keys(&self.keys)?;
        Ok(RateLimit {
            id: self.id.unwrap_or_else(|| RequestId::mint(&*context.setup().random).to_string()),
            gateway: gateway.clone(),
            scope: context.scope.clone(),
            description: self.description,
            entries: read_entries(&self.keys, self.entries)?,
            dimension_keys: self.keys,
            created_at: context.now,
            updated_at: context.now,
            revision: 1,
        })
    }
}

/// Makes a limit, or replaces the entries and the description of the one that has its id.
async fn put_one(tx: &mut Tx, context: &Context, wanted: RateLimit) -> Result<RateLimit, Failure> {
    let Some(known) = tx.rate_limit(&wanted.scope, &wanted.gateway, &wanted.id).await? else {
        room_for_one(tx, context, &wanted.gateway).await?;
        insert(tx, &wanted).await?;
        return Ok(wanted);
    };
    if known.dimension_keys != wanted.dimension_keys {
        return Err(invalid(
            "dimensionKeys",
            format!(
                "The dimensionKeys of a rate limit cannot be changed: those of {} are {}. Delete it and create it \
                 again.",
                known.id,
                known.dimension_keys.join(", ")
            ),
        ));
    }
    let mut limit = RateLimit { created_at: known.created_at, revision: known.revision, ..wanted };
    tx.update_rate_limit(&mut limit).await?;
    Ok(limit)
}

async fn room_for_one(tx: &mut Tx, context: &Context, gateway: &GatewayId) -> Result<(), Failure> {
    let most = context.setup().quotas.rate_limits_per_gateway;
    let present = tx.rate_limits(&context.scope, gateway).await?.len();
    if present >= most { Err(over_quota("rate limits per gateway", most)) } else { Ok(()) }
}

async fn insert(tx: &mut Tx, limit: &RateLimit) -> Result<(), Failure> {
    tx.insert_rate_limit(limit).await.map_err(|error| match error {
        StoreError::Exists => name_taken("A rate limit", &limit.id),
        error => error.into(),
    })
}

async fn find(tx: &mut Tx, scope: &Scope, gateway: &GatewayId, id: &str) -> Result<RateLimit, Failure> {
    tx.rate_limit(scope, gateway, id).await?.ok_or_else(|| not_found("Rate limit", &id))
}
