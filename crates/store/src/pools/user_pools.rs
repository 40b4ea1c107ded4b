//! User pools.

use domain::{Scope, UserPool, UserPoolId};

use crate::backend::{params, written};
use crate::{ChangeKind, Page, StoreError, Tx};

impl Tx {
    /// Makes a user pool.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is one of this id.
    pub async fn insert_user_pool(&mut self, pool: &UserPool) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO user_pools (account, region, id, label, revision, document) VALUES ($1, $2, $3, $4, $5, $6)",
            params![
                pool.scope.account.as_str(),
                pool.scope.region.as_str(),
                pool.id.as_str(),
                &pool.id.host_label(),
                pool.revision,
                &written(pool, "user_pools")?
            ],
        )
        .await?;
        self.note_change(&pool.scope, ChangeKind::UserPool, pool.id.as_str()).await
    }

    /// The pool of this id, whosever it is: issuers are public.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn user_pool(&mut self, id: &UserPoolId) -> Result<Option<UserPool>, StoreError> {
        let row =
            self.fetch_one("SELECT document FROM user_pools WHERE id = $1", params![id.as_str()]).await?;
        row.map(|row| row.document(0, "user_pools")).transpose()
    }

    /// The pool whose id, without its underscore and in lower case, is this host label.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn user_pool_by_label(&mut self, label: &str) -> Result<Option<UserPool>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM user_pools WHERE label = $1",
                params![&label.to_ascii_lowercase()],
            )
            .await?;
        row.map(|row| row.document(0, "user_pools")).transpose()
    }

    /// The pools of a scope, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn user_pools(&mut self, scope: &Scope, page: Page<'_>) -> Result<Vec<UserPool>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM user_pools WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4",
                params![scope.account.as_str(), scope.region.as_str(), page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "user_pools")).collect()
    }

    /// Writes a changed pool, and counts the change.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed or removed since it was read.
    pub async fn update_user_pool(&mut self, pool: &mut UserPool) -> Result<(), StoreError> {
        let read = pool.revision;
        pool.revision += 1;
        self.change_one(
            "UPDATE user_pools SET revision = $2, document = $3 WHERE id = $1 AND revision = $4",
            params![pool.id.as_str(), pool.revision, &written(pool, "user_pools")?, read],
        )
        .await?;
        self.note_change(&pool.scope, ChangeKind::UserPool, pool.id.as_str()).await
    }

    /// Removes a pool with everything in it.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this id.
    pub async fn delete_user_pool(&mut self, scope: &Scope, id: &UserPoolId) -> Result<(), StoreError> {
        for statement in [
            "DELETE FROM pool_domains WHERE pool = $1",
            "DELETE FROM pool_tickets WHERE pool = $1",
            "DELETE FROM pool_attempts WHERE pool = $1",
            "DELETE FROM pool_members WHERE pool = $1",
            "DELETE FROM pool_groups WHERE pool = $1",
            "DELETE FROM pool_users WHERE pool = $1",
            "DELETE FROM resource_servers WHERE pool = $1",
            "DELETE FROM pool_registrations WHERE pool = $1",
            "DELETE FROM pool_clients WHERE pool = $1",
            "DELETE FROM signing_keys WHERE pool = $1",
        ] {
            self.execute(statement, params![id.as_str()]).await?;
        }
        self.change_one("DELETE FROM user_pools WHERE id = $1", params![id.as_str()]).await?;
        self.note_change(scope, ChangeKind::UserPool, id.as_str()).await
    }
}
