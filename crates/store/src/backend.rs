//! The one seam between SQLite and PostgreSQL: how a statement gets its parameters and a row gives its columns.
//!
//! Statements are written in the subset that both share, with `$1` parameters. Four kinds of values cross the seam:
//! text, whole numbers, bytes, and the absence of one of these.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, PgConnection, Postgres, Row as _, SqlSafeStr, Sqlite, SqliteConnection,
};

use crate::StoreError;

/// A parameter of a statement.
#[derive(Clone, Copy)]
pub(crate) enum Param<'a> {
    Text(&'a str),
    /// A text that goes to SQLite's thread without a copy.
    Shared(&'a Arc<str>),
    Int(i64),
    Bytes(&'a [u8]),
    MaybeText(Option<&'a str>),
    MaybeInt(Option<i64>),
    MaybeBytes(Option<&'a [u8]>),
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Arc<str>> for Param<'a> {
    fn from(text: &'a Arc<str>) -> Self {
        Self::Shared(text)
    }
}

impl<'a> From<&'a String> for Param<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Param<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Param<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// `params![a, b, …]`: a slice of parameters.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::backend::Param::from($value)),*] };
}
pub(crate) use params;

/// `count` parameters from the number `first` on, as a statement lists them.
pub(crate) fn numbered(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

/// Parameters for `rows` rows of `width` columns, from the number 1 on, as `VALUES` lists them.
pub(crate) fn numbered_rows(rows: usize, width: usize) -> String {
    let row = |at: usize| format!("({})", numbered(at * width + 1, width));
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// Rows in batches of at most `most`, one statement each. `few`: each has a power of two of them, so that a statement that is
/// made for their number is one of a few, and a connection keeps few. Where a statement is a way to another machine and
/// back, there had better be no more batches than must be.
pub(crate) fn batches<T>(mut rows: &[T], most: usize, few: bool) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let count = rows.len().min(most);
        let power = 1 << count.checked_ilog2()?;
        let (batch, rest) = rows.split_at_checked(if few { power } else { count })?;
        rows = rest;
        Some(batch)
    })
}

/// A connection of either kind.
pub(crate) enum Connection<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Connection<'_> {
    /// Runs a statement; answers how many rows it changed.
    pub(crate) async fn execute(
        &mut self,
        sql: impl SqlSafeStr,
        params: &[Param<'_>],
    ) -> Result<u64, StoreError> {
        if has_nul(params) {
            return Err(StoreError::Nul);
        }
        match self {
            Self::Sqlite(connection) => {
                Ok(sqlite_query(sql, params)?.execute(&mut **connection).await?.rows_affected())
            }
            Self::Postgres(connection) => {
                Ok(postgres_query(sql, params)?.execute(&mut **connection).await?.rows_affected())
            }
        }
    }

    /// Runs a query; answers all its rows.
    pub(crate) async fn fetch(
        &mut self,
        sql: impl SqlSafeStr,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        if has_nul(params) {
            // No row has one: it is looked for in vain.
            return Ok(Vec::new());
        }
        match self {
            Self::Sqlite(connection) => {
                let rows = sqlite_query(sql, params)?.fetch_all(&mut **connection).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(connection) => {
                let rows = postgres_query(sql, params)?.fetch_all(&mut **connection).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// Runs several statements without parameters, for the schema.
    pub(crate) async fn run_script(&mut self, script: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => {
                sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut **connection).await?;
            }
            Self::Postgres(connection) => {
                sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut **connection).await?;
            }
        }
        Ok(())
    }
}

/// Whether a text has the character that PostgreSQL's texts cannot have, and that nothing here is called by.
fn has_nul(params: &[Param<'_>]) -> bool {
    params.iter().any(|param| match param {
        Param::Text(text) | Param::MaybeText(Some(text)) => text.contains('\0'),
        Param::Shared(text) => text.contains('\0'),
        Param::Int(_)
        | Param::MaybeInt(_)
        | Param::Bytes(_)
        | Param::MaybeText(None)
        | Param::MaybeBytes(_) => false,
    })
}

fn sqlite_query<'q>(
    sql: impl SqlSafeStr,
    params: &[Param<'_>],
) -> Result<Query<'q, Sqlite, SqliteArguments>, StoreError> {
    let mut arguments = SqliteArguments::default();
    for param in params {
        match *param {
            Param::Text(text) => arguments.add(Arc::<str>::from(text)),
            Param::Shared(text) => arguments.add(Arc::clone(text)),
            Param::Int(number) => arguments.add(number),
            Param::MaybeInt(number) => arguments.add(number),
            Param::Bytes(bytes) => arguments.add(bytes.to_vec()),
            Param::MaybeText(text) => arguments.add(text.map(Arc::<str>::from)),
            Param::MaybeBytes(bytes) => arguments.add(bytes.map(<[u8]>::to_vec)),
        }
        .map_err(|error| StoreError::Refused(error.to_string()))?;
    }
    Ok(sqlx::query_with(sql, arguments))
}

fn postgres_query<'q>(
    sql: impl SqlSafeStr,
    params: &[Param<'_>],
) -> Result<Query<'q, Postgres, PgArguments>, StoreError> {
    let mut arguments = PgArguments::default();
    for param in params {
        match *param {
            Param::Text(text) => arguments.add(text),
            Param::Shared(text) => arguments.add(&**text),
            Param::Int(number) => arguments.add(number),
            Param::MaybeInt(number) => arguments.add(number),
            Param::Bytes(bytes) => arguments.add(bytes),
            Param::MaybeText(text) => arguments.add(text),
            Param::MaybeBytes(bytes) => arguments.add(bytes),
        }
        .map_err(|error| StoreError::Refused(error.to_string()))?;
    }
    Ok(sqlx::query_with(sql, arguments))
}

/// A row of either kind. Columns are read by their place.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident -> $kind:ty),* $(,)?) => {$(
        $(#[$doc])*
        pub(crate) fn $name(&self, at: usize) -> Result<$kind, StoreError> {
            Ok(match self {
                Self::Sqlite(row) => row.try_get(at)?,
                Self::Postgres(row) => row.try_get(at)?,
            })
        }
    )*};
}

