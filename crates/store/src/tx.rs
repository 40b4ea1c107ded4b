//! A database and its transactions.

use std::sync::Arc;

use domain::{Actor, AuditEvent, Random, Secret};
use sqlx::{Postgres, Sqlite, Transaction};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::StoreError;
use crate::audit_chain::{Chain, KEYS};
use crate::audit_health::AuditHealth;
use crate::backend::{Connection, Param, Row, params};
use crate::copying::BACKUPS;
use crate::database::Database;
use crate::master::{self, Master};
use crate::recorded_calls::TABLE;
use crate::replicas::CHANNEL;
use crate::seal::{MasterKey, RowKeys, Sealer};
use crate::standing::Standing;

/// A number of our own, under which writing transactions queue on PostgreSQL: "PCLS" in ASCII.
const WRITE_LOCK: i64 = 0x5043_4C53;

/// What the keys of the sessions of MCP's clients are derived for.
const MCP_SESSIONS: &str = "mcp_sessions";

/// The chain into which a process writes that was told of no other.
const CHAIN: &str = "main";

/// One database.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    chain: Arc<Chain>,
}

struct Inner {
    database: Database,
    keys: Keys,
    random: Arc<dyn Random>,
    changed: watch::Sender<i64>,
    appended: watch::Sender<()>,
    health: AuditHealth,
    standing: Standing,
}

/// The data key, and what is derived of it.
struct Keys {
    sealer: Sealer,
    recorded: RowKeys,
    chains: RowKeys,
    backups: RowKeys,
    mcp_sessions: RowKeys,
}

impl Keys {
    fn of(data_key: &[u8]) -> Result<Self, StoreError> {
        let derived = |purpose| RowKeys::derive(data_key, purpose);
        Ok(Self {
            sealer: Sealer::new(data_key)?,
            recorded: derived(TABLE),
            chains: derived(KEYS),
            backups: derived(BACKUPS),
            mcp_sessions: derived(MCP_SESSIONS),
        })
    }
}

impl Store {
    /// Opens a database, makes or brings up to date its tables, and opens its data key with the master key.
    ///
    /// `url` is `sqlite:PATH` (the file is made when it does not exist) or `postgres://…`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot be opened or reached, [`StoreError::Newer`] when a newer Portcullis
    /// made it, [`StoreError::Unsealable`] when another master key sealed it.
    pub async fn open(url: &str, master: &MasterKey, random: Arc<dyn Random>) -> Result<Self, StoreError> {
        Self::open_with(url, &Master::Key(master.clone()), random).await
    }

    /// The same, with a master key that a command may keep.
    ///
    /// # Errors
    /// As [`Store::open`], and [`StoreError::MasterKey`] when the command fails.
    pub async fn open_with(url: &str, master: &Master, random: Arc<dyn Random>) -> Result<Self, StoreError> {
        let store = Self::unopened(Database::open(url).await?, &random)?;
        let data_key = master::data_key(&store, master).await?;
        let last = store.read().await?.last_change().await?;
        store.inner.changed.send_replace(last);
        store.opened_by(&data_key)
    }

    /// The same store, with its data key.
    pub(crate) fn opened_by(self, data_key: &[u8]) -> Result<Self, StoreError> {
        let inner = Arc::into_inner(self.inner).ok_or(StoreError::Unsealable)?;
        let keys = Keys::of(data_key)?;
        let chain = Arc::new(Chain::new(CHAIN, &*keys.chains.seed(CHAIN)?)?);
        Ok(Self { inner: Arc::new(Inner { keys, ..inner }), chain })
    }

    /// A database whose data key is not known: what is sealed in it cannot be opened.
    pub(crate) fn unopened(database: Database, random: &Arc<dyn Random>) -> Result<Self, StoreError> {
        let (random, changed) = (Arc::clone(random), watch::channel(0).0);
        let (appended, chain) = (watch::channel(()).0, Arc::new(Chain::new(CHAIN, &[0; 32])?));
        Ok(Self {
            inner: Arc::new(Inner {
                database,
                keys: Keys::of(&[0; 32])?,
                random,
                changed,
                appended,
                health: AuditHealth::default(),
                standing: Standing::default(),
            }),
            chain,
        })
    }

