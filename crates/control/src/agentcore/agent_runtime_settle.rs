//! What is left to do after a runtime or an endpoint was made or changed: its newest version goes into service.
//!
//! The archive was read and looked through before, and an agent by URL may be started after its runtime, so nothing here
//! waits for anybody.

use domain::{AgentRuntimeEndpoint, AgentRuntimeId, AgentRuntimeStatus, DEFAULT_ENDPOINT, Scope, Settled};
use store::Tx;

use crate::fault::Failure;
use crate::plane::ControlPlane;
use crate::settle::system_event;

/// Puts the newest version of a runtime into service, and the endpoint that follows it.
pub(crate) async fn settle_agent_runtime(
    plane: &ControlPlane,
    scope: &Scope,
    id: &AgentRuntimeId,
) -> Result<(), Failure> {
    let mut tx = plane.setup.store.begin().await?;
    let Some(mut runtime) = tx.agent_runtime(scope, id).await? else { return Ok(()) };
    if !matches!(runtime.status, AgentRuntimeStatus::Creating | AgentRuntimeStatus::Updating) {
        return Ok(());
    }
    let Some(mut version) = tx.agent_runtime_version(scope, id, runtime.version).await? else {
        return Err(Failure::internal(&format!("version {} of {id} is gone", runtime.version)));
    };
    version.status = version.status.settle(Settled::Well)?;
    tx.settle_agent_runtime_version(&version).await?;
    runtime.status = runtime.status.settle(Settled::Well)?;
    tx.update_agent_runtime(&mut runtime).await?;
    if let Some(mut endpoint) = tx.agent_runtime_endpoint(scope, id, DEFAULT_ENDPOINT).await? {
        endpoint.target = runtime.version;
        endpoint.updated_at = runtime.updated_at;
        serve(&mut tx, &mut endpoint).await?;
    }
    tx.commit(&system_event(plane, scope, "agentRuntime.settle", &runtime.arn())).await?;
    Ok(())
}

/// Has an endpoint serve the version that it shall.
pub(crate) async fn settle_agent_runtime_endpoint(
    plane: &ControlPlane,
    scope: &Scope,
    id: &AgentRuntimeId,
    name: &str,
) -> Result<(), Failure> {
    let mut tx = plane.setup.store.begin().await?;
    let Some(mut endpoint) = tx.agent_runtime_endpoint(scope, id, name).await? else { return Ok(()) };
    if !matches!(endpoint.status, AgentRuntimeStatus::Creating | AgentRuntimeStatus::Updating) {
        return Ok(());
    }
    serve(&mut tx, &mut endpoint).await?;
    tx.commit(&system_event(plane, scope, "agentRuntimeEndpoint.settle", &endpoint.arn())).await?;
    Ok(())
}

async fn serve(tx: &mut Tx, endpoint: &mut AgentRuntimeEndpoint) -> Result<(), Failure> {
    endpoint.live = Some(endpoint.target);
    endpoint.status = AgentRuntimeStatus::Ready;
    tx.update_agent_runtime_endpoint(endpoint).await?;
    Ok(())
}