impl Row {
    columns! {
        text -> String,
        int -> i64,
        bytes -> Vec<u8>,
        maybe_text -> Option<String>,
        maybe_int -> Option<i64>,
        maybe_bytes -> Option<Vec<u8>>,
    }

    /// A column that holds a document of ours.
    pub(crate) fn document<T: DeserializeOwned>(
        &self,
        at: usize,
        table: &'static str,
    ) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(at)?)
            .map_err(|error| StoreError::Corrupt { table, detail: error.to_string() })
    }
}

/// A document as a column holds it.
pub(crate) fn written<T: Serialize>(document: &T, table: &'static str) -> Result<String, StoreError> {
    serde_json::to_string(document).map_err(|error| StoreError::Corrupt { table, detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_of_few_sizes_or_few_and_all_that_there_is() {
        let rows: Vec<usize> = (0..1_000).collect();
        for count in [0, 1, 2, 3, 63, 64, 65, 127, 1_000] {
            let powers: Vec<_> = batches(&rows[..count], 64, true).collect();
            assert_eq!(powers.concat(), rows[..count]);
            assert!(powers.iter().all(|batch| batch.len().is_power_of_two() && batch.len() <= 64));
            // Full ones, and one of each size at most of what is left.
            assert!(powers.len() <= count / 64 + 6, "{count} rows in {} batches", powers.len());
            let fewest: Vec<_> = batches(&rows[..count], 64, false).collect();
            assert_eq!(fewest, rows[..count].chunks(64).collect::<Vec<_>>());
        }
    }
}
