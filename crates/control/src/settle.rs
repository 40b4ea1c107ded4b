//! Work that goes on after the answer: a resource that is CREATING or UPDATING becomes what it shall be.
//!
//! The work is done at once, in the background, and mostly ends before the caller asks again. What a crash interrupts is
//! found by its status at the next start and done then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{
    AgentRuntimeId, Arn, AuditEvent, GatewayId, PolicyEngineId, PolicyGenerationId, PolicyId, Scope, TargetId,
};

use tokio::sync::Semaphore;

use crate::{ControlPlane, agentcore};

/// How long the answer waits for the work: long enough for what needs no network, so that the first poll finds it done.
const GRACE: Duration = Duration::from_millis(250);

/// How often it is tried to take up what was left behind, while the database does not say whether others do it, and how long
/// between.
const TRIES: usize = 5;
const AGAIN: Duration = Duration::from_secs(1);

/// How much of what was left behind is done at once.
const AT_ONCE: usize = 8;

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Gateway(Scope, GatewayId),
    Target(Scope, GatewayId, TargetId),
    Engine(Scope, PolicyEngineId),
    Policy(Scope, PolicyEngineId, PolicyId),
    Generation(Scope, PolicyEngineId, PolicyGenerationId),
    AgentRuntime(Scope, AgentRuntimeId),
    AgentRuntimeEndpoint(Scope, AgentRuntimeId, String),
}

impl Work {
    /// Its name among the works of all replicas.
    fn name(&self) -> String {
        let of = |scope: &Scope| format!("{}/{}", scope.account, scope.region);
        match self {
            Self::Gateway(scope, id) => format!("gateway/{}/{id}", of(scope)),
            Self::Target(scope, gateway, id) => format!("target/{}/{gateway}/{id}", of(scope)),
            Self::Engine(scope, id) => format!("policy-engine/{}/{id}", of(scope)),
            Self::Policy(scope, engine, id) => format!("policy/{}/{engine}/{id}", of(scope)),
            Self::Generation(scope, engine, id) => format!("policy-generation/{}/{engine}/{id}", of(scope)),
            Self::AgentRuntime(scope, id) => format!("agent-runtime/{}/{id}", of(scope)),
            Self::AgentRuntimeEndpoint(scope, id, name) => {
                format!("agent-runtime-endpoint/{}/{id}/{name}", of(scope))
            }
        }
    }
}

/// Why a piece of work is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Something was just asked for.
    Begun,
    /// Nobody seems to do it.
    LeftBehind,
}

/// What this process does in the background, by name, and how many times at once.
#[derive(Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<HashMap<String, usize>>>);

impl UnderWay {
    /// Begins a piece of work, but not one that was left behind and is under way after all.
    fn enter(&self, name: &str, cause: Cause) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cause == Cause::LeftBehind && all.contains_key(name) {
            return false;
        }
        *all.entry(name.to_owned()).or_default() += 1;
        true
    }

    /// Ends it; gives whether nobody here does the same.
    fn leave(&self, name: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(name) {
            Some(count) if *count > 1 => {
                *count -= 1;
                false
            }
            _ => all.remove(name).is_some(),
        }
    }
}

/// Begins the work, and waits a moment for it.
pub(crate) async fn begin(plane: &ControlPlane, work: Work) {
    let doing = plane.setup.runtime.spawn(perform(plane.clone(), work, Cause::Begun));
    let _ = tokio::time::timeout(GRACE, doing).await;
}

/// Does the work. What was left behind may be under way at another replica, and is left to that one then; what was just asked
/// for is done here, whatever others do about the state before.
async fn perform(plane: ControlPlane, work: Work, cause: Cause) {
    let name = work.name();
    if !plane.under_way.enter(&name, cause) {
        return;
    }
    if may_begin(&plane, &name, cause).await {
        settle(&plane, &work).await;
    }
    if plane.under_way.leave(&name)
        && let Some(replica) = &plane.setup.replica
        && let Err(error) = replica.put_down(&name).await
    {
        tracing::warn!(?work, %error, "It is not noted that background work was done.");
    }
}

