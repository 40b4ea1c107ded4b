//! Gateway targets.

use domain::{GatewayId, Scope, Target, TargetId};

use crate::backend::params;
use crate::sealed_documents::Opener;
use crate::{ChangeKind, Page, StoreError, Tx};

impl Tx {
    /// Makes a target.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its gateway has one of this name.
    pub async fn insert_target(&mut self, target: &Target) -> Result<(), StoreError> {
        let document = self.written_target(target).await?;
        self.execute(
            "INSERT INTO targets (account, region, gateway, id, name, status, revision, document) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            params![
                target.scope.account.as_str(),
                target.scope.region.as_str(),
                target.gateway.as_str(),
                target.id.as_str(),
                &target.name,
                target.status.as_str(),
                target.revision,
                &document
            ],
        )
        .await?;
        self.note_change(&target.scope, ChangeKind::Target, target.gateway.as_str()).await
    }

    /// The target of this id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn target(
        &mut self,
        scope: &Scope,
        gateway: &GatewayId,
        id: &TargetId,
    ) -> Result<Option<Target>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT document, id FROM targets WHERE account = $1 AND region = $2 AND gateway = $3 AND id = $4",
                params![scope.account.as_str(), scope.region.as_str(), gateway.as_str(), id.as_str()],
            )
            .await?;
        match row {
            Some(row) => Opener::default().open(self, &row, "targets", gateway.as_str()).await.map(Some),
            None => Ok(None),
        }
    }

    /// The targets of a gateway, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn targets(
        &mut self,
        scope: &Scope,
        gateway: &GatewayId,
        page: Page<'_>,
    ) -> Result<Vec<Target>, StoreError> {
        let rows = self
            .fetch(
                "SELECT document, id FROM targets WHERE account = $1 AND region = $2 AND gateway = $3 AND id > $4 \
                 ORDER BY id LIMIT $5",
                params![
                    scope.account.as_str(),
                    scope.region.as_str(),
                    gateway.as_str(),
                    page.after,
                    page.limit
                ],
            )
            .await?;
        let (mut opener, mut targets) = (Opener::default(), Vec::with_capacity(rows.len()));
        for row in &rows {
            targets.push(opener.open(self, row, "targets", gateway.as_str()).await?);
        }
        Ok(targets)
    }

    /// Writes a changed target, and counts the change.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed or removed since it was read, [`StoreError::Exists`] when its new name
    /// is taken.
    pub async fn update_target(&mut self, target: &mut Target) -> Result<(), StoreError> {
        let read = target.revision;
        target.revision += 1;
        let document = self.written_target(target).await?;
        self.change_one(
            "UPDATE targets SET name = $5, status = $6, revision = $7, document = $8 \
             WHERE account = $1 AND region = $2 AND gateway = $3 AND id = $4 AND revision = $9",
            params![
                target.scope.account.as_str(),
                target.scope.region.as_str(),
                target.gateway.as_str(),
                target.id.as_str(),
                &target.name,
                target.status.as_str(),
                target.revision,
                &document,
                read
            ],
        )
        .await?;
        self.note_change(&target.scope, ChangeKind::Target, target.gateway.as_str()).await
    }

    /// Removes a target.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when there is none of this id.
    pub async fn delete_target(
        &mut self,
        scope: &Scope,
        gateway: &GatewayId,
        id: &TargetId,
    ) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM targets WHERE account = $1 AND region = $2 AND gateway = $3 AND id = $4",
            params![scope.account.as_str(), scope.region.as_str(), gateway.as_str(), id.as_str()],
        )
        .await?;
        self.note_change(scope, ChangeKind::Target, gateway.as_str()).await
    }
}

#[cfg(test)]
mod tests {
    use domain::{Listing, Tool, Upstream};

    #[test]
    fn targets_of_earlier_versions_are_read() {
        let server: Upstream =
            serde_json::from_str(r#"{"Mcp":{"endpoint":"https://a.example/mcp"}}"#).unwrap();
        let Upstream::Mcp(server) = server else { panic!("an MCP server") };
        assert_eq!((server.listing, server.resource_priority), (Listing::Default, 1_000));
        let tool: Tool =
            serde_json::from_str(r#"{"name":"a","definition":"{}","input_schema":"{}"}"#).unwrap();
        assert_eq!(tool.plan, None);
    }
}
