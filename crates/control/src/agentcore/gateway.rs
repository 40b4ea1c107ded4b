//! Gateways.

use aws_shapes::bedrock_agentcore_control::{
    CreateGatewayRequest, CreateGatewayResponse, DeleteGatewayRequest, DeleteGatewayResponse,
    GatewayOperations, GatewayStatus as WireStatus, GetGatewayRequest, GetGatewayResponse,
    ListGatewaysRequest, ListGatewaysResponse, UpdateGatewayRequest, UpdateGatewayResponse,
};
use domain::{Arn, Authorizer, Gateway, GatewayId, GatewayStatus, Scope, Settled};
use store::{Page, StoreError, Tx};

use super::gateway_settings::{Settings, condition_keys, describe, summarise};
use super::tag::check_tags;
use super::{
    AgentCore, PAGE, all_gateways, bad_token, conflict, fit, guard_role, linked_identity, name_taken,
    not_found, over_quota,
};
use crate::context::Context;
use crate::fault::{Failure, invalid};
use crate::idempotency::Attempt;
use crate::paging::Paging;
use crate::plane::ControlPlane;
use crate::settle::{self, Work};
use crate::{kms, roles, settle::system_event};

impl GatewayOperations<Context> for AgentCore {
    type Error = Failure;

    async fn create_gateway(
        &self,
        context: &Context,
        mut input: CreateGatewayRequest,
    ) -> Result<CreateGatewayResponse, Failure> {
        let attempt = Attempt::new(input.client_token.take(), "", &input)?;
        let (name, tags) = (input.name.clone(), input.tags.take());
        let settings = Settings::of_create(input)?;
        let asked_tags = tags.clone().unwrap_or_default();
        check_tags(&asked_tags)?;
        let allowed = context.authorize_with(&all_gateways(&context.scope), |conditions| {
            condition_keys(&settings, conditions).requesting_tags(&asked_tags)
        })?;
        roles::require_pass_role(context, &settings.role, roles::AGENTCORE)?;
        let mut tx = allowed.begin().await?;
        if let Some(id) = attempt.made_before(context, &mut tx).await? {
            return answer(context, &find(&mut tx, &context.scope, &GatewayId::from_text(id)).await?);
        }
        settings.check_references(context, &mut tx).await?;
        let most = context.setup().quotas.gateways;
        if tx.gateways(&context.scope, Page::ALL).await?.len() >= most {
            return Err(over_quota("gateways", most));
        }
        let id = GatewayId::mint(&*context.setup().random, &name);
        let mut gateway = settings.into_gateway(id, name, context);
        guard_role::check(context, &mut tx, &gateway).await?;
        linked_identity::give(context, &mut tx, &mut gateway).await?;
        tx.insert_gateway(&gateway).await.map_err(|error| taken(error, &gateway.name))?;
        let arn = Arn::gateway(&gateway.scope, &gateway.id);
        if let Some(tags) = tags {
            tx.put_tags(&gateway.scope, &arn, &tags).await?;
        }
        attempt.made(context, &mut tx, gateway.id.as_str()).await?;
        allowed.commit_about(tx, &arn).await?;
        settle::begin(context.plane(), Work::Gateway(gateway.scope.clone(), gateway.id.clone())).await;
        answer(context, &gateway)
    }

    async fn get_gateway(
        &self,
        context: &Context,
        input: GetGatewayRequest,
    ) -> Result<GetGatewayResponse, Failure> {
        let id = GatewayId::from_text(input.gateway_identifier);
        let allowed = context.authorize_tagged(&Arn::gateway(&context.scope, &id)).await?;
        let gateway = find(&mut allowed.read().await?, &context.scope, &id).await?;
        answer(context, &gateway)
    }

    /// A full replacement: what is not given is no longer configured.
    async fn update_gateway(
        &self,
        context: &Context,
        input: UpdateGatewayRequest,
    ) -> Result<UpdateGatewayResponse, Failure> {
        let id = GatewayId::from_text(input.gateway_identifier.clone());
        let name = input.name.clone();
        let settings = Settings::of_update(input)?;
        let arn = Arn::gateway(&context.scope, &id);
        let allowed = context.authorize_tagged_with(&arn, |known| condition_keys(&settings, known));
        let allowed = allowed.await?;
        roles::require_pass_role(context, &settings.role, roles::AGENTCORE)?;
        let mut tx = allowed.begin().await?;
        let mut gateway = find(&mut tx, &context.scope, &id).await?;
        if gateway.name != name {
            return Err(invalid(
                "name",
                format!("The name of a gateway cannot be changed: it is {}.", gateway.name),
            ));
        }
        let (present, wanted) = (gateway.authorizer.type_name(), settings.authorizer.type_name());
        if present != wanted {
            return Err(invalid(
                "authorizerType",
                format!(
                    "authorizerType is immutable: this gateway's is {present}, and it cannot become {wanted}. \
                     Delete the gateway and create it again with the authorizer you want."
                ),
            ));
        }
        gateway.status = gateway.status.begin_update()?;
        settings.check_references(context, &mut tx).await?;
        if let Some(former) =
            gateway.kms_key.as_ref().filter(|former| settings.kms_key.as_ref() != Some(*former))
        {
            kms::openable_by_caller(&mut tx, context, former, "bedrock-agentcore").await?;
        }
        settings.apply(&mut gateway, context.now);
        guard_role::check(context, &mut tx, &gateway).await?;
        linked_identity::give(context, &mut tx, &mut gateway).await?;
        for target in tx.targets(&context.scope, &id, Page::ALL).await? {
            fit::check(&gateway, &target.name, &target.upstream, &target.outbound, &target.propagation)?;
        }
        tx.update_gateway(&mut gateway).await?;
        allowed.commit(tx).await?;
        settle::begin(context.plane(), Work::Gateway(gateway.scope.clone(), gateway.id.clone())).await;
        answer(context, &gateway)
    }

