//! Buckets.

use domain::{AccountId, Bucket, Region, Scope, Timestamp};

use crate::backend::{Row, params};
use crate::{Page, StoreError, Tx};

impl Tx {
    /// Makes a bucket.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the name is taken, by whomever.
    pub async fn insert_bucket(&mut self, bucket: &Bucket) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO buckets (name, account, region, created_at) VALUES ($1, $2, $3, $4)",
            params![
                &bucket.name,
                bucket.scope.account.as_str(),
                bucket.scope.region.as_str(),
                bucket.created_at.millis()
            ],
        )
        .await?;
        Ok(())
    }

    /// The bucket of this name, whosever it is.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn bucket(&mut self, name: &str) -> Result<Option<Bucket>, StoreError> {
        let row = self
            .fetch_one("SELECT name, account, region, created_at FROM buckets WHERE name = $1", params![name])
            .await?;
        row.map(|row| read(&row)).transpose()
    }

    /// The buckets of an account, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn buckets(&mut self, account: &AccountId, page: Page<'_>) -> Result<Vec<Bucket>, StoreError> {
        let rows = self
            .fetch(
                "SELECT name, account, region, created_at FROM buckets WHERE account = $1 AND name > $2 \
                 ORDER BY name LIMIT $3",
                params![account.as_str(), page.after, page.limit],
            )
            .await?;
        rows.iter().map(read).collect()
    }

    /// Whether nothing is in a bucket; uploads that have begun do not count.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn is_empty_bucket(&mut self, name: &str) -> Result<bool, StoreError> {
        let row = self.fetch_one("SELECT 1 FROM objects WHERE bucket = $1 LIMIT 1", params![name]).await?;
        Ok(row.is_none())
    }

    /// Removes a bucket that is empty, with the uploads to it that have begun.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this name.
    pub async fn delete_bucket(&mut self, name: &str, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let uploads = self.uploads(name, "", ("", ""), 100).await?;
            if uploads.is_empty() {
                break;
            }
            for upload in uploads {
                self.delete_upload(&upload.id, &[], now).await?;
            }
        }
        self.change_one("DELETE FROM buckets WHERE name = $1", params![name]).await
    }
}

fn read(row: &Row) -> Result<Bucket, StoreError> {
    let corrupt = |detail: String| StoreError::Corrupt { table: "buckets", detail };
    Ok(Bucket {
        name: row.text(0)?,
        scope: Scope {
            account: AccountId::parse(&row.text(1)?).map_err(|error| corrupt(error.to_string()))?,
            region: Region::parse(&row.text(2)?).map_err(|error| corrupt(error.to_string()))?,
        },
        created_at: Timestamp::from_millis(row.int(3)?),
    })
}
