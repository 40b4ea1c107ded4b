//! The data plane's way into log groups: lines are handed over and written in batches.
//!
//! Handing over never waits: what finds no room is counted and forgotten, and so is what is for a group that is not there
//! any more. Logs are a help to their readers; the audit trail is the record, and has a way of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::{Scope, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::{LogEvent, Store, StoreError};

/// How many lines may wait to be written.
const WAITING: usize = 8_192;
/// How many are written at once.
const BATCH: usize = 512;
/// How long the first line of a batch waits for others.
const GATHER: Duration = Duration::from_millis(200);

/// A line for a log group.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// Whose the group is and where.
    pub scope: Scope,
    /// The group's name.
    pub group: String,
    /// The stream's name.
    pub stream: String,
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    pub message: String,
}

/// Where lines are handed over. A clone is the same.
#[derive(Clone)]
pub struct LogWriter {
    sender: mpsc::Sender<Handed>,
    dropped: Arc<AtomicU64>,
}

enum Handed {
    Line(Box<LogLine>),
    Flush(oneshot::Sender<()>),
}

impl LogWriter {
    /// A writer whose batches are written by a task on `runtime`. The task ends when every clone of the writer is gone.
    #[must_use]
    pub fn start(store: Store, runtime: &Handle) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let dropped = Arc::default();
        runtime.spawn(write(store, receiver, Arc::clone(&dropped)));
        Self { sender, dropped }
    }

    /// Hands a line over.
    pub fn write(&self, line: LogLine) {
        if self.sender.try_send(Handed::Line(Box::new(line))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines were lost.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything that was handed over before is written, or lost.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.sender.send(Handed::Flush(done)).await.is_ok() {
            let _ = written.await;
        }
    }
}

async fn write(store: Store, mut receiver: mpsc::Receiver<Handed>, dropped: Arc<AtomicU64>) {
    let mut handed = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut handed, BATCH).await > 0 {
        if !handed.iter().any(|it| matches!(it, Handed::Flush(_))) && handed.len() < BATCH {
            tokio::time::sleep(GATHER).await;
            while handed.len() < BATCH
                && let Ok(next) = receiver.try_recv()
            {
                handed.push(next);
            }
        }
        let (mut lines, mut waiting) = (Vec::new(), Vec::new());
        for it in handed.drain(..) {
            match it {
                Handed::Line(line) => lines.push(*line),
                Handed::Flush(done) => waiting.push(done),
            }
        }
        let count = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        match store.append_log_lines(lines).await {
            Ok(lost) => drop(dropped.fetch_add(lost, Ordering::Relaxed)),
            Err(error) => {
                dropped.fetch_add(count, Ordering::Relaxed);
                tracing::warn!(%error, lines = count, "Lines for log groups cannot be written; they are lost.");
            }
        }
        for done in waiting {
            let _ = done.send(());
        }
    }
}

impl Store {
    /// Writes lines; answers how many were for groups that are not there.
    async fn append_log_lines(&self, lines: Vec<LogLine>) -> Result<u64, StoreError> {
        if lines.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let (mut made, mut gone, mut lost) = (BTreeSet::new(), BTreeSet::new(), 0);
        for LogLine { scope, group, stream, time, message } in lines {
            let place = (scope.account.to_string(), scope.region.to_string(), group.clone(), stream.clone());
            if gone.contains(&place)
                || (!made.contains(&place) && tx.log_group(&scope, &group).await?.is_none())
            {
                gone.insert(place);
                lost += 1;
                continue;
            }
            if made.insert(place) {
                tx.make_log_stream(&scope, &group, &stream, time).await?;
            }
            let event = LogEvent { seq: 0, stream, time, taken_at: time, message };
            tx.insert_log_event(&scope, &group, &event).await?;
        }
        tx.end().await?;
        Ok(lost)
    }
}
