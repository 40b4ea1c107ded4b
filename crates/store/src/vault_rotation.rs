//! Rotation of a token vault's data key: a new key is made, and secrets are sealed anew under it, a few in a transaction,
//! while the vault is in use. What is not sealed anew yet is opened by its former key, which is removed when no secret
//! needs it. A rotation that was interrupted is taken up where it was left: what a secret begins with says what remains.

use domain::{CredentialProvider, Scope};

use crate::backend::params;
use crate::credential_providers::place;
use crate::federation::{session_place, token_place};
use crate::{StoreError, Tx};

/// Where a rotation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultRotation {
    /// A new data key was made.
    Begun,
    /// An earlier rotation is not at its end; its key is used.
    TakenUp,
}

/// What a step of a rotation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How many secrets were sealed anew.
    pub sealed: usize,
    /// How many are left.
    pub left: i64,
}

impl Tx {
    /// The vaults that hold a secret or a key, in every account and region.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn vaults_in_use(&mut self) -> Result<Vec<Scope>, StoreError> {
        let rows = self
            .fetch(
                "SELECT account, region FROM vault_keys UNION SELECT account, region FROM credential_providers \
                 UNION SELECT account, region FROM user_tokens ORDER BY account, region",
                params![],
            )
            .await?;
        let corrupt = || StoreError::Corrupt {
            table: "vault_keys",
            detail: "it is of no account and region".to_owned(),
        };
        rows.iter()
            .map(|row| {
                let account = domain::AccountId::parse(&row.text(0)?).map_err(|_| corrupt())?;
                let region = domain::Region::parse(&row.text(1)?).map_err(|_| corrupt())?;
                Ok(Scope { account, region })
            })
            .collect()
    }

    /// Begins the rotation of a vault's data key, or takes up one that was interrupted.
    ///
    /// # Errors
    /// [`StoreError::KeyUnusable`] when the vault's KMS key cannot be used.
    pub async fn begin_vault_rotation(&mut self, scope: &Scope) -> Result<VaultRotation, StoreError> {
        let former = self
            .fetch(
                "SELECT id FROM vault_keys WHERE account = $1 AND region = $2 AND is_current = 0",
                params![scope.account.as_str(), scope.region.as_str()],
            )
            .await?;
        if !former.is_empty() {
            return Ok(VaultRotation::TakenUp);
        }
        self.make_vault_key(scope).await?;
        Ok(VaultRotation::Begun)
    }

    /// Seals at most `most` secrets of a vault anew under its current data key. When none is left, former keys are removed.
    ///
    /// # Errors
    /// [`StoreError::KeyUnusable`] when the vault's KMS key cannot be used.
    pub async fn continue_vault_rotation(&mut self, scope: &Scope, most: i64) -> Result<Batch, StoreError> {
        let (account, region) = (scope.account.as_str(), scope.region.as_str());
        let Some(current) = self.current_vault_key(scope).await? else {
            return Ok(Batch { sealed: 0, left: 0 });
        };
        let head = current.head();
        let stale = self.sealed_otherwise(scope, &head, most).await?;
        for kept in &stale {
            let secret = self.unseal_in_vault(scope, &kept.place, &kept.sealed).await?;
            let anew = self.seal_with(&current, &kept.place, &secret)?;
            let row = match &kept.row {
                Place::Provider { kind, name } => {
                    let update = "UPDATE credential_providers SET secret = $5 \
                         WHERE account = $1 AND region = $2 AND kind = $3 AND name = $4";
                    self.change_one(update, params![account, region, kind, name, &anew]).await
                }
                Place::Token { handle } => {
                    let update = "UPDATE user_tokens SET tokens = $2 WHERE handle = $1";
                    self.change_one(update, params![handle, &anew]).await
                }
                Place::Session { request } => {
                    let update = "UPDATE authorization_sessions SET details = $2 WHERE request = $1";
                    self.change_one(update, params![request, &anew]).await
                }
            };
            row?;
        }
        let left = self
            .fetch_one(
                "SELECT (SELECT COUNT(*) FROM credential_providers \
                 WHERE account = $1 AND region = $2 AND length(secret) > 0 AND substr(secret, 1, 9) <> $3) \
                 + (SELECT COUNT(*) FROM user_tokens \
                 WHERE account = $1 AND region = $2 AND substr(tokens, 1, 9) <> $3) \
                 + (SELECT COUNT(*) FROM authorization_sessions \
                 WHERE account = $1 AND region = $2 AND substr(details, 1, 9) <> $3)",
                params![account, region, &head],
            )
            .await?;
        let left = left.map_or(Ok(0), |row| row.int(0))?;
        if left == 0 {
            self.execute(
                "DELETE FROM vault_keys WHERE account = $1 AND region = $2 AND is_current = 0",
                params![account, region],
            )
            .await?;
        }
        Ok(Batch { sealed: stale.len(), left })
    }

    /// At most `most` seals of a vault that do not begin with `head`.
    async fn sealed_otherwise(
        &mut self,
        scope: &Scope,
        head: &[u8],
        most: i64,
    ) -> Result<Vec<Kept>, StoreError> {
        let (account, region) = (scope.account.as_str(), scope.region.as_str());
        let providers = self
            .fetch(
                "SELECT kind, name, secret, document FROM credential_providers \
                 WHERE account = $1 AND region = $2 AND length(secret) > 0 AND substr(secret, 1, 9) <> $3 \
                 ORDER BY kind, name LIMIT $4",
                params![account, region, head, most],
            )
            .await?;
        let mut found = Vec::new();
        for row in &providers {
            let (kind, name) = (row.text(0)?, row.text(1)?);
            let provider: CredentialProvider = row.document(3, "credential_providers")?;
            let place = place(scope, provider.kind(), &name, &provider.id);
            found.push(Kept { row: Place::Provider { kind, name }, place, sealed: row.bytes(2)? });
        }
        let room = most.saturating_sub(i64::try_from(found.len()).unwrap_or(i64::MAX));
        let tokens = self
            .fetch(
                "SELECT handle, tokens FROM user_tokens \
                 WHERE account = $1 AND region = $2 AND substr(tokens, 1, 9) <> $3 ORDER BY handle LIMIT $4",
                params![account, region, head, room],
            )
            .await?;
        for row in &tokens {
            let handle = row.text(0)?;
            let place = token_place(scope, &handle);
            found.push(Kept { row: Place::Token { handle }, place, sealed: row.bytes(1)? });
        }
        let room = most.saturating_sub(i64::try_from(found.len()).unwrap_or(i64::MAX));
        let sessions = self
            .fetch(
                "SELECT request, details FROM authorization_sessions \
                 WHERE account = $1 AND region = $2 AND substr(details, 1, 9) <> $3 ORDER BY request LIMIT $4",
                params![account, region, head, room],
            )
            .await?;
        for row in &sessions {
            let request = row.text(0)?;
            let place = session_place(scope, &request);
            found.push(Kept { row: Place::Session { request }, place, sealed: row.bytes(1)? });
        }
        Ok(found)
    }
}

/// A seal of a vault, and where it is kept.
struct Kept {
    row: Place,
    /// What it is bound to.
    place: String,
    sealed: Vec<u8>,
}

/// The row of a seal.
enum Place {
    Provider { kind: String, name: String },
    Token { handle: String },
    Session { request: String },
}
