//! Events whose time is over are taken away.

use store::StoreError;

use crate::plane::ControlPlane;

impl ControlPlane {
    /// Takes away the events of log groups that their retention, or their number, no longer keeps.
    pub(crate) async fn sweep_log_events(&self) -> Result<usize, StoreError> {
        let setup = &self.setup;
        let pruned = setup.store.prune_log_events(setup.clock.now()).await?;
        Ok(usize::try_from(pruned).unwrap_or(usize::MAX))
    }
}
