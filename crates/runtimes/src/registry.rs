//! What is served: a runtime by an endpoint, as the store has it, remembered until the change feed says that it changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use compute::agents::AgentSpec;
use domain::{
    AgentRuntime, AgentRuntimeEndpoint, AgentRuntimeId, AgentRuntimeVersion, Authorizer, Scope,
    WorkloadIdentity,
};
use identity::Challenge;
use identity::attached::Attached;
use identity::provider::Names;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use quick_cache::sync::Cache;
use store::{Store, StoreError, Tx};
use tokio::sync::OnceCell;

use crate::authenticate::Caller;

/// How many callers of one endpoint are remembered.
const CALLERS: usize = 1_000;
/// How many endpoints are remembered at most.
const MOST: usize = 10_000;

/// One endpoint of a runtime, with the version that it serves.
pub(crate) struct Served {
    pub(crate) runtime: AgentRuntime,
    pub(crate) endpoint: AgentRuntimeEndpoint,
    pub(crate) version: AgentRuntimeVersion,
    /// What the agent is called when it asks for credentials.
    pub(crate) workload: Option<WorkloadIdentity>,
    /// What callers are told who are not accepted.
    pub(crate) challenge: Challenge,
    /// What is attached to the runtime, and to the endpoint.
    pub(crate) attached: [Attached; 2],
    /// What its processes are started with, where it is run here.
    pub(crate) spec: OnceCell<Arc<AgentSpec>>,
    /// Callers whose tokens were verified, by the tokens' hashes.
    pub(crate) callers: Cache<[u8; 32], Arc<Caller>>,
}

/// All that was asked for.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    /// Counts how often something was forgotten, so that what was read before is not kept after.
    epoch: u64,
    served: HashMap<(Scope, AgentRuntimeId), HashMap<String, Arc<Served>>>,
}

impl Registry {
    /// What an endpoint of a runtime serves, if there is such a one and its version is ready.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub(crate) async fn find(
        &self,
        store: &Store,
        names: &Names,
        (scope, id): (&Scope, &AgentRuntimeId),
        endpoint: &str,
    ) -> Result<Option<Arc<Served>>, StoreError> {
        let key = (scope.clone(), id.clone());
        let epoch = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(served) = known.served.get(&key).and_then(|named| named.get(endpoint)) {
                return Ok(Some(Arc::clone(served)));
            }
            known.epoch
        };
        let Some(served) = read(&mut store.read().await?, names, &key, endpoint).await? else {
            return Ok(None);
        };
        let served = Arc::new(served);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.epoch == epoch {
            if known.served.len() >= MOST {
                known.served.clear();
            }
            known.served.entry(key).or_default().insert(endpoint.to_owned(), Arc::clone(&served));
        }
        Ok(Some(served))
    }

    /// Forgets a runtime, because it or something of it changed.
    pub(crate) fn forget(&self, scope: &Scope, id: &AgentRuntimeId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.epoch += 1;
        known.served.remove(&(scope.clone(), id.clone()));
    }

    /// Forgets everything.
    pub(crate) fn forget_all(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.epoch += 1;
        known.served.clear();
    }
}

async fn read(
    tx: &mut Tx,
    names: &Names,
    (scope, id): &(Scope, AgentRuntimeId),
    endpoint: &str,
) -> Result<Option<Served>, StoreError> {
    let Some(runtime) = tx.agent_runtime(scope, id).await? else { return Ok(None) };
    let Some(endpoint) = tx.agent_runtime_endpoint(scope, id, endpoint).await? else { return Ok(None) };
    let Some(live) = endpoint.live else { return Ok(None) };
    let Some(version) = tx.agent_runtime_version(scope, id, live).await? else { return Ok(None) };
    let workload = tx.workload_identity(scope, id.as_str()).await?;
    let own = runtime.arn();
    let workload = workload.filter(|workload| workload.linked_to.as_ref() == Some(&own));
    let challenge = challenge(tx, names, &runtime, &endpoint, &version).await?;
    let attached = [Attached::read(tx, &own).await?, Attached::read(tx, &endpoint.arn()).await?];
    let (spec, callers) = (OnceCell::new(), Cache::new(CALLERS));
    Ok(Some(Served { runtime, endpoint, version, workload, challenge, attached, spec, callers }))
}

async fn challenge(
    tx: &mut Tx,
    names: &Names,
    runtime: &AgentRuntime,
    endpoint: &AgentRuntimeEndpoint,
    version: &AgentRuntimeVersion,
) -> Result<Challenge, StoreError> {
    let Authorizer::CustomJwt(jwt) = &version.authorizer else { return Ok(Challenge::default()) };
    let local = match names.pool_of_discovery_url(&jwt.discovery_url) {
        Some(pool) => tx.user_pool(&pool).await?.map(|pool| pool.id),
        None => None,
    };
    let arn = runtime.arn();
    let escaped = utf8_percent_encode(arn.as_str(), UNRESERVED);
    let at = format!("{}/runtimes/{escaped}/invocations", names.public_url());
    let qualifier = format!("?qualifier={}", endpoint.name);
    let metadata = format!("{at}/.well-known/oauth-protected-resource{qualifier}");
    Ok(Challenge::of(jwt, &format!("{at}{qualifier}"), &metadata, names, local.as_ref()))
}

/// What is encoded in a segment of a path (RFC 3986, section 2.3): all but the unreserved characters.
const UNRESERVED: &percent_encoding::AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
