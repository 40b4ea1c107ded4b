//! The providers that were asked for lately, each with its tokens. They are read from the store on a miss.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{Arn, CredentialKind, CredentialProvider, Scope, Secret, Timestamp};
use quick_cache::sync::Cache;
use store::Store;
use tokio::sync::Mutex as AsyncMutex;

use super::Refusal;
use super::endpoint::{Found, Servers};
use super::external::read_external;
use super::party::Party;
use super::tokens::{Issued, Slot, TokenKey};

/// How many tokens of one provider are remembered: one for each set of scopes and parameters.
const MOST_TOKENS: usize = 1_000;

pub(super) struct Vault {
    store: Store,
    providers: Mutex<Providers>,
}

#[derive(Default)]
struct Providers {
    /// Counts how often something was forgotten, so that what was read before is not kept after.
    epoch: u64,
    held: HashMap<String, Arc<Held>>,
}

/// A provider with all that was got with it.
pub(super) struct Held {
    pub(super) provider: CredentialProvider,
    pub(super) tags: BTreeMap<String, String>,
    /// Why its secret cannot be used: it is kept elsewhere, or its vault's key hinders.
    pub(super) unusable: Option<Refusal>,
    /// Where its token endpoint is, when that was found out. Locked by the one who finds out.
    pub(super) found: AsyncMutex<Option<Found>>,
    tokens: Cache<TokenKey, Arc<Slot>>,
}

impl Vault {
    pub(super) fn new(store: Store) -> Self {
        Self { store, providers: Mutex::default() }
    }

    pub(super) async fn find(
        &self,
        scope: &Scope,
        kind: CredentialKind,
        name: &str,
    ) -> Result<Option<Arc<Held>>, Refusal> {
        let arn = Arn::credential_provider(scope, kind, name);
        let epoch = {
            let providers = self.providers();
            if let Some(held) = providers.held.get(arn.as_str()) {
                return Ok(Some(Arc::clone(held)));
            }
            providers.epoch
        };
        let mut tx = self.store.read().await?;
        let Some(mut provider) = tx.credential_provider(scope, kind, name).await? else { return Ok(None) };
        let tags = tx.tags(&provider.arn()).await?;
        let mut unusable = None;
        if provider.external.is_none() && provider.secret.is_none() {
            unusable = Some(Refusal::KeyUnusable(tx.vault_obstacle(scope).await?));
        }
        if let Some(external) = &provider.external {
            match read_external(&mut tx, external).await {
                Ok(secret) => provider.secret = Some(secret),
                Err(Refusal::Store(error)) => return Err(Refusal::Store(error)),
                // It is remembered like a secret, and forgotten when the secret changes.
                Err(refusal) => unusable = Some(refusal),
            }
        }
        let mut providers = self.providers();
        // Two may have read at once: their tokens are to be in one place.
        if let Some(held) = providers.held.get(arn.as_str()) {
            return Ok(Some(Arc::clone(held)));
        }
        let held = Arc::new(Held {
            provider,
            tags,
            unusable,
            found: AsyncMutex::default(),
            tokens: Cache::new(MOST_TOKENS),
        });
        if providers.epoch == epoch {
            providers.held.insert(arn.to_string(), Arc::clone(&held));
        }
        Ok(Some(held))
    }

    /// The provider of an ARN, if it was asked for lately.
    pub(super) fn remembered(&self, arn: &Arn) -> Option<Arc<Held>> {
        let (scope, kind, name) = arn.as_credential_provider()?;
        let arn = Arn::credential_provider(&scope, kind, &name);
        self.providers().held.get(arn.as_str()).map(Arc::clone)
    }

    pub(super) fn forget(&self, arn: &Arn) {
        let mut providers = self.providers();
        providers.epoch += 1;
        providers.held.remove(arn.as_str());
    }

    fn providers(&self) -> MutexGuard<'_, Providers> {
        self.providers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// The token for these scopes, parameters and parties; asked for once, however many want it.
    pub(super) async fn token(
        self: &Arc<Self>,
        key: TokenKey,
        party: Party,
        servers: &Arc<Servers>,
    ) -> Result<Arc<Issued>, Refusal> {
        let found = self.tokens.get_or_insert_with::<_, Refusal>(&key, || Ok(Arc::default()));
        found?.token(self, (key, party), servers).await
    }

    /// The token for these, if it is there.
    pub(super) fn known(&self, key: &TokenKey, now: Timestamp) -> Option<Arc<Issued>> {
        self.tokens.get(key)?.usable(now)
    }

    /// Forgets a token that was refused; answers whether another may be had.
    pub(super) fn forget(&self, key: &TokenKey, refused: &Secret, now: Timestamp) -> bool {
        self.tokens.get(key).is_none_or(|slot| slot.forget(refused, now))
    }

    /// The tokens of the client itself that are remembered; what is somebody else's is theirs alone to know.
    pub(super) fn tokens(&self) -> Vec<Secret> {
        let own = self.tokens.iter().filter(|(key, _)| key.party.is_none());
        own.filter_map(|(_, slot)| slot.remembered()).collect()
    }
}
