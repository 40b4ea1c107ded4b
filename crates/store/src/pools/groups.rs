//! Groups of users of a pool, and who is in them.

use domain::{PoolGroup, PoolUser, UserPoolId};

use crate::backend::{params, written};
use crate::{Page, StoreError, Tx};

impl Tx {
    /// Makes a group.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the pool has one of this name.
    pub async fn insert_pool_group(&mut self, group: &PoolGroup) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO pool_groups (account, region, pool, name, document) VALUES ($1, $2, $3, $4, $5)",
            params![
                group.scope.account.as_str(),
                group.scope.region.as_str(),
                group.pool.as_str(),
                &group.name,
                &written(group, "pool_groups")?
            ],
        )
        .await?;
        Ok(())
    }

    /// The group of this name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn pool_group(
        &mut self,
        pool: &UserPoolId,
        name: &str,
    ) -> Result<Option<PoolGroup>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM pool_groups WHERE pool = $1 AND name = $2",
                params![pool.as_str(), name],
            )
            .await?;
        row.map(|row| row.document(0, "pool_groups")).transpose()
    }

    /// The groups of a pool, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn pool_groups(
        &mut self,
        pool: &UserPoolId,
        page: Page<'_>,
    ) -> Result<Vec<PoolGroup>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM pool_groups WHERE pool = $1 AND name > $2 ORDER BY name LIMIT $3",
                params![pool.as_str(), page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "pool_groups")).collect()
    }

    /// The groups that a user is in, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn groups_of_user(
        &mut self,
        pool: &UserPoolId,
        user: &str,
        page: Page<'_>,
    ) -> Result<Vec<PoolGroup>, StoreError> {
        let rows = self
            .fetch(
                "SELECT pool_groups.document FROM pool_groups JOIN pool_members \
                 ON pool_members.pool = pool_groups.pool AND pool_members.name = pool_groups.name \
                 WHERE pool_members.pool = $1 AND pool_members.member = $2 AND pool_members.name > $3 \
                 ORDER BY pool_members.name LIMIT $4",
                params![pool.as_str(), &PoolUser::key_of(user), page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "pool_groups")).collect()
    }

    /// Puts a user into a group, where it may be already.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn add_pool_member(
        &mut self,
        pool: &UserPoolId,
        group: &str,
        user: &str,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO pool_members (pool, member, name) VALUES ($1, $2, $3) \
             ON CONFLICT (pool, member, name) DO NOTHING",
            params![pool.as_str(), &PoolUser::key_of(user), group],
        )
        .await?;
        Ok(())
    }
}
