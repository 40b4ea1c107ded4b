//! Why a database was not copied. Nothing of a copy that failed is in the database that it was for.

use crate::StoreError;

/// A copy that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be read or written.
    #[error("the file cannot be read or written: {0}")]
    File(#[from] std::io::Error),
    /// The file does not begin as a backup does.
    #[error("the file is no backup: it does not begin as one")]
    NoBackup,
    /// The file has a format that is not known here.
    #[error("the backup has format {found}, and this Portcullis knows {known}: restore it with a newer one")]
    NewerFormat {
        /// The format found.
        found: u32,
        /// The format known.
        known: u32,
    },
    /// The rows are those of a newer schema.
    #[error(
        "the backup has schema version {found}, and this Portcullis knows {known}: restore it with a newer one"
    )]
    NewerSchema {
        /// The version found.
        found: i64,
        /// The version known.
        known: i64,
    },
    /// The data key does not open.
    #[error(
        "the master key is not the one that the backup was made under (or the beginning of the file is damaged): give the key that the installation had then"
    )]
    WrongKey,
    /// The file is not what was written.
    #[error("the backup is damaged: {0}; use another one")]
    Damaged(String),
    /// Something is in the database that is to be filled.
    #[error("the database is not empty (it has schema version {0}): name one with nothing in it")]
    NotEmpty(i64),
    /// The tables do not hold as many rows as were copied.
    #[error("{rows} rows of `{table}` were copied, and {found} are there: nothing was kept")]
    Miscounted {
        /// The table.
        table: String,
        /// How many were copied.
        rows: u64,
        /// How many are there.
        found: u64,
    },
}
