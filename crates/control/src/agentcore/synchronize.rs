//! The work behind a target that is CREATING, UPDATING or SYNCHRONIZING: its upstream is asked for what it lists, and
//! what differs from what is in force is held where tools are pinned.

use domain::{
    Arn, AuditEvent, GatewayId, Listing, McpServer, Scope, Settled, Target, TargetId, Timestamp, Upstream,
};

use super::listing::{self, Found};
use super::policy_impact;
use super::target_upstream::lists_itself;
use crate::fault::Failure;
use crate::pinning::{self, Pins};
use crate::plane::ControlPlane;
use crate::settle::system_event;

/// Does what is left to do after a target was created, changed or synchronised.
pub(crate) async fn settle_target(
    plane: &ControlPlane,
    scope: &Scope,
    gateway: &GatewayId,
    id: &TargetId,
) -> Result<(), Failure> {
    let setup = &plane.setup;
    let Some(read) = setup.store.read().await?.target(scope, gateway, id).await? else { return Ok(()) };
    let found = listing::of_upstream(plane, &read).await;
    let mut tx = setup.store.begin().await?;
    let Some(mut target) = tx.target(scope, gateway, id).await? else { return Ok(()) };
    if !target.status.is_transitional() || target.revision != read.revision {
        return Ok(());
    }
    // What documents give is held by the change itself, before anything is read.
    let by_update = !lists_itself(&target.upstream)
        && target.held.as_ref().is_some_and(|held| held.since == target.updated_at);
    let held_before = target.held.clone();
    let before = target.clone();
    take_in(&mut target, found, setup.pins, setup.clock.now())?;
    let mut note = None;
    if let Some(owner) = tx.gateway(scope, gateway).await? {
        let impact = policy_impact::of_change(&mut tx, &owner, Some(&before), Some(&target)).await?;
        target.status_reasons.extend(impact.reasons());
        let approval = policy_impact::of_approval(&mut tx, &owner, &target).await?;
        target.status_reasons.extend(approval.warnings());
        note = impact.note().or_else(|| approval.note());
    }
    let arn = Arn::target(scope, gateway, id);
    let mut event = AuditEvent { reason: note, ..system_event(plane, scope, "target.settle", &arn) };
    if by_update || target.held != held_before {
        event.action = "target.hold".to_owned();
        let held = pinning::summary(&target).into_iter().chain(event.reason);
        event.reason = Some(held.collect::<Vec<_>>().join(" ")).filter(|reason| !reason.is_empty());
    }
    tx.update_target(&mut target).await?;
    tx.commit(&event).await?;
    Ok(())
}

/// Puts what was found into the target. What its settings had to say stands first in the reasons, what the upstream is
/// about after it, and what is held last.
fn take_in(
    target: &mut Target,
    found: Result<Found, String>,
    pins: Pins,
    now: Timestamp,
) -> Result<(), Failure> {
    target.status_reasons.retain(|reason| !pinning::is_about_held(reason));
    // An upstream that is asked at every call need not be there now.
    let dynamic = matches!(target.upstream, Upstream::Mcp(McpServer { listing: Listing::Dynamic, .. }));
    match found {
        Ok(found) => {
            target.status = target.status.settle(Settled::Well)?;
            target.status_reasons.extend(found.remarks);
            if let Some(listed) = found.listed {
                let known = target.last_synchronized_at.is_some();
                if known && !dynamic && pins != Pins::Off {
                    pinning::put(target, listed.tools, now);
                } else {
                    target.tools = listed.tools;
                    target.held = None;
                }
                target.offers = listed.offers;
                target.last_synchronized_at = Some(now);
            }
        }
        Err(reason) => {
            let how = if dynamic { Settled::Well } else { Settled::Badly };
            target.status = target.status.settle(how)?;
            target.status_reasons.push(reason);
        }
    }
    target.status_reasons.extend(pinning::summary(target));
    Ok(())
}