    /// How the parts of the audit trail are.
    #[must_use]
    pub fn audit_health(&self) -> &AuditHealth {
        &self.inner.health
    }

    /// Whether this process may serve what it knows.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.inner.standing
    }

    pub(crate) fn database(&self) -> &Database {
        &self.inner.database
    }

    pub(crate) fn with_chain(&self, chain: Arc<Chain>) -> Self {
        Self { inner: Arc::clone(&self.inner), chain }
    }

    pub(crate) fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    pub(crate) fn chain_seed(&self, name: &str) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        self.inner.keys.chains.seed(name)
    }

    /// The keys of what was recorded of calls.
    pub(crate) fn recorded(&self) -> &RowKeys {
        &self.inner.keys.recorded
    }

    /// The keys of backups.
    pub(crate) fn backups(&self) -> &RowKeys {
        &self.inner.keys.backups
    }

    /// The keys of the sessions of MCP's clients.
    pub(crate) fn mcp_sessions(&self) -> &RowKeys {
        &self.inner.keys.mcp_sessions
    }

    pub(crate) fn random(&self) -> &dyn Random {
        &*self.inner.random
    }

    /// A transaction that only reads, at one moment of the database.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails, [`StoreError::CutOff`] at once while it cannot be reached.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        self.must_be_reached()?;
        let open = match &self.inner.database {
            Database::Sqlite { read, .. } => Open::Sqlite(Box::pin(read.begin()).await?),
            Database::Postgres(pool) => Open::Postgres(
                Box::pin(pool.begin_with("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
                    .await?,
            ),
        };
        Ok(Tx { open, store: self.clone(), wrote_change: false, appended: false })
    }

    /// A transaction that writes. Writers take turns.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails, [`StoreError::CutOff`] at once while it cannot be reached.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        self.begin_beside(WRITE_LOCK).await
    }

    /// A transaction that takes its turn under another lock, where there are several. It must write nothing that the change
    /// feed tells of.
    pub(crate) async fn begin_beside(&self, lock: i64) -> Result<Tx, StoreError> {
        self.must_be_reached()?;
        let open = match &self.inner.database {
            Database::Sqlite { write, .. } => {
                Open::Sqlite(Box::pin(write.begin_with("BEGIN IMMEDIATE")).await?)
            }
            Database::Postgres(pool) => Open::Postgres(Box::pin(pool.begin()).await?),
        };
        let mut tx = Tx { open, store: self.clone(), wrote_change: false, appended: false };
        if matches!(tx.open, Open::Postgres(_)) {
            // Who has its turn and is not heard of any more, as a replica that is cut off, does not keep it for long.
            const TURN: &str = "SELECT pg_advisory_xact_lock($1), set_config('idle_in_transaction_session_timeout', '5s', TRUE)";
            tx.execute(TURN, params![lock]).await?;
        }
        Ok(tx)
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.inner.database, Database::Postgres(_))
    }

    /// Tells of the place of the last change that this process committed or was told of.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<i64> {
        self.inner.changed.subscribe()
    }

    /// Tells when this process committed audit events.
    #[must_use]
    pub fn appended(&self) -> watch::Receiver<()> {
        self.inner.appended.subscribe()
    }

    /// Looks whether another process changed something, and tells those who wait on [`Store::changed`].
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn look_for_changes(&self) -> Result<(), StoreError> {
        let last = self.read().await?.last_change().await?;
        self.tell(last);
        Ok(())
    }

    /// Seals text that is kept outside the store, such as the token of a session, for the purpose that `place` names.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when the cipher refuses.
    pub fn seal_for(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.inner.keys.sealer.seal(&*self.inner.random, place, plain)
    }

    /// Opens what [`Store::seal_for`] sealed for the same purpose.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when it was sealed by another key, for another purpose, or tampered with.
    pub fn open_for(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.inner.keys.sealer.open(place, sealed)
    }

    /// Waits until every connection has ended its work, and closes them.
    pub async fn close(&self) {
        match &self.inner.database {
            Database::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Database::Postgres(pool) => pool.close().await,
        }
    }

    /// Whether it is closed, or about to be: nothing is read any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match &self.inner.database {
            Database::Sqlite { read, .. } => read.is_closed(),
            Database::Postgres(pool) => pool.is_closed(),
        }
    }

    fn must_be_reached(&self) -> Result<(), StoreError> {
        if self.standing().is_cut_off() { Err(StoreError::CutOff) } else { Ok(()) }
    }

    pub(crate) fn tell(&self, last: i64) {
        self.inner.changed.send_if_modified(|known| {
            let newer = last > *known;
            *known = last.max(*known);
            newer
        });
    }
}

