//! Whether a gateway's role may have calls decided by the policy engine that is attached.
//!
//! On AWS a role without these permissions makes the attachment fail and every call be denied. The published guides, and
//! the roles that the toolkit makes, leave them out, so here they are only asked for when the installation says so; the
//! gateway's status reasons name what is missing all the same.

use credentials::{GuardRole, RoleAccess};
use domain::{Arn, Gateway, Timestamp};
use store::Tx;

use crate::context::Context;
use crate::fault::{Failure, invalid};

/// Refuses an attachment that the role does not allow, where that is required.
pub(super) async fn check(context: &Context, tx: &mut Tx, gateway: &Gateway) -> Result<(), Failure> {
    if context.setup().guard_role == GuardRole::Advised {
        return Ok(());
    }
    match lacking(tx, gateway, context.now).await? {
        None => Ok(()),
        Some(lacking) => Err(invalid(
            "policyEngineConfiguration",
            format!(
                "The role {} cannot have calls decided by the policy engine: it lacks {lacking}. Allow it that in a policy of \
                 the role.",
                gateway.role
            ),
        )),
    }
}

/// What a gateway's status reasons say of it.
pub(super) async fn advice(
    tx: &mut Tx,
    gateway: &Gateway,
    now: Timestamp,
) -> Result<Option<String>, Failure> {
    Ok(lacking(tx, gateway, now).await?.map(|lacking| {
        format!(
            "The role {} lacks {lacking}: on AWS the policy engine could not be attached, and every call would be denied. \
             Calls are decided here.",
            gateway.role
        )
    }))
}

async fn lacking(tx: &mut Tx, gateway: &Gateway, now: Timestamp) -> Result<Option<String>, Failure> {
    let Some(attached) = &gateway.policy else { return Ok(None) };
    let own = Arn::gateway(&gateway.scope, &gateway.id);
    let lacking = RoleAccess::read(tx, gateway).await?.lacks_for_policies(&own, &attached.engine, now);
    Ok((!lacking.is_empty()).then(|| lacking.join(", ")))
}
