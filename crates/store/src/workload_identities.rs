//! Workload identities.

use domain::{Scope, WorkloadIdentity};

use crate::backend::{params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

impl Tx {
    /// Makes a workload identity.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its scope has one of this name.
    pub async fn insert_workload_identity(&mut self, identity: &WorkloadIdentity) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO workload_identities (account, region, name, revision, document) VALUES ($1, $2, $3, $4, $5)",
            params![
                identity.scope.account.as_str(),
                identity.scope.region.as_str(),
                &identity.name,
                identity.revision,
                &written(identity, "workload_identities")?
            ],
        )
        .await?;
        self.note_change(&identity.scope, ChangeKind::Other, identity.arn().as_str()).await
    }

    /// The workload identity of a name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn workload_identity(
        &mut self,
        scope: &Scope,
        name: &str,
    ) -> Result<Option<WorkloadIdentity>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM workload_identities WHERE account = $1 AND region = $2 AND name = $3",
                params![scope.account.as_str(), scope.region.as_str(), name],
            )
            .await?;
        row.map(|row| row.document(0, "workload_identities")).transpose()
    }

    /// The workload identities of a scope, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn workload_identities(
        &mut self,
        scope: &Scope,
        page: Page<'_>,
    ) -> Result<Vec<WorkloadIdentity>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM workload_identities \
                 WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4",
                params![scope.account.as_str(), scope.region.as_str(), page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "workload_identities")).collect()
    }

    /// How many workload identities a scope has.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn workload_identity_count(&mut self, scope: &Scope) -> Result<i64, StoreError> {
        let row = self
            .fetch_one(
                "SELECT COUNT(*) FROM workload_identities WHERE account = $1 AND region = $2",
                params![scope.account.as_str(), scope.region.as_str()],
            )
            .await?;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// Writes a changed workload identity, and counts the change.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed or removed since it was read.
    pub async fn update_workload_identity(
        &mut self,
        identity: &mut WorkloadIdentity,
    ) -> Result<(), StoreError> {
        let read = identity.revision;
        identity.revision += 1;
        self.change_one(
            "UPDATE workload_identities SET revision = $4, document = $5 \
             WHERE account = $1 AND region = $2 AND name = $3 AND revision = $6",
            params![
                identity.scope.account.as_str(),
                identity.scope.region.as_str(),
                &identity.name,
                identity.revision,
                &written(identity, "workload_identities")?,
                read
            ],
        )
        .await?;
        self.note_change(&identity.scope, ChangeKind::Other, identity.arn().as_str()).await
    }

    /// Removes a workload identity, and the tokens of people that it had.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn delete_workload_identity(&mut self, identity: &WorkloadIdentity) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM workload_identities WHERE account = $1 AND region = $2 AND name = $3",
            params![identity.scope.account.as_str(), identity.scope.region.as_str(), identity.name.as_str()],
        )
        .await?;
        self.delete_user_tokens_of_workload(&identity.scope, &identity.name).await?;
        self.note_change(&identity.scope, ChangeKind::Other, identity.arn().as_str()).await
    }
}