/// One transaction. Dropped without [`Tx::commit`], it leaves nothing behind.
pub struct Tx {
    open: Open,
    store: Store,
    pub(crate) wrote_change: bool,
    appended: bool,
}

enum Open {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// Makes everything that was written last, together with the audit event of what was done, and tells those who
    /// wait on [`Store::changed`].
    ///
    /// # Errors
    /// [`StoreError`] when the database fails, [`StoreError::Unaudited`] while the audit trail cannot be kept and the change
    /// is not the server's own; then nothing of the transaction is in it.
    pub async fn commit(mut self, event: &AuditEvent) -> Result<(), StoreError> {
        if event.actor != Actor::System
            && let Some(why) = self.store.audit_health().refuses_changes()
        {
            return Err(StoreError::Unaudited(why));
        }
        self.append_event(event).await?;
        self.end().await
    }

    /// Commits what needs no audit event of its own: the tables, events themselves, what sessions come to. Whoever follows
    /// the change feed is told of what there is to read.
    pub(crate) async fn end(mut self) -> Result<(), StoreError> {
        let last = if self.wrote_change { Some(self.last_change().await?) } else { None };
        if let (Some(last), Open::Postgres(_)) = (last, &self.open) {
            // Told when it is committed, and not before.
            self.fetch("SELECT pg_notify($1, $2)", params![CHANNEL, &last.to_string()]).await?;
        }
        match self.open {
            Open::Sqlite(transaction) => transaction.commit().await?,
            Open::Postgres(transaction) => transaction.commit().await?,
        }
        if self.appended {
            self.store.inner.appended.send_replace(());
        }
        if let Some(last) = last {
            self.store.tell(last);
        }
        Ok(())
    }

    pub(crate) fn note_appended(&mut self) {
        self.appended = true;
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn connection(&mut self) -> Connection<'_> {
        match &mut self.open {
            Open::Sqlite(transaction) => Connection::Sqlite(transaction),
            Open::Postgres(transaction) => Connection::Postgres(transaction),
        }
    }

    pub(crate) async fn execute(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<u64, StoreError> {
        self.connection().execute(sql, params).await
    }

    /// Runs a statement that must change exactly the row that was read before.
    pub(crate) async fn change_one(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<(), StoreError> {
        if self.execute(sql, params).await? == 1 { Ok(()) } else { Err(StoreError::Stale) }
    }

    pub(crate) async fn fetch(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        self.connection().fetch(sql, params).await
    }

    pub(crate) async fn fetch_one(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch(sql, params).await?.into_iter().next())
    }

    pub(crate) fn seal(&self, place: &str, secret: &Secret) -> Result<Vec<u8>, StoreError> {
        self.store.seal_for(place, secret.expose().as_bytes())
    }

    pub(crate) fn unseal(&self, place: &str, sealed: &[u8]) -> Result<Secret, StoreError> {
        let opened = self.store.open_for(place, sealed)?;
        let text = std::str::from_utf8(&opened).map_err(|_| StoreError::Unsealable)?;
        Ok(Secret::new(text))
    }

    pub(crate) fn random(&self) -> &dyn Random {
        self.store.random()
    }

    pub(crate) fn seal_bytes(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.store.seal_for(place, plain)
    }

    pub(crate) fn open_bytes(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.store.open_for(place, sealed)
    }
}

/// A page of a list that is ordered by name or id.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The last one of the page before; empty for the first page.
    pub after: &'a str,
    /// How many at most.
    pub limit: i64,
}

impl Page<'_> {
    /// Everything there is, for lists that are short by nature.
    pub const ALL: Page<'static> = Page { after: "", limit: i64::MAX };
}
