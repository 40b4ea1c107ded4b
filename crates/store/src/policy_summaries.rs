//! What may be known of policies without their statements.
//!
//! A policy's document may be sealed under a KMS key that cannot be used now; its summary is in a column of its own, in
//! the clear, so that whoever looks after an engine still sees what is in it.

use domain::{Policy, PolicyEngineId, PolicyId, PolicySummary, Scope};

use crate::backend::{Row, params};
use crate::sealed_documents::Opener;
use crate::{Page, StoreError, Tx};

impl Tx {
    /// How many policies an engine has.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn policy_count(
        &mut self,
        scope: &Scope,
        engine: &PolicyEngineId,
    ) -> Result<usize, StoreError> {
        let row = self
            .fetch_one(
                "SELECT COUNT(*) FROM policies WHERE account = $1 AND region = $2 AND engine = $3",
                params![scope.account.as_str(), scope.region.as_str(), engine.as_str()],
            )
            .await?;
        let count = row.map(|row| row.int(0)).transpose()?.unwrap_or_default();
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// What may be known of the policy of this id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn policy_summary(
        &mut self,
        scope: &Scope,
        engine: &PolicyEngineId,
        id: &PolicyId,
    ) -> Result<Option<PolicySummary>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document, id, COALESCE(summary, '') FROM policies \
                 WHERE account = $1 AND region = $2 AND engine = $3 AND id = $4",
                params![scope.account.as_str(), scope.region.as_str(), engine.as_str(), id.as_str()],
            )
            .await?;
        match row {
            Some(row) => self.summary_of(&row, engine).await.map(Some),
            None => Ok(None),
        }
    }

    /// What may be known of the policies of an engine, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn policy_summaries(
        &mut self,
        scope: &Scope,
        engine: &PolicyEngineId,
        page: Page<'_>,
    ) -> Result<Vec<PolicySummary>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document, id, COALESCE(summary, '') FROM policies \
                 WHERE account = $1 AND region = $2 AND engine = $3 AND id > $4 ORDER BY id LIMIT $5",
                params![
                    scope.account.as_str(),
                    scope.region.as_str(),
                    engine.as_str(),
                    page.after,
                    page.limit
                ],
            )
            .await?;
        let mut summaries = Vec::with_capacity(rows.len());
        for row in &rows {
            summaries.push(self.summary_of(row, engine).await?);
        }
        Ok(summaries)
    }

    /// A row that was written before there were summaries says it in its document alone.
    async fn summary_of(&mut self, row: &Row, engine: &PolicyEngineId) -> Result<PolicySummary, StoreError> {
        if !row.text(2)?.is_empty() {
            return row.document(2, "policies");
        }
        let policy: Policy = Opener::default().open(self, row, "policies", engine.as_str()).await?;
        Ok(policy.summary())
    }
}
