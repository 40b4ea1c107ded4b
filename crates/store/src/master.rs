//! Where the master key comes from, and how the data key is put under another one.

use std::pin::Pin;
use std::sync::Arc;

use domain::Random;
use zeroize::Zeroizing;

use crate::backend::params;
use crate::database::Database;
use crate::seal::{MasterKey, Sealer};
use crate::{Store, StoreError, Tx};

/// What a step of a [`KeyCommand`] comes to.
pub type KeyWork<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A command that keeps the master key wrapped, as a key management service does.
pub trait KeyCommand: Send + Sync {
    /// Wraps a key; what comes out is kept in the database.
    fn wrap<'a>(&'a self, key: &'a MasterKey) -> KeyWork<'a, Vec<u8>>;
    /// Gives back what was wrapped.
    fn unwrap<'a>(&'a self, wrapped: &'a [u8]) -> KeyWork<'a, MasterKey>;
}

/// Where the master key comes from.
pub enum Master {
    /// It is here.
    Key(MasterKey),
    /// A command keeps it.
    Command(Arc<dyn KeyCommand>),
}

const WRAPPED_MASTER: &str = "master_key";
const DATA_KEY: &str = "data_key";
const WITH_A_COMMAND: &str =
    "the database is under a master key that a command keeps: set vault.master-key-command";
const WITHOUT_A_COMMAND: &str = "the database is under a master key that is not the command's: put it there with `portcullis vault change-master-key`";
/// What the seal of the data key is bound to.
const DATA_KEY_PLACE: &str = "sealed_meta|data_key";

/// Whether a database holds a data key already, so that a master key made now could not open it. One that does not exist
/// holds none, and is not made.
///
/// # Errors
/// [`StoreError::Unavailable`] when it cannot be opened or reached.
pub async fn has_data_key(url: &str, random: &Arc<dyn Random>) -> Result<bool, StoreError> {
    if url.strip_prefix("sqlite:").is_some_and(|path| !std::path::Path::new(path).exists()) {
        return Ok(false);
    }
    let store = Store::unopened(Database::open(url).await?, random)?;
    let mut tx = migrated(&store).await?;
    let found = tx.sealed_meta(DATA_KEY).await?.is_some();
    drop(tx);
    store.close().await;
    Ok(found)
}

/// Puts the data key under another master key. What it seals stays as it is, and a server that runs goes on.
///
/// # Errors
/// [`StoreError::Unsealable`] when `from` is not the key that it is under, [`StoreError::MasterKey`] when a command fails.
pub async fn rewrap(
    store: &Store,
    from: &Master,
    to: &Master,
    event: &domain::AuditEvent,
) -> Result<(), StoreError> {
    let wrapped = store.read().await?.sealed_meta(WRAPPED_MASTER).await?;
    let former = match from {
        Master::Key(key) => Sealer::under(key)?,
        Master::Command(command) => {
            Sealer::under(&command.unwrap(&wrapped.ok_or(StoreError::Unsealable)?).await?)?
        }
    };
    let (next, wrapped) = match to {
        Master::Key(key) => (Sealer::under(key)?, None),
        Master::Command(command) => {
            let key = MasterKey::generate(store.random());
            (Sealer::under(&key)?, Some(command.wrap(&key).await?))
        }
    };
    let mut tx = store.begin().await?;
    let sealed = tx.sealed_meta(DATA_KEY).await?.ok_or(StoreError::Unsealable)?;
    let data_key = former.open(DATA_KEY_PLACE, &sealed)?;
    tx.put_sealed_meta(DATA_KEY, Some(&next.seal(store.random(), DATA_KEY_PLACE, &data_key)?)).await?;
    tx.put_sealed_meta(WRAPPED_MASTER, wrapped.as_deref()).await?;
    tx.commit(event).await
}

