//! Which tables a version of the schema has, and their columns: its scripts make them in memory, and SQLite is asked.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::StoreError;
use crate::backend::{Connection, Row, params};
use crate::schema;

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// The places of the columns that tell its rows apart, in their order.
    pub(super) key: Vec<usize>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) numbered: Numbered,
}

/// What is in a column, unless it is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int,
    Bytes,
}

/// Whether the database gives a column its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbered {
    ByDatabase,
    ByUs,
}

impl Table {
    /// The column to which the database gives numbers, if there is one.
    pub(super) fn numbered(&self) -> Option<&Column> {
        self.columns.iter().find(|column| column.numbered == Numbered::ByDatabase)
    }

    /// The columns as a statement lists them.
    pub(super) fn listed(&self) -> String {
        quoted(self.columns.iter())
    }

    /// The columns of the key as a statement lists them.
    pub(super) fn listed_key(&self) -> String {
        quoted(self.key.iter().filter_map(|at| self.columns.get(*at)))
    }
}

fn quoted<'c>(columns: impl Iterator<Item = &'c Column>) -> String {
    columns.map(|column| format!("\"{}\"", column.name)).collect::<Vec<_>>().join(", ")
}

/// What is about the servers that run, and not about what they keep: nobody takes it along.
pub(super) const OF_THE_MOMENT: [&str; 4] = ["rate_counts", "rate_seats", "replicas", "works"];

/// The tables of a version of the schema that are copied, in the order of their names.
pub(super) async fn of_version(version: i64) -> Result<Vec<Table>, StoreError> {
    let options = SqliteConnectOptions::new().in_memory(true).disable_statement_logging();
    let mut memory = options.connect().await?;
    let mut connection = Connection::Sqlite(&mut memory);
    schema::migrate_to(&mut connection, version).await?;
    let names = connection
        .fetch(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
            params![],
        )
        .await?;
    let mut tables = Vec::with_capacity(names.len());
    for row in names {
        let name = row.text(0)?;
        if OF_THE_MOMENT.contains(&name.as_str()) {
            continue;
        }
        let columns = connection
            .fetch("SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid", params![&name])
            .await?;
        tables.push(table(name, &columns)?);
    }
    memory.close().await?;
    Ok(tables)
}

fn table(name: String, rows: &[Row]) -> Result<Table, StoreError> {
    let refused = |what: &str| {
        StoreError::Refused(format!("the table `{name}` of the schema cannot be copied: {what}"))
    };
    let (mut columns, mut key) = (Vec::with_capacity(rows.len()), Vec::new());
    for (at, row) in rows.iter().enumerate() {
        let place = row.int(2)?;
        let (kind, numbered) = match (row.text(1)?.as_str(), place) {
            ("TEXT", _) => (Kind::Text, Numbered::ByUs),
            ("BIGINT", _) => (Kind::Int, Numbered::ByUs),
            ("BLOB", _) => (Kind::Bytes, Numbered::ByUs),
            ("INTEGER", 1) => (Kind::Int, Numbered::ByDatabase),
            (other, _) => return Err(refused(&format!("a column is `{other}`"))),
        };
        if place > 0 {
            key.push((place, at));
        }
        columns.push(Column { name: row.text(0)?, kind, numbered });
    }
    if key.is_empty() {
        return Err(refused("nothing tells its rows apart"));
    }
    key.sort_unstable();
    let key = key.into_iter().map(|(_, at)| at).collect();
    Ok(Table { name, columns, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_version_of_the_schema_can_be_copied() {
        for version in 1..=schema::known() {
            assert!(!of_version(version).await.unwrap().is_empty(), "version {version}");
        }
        let last = of_version(schema::known()).await.unwrap();
        let events = last.iter().find(|table| table.name == "audit_events").unwrap();
        assert_eq!(events.numbered().unwrap().name, "seq");
        assert_eq!(events.columns.last().unwrap().kind, Kind::Bytes);
        assert!(!last.iter().any(|table| OF_THE_MOMENT.contains(&table.name.as_str())));
        let first = of_version(1).await.unwrap();
        assert!(first.iter().any(|table| table.name == "function_statements"));
        assert!(!last.iter().any(|table| table.name == "function_statements"));
        let member = last.iter().find(|table| table.name == "pool_members").unwrap();
        assert_eq!(member.listed_key(), "\"pool\", \"member\", \"name\"");
    }
}
