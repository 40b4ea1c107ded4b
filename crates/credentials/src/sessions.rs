//! Temporary credentials of gateways' roles: sessions as AssumeRole opens them, opened in this process, kept until
//! shortly before they end. What such a session may do is decided where it is shown, by the role's policies of then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws::sigv4;
use domain::{Caller, Random, Timestamp};
use identity::principal::{Lasts, issue_again};
use mask::Mask;
use store::Store;

use crate::Refused;

/// How long a session lasts.
const LIFE: Duration = Duration::from_secs(60 * 60);
/// How long before its end it is no longer used.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// How many are kept, each with its mask.
const MOST: usize = 1_000;

pub(crate) struct Sessions {
    store: Store,
    random: Arc<dyn Random>,
    open: Mutex<HashMap<String, Arc<Session>>>,
}

/// A session that is open.
pub(crate) struct Session {
    pub(crate) credentials: sigv4::Credentials,
    pub(crate) mask: Mask,
    usable_until: Timestamp,
}

impl Sessions {
    pub(crate) fn new(store: Store, random: Arc<dyn Random>) -> Self {
        Self { store, random, open: Mutex::default() }
    }

    /// A session of the role that `caller` is.
    pub(crate) fn of(&self, caller: &Caller, now: Timestamp) -> Result<Arc<Session>, Refused> {
        let name = caller.principal.unique_id(&caller.account);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = open.get(&name).filter(|session| now < session.usable_until) {
            return Ok(Arc::clone(session));
        }
        let issued =
            issue_again(&self.store, &*self.random, caller, Lasts::from(now, LIFE)).map_err(|error| {
                Refused::new(format!("no session of the gateway's role can be opened: {error}"))
            })?;
        let session = Arc::new(Session {
            mask: Mask::new([&issued.secret, &issued.session_token]),
            credentials: sigv4::Credentials {
                access_key_id: issued.access_key.to_string(),
                secret: issued.secret,
                session_token: Some(issued.session_token),
            },
            usable_until: now.plus(LIFE.saturating_sub(MARGIN)),
        });
        if open.len() >= MOST {
            open.clear();
        }
        open.insert(name, Arc::clone(&session));
        Ok(session)
    }
}
