//! The keys that a pool signs with, over time.
//!
//! After a rotation the new key signs, and what the former ones signed still verifies: wait for as long as an access
//! token lives, at most a day, and revoke them. After a key was stolen, rotate and revoke at once: clients then ask for
//! new tokens.

use std::time::Duration;

use domain::{
    Actor, Arn, AuditEvent, AuditKind, Clock, Decision, EventId, Outcome, Random, RequestId, UserPool,
    UserPoolId,
};
use store::{Store, StoreError};

use super::signer::{KeyGenerationError, generate_key};

/// The keys of a pool after they changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolKeys {
    /// `kid` of the key that signs.
    pub signing: String,
    /// `kid` of each key that signed before, the latest first: still published after a rotation, gone after a
    /// revocation.
    pub former: Vec<String>,
}

/// Gives a pool a new key to sign with, and leaves an audit event. Every server learns of it by the change feed.
///
/// # Errors
/// [`PoolKeysError`]; then nothing has changed.
pub async fn rotate_key(
    store: &Store,
    clock: &dyn Clock,
    random: &dyn Random,
    pool: &UserPoolId,
) -> Result<PoolKeys, PoolKeysError> {
    let unknown = || PoolKeysError::UnknownPool(pool.clone());
    let found = store.read().await?.user_pool(pool).await?.ok_or_else(unknown)?;
    // Before the transaction, because it takes a while and writers take turns.
    let mut key = generate_key(random, pool, clock.now())?;
    let mut tx = store.begin().await?;
    tx.user_pool(pool).await?.ok_or_else(unknown)?;
    let former = tx.signing_keys(pool).await?;
    // The newest key signs, also where two are made in one millisecond or the clock was set back.
    if let Some(latest) = former.first() {
        key.created_at = key.created_at.max(latest.created_at.plus(Duration::from_millis(1)));
    }
    tx.insert_signing_key(&found.scope, &key).await?;
    tx.commit(&event("pool.rotate-key", &found, clock, random)).await?;
    Ok(PoolKeys { signing: key.id, former: former.into_iter().map(|key| key.id).collect() })
}

/// Takes away every key of a pool but the one that signs: what they signed verifies no more.
///
/// # Errors
/// [`PoolKeysError`]; then nothing has changed.
pub async fn revoke_former_keys(
    store: &Store,
    clock: &dyn Clock,
    random: &dyn Random,
    pool: &UserPoolId,
) -> Result<PoolKeys, PoolKeysError> {
    let mut tx = store.begin().await?;
    let unknown = || PoolKeysError::UnknownPool(pool.clone());
    let found = tx.user_pool(pool).await?.ok_or_else(unknown)?;
    let mut keys = tx.signing_keys(pool).await?.into_iter().map(|key| key.id);
    let signing = keys.next().ok_or_else(|| PoolKeysError::NoKey(pool.clone()))?;
    let former: Vec<_> = keys.collect();
    for key in &former {
        tx.delete_signing_key(&found.scope, pool, key).await?;
    }
    tx.commit(&event("pool.revoke-former-keys", &found, clock, random)).await?;
    Ok(PoolKeys { signing, former })
}

fn event(action: &str, pool: &UserPool, clock: &dyn Clock, random: &dyn Random) -> AuditEvent {
    AuditEvent {
        event_id: EventId::mint(random),
        time: clock.now(),
        kind: AuditKind::Control,
        scope: pool.scope.clone(),
        actor: Actor::System,
        source_ip: None,
        action: action.to_owned(),
        resource: Some(Arn::user_pool(&pool.scope, &pool.id).to_string()),
        tool: None,
        decision: Decision::None,
        policies: Vec::new(),
        reason: None,
        log_only: None,
        outcome: Outcome::Success,
        error: None,
        latency_us: 0,
        request_id: RequestId::mint(random),
    }
}

/// Why the keys of a pool were not changed.
#[derive(Debug, thiserror::Error)]
pub enum PoolKeysError {
    /// There is no such pool.
    #[error("there is no user pool {0}: `aws cognito-idp list-user-pools` lists those of an account")]
    UnknownPool(UserPoolId),
    /// The pool has no key that signs.
    #[error("the user pool {0} has no key: rotate first")]
    NoKey(UserPoolId),
    /// No key was made.
    #[error(transparent)]
    Generation(#[from] KeyGenerationError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
