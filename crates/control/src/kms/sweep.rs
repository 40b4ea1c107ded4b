//! Keys whose deletion is due are taken away, with what they are made of. Nobody could use them since it was scheduled.

use store::StoreError;

use crate::plane::ControlPlane;
use crate::settle::system_event;

/// What the audit trail calls it.
const ACTION: &str = "kms:DeleteKey";

impl ControlPlane {
    /// Takes keys away whose deletion is due; answers how many.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn sweep_keys(&self) -> Result<usize, StoreError> {
        let now = self.setup.clock.now();
        let gone = self.setup.store.read().await?.kms_keys_gone_at(now).await?;
        let mut swept = 0;
        for key in gone {
            let mut tx = self.setup.store.begin().await?;
            // Another replica may have been faster, or its owner may have taken the deletion back.
            if tx.kms_key(&key.scope, &key.id).await?.as_ref() == Some(&key) {
                tx.delete_kms_key(&key).await?;
                tx.commit(&system_event(self, &key.scope, ACTION, &key.arn())).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}
