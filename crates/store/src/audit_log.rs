//! The data plane's way into the audit trail: events are handed over and written in batches.
//!
//! What a crash can lose is bounded: the events of the last [`GATHER`] and those of the batch that was being written, at
//! most as many as the log has room for and [`BATCH`] of them. While the database fails, events wait; when there is no more
//! room, new requests are refused ([`AuditLog::refuses`]) and those under way wait, unless the operator chose that events
//! are dropped and counted. A service that cannot say what it did does not go on doing it.
//!
//! The trail keeps the order in which events got their places: the writer waits for the words of the one that is next, and
//! a serving thread that stands still before it said them holds back what comes after.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::{AuditEvent, Recording};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use crate::audit::Due;
use crate::standing::CUT_OFF;
use crate::{Store, WhenFailing};

/// What a caller is told of whose request nothing could be said.
const UNAUDITED: &str =
    "The audit trail cannot be kept at the moment, so no request is served. Try again later";
/// How many events may wait to be written, when it is not said.
const WAITING: usize = 8_192;
/// How many are written at once.
const BATCH: usize = 1_024;
/// How long the first event of a batch waits for others.
const GATHER: Duration = Duration::from_millis(50);
/// How long a failed batch waits before it is tried again.
const PAUSE: Duration = Duration::from_millis(250);
/// The name of this among what the trail's health knows.
const PART: &str = "database";

/// How many bytes of recordings may wait to be written. Those that find no room are left out: events wait, what is recorded
/// besides them does not.
const ROOM: usize = 32 * 1024 * 1024;

/// Where events are handed over.
#[derive(Clone)]
pub struct AuditLog {
    sender: mpsc::Sender<Handed>,
    store: Store,
    /// How many bytes of recordings wait.
    waiting: Arc<AtomicUsize>,
    /// Where events wait by themselves for room, and how many do: threads that serve end before the log does.
    runtime: Handle,
    late: watch::Sender<usize>,
}

enum Handed {
    Event(Box<Due>),
    /// One that is yet to be put into words, in its place among the others.
    Booked(oneshot::Receiver<Due>),
    Flush(oneshot::Sender<()>),
}

/// The place in a log of one event that is yet to be put into words ([`AuditLog::book`]).
pub struct Booked(oneshot::Sender<Due>);

impl AuditLog {
    /// A log whose batches are written by a task on `runtime`. The task ends when every clone of the log is gone and
    /// everything is written.
    #[must_use]
    pub fn start(store: Store, runtime: &Handle) -> Self {
        Self::start_with_room(store, runtime, WAITING)
    }

    /// The same, with room for so many events.
    #[must_use]
    pub fn start_with_room(store: Store, runtime: &Handle, room: usize) -> Self {
        let (sender, receiver) = mpsc::channel(room.max(1));
        let waiting = Arc::default();
        runtime.spawn(write(store.clone(), receiver, Arc::clone(&waiting)));
        Self { sender, store, waiting, runtime: runtime.clone(), late: watch::Sender::default() }
    }

