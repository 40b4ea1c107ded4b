//! The right to give an instance one event: a value, so that it cannot be forgotten on the way.

use std::sync::Arc;

use crate::instance::Instance;

/// The right to give an instance one event. Dropped unused, it makes the instance free again.
pub(crate) struct Lease(Option<Arc<Instance>>);

impl Lease {
    pub(crate) fn of(instance: Arc<Instance>) -> Self {
        Self(Some(instance))
    }

    /// Gives the right up without a word to anybody.
    pub(crate) fn into_instance(mut self) -> Option<Arc<Instance>> {
        self.0.take()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(instance) = self.0.take() {
            instance.release();
        }
    }
}
