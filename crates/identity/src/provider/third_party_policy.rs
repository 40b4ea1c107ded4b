//! What a pool lets third parties do, as its operator sets it.

use domain::{
    Actor, Arn, AuditEvent, AuditKind, Clock, Decision, DocumentHosts, EventId, Outcome, Random, RequestId,
    ResourceServer, ThirdParties, UserPool, UserPoolId,
};
use store::{Page, Store, StoreError};

use super::authorize::STANDARD;

/// The scopes that third parties may ask for where none are named.
const USUAL_SCOPES: [&str; 3] = ["openid", "email", "profile"];

/// What shall be otherwise; what is not given stays.
#[derive(Default)]
pub struct ThirdPartyChange {
    /// Whether clients may register themselves.
    pub registration: Option<bool>,
    /// Whose metadata documents are clients.
    pub documents: Option<DocumentHosts>,
    /// The scopes that such clients may ask for.
    pub scopes: Option<Vec<String>>,
}

/// Changes what a pool lets third parties do, and leaves an audit event; gives what holds now. Without a change nothing is
/// written.
///
/// # Errors
/// [`ThirdPartyError`]; then nothing has changed.
pub async fn change_third_parties(
    store: &Store,
    clock: &dyn Clock,
    random: &dyn Random,
    pool: &UserPoolId,
    change: ThirdPartyChange,
) -> Result<ThirdParties, ThirdPartyError> {
    let unknown = || ThirdPartyError::UnknownPool(pool.clone());
    if change.registration.is_none() && change.documents.is_none() && change.scopes.is_none() {
        return Ok(store.read().await?.user_pool(pool).await?.ok_or_else(unknown)?.third_parties);
    }
    let mut tx = store.begin().await?;
    let mut found = tx.user_pool(pool).await?.ok_or_else(unknown)?;
    let servers = tx.resource_servers(pool, Page::ALL).await?;
    let rules = &mut found.third_parties;
    rules.registration = change.registration.unwrap_or(rules.registration);
    if let Some(documents) = change.documents {
        rules.documents = documents;
    }
    if let Some(scopes) = change.scopes {
        let exists = |scope: &String| {
            (STANDARD.contains(&scope.as_str()) && scope != super::user_tokens::OF_THE_API)
                || servers.iter().flat_map(ResourceServer::scope_names).any(|known| known == *scope)
        };
        if let Some(unknown) = scopes.iter().find(|scope| !exists(scope)) {
            return Err(ThirdPartyError::UnknownScope(unknown.clone()));
        }
        rules.scopes = scopes;
    } else if rules.scopes.is_empty() {
        rules.scopes = USUAL_SCOPES.map(str::to_owned).to_vec();
    }
    found.updated_at = clock.now();
    tx.update_user_pool(&mut found).await?;
    tx.commit(&event(&found, clock, random)).await?;
    Ok(found.third_parties)
}

fn event(pool: &UserPool, clock: &dyn Clock, random: &dyn Random) -> AuditEvent {
    AuditEvent {
        event_id: EventId::mint(random),
        time: clock.now(),
        kind: AuditKind::Control,
        scope: pool.scope.clone(),
        actor: Actor::System,
        source_ip: None,
        action: "pool.third-parties".to_owned(),
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

/// Why it was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ThirdPartyError {
    /// There is no such pool.
    #[error("there is no user pool {0}: `aws cognito-idp list-user-pools` lists those of an account")]
    UnknownPool(UserPoolId),
    /// The pool has no such scope, or not for strangers.
    #[error(
        "third parties cannot have the scope `{0}`: name openid, email, phone, profile, or a scope of one of the pool's resource servers"
    )]
    UnknownScope(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
