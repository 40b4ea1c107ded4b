//! Resource servers: the scopes of a pool.

use domain::{ResourceServer, Scope, UserPoolId};

use crate::backend::{params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

impl Tx {
    /// Makes a resource server.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the pool has one of this identifier.
    pub async fn insert_resource_server(
        &mut self,
        scope: &Scope,
        server: &ResourceServer,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO resource_servers (account, region, pool, identifier, document) VALUES ($1, $2, $3, $4, $5)",
            params![
                scope.account.as_str(),
                scope.region.as_str(),
                server.pool.as_str(),
                &server.identifier,
                &written(server, "resource_servers")?
            ],
        )
        .await?;
        self.note_change(scope, ChangeKind::UserPool, server.pool.as_str()).await
    }

    /// The resource server of this identifier.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn resource_server(
        &mut self,
        pool: &UserPoolId,
        identifier: &str,
    ) -> Result<Option<ResourceServer>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM resource_servers WHERE pool = $1 AND identifier = $2",
                params![pool.as_str(), identifier],
            )
            .await?;
        row.map(|row| row.document(0, "resource_servers")).transpose()
    }

    /// The resource servers of a pool, by identifier.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn resource_servers(
        &mut self,
        pool: &UserPoolId,
        page: Page<'_>,
    ) -> Result<Vec<ResourceServer>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM resource_servers WHERE pool = $1 AND identifier > $2 ORDER BY identifier LIMIT $3",
                params![pool.as_str(), page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "resource_servers")).collect()
    }

    /// Writes a changed resource server.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this identifier.
    pub async fn update_resource_server(
        &mut self,
        scope: &Scope,
        server: &ResourceServer,
    ) -> Result<(), StoreError> {
        self.change_one(
            "UPDATE resource_servers SET document = $3 WHERE pool = $1 AND identifier = $2",
            params![server.pool.as_str(), &server.identifier, &written(server, "resource_servers")?],
        )
        .await?;
        self.note_change(scope, ChangeKind::UserPool, server.pool.as_str()).await
    }

    /// Removes a resource server.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this identifier.
    pub async fn delete_resource_server(
        &mut self,
        scope: &Scope,
        pool: &UserPoolId,
        identifier: &str,
    ) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM resource_servers WHERE pool = $1 AND identifier = $2",
            params![pool.as_str(), identifier],
        )
        .await?;
        self.note_change(scope, ChangeKind::UserPool, pool.as_str()).await
    }
}
