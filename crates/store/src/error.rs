//! What can go wrong with the store, as facts.

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// A statement or a transaction that did not succeed. Nothing of it is in the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened or reached.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The database could not be reached a moment ago, and is not waited for.
    #[error(
        "the database cannot be reached at the moment: nothing is read or changed. Try again, or ask another replica"
    )]
    CutOff,
    /// The database does not have what it had: it went back in its history.
    #[error("the database lost changes that it had committed")]
    Lost,
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
    /// The database has no room for what is written.
    #[error("the database cannot be written, because its disk is full or fails: {0}")]
    NoRoom(String),
    /// The audit trail cannot be kept, so nothing is changed.
    #[error("nothing is changed while the audit trail cannot be kept: {0}")]
    Unaudited(String),
    /// The database refused a statement.
    #[error("the database refused a statement: {0}")]
    Refused(String),
}

impl StoreError {
    /// What a caller is told where not the request is at fault but the database, which is out of reach or takes nothing in:
    /// every plane answers that with 503, because it may serve again, and another replica may serve now. `None` for every
    /// other failure.
    #[must_use]
    pub fn outage(&self) -> Option<String> {
        let told = match self {
            Self::Unavailable(_) => {
                "the database is not available, and what was asked may have been done, or not. Read it again, and retry, or ask another replica"
            }
            Self::Lost => {
                "the database lost changes that it had committed. Try again, or ask another replica"
            }
            Self::NoRoom(_) | Self::Unaudited(_) | Self::CutOff => return Some(self.to_string()),
            _ => return None,
        };
        Some(told.to_owned())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(refusal) if is_elsewhere(&**refusal) => {
                Self::Unavailable(refusal.message().to_owned())
            }
            sqlx::Error::Database(refusal) if refusal.is_unique_violation() => Self::Exists,
            sqlx::Error::Database(refusal) if refusal.code().is_some_and(|code| is_no_room(&code)) => {
                Self::NoRoom(refusal.message().to_owned())
            }
            sqlx::Error::Database(refusal) => Self::Refused(refusal.message().to_owned()),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            // What comes from a server that is ending in the middle of a word.
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error.to_string()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

/// Whether PostgreSQL ended the connection with what it says, so that it may have committed or not, or says that it is away.
fn is_elsewhere(refusal: &dyn DatabaseError) -> bool {
    let ended = refusal
        .try_downcast_ref::<PgDatabaseError>()
        .is_some_and(|refusal| matches!(refusal.severity(), PgSeverity::Fatal | PgSeverity::Panic));
    ended || refusal.code().is_some_and(|code| is_away(&code))
}

/// Whether a code says that PostgreSQL ends, starts, is a standby, has too many connections, or let others have their turn
/// for too long ("Error Codes": classes 57P and 08, `read_only_sql_transaction`, `too_many_connections`,
/// `lock_not_available`): nothing is wrong with what was asked.
fn is_away(code: &str) -> bool {
    matches!(code, "57P01" | "57P02" | "57P03" | "25006" | "53300" | "55P03")
        || (code.len() == 5 && code.starts_with("08"))
}

/// Whether a code says that the disk is full or cannot be written: SQLite's `SQLITE_FULL` and `SQLITE_IOERR` with what
/// extends it ("Result and Error Codes"), PostgreSQL's `disk_full` and `io_error` ("Error Codes").
fn is_no_room(code: &str) -> bool {
    let sqlite = code.parse::<u32>().is_ok_and(|code| code < 10_000 && matches!(code & 0xFF, 10 | 13));
    sqlite || matches!(code, "53100" | "58030")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_is_to_blame_for_is_told_with_what_to_do_next() {
        let unavailable = StoreError::Unavailable("db.internal:5432".to_owned());
        let lost = [StoreError::CutOff, StoreError::Lost, unavailable, StoreError::Unaudited("x".to_owned())];
        for error in &lost[..3] {
            let told = error.outage().unwrap();
            assert!(told.contains("another replica") && !told.contains("5432"), "{told}");
        }
        assert!(lost[3].outage().is_some());
        for error in [StoreError::Stale, StoreError::Exists, StoreError::Unsealable, StoreError::Nul] {
            assert_eq!(error.outage(), None);
        }
        assert!(StoreError::from(sqlx::Error::PoolTimedOut).outage().is_some());
    }

    #[test]
    fn a_database_that_ends_starts_or_only_reads_is_away() {
        assert!(["57P01", "57P03", "25006", "53300", "08006"].into_iter().all(is_away));
        // A timeout of a statement, a deadlock, SQLite's own codes.
        assert!(!["57014", "40P01", "5", "8", "787"].into_iter().any(is_away));
    }
}
