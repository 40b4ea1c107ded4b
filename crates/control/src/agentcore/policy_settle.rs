//! The work behind a policy that is CREATING or UPDATING: its statement is checked, and is in force when it is good.

use domain::{Arn, Policy, PolicyEnforcement, PolicyEngineId, PolicyId, PolicyStatus, Scope, Settled};

use super::policy_check::{self, Refusal};
use crate::context::Context;
use crate::fault::Failure;
use crate::plane::ControlPlane;
use crate::settle::{self, Work, system_event};

/// What is left to do after a policy was created or changed: find out whether its statement is good.
pub(crate) async fn settle_policy(
    plane: &ControlPlane,
    scope: &Scope,
    engine: &PolicyEngineId,
    id: &PolicyId,
) -> Result<(), Failure> {
    let store = &plane.setup.store;
    let mut tx = store.read().await?;
    let Some(read) = tx.policy(scope, engine, id).await? else { return Ok(()) };
    if !matches!(read.status, PolicyStatus::Creating | PolicyStatus::Updating) {
        return Ok(());
    }
    let found = if stays_as_it_is(&read) {
        Ok(())
    } else {
        policy_check::check(&plane.schemas, &plane.setup.prover, tx, &read).await
    };
    let mut tx = store.begin().await?;
    let Some(mut policy) = tx.policy(scope, engine, id).await? else { return Ok(()) };
    if policy.revision != read.revision {
        return Ok(());
    }
    match found {
        Ok(()) => {
            policy.status = policy.status.settle(Settled::Well)?;
            policy.in_force = Some(policy.statement.clone());
            policy.enforcement = policy.asked_enforcement;
        }
        Err(Refusal::Unsound(reasons)) => {
            policy.status = policy.status.settle(Settled::Badly)?;
            policy.status_reasons = reasons;
        }
        Err(Refusal::Failed(failure)) => return Err(failure),
    }
    tx.update_policy(&mut policy).await?;
    let arn = Arn::policy(scope, engine, id);
    tx.commit(&system_event(plane, scope, "policy.settle", &arn)).await?;
    Ok(())
}

/// A statement that is in force is not checked again on its way to binding nobody: one that a changed tool has made
/// unreadable can still be taken out of decisions.
fn stays_as_it_is(policy: &Policy) -> bool {
    policy.asked_enforcement == PolicyEnforcement::LogOnly
        && policy.in_force.as_deref() == Some(policy.statement.as_str())
}

pub(super) async fn settle_later(context: &Context, policy: &Policy) {
    let work = Work::Policy(policy.scope.clone(), policy.engine.clone(), policy.id.clone());
    settle::begin(context.plane(), work).await;
}