    async fn delete_gateway(
        &self,
        context: &Context,
        input: DeleteGatewayRequest,
    ) -> Result<DeleteGatewayResponse, Failure> {
        let id = GatewayId::from_text(input.gateway_identifier);
        let arn = Arn::gateway(&context.scope, &id);
        let allowed = context.authorize_tagged(&arn).await?;
        let mut tx = allowed.begin().await?;
        let gateway = find(&mut tx, &context.scope, &id).await?;
        gateway.status.begin_delete()?;
        if !tx.targets(&context.scope, &id, Page { after: "", limit: 1 }).await?.is_empty() {
            return Err(conflict(format!(
                "Gateway {id} has targets associated with it. Delete all targets before deleting the gateway."
            )));
        }
        tx.delete_all_tags(&arn).await?;
        tx.delete_resource_policy(&context.scope, &arn).await?;
        tx.delete_rate_limits(&context.scope, &id).await?;
        linked_identity::take(&mut tx, &gateway).await?;
        tx.delete_gateway(&context.scope, &id).await?;
        allowed.commit(tx).await?;
        Ok(DeleteGatewayResponse {
            gateway_id: id.to_string(),
            status: WireStatus::Deleting,
            status_reasons: None,
        })
    }

    async fn list_gateways(
        &self,
        context: &Context,
        input: ListGatewaysRequest,
    ) -> Result<ListGatewaysResponse, Failure> {
        let allowed = context.authorize(&all_gateways(&context.scope))?;
        let paging =
            Paging::new(input.next_token.as_deref(), input.max_results, PAGE).ok_or_else(bad_token)?;
        let found = allowed.read().await?.gateways(&context.scope, paging.page()).await?;
        let (gateways, next_token) = paging.cut(found, |gateway| gateway.id.to_string());
        Ok(ListGatewaysResponse { items: gateways.iter().map(summarise).collect(), next_token })
    }
}

/// What is left to do after a gateway was created or changed: see whether its issuer can be had. A gateway whose issuer
/// is down is ready all the same, because the issuer may come up without anyone telling us; its status reasons say so.
pub(crate) async fn settle_gateway(
    plane: &ControlPlane,
    scope: &Scope,
    id: &GatewayId,
) -> Result<(), Failure> {
    let setup = &plane.setup;
    let Some(gateway) = setup.store.read().await?.gateway(scope, id).await? else { return Ok(()) };
    let mut reasons = match &gateway.authorizer {
        Authorizer::CustomJwt(jwt) => match setup.issuers.probe(&jwt.discovery_url).await {
            Ok(()) => Vec::new(),
            Err(error) => {
                vec![format!(
                    "The discovery URL cannot be used yet, and calls are refused until it can: {error}"
                )]
            }
        },
        Authorizer::AwsIam | Authorizer::None => Vec::new(),
    };
    let mut tx = setup.store.begin().await?;
    let Some(mut gateway) = tx.gateway(scope, id).await? else { return Ok(()) };
    if !matches!(gateway.status, GatewayStatus::Creating | GatewayStatus::Updating) {
        return Ok(());
    }
    gateway.status = gateway.status.settle(Settled::Well)?;
    reasons.extend(guard_role::advice(&mut tx, &gateway, setup.clock.now()).await?);
    gateway.status_reasons = reasons;
    tx.update_gateway(&mut gateway).await?;
    tx.commit(&system_event(plane, scope, "gateway.settle", &Arn::gateway(scope, id))).await?;
    Ok(())
}

/// The gateway of an id.
pub(super) async fn find(tx: &mut Tx, scope: &Scope, id: &GatewayId) -> Result<Gateway, Failure> {
    tx.gateway(scope, id).await?.ok_or_else(|| not_found("Gateway", id))
}

fn answer(context: &Context, gateway: &Gateway) -> Result<GetGatewayResponse, Failure> {
    describe(gateway, context.setup().names.public_url())
}

fn taken(error: StoreError, name: &str) -> Failure {
    match error {
        StoreError::Exists => name_taken("A gateway", name),
        error => error.into(),
    }
}