    /// Why a request must be refused, in a caller's words, if it must: what this replica knows may be out of date; or nothing
    /// could be said of the request, because the trail fails, and there is no more room or the operator chose not to wait
    /// for that.
    #[must_use]
    pub fn refuses(&self) -> Option<&'static str> {
        if !self.store.standing().is_current() {
            return Some(CUT_OFF);
        }
        let health = self.store.audit_health();
        let refused = match health.when_failing() {
            WhenFailing::Drop => false,
            WhenFailing::RefuseControlChanges => self.sender.capacity() == 0 && health.trouble().is_some(),
            WhenFailing::RefuseTraffic => health.trouble().is_some(),
        };
        refused.then_some(UNAUDITED)
    }

    /// Hands an event over of a request that was refused and did nothing: when there is no room while the trail fails, it is
    /// left out and counted, so that a refusal is answered.
    pub async fn record_refusal(&self, event: AuditEvent) {
        if self.store.audit_health().trouble().is_none() {
            return self.record(event).await;
        }
        if let Some(due) = self.due(&event, None)
            && self.sender.try_send(Handed::Event(Box::new(due))).is_err()
        {
            self.store.audit_health().count_dropped(1);
        }
    }

    /// How many events found no room while the trail failed.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.store.audit_health().dropped()
    }

    /// Whether a part of the trail cannot be kept.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.store.audit_health().trouble().is_some()
    }

    /// Hands an event over; waits only while the log is full. Should its request be dropped while it waits, the event goes on
    /// waiting by itself.
    pub async fn record(&self, event: AuditEvent) {
        let Some(handed) = self.hand_over(event, None) else { return };
        let mut waiting = Waiting { log: self, handed: Some(handed) };
        // The writer outlives every sender.
        let Ok(room) = self.sender.reserve().await else { return };
        if let Some(handed) = waiting.handed.take() {
            room.send(handed);
        }
    }

    /// The place of an event that is put into words a moment later, so that its request need not wait for that. Waits while
    /// the log is full. There is none, and the event is counted, where the operator chose that events are dropped while the
    /// trail fails.
    pub async fn book(&self) -> Option<Booked> {
        let (booked, due) = oneshot::channel();
        match self.sender.try_send(Handed::Booked(due)) {
            Ok(()) => Some(Booked(booked)),
            Err(mpsc::error::TrySendError::Full(waiting)) if !self.drops() => {
                self.sender.send(waiting).await.ok().map(|()| Booked(booked))
            }
            Err(_) => {
                self.store.audit_health().count_dropped(1);
                None
            }
        }
    }

    /// Hands an event over that has its place.
    pub fn record_booked(&self, booked: Booked, event: &AuditEvent, recording: Option<Recording>) {
        if let Some(due) = self.due(event, recording) {
            // The writer waits for it.
            let _ = booked.0.send(due);
        }
    }

    /// Hands an event over where nobody can wait. Should the log be full, the event waits by itself.
    pub fn record_without_waiting(&self, event: AuditEvent, recording: Option<Recording>) {
        if let Some(handed) = self.hand_over(event, recording) {
            self.wait_by_itself(handed);
        }
    }

    fn wait_by_itself(&self, handed: Handed) {
        let (sender, late) = (self.sender.clone(), self.late.clone());
        late.send_modify(|late| *late += 1);
        self.runtime.spawn(async move {
            let _ = sender.send(handed).await;
            late.send_modify(|late| *late -= 1);
        });
    }

    /// Whether what finds no room is dropped: while the trail fails, if the operator chose so.
    fn drops(&self) -> bool {
        let health = self.store.audit_health();
        health.when_failing() == WhenFailing::Drop && health.trouble().is_some()
    }

    /// Hands an event over if there is room, and gives back what has to wait for it.
    fn hand_over(&self, event: AuditEvent, recording: Option<Recording>) -> Option<Handed> {
        let handed = Handed::Event(Box::new(self.due(&event, recording)?));
        // Who made the event gives its parts back: the writer gets nothing of it but what is written.
        drop(event);
        let Err(mpsc::error::TrySendError::Full(waiting)) = self.sender.try_send(handed) else { return None };
        if self.drops() {
            self.store.audit_health().count_dropped(1);
            if let Handed::Event(due) = waiting {
                self.waiting.fetch_sub(due.recorded(), Ordering::Relaxed);
            }
            return None;
        }
        Some(waiting)
    }

    fn due(&self, event: &AuditEvent, recording: Option<Recording>) -> Option<Due> {
        let recording = recording.filter(|recording| {
            let more = |waiting: usize| waiting.checked_add(recording.len()).filter(|sum| *sum <= ROOM);
            self.waiting.try_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
        });
        match Due::of(event, recording) {
            Ok(due) => Some(due),
            Err(error) => {
                tracing::error!(%error, "An audit event cannot be put into words.");
                self.store.audit_health().count_dropped(1);
                None
            }
        }
    }

    /// Waits until everything that was handed over before, or has its place, is written.
    pub async fn flush(&self) {
        let _ = self.late.subscribe().wait_for(|late| *late == 0).await;
        let (done, written) = oneshot::channel();
        if self.sender.send(Handed::Flush(done)).await.is_ok() {
            let _ = written.await;
        }
    }
}

/// An event that waits for room, while its request does.
struct Waiting<'a> {
    log: &'a AuditLog,
    handed: Option<Handed>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(handed) = self.handed.take() {
            self.log.wait_by_itself(handed);
        }
    }
}

async fn write(store: Store, mut receiver: mpsc::Receiver<Handed>, room: Arc<AtomicUsize>) {
    let mut handed = Vec::with_capacity(BATCH);
    let mut events = Vec::with_capacity(BATCH);
    loop {
        let mut waiting = Vec::new();
        if receiver.recv_many(&mut handed, BATCH).await == 0 {
            return;
        }
        // Those who wait for a flush do not wait for company.
        if !handed.iter().any(|it| matches!(it, Handed::Flush(_))) && handed.len() < BATCH {
            tokio::time::sleep(GATHER).await;
            while handed.len() < BATCH {
                match receiver.try_recv() {
                    Ok(next) => handed.push(next),
                    Err(_) => break,
                }
            }
        }
        for it in handed.drain(..) {
            match it {
                Handed::Event(event) => events.push(*event),
                Handed::Booked(due) => events.extend(due.await),
                Handed::Flush(done) => waiting.push(done),
            }
        }
        while let Err(error) = store.append_due(&events).await {
            tracing::warn!(%error, events = events.len(), "Audit events cannot be written; trying again.");
            store.audit_health().ill(PART, &format!("audit events cannot be written: {error}"));
            tokio::time::sleep(PAUSE).await;
        }
        store.audit_health().well(PART);
        room.fetch_sub(events.iter().map(Due::recorded).sum(), Ordering::Relaxed);
        events.clear();
        for done in waiting {
            let _ = done.send(());
        }
    }
}
