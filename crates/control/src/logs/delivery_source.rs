//! Delivery sources: the records of a resource that may be delivered.

use aws_shapes::logs::{
    DeleteDeliverySourceRequest, DeliverySource as Shown, DeliverySourceOperations,
    DescribeDeliverySourcesRequest, DescribeDeliverySourcesResponse, GetDeliverySourceRequest,
    GetDeliverySourceResponse, PutDeliverySourceRequest, PutDeliverySourceResponse,
};
use domain::{Arn, GatewayId, Scope};
use store::{Delivery, DeliverySource, LogSetting, Page, Tx};

use super::named::arn;
use super::{Logs, conflict, invalid, not_found, over_limit, page};
use crate::context::Context;
use crate::fault::Failure;

/// How many sources a scope may have (CloudWatch Logs quotas).
const MOST_SOURCES: usize = 1_000;
/// What must be allowed on a resource whose records are delivered ("Enable logging from AWS services").
const ALLOW_DELIVERY: &str = "bedrock-agentcore:AllowVendedLogDeliveryForResource";

impl DeliverySourceOperations<Context> for Logs {
    type Error = Failure;

    async fn put_delivery_source(
        &self,
        context: &Context,
        input: PutDeliverySourceRequest,
    ) -> Result<PutDeliverySourceResponse, Failure> {
        let scope = &context.scope;
        let resource = Arn::parse(&input.resource_arn)
            .ok()
            .filter(|it| it.service() == "bedrock-agentcore" && it.account() == scope.account.as_str())
            .ok_or_else(|| invalid("resourceArn is no gateway or runtime of this account."))?;
        if !matches!(input.log_type.as_str(), "APPLICATION_LOGS" | "TRACES") {
            return Err(invalid("logType must be APPLICATION_LOGS or TRACES."));
        }
        let source = DeliverySource { name: input.name, resource, log_type: input.log_type };
        let allowed = context.authorize(&source_arn(scope, &source.name))?;
        context.require(ALLOW_DELIVERY, &source.resource, |it| it)?;
        let mut tx = allowed.begin().await?;
        check_resource(&mut tx, scope, &source).await?;
        let known: Vec<DeliverySource> = tx.log_settings(scope, LogSetting::Source, Page::ALL).await?;
        let before = known.iter().find(|it| it.name == source.name);
        if before.is_some_and(|before| *before != source) {
            return Err(conflict("A delivery source of this name is about something else. Delete it first."));
        }
        if before.is_none() && known.len() >= MOST_SOURCES {
            return Err(over_limit("delivery sources", MOST_SOURCES));
        }
        tx.put_log_setting(scope, LogSetting::Source, &source.name, &source).await?;
        allowed.commit(tx).await?;
        Ok(PutDeliverySourceResponse { delivery_source: Some(shown(scope, source)) })
    }

    async fn get_delivery_source(
        &self,
        context: &Context,
        input: GetDeliverySourceRequest,
    ) -> Result<GetDeliverySourceResponse, Failure> {
        let allowed = context.authorize(&source_arn(&context.scope, &input.name))?;
        let source = find(&mut allowed.read().await?, &context.scope, &input.name).await?;
        Ok(GetDeliverySourceResponse { delivery_source: Some(shown(&context.scope, source)) })
    }

    async fn describe_delivery_sources(
        &self,
        context: &Context,
        input: DescribeDeliverySourcesRequest,
    ) -> Result<DescribeDeliverySourcesResponse, Failure> {
        let allowed = context.authorize_without_resource(&source_arn(&context.scope, "*"))?;
        let paging = page(input.next_token.as_deref(), input.limit)?;
        let everything = Page { after: paging.page().after, limit: i64::MAX };
        let mut tx = allowed.read().await?;
        let mut found: Vec<DeliverySource> =
            tx.log_settings(&context.scope, LogSetting::Source, everything).await?;
        if let Some(resources) = &input.resource_arns {
            found.retain(|it| resources.iter().any(|resource| resource == it.resource.as_str()));
        }
        let (found, next_token) = paging.cut(found, |it| it.name.clone());
        let shown = found.into_iter().map(|it| shown(&context.scope, it)).collect();
        Ok(DescribeDeliverySourcesResponse { delivery_sources: Some(shown), next_token })
    }

    async fn delete_delivery_source(
        &self,
        context: &Context,
        input: DeleteDeliverySourceRequest,
    ) -> Result<(), Failure> {
        let scope = &context.scope;
        let allowed = context.authorize(&source_arn(scope, &input.name))?;
        let mut tx = allowed.begin().await?;
        find(&mut tx, scope, &input.name).await?;
        let deliveries: Vec<Delivery> = tx.log_settings(scope, LogSetting::Delivery, Page::ALL).await?;
        if deliveries.iter().any(|it| it.source == input.name) {
            return Err(conflict("The delivery source is used by a delivery. Delete the delivery first."));
        }
        tx.delete_log_setting(scope, LogSetting::Source, &input.name).await?;
        Ok(allowed.commit(tx).await?)
    }
}

/// The source of a name.
pub(super) async fn find(tx: &mut Tx, scope: &Scope, name: &str) -> Result<DeliverySource, Failure> {
    let found = tx.log_setting(scope, LogSetting::Source, name).await?;
    found.ok_or_else(|| not_found(format!("Delivery source {name} does not exist.")))
}

pub(super) fn source_arn(scope: &Scope, name: &str) -> Arn {
    arn(scope, &format!("delivery-source:{name}"))
}

/// A gateway must be there, and in this region. Of runtimes only traces are delivered.
async fn check_resource(tx: &mut Tx, scope: &Scope, source: &DeliverySource) -> Result<(), Failure> {
    let resource = &source.resource;
    if resource.region() != scope.region.as_str() {
        return Err(invalid("resourceArn is of another region."));
    }
    match resource.resource().split_once('/') {
        Some(("gateway", id)) => {
            let gateway = tx.gateway(scope, &GatewayId::from_text(id)).await?;
            gateway.map(|_| ()).ok_or_else(|| not_found(format!("The resource {resource} does not exist.")))
        }
        Some(("runtime", _)) if source.log_type == "TRACES" => Ok(()),
        _ => Err(invalid("resourceArn is no resource whose records of this kind are delivered here.")),
    }
}

fn shown(scope: &Scope, source: DeliverySource) -> Shown {
    Shown {
        arn: Some(source_arn(scope, &source.name).into()),
        name: Some(source.name),
        resource_arns: Some(vec![source.resource.into()]),
        service: Some("bedrock-agentcore".to_owned()),
        log_type: Some(source.log_type),
    }
}
