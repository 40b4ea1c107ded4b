//! Whose keys verify a token: the issuer behind a discovery URL.
//!
//! A discovery URL that names a pool of our own is resolved in this process, whatever host it is written with; any
//! other is fetched. What is fetched is fresh for ten minutes and usable for an hour when the issuer is down; each
//! issuer is asked by one request at a time; a token with an unknown `kid` may cause a new fetch, at most one in thirty
//! seconds, so that forged tokens cannot make Portcullis hammer an issuer.

mod discovery;
mod inspection;
mod remote;
mod trusted;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{Clock, JwtAuthorizer, Timestamp, UserPoolId};
use egress::{Client, EgressError};
use quick_cache::sync::Cache;
use store::{Store, StoreError};
use tokio::sync::Mutex as AsyncMutex;

use crate::provider::Names;
use crate::token::{self, Claims, Jws, KeySet, TokenError};
pub use discovery::DiscoveryError;
pub(crate) use discovery::is_of_issuer;
pub use inspection::{Finding, Inspection, Outcome, Step};
use inspection::{Judged, Notes, Strict, Witness};
use remote::Remote;
pub use trusted::claimed_issuer;

/// How many issuers elsewhere are remembered: discovery URLs are tenants' to choose.
const MOST_REMOTES: usize = 1_000;
/// How long after a look into the store an unknown key may cause the next, for each pool.
const POOL_PAUSE: Duration = Duration::from_secs(1);

/// All issuers that some authorizer trusts.
pub struct Issuers {
    store: Store,
    client: Client,
    clock: Arc<dyn Clock>,
    names: Arc<Names>,
    remotes: Cache<String, Arc<Remote>>,
    pools: Mutex<Pools>,
    /// When the store was last looked at for each pool because a key was not found. Held by the one who looks.
    looks: AsyncMutex<HashMap<UserPoolId, Timestamp>>,
}

/// The keys of pools that were asked for lately.
#[derive(Default)]
struct Pools {
    /// Counts how often something was forgotten, so that keys that were read before are not kept after: one of them may
    /// have been revoked.
    epoch: u64,
    keys: HashMap<UserPoolId, Arc<Keys>>,
}

/// The keys of an issuer, and the names under which it issues.
pub(crate) struct Keys {
    pub(crate) issuers: Vec<String>,
    pub(crate) set: KeySet,
    /// Where tokens are to be had, as far as the issuer says.
    pub(crate) token_endpoint: Option<String>,
}

impl Keys {
    fn issued(&self, claims: &Claims) -> Result<(), TokenError> {
        if self.issuers.contains(&claims.issuer) {
            Ok(())
        } else {
            Err(TokenError::Claim("iss", "not the issuer behind the discovery URL"))
        }
    }
}

impl Issuers {
    /// Issuers whose documents are fetched through `client`.
    #[must_use]
    pub fn new(store: Store, client: Client, clock: Arc<dyn Clock>, names: Arc<Names>) -> Self {
        let remotes = Cache::new(MOST_REMOTES);
        Self { store, client, clock, names, remotes, pools: Mutex::default(), looks: AsyncMutex::default() }
    }

    /// Proves that a token was signed by the issuer behind a discovery URL, and is valid now.
    ///
    /// # Errors
    /// [`VerifyError::Token`] when it is not; [`VerifyError::Issuer`] when the issuer's keys cannot be had, so that
    /// nothing can be said about the token.
    pub async fn verify(&self, discovery_url: &str, token: &str) -> Result<Claims, VerifyError> {
        let judged = self.judge(discovery_url, token, &mut Strict).await?;
        // Who is strict gets claims or an error.
        judged.claims.ok_or_else(|| TokenError::Malformed("it has no claims").into())
    }

    /// Looks at a token as [`Issuers::verify`] and [`token::check`](crate::token::check) do, goes on after what fails, and
    /// tells everything. For the person who debugs: the findings hold what the token claims.
    pub async fn inspect(&self, authorizer: &JwtAuthorizer, token: &str) -> Inspection {
        let mut notes = Notes::default();
        let judged = self.judge(&authorizer.discovery_url, token, &mut notes).await;
        let mut judged = judged.unwrap_or_default();
        if judged.claims.is_none() && judged.keys.is_none() {
            // What is no token may have come from somewhere else than the issuer's token endpoint.
            judged.keys = self.keys(&authorizer.discovery_url).await.ok();
        }
        Inspection::new(notes, judged, authorizer)
    }

    /// The one way in which a token is judged. The witness says whether to go on after a step that failed.
    async fn judge(
        &self,
        discovery_url: &str,
        token: &str,
        witness: &mut impl Witness,
    ) -> Result<Judged, VerifyError> {
        let mut judged = Judged::default();
        let Some(jws) = witness.saw(Step::Form, Jws::parse(token))? else { return Ok(judged) };
        if let Some(keys) = witness.saw(Step::Keys, self.keys(discovery_url).await)? {
            let proven = self.prove(discovery_url, &jws, &keys).await;
            judged.keys = Some(witness.saw(Step::Signature, proven)?.unwrap_or(keys));
        }
        let Some(all) = witness.saw(Step::Payload, token::object(&jws.payload))? else { return Ok(judged) };
        for (name, outcome) in token::standing(&all, self.clock.now()) {
            witness.saw(Step::Claim(name), outcome)?;
        }
        let claims = Claims::of(all);
        if let Some(keys) = &judged.keys {
            witness.saw(Step::Issuer, keys.issued(&claims))?;
        }
        judged.claims = Some(claims);
        Ok(judged)
    }

