//! Token vaults: what their secrets are sealed under. Each vault, which is one account's in one region, has a data key of
//! its own, wrapped by the server's key or by a KMS key of its owner.
//!
//! A secret of a vault begins with the number of the data key that sealed it, so that keys can change while secrets are
//! read: layout 2 of a seal is one byte of version, eight of the key's number, and a seal of layout 1 under that key. The
//! row and the key's number are the associated data. Secrets of layout 1, sealed by the server's key itself, still open;
//! whoever writes them next, or rotates the vault, seals them anew.

use domain::{Arn, Scope, Secret, TokenVault};
use zeroize::Zeroizing;

use crate::backend::{params, written};
use crate::kms_keys::KEY_BYTES;
use crate::seal::Sealer;
use crate::{ChangeKind, StoreError, Tx};

const VERSION: u8 = 2;
/// How much of a seal says which key made it, in bytes.
const HEAD: usize = 1 + size_of::<i64>();

/// A data key of a vault, unwrapped.
pub(crate) struct VaultKey {
    id: i64,
    bytes: Zeroizing<Vec<u8>>,
}

impl VaultKey {
    /// How every seal of this key begins.
    pub(crate) fn head(&self) -> Vec<u8> {
        [&[VERSION][..], &self.id.to_be_bytes()].concat()
    }
}

