//! The task that sends what was gathered to a collector, over HTTP in protobuf.
//!
//! Source: OTLP 1.x, "OTLP/HTTP". A collector that is overloaded or away is asked again a few times, with growing pauses
//! (section "Failures"); then the batch is dropped and counted. Meanwhile what is handed over waits in its bounded queue,
//! and nobody who hands over waits for anything. What went wrong is said once, and once more when it is over. The answers
//! of a collector are not repeated in the log, and its headers never are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::Clock;
use egress::{Client, EgressError, Network, Reach};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::queue::{Queue, Queues};
use crate::{Family, Settings, Telemetry, encode, proto};

/// How many records are sent at once.
const BATCH: usize = 2_048;
/// The largest answer of a collector that is read, in bytes.
const LARGEST_ANSWER: usize = 64 * 1024;
/// How long is waited before a batch is sent again.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// The longest that an orderly end waits for the last exports.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// Sends telemetry while it lives.
pub struct Exporter {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    sender: Sender,
    runtime: Handle,
}

impl Exporter {
    /// Begins to export what is handed to the [`Telemetry`] that is returned. Where the collector is, is the operator's own
    /// word: private addresses are dialled, link-local and metadata addresses are not.
    ///
    /// # Errors
    /// [`EgressError`] when TLS cannot be set up.
    pub fn start(settings: Arc<Settings>, runtime: &Handle) -> Result<(Telemetry, Self), EgressError> {
        let everywhere = ["0.0.0.0/0", "::/0"].iter().filter_map(|it| it.parse::<Network>().ok());
        let client = Client::new(Reach { allowed: everywhere.collect(), loopback: true })?;
        let (telemetry, queues) = Telemetry::new(&settings);
        let (stop, stopped) = watch::channel(false);
        let resource = encode::resource(&settings.resource);
        let sender = Sender { client, settings, resource, queues, failing: Arc::default() };
        let tasks = vec![runtime.spawn(sender.clone().follow_queues(stopped))];
        Ok((telemetry, Self { stop, tasks, sender, runtime: runtime.clone() }))
    }

    /// Exports the numbers that `source` reads, too, every now and then.
    pub fn export_metrics(
        &mut self,
        clock: Arc<dyn Clock>,
        source: impl Fn() -> Vec<Family> + Send + Sync + 'static,
    ) {
        if self.sender.settings.signals.metrics.is_some() {
            let work = self.sender.clone().follow_metrics(self.stop.subscribe(), clock, source);
            self.tasks.push(self.runtime.spawn(work));
        }
    }

    /// Sends what still waits, as far as it goes in three seconds, and ends.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let deadline = Instant::now() + LAST_PATIENCE;
        for task in self.tasks.drain(..) {
            let abort = task.abort_handle();
            if tokio::time::timeout_at(deadline, task).await.is_err() {
                abort.abort();
            }
        }
    }
}

/// What a task needs to send.
#[derive(Clone)]
struct Sender {
    client: Client,
    settings: Arc<Settings>,
    resource: proto::Resource,
    queues: Arc<Queues>,
    /// Whether the last export failed.
    failing: Arc<AtomicBool>,
}

impl Sender {
    async fn follow_queues(self, mut stop: watch::Receiver<bool>) {
        loop {
            let ends = tokio::select! {
                () = tokio::time::sleep(self.settings.gather) => false,
                () = self.queues.filling.notified() => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            let signals = &self.settings.signals;
            let spans = async {
                while let Some(url) = &signals.traces
                    && self
                        .drain(&self.queues.spans, url, |it| encode::spans(&self.resource, it), &stop)
                        .await
                {}
            };
            let logs = async {
                while let Some(url) = &signals.logs
                    && self.drain(&self.queues.logs, url, |it| encode::logs(&self.resource, it), &stop).await
                {
                }
            };
            tokio::join!(spans, logs);
            if ends {
                return;
            }
        }
    }

    /// Sends one batch; whether there may be another.
    async fn drain<T>(
        &self,
        queue: &Queue<T>,
        url: &str,
        encode: impl Fn(&[T]) -> Vec<u8>,
        stop: &watch::Receiver<bool>,
    ) -> bool {
        let batch = queue.take(BATCH);
        if batch.is_empty() {
            return false;
        }
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let body = encode(&batch).into();
        drop(batch);
        let counter = if self.deliver(url, body, stop).await { &queue.exported } else { &queue.dropped };
        counter.fetch_add(count, Ordering::Relaxed);
        true
    }

    async fn follow_metrics(
        self,
        mut stop: watch::Receiver<bool>,
        clock: Arc<dyn Clock>,
        source: impl Fn() -> Vec<Family>,
    ) {
        let began = encode::nanos(clock.now());
        let Some(url) = &self.settings.signals.metrics else { return };
        loop {
            let ends = tokio::select! {
                () = tokio::time::sleep(self.settings.metrics_every) => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            let body = encode::metrics(&self.resource, &source(), began, encode::nanos(clock.now()));
            self.deliver(url, body.into(), &stop).await;
            if ends {
                return;
            }
        }
    }

    /// Sends a body, several times if need be; whether it was taken. Who is about to end asks once.
    async fn deliver(&self, url: &str, body: Bytes, stop: &watch::Receiver<bool>) -> bool {
        let mut pauses = PAUSES.iter();
        loop {
            let failure = match self.post(url, body.clone()).await {
                Ok(()) => {
                    if self.failing.swap(false, Ordering::Relaxed) {
                        tracing::info!("Telemetry is exported again.");
                    }
                    return true;
                }
                Err(failure) => failure,
            };
            let pause = pauses.next().filter(|_| failure.is_passing() && !*stop.borrow());
            let Some(pause) = pause else {
                self.queues.failed.fetch_add(1, Ordering::Relaxed);
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        endpoint = without_query(url), error = %failure.0,
                        "Telemetry cannot be exported; what waits longer than its queue has room for is dropped."
                    );
                }
                return false;
            };
            tokio::time::sleep(*pause).await;
        }
    }

    async fn post(&self, url: &str, body: Bytes) -> Result<(), Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        for (name, value) in &self.settings.headers {
            if let Ok(mut value) = HeaderValue::from_str(value.expose()) {
                value.set_sensitive(true);
                headers.insert(name.clone(), value);
            }
        }
        let posted = self.client.post(url, headers, body, LARGEST_ANSWER, self.settings.timeout).await;
        match posted {
            Ok(answer) if answer.status.is_success() => Ok(()),
            Ok(answer) => Err(Failure(EgressError::Status(answer.status))),
            Err(error) => Err(Failure(error)),
        }
    }
}

/// Why an export failed.
struct Failure(EgressError);

impl Failure {
    /// Whether the same export may go well later ("Retryable Response Codes", and whatever is no answer).
    fn is_passing(&self) -> bool {
        match &self.0 {
            EgressError::Status(status) => matches!(
                *status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            ),
            EgressError::Url(_) | EgressError::Tls(_) => false,
            _ => true,
        }
    }
}

/// A URL without what may be secret in it.
fn without_query(url: &str) -> &str {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    if plain.contains('@') { "a URL with a password" } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_without_what_may_be_secret() {
        assert_eq!(without_query("http://c:4318/v1/logs?key=geheim"), "http://c:4318/v1/logs");
        assert!(!without_query("http://a:geheim@c/").contains("geheim"));
    }
}
