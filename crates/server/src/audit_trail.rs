//! The audit trail of a server that runs: its chain, its checkpoints, and what retention takes away.

use std::sync::Arc;
use std::time::Duration;

use domain::{AccountId, AuditEvent, Clock, Random, Scope, Timestamp};
use egress::Client;
use store::{ChainHead, Retired, Store};
use tokio::runtime::Handle;
use trail::{CheckpointFolder, Checkpointer, Cursor, Delivery, OtlpSink, S3Sink, Sink, follow};

use crate::bootstrap::{Make, cannot_write, write_private};
use crate::configuration::{Configuration, read_data_file};
use crate::terminal::Failure;

/// The file of the data directory with the name of its chain.
const REPLICA: &str = "audit-replica";
/// The chain of those who have no data directory.
const NO_REPLICA: &str = "main";
/// How often it is looked for what is too old.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// The store on the chain of this replica.
pub(crate) fn on_own_chain(
    configuration: &Configuration,
    store: &Store,
    random: &dyn Random,
) -> Result<Store, Failure> {
    Ok(store.on_chain(&own_chain(configuration, random)?)?)
}

/// The chain of this replica: as it is configured, or as the data directory says, which is told at the first start.
pub(crate) fn own_chain(configuration: &Configuration, random: &dyn Random) -> Result<String, Failure> {
    match &configuration.audit.replica {
        Some(name) => Ok(name.clone()),
        None => own_name(configuration, random),
    }
}

fn own_name(configuration: &Configuration, random: &dyn Random) -> Result<String, Failure> {
    let path = configuration.data(REPLICA);
    if !path.exists() {
        if !configuration.data_dir.is_dir() {
            return Ok(NO_REPLICA.to_owned());
        }
        let name = format!("replica-{}", random.text(8, b"abcdefghijklmnopqrstuvwxyz0123456789"));
        match write_private(&path, format!("{name}\n").as_bytes(), Make::New) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot_write(&path, &error)),
        }
    }
    let name = read_data_file(&path)?;
    let name = name.trim();
    if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
        return Err(Failure::new(format!(
            "{} holds no name of an audit chain: put the file back from its backup",
            path.display()
        )));
    }
    Ok(name.to_owned())
}

/// Keeps the checkpoints of a server that begins.
pub(crate) async fn checkpoints(
    configuration: &Configuration,
    store: &Store,
    clock: &Arc<dyn Clock>,
) -> Result<Checkpointer, Failure> {
    store.audit_health().choose(configuration.audit.when_failing);
    let folder = CheckpointFolder::open(&configuration.audit.checkpoints);
    let folder = folder.map_err(|error| Failure::new(error.to_string()))?;
    let checkpointer = Checkpointer::new(store.clone(), Arc::clone(clock), folder);
    checkpointer.compare().await?;
    Ok(checkpointer)
}

/// Delivers events to the destinations that are configured.
pub(crate) fn deliver(
    configuration: &Configuration,
    store: &Store,
    client: &Client,
    clock: &Arc<dyn Clock>,
    runtime: &Handle,
) -> Result<(), Failure> {
    let chain = store.chain_name();
    let sinks = &configuration.audit.sinks;
    let own_client = || client.another().map_err(|error| Failure::new(error.to_string()));
    let mut all = Vec::new();
    if let Some(file) = &sinks.file {
        all.push((Sink::File(file.clone()), Duration::from_millis(200)));
    }
    if let Some(s3) = &sinks.s3 {
        let sink = S3Sink::new(s3.place()?, own_client()?, Arc::clone(clock), chain);
        all.push((Sink::S3(Box::new(sink)), s3.gather));
    }
    if let Some(otlp) = &sinks.otlp {
        let sink = OtlpSink::new(otlp.url.clone(), otlp.headers.clone(), own_client()?, chain);
        all.push((Sink::Otlp(Box::new(sink)), Duration::from_secs(1)));
    }
    for (sink, gather) in all {
        let cursor = Cursor::new(configuration.data(&format!("audit-sink-{}", sink.name())));
        // A disk that fails is as good as the database's.
        let grace = if matches!(sink, Sink::File(_)) { Duration::ZERO } else { sinks.grace };
        runtime.spawn(follow(store.clone(), Delivery { sink, cursor, gather, grace }));
    }
    Ok(())
}

/// Takes events away that are older than `retention`, at once and then again and again, until the task is ended. Each
/// chain is closed by a signed statement, which becomes a checkpoint too.
pub(crate) async fn retire_for_ever(
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    retention: Duration,
) {
    loop {
        let kept = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let before = Timestamp::from_millis(clock.now().millis().saturating_sub(kept));
        let event = |first: i64, closed: &ChainHead| closing(first, closed, &*clock, &*random);
        match store.retire_events(before, event).await {
            Ok(done) => {
                if tell(&done) {
                    continue;
                }
            }
            Err(error) => tracing::warn!(%error, "Old audit events cannot be taken away now."),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Says what was done; answers whether there may be more.
fn tell(done: &[Retired]) -> bool {
    for it in done {
        match it {
            Retired::Closed { first, closed } => tracing::info!(
                audit.chain = closed.chain,
                audit.first = first,
                audit.last = closed.place,
                "Audit events were taken away, as their retention says.",
            ),
            Retired::Kept { chain, place } => tracing::error!(
                audit.chain = chain,
                audit.place = place,
                "Old audit events are kept, because they do not verify: `portcullis audit verify` says more.",
            ),
        }
    }
    done.iter().any(|it| matches!(it, Retired::Closed { .. }))
}

fn closing(first: i64, closed: &ChainHead, clock: &dyn Clock, random: &dyn Random) -> AuditEvent {
    let scope = Scope::global(&AccountId::first());
    let reason = format!(
        "retention took away the events at places {first} to {} of the chain {}, the last of {}; the digest of the last is {}",
        closed.place, closed.chain, closed.time, closed.digest
    );
    AuditEvent { reason: Some(reason), ..AuditEvent::of_system("audit.close", &scope, clock.now(), random) }
}
