//! The outbox: mail that was sent, kept whether or not a relay delivers it too.

use domain::{Document, Scope, Timestamp};

use crate::backend::params;
use crate::{StoreError, Tx};

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// `MessageId`.
    pub id: String,
    /// Whose it is and where.
    pub scope: Scope,
    /// When it was sent.
    pub created_at: Timestamp,
    /// The message as the API took it: a JSON object.
    pub message: Document,
}

impl Tx {
    /// Puts a message into the outbox.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn insert_mail(&mut self, mail: &Mail) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO mail (account, region, id, created_at, document) VALUES ($1, $2, $3, $4, $5)",
            params![
                mail.scope.account.as_str(),
                mail.scope.region.as_str(),
                &mail.id,
                mail.created_at.millis(),
                &mail.message.0
            ],
        )
        .await?;
        Ok(())
    }

    /// The messages of an account, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn mails(&mut self, account: &domain::AccountId, limit: i64) -> Result<Vec<Mail>, StoreError> {
        let rows = self
            .fetch(
                "SELECT region, id, created_at, document FROM mail WHERE account = $1 ORDER BY seq DESC LIMIT $2",
                params![account.as_str(), limit],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let region = domain::Region::parse(&row.text(0)?)
                    .map_err(|error| StoreError::Corrupt { table: "mail", detail: error.to_string() })?;
                Ok(Mail {
                    id: row.text(1)?,
                    scope: Scope { account: account.clone(), region },
                    created_at: Timestamp::from_millis(row.int(2)?),
                    message: Document(row.text(3)?),
                })
            })
            .collect()
    }
}
