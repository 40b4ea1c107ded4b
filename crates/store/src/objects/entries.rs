//! Objects by their keys.

use domain::{Object, Timestamp};

use crate::backend::{params, written};
use crate::{StoreError, Tx};

/// Which keys of a bucket are wanted, in the order of their bytes.
#[derive(Clone, Copy, Debug)]
pub struct KeyRange<'a> {
    /// The first key that is in it, if there is an object of this key.
    pub from: &'a [u8],
    /// The first key that is not in it any more; absent, there is no end.
    pub until: Option<&'a [u8]>,
}

impl Tx {
    /// Writes an object, in the place of the one that its key had; lets go of that one's bytes.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn put_object(&mut self, object: &Object) -> Result<(), StoreError> {
        self.delete_object(&object.bucket, &object.key, object.modified_at).await?;
        self.execute(
            "INSERT INTO objects (bucket, name, document) VALUES ($1, $2, $3)",
            params![&object.bucket, object.key.as_bytes(), &written(object, "objects")?],
        )
        .await?;
        Ok(())
    }

    /// The object of this key.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn object(&mut self, bucket: &str, key: &str) -> Result<Option<Object>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM objects WHERE bucket = $1 AND name = $2",
                params![bucket, key.as_bytes()],
            )
            .await?;
        row.map(|row| row.document(0, "objects")).transpose()
    }

    /// The objects whose keys are in a range, in the order of their keys, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn objects(
        &mut self,
        bucket: &str,
        range: KeyRange<'_>,
        limit: i64,
    ) -> Result<Vec<Object>, StoreError> {
        let rows = match range.until {
            Some(until) => {
                self.fetch(
                    "SELECT document FROM objects WHERE bucket = $1 AND name >= $2 AND name < $3 \
                     ORDER BY name LIMIT $4",
                    params![bucket, range.from, until, limit],
                )
                .await?
            }
            None => {
                self.fetch(
                    "SELECT document FROM objects WHERE bucket = $1 AND name >= $2 ORDER BY name LIMIT $3",
                    params![bucket, range.from, limit],
                )
                .await?
            }
        };
        rows.iter().map(|row| row.document(0, "objects")).collect()
    }

    /// Removes the object of this key, if there is one, and lets go of its bytes; answers whether there was one.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn delete_object(
        &mut self,
        bucket: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(object) = self.object(bucket, key).await? else { return Ok(false) };
        self.drop_segments(&object.segments, now).await?;
        self.change_one(
            "DELETE FROM objects WHERE bucket = $1 AND name = $2",
            params![bucket, key.as_bytes()],
        )
        .await?;
        Ok(true)
    }
}
