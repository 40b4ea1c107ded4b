//! The bytes of objects, in chunks: no statement carries more than one of them.

use bytes::Bytes;
use domain::{Segment, Timestamp};

use crate::backend::params;
use crate::{Store, StoreError, Tx};

/// The size of every chunk of a blob but the last, in bytes.
pub const CHUNK: usize = 1024 * 1024;
/// How many blobs one sweep takes at once.
const SWEEP: i64 = 16;

/// A blob that is being written. Dropped without [`BlobWriter::keep`], it is swept in time.
pub struct BlobWriter {
    store: Store,
    id: String,
    /// What is not yet a whole chunk.
    waiting: Vec<u8>,
    /// How many chunks are written.
    chunks: i64,
    size: u64,
}

impl BlobWriter {
    /// A blob of this name, which no other ever had.
    #[must_use]
    pub fn new(store: &Store, id: String) -> Self {
        Self { store: store.clone(), id, waiting: Vec::new(), chunks: 0, size: 0 }
    }

    /// How many bytes were written.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes. Whole chunks are written at once, each in a transaction of its own, so that a long upload keeps no
    /// other writer waiting.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn write(&mut self, mut bytes: &[u8], now: Timestamp) -> Result<(), StoreError> {
        while !bytes.is_empty() {
            if self.waiting.len() == CHUNK {
                let chunk = std::mem::take(&mut self.waiting);
                let mut tx = self.store.begin().await?;
                tx.write_chunk(&self.id, self.chunks, &chunk, now).await?;
                tx.end().await?;
                self.chunks += 1;
                self.waiting = chunk;
                self.waiting.clear();
            }
            let (now_taken, rest) =
                bytes.split_at_checked(CHUNK - self.waiting.len()).unwrap_or((bytes, &[]));
            self.waiting.extend_from_slice(now_taken);
            self.size += now_taken.len() as u64;
            bytes = rest;
        }
        Ok(())
    }

    /// Writes what is left and keeps the blob, in the transaction that makes something of it.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the blob took so long that it was swept.
    pub async fn keep(self, tx: &mut Tx, now: Timestamp) -> Result<Segment, StoreError> {
        tx.write_chunk(&self.id, self.chunks, &self.waiting, now).await?;
        tx.change_one("UPDATE blobs SET kept = 1 WHERE id = $1 AND kept = 0", params![&self.id]).await?;
        Ok(Segment { blob: self.id, size: self.size })
    }
}

impl Tx {
    async fn write_chunk(
        &mut self,
        blob: &str,
        place: i64,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if place == 0 {
            self.execute(
                "INSERT INTO blobs (id, kept, since) VALUES ($1, 0, $2)",
                params![blob, now.millis()],
            )
            .await?;
        } else {
            // Its age is counted from its last chunk. One that was swept meanwhile is gone.
            self.change_one(
                "UPDATE blobs SET since = $2 WHERE id = $1 AND kept = 0",
                params![blob, now.millis()],
            )
            .await?;
        }
        if !bytes.is_empty() {
            self.execute(
                "INSERT INTO blob_chunks (blob, place, bytes) VALUES ($1, $2, $3)",
                params![blob, place, bytes],
            )
            .await?;
        }
        Ok(())
    }

    /// Lets go of bytes that nothing points at any more. Who reads them now may read on until they are swept.
    pub(super) async fn drop_segments(
        &mut self,
        segments: &[Segment],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for segment in segments {
            self.execute(
                "UPDATE blobs SET kept = 0, since = $2 WHERE id = $1",
                params![&segment.blob, now.millis()],
            )
            .await?;
        }
        Ok(())
    }
}

impl Store {
    /// One chunk of a blob.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it is not there any more.
    pub async fn chunk(&self, blob: &str, place: u64) -> Result<Bytes, StoreError> {
        let place = i64::try_from(place).map_err(|_| StoreError::Stale)?;
        let mut tx = self.read().await?;
        let row = tx
            .fetch_one("SELECT bytes FROM blob_chunks WHERE blob = $1 AND place = $2", params![blob, place])
            .await?;
        row.ok_or(StoreError::Stale)?.bytes(0).map(Bytes::from)
    }

    /// Deletes the bytes that nothing has pointed at since `before`; answers how many blobs that were.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn sweep_blobs(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut swept = 0;
        loop {
            let rows = self
                .read()
                .await?
                .fetch(
                    "SELECT id FROM blobs WHERE kept = 0 AND since < $1 ORDER BY since LIMIT $2",
                    params![before.millis(), SWEEP],
                )
                .await?;
            if rows.is_empty() {
                return Ok(swept);
            }
            for row in rows {
                let id = row.text(0)?;
                let mut tx = self.begin().await?;
                // It may have gone on meanwhile.
                let gone = tx
                    .execute(
                        "DELETE FROM blobs WHERE id = $1 AND kept = 0 AND since < $2",
                        params![&id, before.millis()],
                    )
                    .await?;
                if gone == 1 {
                    tx.execute("DELETE FROM blob_chunks WHERE blob = $1", params![&id]).await?;
                    swept += 1;
                }
                tx.end().await?;
            }
        }
    }
}
