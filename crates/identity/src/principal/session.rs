//! Sessions of roles. A session token is the session itself, sealed under the store's data key: nothing is kept, so any
//! replica can open it, and a token that was not sealed here opens nothing.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{AccessKeyId, Caller, Document, Principal, Random, Role, Secret, SessionFacts, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Store, StoreError};

use super::PrincipalError;

/// The purpose that session tokens are sealed for.
const PLACE: &str = "sts|session";
/// The longest token that is looked at.
const MAX_TOKEN: usize = 32 * 1024;

/// What signs for a session.
pub struct Credentials {
    /// The key's public part.
    pub access_key: AccessKeyId,
    /// Its secret part.
    pub secret: Secret,
    /// The token that must go with every call.
    pub session_token: Secret,
    /// When the session ends.
    pub expires_at: Timestamp,
    /// Who signs with it.
    pub caller: Caller,
}

/// How long a session lasts.
#[derive(Clone, Copy, Debug)]
pub struct Lasts {
    /// When it is opened.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

impl Lasts {
    /// So long, from now on.
    #[must_use]
    pub fn from(now: Timestamp, duration: Duration) -> Self {
        Self { from: now, until: now.plus(duration) }
    }
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    secret: String,
    caller: Caller,
}

/// Opens a session of a role. Whether the one who asks may assume the role was decided before.
///
/// # Errors
/// [`StoreError`] when the token cannot be sealed.
pub fn issue(
    store: &Store,
    random: &dyn Random,
    role: &Role,
    session: &str,
    session_policies: Vec<Document>,
    facts: SessionFacts,
    lasts: Lasts,
) -> Result<Credentials, StoreError> {
    let caller = Caller {
        account: role.account.clone(),
        principal: Principal::AssumedRole {
            role: role.name.clone(),
            path: role.path.clone(),
            id: role.id.clone(),
            session: session.to_owned(),
        },
        access_key: AccessKeyId::from_text(""),
        session_policies,
        issued_at: None,
        expires_at: None,
        session: facts,
    };
    issue_again(store, random, &caller, lasts)
}

/// Opens a session like one that is known: of the same role, by the same name, with a key of its own.
///
/// # Errors
/// [`StoreError`] when the token cannot be sealed.
pub fn issue_again(
    store: &Store,
    random: &dyn Random,
    like: &Caller,
    lasts: Lasts,
) -> Result<Credentials, StoreError> {
    const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let access_key = AccessKeyId::mint_temporary(random);
    let caller = Caller {
        access_key: access_key.clone(),
        issued_at: Some(lasts.from),
        expires_at: Some(lasts.until),
        ..like.clone()
    };
    let secret = random.text(40, SECRET);
    let sealed = Sealed { secret: secret.clone(), caller: caller.clone() };
    let plain = serde_json::to_vec(&sealed).map_err(|error| StoreError::Refused(error.to_string()))?;
    let token = STANDARD.encode(store.seal_for(PLACE, &plain)?);
    Ok(Credentials {
        access_key,
        secret: Secret::new(secret),
        session_token: Secret::new(token),
        expires_at: lasts.until,
        caller,
    })
}

/// The session that a token is, if it belongs to this key.
pub(super) fn open(
    store: &Store,
    key: &AccessKeyId,
    token: &str,
) -> Result<(Caller, Secret), PrincipalError> {
    if token.len() > MAX_TOKEN {
        return Err(PrincipalError::Unknown);
    }
    let sealed = STANDARD.decode(token).map_err(|_| PrincipalError::Unknown)?;
    let plain = store.open_for(PLACE, &sealed).map_err(|_| PrincipalError::Unknown)?;
    let session: Sealed = serde_json::from_slice(&plain).map_err(|_| PrincipalError::Unknown)?;
    if session.caller.access_key != *key {
        return Err(PrincipalError::Unknown);
    }
    Ok((session.caller, Secret::new(session.secret)))
}
