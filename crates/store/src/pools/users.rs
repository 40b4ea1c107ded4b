//! Users of pools, and how often their passwords were guessed. Hashes of passwords are sealed.

use domain::{PoolUser, Timestamp, UserPoolId};

use crate::backend::{Param, params, written};
use crate::{Page, Store, StoreError, Tx};

/// How long an attempt is remembered, in milliseconds: as long as the longest wait that comes of it.
const REMEMBERED: i64 = 15 * 60 * 1_000;

impl Tx {
    /// Makes a user.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the pool has one of this name.
    pub async fn insert_pool_user(&mut self, user: &PoolUser) -> Result<(), StoreError> {
        let sealed = self.sealed_password(user)?;
        self.execute(
            "INSERT INTO pool_users (account, region, pool, name, revision, password, document) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                user.scope.account.as_str().into(),
                user.scope.region.as_str().into(),
                user.pool.as_str().into(),
                (&user.key()).into(),
                user.revision.into(),
                Param::MaybeBytes(sealed.as_deref()),
                (&written(user, "pool_users")?).into(),
            ],
        )
        .await?;
        Ok(())
    }

    /// The user of this name, with the hash of its password.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when another master key sealed the hash.
    pub async fn pool_user(&mut self, pool: &UserPoolId, name: &str) -> Result<Option<PoolUser>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document, password FROM pool_users WHERE pool = $1 AND name = $2",
                params![pool.as_str(), &PoolUser::key_of(name)],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut user: PoolUser = row.document(0, "pool_users")?;
        if let Some(sealed) = row.maybe_bytes(1)? {
            user.password = Some(self.unseal(&password_place(&user), &sealed)?);
        }
        Ok(Some(user))
    }

    /// The users of a pool, by name, without the hashes of their passwords.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn pool_users(
        &mut self,
        pool: &UserPoolId,
        page: Page<'_>,
    ) -> Result<Vec<PoolUser>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM pool_users WHERE pool = $1 AND name > $2 ORDER BY name LIMIT $3",
                params![pool.as_str(), page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "pool_users")).collect()
    }

    /// How many users a pool has.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn count_pool_users(&mut self, pool: &UserPoolId) -> Result<i64, StoreError> {
        let row =
            self.fetch_one("SELECT COUNT(*) FROM pool_users WHERE pool = $1", params![pool.as_str()]).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// Writes a changed user, and counts the change.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed or removed since it was read.
    pub async fn update_pool_user(&mut self, user: &mut PoolUser) -> Result<(), StoreError> {
        let read = user.revision;
        user.revision += 1;
        let sealed = self.sealed_password(user)?;
        self.change_one(
            "UPDATE pool_users SET revision = $3, password = $4, document = $5 \
             WHERE pool = $1 AND name = $2 AND revision = $6",
            &[
                user.pool.as_str().into(),
                (&user.key()).into(),
                user.revision.into(),
                Param::MaybeBytes(sealed.as_deref()),
                (&written(user, "pool_users")?).into(),
                read.into(),
            ],
        )
        .await
    }

    /// Removes a user, with its memberships and everything that its sign-ins handed out.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the pool has none of this name.
    pub async fn delete_pool_user(&mut self, pool: &UserPoolId, name: &str) -> Result<(), StoreError> {
        let key = PoolUser::key_of(name);
        self.revoke_user(pool, name).await?;
        for statement in [
            "DELETE FROM pool_members WHERE pool = $1 AND member = $2",
            "DELETE FROM pool_attempts WHERE pool = $1 AND name = $2",
        ] {
            self.execute(statement, params![pool.as_str(), &key]).await?;
        }
        self.change_one("DELETE FROM pool_users WHERE pool = $1 AND name = $2", params![pool.as_str(), &key])
            .await
    }

    fn sealed_password(&self, user: &PoolUser) -> Result<Option<Vec<u8>>, StoreError> {
        user.password.as_ref().map(|hash| self.seal(&password_place(user), hash)).transpose()
    }

    /// Forgets how often a user's password was guessed: it was right, or is another now.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn forget_attempts(&mut self, pool: &UserPoolId, name: &str) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM pool_attempts WHERE pool = $1 AND name = $2",
            params![pool.as_str(), &PoolUser::key_of(name)],
        )
        .await?;
        Ok(())
    }
}

impl Store {
    /// Counts an attempt to sign in before it is made, whether or not there is a user of this name, so that no number
    /// of replicas and of requests at once gives more attempts. Gives whether it may be made: after `free` that failed,
    /// each has to wait twice as long as the one before, from a second to a quarter of an hour.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn may_attempt(
        &self,
        pool: &UserPoolId,
        name: &str,
        free: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (key, now) = (PoolUser::key_of(name), now.millis());
        let mut tx = self.begin().await?;
        tx.execute("DELETE FROM pool_attempts WHERE last_at < $1", params![now - REMEMBERED]).await?;
        let row = tx
            .fetch_one(
                "SELECT failures, last_at FROM pool_attempts WHERE pool = $1 AND name = $2",
                params![pool.as_str(), &key],
            )
            .await?;
        let (failures, last_at) = match &row {
            Some(row) => (row.int(0)?, row.int(1)?),
            None => (0, i64::MIN),
        };
        let doublings = u32::try_from((failures - free).clamp(0, 10)).unwrap_or(10);
        let wait = if failures < free { 0 } else { (1_000 << doublings).min(REMEMBERED) };
        if row.is_some() && last_at.saturating_add(wait) > now {
            return Ok(false);
        }
        tx.execute(
            "INSERT INTO pool_attempts (pool, name, failures, last_at) VALUES ($1, $2, 1, $3) \
             ON CONFLICT (pool, name) DO UPDATE SET failures = pool_attempts.failures + 1, last_at = $3",
            params![pool.as_str(), &key, now],
        )
        .await?;
        tx.end().await?;
        Ok(true)
    }
}

fn password_place(user: &PoolUser) -> String {
    format!("pool_users|{}|{}|password", user.pool, user.sub)
}
