//! `portcullis serve`: builds the house, listens, and ends in good order.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;

use crate::command_line::Settings;
use crate::composition::{House, local_url};
use crate::configuration::{Configuration, LogFilter, LogFormat};
use crate::drain::{self, Phase};
use crate::listener::{self, Serving};
use crate::reload::Reload;
use crate::sockets::Listeners;
use crate::terminal::Failure;

/// How long what is left behind the last request may take.
const CLOSING: Duration = Duration::from_secs(20);

/// Serves until it is told to end.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let configuration = Configuration::read(settings)?;
    let log = start_log(&configuration, &LogFilter::usual())?;
    runtime()?.block_on(async {
        let mut signals = EndSignals::listen()?;
        let (phases, phase) = watch::channel(Phase::default());
        let running = Running::start(&configuration, phase).await?;
        tracing::info!(
            address = %running.address,
            url = running.house.names.public_url(),
            version = env!("CARGO_PKG_VERSION"),
            "Portcullis listens. `portcullis env` prints what points AWS's clients here.",
        );
        configuration.notices.ready();
        let reload = Reload::new(settings.clone(), &configuration, Arc::clone(&running.house), log);
        let drain = reload.drain();
        tokio::spawn(reload.follow()?);
        let (notices, house) = (configuration.notices.clone(), Arc::clone(&running.house));
        let (tell_broken, mut broken) = oneshot::channel();
        tokio::spawn(async move {
            tokio::select! {
                () = signals.next() => {}
                failure = house.broken() => {
                    let _ = tell_broken.send(failure);
                }
            }
            tracing::info!("Ending: open requests are finished first. A second signal ends at once.");
            notices.stopping();
            let drain = **drain.load();
            tokio::select! {
                () = drain::lead(&phases, drain) => {}
                () = signals.next() => {
                    tracing::warn!("Ending at once: what is under way is broken off.");
                    phases.send_replace(Phase::Over);
                    std::future::pending::<()>().await;
                }
            }
        });
        running.until_ended().await?;
        broken.try_recv().map_or(Ok(()), Err)
    })
}

/// A server that runs.
pub(crate) struct Running {
    pub(crate) house: Arc<House>,
    /// The URL under which this machine reaches it.
    pub(crate) address: String,
    /// The same in the clear.
    pub(crate) local: String,
    serving: tokio::task::JoinHandle<Result<(), Failure>>,
}

impl Running {
    /// Builds the house and begins to serve, until the phases of the end are over.
    pub(crate) async fn start(
        configuration: &Configuration,
        phases: watch::Receiver<Phase>,
    ) -> Result<Self, Failure> {
        let transport = configuration.transport();
        let listeners = Listeners::bind(configuration.listen, configuration.threads, transport)?;
        let addresses = listeners.addresses;
        let house = Arc::new(House::build(configuration, addresses, &phases).await?);
        let serving = Serving { house: Arc::clone(&house), phases };
        let serving = tokio::spawn(listener::serve(serving, listeners));
        let address = local_url(addresses.outside, transport);
        Ok(Self { house, address, local: addresses.local_url(), serving })
    }

    /// Waits for the end, and leaves everything in order.
    pub(crate) async fn until_ended(self) -> Result<(), Failure> {
        let served = self.serving.await.map_err(|error| Failure::new(error.to_string()))?;
        // A database that cannot be reached must not keep the server from ending.
        if tokio::time::timeout(CLOSING, self.house.close()).await.is_err() {
            tracing::error!("Audit events may not be written: the database did not take them in time.");
        }
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

/// The signals to end.
pub(crate) struct EndSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl EndSignals {
    /// Signals from now on.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::new(format!("cannot wait for signals: {error}")));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for the next.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Waits for the signal to end.
pub(crate) async fn told_to_end() {
    match EndSignals::listen() {
        Ok(mut signals) => signals.next().await,
        Err(_) => std::future::pending().await,
    }
}

/// Puts another filter of the log in force.
pub(crate) type LogHandle = Box<dyn Fn(EnvFilter) -> Result<(), Failure> + Send + Sync>;

/// Begins the log, on standard error.
pub(crate) fn start_log(configuration: &Configuration, usual: &LogFilter) -> Result<LogHandle, Failure> {
    use std::io::IsTerminal as _;
    let filter = configuration.log_filter.as_ref().unwrap_or(usual).filter();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| Failure::new(error.to_string());
    Ok(match configuration.log_format {
        LogFormat::Text => {
            let builder = builder.with_ansi(std::io::stderr().is_terminal()).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.try_init().map_err(failed)?;
            boxed(handle)
        }
        LogFormat::Json => {
            let builder = builder.json().with_filter_reloading();
            let handle = builder.reload_handle();
            builder.try_init().map_err(failed)?;
            boxed(handle)
        }
    })
}

fn boxed<S: 'static>(handle: Handle<EnvFilter, S>) -> LogHandle {
    Box::new(move |filter| {
        handle
            .reload(filter)
            .map_err(|error| Failure::new(format!("the log cannot be filtered anew: {error}")))
    })
}
