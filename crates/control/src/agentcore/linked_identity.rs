//! The workload identities that services make for what is theirs: a gateway and an agent runtime have one, under their
//! id, and it goes with them. Nobody deletes it or gets a token for it by hand; where its people are sent, its owner says ("Get workload access
//! token" in the developer guide).

use aws::Fault;
use domain::{Arn, EventId, Gateway, OAuthGrant, Outbound, Scope, Target, WorkloadIdentity};
use store::{StoreError, Tx};

use super::gateway::find as find_gateway;
use super::name_taken;
use super::workload_identity::find as find_workload;
use crate::context::Context;
use crate::fault::Failure;

/// Gives a gateway its workload identity, if it has none.
///
/// # Errors
/// AWS's ConflictException when somebody has one of that name.
pub(super) async fn give(context: &Context, tx: &mut Tx, gateway: &mut Gateway) -> Result<(), Failure> {
    if gateway.workload_identity.is_some() {
        return Ok(());
    }
    let owner = Arn::gateway(&gateway.scope, &gateway.id);
    gateway.workload_identity = Some(make(context, tx, gateway.id.as_str(), &owner).await?);
    Ok(())
}

/// Makes the workload identity of a resource of the caller's scope, under the resource's id.
///
/// # Errors
/// As [`give`].
pub(super) async fn make(context: &Context, tx: &mut Tx, name: &str, owner: &Arn) -> Result<Arn, Failure> {
    let id = EventId::mint(&*context.setup().random).to_string();
    let made = WorkloadIdentity::new(&context.scope, name, id, context.now);
    let made = WorkloadIdentity { linked_to: Some(owner.clone()), ..made };
    tx.insert_workload_identity(&made).await.map_err(|error| match error {
        StoreError::Exists => name_taken("A workload identity", &made.name),
        error => error.into(),
    })?;
    Ok(made.arn())
}

/// Adds a target's return URL to those to which people may be sent who consent to its calls, where it is called with their
/// tokens.
///
/// # Errors
/// As [`give`].
pub(super) async fn register(context: &Context, tx: &mut Tx, target: &Target) -> Result<(), Failure> {
    let Outbound::OAuth(oauth) = &target.outbound else { return Ok(()) };
    let Some(url) =
        oauth.default_return_url.as_ref().filter(|_| oauth.grant == OAuthGrant::AuthorizationCode)
    else {
        return Ok(());
    };
    let mut gateway = find_gateway(tx, &target.scope, &target.gateway).await?;
    if gateway.workload_identity.is_none() {
        give(context, tx, &mut gateway).await?;
        tx.update_gateway(&mut gateway).await?;
    }
    let name = target.gateway.as_str();
    let mut identity = find_workload(tx, &target.scope, name).await?;
    if !identity.return_urls.contains(url) {
        identity.return_urls.push(url.clone());
        identity.updated_at = context.now;
        tx.update_workload_identity(&mut identity).await?;
    }
    Ok(())
}

/// Takes a gateway's workload identity away, with its tags and the tokens that people gave it.
pub(super) async fn take(tx: &mut Tx, gateway: &Gateway) -> Result<(), Failure> {
    remove(tx, &gateway.scope, gateway.id.as_str(), &Arn::gateway(&gateway.scope, &gateway.id)).await
}

/// Takes the workload identity of a resource away, with its tags and the tokens that people gave it.
pub(super) async fn remove(tx: &mut Tx, scope: &Scope, name: &str, owner: &Arn) -> Result<(), Failure> {
    let found = tx.workload_identity(scope, name).await?;
    if let Some(identity) = found.filter(|identity| identity.linked_to.as_ref() == Some(owner)) {
        tx.delete_all_tags(&identity.arn()).await?;
        tx.delete_workload_identity(&identity).await?;
    }
    Ok(())
}

/// Refuses what a caller would do to a service's identity by hand.
///
/// # Errors
/// AWS's ValidationException, in its words.
pub(crate) fn is_the_callers(identity: &WorkloadIdentity, done: &str) -> Result<(), Failure> {
    match &identity.linked_to {
        None => Ok(()),
        Some(_) => {
            let message = format!("WorkloadIdentity is linked to a service and cannot {done} by the caller");
            Err(Fault::new("ValidationException", message).into())
        }
    }
}
