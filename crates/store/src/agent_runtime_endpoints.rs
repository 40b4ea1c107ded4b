//! Endpoints of agent runtimes: the names by which callers mean a version.

use domain::{AgentRuntimeEndpoint, AgentRuntimeId, Scope};

use crate::backend::{params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

const TABLE: &str = "agent_runtime_endpoints";

impl Tx {
    /// Makes an endpoint.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its runtime has one of this name.
    pub async fn insert_agent_runtime_endpoint(
        &mut self,
        endpoint: &AgentRuntimeEndpoint,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO agent_runtime_endpoints (account, region, runtime, name, status, revision, document) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                endpoint.scope.account.as_str(),
                endpoint.scope.region.as_str(),
                endpoint.runtime.as_str(),
                &endpoint.name,
                endpoint.status.as_str(),
                endpoint.revision,
                &written(endpoint, TABLE)?
            ],
        )
        .await?;
        self.note_change(&endpoint.scope, ChangeKind::AgentRuntime, endpoint.runtime.as_str()).await
    }

    /// The endpoint of this name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn agent_runtime_endpoint(
        &mut self,
        scope: &Scope,
        runtime: &AgentRuntimeId,
        name: &str,
    ) -> Result<Option<AgentRuntimeEndpoint>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM agent_runtime_endpoints \
                 WHERE account = $1 AND region = $2 AND runtime = $3 AND name = $4",
                params![scope.account.as_str(), scope.region.as_str(), runtime.as_str(), name],
            )
            .await?;
        row.map(|row| row.document(0, TABLE)).transpose()
    }

    /// The endpoints of a runtime, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn agent_runtime_endpoints(
        &mut self,
        scope: &Scope,
        runtime: &AgentRuntimeId,
        page: Page<'_>,
    ) -> Result<Vec<AgentRuntimeEndpoint>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM agent_runtime_endpoints \
                 WHERE account = $1 AND region = $2 AND runtime = $3 AND name > $4 ORDER BY name LIMIT $5",
                params![
                    scope.account.as_str(),
                    scope.region.as_str(),
                    runtime.as_str(),
                    page.after,
                    page.limit
                ],
            )
            .await?;
        rows.iter().map(|row| row.document(0, TABLE)).collect()
    }

    /// Writes a changed endpoint, and counts the change.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed or removed since it was read.
    pub async fn update_agent_runtime_endpoint(
        &mut self,
        endpoint: &mut AgentRuntimeEndpoint,
    ) -> Result<(), StoreError> {
        let read = endpoint.revision;
        endpoint.revision += 1;
        self.change_one(
            "UPDATE agent_runtime_endpoints SET status = $5, revision = $6, document = $7 \
             WHERE account = $1 AND region = $2 AND runtime = $3 AND name = $4 AND revision = $8",
            params![
                endpoint.scope.account.as_str(),
                endpoint.scope.region.as_str(),
                endpoint.runtime.as_str(),
                &endpoint.name,
                endpoint.status.as_str(),
                endpoint.revision,
                &written(endpoint, TABLE)?,
                read
            ],
        )
        .await?;
        self.note_change(&endpoint.scope, ChangeKind::AgentRuntime, endpoint.runtime.as_str()).await
    }

    /// Removes an endpoint.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn delete_agent_runtime_endpoint(
        &mut self,
        endpoint: &AgentRuntimeEndpoint,
    ) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM agent_runtime_endpoints \
             WHERE account = $1 AND region = $2 AND runtime = $3 AND name = $4",
            params![
                endpoint.scope.account.as_str(),
                endpoint.scope.region.as_str(),
                endpoint.runtime.as_str(),
                &endpoint.name
            ],
        )
        .await?;
        self.note_change(&endpoint.scope, ChangeKind::AgentRuntime, endpoint.runtime.as_str()).await
    }
}
