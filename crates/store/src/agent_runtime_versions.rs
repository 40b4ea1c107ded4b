//! Versions of agent runtimes, with their environments, which may hold secrets and are sealed, and the archives of their
//! agents, each kept once for as long as a version has it.

use std::collections::BTreeMap;

use domain::{AgentArtifact, AgentRuntimeId, AgentRuntimeVersion, Scope, Secret};

use crate::backend::{Param, params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

const TABLE: &str = "agent_runtime_versions";

impl Tx {
    /// Makes a version, with its environment and, where its agent is run here, the archive.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its runtime has one of this number.
    pub async fn insert_agent_runtime_version(
        &mut self,
        version: &AgentRuntimeVersion,
        environment: &BTreeMap<String, Secret>,
        archive: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let code = match &version.artifact {
            AgentArtifact::Code(code) => Some(code.sha256.as_str()),
            AgentArtifact::Url(_) => None,
        };
        if let (Some(code), Some(archive)) = (code, archive) {
            self.execute(
                "INSERT INTO agent_code (sha256, archive) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING",
                params![code, archive],
            )
            .await?;
        }
        let plain: BTreeMap<_, _> = environment.iter().map(|(name, value)| (name, value.expose())).collect();
        let sealed = self.seal(&place(version), &Secret::new(written(&plain, TABLE)?))?;
        self.execute(
            "INSERT INTO agent_runtime_versions (account, region, runtime, number, code, environment, document) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                version.scope.account.as_str().into(),
                version.scope.region.as_str().into(),
                version.runtime.as_str().into(),
                version.number.into(),
                Param::MaybeText(code),
                (&sealed).into(),
                (&written(version, TABLE)?).into(),
            ],
        )
        .await?;
        self.note_change(&version.scope, ChangeKind::AgentRuntime, version.runtime.as_str()).await
    }

    /// One version of a runtime.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn agent_runtime_version(
        &mut self,
        scope: &Scope,
        runtime: &AgentRuntimeId,
        number: i64,
    ) -> Result<Option<AgentRuntimeVersion>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM agent_runtime_versions \
                 WHERE account = $1 AND region = $2 AND runtime = $3 AND number = $4",
                params![scope.account.as_str(), scope.region.as_str(), runtime.as_str(), number],
            )
            .await?;
        row.map(|row| row.document(0, TABLE)).transpose()
    }

    /// The versions of a runtime after the one with this number, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn agent_runtime_versions(
        &mut self,
        scope: &Scope,
        runtime: &AgentRuntimeId,
        page: Page<'_>,
    ) -> Result<Vec<AgentRuntimeVersion>, StoreError> {
        let after: i64 = page.after.parse().unwrap_or_default();
        let rows = self
            .fetch(
                "SELECT document FROM agent_runtime_versions \
                 WHERE account = $1 AND region = $2 AND runtime = $3 AND number > $4 ORDER BY number LIMIT $5",
                params![scope.account.as_str(), scope.region.as_str(), runtime.as_str(), after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, TABLE)).collect()
    }

    /// The environment of a version.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when another master key sealed it.
    pub async fn agent_environment(
        &mut self,
        version: &AgentRuntimeVersion,
    ) -> Result<BTreeMap<String, Secret>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT environment FROM agent_runtime_versions \
                 WHERE account = $1 AND region = $2 AND runtime = $3 AND number = $4",
                params![
                    version.scope.account.as_str(),
                    version.scope.region.as_str(),
                    version.runtime.as_str(),
                    version.number
                ],
            )
            .await?;
        let Some(row) = row else { return Ok(BTreeMap::new()) };
        let opened = self.unseal(&place(version), &row.bytes(0)?)?;
        let plain: BTreeMap<String, String> = serde_json::from_str(opened.expose())
            .map_err(|error| StoreError::Corrupt { table: TABLE, detail: error.to_string() })?;
        Ok(plain.into_iter().map(|(name, value)| (name, Secret::new(value))).collect())
    }

    /// The archive with this digest, which is SHA-256 in base 64.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn agent_code(&mut self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.fetch_one("SELECT archive FROM agent_code WHERE sha256 = $1", params![sha256]).await?;
        row.map(|row| row.bytes(0)).transpose()
    }

    /// Writes how far a version is in its life, which is all of it that changes.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it is gone.
    pub async fn settle_agent_runtime_version(
        &mut self,
        version: &AgentRuntimeVersion,
    ) -> Result<(), StoreError> {
        self.change_one(
            "UPDATE agent_runtime_versions SET document = $5 \
             WHERE account = $1 AND region = $2 AND runtime = $3 AND number = $4",
            params![
                version.scope.account.as_str(),
                version.scope.region.as_str(),
                version.runtime.as_str(),
                version.number,
                &written(version, TABLE)?
            ],
        )
        .await?;
        self.note_change(&version.scope, ChangeKind::AgentRuntime, version.runtime.as_str()).await
    }

    /// Removes a version, and its archive when no other has it.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none.
    pub async fn delete_agent_runtime_version(
        &mut self,
        version: &AgentRuntimeVersion,
    ) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM agent_runtime_versions \
             WHERE account = $1 AND region = $2 AND runtime = $3 AND number = $4",
            params![
                version.scope.account.as_str(),
                version.scope.region.as_str(),
                version.runtime.as_str(),
                version.number
            ],
        )
        .await?;
        self.forget_agent_code().await?;
        self.note_change(&version.scope, ChangeKind::AgentRuntime, version.runtime.as_str()).await
    }

    /// Removes the archives that no version has any more.
    pub(crate) async fn forget_agent_code(&mut self) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM agent_code WHERE sha256 NOT IN \
             (SELECT code FROM agent_runtime_versions WHERE code IS NOT NULL)",
            params![],
        )
        .await?;
        Ok(())
    }
}

/// Where an environment is, which its seal is bound to.
fn place(version: &AgentRuntimeVersion) -> String {
    let AgentRuntimeVersion { scope, runtime, number, .. } = version;
    format!("{TABLE}|{}|{}|{runtime}|{number}|environment", scope.account, scope.region)
}
