//! Writes the signed ends of all chains into the folder while the server runs: those of this replica, of others that share
//! its database, and of what the command line did.
//!
//! An end is on the disk [`GATHER`] after its event was committed, and the time that the disk takes. Until then the event is
//! in the database alone: who has an older copy of the database and its signatures could put it back unnoticed.

use std::sync::Arc;
use std::time::Duration;

use domain::Clock;
use store::{ChainHead, PublicKey, Store, StoreError};
use tokio::sync::Mutex;

use super::folder::{CheckpointError, CheckpointFolder};

/// How long the first event waits for others, so that busy times write a line a second.
const GATHER: Duration = Duration::from_secs(1);
/// How often it is looked for what other processes wrote.
const LOOK: Duration = Duration::from_secs(5);
/// The name of this among what the trail's health knows.
const PART: &str = "checkpoints";

/// Keeps the checkpoints.
#[derive(Clone)]
pub struct Checkpointer {
    store: Store,
    clock: Arc<dyn Clock>,
    folder: Arc<Mutex<Option<CheckpointFolder>>>,
}

impl Checkpointer {
    /// Keeps checkpoints in a folder.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, folder: CheckpointFolder) -> Self {
        Self { store, clock, folder: Arc::new(Mutex::new(Some(folder))) }
    }

    /// Says aloud when a chain ends before a checkpoint that was kept: the database was put back, or its end was cut off.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn compare(&self) -> Result<(), StoreError> {
        let ends = self.store.chain_ends().await?;
        let held = self.folder.lock().await;
        for (chain, (place, _)) in held.as_ref().map(|folder| &folder.last).into_iter().flatten() {
            let end = ends.iter().find(|it| it.end.chain == *chain).map_or(0, |it| it.end.place);
            if end < *place {
                tracing::error!(
                    audit.chain = chain,
                    audit.place = end,
                    audit.checkpoint = place,
                    "The audit trail ends before its last checkpoint: the database was put back, or events were taken away. `portcullis audit verify` says more.",
                );
            }
        }
        Ok(())
    }

    /// Writes checkpoints until the task is ended.
    pub async fn write_for_ever(self) {
        let mut appended = self.store.appended();
        loop {
            match self.write().await {
                Ok(()) => self.store.audit_health().well(PART),
                Err(error) => self.store.audit_health().ill(PART, &error.to_string()),
            }
            // The channel is there as long as the store.
            let _ = tokio::time::timeout(LOOK, appended.changed()).await;
            tokio::time::sleep(GATHER).await;
            appended.mark_unchanged();
        }
    }

    /// Writes the ends that are not in the folder yet.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails or its ends are not signed by their chains, [`CheckpointError`] when the
    /// folder cannot be written.
    pub async fn write(&self) -> Result<(), WriteError> {
        let mut held = self.folder.lock().await;
        let Some(mut folder) = held.take() else { return Ok(()) };
        let now = self.clock.now();
        let new = self.new_ends(&folder).await;
        // The disk may take its time.
        let written = tokio::task::spawn_blocking(move || {
            let written = match new {
                Ok(new) if new.is_empty() => Ok(()),
                Ok(new) => folder.append(&new, now).map_err(WriteError::from),
                Err(error) => Err(WriteError::from(error)),
            };
            (folder, written)
        });
        let (folder, written) = written.await.map_err(|_| WriteError::Interrupted)?;
        *held = Some(folder);
        written
    }

    async fn new_ends(&self, folder: &CheckpointFolder) -> Result<Vec<(ChainHead, PublicKey)>, StoreError> {
        let mut new = Vec::new();
        for ends in self.store.chain_ends().await? {
            let (end, closed) = folder.last.get(&ends.end.chain).copied().unwrap_or_default();
            let key = self.store.chain_key(&ends.end.chain)?;
            for (head, known) in [(ends.closed, closed), (ends.end, end)] {
                if head.place == known {
                    continue;
                }
                if key.signed(&head) {
                    new.push((head, key));
                } else {
                    tracing::error!(
                        audit.chain = head.chain,
                        audit.place = head.place,
                        "The end of an audit chain is not signed with its key: `portcullis audit verify` says more.",
                    );
                }
            }
        }
        Ok(new)
    }
}

/// Why no checkpoint was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The database failed.
    #[error("the ends of the audit trail cannot be read: {0}")]
    Store(#[from] StoreError),
    /// The folder failed.
    #[error(transparent)]
    Folder(#[from] CheckpointError),
    /// The program is ending.
    #[error("the writing of a checkpoint was interrupted")]
    Interrupted,
}
