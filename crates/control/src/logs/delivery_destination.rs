//! Delivery destinations: a log group, or X-Ray.

use aws_shapes::logs::{
    DeleteDeliveryDestinationRequest, DeliveryDestination as Shown, DeliveryDestinationConfiguration,
    DeliveryDestinationOperations, DeliveryDestinationType, DescribeDeliveryDestinationsRequest,
    DescribeDeliveryDestinationsResponse, GetDeliveryDestinationRequest, GetDeliveryDestinationResponse,
    PutDeliveryDestinationRequest, PutDeliveryDestinationResponse,
};
use domain::{Arn, Scope};
use store::{Delivery, DeliveryDestination, LogSetting, Page, Tx};

use super::named::{arn, find as find_group, of_arn};
use super::{Logs, conflict, invalid, not_found, over_limit, page};
use crate::context::Context;
use crate::fault::Failure;

/// How many destinations a scope may have (CloudWatch Logs quotas).
const MOST_DESTINATIONS: usize = 1_000;

impl DeliveryDestinationOperations<Context> for Logs {
    type Error = Failure;

    async fn put_delivery_destination(
        &self,
        context: &Context,
        input: PutDeliveryDestinationRequest,
    ) -> Result<PutDeliveryDestinationResponse, Failure> {
        let scope = &context.scope;
        let resource = input.delivery_destination_configuration.map(|it| it.destination_resource_arn);
        let log_group = match (&resource, input.delivery_destination_type) {
            (None, Some(DeliveryDestinationType::Xray)) => None,
            (Some(resource), None | Some(DeliveryDestinationType::Cwl)) => {
                let group = of_arn(scope, resource);
                Some(group.ok_or_else(|| {
                    invalid("destinationResourceArn is no log group of this account and region.")
                })?)
            }
            _ => return Err(invalid("Give the ARN of a log group, or the type XRAY and no ARN.")),
        };
        let destination = DeliveryDestination { name: input.name, log_group, resource };
        let allowed = context.authorize(&destination_arn(scope, &destination.name))?;
        let mut tx = allowed.begin().await?;
        if let Some(group) = &destination.log_group {
            find_group(&mut tx, scope, group).await?;
        }
        let known: Vec<DeliveryDestination> =
            tx.log_settings(scope, LogSetting::Destination, Page::ALL).await?;
        let before = known.iter().find(|it| it.name == destination.name);
        let uses: Vec<Delivery> = tx.log_settings(scope, LogSetting::Delivery, Page::ALL).await?;
        if before.is_some_and(|before| *before != destination)
            && uses.iter().any(|it| it.destination == destination.name)
        {
            return Err(conflict(
                "The delivery destination is used by a delivery. Delete the delivery first.",
            ));
        }
        if before.is_none() && known.len() >= MOST_DESTINATIONS {
            return Err(over_limit("delivery destinations", MOST_DESTINATIONS));
        }
        tx.put_log_setting(scope, LogSetting::Destination, &destination.name, &destination).await?;
        allowed.commit(tx).await?;
        Ok(PutDeliveryDestinationResponse { delivery_destination: Some(shown(scope, destination)) })
    }

    async fn get_delivery_destination(
        &self,
        context: &Context,
        input: GetDeliveryDestinationRequest,
    ) -> Result<GetDeliveryDestinationResponse, Failure> {
        let allowed = context.authorize(&destination_arn(&context.scope, &input.name))?;
        let found = find(&mut allowed.read().await?, &context.scope, &input.name).await?;
        Ok(GetDeliveryDestinationResponse { delivery_destination: Some(shown(&context.scope, found)) })
    }

    async fn describe_delivery_destinations(
        &self,
        context: &Context,
        input: DescribeDeliveryDestinationsRequest,
    ) -> Result<DescribeDeliveryDestinationsResponse, Failure> {
        let allowed = context.authorize_without_resource(&destination_arn(&context.scope, "*"))?;
        let paging = page(input.next_token.as_deref(), input.limit)?;
        let everything = Page { after: paging.page().after, limit: i64::MAX };
        let mut tx = allowed.read().await?;
        let mut found: Vec<DeliveryDestination> =
            tx.log_settings(&context.scope, LogSetting::Destination, everything).await?;
        if let Some(names) = &input.names {
            found.retain(|it| names.contains(&it.name));
        }
        let (found, next_token) = paging.cut(found, |it| it.name.clone());
        let shown = found.into_iter().map(|it| shown(&context.scope, it)).collect();
        Ok(DescribeDeliveryDestinationsResponse { delivery_destinations: Some(shown), next_token })
    }

    async fn delete_delivery_destination(
        &self,
        context: &Context,
        input: DeleteDeliveryDestinationRequest,
    ) -> Result<(), Failure> {
        let scope = &context.scope;
        let allowed = context.authorize(&destination_arn(scope, &input.name))?;
        let mut tx = allowed.begin().await?;
        find(&mut tx, scope, &input.name).await?;
        let deliveries: Vec<Delivery> = tx.log_settings(scope, LogSetting::Delivery, Page::ALL).await?;
        if deliveries.iter().any(|it| it.destination == input.name) {
            return Err(conflict(
                "The delivery destination is used by a delivery. Delete the delivery first.",
            ));
        }
        tx.delete_log_setting(scope, LogSetting::Destination, &input.name).await?;
        Ok(allowed.commit(tx).await?)
    }
}

/// The destination of a name.
pub(super) async fn find(tx: &mut Tx, scope: &Scope, name: &str) -> Result<DeliveryDestination, Failure> {
    let found = tx.log_setting(scope, LogSetting::Destination, name).await?;
    found.ok_or_else(|| not_found(format!("Delivery destination {name} does not exist.")))
}

pub(super) fn destination_arn(scope: &Scope, name: &str) -> Arn {
    arn(scope, &format!("delivery-destination:{name}"))
}

/// What a destination is, as the API says it.
pub(super) fn kind(destination: &DeliveryDestination) -> DeliveryDestinationType {
    match destination.log_group {
        Some(_) => DeliveryDestinationType::Cwl,
        None => DeliveryDestinationType::Xray,
    }
}

fn shown(scope: &Scope, destination: DeliveryDestination) -> Shown {
    Shown {
        arn: Some(destination_arn(scope, &destination.name).into()),
        delivery_destination_type: Some(kind(&destination)),
        delivery_destination_configuration: destination
            .resource
            .map(|destination_resource_arn| DeliveryDestinationConfiguration { destination_resource_arn }),
        name: Some(destination.name),
    }
}
