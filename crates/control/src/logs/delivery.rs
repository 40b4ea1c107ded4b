//! Deliveries: a source tied to a destination. From then on the data plane writes a gateway's records to the log group.

use aws_shapes::logs::{
    CreateDeliveryRequest, CreateDeliveryResponse, DeleteDeliveryRequest, Delivery as Shown,
    DeliveryOperations, DescribeDeliveriesRequest, DescribeDeliveriesResponse, GetDeliveryRequest,
    GetDeliveryResponse,
};
use domain::{Arn, Scope};
use store::{Delivery, LogSetting, Page, Tx};

use super::delivery_destination::{destination_arn, find as find_destination, kind};
use super::delivery_source::find as find_source;
use super::named::arn;
use super::{Logs, conflict, invalid, not_found, page};
use crate::context::Context;
use crate::fault::Failure;

impl DeliveryOperations<Context> for Logs {
    type Error = Failure;

    async fn create_delivery(
        &self,
        context: &Context,
        input: CreateDeliveryRequest,
    ) -> Result<CreateDeliveryResponse, Failure> {
        let scope = &context.scope;
        let prefix = destination_arn(scope, "");
        let name = input.delivery_destination_arn.strip_prefix(prefix.as_str());
        let name = name.ok_or_else(|| {
            invalid("deliveryDestinationArn is no delivery destination of this account and region.")
        })?;
        let id = context
            .setup()
            .random
            .text(16, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
        let delivery = Delivery { id, source: input.delivery_source_name, destination: name.to_owned() };
        let allowed = context.authorize(&delivery_arn(scope, "*"))?;
        let mut tx = allowed.begin().await?;
        let source = find_source(&mut tx, scope, &delivery.source).await?;
        let destination = find_destination(&mut tx, scope, &delivery.destination).await?;
        if (source.log_type == "TRACES") != destination.log_group.is_none() {
            return Err(invalid("Traces are delivered to X-Ray, and logs to a log group."));
        }
        let known: Vec<Delivery> = tx.log_settings(scope, LogSetting::Delivery, Page::ALL).await?;
        for other in known.iter().filter(|it| it.source == delivery.source) {
            let other = find_destination(&mut tx, scope, &other.destination).await?;
            if kind(&other) == kind(&destination) {
                return Err(conflict(
                    "A delivery of this source to a destination of this type exists already.",
                ));
            }
        }
        tx.put_log_setting(scope, LogSetting::Delivery, &delivery.id, &delivery).await?;
        tx.note_delivery_of(scope, &source.resource).await?;
        let shown = shown(&mut tx, scope, delivery).await?;
        allowed.commit(tx).await?;
        Ok(CreateDeliveryResponse { delivery: Some(shown) })
    }

    async fn get_delivery(
        &self,
        context: &Context,
        input: GetDeliveryRequest,
    ) -> Result<GetDeliveryResponse, Failure> {
        let allowed = context.authorize(&delivery_arn(&context.scope, &input.id))?;
        let mut tx = allowed.read().await?;
        let found = find(&mut tx, &context.scope, &input.id).await?;
        Ok(GetDeliveryResponse { delivery: Some(shown(&mut tx, &context.scope, found).await?) })
    }

    async fn describe_deliveries(
        &self,
        context: &Context,
        input: DescribeDeliveriesRequest,
    ) -> Result<DescribeDeliveriesResponse, Failure> {
        let allowed = context.authorize_without_resource(&delivery_arn(&context.scope, "*"))?;
        let paging = page(input.next_token.as_deref(), input.limit)?;
        let everything = Page { after: paging.page().after, limit: i64::MAX };
        let mut tx = allowed.read().await?;
        let mut found: Vec<Delivery> =
            tx.log_settings(&context.scope, LogSetting::Delivery, everything).await?;
        if let Some(sources) = &input.delivery_source_names {
            found.retain(|it| sources.contains(&it.source));
        }
        let (found, next_token) = paging.cut(found, |it| it.id.clone());
        let mut deliveries = Vec::with_capacity(found.len());
        for delivery in found {
            deliveries.push(shown(&mut tx, &context.scope, delivery).await?);
        }
        Ok(DescribeDeliveriesResponse { deliveries: Some(deliveries), next_token })
    }

    async fn delete_delivery(&self, context: &Context, input: DeleteDeliveryRequest) -> Result<(), Failure> {
        let scope = &context.scope;
        let allowed = context.authorize(&delivery_arn(scope, &input.id))?;
        let mut tx = allowed.begin().await?;
        let delivery = find(&mut tx, scope, &input.id).await?;
        let source = find_source(&mut tx, scope, &delivery.source).await?;
        tx.delete_log_setting(scope, LogSetting::Delivery, &input.id).await?;
        tx.note_delivery_of(scope, &source.resource).await?;
        Ok(allowed.commit(tx).await?)
    }
}

async fn find(tx: &mut Tx, scope: &Scope, id: &str) -> Result<Delivery, Failure> {
    let found = tx.log_setting(scope, LogSetting::Delivery, id).await?;
    found.ok_or_else(|| not_found(format!("Delivery {id} does not exist.")))
}

fn delivery_arn(scope: &Scope, id: &str) -> Arn {
    arn(scope, &format!("delivery:{id}"))
}

async fn shown(tx: &mut Tx, scope: &Scope, delivery: Delivery) -> Result<Shown, Failure> {
    let destination = find_destination(tx, scope, &delivery.destination).await?;
    Ok(Shown {
        arn: Some(delivery_arn(scope, &delivery.id).into()),
        id: Some(delivery.id),
        delivery_source_name: Some(delivery.source),
        delivery_destination_arn: Some(destination_arn(scope, &delivery.destination).into()),
        delivery_destination_type: Some(kind(&destination)),
    })
}
