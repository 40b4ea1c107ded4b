//! What was recorded of calls is taken away when its time is over, also after recording was turned off.

use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, Timestamp};
use store::Store;

/// How often it is looked.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// Takes recordings away that are older than `retention`, at once and then again and again, until the task is ended.
pub(crate) async fn prune_for_ever(store: Store, clock: Arc<dyn Clock>, retention: Duration) {
    loop {
        let kept = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let before = Timestamp::from_millis(clock.now().millis().saturating_sub(kept));
        match store.prune_recordings(before).await {
            Ok(0) => {}
            Ok(pruned) => tracing::info!(pruned, "Recordings of calls were taken away."),
            Err(error) => tracing::warn!(%error, "Recordings of calls cannot be taken away now."),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
