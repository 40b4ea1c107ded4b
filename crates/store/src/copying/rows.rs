//! The rows of any table, in either database: read in pages behind one another, written several in one statement.

use sqlx::AssertSqlSafe;

use super::tables::{Kind, Table};
use crate::backend::{Connection, Param, Row, numbered, numbered_rows, params};
use crate::{StoreError, Tx};

/// The most rows of a page.
const MOST: usize = 256;
/// Pages grow while they have fewer bytes than this, and shrink when they have more.
const PAGE: usize = 1024 * 1024;
/// The most rows of a statement that writes.
const WRITTEN: usize = 32;

/// What a column of a row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Nothing,
    Text(String),
    Int(i64),
    Bytes(Vec<u8>),
}

impl Cell {
    fn read(row: &Row, at: usize, kind: Kind) -> Result<Self, StoreError> {
        Ok(match kind {
            Kind::Text => row.maybe_text(at)?.map_or(Self::Nothing, Self::Text),
            Kind::Int => row.maybe_int(at)?.map_or(Self::Nothing, Self::Int),
            Kind::Bytes => row.maybe_bytes(at)?.map_or(Self::Nothing, Self::Bytes),
        })
    }

    /// PostgreSQL wants to know what it is that is not there.
    fn param(&self, kind: Kind) -> Param<'_> {
        match (self, kind) {
            (Self::Text(text), _) => Param::Text(text),
            (Self::Int(number), _) => Param::Int(*number),
            (Self::Bytes(bytes), _) => Param::Bytes(bytes),
            (Self::Nothing, Kind::Text) => Param::MaybeText(None),
            (Self::Nothing, Kind::Int) => Param::MaybeInt(None),
            (Self::Nothing, Kind::Bytes) => Param::MaybeBytes(None),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Nothing => 1,
            Self::Text(text) => text.len(),
            Self::Int(_) => 8,
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// A row, column by column.
pub(super) type Cells = Vec<Cell>;

/// How many bytes a row has, about.
pub(super) fn size(row: &Cells) -> usize {
    row.iter().map(Cell::size).sum()
}

/// The rows of a table, a page at a time. The first pages are small and tell how large the rows are, so that rows of
/// megabytes are never many in memory.
pub(super) struct Pages<'t> {
    table: &'t Table,
    limit: usize,
    /// The key of the last row that was read.
    after: Option<Cells>,
}

impl<'t> Pages<'t> {
    pub(super) fn of(table: &'t Table) -> Self {
        Self { table, limit: 1, after: None }
    }

    /// The next page; an empty one after the last.
    pub(super) async fn next(&mut self, tx: &mut Tx) -> Result<Vec<Cells>, StoreError> {
        let Table { name, columns, key, .. } = self.table;
        let (listed, listed_key) = (self.table.listed(), self.table.listed_key());
        let kinds: Vec<Kind> = key.iter().filter_map(|at| columns.get(*at)).map(|it| it.kind).collect();
        let mut params: Vec<Param<'_>> = Vec::new();
        let mut behind = String::new();
        if let Some(after) = &self.after {
            behind = format!("WHERE ({listed_key}) > ({})", numbered(1, kinds.len()));
            params.extend(after.iter().zip(&kinds).map(|(cell, kind)| cell.param(*kind)));
        }
        let limit = self.limit;
        let sql = format!("SELECT {listed} FROM \"{name}\" {behind} ORDER BY {listed_key} LIMIT {limit}");
        let read = tx.connection().fetch(AssertSqlSafe(sql), &params).await?;
        let rows = read.iter().map(|row| {
            let cells = columns.iter().enumerate().map(|(at, column)| Cell::read(row, at, column.kind));
            cells.collect::<Result<Cells, StoreError>>()
        });
        let rows: Vec<Cells> = rows.collect::<Result<_, _>>()?;
        if let Some(last) = rows.last() {
            self.after = Some(key.iter().filter_map(|at| last.get(*at)).cloned().collect());
            let bytes: usize = rows.iter().map(size).sum();
            let fitting = (PAGE / (bytes / rows.len()).max(1)).max(1);
            self.limit = fitting.min(self.limit * 2).min(MOST);
        }
        Ok(rows)
    }
}

/// Writes rows into a table.
pub(super) async fn write(tx: &mut Tx, table: &Table, rows: &[Cells]) -> Result<(), StoreError> {
    let width = table.columns.len();
    for batch in rows.chunks(WRITTEN) {
        let (name, listed, values) = (&table.name, table.listed(), numbered_rows(batch.len(), width));
        let sql = format!("INSERT INTO \"{name}\" ({listed}) VALUES {values}");
        let params: Vec<Param<'_>> = batch
            .iter()
            .flat_map(|row| row.iter().zip(&table.columns).map(|(cell, column)| cell.param(column.kind)))
            .collect();
        tx.connection().execute(AssertSqlSafe(sql), &params).await?;
    }
    Ok(())
}

/// Takes every row out of a table.
pub(super) async fn clear(tx: &mut Tx, table: &Table) -> Result<(), StoreError> {
    let sql = format!("DELETE FROM \"{}\"", table.name);
    tx.connection().execute(AssertSqlSafe(sql), &[]).await.map(drop)
}

/// How many rows a table has.
pub(super) async fn count(tx: &mut Tx, table: &Table) -> Result<u64, StoreError> {
    let sql = format!("SELECT COUNT(*) FROM \"{}\"", table.name);
    let rows = tx.connection().fetch(AssertSqlSafe(sql), &[]).await?;
    let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The last number that the database gave to a row of the table, whether that row is still there or not; zero for none.
pub(super) async fn last_number(tx: &mut Tx, table: &Table) -> Result<i64, StoreError> {
    let Some(column) = table.numbered() else { return Ok(0) };
    let mut connection = tx.connection();
    let rows = match connection {
        Connection::Sqlite(_) => {
            let sql = "SELECT seq FROM sqlite_sequence WHERE name = $1";
            connection.fetch(sql, params![&table.name]).await?
        }
        Connection::Postgres(_) => {
            let sql = "SELECT COALESCE(pg_sequence_last_value(CAST(pg_get_serial_sequence($1, $2) AS regclass)), 0)";
            connection.fetch(sql, params![&table.name, &column.name]).await?
        }
    };
    rows.first().map_or(Ok(0), |row| row.int(0))
}

/// Has the database go on after a number, and after every number that is in the table.
pub(super) async fn go_on_after(tx: &mut Tx, table: &Table, number: i64) -> Result<(), StoreError> {
    let Some(column) = table.numbered() else { return Ok(()) };
    let sql = format!("SELECT COALESCE(MAX(\"{}\"), 0) FROM \"{}\"", column.name, table.name);
    let largest = tx.connection().fetch(AssertSqlSafe(sql), &[]).await?;
    let number = number.max(largest.first().map_or(Ok(0), |row| row.int(0))?);
    if number < 1 {
        return Ok(());
    }
    let mut connection = tx.connection();
    match connection {
        Connection::Sqlite(_) => {
            connection.execute("DELETE FROM sqlite_sequence WHERE name = $1", params![&table.name]).await?;
            let sql = "INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)";
            connection.execute(sql, params![&table.name, number]).await?;
        }
        Connection::Postgres(_) => {
            let sql = "SELECT setval(CAST(pg_get_serial_sequence($1, $2) AS regclass), $3)";
            connection.fetch(sql, params![&table.name, &column.name, number]).await?;
        }
    }
    Ok(())
}
