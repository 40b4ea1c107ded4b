//! App clients. Their secrets are sealed.

use domain::{ClientId, PoolClient, Scope, UserPoolId};

use crate::backend::{Param, params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

impl Tx {
    /// Makes an app client.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is one of this id.
    pub async fn insert_pool_client(&mut self, client: &PoolClient) -> Result<(), StoreError> {
        let sealed =
            client.secret.as_ref().map(|secret| self.seal(&client_place(&client.id), secret)).transpose()?;
        self.execute(
            "INSERT INTO pool_clients (account, region, pool, id, revision, secret, document) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                client.scope.account.as_str().into(),
                client.scope.region.as_str().into(),
                client.pool.as_str().into(),
                client.id.as_str().into(),
                client.revision.into(),
                Param::MaybeBytes(sealed.as_deref()),
                (&written(client, "pool_clients")?).into(),
            ],
        )
        .await?;
        self.note_change(&client.scope, ChangeKind::UserPool, client.pool.as_str()).await
    }

    /// The app client of this id, with its secret.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when another master key sealed the secret.
    pub async fn pool_client(&mut self, id: &ClientId) -> Result<Option<PoolClient>, StoreError> {
        let row = self
            .fetch_one("SELECT document, secret FROM pool_clients WHERE id = $1", params![id.as_str()])
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut client: PoolClient = row.document(0, "pool_clients")?;
        if let Some(sealed) = row.maybe_bytes(1)? {
            client.secret = Some(self.unseal(&client_place(id), &sealed)?);
        }
        Ok(Some(client))
    }

    /// The app clients of a pool, by id, without their secrets.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn pool_clients(
        &mut self,
        pool: &UserPoolId,
        page: Page<'_>,
    ) -> Result<Vec<PoolClient>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM pool_clients WHERE pool = $1 AND id > $2 ORDER BY id LIMIT $3",
                params![pool.as_str(), page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "pool_clients")).collect()
    }

    /// Writes a changed app client, whose secret stays, and counts the change.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed or removed since it was read.
    pub async fn update_pool_client(&mut self, client: &mut PoolClient) -> Result<(), StoreError> {
        let read = client.revision;
        client.revision += 1;
        self.change_one(
            "UPDATE pool_clients SET revision = $2, document = $3 WHERE id = $1 AND revision = $4",
            params![client.id.as_str(), client.revision, &written(client, "pool_clients")?, read],
        )
        .await?;
        self.note_change(&client.scope, ChangeKind::UserPool, client.pool.as_str()).await
    }

    /// Removes an app client.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the pool has none of this id.
    pub async fn delete_pool_client(
        &mut self,
        scope: &Scope,
        pool: &UserPoolId,
        id: &ClientId,
    ) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM pool_tickets WHERE pool = $1 AND client = $2",
            params![pool.as_str(), id.as_str()],
        )
        .await?;
        self.execute("DELETE FROM pool_registrations WHERE client = $1", params![id.as_str()]).await?;
        self.change_one(
            "DELETE FROM pool_clients WHERE pool = $1 AND id = $2",
            params![pool.as_str(), id.as_str()],
        )
        .await?;
        self.note_change(scope, ChangeKind::UserPool, pool.as_str()).await
    }
}

fn client_place(id: &ClientId) -> String {
    format!("pool_clients|{id}|secret")
}
