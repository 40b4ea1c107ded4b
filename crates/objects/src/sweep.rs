//! Takes away the bytes that nothing points at: of uploads that broke off, and of objects that are gone.

use std::time::Duration;

use domain::Timestamp;

use crate::plane::Objects;

/// How often it is looked.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// How long such bytes are left: longer than a body may take to come, and long enough for those who read them now.
const LEFT: Duration = Duration::from_secs(60 * 60);

impl Objects {
    /// Sweeps at once and then again and again, until the task is ended.
    pub async fn sweep_for_ever(self) {
        loop {
            let before =
                self.setup.clock.now().millis() - i64::try_from(LEFT.as_millis()).unwrap_or(i64::MAX);
            match self.setup.store.sweep_blobs(Timestamp::from_millis(before)).await {
                Ok(0) => {}
                Ok(swept) => tracing::info!(swept, "Bytes that no object has were taken away."),
                Err(error) => tracing::warn!(%error, "The object store cannot be swept now."),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
