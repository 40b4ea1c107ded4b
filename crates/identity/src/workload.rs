//! Workload access tokens: a workload and whom it acts for, for an hour.
//!
//! A token is what it says, sealed under the store's data key: nothing is kept of it, any replica can open it, and nobody
//! else can make or read one. It ends with its workload identity, with the next generation of its tokens, or an hour after
//! it was issued. Source: "Get workload access token" of the `AgentCore` developer guide; AWS does not say how long its own
//! tokens live.

mod revocation;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{Scope, Secret, Timestamp, WorkloadIdentity, WorkloadUser};
use serde::{Deserialize, Serialize};
use store::{Store, StoreError};

pub use revocation::{RevocationError, revoke_tokens};

/// How long a token is good for.
pub const LIFE: Duration = Duration::from_secs(60 * 60);
/// The purpose that tokens are sealed for.
const PLACE: &str = "workload|access-token";
/// The longest token that is looked at ("WorkloadIdentityTokenType").
const LONGEST: usize = 131_072;

/// What a token says.
pub struct WorkloadGrant {
    /// The workload, as it is now.
    pub identity: WorkloadIdentity,
    /// For whom it acts.
    pub user: WorkloadUser,
    /// The person's own token, where it is for one who brought it.
    pub token: Option<Secret>,
}

/// Why a token opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadTokenError {
    /// It was not issued here, or to somebody else.
    #[error("it was not issued by this service for your account and region")]
    Unknown,
    /// Its time is over.
    #[error("it has expired: get another one")]
    Expired,
    /// The workload is gone, or its tokens were revoked.
    #[error("its workload identity was deleted, or its tokens were revoked: get another one")]
    Revoked,
    /// Nothing can be said about it now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    scope: Scope,
    name: String,
    id: String,
    generation: i64,
    user: WorkloadUser,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    until: Timestamp,
}

/// Issues a token. Whether the caller may have it was decided before; `token` is the person's own, verified.
///
/// # Errors
/// [`StoreError`] when it cannot be sealed.
pub fn issue(
    store: &Store,
    identity: &WorkloadIdentity,
    user: WorkloadUser,
    token: Option<&Secret>,
    now: Timestamp,
) -> Result<Secret, StoreError> {
    let sealed = Sealed {
        scope: identity.scope.clone(),
        name: identity.name.clone(),
        id: identity.id.clone(),
        generation: identity.generation,
        user,
        token: token.map(|token| token.expose().to_owned()),
        until: now.plus(LIFE),
    };
    let plain = serde_json::to_vec(&sealed).map_err(|error| StoreError::Refused(error.to_string()))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(store.seal_for(PLACE, &plain)?)))
}

/// What a token that a caller of this account and region presents says, as far as it still holds.
///
/// # Errors
/// [`WorkloadTokenError`].
pub async fn open(
    store: &Store,
    scope: &Scope,
    token: &str,
    now: Timestamp,
) -> Result<WorkloadGrant, WorkloadTokenError> {
    if token.len() > LONGEST {
        return Err(WorkloadTokenError::Unknown);
    }
    let sealed = URL_SAFE_NO_PAD.decode(token).map_err(|_| WorkloadTokenError::Unknown)?;
    let plain = store.open_for(PLACE, &sealed).map_err(|_| WorkloadTokenError::Unknown)?;
    let said: Sealed = serde_json::from_slice(&plain).map_err(|_| WorkloadTokenError::Unknown)?;
    if said.scope != *scope {
        return Err(WorkloadTokenError::Unknown);
    }
    if said.until <= now {
        return Err(WorkloadTokenError::Expired);
    }
    let identity = store.read().await?.workload_identity(scope, &said.name).await?;
    let identity = identity
        .filter(|identity| identity.id == said.id && identity.generation == said.generation)
        .ok_or(WorkloadTokenError::Revoked)?;
    Ok(WorkloadGrant { identity, user: said.user, token: said.token.map(Secret::new) })
}
