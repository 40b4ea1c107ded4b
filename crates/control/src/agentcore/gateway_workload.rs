//! The workload identities of gateways: under its gateway's id, one says where the people are sent who consent to a call of a
//! target ("Get workload access token", service-linked identities).

use domain::{EventId, GatewayId, OAuthGrant, Outbound, Scope, Target, WorkloadIdentity};
use store::Tx;

use super::name_taken;
use crate::context::Context;
use crate::fault::Failure;

/// Makes the identity of a target's gateway, where the target is called with tokens of people, and adds the target's return
/// URL to those to which people may be sent.
///
/// # Errors
/// AWS's ConflictException when somebody has an identity of that name.
pub(super) async fn register(context: &Context, tx: &mut Tx, target: &Target) -> Result<(), Failure> {
    let Outbound::OAuth(oauth) = &target.outbound else { return Ok(()) };
    let Some(url) =
        oauth.default_return_url.as_ref().filter(|_| oauth.grant == OAuthGrant::AuthorizationCode)
    else {
        return Ok(());
    };
    let name = target.gateway.as_str();
    match tx.workload_identity(&target.scope, name).await? {
        Some(identity) if !identity.is_linked => Err(name_taken("A workload identity", name)),
        Some(identity) if identity.return_urls.contains(url) => Ok(()),
        Some(mut identity) => {
            identity.return_urls.push(url.clone());
            identity.updated_at = context.now;
            Ok(tx.update_workload_identity(&mut identity).await?)
        }
        None => {
            let identity = WorkloadIdentity {
                scope: target.scope.clone(),
                name: name.to_owned(),
                id: EventId::mint(&*context.setup().random).to_string(),
                return_urls: vec![url.clone()],
                generation: 1,
                is_linked: true,
                created_at: context.now,
                updated_at: context.now,
                revision: 1,
            };
            Ok(tx.insert_workload_identity(&identity).await?)
        }
    }
}

/// Removes the identity of a gateway, with the tokens that people gave it.
pub(super) async fn remove(tx: &mut Tx, scope: &Scope, gateway: &GatewayId) -> Result<(), Failure> {
    match tx.workload_identity(scope, gateway.as_str()).await? {
        Some(identity) if identity.is_linked => {
            tx.delete_all_tags(&identity.arn()).await?;
            Ok(tx.delete_workload_identity(&identity).await?)
        }
        _ => Ok(()),
    }
}
