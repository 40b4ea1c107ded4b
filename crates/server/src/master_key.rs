//! Where the master key is: with a command, in the environment, or in a file of the data directory, which is made at the
//! first start and never after, because a new key opens nothing that is there.

use std::path::Path;
use std::sync::Arc;

use domain::{Random, Secret};
use store::{Master, MasterKey, Store, StoreError};

use crate::bootstrap::{Make, cannot_write, event, without_password, write_private};
use crate::configuration::{Configuration, read_data_file};
use crate::terminal::Failure;

const FILE: &str = "master.key";
/// A key that is being changed to: in the file until the database is under it.
const NEXT: &str = "master.next";
/// Held by whoever changes the key: two at once would each put the database under a key that the other's file replaces.
const LOCK: &str = "master.lock";

/// Where the new key is to be, when the master key is changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Where the configuration says.
    Configured,
    /// In the file of the data directory.
    File,
}

/// Opens the store, which is made when there is none.
pub(crate) async fn open_store(
    configuration: &Configuration,
    random: &Arc<dyn Random>,
) -> Result<Store, Failure> {
    let url = &configuration.database;
    let open = async |master: &Master| Store::open_with(url, master, Arc::clone(random)).await;
    let next = configuration.data(NEXT);
    let cut_off = uses_file(configuration) && next.exists();
    let mut opened = if cut_off && !configuration.data(FILE).exists() {
        // The key was being moved here from elsewhere.
        Err(StoreError::Unsealable)
    } else {
        open(&master(configuration, random).await?).await
    };
    if matches!(opened, Err(StoreError::Unsealable)) && cut_off {
        // The key was being changed, and what was left is to give its file its name.
        opened = open(&Master::Key(read_key(&next)?)).await;
        if opened.is_ok() {
            settle(configuration)?;
        }
    }
    let opened = opened.map_err(|error| {
        let hint = match error {
            StoreError::Unsealable => {
                "\nThe master key is the file master.key of the data directory, or PORTCULLIS_MASTER_KEY. Nothing was changed"
            }
            _ => "",
        };
        Failure::new(format!("cannot open the database {}: {error}{hint}", without_password(url)))
    })?;
    crate::audit_trail::on_own_chain(configuration, &opened, &**random)
}

/// Whether there is a master key; `open` makes none.
pub(crate) fn check(configuration: &Configuration) -> Result<(), Failure> {
    if uses_file(configuration) { read_key(&configuration.data(FILE)).map(drop) } else { Ok(()) }
}

/// The master key of an installation that is elsewhere, and whose copy is to be here: none is made, because it would open
/// nothing.
pub(crate) async fn of_copy(
    configuration: &Configuration,
    random: &Arc<dyn Random>,
) -> Result<Master, Failure> {
    let path = configuration.data(FILE);
    if uses_file(configuration) && !path.exists() {
        return Err(Failure::new(format!(
            "there is no master key: put the one that the data were sealed under to {}, or set PORTCULLIS_MASTER_KEY or vault.master-key-command",
            path.display()
        )));
    }
    master(configuration, random).await
}

/// Changes the master key: to a new one where it is kept, or, with `from`, from the key in that file to the configured one.
pub(crate) async fn change(
    configuration: &Configuration,
    random: &Arc<dyn Random>,
    clock: &dyn domain::Clock,
    (from, target): (Option<&Path>, Target),
) -> Result<(), Failure> {
    let _alone = alone(configuration)?;
    let (former, store) = match from {
        Some(path) => {
            let former = Master::Key(read_key(path)?);
            let store = Store::open_with(&configuration.database, &former, Arc::clone(random)).await?;
            (former, store)
        }
        None => {
            let store = open_store(configuration, random).await?;
            (master(configuration, random).await?, store)
        }
    };
    let event = event("vault.change-master-key", &domain::AccountId::first(), clock, &**random);
    let to_file = target == Target::File || uses_file(configuration);
    if to_file && from.is_none() {
        let key = MasterKey::generate(&**random);
        let next = configuration.data(NEXT);
        write_private(&next, format!("{}\n", *key.to_text()).as_bytes(), Make::Anew)
            .map_err(|error| cannot_write(&next, &error))?;
        store::rewrap(&store, &former, &Master::Key(key), &event).await?;
        return settle(configuration);
    }
    if from.is_none() && configuration.master_key.is_some() {
        return Err(Failure::usage(
            "PORTCULLIS_MASTER_KEY (or vault.master-key-file) holds the key: write it into a file of its own, put a new one into PORTCULLIS_MASTER_KEY, and name the file with --from",
        ));
    }
    let next = master(configuration, random).await?;
    Ok(store::rewrap(&store, &former, &next, &event).await?)
}

/// Keeps everybody else who uses this data directory from changing the key, until what is given back is dropped.
fn alone(configuration: &Configuration) -> Result<std::fs::File, Failure> {
    let path = configuration.data(LOCK);
    let file = std::fs::OpenOptions::new().create(true).write(true).truncate(false).open(&path);
    let file = file.map_err(|error| cannot_write(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Failure::new(
            "the master key is being changed by somebody else at this moment: wait until they are done"
                .to_owned(),
        )),
        Err(std::fs::TryLockError::Error(error)) => Err(cannot_write(&path, &error)),
    }
}

fn settle(configuration: &Configuration) -> Result<(), Failure> {
    let path = configuration.data(FILE);
    std::fs::rename(configuration.data(NEXT), &path).map_err(|error| cannot_write(&path, &error))
}

fn uses_file(configuration: &Configuration) -> bool {
    configuration.master_key.is_none() && configuration.master_key_command.is_none()
}

/// Where the configuration says that the master key is; a file that is not there is made for a database without one.
pub(crate) async fn master(
    configuration: &Configuration,
    random: &Arc<dyn Random>,
) -> Result<Master, Failure> {
    if let Some(command) = &configuration.master_key_command {
        return Ok(Master::Command(Arc::new(command.clone())));
    }
    if let Some(text) = &configuration.master_key {
        let key = MasterKey::from_text(text.expose())
            .ok_or_else(|| malformed("vault.master-key-file or PORTCULLIS_MASTER_KEY"))?;
        return Ok(Master::Key(key));
    }
    let path = configuration.data(FILE);
    if !path.exists() {
        let url = &configuration.database;
        let sealed = store::has_data_key(url, random).await;
        let sealed = sealed.map_err(|error| {
            Failure::new(format!("cannot open the database {}: {error}", without_password(url)))
        })?;
        if sealed {
            return Err(Failure::new(format!(
                "the master key is missing: the database {} was sealed with one, and {} is not there\nPut the file back from its backup, or set PORTCULLIS_MASTER_KEY or vault.master-key-command. No key is made now, because a new one opens nothing",
                without_password(url),
                path.display()
            )));
        }
        let key = MasterKey::generate(&**random);
        // Two servers that start at once must not each make one: the file is made by only one of them.
        match write_private(&path, format!("{}\n", *key.to_text()).as_bytes(), Make::New) {
            Ok(()) => return Ok(Master::Key(key)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot_write(&path, &error)),
        }
    }
    read_key(&path).map(Master::Key)
}

fn read_key(path: &Path) -> Result<MasterKey, Failure> {
    let text = Secret::new(read_data_file(path)?);
    MasterKey::from_text(text.expose()).ok_or_else(|| malformed(&path.display().to_string()))
}

fn malformed(place: &str) -> Failure {
    Failure::new(format!("{place} holds no master key: it must be 32 bytes in base64"))
}
