//! Reads a backup, and fills an empty database with it.

use std::io::Read;
use std::sync::Arc;

use domain::{AuditEvent, Random};
use zeroize::Zeroizing;

use super::records::Next;
use super::rows::{self, Cells};
use super::sealed_file::{BACKUPS, Binding, ChunkReader, Header};
use super::tables::Table;
use super::{Copied, CopyError, Step, Watcher, tables};
use crate::database::Database;
use crate::master::{self, Master};
use crate::seal::RowKeys;
use crate::{Store, StoreError, Tx, schema};

/// How many bytes of rows wait for being written, at most, beside the last of them.
const WAITING: usize = 1024 * 1024;
/// How many rows do.
const ROWS: usize = 256;

/// A backup whose data key is open.
pub struct Backup<R> {
    file: R,
    header: Header,
    binding: Binding,
    data_key: Zeroizing<Vec<u8>>,
}

impl<R: Read> Backup<R> {
    /// Reads the beginning of a backup, and opens its data key.
    ///
    /// # Errors
    /// [`CopyError`] when it is no backup, or one of a newer Portcullis, or the master key does not open it.
    pub async fn open(mut file: R, master: &Master) -> Result<Self, CopyError> {
        let (header, binding) = Header::read(&mut file)?;
        let (found, known) = (header.schema, schema::known());
        if found > known {
            return Err(CopyError::NewerSchema { found, known });
        }
        if found < 1 {
            return Err(CopyError::Damaged("its schema version is none".to_owned()));
        }
        let data_key = master::unwrapped(master, &header.keys).await.map_err(|error| match error {
            StoreError::Unsealable => CopyError::WrongKey,
            error => error.into(),
        })?;
        Ok(Self { file, header, binding, data_key })
    }

    /// Reads a backup to its end, and says what is in it.
    ///
    /// # Errors
    /// [`CopyError::Damaged`] when it is not what was written.
    pub async fn check(self, watcher: &mut Watcher<'_>) -> Result<Copied, CopyError> {
        let (mut contents, _) = self.contents().await?;
        for table in contents.tables.clone() {
            contents.begin(&table)?;
            while contents.row(&table, watcher)?.is_some() {}
        }
        contents.end()
    }

    /// Fills an empty database in one transaction, brings it up to date, and notes `event` on the chain of that name.
    ///
    /// # Errors
    /// [`CopyError::NotEmpty`] when something is in the database, and [`CopyError`] as the backup or the database has it;
    /// then nothing is in the database that was not there before.
    pub async fn restore(
        self,
        url: &str,
        random: &Arc<dyn Random>,
        chain: &str,
        event: &AuditEvent,
        watcher: &mut Watcher<'_>,
    ) -> Result<Copied, CopyError> {
        let (mut contents, data_key) = self.contents().await?;
        let store = target(url, random, &data_key, chain).await?;
        let filled = async {
            let mut tx = emptied(&store, &contents.tables, contents.copied.schema).await?;
            for table in contents.tables.clone() {
                fill(&mut contents, &table, &mut tx, watcher).await?;
            }
            let copied = contents.end()?;
            schema::migrate(&mut tx.connection()).await?;
            tx.commit(event).await?;
            Ok(copied)
        };
        let filled = filled.await;
        store.close().await;
        filled
    }

    async fn contents(self) -> Result<(Contents<R>, Zeroizing<Vec<u8>>), CopyError> {
        let Self { file, header, binding, data_key } = self;
        let tables = tables::of_version(header.schema).await?;
        let reader = ChunkReader::new(file, &RowKeys::derive(&data_key, BACKUPS), binding)?;
        let copied =
            Copied { schema: header.schema, at: header.made_at, tables: tables.len(), rows: header.rows };
        Ok((Contents { reader, tables, copied, done: 0, in_table: 0, last_number: 0 }, data_key))
    }
}

/// The store of a database that is to be filled, with the data key that its rows are sealed with.
pub(super) async fn target(
    url: &str,
    random: &Arc<dyn Random>,
    data_key: &[u8],
    chain: &str,
) -> Result<Store, StoreError> {
    Store::unopened(Database::open(url).await?, random)?.opened_by(data_key)?.on_chain(chain)
}

/// A transaction in which the tables of a version are there, with nothing in them.
pub(super) async fn emptied(store: &Store, tables: &[Table], version: i64) -> Result<Tx, CopyError> {
    let mut tx = store.begin().await?;
    let found = schema::found(&mut tx.connection()).await?;
    if found != 0 {
        return Err(CopyError::NotEmpty(found));
    }
    schema::migrate_to(&mut tx.connection(), version).await?;
    // The scripts themselves wrote something: the version.
    for table in tables {
        rows::clear(&mut tx, table).await?;
    }
    Ok(tx)
}

/// Sees that a table has as many rows as were copied, and has the database number further ones behind them.
pub(super) async fn settle(tx: &mut Tx, table: &Table, rows: u64, last_number: i64) -> Result<(), CopyError> {
    rows::go_on_after(tx, table, last_number).await?;
    let found = rows::count(tx, table).await?;
    if found == rows { Ok(()) } else { Err(CopyError::Miscounted { table: table.name.clone(), rows, found }) }
}

async fn fill<R: Read>(
    contents: &mut Contents<R>,
    table: &Table,
    tx: &mut Tx,
    watcher: &mut Watcher<'_>,
) -> Result<(), CopyError> {
    contents.begin(table)?;
    let (mut waiting, mut bytes): (Vec<Cells>, usize) = (Vec::new(), 0);
    while let Some(row) = contents.row(table, watcher)? {
        bytes += rows::size(&row);
        waiting.push(row);
        if bytes >= WAITING || waiting.len() >= ROWS {
            rows::write(tx, table, &waiting).await?;
            (waiting, bytes) = (Vec::new(), 0);
        }
    }
    rows::write(tx, table, &waiting).await?;
    settle(tx, table, contents.in_table, contents.last_number).await
}

/// The tables of a backup and their rows, read in their order.
struct Contents<R> {
    reader: ChunkReader<R>,
    tables: Vec<Table>,
    copied: Copied,
    /// How many rows were read, in all and of this table.
    done: u64,
    in_table: u64,
    /// The last number that the database gave to rows of the table that was read.
    last_number: i64,
}

impl<R: Read> Contents<R> {
    fn begin(&mut self, table: &Table) -> Result<(), CopyError> {
        self.in_table = 0;
        self.reader.begun(table)
    }

    /// The next row of the table; `None` at its end.
    fn row(&mut self, table: &Table, watcher: &mut Watcher<'_>) -> Result<Option<Cells>, CopyError> {
        match self.reader.next(table)? {
            Next::Row(row) => {
                self.in_table += 1;
                self.done += 1;
                watcher(Step { done: self.done, of: self.copied.rows });
                Ok(Some(row))
            }
            Next::End { rows, last_number } if rows == self.in_table => {
                self.last_number = last_number;
                Ok(None)
            }
            Next::End { .. } => {
                Err(CopyError::Damaged(format!("rows of the table `{}` are missing", table.name)))
            }
        }
    }

    fn end(self) -> Result<Copied, CopyError> {
        self.reader.ended()?;
        if self.done == self.copied.rows {
            Ok(self.copied)
        } else {
            Err(CopyError::Damaged("it has not as many rows as it says".to_owned()))
        }
    }
}