/// The data key, opened by the master key; both are made when there is none.
pub(crate) async fn data_key(store: &Store, master: &Master) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut tx = migrated(store).await?;
    let known = (tx.sealed_meta(DATA_KEY).await?, tx.sealed_meta(WRAPPED_MASTER).await?);
    // No command runs while the database is held: it takes its time.
    let (sealer, wrapped) = match (master, &known) {
        (Master::Key(_), (Some(_), Some(_))) => {
            return Err(StoreError::MasterKey(WITH_A_COMMAND.to_owned()));
        }
        (Master::Key(key), _) => (Sealer::under(key)?, None),
        (Master::Command(_), (Some(_), None)) => {
            return Err(StoreError::MasterKey(WITHOUT_A_COMMAND.to_owned()));
        }
        (Master::Command(command), (_, Some(wrapped))) => {
            drop(tx);
            let key = command.unwrap(wrapped).await?;
            tx = migrated(store).await?;
            (Sealer::under(&key)?, None)
        }
        (Master::Command(command), (None, None)) => {
            drop(tx);
            let key = MasterKey::generate(store.random());
            let wrapped = command.wrap(&key).await?;
            tx = migrated(store).await?;
            (Sealer::under(&key)?, Some(wrapped))
        }
    };
    let Some(sealed) = tx.sealed_meta(DATA_KEY).await? else {
        let mut key = Zeroizing::new(vec![0; 32]);
        store.random().fill(&mut key);
        tx.put_sealed_meta(DATA_KEY, Some(&sealer.seal(store.random(), DATA_KEY_PLACE, &key)?)).await?;
        if let Some(wrapped) = wrapped {
            tx.put_sealed_meta(WRAPPED_MASTER, Some(&wrapped)).await?;
        }
        tx.end().await?;
        return Ok(key);
    };
    if let (Master::Command(command), Some(_)) = (master, &wrapped) {
        // Another server made the key meanwhile.
        let made = tx.sealed_meta(WRAPPED_MASTER).await?.ok_or(StoreError::Unsealable)?;
        tx.end().await?;
        return Sealer::under(&command.unwrap(&made).await?)?.open(DATA_KEY_PLACE, &sealed);
    }
    let key = sealer.open(DATA_KEY_PLACE, &sealed)?;
    tx.end().await?;
    Ok(key)
}

/// The data key of a database, or of a copy of one, by what it holds of it; nothing is made.
pub(crate) async fn unwrapped(
    master: &Master,
    WrappedKeys { data_key, master_key }: &WrappedKeys,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let sealer = match (master, master_key) {
        (Master::Key(_), Some(_)) => return Err(StoreError::MasterKey(WITH_A_COMMAND.to_owned())),
        (Master::Command(_), None) => return Err(StoreError::MasterKey(WITHOUT_A_COMMAND.to_owned())),
        (Master::Key(key), None) => Sealer::under(key)?,
        (Master::Command(command), Some(wrapped)) => Sealer::under(&command.unwrap(wrapped).await?)?,
    };
    sealer.open(DATA_KEY_PLACE, data_key)
}

/// The data key as the database holds it, and the master key, where a command keeps it.
pub(crate) struct WrappedKeys {
    pub(crate) data_key: Vec<u8>,
    pub(crate) master_key: Option<Vec<u8>>,
}

/// A transaction in which the tables are up to date. They are so afterwards only if it is committed, so that a start with a
/// key that does not fit changes nothing.
async fn migrated(store: &Store) -> Result<Tx, StoreError> {
    let mut tx = store.begin().await?;
    crate::schema::migrate(&mut tx.connection()).await?;
    Ok(tx)
}

impl Tx {
    /// The keys as the database holds them.
    pub(crate) async fn wrapped_keys(&mut self) -> Result<WrappedKeys, StoreError> {
        let data_key = self.sealed_meta(DATA_KEY).await?.ok_or(StoreError::Unsealable)?;
        Ok(WrappedKeys { data_key, master_key: self.sealed_meta(WRAPPED_MASTER).await? })
    }

    async fn sealed_meta(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.fetch_one("SELECT value FROM sealed_meta WHERE name = $1", params![name]).await?;
        row.map(|row| row.bytes(0)).transpose()
    }

    async fn put_sealed_meta(&mut self, name: &str, value: Option<&[u8]>) -> Result<(), StoreError> {
        self.execute("DELETE FROM sealed_meta WHERE name = $1", params![name]).await?;
        if let Some(value) = value {
            self.execute("INSERT INTO sealed_meta (name, value) VALUES ($1, $2)", params![name, value])
                .await?;
        }
        Ok(())
    }
}
