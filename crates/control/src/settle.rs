//! Work that goes on after the answer: a resource that is CREATING or UPDATING becomes what it shall be.
//!
//! The work is done at once, in the background, and mostly ends before the caller asks again. What a crash interrupts is
//! found by its status at the next start and done then.

use std::time::Duration;

use domain::{
    AgentRuntimeId, Arn, AuditEvent, GatewayId, PolicyEngineId, PolicyGenerationId, PolicyId, Scope, TargetId,
};

use crate::{ControlPlane, agentcore};

/// How long the answer waits for the work: long enough for what needs no network, so that the first poll finds it done.
const GRACE: Duration = Duration::from_millis(250);

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

/// Begins the work, and waits a moment for it.
pub(crate) async fn begin(plane: &ControlPlane, work: Work) {
    let doing = plane.setup.runtime.spawn(perform(plane.clone(), work));
    let _ = tokio::time::timeout(GRACE, doing).await;
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

/// Does the work, unless another replica does it.
async fn perform(plane: ControlPlane, work: Work) {
    let Some(replica) = plane.setup.replica.clone() else { return settle(&plane, &work).await };
    match replica.take_up(&work.name()).await {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            tracing::error!(?work, %error, "Background work is not begun; it is done when the database is reached.");
            return;
        }
    }
    settle(&plane, &work).await;
    if let Err(error) = replica.put_down(&work.name()).await {
        tracing::warn!(?work, %error, "It is not noted that background work was done.");
    }
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
            "Background work failed; it is done again at the next start, or when a replica goes away."
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
        for work in works.chain(runtimes).chain(endpoints) {
            self.setup.runtime.spawn(perform(self.clone(), work));
        }
        Ok(())
    }
}

/// The audit event of something that Portcullis did by itself.
pub(crate) fn system_event(plane: &ControlPlane, scope: &Scope, action: &str, resource: &Arn) -> AuditEvent {
    let random = &*plane.setup.random;
    AuditEvent::of_system(action, scope, plane.setup.clock.now(), random).about(resource)
}
