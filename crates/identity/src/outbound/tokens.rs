//! One token, remembered until shortly before its end and asked for by one request at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{Secret, Timestamp};
use tokio::sync::Mutex as AsyncMutex;

use super::Refusal;
use super::endpoint::Servers;
use super::party::{Party, PartyKey};
use super::vault::Held;

/// How long before its end a token is no longer used, at most; of short-lived ones it is a tenth of their life.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a token is used whose server does not say how long it lives.
const ASSUMED_LIFE: Duration = Duration::from_secs(5 * 60);
/// How long a token is used at most, however long it lives.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after a failure the next attempt waits.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);
/// How old a token must be to be replaced because it was refused where it was shown.
pub(super) const REFUSED_PAUSE: Duration = Duration::from_secs(5);

/// What tells the tokens of a provider apart.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct TokenKey {
    pub(super) scopes: Vec<String>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) party: Option<PartyKey>,
}

/// A token as its server gave it.
pub(super) struct Issued {
    pub(super) secret: Secret,
    /// When it ends, as far as its server said.
    pub(super) expires: Option<Timestamp>,
    /// What another one is got with, when a person consented.
    pub(super) refresh: Option<Secret>,
    pub(super) asked: Timestamp,
    usable_until: Timestamp,
}

impl Issued {
    /// A token that was asked for at a moment, and lives so long from then on.
    pub(super) fn new(secret: Secret, asked: Timestamp, life: Option<Duration>) -> Self {
        let used = match life {
            Some(life) => life.saturating_sub(MARGIN.min(life / 10)).min(LONGEST_LIFE),
            None => ASSUMED_LIFE,
        };
        let expires = life.map(|life| asked.plus(life));
        Self { secret, expires, refresh: None, asked, usable_until: asked.plus(used) }
    }
}

/// Where a token is kept.
#[derive(Default)]
pub(super) struct Slot {
    known: Mutex<Known>,
    /// Held by the one who asks.
    asking: Arc<AsyncMutex<()>>,
}

#[derive(Default)]
struct Known {
    token: Option<Arc<Issued>>,
    failure: Option<(Refusal, Timestamp)>,
}

impl Slot {
    pub(super) async fn token(
        self: Arc<Self>,
        held: &Arc<Held>,
        (key, party): (TokenKey, Party),
        servers: &Arc<Servers>,
    ) -> Result<Arc<Issued>, Refusal> {
        if let Some(token) = self.usable(servers.clock.now()) {
            return Ok(token);
        }
        let turn = Arc::clone(&self.asking).lock_owned().await;
        // Somebody else may have got it, or failed, while this one waited for its turn.
        let now = servers.clock.now();
        if let Some(token) = self.usable(now) {
            return Ok(token);
        }
        if let Some(failure) = self.recent_failure(now) {
            return Err(failure);
        }
        // In a task of its own: it must not end with the caller that caused it, or each of those who hang up could make
        // Portcullis ask again.
        let (slot, held, servers) = (self, Arc::clone(held), Arc::clone(servers));
        let asking = tokio::spawn(async move {
            let got = servers.token(&held, &key, &party).await.map(Arc::new);
            slot.settle(&held, &got, servers.clock.now());
            drop(turn);
            got
        });
        asking.await.unwrap_or(Err(Refusal::Interrupted))
    }

    fn settle(&self, held: &Held, got: &Result<Arc<Issued>, Refusal>, now: Timestamp) {
        let mut known = self.known();
        match got {
            Ok(token) => *known = Known { token: Some(Arc::clone(token)), failure: None },
            Err(refusal) => {
                tracing::warn!(provider.arn = %held.provider.arn(), error = %refusal, "A token cannot be had.");
                // From its end, because a server may take longer to fail than the pause lasts.
                known.failure = Some((refusal.clone(), now));
            }
        }
    }

    /// Forgets a token that was refused where it was shown; answers whether another may be had.
    pub(super) fn forget(&self, refused: &Secret, now: Timestamp) -> bool {
        let mut known = self.known();
        match &known.token {
            Some(token) if !token.secret.same_as(refused) => true,
            Some(token) if now.since(token.asked) < REFUSED_PAUSE => false,
            _ => {
                known.token = None;
                true
            }
        }
    }

    pub(super) fn remembered(&self) -> Option<Secret> {
        self.known().token.as_ref().map(|token| token.secret.clone())
    }

    pub(super) fn usable(&self, now: Timestamp) -> Option<Arc<Issued>> {
        self.known().token.as_ref().filter(|token| now < token.usable_until).map(Arc::clone)
    }

    fn recent_failure(&self, now: Timestamp) -> Option<Refusal> {
        let known = self.known();
        let (refusal, at) = known.failure.as_ref()?;
        (now.since(*at) < FAILURE_PAUSE).then(|| refusal.clone())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
