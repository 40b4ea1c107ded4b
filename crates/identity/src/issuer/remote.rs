//! An issuer elsewhere: its keys are fetched, remembered, and fetched again by one request at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Clock, Timestamp};
use egress::{Client, EgressError};
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::discovery::{DiscoveryError, Metadata};
use super::{IssuerError, Keys};
use crate::token::KeySet;

/// How long what was fetched is used without a question.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// How long it is used when the issuer is down.
const STALE: Duration = Duration::from_secs(60 * 60);
/// How long after a fetch an unknown key may cause the next.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(30);
/// How long after a failure the next attempt waits.
const FAILURE_PAUSE: Duration = Duration::from_secs(5);
/// The largest document that is read, in bytes.
const MAX_DOCUMENT: usize = 512 * 1024;
/// How long one document may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Remote {
    discovery_url: String,
    client: Client,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
    /// Held by the one who fetches.
    fetching: Arc<AsyncMutex<()>>,
}

#[derive(Default)]
struct Known {
    keys: Option<Fetched>,
    failure: Option<(IssuerError, Timestamp)>,
}

#[derive(Clone)]
struct Fetched {
    keys: Arc<Keys>,
    /// When they were asked for.
    asked: Timestamp,
}

impl Remote {
    pub(super) fn new(discovery_url: String, client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { discovery_url, client, clock, known: Mutex::default(), fetching: Arc::default() }
    }

    pub(super) async fn keys(self: &Arc<Self>) -> Result<Arc<Keys>, IssuerError> {
        if let Some(keys) = self.younger_than(FRESH) {
            return Ok(keys);
        }
        let turn = match Arc::clone(&self.fetching).try_lock_owned() {
            Ok(turn) => turn,
            Err(_) => match self.younger_than(STALE) {
                // Somebody asks the issuer already; nobody else has to wait for it while they can do without.
                Some(keys) => return Ok(keys),
                None => self.turn().await,
            },
        };
        // Somebody else may have fetched, or failed, while this one waited for its turn.
        if let Some(keys) = self.younger_than(FRESH) {
            return Ok(keys);
        }
        let fetched = match self.recent_failure() {
            Some(failure) => Err(failure),
            None => self.fetch(turn).await,
        };
        fetched.or_else(|failure| self.younger_than(STALE).ok_or(failure))
    }

    /// Fetches again because a key was not found, unless that was done a moment ago. `None` when there is nothing newer.
    pub(super) async fn newer_keys(self: &Arc<Self>, known: &Arc<Keys>) -> Option<Arc<Keys>> {
        let turn = self.turn().await;
        let fetched = self.remembered()?;
        if !Arc::ptr_eq(&fetched.keys, known) {
            return Some(fetched.keys);
        }
        if self.clock.now().since(fetched.asked) < UNKNOWN_KEY_PAUSE || self.recent_failure().is_some() {
            return None;
        }
        self.fetch(turn).await.ok()
    }

    async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.fetching).lock_owned().await
    }

    /// Asks the issuer in a task of its own. It must not end with the caller that caused it: of those who hang up, nothing
    /// would be remembered, and each could make Portcullis ask again.
    async fn fetch(self: &Arc<Self>, turn: OwnedMutexGuard<()>) -> Result<Arc<Keys>, IssuerError> {
        let remote = Arc::clone(self);
        let fetching = tokio::spawn(async move {
            let fetched = remote.ask().await;
            drop(turn);
            fetched
        });
        fetching.await.unwrap_or_else(|error| {
            Err(unreachable(&self.discovery_url, EgressError::Broken(error.to_string())))
        })
    }

    async fn ask(&self) -> Result<Arc<Keys>, IssuerError> {
        let asked = self.clock.now();
        let fetched = self.documents().await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *known = Known { keys: Some(Fetched { keys: Arc::clone(&keys), asked }), failure: None };
                Ok(keys)
            }
            Err(failure) => {
                tracing::warn!(issuer.discovery_url = %self.discovery_url, error = %failure, "An issuer's keys cannot be fetched.");
                // From its end, because an issuer may take longer to fail than the pause lasts.
                known.failure = Some((failure.clone(), self.clock.now()));
                Err(failure)
            }
        }
    }

    async fn documents(&self) -> Result<Keys, IssuerError> {
        let url = &self.discovery_url;
        let metadata = Metadata::read(url, &document(&self.client, url).await?)?;
        let set = document(&self.client, &metadata.jwks_uri).await?;
        let set =
            KeySet::parse(&set).map_err(|error| DiscoveryError::Keys(metadata.jwks_uri.clone(), error))?;
        let token_endpoint = metadata.token_endpoint.as_ref().and_then(Value::as_str).map(str::to_owned);
        Ok(Keys { issuers: vec![metadata.issuer], set, token_endpoint })
    }

    fn recent_failure(&self) -> Option<IssuerError> {
        let failure = self.known.lock().unwrap_or_else(PoisonError::into_inner).failure.clone();
        let now = self.clock.now();
        failure.filter(|(_, at)| now.since(*at) < FAILURE_PAUSE).map(|(failure, _)| failure)
    }

    fn younger_than(&self, age: Duration) -> Option<Arc<Keys>> {
        let now = self.clock.now();
        self.remembered().filter(|fetched| now.since(fetched.asked) < age).map(|fetched| fetched.keys)
    }

    fn remembered(&self) -> Option<Fetched> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).keys.clone()
    }
}

async fn document(client: &Client, url: &str) -> Result<bytes::Bytes, IssuerError> {
    client.fetch(url, MAX_DOCUMENT, PATIENCE).await.map_err(|cause| unreachable(url, cause))
}

fn unreachable(url: &str, cause: EgressError) -> IssuerError {
    IssuerError::Unreachable { url: url.to_owned(), cause: Arc::new(cause) }
}
