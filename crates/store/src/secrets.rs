//! Secrets that are kept under a name. What a version holds is sealed, for the very secret: the seal of a former one of the
//! same name does not open.

use domain::{Arn, KeptSecret, Scope, Secret, Timestamp};

use crate::backend::{params, written};
use crate::{ChangeKind, StoreError, Tx};

impl Tx {
    /// Makes a secret.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its scope has one of this name.
    pub async fn insert_secret(&mut self, secret: &KeptSecret) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO secrets (account, region, name, gone_at, document) VALUES ($1, $2, $3, $4, $5)",
            params![
                secret.scope.account.as_str(),
                secret.scope.region.as_str(),
                &secret.name,
                gone_at(secret),
                &written(secret, "secrets")?
            ],
        )
        .await?;
        self.note_secret(secret).await
    }

    /// The secret of a name, without what it holds.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn secret(&mut self, scope: &Scope, name: &str) -> Result<Option<KeptSecret>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM secrets WHERE account = $1 AND region = $2 AND name = $3",
                params![scope.account.as_str(), scope.region.as_str(), name],
            )
            .await?;
        row.map(|row| row.document(0, "secrets")).transpose()
    }

    /// The secret of an ARN that is written to its end.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn secret_of_arn(&mut self, arn: &Arn) -> Result<Option<KeptSecret>, StoreError> {
        let Some(scope) = arn.scope() else { return Ok(None) };
        let end = arn.resource().strip_prefix("secret:").unwrap_or_default();
        for (name, _) in KeptSecret::readings(end) {
            let found = self.secret(&scope, name).await?.filter(|found| found.arn() == *arn);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The secrets of a scope, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn secrets(&mut self, scope: &Scope) -> Result<Vec<KeptSecret>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM secrets WHERE account = $1 AND region = $2 ORDER BY name",
                params![scope.account.as_str(), scope.region.as_str()],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "secrets")).collect()
    }

    /// How many secrets a scope has.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn count_secrets(&mut self, scope: &Scope) -> Result<usize, StoreError> {
        let row = self
            .fetch_one(
                "SELECT COUNT(*) FROM secrets WHERE account = $1 AND region = $2",
                params![scope.account.as_str(), scope.region.as_str()],
            )
            .await?;
        row.map_or(Ok(0), |row| Ok(usize::try_from(row.int(0)?).unwrap_or(usize::MAX)))
    }

    /// Deleted secrets of every scope whose time is over at a moment.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn secrets_gone_at(&mut self, now: Timestamp) -> Result<Vec<KeptSecret>, StoreError> {
        let rows =
            self.fetch("SELECT document FROM secrets WHERE gone_at <= $1", params![now.millis()]).await?;
        rows.iter().map(|row| row.document(0, "secrets")).collect()
    }

    /// Writes a changed secret.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn update_secret(&mut self, secret: &KeptSecret) -> Result<(), StoreError> {
        self.write_secret(secret).await?;
        self.note_secret(secret).await
    }

    /// Writes when a secret was last read. Nobody who uses it need look again.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn note_secret_access(&mut self, secret: &KeptSecret) -> Result<(), StoreError> {
        self.write_secret(secret).await?;
        self.note_change(&secret.scope, ChangeKind::Other, secret.arn().as_str()).await
    }

    /// Keeps what a version of a secret holds.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the version has a value.
    pub async fn insert_secret_value(
        &mut self,
        secret: &KeptSecret,
        version: &str,
        value: &Secret,
    ) -> Result<(), StoreError> {
        let sealed = self.seal(&place(secret, version), value)?;
        self.execute(
            "INSERT INTO secret_values (account, region, name, version, value) VALUES ($1, $2, $3, $4, $5)",
            params![
                secret.scope.account.as_str(),
                secret.scope.region.as_str(),
                &secret.name,
                version,
                &sealed
            ],
        )
        .await?;
        Ok(())
    }

    /// What a version of a secret holds.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when another master key sealed it.
    pub async fn secret_value(
        &mut self,
        secret: &KeptSecret,
        version: &str,
    ) -> Result<Option<Secret>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT value FROM secret_values \
                 WHERE account = $1 AND region = $2 AND name = $3 AND version = $4",
                params![secret.scope.account.as_str(), secret.scope.region.as_str(), &secret.name, version],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        self.unseal(&place(secret, version), &row.bytes(0)?).map(Some)
    }

    /// Removes what a version of a secret holds.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn delete_secret_value(
        &mut self,
        secret: &KeptSecret,
        version: &str,
    ) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM secret_values WHERE account = $1 AND region = $2 AND name = $3 AND version = $4",
            params![secret.scope.account.as_str(), secret.scope.region.as_str(), &secret.name, version],
        )
        .await?;
        Ok(())
    }

    /// Removes a secret and all that it holds.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn delete_secret(&mut self, secret: &KeptSecret) -> Result<(), StoreError> {
        let (account, region) = (secret.scope.account.as_str(), secret.scope.region.as_str());
        self.execute(
            "DELETE FROM secret_values WHERE account = $1 AND region = $2 AND name = $3",
            params![account, region, &secret.name],
        )
        .await?;
        self.change_one(
            "DELETE FROM secrets WHERE account = $1 AND region = $2 AND name = $3",
            params![account, region, &secret.name],
        )
        .await?;
        self.note_secret(secret).await
    }

    async fn write_secret(&mut self, secret: &KeptSecret) -> Result<(), StoreError> {
        self.change_one(
            "UPDATE secrets SET gone_at = $4, document = $5 \
             WHERE account = $1 AND region = $2 AND name = $3",
            params![
                secret.scope.account.as_str(),
                secret.scope.region.as_str(),
                &secret.name,
                gone_at(secret),
                &written(secret, "secrets")?
            ],
        )
        .await
    }

    async fn note_secret(&mut self, secret: &KeptSecret) -> Result<(), StoreError> {
        self.note_providers_with(secret).await?;
        self.note_change(&secret.scope, ChangeKind::Other, secret.arn().as_str()).await
    }
}

/// When a secret will be gone, in a column that is never empty.
fn gone_at(secret: &KeptSecret) -> i64 {
    secret.gone_at.map_or(i64::MAX, Timestamp::millis)
}

fn place(secret: &KeptSecret, version: &str) -> String {
    format!("secret_values|{}|{version}", secret.arn())
}
