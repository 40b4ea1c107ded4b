//! Gateways.

use domain::{Gateway, GatewayId, PolicyEngineId, Scope};

use crate::backend::{params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

impl Tx {
    /// Makes a gateway.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its scope has one of this name.
    pub async fn insert_gateway(&mut self, gateway: &Gateway) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO gateways (account, region, id, name, status, engine, revision, document) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                gateway.scope.account.as_str().into(),
                gateway.scope.region.as_str().into(),
                gateway.id.as_str().into(),
                gateway.name.as_str().into(),
                gateway.status.as_str().into(),
                crate::backend::Param::MaybeText(engine(gateway)),
                gateway.revision.into(),
                (&written(gateway, "gateways")?).into(),
            ],
        )
        .await?;
        self.note_change(&gateway.scope, ChangeKind::Gateway, gateway.id.as_str()).await
    }

    /// The gateway of this id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn gateway(&mut self, scope: &Scope, id: &GatewayId) -> Result<Option<Gateway>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM gateways WHERE account = $1 AND region = $2 AND id = $3",
                params![scope.account.as_str(), scope.region.as_str(), id.as_str()],
            )
            .await?;
        row.map(|row| row.document(0, "gateways")).transpose()
    }

    /// The gateway of this id, whosever it is: its URL names no account.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn gateway_of_id(&mut self, id: &GatewayId) -> Result<Option<Gateway>, StoreError> {
        let row = self
            .fetch_one("SELECT document FROM gateways WHERE id = $1 LIMIT 1", params![id.as_str()])
            .await?;
        row.map(|row| row.document(0, "gateways")).transpose()
    }

    /// The gateway of this name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn gateway_by_name(
        &mut self,
        scope: &Scope,
        name: &str,
    ) -> Result<Option<Gateway>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM gateways WHERE account = $1 AND region = $2 AND name = $3",
                params![scope.account.as_str(), scope.region.as_str(), name],
            )
            .await?;
        row.map(|row| row.document(0, "gateways")).transpose()
    }

    /// The gateways of a scope, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn gateways(&mut self, scope: &Scope, page: Page<'_>) -> Result<Vec<Gateway>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM gateways WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4",
                params![scope.account.as_str(), scope.region.as_str(), page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "gateways")).collect()
    }

    /// Every gateway there is, for the data plane.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn all_gateways(&mut self) -> Result<Vec<Gateway>, StoreError> {
        let rows = self.fetch("SELECT document FROM gateways ORDER BY id", params![]).await?;
        rows.iter().map(|row| row.document(0, "gateways")).collect()
    }

    /// The gateways that an engine guards, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn gateways_of_engine(
        &mut self,
        scope: &Scope,
        engine: &PolicyEngineId,
    ) -> Result<Vec<Gateway>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM gateways WHERE account = $1 AND region = $2 AND engine = $3 ORDER BY id",
                params![scope.account.as_str(), scope.region.as_str(), engine.as_str()],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "gateways")).collect()
    }

    /// Writes a changed gateway, and counts the change.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed or removed since it was read.
    pub async fn update_gateway(&mut self, gateway: &mut Gateway) -> Result<(), StoreError> {
        let read = gateway.revision;
        gateway.revision += 1;
        let former = self.gateway(&gateway.scope, &gateway.id).await?;
        if former.is_some_and(|former| former.kms_key != gateway.kms_key) {
            self.reseal_targets(gateway).await?;
        }
        self.change_one(
            "UPDATE gateways SET status = $4, engine = $5, revision = $6, document = $7 \
             WHERE account = $1 AND region = $2 AND id = $3 AND revision = $8",
            &[
                gateway.scope.account.as_str().into(),
                gateway.scope.region.as_str().into(),
                gateway.id.as_str().into(),
                gateway.status.as_str().into(),
                crate::backend::Param::MaybeText(engine(gateway)),
                gateway.revision.into(),
                (&written(gateway, "gateways")?).into(),
                read.into(),
            ],
        )
        .await?;
        self.note_change(&gateway.scope, ChangeKind::Gateway, gateway.id.as_str()).await
    }

    /// Removes a gateway.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this id.
    pub async fn delete_gateway(&mut self, scope: &Scope, id: &GatewayId) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM gateways WHERE account = $1 AND region = $2 AND id = $3",
            params![scope.account.as_str(), scope.region.as_str(), id.as_str()],
        )
        .await?;
        self.note_change(scope, ChangeKind::Gateway, id.as_str()).await
    }
}

/// The id of the engine that guards a gateway: what stands after the slash of its ARN.
fn engine(gateway: &Gateway) -> Option<&str> {
    gateway.policy.as_ref().and_then(|policy| policy.engine.resource().strip_prefix("policy-engine/"))
}
