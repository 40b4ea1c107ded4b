//! Client tokens: a retry of a creation is recognised and answered with what was made the first time.

use domain::{Scope, Timestamp};

use crate::backend::params;
use crate::{StoreError, Tx};

/// What a client token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// What was asked for: a digest of the request without its token.
    pub fingerprint: String,
    /// The id of what was made.
    pub resource: String,
}

impl Tx {
    /// What a token stands for, if it was used since `oldest`.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn remembered(
        &mut self,
        scope: &Scope,
        operation: &str,
        token: &str,
        oldest: Timestamp,
    ) -> Result<Option<Remembered>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT fingerprint, resource FROM idempotency \
                 WHERE account = $1 AND region = $2 AND operation = $3 AND token = $4 AND created_at >= $5",
                params![scope.account.as_str(), scope.region.as_str(), operation, token, oldest.millis()],
            )
            .await?;
        row.map(|row| Ok(Remembered { fingerprint: row.text(0)?, resource: row.text(1)? })).transpose()
    }

    /// Remembers what a token stands for, and forgets those used before `oldest`.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn remember(
        &mut self,
        scope: &Scope,
        operation: &str,
        token: &str,
        what: &Remembered,
        (now, oldest): (Timestamp, Timestamp),
    ) -> Result<(), StoreError> {
        self.execute("DELETE FROM idempotency WHERE created_at < $1", params![oldest.millis()]).await?;
        self.execute(
            "INSERT INTO idempotency (account, region, operation, token, fingerprint, resource, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                scope.account.as_str(),
                scope.region.as_str(),
                operation,
                token,
                &what.fingerprint,
                &what.resource,
                now.millis()
            ],
        )
        .await?;
        Ok(())
    }
}