async fn may_begin(plane: &ControlPlane, name: &str, cause: Cause) -> bool {
    let Some(replica) = &plane.setup.replica else { return true };
    for _ in 0..TRIES {
        let claimed = match cause {
            Cause::Begun => replica.claim(name).await.map(|()| true),
            Cause::LeftBehind => replica.take_up(name).await,
        };
        match (claimed, cause) {
            (Ok(may), _) => return may,
            (Err(error), cause) => {
                tracing::warn!(work = name, %error, "It is not known whether others do a piece of background work.");
                if cause == Cause::Begun {
                    return true;
                }
            }
        }
        // A database that is slow for a moment must not leave it for as long as it takes until somebody looks again.
        tokio::time::sleep(AGAIN).await;
    }
    false
}

async fn settle(plane: &ControlPlane, work: &Work) {
    let done = match work {
        Work::Gateway(scope, id) => agentcore::settle_gateway(plane, scope, id).await,
        Work::Target(scope, gateway, id) => agentcore::settle_target(plane, scope, gateway, id).await,
        Work::Engine(scope, id) => agentcore::settle_engine(plane, scope, id).await,
        Work::Policy(scope, engine, id) => agentcore::settle_policy(plane, scope, engine, id).await,
        Work::Generation(scope, engine, id) => agentcore::settle_generation(plane, scope, engine, id).await,
        Work::AgentRuntime(scope, id) => agentcore::settle_agent_runtime(plane, scope, id).await,
        Work::AgentRuntimeEndpoint(scope, id, name) => {
            agentcore::settle_agent_runtime_endpoint(plane, scope, id, name).await
        }
    };
    if let Err(failure) = done {
        tracing::error!(
            ?work,
            ?failure,
            "Background work failed; it is done again at the next start, and by a replica within a minute."
        );
    }
}

impl ControlPlane {
    /// Does what an earlier run of this server, or a replica that went away, left half done; not what another one is doing.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn resume(&self) -> Result<(), store::StoreError> {
        let unsettled = self.setup.store.unsettled().await?;
        let gateways = unsettled.gateways.into_iter().map(|it| Work::Gateway(it.scope, it.id));
        let engines = unsettled.engines.into_iter().map(|it| Work::Engine(it.scope, it.id));
        let policies = unsettled.policies.into_iter().map(|it| Work::Policy(it.scope, it.engine, it.id));
        let targets = unsettled.targets.into_iter().map(|it| Work::Target(it.scope, it.gateway, it.id));
        let generations = unsettled.generations.into_iter();
        let generations = generations.map(|it| Work::Generation(it.scope, it.engine, it.id));
        let runtimes = unsettled.agent_runtimes.into_iter().map(|it| Work::AgentRuntime(it.scope, it.id));
        let endpoints = unsettled.agent_runtime_endpoints.into_iter();
        let endpoints = endpoints.map(|it| Work::AgentRuntimeEndpoint(it.scope, it.runtime, it.name));
        let works = gateways.chain(engines).chain(targets).chain(policies).chain(generations);
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        for work in works.chain(runtimes).chain(endpoints) {
            let (plane, turns) = (self.clone(), Arc::clone(&turns));
            self.setup.runtime.spawn(async move {
                let Ok(_turn) = turns.acquire().await else { return };
                perform(plane, work, Cause::LeftBehind).await;
            });
        }
        Ok(())
    }
}

/// The audit event of something that Portcullis did by itself.
pub(crate) fn system_event(plane: &ControlPlane, scope: &Scope, action: &str, resource: &Arn) -> AuditEvent {
    let random = &*plane.setup.random;
    AuditEvent::of_system(action, scope, plane.setup.clock.now(), random).about(resource)
}
