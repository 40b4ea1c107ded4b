//! Since when a gateway's policies are the ones that they are.
//!
//! What was decided before the last change was decided by other policies, and says nothing about those that shall bind. So
//! calls are counted from that change on: of a policy, of which gateways the engine guards and how, or the removal of a
//! policy, of which only the audit trail knows.

use domain::{Arn, Decision, Gateway, Outcome, PolicyEngineId, Scope, Timestamp};
use store::{AuditFilter, Page, Store, Tx};

use crate::terminal::{Failure, visible};

/// How many events are looked at in one reading.
const BATCH: i64 = 1_000;
/// How the audit trail calls the end of a policy.
const REMOVAL: &str = "DeletePolicy";

/// A change of what decides, and what it was.
pub(super) struct LastChange {
    pub(super) at: Timestamp,
    pub(super) what: String,
}

/// The last change before which nothing is to be counted; `None` where there was none after `since`.
pub(super) async fn last_change(
    store: &Store,
    tx: &mut Tx,
    gateway: &Gateway,
    engine: &PolicyEngineId,
    since: Timestamp,
) -> Result<Option<LastChange>, Failure> {
    let scope = &gateway.scope;
    let mut changes = vec![LastChange { at: gateway.updated_at, what: "the gateway was changed".to_owned() }];
    for policy in tx.policies(scope, engine, Page::ALL).await? {
        let what = format!("the policy {} was written or changed", visible(&policy.name));
        changes.push(LastChange { at: policy.updated_at, what });
    }
    let last = changes.into_iter().max_by_key(|change| change.at).filter(|change| change.at > since);
    let from = last.as_ref().map_or(since, |change| change.at);
    let removed = last_removal(store, scope, engine, from).await?;
    Ok(removed.map(|at| LastChange { at, what: "a policy was deleted".to_owned() }).or(last))
}

/// When a policy of the engine was deleted last, after `from`.
async fn last_removal(
    store: &Store,
    scope: &Scope,
    engine: &PolicyEngineId,
    from: Timestamp,
) -> Result<Option<Timestamp>, Failure> {
    let policies = format!("{}/policy/", Arn::policy_engine(scope, engine));
    let account = Some(scope.account.to_string());
    let mut filter =
        AuditFilter { after: store.place_before(from).await?, account, ..AuditFilter::default() };
    let mut last = None;
    loop {
        let events = store.events(&filter, BATCH).await?;
        let Some(end) = events.last() else { return Ok(last) };
        filter.after = end.seq;
        let removals = events.iter().map(|stored| &stored.event).filter(|event| {
            event.action.rsplit(':').next() == Some(REMOVAL)
                && event.decision == Decision::Allow
                && event.outcome == Outcome::Success
                && event.time > from
                && event.resource.as_ref().is_some_and(|resource| resource.starts_with(&policies))
        });
        last = removals.map(|event| event.time).chain(last).max();
    }
}
