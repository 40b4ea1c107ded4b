//! What can go wrong with the store, as facts.

/// A statement or a transaction that did not succeed. Nothing of it is in the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened or reached.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A row with this key exists already.
    #[error("a row with this key exists already")]
    Exists,
    /// Someone else changed or removed the row since it was read.
    #[error("the row was changed by someone else meanwhile")]
    Stale,
    /// A sealed column cannot be opened: another master key sealed it, or it was tampered with.
    #[error("a sealed column cannot be opened: the master key is not the one that sealed it")]
    Unsealable,
    /// A secret of a token vault cannot be sealed or opened, because the KMS key that protects the vault cannot be used
    /// now, or the secret was given up. The text is for whoever may use the secret, and says what to do.
    #[error("{0}")]
    KeyUnusable(String),
    /// A text has the character NUL, which no text of a database may have.
    #[error("a text has the character NUL (U+0000), which cannot be kept: take it out")]
    Nul,
    /// The command that keeps the master key failed. The text holds nothing that it wrote to its output.
    #[error("the command that keeps the master key failed: {0}")]
    MasterKey(String),
    /// A row does not hold what it must.
    #[error("a row of `{table}` does not hold what it must: {detail}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What is wrong with the row.
        detail: String,
    },
    /// The database was made by a newer Portcullis.
    #[error("the database has schema version {found}, and this Portcullis knows {known}: start a newer one")]
    Newer {
        /// The version found.
        found: i64,
        /// The version known.
        known: i64,
    },
    /// The database refused a statement.
    #[error("the database refused a statement: {0}")]
    Refused(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(refusal) if refusal.is_unique_violation() => Self::Exists,
            sqlx::Error::Database(refusal) => Self::Refused(refusal.message().to_owned()),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error.to_string()),
            _ => Self::Refused(error.to_string()),
        }
    }
}
