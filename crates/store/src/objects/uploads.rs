//! Uploads in parts, from their beginning to their becoming an object or being given up.

use std::collections::HashSet;

use domain::{Segment, Timestamp, Upload, UploadPart};

use crate::backend::{params, written};
use crate::{StoreError, Tx};

impl Tx {
    /// Begins an upload.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn insert_upload(&mut self, upload: &Upload) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO uploads (id, bucket, name, document) VALUES ($1, $2, $3, $4)",
            params![&upload.id, &upload.bucket, upload.key.as_bytes(), &written(upload, "uploads")?],
        )
        .await?;
        Ok(())
    }

    /// The upload of this id to this place.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn upload(&mut self, bucket: &str, key: &str, id: &str) -> Result<Option<Upload>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document FROM uploads WHERE id = $1 AND bucket = $2 AND name = $3",
                params![id, bucket, key.as_bytes()],
            )
            .await?;
        row.map(|row| row.document(0, "uploads")).transpose()
    }

    /// The uploads to a bucket whose keys begin with `prefix`, by key and id, after a pair of these.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn uploads(
        &mut self,
        bucket: &str,
        prefix: &str,
        (after_key, after_id): (&str, &str),
        limit: i64,
    ) -> Result<Vec<Upload>, StoreError> {
        let from = after_key.max(prefix).as_bytes();
        let after_id = if after_key >= prefix { after_id } else { "" };
        let rows = self
            .fetch(
                "SELECT document FROM uploads WHERE bucket = $1 AND (name > $2 OR (name = $2 AND id > $3)) \
                 ORDER BY name, id LIMIT $4",
                params![bucket, from, after_id, limit],
            )
            .await?;
        let uploads: Result<Vec<Upload>, StoreError> =
            rows.iter().map(|row| row.document(0, "uploads")).collect();
        Ok(uploads?.into_iter().take_while(|upload| upload.key.starts_with(prefix)).collect())
    }

    /// How many uploads to a bucket have begun.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn count_uploads(&mut self, bucket: &str) -> Result<u64, StoreError> {
        let row = self.fetch_one("SELECT COUNT(*) FROM uploads WHERE bucket = $1", params![bucket]).await?;
        let count = row.map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Writes a part, in the place of the one that its number had.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn put_part(&mut self, upload: &str, part: &UploadPart) -> Result<(), StoreError> {
        let number = i64::from(part.number);
        let former = self
            .fetch_one(
                "SELECT document FROM upload_parts WHERE upload = $1 AND number = $2",
                params![upload, number],
            )
            .await?;
        if let Some(former) = former {
            let former: UploadPart = former.document(0, "upload_parts")?;
            self.drop_segments(&[former.segment], part.modified_at).await?;
            self.execute(
                "DELETE FROM upload_parts WHERE upload = $1 AND number = $2",
                params![upload, number],
            )
            .await?;
        }
        self.execute(
            "INSERT INTO upload_parts (upload, number, document) VALUES ($1, $2, $3)",
            params![upload, number, &written(part, "upload_parts")?],
        )
        .await?;
        Ok(())
    }

    /// The parts of an upload after a number, by number.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn parts(
        &mut self,
        upload: &str,
        after: u32,
        limit: i64,
    ) -> Result<Vec<UploadPart>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document FROM upload_parts WHERE upload = $1 AND number > $2 ORDER BY number LIMIT $3",
                params![upload, i64::from(after), limit],
            )
            .await?;
        rows.iter().map(|row| row.document(0, "upload_parts")).collect()
    }

    /// Ends an upload: lets go of the bytes of its parts, but for those that an object has taken over.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this id.
    pub async fn delete_upload(
        &mut self,
        id: &str,
        taken_over: &[Segment],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let parts = self.parts(id, 0, i64::MAX).await?;
        let taken_over: HashSet<&str> = taken_over.iter().map(|taken| taken.blob.as_str()).collect();
        let left: Vec<Segment> = parts
            .into_iter()
            .map(|part| part.segment)
            .filter(|segment| !taken_over.contains(segment.blob.as_str()))
            .collect();
        self.drop_segments(&left, now).await?;
        self.execute("DELETE FROM upload_parts WHERE upload = $1", params![id]).await?;
        self.change_one("DELETE FROM uploads WHERE id = $1", params![id]).await
    }
}
