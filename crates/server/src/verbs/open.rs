//! What verbs share that work on the data directory beside a running server, or without one.

use std::sync::Arc;

use domain::{Clock, Random, SystemClock, SystemRandom};
use store::Store;

use crate::bootstrap;
use crate::command_line::Settings;
use crate::configuration::Configuration;
use crate::terminal::Failure;

/// The store of an installation that exists.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
}

/// Runs asynchronous work to its end.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start a runtime: {error}")))?;
    runtime.block_on(work)
}

/// Opens the store. One that was never started is not made here.
pub(super) async fn open(settings: &Settings) -> Result<Opened, Failure> {
    let configuration = Configuration::read(settings)?;
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    if configuration.master_key.is_none() {
        crate::configuration::read_data_file(&configuration.data("master.key"))?;
    }
    let store = bootstrap::open_store(&configuration, &random).await?;
    Ok(Opened { store, clock: Arc::new(SystemClock), random })
}
