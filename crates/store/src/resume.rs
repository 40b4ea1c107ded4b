//! What a restart finds half done: resources whose status says that work is under way, although nobody does it.

use domain::{AgentRuntime, AgentRuntimeEndpoint, Gateway, Policy, PolicyEngine, PolicyGeneration, Target};
use serde::de::DeserializeOwned;

use crate::backend::{Row, params};
use crate::sealed_documents::Opener;
use crate::{Store, StoreError, Tx};

/// Every resource in a transitional status.
#[derive(Debug, Default)]
pub struct Unsettled {
    /// Gateways.
    pub gateways: Vec<Gateway>,
    /// Targets.
    pub targets: Vec<Target>,
    /// Policy engines.
    pub engines: Vec<PolicyEngine>,
    /// Policies.
    pub policies: Vec<Policy>,
    /// Generations of policies.
    pub generations: Vec<PolicyGeneration>,
    /// Agent runtimes.
    pub agent_runtimes: Vec<AgentRuntime>,
    /// Endpoints of agent runtimes.
    pub agent_runtime_endpoints: Vec<AgentRuntimeEndpoint>,
}

impl Store {
    /// Every resource in a transitional status that can be read.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn unsettled(&self) -> Result<Unsettled, StoreError> {
        let mut tx = self.read().await?;
        let mut found = Unsettled::default();
        for row in tx
            .fetch(
                "SELECT document FROM gateways WHERE status IN ('CREATING', 'UPDATING', 'DELETING')",
                params![],
            )
            .await?
        {
            found.gateways.push(row.document(0, "gateways")?);
        }
        for row in tx
            .fetch(
                "SELECT document, id, gateway FROM targets \
                 WHERE status IN ('CREATING', 'UPDATING', 'SYNCHRONIZING', 'DELETING')",
                params![],
            )
            .await?
        {
            found.targets.extend(readable(&mut tx, &row, "targets").await?);
        }
        for row in tx
            .fetch(
                "SELECT document FROM policy_engines WHERE status IN ('CREATING', 'UPDATING', 'DELETING')",
                params![],
            )
            .await?
        {
            found.engines.push(row.document(0, "policy_engines")?);
        }
        for row in tx
            .fetch(
                "SELECT document, id, engine FROM policies WHERE status IN ('CREATING', 'UPDATING', 'DELETING')",
                params![],
            )
            .await?
        {
            found.policies.extend(readable(&mut tx, &row, "policies").await?);
        }
        for row in tx
            .fetch(
                "SELECT document, id, engine FROM policy_generations WHERE status = 'GENERATING'",
                params![],
            )
            .await?
        {
            found.generations.extend(readable(&mut tx, &row, "policy_generations").await?);
        }
        for row in tx
            .fetch("SELECT document FROM agent_runtimes WHERE status IN ('CREATING', 'UPDATING')", params![])
            .await?
        {
            found.agent_runtimes.push(row.document(0, "agent_runtimes")?);
        }
        for row in tx
            .fetch(
                "SELECT document FROM agent_runtime_endpoints WHERE status IN ('CREATING', 'UPDATING')",
                params![],
            )
            .await?
        {
            found.agent_runtime_endpoints.push(row.document(0, "agent_runtime_endpoints")?);
        }
        Ok(found)
    }
}

/// The document of a row, unless it is sealed under a KMS key that cannot be used now: it stays as it is.
async fn readable<T: DeserializeOwned>(
    tx: &mut Tx,
    row: &Row,
    table: &'static str,
) -> Result<Option<T>, StoreError> {
    match Opener::default().open(tx, row, table, &row.text(2)?).await {
        Ok(document) => Ok(Some(document)),
        Err(StoreError::KeyUnusable(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
