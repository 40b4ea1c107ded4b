//! Rotation of a token vault's data key: a new key is made, and secrets are sealed anew under it, a few in a transaction,
//! while the vault is in use. What is not sealed anew yet is opened by its former key, which is removed when no secret
//! needs it. A rotation that was interrupted is taken up where it was left: what a secret begins with says what remains.

use domain::{CredentialProvider, Scope};

use crate::backend::{Row, params};
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

/// A column that holds secrets of vaults. Parameters of its statements are the account and the region, and then:
struct Column {
    /// The beginning of what is sealed already, and how many rows to give: the two texts that name a row, the secret, and
    /// what `place` needs.
    former: &'static str,
    /// The beginning of what is sealed already: how many rows are not.
    left: &'static str,
    /// The two texts that name a row, and its secret, sealed anew.
    write: &'static str,
    /// What the seal of a row is bound to.
    place: fn(&Scope, &Row) -> Result<String, StoreError>,
}

/// Every column that is sealed by [`Tx::seal_in_vault`]: a key is removed when none of these needs it.
const COLUMNS: &[Column] = &[
    Column {
        former: "SELECT kind, name, secret, document FROM credential_providers \
                 WHERE account = $1 AND region = $2 AND length(secret) > 0 AND substr(secret, 1, 9) <> $3 \
                 ORDER BY kind, name LIMIT $4",
        left: "SELECT COUNT(*) FROM credential_providers \
               WHERE account = $1 AND region = $2 AND length(secret) > 0 AND substr(secret, 1, 9) <> $3",
        write: "UPDATE credential_providers SET secret = $5 \
                WHERE account = $1 AND region = $2 AND kind = $3 AND name = $4",
        place: |scope, row| {
            let provider: CredentialProvider = row.document(3, "credential_providers")?;
            Ok(place(scope, provider.kind(), &provider.name, &provider.id))
        },
    },
    Column {
        former: "SELECT handle, provider, tokens FROM user_tokens \
                 WHERE account = $1 AND region = $2 AND substr(tokens, 1, 9) <> $3 ORDER BY handle LIMIT $4",
        left: "SELECT COUNT(*) FROM user_tokens \
               WHERE account = $1 AND region = $2 AND substr(tokens, 1, 9) <> $3",
        write: "UPDATE user_tokens SET tokens = $5 \
                WHERE account = $1 AND region = $2 AND handle = $3 AND provider = $4",
        place: |scope, row| Ok(token_place(scope, &row.text(0)?)),
    },
    Column {
        former: "SELECT request, session, details FROM authorization_sessions \
                 WHERE account = $1 AND region = $2 AND substr(details, 1, 9) <> $3 ORDER BY request LIMIT $4",
        left: "SELECT COUNT(*) FROM authorization_sessions \
               WHERE account = $1 AND region = $2 AND substr(details, 1, 9) <> $3",
        write: "UPDATE authorization_sessions SET details = $5 \
                WHERE account = $1 AND region = $2 AND request = $3 AND session = $4",
        place: |scope, row| Ok(session_place(scope, &row.text(0)?)),
    },
];

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
        let mut batch = Batch { sealed: 0, left: 0 };
        for column in COLUMNS {
            let room = most.saturating_sub(i64::try_from(batch.sealed).unwrap_or(i64::MAX));
            for row in self.fetch(column.former, params![account, region, &head, room]).await? {
                let place = (column.place)(scope, &row)?;
                let secret = self.unseal_in_vault(scope, &place, &row.bytes(2)?).await?;
                let anew = self.seal_with(&current, &place, &secret)?;
                let (first, second) = (row.text(0)?, row.text(1)?);
                self.change_one(column.write, params![account, region, &first, &second, &anew]).await?;
                batch.sealed += 1;
            }
            let left = self.fetch_one(column.left, params![account, region, &head]).await?;
            batch.left += left.map_or(Ok(0), |row| row.int(0))?;
        }
        if batch.left == 0 {
            self.execute(
                "DELETE FROM vault_keys WHERE account = $1 AND region = $2 AND is_current = 0",
                params![account, region],
            )
            .await?;
        }
        Ok(batch)
    }
}
