//! Deleted secrets whose time is over are taken away, with what they hold. Nobody could read them any more since then.

use store::StoreError;

use crate::plane::ControlPlane;
use crate::settle::system_event;

/// What the audit trail calls it.
const ACTION: &str = "secretsmanager:EndSecretDeletion";

impl ControlPlane {
    /// Takes deleted secrets away whose time is over; answers how many.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn sweep_secrets(&self) -> Result<usize, StoreError> {
        let now = self.setup.clock.now();
        let gone = self.setup.store.read().await?.secrets_gone_at(now).await?;
        let mut swept = 0;
        for secret in gone {
            let mut tx = self.setup.store.begin().await?;
            // Another replica may have been faster, or a new one may have the name.
            if tx.secret(&secret.scope, &secret.name).await?.as_ref() == Some(&secret) {
                tx.delete_secret(&secret).await?;
                tx.commit(&system_event(self, &secret.scope, ACTION, &secret.arn())).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}
