//! Agent runtimes: what does not change between their versions.

use domain::{AgentRuntime, AgentRuntimeId, Scope};

use crate::backend::{params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

const TABLE: &str = "agent_runtimes";

impl Tx {
    /// Makes an agent runtime.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its scope has one of this name.
    pub async fn insert_agent_runtime(&mut self, runtime: &AgentRuntime) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO agent_runtimes (account, region, id, name, status, revision, document) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                runtime.scope.account.as_str(),
                runtime.scope.region.as_str(),
                runtime.id.as_str(),
                &runtime.name,
                runtime.status.as_str(),
                runtime.revision,
                &written(runtime, TABLE)?
            ],
        )
        .await?;
        self.note_change(&runtime.scope, ChangeKind::AgentRuntime, runtime.id.as_str()).await
    }

    /// The agent runtime of this id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn agent_runtime(
        &mut self,
        scope: &Scope,
        id: &AgentRuntimeId,
    ) -> Result<Option<AgentRuntime>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM agent_runtimes WHERE account = $1 AND region = $2 AND id = $3",
                params![scope.account.as_str(), scope.region.as_str(), id.as_str()],
            )
            .await?;
        row.map(|row| row.document(0, TABLE)).transpose()
    }

    /// The agent runtimes of this id in every region of every account: a URL may name no more than the id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn agent_runtimes_of_id(
        &mut self,
        id: &AgentRuntimeId,
    ) -> Result<Vec<AgentRuntime>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM agent_runtimes WHERE id = $1 ORDER BY account, region",
                params![id.as_str()],
            )
            .await?;
        rows.iter().map(|row| row.document(0, TABLE)).collect()
    }

    /// The agent runtimes of a scope, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn agent_runtimes(
        &mut self,
        scope: &Scope,
        page: Page<'_>,
    ) -> Result<Vec<AgentRuntime>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM agent_runtimes \
                 WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4",
                params![scope.account.as_str(), scope.region.as_str(), page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, TABLE)).collect()
    }

    /// Writes a changed agent runtime, and counts the change.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed or removed since it was read.
    pub async fn update_agent_runtime(&mut self, runtime: &mut AgentRuntime) -> Result<(), StoreError> {
        let read = runtime.revision;
        runtime.revision += 1;
        self.change_one(
            "UPDATE agent_runtimes SET status = $4, revision = $5, document = $6 \
             WHERE account = $1 AND region = $2 AND id = $3 AND revision = $7",
            params![
                runtime.scope.account.as_str(),
                runtime.scope.region.as_str(),
                runtime.id.as_str(),
                runtime.status.as_str(),
                runtime.revision,
                &written(runtime, TABLE)?,
                read
            ],
        )
        .await?;
        self.note_change(&runtime.scope, ChangeKind::AgentRuntime, runtime.id.as_str()).await
    }

    /// Removes an agent runtime with its versions and endpoints, and the archives that no other has.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this id.
    pub async fn delete_agent_runtime(
        &mut self,
        scope: &Scope,
        id: &AgentRuntimeId,
    ) -> Result<(), StoreError> {
        let (account, region) = (scope.account.as_str(), scope.region.as_str());
        for removal in [
            "DELETE FROM agent_runtime_endpoints WHERE account = $1 AND region = $2 AND runtime = $3",
            "DELETE FROM agent_runtime_versions WHERE account = $1 AND region = $2 AND runtime = $3",
        ] {
            self.execute(removal, params![account, region, id.as_str()]).await?;
        }
        self.change_one(
            "DELETE FROM agent_runtimes WHERE account = $1 AND region = $2 AND id = $3",
            params![account, region, id.as_str()],
        )
        .await?;
        self.forget_agent_code().await?;
        self.note_change(scope, ChangeKind::AgentRuntime, id.as_str()).await
    }
}