    /// Proves a signature with these keys, or with newer ones when none of them fits; gives those that did.
    async fn prove(
        &self,
        discovery_url: &str,
        jws: &Jws<'_>,
        keys: &Arc<Keys>,
    ) -> Result<Arc<Keys>, TokenError> {
        match keys.set.verify(jws) {
            Ok(()) => Ok(Arc::clone(keys)),
            Err(TokenError::UnknownKey) => {
                let newer = self.newer_keys(discovery_url, keys).await.ok_or(TokenError::UnknownKey)?;
                newer.set.verify(jws)?;
                Ok(newer)
            }
            Err(error) => Err(error),
        }
    }

    /// Fetches what the issuer behind a discovery URL publishes, to see whether it can be had.
    ///
    /// # Errors
    /// [`IssuerError`] when it cannot.
    pub async fn probe(&self, discovery_url: &str) -> Result<(), IssuerError> {
        self.keys(discovery_url).await.map(|_| ())
    }

    /// Forgets the keys of a pool, because they or the pool changed.
    pub fn forget_pool(&self, pool: &UserPoolId) {
        let mut pools = self.pools();
        pools.epoch += 1;
        pools.keys.remove(pool);
    }

    /// Forgets the keys of all pools.
    pub fn forget_pools(&self) {
        let mut pools = self.pools();
        pools.epoch += 1;
        pools.keys.clear();
    }

    fn pools(&self) -> MutexGuard<'_, Pools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keys(&self, discovery_url: &str) -> Result<Arc<Keys>, IssuerError> {
        match self.local_pool(discovery_url).await? {
            Some(pool) => self.pool_keys(&pool).await,
            None => self.remote(discovery_url).keys().await,
        }
    }

    /// Keys that are newer than those that did not fit, if there are any and they can be had.
    async fn newer_keys(&self, discovery_url: &str, known: &Arc<Keys>) -> Option<Arc<Keys>> {
        match self.local_pool(discovery_url).await.ok()? {
            Some(pool) => self.newer_pool_keys(&pool, known).await,
            None => self.remote(discovery_url).newer_keys(known).await,
        }
    }

    /// The pool of our own that a discovery URL names. AWS-shaped URLs are ours only if the pool is.
    async fn local_pool(&self, discovery_url: &str) -> Result<Option<UserPoolId>, IssuerError> {
        let Some(pool) = self.names.pool_of_discovery_url(discovery_url) else { return Ok(None) };
        if self.pools().keys.contains_key(&pool) {
            return Ok(Some(pool));
        }
        let known = self.store.read().await?.user_pool(&pool).await?;
        Ok(known.map(|pool| pool.id))
    }

    async fn pool_keys(&self, pool: &UserPoolId) -> Result<Arc<Keys>, IssuerError> {
        let known = self.pools().keys.get(pool).map(Arc::clone);
        match known {
            Some(known) => Ok(known),
            None => self.read_pool_keys(pool).await,
        }
    }

    /// The change feed tells of new keys; it may be a moment behind a token that was just signed. So the store is looked
    /// at, but not for every forged token.
    async fn newer_pool_keys(&self, pool: &UserPoolId, known: &Arc<Keys>) -> Option<Arc<Keys>> {
        let mut looks = self.looks.lock().await;
        let present = self.pool_keys(pool).await.ok()?;
        if !Arc::ptr_eq(&present, known) {
            return Some(present);
        }
        let now = self.clock.now();
        if looks.get(pool).is_some_and(|last| now.since(*last) < POOL_PAUSE) {
            return None;
        }
        looks.insert(pool.clone(), now);
        self.read_pool_keys(pool).await.ok()
    }

    async fn read_pool_keys(&self, pool: &UserPoolId) -> Result<Arc<Keys>, IssuerError> {
        let epoch = self.pools().epoch;
        let mut tx = self.store.read().await?;
        let region = tx.user_pool(pool).await?.map(|pool| pool.scope.region);
        let published = tx.signing_keys(pool).await?;
        let set = KeySet::of_rsa(
            published.iter().map(|key| (key.id.as_str(), key.modulus.as_str(), key.exponent.as_str())),
        );
        let issuers = self.names.issuers_of(pool, region.as_ref());
        let token_endpoint = Some(format!("{}/oauth2/token", self.names.public(pool)));
        let keys = Arc::new(Keys { issuers, set, token_endpoint });
        let mut pools = self.pools();
        if pools.epoch == epoch {
            pools.keys.insert(pool.clone(), Arc::clone(&keys));
        }
        Ok(keys)
    }

    fn remote(&self, discovery_url: &str) -> Arc<Remote> {
        let found = self.remotes.get_or_insert_with::<_, Infallible>(discovery_url, || {
            let clock = Arc::clone(&self.clock);
            Ok(Arc::new(Remote::new(discovery_url.to_owned(), self.client.clone(), clock)))
        });
        match found {
            Ok(remote) => remote,
            Err(never) => match never {},
        }
    }
}

/// Why an issuer's keys cannot be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IssuerError {
    /// Its documents cannot be fetched.
    #[error("`{url}` cannot be fetched: {cause}")]
    Unreachable {
        /// What was fetched.
        url: String,
        /// Why it could not be.
        cause: Arc<EgressError>,
    },
    /// Its documents are not what they must be.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The store failed.
    #[error(transparent)]
    Store(Arc<StoreError>),
}

impl From<StoreError> for IssuerError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// Why a token was not verified.
#[derive(Clone, Debug, thiserror::Error)]
pub enum VerifyError {
    /// The token is not acceptable.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Nothing can be said about the token.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
}
