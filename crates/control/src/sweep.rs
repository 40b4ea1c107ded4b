//! What is over is taken away, with all that it holds: keys whose deletion is due, deleted secrets, expired generations.
//!
//! Nobody can use any of it since its time came, so it does not matter how soon it goes. Each kind says for itself what is
//! over, and leaves an audit event for each thing it takes.

use std::time::Duration;

use store::StoreError;

use crate::plane::ControlPlane;

/// How often it is looked.
const PAUSE: Duration = Duration::from_secs(10 * 60);

impl ControlPlane {
    /// Sweeps at once and then again and again, until the task is ended.
    pub async fn sweep_for_ever(self) {
        loop {
            say("KMS keys", self.sweep_keys().await);
            say("secrets", self.sweep_secrets().await);
            say("log events", self.sweep_log_events().await);
            say("policy generations", self.sweep_generations().await);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn say(what: &str, swept: Result<usize, StoreError>) {
    match swept {
        Ok(0) => {}
        Ok(swept) => tracing::info!(swept, what, "What was over was taken away."),
        Err(error) => tracing::warn!(%error, what, "What is over cannot be taken away now."),
    }
}
