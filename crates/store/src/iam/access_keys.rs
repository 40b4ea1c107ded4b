//! Lasting access keys. The secret part is sealed, not hashed: a signature can only be verified with it.

use domain::{AccessKey, AccessKeyId, AccessKeyStatus, AccessKeyUse, AccountId, Holder, Scope, Timestamp};

use super::folded;
use crate::backend::{Row, params};
use crate::{ChangeKind, Store, StoreError, Tx};

impl Store {
    /// Notes that an access key was used, unless a later use is known. It is no change that anybody is told of, and has
    /// no audit event: the call it was used for has its own.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn note_access_key_use(&self, id: &AccessKeyId, last: &AccessKeyUse) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(
            "INSERT INTO access_key_uses (id, at, service, region) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO UPDATE SET at = $2, service = $3, region = $4 WHERE access_key_uses.at < $2",
            params![id.as_str(), last.at.millis(), &last.service, &last.region],
        )
        .await?;
        tx.end().await
    }
}

impl Tx {
    /// Makes an access key.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is one with this id.
    pub async fn insert_access_key(&mut self, key: &AccessKey) -> Result<(), StoreError> {
        let sealed = self.seal(&place(&key.id), &key.secret)?;
        self.execute(
            "INSERT INTO access_keys (id, account, holder_kind, holder, status, secret, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                key.id.as_str(),
                key.account.as_str(),
                key.holder.kind(),
                &folded(key.holder.name()),
                key.status.as_str(),
                &sealed,
                key.created_at.millis()
            ],
        )
        .await?;
        self.note_change(&Scope::global(&key.account), ChangeKind::Iam, key.id.as_str()).await
    }

    /// The access key of this id.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when another master key sealed it.
    pub async fn access_key(&mut self, id: &AccessKeyId) -> Result<Option<AccessKey>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT id, account, holder_kind, holder, status, secret, created_at FROM access_keys WHERE id = $1",
                params![id.as_str()],
            )
            .await?;
        row.map(|row| self.read_access_key(&row)).transpose()
    }

    /// The access keys of a user or of the account itself, by id.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when another master key sealed one.
    pub async fn access_keys(
        &mut self,
        account: &AccountId,
        holder: &Holder,
    ) -> Result<Vec<AccessKey>, StoreError> {
        let rows = self
            .fetch(
                "SELECT id, account, holder_kind, holder, status, secret, created_at FROM access_keys \
                 WHERE account = $1 AND holder_kind = $2 AND holder = $3 ORDER BY id",
                params![account.as_str(), holder.kind(), &folded(holder.name())],
            )
            .await?;
        rows.iter().map(|row| self.read_access_key(row)).collect()
    }

    /// Activates or deactivates an access key.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none with this id.
    pub async fn set_access_key_status(
        &mut self,
        account: &AccountId,
        id: &AccessKeyId,
        status: AccessKeyStatus,
    ) -> Result<(), StoreError> {
        self.change_one(
            "UPDATE access_keys SET status = $3 WHERE account = $1 AND id = $2",
            params![account.as_str(), id.as_str(), status.as_str()],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, id.as_str()).await
    }

    /// Removes an access key.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none with this id.
    pub async fn delete_access_key(
        &mut self,
        account: &AccountId,
        id: &AccessKeyId,
    ) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM access_keys WHERE account = $1 AND id = $2",
            params![account.as_str(), id.as_str()],
        )
        .await?;
        self.note_change(&Scope::global(account), ChangeKind::Iam, id.as_str()).await
    }

    /// When an access key was last used.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn access_key_use(&mut self, id: &AccessKeyId) -> Result<Option<AccessKeyUse>, StoreError> {
        let row = self
            .fetch_one("SELECT at, service, region FROM access_key_uses WHERE id = $1", params![id.as_str()])
            .await?;
        let Some(row) = row else { return Ok(None) };
        let (at, service, region) = (Timestamp::from_millis(row.int(0)?), row.text(1)?, row.text(2)?);
        Ok(Some(AccessKeyUse { at, service, region }))
    }

    fn read_access_key(&self, row: &Row) -> Result<AccessKey, StoreError> {
        let corrupt = |detail: String| StoreError::Corrupt { table: "access_keys", detail };
        let id = AccessKeyId::from_text(row.text(0)?);
        let holder = match row.text(2)?.as_str() {
            "root" => Holder::Root,
            "user" => Holder::User(row.text(3)?),
            other => return Err(corrupt(format!("a key is held by a {other}"))),
        };
        let status = row.text(4)?;
        Ok(AccessKey {
            secret: self.unseal(&place(&id), &row.bytes(5)?)?,
            account: AccountId::parse(&row.text(1)?).map_err(|error| corrupt(error.to_string()))?,
            holder,
            status: AccessKeyStatus::parse(&status).ok_or_else(|| corrupt(format!("status {status}")))?,
            created_at: Timestamp::from_millis(row.int(6)?),
            id,
        })
    }
}

fn place(id: &AccessKeyId) -> String {
    format!("access_keys|{id}|secret")
}
