//! The end of every access token of a workload.

use domain::{
    Actor, AuditEvent, AuditKind, Clock, Decision, EventId, Outcome, Random, RequestId, Scope,
    WorkloadIdentity,
};
use store::{Store, StoreError};

/// Begins the next generation of a workload's access tokens, and leaves an audit event. Those of the former ones open nothing
/// from now on, on every server; the workload and whoever may get tokens for it stay.
///
/// # Errors
/// [`RevocationError`]; then nothing has changed.
pub async fn revoke_tokens(
    store: &Store,
    clock: &dyn Clock,
    random: &dyn Random,
    scope: &Scope,
    name: &str,
) -> Result<WorkloadIdentity, RevocationError> {
    let mut tx = store.begin().await?;
    let found = tx.workload_identity(scope, name).await?;
    let mut identity =
        found.ok_or_else(|| RevocationError::Unknown { name: name.to_owned(), scope: scope.clone() })?;
    identity.generation += 1;
    tx.update_workload_identity(&mut identity).await?;
    let event = AuditEvent {
        event_id: EventId::mint(random),
        time: clock.now(),
        kind: AuditKind::Control,
        scope: scope.clone(),
        actor: Actor::System,
        source_ip: None,
        action: "identity.revoke".to_owned(),
        resource: Some(identity.arn().to_string()),
        tool: None,
        decision: Decision::None,
        policies: Vec::new(),
        reason: None,
        log_only: None,
        outcome: Outcome::Success,
        error: None,
        latency_us: 0,
        request_id: RequestId::mint(random),
    };
    tx.commit(&event).await?;
    Ok(identity)
}

/// Why the tokens of a workload were not revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevocationError {
    /// There is no such workload identity.
    #[error(
        "there is no workload identity {name} in {} of {}: `aws bedrock-agentcore-control list-workload-identities` lists those there are",
        scope.region,
        scope.account
    )]
    Unknown {
        /// The name.
        name: String,
        /// Where it was looked for.
        scope: Scope,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
