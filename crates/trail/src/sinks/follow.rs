//! Follows a chain for one destination, until the task is ended.

use std::time::{Duration, Instant};

use store::Store;

use super::{Cursor, Sink};

/// How many events are delivered at once.
const BATCH: i64 = 1_000;
/// How long after a failure it is tried again: at first, and at most.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How one destination is served.
pub struct Delivery {
    /// The destination.
    pub sink: Sink,
    /// How far it has got.
    pub cursor: Cursor,
    /// How long events are gathered.
    pub gather: Duration,
    /// How long it may fail before the trail counts as one that cannot be kept.
    pub grace: Duration,
}

/// Delivers events as they come.
pub async fn follow(store: Store, delivery: Delivery) {
    let Delivery { mut sink, cursor, gather, grace } = delivery;
    let (part, chain) = (format!("the sink {}", sink.name()), store.chain_name().to_owned());
    let mut appended = store.appended();
    let mut after = None;
    let mut failing: Option<(Instant, Duration)> = None;
    loop {
        let delivered = step(&store, &chain, &mut sink, &cursor, &mut after).await;
        match delivered {
            Ok(more) => {
                if failing.take().is_some() {
                    store.audit_health().well(&part);
                }
                if !more {
                    let _ = tokio::time::timeout(LONGEST_PAUSE, appended.changed()).await;
                    tokio::time::sleep(gather).await;
                    appended.mark_unchanged();
                }
            }
            Err(why) => {
                let (since, pause) = failing.unwrap_or_else(|| (Instant::now(), PAUSE));
                tracing::warn!(
                    audit.sink = sink.name(),
                    error = why,
                    "Audit events cannot be delivered; trying again."
                );
                if since.elapsed() >= grace {
                    store.audit_health().ill(&part, &format!("{part} does not take audit events: {why}"));
                }
                tokio::time::sleep(pause).await;
                failing = Some((since, (pause * 2).min(LONGEST_PAUSE)));
            }
        }
    }
}

/// Delivers some events; answers whether there may be more.
async fn step(
    store: &Store,
    chain: &str,
    sink: &mut Sink,
    cursor: &Cursor,
    after: &mut Option<i64>,
) -> Result<bool, String> {
    let from = match *after {
        Some(place) => place,
        None => cursor.read(chain).map_err(|error| format!("its place cannot be read: {error}"))?,
    };
    *after = Some(from);
    let events = store.chained_events(chain, from, BATCH).await.map_err(|error| error.to_string())?;
    let Some(last) = events.last().map(|it| it.place) else { return Ok(false) };
    if let Some(first) = events.first().filter(|first| first.place != from + 1) {
        tracing::error!(
            audit.sink = sink.name(),
            audit.first = from + 1,
            audit.last = first.place - 1,
            "Audit events were gone before they were delivered: their retention is shorter than the sink was away.",
        );
    }
    let more = events.len() == usize::try_from(BATCH).unwrap_or(usize::MAX);
    sink.deliver(events).await.map_err(|error| error.to_string())?;
    *after = Some(last);
    cursor.write(chain, last).map_err(|error| format!("its place cannot be written: {error}"))?;
    Ok(more)
}
