//! The two databases, and how they are opened.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, PgPool, SqlitePool};

use crate::StoreError;

/// What PostgreSQL knows the connections of servers and of most verbs as.
pub(crate) const NAME: &str = "portcullis";

/// How much of an SQLite file the connection that writes keeps, and each that reads, in KiB (with the sign by which SQLite tells
/// them from pages). It is little: the system keeps what was read as well, and from there a page is a microsecond away.
const WRITER_CACHE: &str = "-512";
const READER_CACHE: &str = "-256";
/// How many statements a connection to SQLite keeps prepared. What is asked for less often is prepared again.
const STATEMENTS: usize = 64;

pub(crate) enum Database {
    /// One connection writes, several read: SQLite's write-ahead log lets them go on side by side.
    Sqlite {
        write: SqlitePool,
        read: SqlitePool,
    },
    Postgres(PgPool),
}

impl Database {
    /// Connects to the database that a URL names; an SQLite file is made when there is none.
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_as(url, NAME).await
    }

    /// The same under another name, by which PostgreSQL knows its connections.
    pub(crate) async fn open_as(url: &str, name: &str) -> Result<Self, StoreError> {
        let unavailable = |error: sqlx::Error| StoreError::Unavailable(error.to_string());
        if let Some(path) = url.strip_prefix("sqlite:") {
            make_private(path).map_err(|error| StoreError::Unavailable(error.to_string()))?;
            let options = SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(Duration::from_secs(10))
                .pragma("cache_size", WRITER_CACHE)
                .statement_cache_capacity(STATEMENTS);
            let write = SqlitePoolOptions::new()
                .max_connections(1)
                .acquire_timeout(Duration::from_secs(20))
                // A disk that is full ends a transaction by itself ("sqlite3_get_autocommit"), which sqlx does not see: such
                // a connection begins no other one, and is replaced.
                .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
                .connect_with(options.clone())
                .await
                .map_err(unavailable)?;
            let options = options.pragma("cache_size", READER_CACHE).read_only(true);
            let read = SqlitePoolOptions::new()
                .max_connections(4)
                .acquire_timeout(Duration::from_secs(20))
                .connect_lazy_with(options);
            return Ok(Self::Sqlite { write, read });
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options: PgConnectOptions = url.parse().map_err(unavailable)?;
            let pool = pool(10, Duration::from_secs(10))
                .connect_with(options.application_name(name))
                .await
                .map_err(unavailable)?;
            return Ok(Self::Postgres(pool));
        }
        Err(StoreError::Unavailable("the URL must begin with sqlite: or postgres://".to_owned()))
    }
}

/// So many connections to PostgreSQL, each of which is waited for so long. The server gives up those whose other end is
/// gone, and what they held, in seconds instead of hours: a lock that a lost machine had would keep everybody else waiting.
pub(crate) fn pool(most: u32, patience: Duration) -> PgPoolOptions {
    const BOUNDS: &str = "SET idle_in_transaction_session_timeout = '15s'; SET lock_timeout = '15s'; \
         SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3; \
         SET tcp_user_timeout = '10s'";
    PgPoolOptions::new().max_connections(most).acquire_timeout(patience).after_connect(|connection, _| {
        Box::pin(async move {
            sqlx::raw_sql(BOUNDS).execute(connection).await?;
            Ok(())
        })
    })
}

/// Makes the file of a database, when there is none, for its owner's eyes only. What SQLite puts beside it is made in
/// its likeness.
fn make_private(path: &str) -> std::io::Result<()> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}