impl Tx {
    /// The vault of a scope; nothing when nobody said what key it is to be under.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn token_vault(&mut self, scope: &Scope) -> Result<Option<TokenVault>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM token_vaults WHERE account = $1 AND region = $2",
                params![scope.account.as_str(), scope.region.as_str()],
            )
            .await?;
        row.map(|row| row.document(0, "token_vaults")).transpose()
    }

    /// Puts a vault under its key: all its data keys are wrapped anew, and what is not under one of them yet is. Whoever uses a secret of it is told.
    ///
    /// # Errors
    /// [`StoreError::KeyUnusable`] when the former key or the new one cannot be used.
    pub async fn put_token_vault(&mut self, vault: &TokenVault) -> Result<(), StoreError> {
        let scope = &vault.scope;
        let rows = self
            .fetch(
                "SELECT id, wrapped_by, wrapped FROM vault_keys WHERE account = $1 AND region = $2",
                params![scope.account.as_str(), scope.region.as_str()],
            )
            .await?;
        for row in rows {
            let key = self.unwrap_key(scope, row.int(0)?, &row.text(1)?, &row.bytes(2)?).await?;
            let (by, wrapped) = self.wrap_key(scope, vault.key.as_ref(), &key).await?;
            self.change_one(
                "UPDATE vault_keys SET wrapped_by = $2, wrapped = $3 WHERE id = $1",
                params![key.id, &by, &wrapped],
            )
            .await?;
        }
        self.write_token_vault(vault).await?;
        if vault.key.is_some() && self.has_seals_of_before(scope).await? {
            if self.current_vault_key(scope).await?.is_none() {
                self.make_vault_key(scope).await?;
            }
            self.continue_vault_rotation(scope, i64::MAX).await?;
        }
        Ok(())
    }

    /// Whether secrets of a vault are still sealed by the server's key itself. They are of providers alone, and so are few.
    async fn has_seals_of_before(&mut self, scope: &Scope) -> Result<bool, StoreError> {
        let found = self
            .fetch_one(
                "SELECT name FROM credential_providers WHERE account = $1 AND region = $2 \
                 AND length(secret) > 0 AND substr(secret, 1, 1) <> $3 LIMIT 1",
                params![scope.account.as_str(), scope.region.as_str(), &[VERSION][..]],
            )
            .await?;
        Ok(found.is_some())
    }

    /// Gives a vault up whose KMS key is gone: its secrets cannot be opened any more and are removed, and it is under the
    /// server's key from now on. What else is known of the vault's credential providers stays.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn reset_token_vault(&mut self, vault: &TokenVault) -> Result<(), StoreError> {
        let (account, region) = (vault.scope.account.as_str(), vault.scope.region.as_str());
        self.execute("DELETE FROM vault_keys WHERE account = $1 AND region = $2", params![account, region])
            .await?;
        let nothing: &[u8] = &[];
        self.execute(
            "UPDATE credential_providers SET secret = $3 WHERE account = $1 AND region = $2 AND substr(secret, 1, 1) = $4",
            params![account, region, nothing, &[VERSION][..]],
        )
        .await?;
        // People can consent again.
        for forgotten in [
            "DELETE FROM user_tokens WHERE account = $1 AND region = $2",
            "DELETE FROM authorization_sessions WHERE account = $1 AND region = $2",
        ] {
            self.execute(forgotten, params![account, region]).await?;
        }
        self.write_token_vault(vault).await
    }

    /// Why a secret of this vault cannot be opened now, and what to do about it.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn vault_obstacle(&mut self, scope: &Scope) -> Result<String, StoreError> {
        if let Some(key) = self.token_vault(scope).await?.and_then(|vault| vault.key) {
            match self.usable_material(&key).await {
                Ok(_) => {}
                Err(StoreError::KeyUnusable(why)) => return Ok(why),
                Err(error) => return Err(error),
            }
        }
        Ok("the secret was lost with the KMS key that protected it: update the credential provider with a secret".to_owned())
    }

    /// Seals a secret of a vault for its row, under the vault's current data key, which is made when there is none.
    pub(crate) async fn seal_in_vault(
        &mut self,
        scope: &Scope,
        place: &str,
        secret: &Secret,
    ) -> Result<Vec<u8>, StoreError> {
        let key = match self.current_vault_key(scope).await? {
            Some(key) => key,
            None => self.make_vault_key(scope).await?,
        };
        self.seal_with(&key, place, secret)
    }

    /// Opens a secret of a vault, whichever of its keys sealed it.
    ///
    /// # Errors
    /// [`StoreError::KeyUnusable`] when the vault's KMS key cannot be used, or the secret was given up with one.
    pub(crate) async fn unseal_in_vault(
        &mut self,
        scope: &Scope,
        place: &str,
        sealed: &[u8],
    ) -> Result<Secret, StoreError> {
        if sealed.is_empty() {
            return Err(StoreError::KeyUnusable(self.vault_obstacle(scope).await?));
        }
        let (head, seal) = sealed.split_at_checked(HEAD).ok_or(StoreError::Unsealable)?;
        let [VERSION, id @ ..] = head else {
            // It is of before vaults had keys; the key that its vault has now closes it all the same.
            if let Some(key) = self.token_vault(scope).await?.and_then(|vault| vault.key) {
                self.usable_material(&key).await?;
            }
            return self.unseal(place, sealed);
        };
        let id = i64::from_be_bytes(<[u8; 8]>::try_from(id).map_err(|_| StoreError::Unsealable)?);
        let row = self
            .fetch_one(
                "SELECT wrapped_by, wrapped FROM vault_keys WHERE id = $1 AND account = $2 AND region = $3",
                params![id, scope.account.as_str(), scope.region.as_str()],
            )
            .await?;
        let row = row.ok_or(StoreError::Unsealable)?;
        let key = self.unwrap_key(scope, id, &row.text(0)?, &row.bytes(1)?).await?;
        let plain = Sealer::new(&key.bytes)?.open(&place_under(id, place), seal)?;
        Ok(Secret::new(std::str::from_utf8(&plain).map_err(|_| StoreError::Unsealable)?))
    }

    pub(crate) fn seal_with(
        &self,
        key: &VaultKey,
        place: &str,
        secret: &Secret,
    ) -> Result<Vec<u8>, StoreError> {
        let mut sealed = key.head();
        let plain = secret.expose().as_bytes();
        let seal = Sealer::new(&key.bytes)?.seal(self.random(), &place_under(key.id, place), plain)?;
        sealed.extend(seal);
        Ok(sealed)
    }

    /// The data key under which secrets of a vault are sealed now.
    pub(crate) async fn current_vault_key(&mut self, scope: &Scope) -> Result<Option<VaultKey>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT id, wrapped_by, wrapped FROM vault_keys \
                 WHERE account = $1 AND region = $2 AND is_current = 1",
                params![scope.account.as_str(), scope.region.as_str()],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        self.unwrap_key(scope, row.int(0)?, &row.text(1)?, &row.bytes(2)?).await.map(Some)
    }

    /// A new data key, which is the vault's current one from now on. Former ones still open what they sealed.
    pub(crate) async fn make_vault_key(&mut self, scope: &Scope) -> Result<VaultKey, StoreError> {
        let mut id = [0; 8];
        self.random().fill(&mut id);
        let mut key =
            VaultKey { id: i64::from_be_bytes(id) & i64::MAX, bytes: Zeroizing::new(vec![0; KEY_BYTES]) };
        self.random().fill(&mut key.bytes);
        let under = self.token_vault(scope).await?.and_then(|vault| vault.key);
        let (by, wrapped) = self.wrap_key(scope, under.as_ref(), &key).await?;
        self.execute(
            "UPDATE vault_keys SET is_current = 0 WHERE account = $1 AND region = $2",
            params![scope.account.as_str(), scope.region.as_str()],
        )
        .await?;
        self.execute(
            "INSERT INTO vault_keys (id, account, region, is_current, wrapped_by, wrapped) \
             VALUES ($1, $2, $3, 1, $4, $5)",
            params![key.id, scope.account.as_str(), scope.region.as_str(), &by, &wrapped],
        )
        .await?;
        Ok(key)
    }

    /// A data key as its row holds it: by whom it is wrapped, and how.
    async fn wrap_key(
        &mut self,
        scope: &Scope,
        under: Option<&Arn>,
        key: &VaultKey,
    ) -> Result<(String, Vec<u8>), StoreError> {
        let place = key_place(scope, key.id);
        match under {
            None => Ok((String::new(), self.seal_bytes(&place, &key.bytes)?)),
            Some(arn) => {
                let material = self.usable_material(arn).await?;
                Ok((arn.to_string(), material.encrypt(self.random(), &place, &key.bytes)?))
            }
        }
    }

    async fn unwrap_key(
        &mut self,
        scope: &Scope,
        id: i64,
        by: &str,
        wrapped: &[u8],
    ) -> Result<VaultKey, StoreError> {
        let place = key_place(scope, id);
        let bytes = if by.is_empty() {
            self.open_bytes(&place, wrapped)?
        } else {
            let arn = Arn::parse(by).map_err(|_| StoreError::Corrupt {
                table: "vault_keys",
                detail: "what wrapped it is no ARN".to_owned(),
            })?;
            self.usable_material(&arn).await?.decrypt(&place, wrapped)?
        };
        Ok(VaultKey { id, bytes })
    }

    async fn write_token_vault(&mut self, vault: &TokenVault) -> Result<(), StoreError> {
        let (account, region) = (vault.scope.account.as_str(), vault.scope.region.as_str());
        let key = vault.key.as_ref().map_or("", Arn::as_str);
        self.execute(
            "INSERT INTO token_vaults (account, region, kms_key, document) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (account, region) DO UPDATE SET kms_key = excluded.kms_key, document = excluded.document",
            params![account, region, key, &written(vault, "token_vaults")?],
        )
        .await?;
        self.note_providers_of(&vault.scope).await?;
        self.note_change(&vault.scope, ChangeKind::Other, Arn::token_vault(&vault.scope).as_str()).await
    }
}

fn key_place(scope: &Scope, id: i64) -> String {
    format!("vault_keys|{}|{}|{id}", scope.account, scope.region)
}

fn place_under(id: i64, place: &str) -> String {
    format!("{place}|{id}")
}
