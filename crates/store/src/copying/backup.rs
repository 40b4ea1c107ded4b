//! Makes a backup, while servers go on: everything is read in one transaction.

use std::io::Write;

use domain::Timestamp;

use super::rows::{self, Pages};
use super::sealed_file::{ChunkWriter, Header};
use super::tables::Table;
use super::{CopyError, Step, Watcher, tables};
use crate::{Store, StoreError, Tx, schema};

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The version of the schema that the rows are of.
    pub schema: i64,
    /// The moment that the copy shows.
    pub at: Timestamp,
    /// How many tables.
    pub tables: usize,
    /// How many rows.
    pub rows: u64,
}

impl Store {
    /// Writes every row of the database, as it is at one moment, into a sealed file. A row and about a megabyte are in
    /// memory at a time, or a page of small rows.
    ///
    /// # Errors
    /// [`CopyError`] when the database or the file fails; what was written is then no backup.
    pub async fn back_up(
        &self,
        to: &mut dyn Write,
        now: Timestamp,
        watcher: &mut Watcher<'_>,
    ) -> Result<Copied, CopyError> {
        self.back_up_as(schema::known(), to, now, watcher).await
    }

    /// The same of a database that has this version of the schema.
    pub(super) async fn back_up_as(
        &self,
        version: i64,
        to: &mut dyn Write,
        now: Timestamp,
        watcher: &mut Watcher<'_>,
    ) -> Result<Copied, CopyError> {
        let tables = tables::of_version(version).await?;
        let mut tx = self.read().await?;
        let rows = total(&mut tx, &tables).await?;
        let header = Header { schema: version, made_at: now, rows, keys: tx.wrapped_keys().await? };
        let binding = header.write(to, self.random())?;
        let mut file = ChunkWriter::new(to, self.random(), self.backups(), binding)?;
        let mut done = 0;
        for table in &tables {
            file.begin(table)?;
            let (mut pages, mut count) = (Pages::of(table), 0);
            loop {
                let page = pages.next(&mut tx).await?;
                if page.is_empty() {
                    break;
                }
                for row in &page {
                    file.row(row)?;
                    count += 1;
                }
                watcher(Step { done: done + count, of: rows });
            }
            done += count;
            file.end(count, rows::last_number(&mut tx, table).await?)?;
        }
        file.end_all()?;
        Ok(Copied { schema: version, at: now, tables: tables.len(), rows: done })
    }
}

/// How many rows the tables have together.
pub(super) async fn total(tx: &mut Tx, tables: &[Table]) -> Result<u64, StoreError> {
    let mut rows = 0;
    for table in tables {
        rows += rows::count(tx, table).await?;
    }
    Ok(rows)
}
