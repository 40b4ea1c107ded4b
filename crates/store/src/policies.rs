//! Policy engines and policies.

use domain::{Policy, PolicyEngine, PolicyEngineId, PolicyId, Scope};

use crate::backend::{params, written};
use crate::sealed_documents::Opener;
use crate::{ChangeKind, Page, StoreError, Tx};

impl Tx {
    /// Makes a policy engine.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its scope has one of this name.
    pub async fn insert_policy_engine(&mut self, engine: &PolicyEngine) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO policy_engines (account, region, id, name, status, revision, document) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                engine.scope.account.as_str(),
                engine.scope.region.as_str(),
                engine.id.as_str(),
                &engine.name,
                engine.status.as_str(),
                engine.revision,
                &written(engine, "policy_engines")?
            ],
        )
        .await?;
        self.note_change(&engine.scope, ChangeKind::PolicyEngine, engine.id.as_str()).await
    }

    /// The policy engine of this id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn policy_engine(
        &mut self,
        scope: &Scope,
        id: &PolicyEngineId,
    ) -> Result<Option<PolicyEngine>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM policy_engines WHERE account = $1 AND region = $2 AND id = $3",
                params![scope.account.as_str(), scope.region.as_str(), id.as_str()],
            )
            .await?;
        row.map(|row| row.document(0, "policy_engines")).transpose()
    }

    /// The policy engine of this id, wherever it is: ids are unique.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn policy_engine_of_id(
        &mut self,
        id: &PolicyEngineId,
    ) -> Result<Option<PolicyEngine>, StoreError> {
        let row =
            self.fetch_one("SELECT document FROM policy_engines WHERE id = $1", params![id.as_str()]).await?;
        row.map(|row| row.document(0, "policy_engines")).transpose()
    }

    /// The policy engines of a scope, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn policy_engines(
        &mut self,
        scope: &Scope,
        page: Page<'_>,
    ) -> Result<Vec<PolicyEngine>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM policy_engines WHERE account = $1 AND region = $2 AND id > $3 \
                 ORDER BY id LIMIT $4",
                params![scope.account.as_str(), scope.region.as_str(), page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "policy_engines")).collect()
    }

    /// Writes a changed policy engine, and counts the change.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed or removed since it was read.
    pub async fn update_policy_engine(&mut self, engine: &mut PolicyEngine) -> Result<(), StoreError> {
        let read = engine.revision;
        engine.revision += 1;
        self.change_one(
            "UPDATE policy_engines SET status = $4, revision = $5, document = $6 \
             WHERE account = $1 AND region = $2 AND id = $3 AND revision = $7",
            params![
                engine.scope.account.as_str(),
                engine.scope.region.as_str(),
                engine.id.as_str(),
                engine.status.as_str(),
                engine.revision,
                &written(engine, "policy_engines")?,
                read
            ],
        )
        .await?;
        self.note_change(&engine.scope, ChangeKind::PolicyEngine, engine.id.as_str()).await
    }

    /// Removes a policy engine.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this id.
    pub async fn delete_policy_engine(
        &mut self,
        scope: &Scope,
        id: &PolicyEngineId,
    ) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM policy_engines WHERE account = $1 AND region = $2 AND id = $3",
            params![scope.account.as_str(), scope.region.as_str(), id.as_str()],
        )
        .await?;
        self.note_change(scope, ChangeKind::PolicyEngine, id.as_str()).await
    }

    /// Makes a policy.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its scope has one of this name.
    pub async fn insert_policy(&mut self, policy: &Policy) -> Result<(), StoreError> {
        let document = self.written_policy(policy).await?;
        self.execute(
            "INSERT INTO policies (account, region, engine, id, name, status, revision, document, summary) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params![
                policy.scope.account.as_str(),
                policy.scope.region.as_str(),
                policy.engine.as_str(),
                policy.id.as_str(),
                &policy.name,
                policy.status.as_str(),
                policy.revision,
                &document,
                &written(&policy.summary(), "policies")?
            ],
        )
        .await?;
        self.note_change(&policy.scope, ChangeKind::PolicyEngine, policy.engine.as_str()).await
    }

    /// The policy of this id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn policy(
        &mut self,
        scope: &Scope,
        engine: &PolicyEngineId,
        id: &PolicyId,
    ) -> Result<Option<Policy>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document, id FROM policies WHERE account = $1 AND region = $2 AND engine = $3 AND id = $4",
                params![scope.account.as_str(), scope.region.as_str(), engine.as_str(), id.as_str()],
            )
            .await?;
        match row {
            Some(row) => Opener::default().open(self, &row, "policies", engine.as_str()).await.map(Some),
            None => Ok(None),
        }
    }

    /// The policies of an engine, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn policies(
        &mut self,
        scope: &Scope,
        engine: &PolicyEngineId,
        page: Page<'_>,
    ) -> Result<Vec<Policy>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document, id FROM policies WHERE account = $1 AND region = $2 AND engine = $3 AND id > $4 \
                 ORDER BY id LIMIT $5",
                params![
                    scope.account.as_str(),
                    scope.region.as_str(),
                    engine.as_str(),
                    page.after,
                    page.limit
                ],
            )
            .await?;
        let (mut opener, mut policies) = (Opener::default(), Vec::with_capacity(rows.len()));
        for row in &rows {
            policies.push(opener.open(self, row, "policies", engine.as_str()).await?);
        }
        Ok(policies)
    }

    /// Writes a changed policy, and counts the change.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed or removed since it was read.
    pub async fn update_policy(&mut self, policy: &mut Policy) -> Result<(), StoreError> {
        let read = policy.revision;
        policy.revision += 1;
        let document = self.written_policy(policy).await?;
        self.change_one(
            "UPDATE policies SET status = $5, revision = $6, document = $7, summary = $8 \
             WHERE account = $1 AND region = $2 AND engine = $3 AND id = $4 AND revision = $9",
            params![
                policy.scope.account.as_str(),
                policy.scope.region.as_str(),
                policy.engine.as_str(),
                policy.id.as_str(),
                policy.status.as_str(),
                policy.revision,
                &document,
                &written(&policy.summary(), "policies")?,
                read
            ],
        )
        .await?;
        self.note_change(&policy.scope, ChangeKind::PolicyEngine, policy.engine.as_str()).await
    }

    /// Removes a policy.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this id.
    pub async fn delete_policy(
        &mut self,
        scope: &Scope,
        engine: &PolicyEngineId,
        id: &PolicyId,
    ) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM policies WHERE account = $1 AND region = $2 AND engine = $3 AND id = $4",
            params![scope.account.as_str(), scope.region.as_str(), engine.as_str(), id.as_str()],
        )
        .await?;
        self.note_change(scope, ChangeKind::PolicyEngine, engine.as_str()).await
    }
}
