//! The whole database at one moment, copied: into a sealed file and out of it, or into another database.
//!
//! What is copied is not listed anywhere: [`tables`] asks the scripts of the schema which tables they make. Rows go
//! through as they are; what is sealed in a column stays sealed, because the copy has the same data key. `rows.rs` reads
//! and writes them in either database, `records.rs` is how they are written down, `sealed_file.rs` is what keeps the
//! file from being read, cut, reordered or changed.

mod backup;
mod error;
mod migration;
mod records;
mod restoring;
mod rows;
mod sealed_file;
mod tables;
#[cfg(test)]
mod tests;

pub use backup::Copied;
pub use error::CopyError;
pub use migration::{Counted, migrate};
pub use restoring::Backup;
pub(crate) use sealed_file::BACKUPS;

/// How far a copy is, in rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many are copied.
    pub done: u64,
    /// How many there are.
    pub of: u64,
}

/// Who is told how far a copy is.
pub type Watcher<'w> = dyn FnMut(Step) + 'w;
