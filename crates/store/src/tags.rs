//! Tags of resources, by the resource's ARN.

use std::collections::BTreeMap;

use domain::{Arn, Scope};

use crate::backend::params;
use crate::{StoreError, Tx};

impl Tx {
    /// Sets tags, over those of the same names.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn put_tags(
        &mut self,
        scope: &Scope,
        arn: &Arn,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), StoreError> {
        for (name, value) in tags {
            self.execute(
                "INSERT INTO tags (arn, name, value) VALUES ($1, $2, $3) \
                 ON CONFLICT (arn, name) DO UPDATE SET value = $3",
                params![arn.as_str(), name, value],
            )
            .await?;
        }
        self.note_resource(scope, arn).await
    }

    /// The tags of a resource.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn tags(&mut self, arn: &Arn) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = self
            .fetch("SELECT name, value FROM tags WHERE arn = $1 ORDER BY name", params![arn.as_str()])
            .await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
    }

    /// Takes tags away; a name that is not there is no mistake.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn delete_tags(
        &mut self,
        scope: &Scope,
        arn: &Arn,
        names: &[String],
    ) -> Result<(), StoreError> {
        for name in names {
            self.execute("DELETE FROM tags WHERE arn = $1 AND name = $2", params![arn.as_str(), name])
                .await?;
        }
        self.note_resource(scope, arn).await
    }

    /// Takes all tags of a resource away, because it goes.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn delete_all_tags(&mut self, arn: &Arn) -> Result<(), StoreError> {
        self.execute("DELETE FROM tags WHERE arn = $1", params![arn.as_str()]).await?;
        Ok(())
    }
}
