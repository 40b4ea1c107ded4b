//! Generations of policies. What has expired is not found, also before it is swept away.

use domain::{GenerationSummary, PolicyEngineId, PolicyGeneration, PolicyGenerationId, Scope, Timestamp};

use crate::backend::{params, written};
use crate::sealed_documents::Opener;
use crate::{ChangeKind, Page, StoreError, Tx};

const TABLE: &str = "policy_generations";

impl Tx {
    /// Makes a generation. What has expired of its engine goes, so that its name may be used again.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its engine has one of this name.
    pub async fn insert_generation(&mut self, generation: &PolicyGeneration) -> Result<(), StoreError> {
        let (scope, engine) = (&generation.scope, generation.engine.as_str());
        self.execute(
            "DELETE FROM policy_generations WHERE account = $1 AND region = $2 AND engine = $3 AND expires_at <= $4",
            params![
                scope.account.as_str(),
                scope.region.as_str(),
                engine,
                generation.created_at.millis()
            ],
        )
        .await?;
        let document = self.written_generation(generation).await?;
        self.execute(
            "INSERT INTO policy_generations \
             (account, region, engine, id, name, status, revision, expires_at, summary, document) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            params![
                scope.account.as_str(),
                scope.region.as_str(),
                engine,
                generation.id.as_str(),
                &generation.name,
                generation.status.as_str(),
                generation.revision,
                generation.expires_at.millis(),
                &written(&generation.summary(), TABLE)?,
                &document
            ],
        )
        .await?;
        self.note_change(scope, ChangeKind::Other, generation.id.as_str()).await
    }

    /// The generation of this id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn generation(
        &mut self,
        scope: &Scope,
        engine: &PolicyEngineId,
        id: &PolicyGenerationId,
        now: Timestamp,
    ) -> Result<Option<PolicyGeneration>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document, id FROM policy_generations \
                 WHERE account = $1 AND region = $2 AND engine = $3 AND id = $4 AND expires_at > $5",
                params![
                    scope.account.as_str(),
                    scope.region.as_str(),
                    engine.as_str(),
                    id.as_str(),
                    now.millis()
                ],
            )
            .await?;
        match row {
            Some(row) => Opener::default().open(self, &row, TABLE, engine.as_str()).await.map(Some),
            None => Ok(None),
        }
    }

    /// The generations of an engine, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn generations(
        &mut self,
        scope: &Scope,
        engine: &PolicyEngineId,
        page: Page<'_>,
        now: Timestamp,
    ) -> Result<Vec<PolicyGeneration>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document, id FROM policy_generations \
                 WHERE account = $1 AND region = $2 AND engine = $3 AND id > $4 AND expires_at > $6 \
                 ORDER BY id LIMIT $5",
                params![
                    scope.account.as_str(),
                    scope.region.as_str(),
                    engine.as_str(),
                    page.after,
                    page.limit,
                    now.millis()
                ],
            )
            .await?;
        let (mut opener, mut generations) = (Opener::default(), Vec::with_capacity(rows.len()));
        for row in &rows {
            generations.push(opener.open(self, row, TABLE, engine.as_str()).await?);
        }
        Ok(generations)
    }

    /// What may be known of the generation of this id without the key it is sealed under.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn generation_summary(
        &mut self,
        scope: &Scope,
        engine: &PolicyEngineId,
        id: &PolicyGenerationId,
        now: Timestamp,
    ) -> Result<Option<GenerationSummary>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT summary FROM policy_generations \
                 WHERE account = $1 AND region = $2 AND engine = $3 AND id = $4 AND expires_at > $5",
                params![
                    scope.account.as_str(),
                    scope.region.as_str(),
                    engine.as_str(),
                    id.as_str(),
                    now.millis()
                ],
            )
            .await?;
        row.map(|row| row.document(0, TABLE)).transpose()
    }

    /// The same of the generations of an engine, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn generation_summaries(
        &mut self,
        scope: &Scope,
        engine: &PolicyEngineId,
        page: Page<'_>,
        now: Timestamp,
    ) -> Result<Vec<GenerationSummary>, StoreError> {
        let rows = self
            .fetch(
                "SELECT summary FROM policy_generations \
                 WHERE account = $1 AND region = $2 AND engine = $3 AND id > $4 AND expires_at > $6 \
                 ORDER BY id LIMIT $5",
                params![
                    scope.account.as_str(),
                    scope.region.as_str(),
                    engine.as_str(),
                    page.after,
                    page.limit,
                    now.millis()
                ],
            )
            .await?;
        rows.iter().map(|row| row.document(0, TABLE)).collect()
    }

    /// How many generations an engine has that have not expired.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn generation_count(
        &mut self,
        scope: &Scope,
        engine: &PolicyEngineId,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let row = self
            .fetch_one(
                "SELECT COUNT(*) FROM policy_generations \
                 WHERE account = $1 AND region = $2 AND engine = $3 AND expires_at > $4",
                params![scope.account.as_str(), scope.region.as_str(), engine.as_str(), now.millis()],
            )
            .await?;
        let count = row.map(|row| row.int(0)).transpose()?.unwrap_or_default();
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Writes a changed generation, and counts the change.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed or removed since it was read.
    pub async fn update_generation(&mut self, generation: &mut PolicyGeneration) -> Result<(), StoreError> {
        let read = generation.revision;
        generation.revision += 1;
        let document = self.written_generation(generation).await?;
        self.change_one(
            "UPDATE policy_generations SET status = $5, revision = $6, summary = $7, document = $8 \
             WHERE account = $1 AND region = $2 AND engine = $3 AND id = $4 AND revision = $9",
            params![
                generation.scope.account.as_str(),
                generation.scope.region.as_str(),
                generation.engine.as_str(),
                generation.id.as_str(),
                generation.status.as_str(),
                generation.revision,
                &written(&generation.summary(), TABLE)?,
                &document,
                read
            ],
        )
        .await?;
        self.note_change(&generation.scope, ChangeKind::Other, generation.id.as_str()).await
    }

    /// Takes the generations of an engine away, because it goes.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn delete_generations(
        &mut self,
        scope: &Scope,
        engine: &PolicyEngineId,
    ) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM policy_generations WHERE account = $1 AND region = $2 AND engine = $3",
            params![scope.account.as_str(), scope.region.as_str(), engine.as_str()],
        )
        .await?;
        Ok(())
    }

    /// What has expired, and may be swept away: whose it is, and how many of an engine.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn expired_generations(
        &mut self,
        now: Timestamp,
    ) -> Result<Vec<GenerationSummary>, StoreError> {
        let rows = self
            .fetch(
                "SELECT summary FROM policy_generations WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1000",
                params![now.millis()],
            )
            .await?;
        rows.iter().map(|row| row.document(0, TABLE)).collect()
    }

    /// Takes away a generation that has expired; answers whether it was still there.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn delete_expired_generation(
        &mut self,
        expired: &GenerationSummary,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let gone = self
            .execute(
                "DELETE FROM policy_generations \
                 WHERE account = $1 AND region = $2 AND engine = $3 AND id = $4 AND expires_at <= $5",
                params![
                    expired.scope.account.as_str(),
                    expired.scope.region.as_str(),
                    expired.engine.as_str(),
                    expired.id.as_str(),
                    now.millis()
                ],
            )
            .await?;
        Ok(gone > 0)
    }
}
