//! `portcullis serve`: builds the house, listens, and ends in good order.

use std::sync::Arc;

use tokio::sync::watch;

use crate::command_line::Settings;
use crate::composition::{House, local_url};
use crate::configuration::{Configuration, LogFilter, LogFormat};
use crate::listener::{self, Listeners};
use crate::terminal::Failure;

/// Serves until it is told to end.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let configuration = Configuration::read(settings)?;
    start_log(&configuration, &LogFilter::usual())?;
    runtime()?.block_on(async {
        let (stop, stopping) = watch::channel(false);
        let running = Running::start(&configuration, stopping).await?;
        tracing::info!(
            address = %running.address,
            url = running.house.names.public_url(),
            version = env!("CARGO_PKG_VERSION"),
            "Portcullis listens. `portcullis env` prints what points AWS's clients here.",
        );
        let house = Arc::clone(&running.house);
        let ending = tokio::spawn(async move {
            let broken = tokio::select! {
                () = told_to_end() => None,
                failure = house.broken() => Some(failure),
            };
            tracing::info!("Ending: open requests are finished first.");
            stop.send_replace(true);
            broken
        });
        running.until_ended().await?;
        match ending.await {
            Ok(Some(failure)) => Err(failure),
            Ok(None) | Err(_) => Ok(()),
        }
    })
}

/// A server that runs.
pub(crate) struct Running {
    pub(crate) house: Arc<House>,
    /// The URL under which this machine reaches it.
    pub(crate) address: String,
    serving: tokio::task::JoinHandle<Result<(), Failure>>,
}

impl Running {
    /// Builds the house and begins to serve; `stop` ends it.
    pub(crate) async fn start(
        configuration: &Configuration,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, Failure> {
        let listeners = Listeners::bind(configuration.listen, configuration.threads)?;
        let address = listeners.address;
        let house = Arc::new(House::build(configuration, address).await?);
        let serving =
            tokio::spawn(listener::serve(Arc::clone(&house), listeners, configuration.max_connections, stop));
        Ok(Self { house, address: local_url(address), serving })
    }

    /// Waits for the end, and leaves everything in order.
    pub(crate) async fn until_ended(self) -> Result<(), Failure> {
        let served = self.serving.await.map_err(|error| Failure::new(error.to_string()))?;
        self.house.close().await;
        served
    }
}

/// The runtime of everything that is not one request's.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("background")
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start a runtime: {error}")))
}

/// Waits for the signal to end.
pub(crate) async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Begins the log, on standard error.
pub(crate) fn start_log(configuration: &Configuration, usual: &LogFilter) -> Result<(), Failure> {
    use std::io::IsTerminal as _;
    let filter = configuration.log_filter.as_ref().unwrap_or(usual).filter();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let begun = match configuration.log_format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    begun.map_err(|error| Failure::new(error.to_string()))
}
