//! The keys with which pools sign. The private parts are sealed.

use domain::{Scope, SigningKey, Timestamp, UserPoolId};

use crate::backend::params;
use crate::{ChangeKind, StoreError, Tx};

impl Tx {
    /// Gives a pool a key to sign with; the newest signs.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the pool has one of this id.
    pub async fn insert_signing_key(&mut self, scope: &Scope, key: &SigningKey) -> Result<(), StoreError> {
        let sealed = self.seal(&key_place(&key.pool, &key.id), &key.private_key)?;
        self.execute(
            "INSERT INTO signing_keys (account, region, pool, id, private_key, modulus, exponent, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            params![
                scope.account.as_str(),
                scope.region.as_str(),
                key.pool.as_str(),
                &key.id,
                &sealed,
                &key.modulus,
                &key.exponent,
                key.created_at.millis()
            ],
        )
        .await?;
        self.note_change(scope, ChangeKind::UserPool, key.pool.as_str()).await
    }

    /// The keys of a pool, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when another master key sealed them.
    pub async fn signing_keys(&mut self, pool: &UserPoolId) -> Result<Vec<SigningKey>, StoreError> {
        let rows = self
            .fetch(
                "SELECT id, private_key, modulus, exponent, created_at FROM signing_keys WHERE pool = $1 \
                 ORDER BY created_at DESC, id DESC",
                params![pool.as_str()],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let id = row.text(0)?;
                Ok(SigningKey {
                    private_key: self.unseal(&key_place(pool, &id), &row.bytes(1)?)?,
                    pool: pool.clone(),
                    modulus: row.text(2)?,
                    exponent: row.text(3)?,
                    created_at: Timestamp::from_millis(row.int(4)?),
                    id,
                })
            })
            .collect()
    }

    /// Takes a key away: what it signed no longer verifies.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the pool has none of this id.
    pub async fn delete_signing_key(
        &mut self,
        scope: &Scope,
        pool: &UserPoolId,
        id: &str,
    ) -> Result<(), StoreError> {
        self.change_one("DELETE FROM signing_keys WHERE pool = $1 AND id = $2", params![pool.as_str(), id])
            .await?;
        self.note_change(scope, ChangeKind::UserPool, pool.as_str()).await
    }
}

fn key_place(pool: &UserPoolId, id: &str) -> String {
    format!("signing_keys|{pool}|{id}|private_key")
}
