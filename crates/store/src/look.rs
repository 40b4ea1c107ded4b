//! A look at a database that changes nothing, for those who decide what to do with it.

use std::sync::Arc;

use domain::{Random, Timestamp};

use crate::backend::{Row, params};
use crate::database::{Database, NAME};
use crate::master::{self, Master};
use crate::{Store, StoreError, schema};

/// What our own connection is called, so that it can be told from those of servers.
const LOOKING: &str = "portcullis-look";

/// What a database is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The version of its tables; zero for a database without tables, or for none at all.
    pub schema: i64,
    /// The version that this Portcullis writes.
    pub known: i64,
    /// PostgreSQL's, if that is what it is.
    pub server: Option<Server>,
}

/// What a PostgreSQL server is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its version, as it says it.
    pub version: String,
    /// The same as a number: 160004 for 16.4.
    pub number: i64,
    /// What time it is there.
    pub clock: Timestamp,
    /// How many connections servers and verbs have to this database.
    pub connections: i64,
}

/// A server that has a lease among those that share a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveReplica {
    /// What it is called for as long as it runs.
    pub id: String,
    /// When it began, by the database's clock.
    pub since: Timestamp,
}

impl Store {
    /// The replicas that have a lease, the oldest first; nobody on SQLite, where the one server needs none.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn live_replicas(&self) -> Result<Vec<LiveReplica>, StoreError> {
        if !self.is_postgres() {
            return Ok(Vec::new());
        }
        let sql = "SELECT id, started_at FROM replicas \
                   WHERE lease_until > (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT ORDER BY started_at, id";
        let rows = self.read().await?.fetch(sql, params![]).await?;
        let live =
            |row: &Row| Ok(LiveReplica { id: row.text(0)?, since: Timestamp::from_millis(row.int(1)?) });
        rows.iter().map(live).collect()
    }
}

/// Looks at a database. An SQLite file that is not there is not made.
///
/// # Errors
/// [`StoreError::Unavailable`] when it cannot be opened or reached.
pub async fn look(url: &str, random: &Arc<dyn Random>) -> Result<Look, StoreError> {
    if url.strip_prefix("sqlite:").is_some_and(|path| !std::path::Path::new(path).exists()) {
        return Ok(Look { schema: 0, known: schema::known(), server: None });
    }
    let database = Database::open_as(url, LOOKING).await?;
    let is_server = matches!(database, Database::Postgres(_));
    let store = Store::unopened(database, random)?;
    let looked = async {
        let server = if is_server { Some(server(&store).await?) } else { None };
        // Not kept: the table that it makes is gone with the transaction.
        let mut tx = store.begin().await?;
        let schema = schema::found(&mut tx.connection()).await?;
        Ok(Look { schema, known: schema::known(), server })
    };
    let looked = looked.await;
    store.close().await;
    looked
}

/// Opens the data key of a database that is there, and changes nothing, whatever its version.
///
/// # Errors
/// [`StoreError::Unsealable`] when the master key is not the one that it is under, [`StoreError::MasterKey`] when a command
/// fails, and [`StoreError`] when the database fails.
pub async fn opens(url: &str, master: &Master, random: &Arc<dyn Random>) -> Result<(), StoreError> {
    let store = Store::unopened(Database::open_as(url, LOOKING).await?, random)?;
    let opened = async {
        let keys = store.read().await?.wrapped_keys().await?;
        master::unwrapped(master, &keys).await.map(drop)
    };
    let opened = opened.await;
    store.close().await;
    opened
}

async fn server(store: &Store) -> Result<Server, StoreError> {
    let sql = "SELECT current_setting('server_version'), CAST(current_setting('server_version_num') AS BIGINT), \
               CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT), \
               (SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1)";
    let row = store.read().await?.fetch_one(sql, params![NAME]).await?;
    let row = row.ok_or_else(|| StoreError::Refused("the server says nothing of itself".to_owned()))?;
    Ok(Server {
        version: row.text(0)?,
        number: row.int(1)?,
        clock: Timestamp::from_millis(row.int(2)?),
        connections: row.int(3)?,
    })
}
