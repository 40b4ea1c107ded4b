//! Everybody who is alive: the processes of all instances, for those who must see to every one of them.
//!
//! The pools know who may work; the roster knows whom to kill and whom to wait for. Presence is counted from
//! the moment a start is begun until the process has been waited for and its folder is gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::instance::Instance;

/// Everybody who is alive.
pub(crate) struct Roster {
    instances: Mutex<HashMap<u64, Arc<Instance>>>,
    present: watch::Sender<usize>,
}

/// Counts as somebody present until it is dropped.
pub(crate) struct Presence(watch::Sender<usize>);

impl Roster {
    pub(crate) fn new() -> Self {
        Self { instances: Mutex::default(), present: watch::Sender::new(0) }
    }

    /// Somebody begins to start.
    pub(crate) fn arrive(&self) -> Presence {
        self.present.send_modify(|present| *present += 1);
        Presence(self.present.clone())
    }

    pub(crate) fn add(&self, instance: &Arc<Instance>) {
        self.lock().insert(instance.id, Arc::clone(instance));
    }

    pub(crate) fn remove(&self, instance: &Instance) {
        self.lock().remove(&instance.id);
    }

    /// Everybody who has a process.
    pub(crate) fn all(&self) -> Vec<Arc<Instance>> {
        self.lock().values().cloned().collect()
    }

    /// Whether nobody is present.
    pub(crate) fn is_empty(&self) -> bool {
        *self.present.borrow() == 0
    }

    /// Waits until nobody is present.
    pub(crate) async fn emptied(&self) {
        let mut present = self.present.subscribe();
        // The sender lives as long as the roster.
        let _ = present.wait_for(|present| *present == 0).await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Instance>>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.send_modify(|present| *present = present.saturating_sub(1));
    }
}
