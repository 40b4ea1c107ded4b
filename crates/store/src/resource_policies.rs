//! Policies that are attached to resources, by the resource's ARN: who may invoke a gateway or an agent runtime.

use domain::{Arn, Document, Scope};

use crate::backend::params;
use crate::{ChangeKind, StoreError, Tx};

impl Tx {
    /// Attaches a policy to a resource, over the one that was there.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn put_resource_policy(
        &mut self,
        scope: &Scope,
        arn: &Arn,
        document: &Document,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO resource_policies (arn, account, document) VALUES ($1, $2, $3) \
             ON CONFLICT (arn) DO UPDATE SET document = $3",
            params![arn.as_str(), scope.account.as_str(), &document.0],
        )
        .await?;
        self.note_resource(scope, arn).await
    }

    /// The policy of a resource.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn resource_policy(&mut self, arn: &Arn) -> Result<Option<Document>, StoreError> {
        let row = self
            .fetch_one("SELECT document FROM resource_policies WHERE arn = $1", params![arn.as_str()])
            .await?;
        row.map(|row| row.text(0).map(Document)).transpose()
    }

    /// Takes the policy of a resource away, and says whether there was one.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn delete_resource_policy(&mut self, scope: &Scope, arn: &Arn) -> Result<bool, StoreError> {
        let there = self.resource_policy(arn).await?.is_some();
        self.execute("DELETE FROM resource_policies WHERE arn = $1", params![arn.as_str()]).await?;
        self.note_resource(scope, arn).await?;
        Ok(there)
    }

    /// Tells those who serve a resource that what is attached to it changed.
    pub(crate) async fn note_resource(&mut self, scope: &Scope, arn: &Arn) -> Result<(), StoreError> {
        if let Some(gateway) = arn.resource().strip_prefix("gateway/") {
            return self.note_change(scope, ChangeKind::Gateway, gateway).await;
        }
        if let Some((_, runtime, _)) = arn.as_agent_runtime() {
            return self.note_change(scope, ChangeKind::AgentRuntime, runtime.as_str()).await;
        }
        if let Some((_, kind, name)) = arn.as_credential_provider() {
            return self.note_provider(scope, kind, &name).await;
        }
        self.note_change(scope, ChangeKind::Other, arn.as_str()).await
    }
}
