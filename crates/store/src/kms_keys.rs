//! Keys of the key management service. What a key is made of is sealed by the server's data key, for the very key, and
//! leaves the store as a [`KmsMaterial`] alone, which encrypts and decrypts and shows nothing.

use domain::{Arn, KmsKey, KmsKeyState, Random, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::backend::{params, written};
use crate::seal::Sealer;
use crate::{ChangeKind, StoreError, Tx};

/// How long what a key is made of is, in bytes (AES-256).
pub(crate) const KEY_BYTES: usize = 32;

/// Another name of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KmsAlias {
    /// Whose it is and where.
    pub scope: Scope,
    /// The name, with `alias/` before it.
    pub name: String,
    /// The id of the key.
    pub key: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a KMS key is made of: it encrypts and decrypts.
pub struct KmsMaterial {
    sealer: Sealer,
}

impl KmsMaterial {
    /// Encrypts bytes, which can be decrypted with the same `context` alone (AES-256-GCM, NIST SP 800-38D).
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when the cipher refuses.
    pub fn encrypt(&self, random: &dyn Random, context: &str, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.sealer.seal(random, context, plain)
    }

    /// Decrypts what [`KmsMaterial::encrypt`] made with the same context.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when it was made with another key or context, or touched since.
    pub fn decrypt(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.sealer.open(context, sealed)
    }
}

impl Tx {
    /// Makes a key, of new random bytes.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn insert_kms_key(&mut self, key: &KmsKey) -> Result<(), StoreError> {
        let mut material = Zeroizing::new([0; KEY_BYTES]);
        self.random().fill(&mut *material);
        let sealed = self.seal_bytes(&place(&key.scope, &key.id), &*material)?;
        self.execute(
            "INSERT INTO kms_keys (account, region, id, gone_at, material, document) VALUES ($1, $2, $3, $4, $5, $6)",
            params![
                key.scope.account.as_str(),
                key.scope.region.as_str(),
                &key.id,
                gone_at(key),
                &sealed,
                &written(key, "kms_keys")?
            ],
        )
        .await?;
        self.note_change(&key.scope, ChangeKind::Other, key.arn().as_str()).await
    }

    /// The key of an id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn kms_key(&mut self, scope: &Scope, id: &str) -> Result<Option<KmsKey>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM kms_keys WHERE account = $1 AND region = $2 AND id = $3",
                params![scope.account.as_str(), scope.region.as_str(), id],
            )
            .await?;
        row.map(|row| row.document(0, "kms_keys")).transpose()
    }

    /// What a key is made of. Whoever asks has looked at its state.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the key is gone, [`StoreError::Unsealable`] when another master key sealed it.
    pub async fn kms_material(&mut self, scope: &Scope, id: &str) -> Result<KmsMaterial, StoreError> {
        let row = self
            .fetch_one(
                "SELECT material FROM kms_keys WHERE account = $1 AND region = $2 AND id = $3",
                params![scope.account.as_str(), scope.region.as_str(), id],
            )
            .await?;
        let material = self.open_bytes(&place(scope, id), &row.ok_or(StoreError::Stale)?.bytes(0)?)?;
        Ok(KmsMaterial { sealer: Sealer::new(&material)? })
    }

    /// What the key of an ARN is made of, if it can be used now.
    ///
    /// # Errors
    /// [`StoreError::KeyUnusable`] when it cannot.
    pub(crate) async fn usable_material(&mut self, arn: &Arn) -> Result<KmsMaterial, StoreError> {
        let unusable =
            |why: &str, advice: &str| StoreError::KeyUnusable(format!("the KMS key {arn} {why}: {advice}"));
        let gone = || {
            unusable(
                "does not exist any more",
                "what is sealed under it is lost; ResetTokenVaultKeyMaterial gives the vault another key",
            )
        };
        let (scope, id) = arn.as_kms_key().ok_or_else(gone)?;
        let key = self.kms_key(&scope, id).await?.ok_or_else(gone)?;
        match key.state {
            KmsKeyState::Enabled => self.kms_material(&scope, id).await,
            KmsKeyState::Disabled => Err(unusable("is disabled", "enable it with kms:EnableKey")),
            KmsKeyState::PendingDeletion => Err(unusable(
                "is pending deletion",
                "take that back with kms:CancelKeyDeletion, and enable it with kms:EnableKey",
            )),
        }
    }

    /// The keys of a scope, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn kms_keys(&mut self, scope: &Scope) -> Result<Vec<KmsKey>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM kms_keys WHERE account = $1 AND region = $2 ORDER BY id",
                params![scope.account.as_str(), scope.region.as_str()],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "kms_keys")).collect()
    }

    /// Keys of every scope whose deletion is due at a moment.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn kms_keys_gone_at(&mut self, now: Timestamp) -> Result<Vec<KmsKey>, StoreError> {
        let rows =
            self.fetch("SELECT document FROM kms_keys WHERE gone_at <= $1", params![now.millis()]).await?;
        rows.iter().map(|row| row.document(0, "kms_keys")).collect()
    }

    /// Writes a changed key, and tells whoever uses a secret that it protects.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it is gone.
    pub async fn update_kms_key(&mut self, key: &KmsKey) -> Result<(), StoreError> {
        self.change_one(
            "UPDATE kms_keys SET gone_at = $4, document = $5 WHERE account = $1 AND region = $2 AND id = $3",
            params![
                key.scope.account.as_str(),
                key.scope.region.as_str(),
                &key.id,
                gone_at(key),
                &written(key, "kms_keys")?
            ],
        )
        .await?;
        self.note_kms_key(key).await
    }

    /// Removes a key with what it is made of and its aliases: what was encrypted with it is lost.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it is gone.
    pub async fn delete_kms_key(&mut self, key: &KmsKey) -> Result<(), StoreError> {
        let (account, region) = (key.scope.account.as_str(), key.scope.region.as_str());
        self.execute(
            "DELETE FROM kms_aliases WHERE account = $1 AND region = $2 AND target = $3",
            params![account, region, &key.id],
        )
        .await?;
        self.change_one(
            "DELETE FROM kms_keys WHERE account = $1 AND region = $2 AND id = $3",
            params![account, region, &key.id],
        )
        .await?;
        self.note_kms_key(key).await
    }

    /// Makes an alias.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its scope has one of this name.
    pub async fn insert_kms_alias(&mut self, alias: &KmsAlias) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO kms_aliases (account, region, name, target, document) VALUES ($1, $2, $3, $4, $5)",
            params![
                alias.scope.account.as_str(),
                alias.scope.region.as_str(),
                &alias.name,
                &alias.key,
                &written(alias, "kms_aliases")?
            ],
        )
        .await?;
        self.note_change(&alias.scope, ChangeKind::Other, &alias.name).await
    }

    /// The aliases of a scope, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn kms_aliases(&mut self, scope: &Scope) -> Result<Vec<KmsAlias>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM kms_aliases WHERE account = $1 AND region = $2 ORDER BY name",
                params![scope.account.as_str(), scope.region.as_str()],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "kms_aliases")).collect()
    }

    /// Removes an alias.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn delete_kms_alias(&mut self, scope: &Scope, name: &str) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM kms_aliases WHERE account = $1 AND region = $2 AND name = $3",
            params![scope.account.as_str(), scope.region.as_str(), name],
        )
        .await?;
        self.note_change(scope, ChangeKind::Other, name).await
    }

    async fn note_kms_key(&mut self, key: &KmsKey) -> Result<(), StoreError> {
        let arn = key.arn();
        let vaults =
            self.fetch("SELECT document FROM token_vaults WHERE kms_key = $1", params![arn.as_str()]).await?;
        for row in vaults {
            let vault: domain::TokenVault = row.document(0, "token_vaults")?;
            self.note_providers_of(&vault.scope).await?;
        }
        self.note_documents_under(key).await?;
        self.note_change(&key.scope, ChangeKind::Other, arn.as_str()).await
    }
}

/// When a key will be gone, in a column that is never empty.
fn gone_at(key: &KmsKey) -> i64 {
    key.gone_at.map_or(i64::MAX, Timestamp::millis)
}

fn place(scope: &Scope, id: &str) -> String {
    format!("kms_keys|{}|{}|{id}|material", scope.account, scope.region)
}
