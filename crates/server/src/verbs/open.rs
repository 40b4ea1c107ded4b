//! What verbs share that work on the data directory beside a running server, or without one.

use std::sync::Arc;

use domain::{Clock, Random, SystemClock, SystemRandom};
use egress::Client;
use identity::provider::Names;
use store::Store;

use super::env;
use crate::bootstrap::PROFILE;
use crate::command_line::Settings;
use crate::composition::local_url;
use crate::configuration::{Configuration, read_data_file};
use crate::master_key;
use crate::terminal::Failure;

/// The store of an installation that exists.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) configuration: Configuration,
}

impl Opened {
    /// The names of the installation: as it is configured, as the server last said, or where it would listen.
    pub(super) fn names(&self) -> Names {
        let configuration = &self.configuration;
        let told = || {
            let config = read_data_file(&configuration.data("config")).ok()?;
            env::setting(&config, &format!("profile {PROFILE}"), "endpoint_url")
        };
        let public_url = configuration.public_url.as_ref().map(ToString::to_string);
        let public_url = public_url
            .or_else(told)
            .unwrap_or_else(|| local_url(configuration.listen, configuration.transport()));
        Names::new(&public_url, configuration.issuer_style)
    }

    /// Waits until every server that shares the database serves what was changed, as an answer to an AWS call does. A
    /// server that has a SQLite database to itself follows within a second.
    pub(super) async fn in_force(&self) -> Result<(), Failure> {
        self.store.until_served(self.configuration.lease * 2).await.map_err(|error| {
            Failure::new(format!(
                "It is done, but not every server that shares the database is known to serve it so ({error}): \
                 `portcullis doctor` shows them"
            ))
        })
    }

    /// A client that dials what the server would.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        Client::new(self.configuration.reach.clone()).map_err(|error| Failure::new(error.to_string()))
    }
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
    master_key::check(&configuration)?;
    let store = master_key::open_store(&configuration, &random).await?;
    Ok(Opened { store, clock: Arc::new(SystemClock), random, configuration })
}
