//! Rate limits of gateways. The feed tells of them as of a change of the gateway's targets, so that whoever serves the
//! gateway reads it anew.

use domain::{GatewayId, RateLimit, Scope};

use crate::backend::{params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

impl Tx {
    /// Makes a rate limit.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its gateway has one of this id.
    pub async fn insert_rate_limit(&mut self, limit: &RateLimit) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO rate_limits (account, region, gateway, id, revision, document) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![
                limit.scope.account.as_str(),
                limit.scope.region.as_str(),
                limit.gateway.as_str(),
                &limit.id,
                limit.revision,
                &written(limit, "rate_limits")?
            ],
        )
        .await?;
        self.note_change(&limit.scope, ChangeKind::Target, limit.gateway.as_str()).await
    }

    /// The rate limit of this id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn rate_limit(
        &mut self,
        scope: &Scope,
        gateway: &GatewayId,
        id: &str,
    ) -> Result<Option<RateLimit>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM rate_limits \
                 WHERE account = $1 AND region = $2 AND gateway = $3 AND id = $4",
                params![scope.account.as_str(), scope.region.as_str(), gateway.as_str(), id],
            )
            .await?;
        row.map(|row| row.document(0, "rate_limits")).transpose()
    }

    /// All rate limits of a gateway, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn rate_limits(
        &mut self,
        scope: &Scope,
        gateway: &GatewayId,
    ) -> Result<Vec<RateLimit>, StoreError> {
        self.rate_limits_page(scope, gateway, Page::ALL).await
    }

    /// A page of the rate limits of a gateway, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn rate_limits_page(
        &mut self,
        scope: &Scope,
        gateway: &GatewayId,
        page: Page<'_>,
    ) -> Result<Vec<RateLimit>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM rate_limits \
                 WHERE account = $1 AND region = $2 AND gateway = $3 AND id > $4 ORDER BY id LIMIT $5",
                params![
                    scope.account.as_str(),
                    scope.region.as_str(),
                    gateway.as_str(),
                    page.after,
                    page.limit
                ],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "rate_limits")).collect()
    }

    /// Writes a changed rate limit, and counts the change.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed or removed since it was read.
    pub async fn update_rate_limit(&mut self, limit: &mut RateLimit) -> Result<(), StoreError> {
        let read = limit.revision;
        limit.revision += 1;
        self.change_one(
            "UPDATE rate_limits SET revision = $5, document = $6 \
             WHERE account = $1 AND region = $2 AND gateway = $3 AND id = $4 AND revision = $7",
            params![
                limit.scope.account.as_str(),
                limit.scope.region.as_str(),
                limit.gateway.as_str(),
                &limit.id,
                limit.revision,
                &written(limit, "rate_limits")?,
                read
            ],
        )
        .await?;
        self.note_change(&limit.scope, ChangeKind::Target, limit.gateway.as_str()).await
    }

    /// Removes a rate limit.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this id.
    pub async fn delete_rate_limit(
        &mut self,
        scope: &Scope,
        gateway: &GatewayId,
        id: &str,
    ) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM rate_limits WHERE account = $1 AND region = $2 AND gateway = $3 AND id = $4",
            params![scope.account.as_str(), scope.region.as_str(), gateway.as_str(), id],
        )
        .await?;
        self.note_change(scope, ChangeKind::Target, gateway.as_str()).await
    }

    /// Removes all rate limits of a gateway, which goes itself.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn delete_rate_limits(&mut self, scope: &Scope, gateway: &GatewayId) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM rate_limits WHERE account = $1 AND region = $2 AND gateway = $3",
            params![scope.account.as_str(), scope.region.as_str(), gateway.as_str()],
        )
        .await?;
        Ok(())
    }
}
