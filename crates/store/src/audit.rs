//! The audit trail: events are appended and read, never changed.

use std::cell::RefCell;
use std::sync::Arc;

use domain::{AccountId, AuditEvent, EventId, Recording, Region, Timestamp};

use crate::audit_chain::EventRow;
use crate::backend::{Row, params};
use crate::{Store, StoreError, Tx};

/// How long after a request's arrival its event is written, in milliseconds: calls of upstreams take as long as they may.
const LATEST: i64 = 60 * 60 * 1000;

/// An event and its place in the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place: later events have greater ones.
    pub seq: i64,
    /// The event.
    pub event: AuditEvent,
}

/// An event and its place in its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainedEvent {
    /// Its place: the first event of a chain has 1.
    pub place: i64,
    /// The event.
    pub event: AuditEvent,
}

/// An event that is yet to be appended, and what is recorded besides it.
#[derive(Clone)]
pub struct Recorded {
    /// The event.
    pub event: AuditEvent,
    /// What was recorded of the call, if anything.
    pub recording: Option<Recording>,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only those after this place.
    pub after: i64,
    /// Only those before this place.
    pub before: Option<i64>,
    /// Only those of this account.
    pub account: Option<String>,
    /// Only those of this kind, as events write it.
    pub kind: Option<String>,
}

/// An event as it is written: what the columns hold, and the document, which holds everything. It is written where the event
/// came about, and nothing else of the event goes to those who store it.
pub(crate) struct Entry {
    time: Timestamp,
    account: AccountId,
    region: Region,
    kind: &'static str,
    /// Of its own size, for very many may wait.
    document: Arc<str>,
}

thread_local! {
    /// Where events of this thread are put into words, one after the other.
    static WORDS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}
/// How many bytes are kept for the next event.
const KEPT: usize = 16 * 1024;

impl Entry {
    pub(crate) fn of(event: &AuditEvent) -> Result<Self, StoreError> {
        Ok(Self {
            time: event.time,
            account: event.scope.account.clone(),
            region: event.scope.region.clone(),
            kind: kind(event),
            document: words(event)?,
        })
    }

    pub(crate) fn time(&self) -> Timestamp {
        self.time
    }

    pub(crate) fn document(&self) -> &Arc<str> {
        &self.document
    }

    /// What its digest covers.
    pub(crate) fn row(&self) -> EventRow<'_> {
        EventRow {
            time: self.time.millis(),
            account: self.account.as_str(),
            region: self.region.as_str(),
            kind: self.kind,
            document: &self.document,
        }
    }
}

/// An entry that is to be written, and what was recorded of the call.
pub(crate) struct Due {
    pub(crate) entry: Entry,
    pub(crate) recording: Option<(EventId, Recording)>,
}

impl Due {
    pub(crate) fn of(event: &AuditEvent, recording: Option<Recording>) -> Result<Self, StoreError> {
        let recording = recording.map(|recording| (event.event_id.clone(), recording));
        Ok(Self { entry: Entry::of(event)?, recording })
    }

    /// How many bytes were recorded.
    pub(crate) fn recorded(&self) -> usize {
        self.recording.as_ref().map_or(0, |(_, recording)| recording.len())
    }
}

impl Tx {
    /// Appends an event, as part of this transaction.
    pub(crate) async fn append_event(&mut self, event: &AuditEvent) -> Result<(), StoreError> {
        self.append_linked(&[&Entry::of(event)?]).await
    }
}

impl Store {
    /// Appends a batch of events in one transaction, which takes its turn among the writers: the places of events are in
    /// the order of their commits, so that whoever follows the trail misses none.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; then none of them is in it.
    pub async fn append_events(&self, events: &[Recorded]) -> Result<(), StoreError> {
        let due = |it: &Recorded| Due::of(&it.event, it.recording.clone());
        self.append_due(&events.iter().map(due).collect::<Result<Vec<_>, _>>()?).await
    }

    /// Appends what is due in one transaction.
    pub(crate) async fn append_due(&self, due: &[Due]) -> Result<(), StoreError> {
        // Sealed before the turn among the writers begins.
        let mut calls = Vec::new();
        for Due { entry, recording } in due {
            if let Some((event, recording)) = recording {
                calls.push(self.seal_recording(event, entry.time(), recording)?);
            }
        }
        let mut tx = self.begin().await?;
        let entries: Vec<&Entry> = due.iter().map(|it| &it.entry).collect();
        tx.append_linked(&entries).await?;
        tx.insert_recordings(&calls).await?;
        tx.end().await
    }

    /// The events that a filter lets through, in their order, at most `limit` of them.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn events(&self, filter: &AuditFilter, limit: i64) -> Result<Vec<StoredEvent>, StoreError> {
        self.read_events(
            "SELECT seq, document FROM audit_events WHERE seq > $1 AND seq < $2 AND ($3 = '' OR account = $3) \
             AND ($4 = '' OR kind = $4) ORDER BY seq LIMIT $5",
            filter,
            limit,
        )
        .await
    }

    /// The same, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn events_back(
        &self,
        filter: &AuditFilter,
        limit: i64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.read_events(
            "SELECT seq, document FROM audit_events WHERE seq > $1 AND seq < $2 AND ($3 = '' OR account = $3) \
             AND ($4 = '' OR kind = $4) ORDER BY seq DESC LIMIT $5",
            filter,
            limit,
        )
        .await
    }

    /// The events of an account's control planes, the newest first: found among very many others without reading these.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn control_events_back(
        &self,
        account: &str,
        before: i64,
        limit: i64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let mut tx = self.read().await?;
        let rows = tx
            .fetch(
                "SELECT seq, document FROM audit_events WHERE kind = 'control' AND account = $1 AND seq < $2 \
                 ORDER BY seq DESC LIMIT $3",
                params![account, before, limit],
            )
            .await?;
        stored(&rows)
    }

    async fn read_events(
        &self,
        sql: &'static str,
        filter: &AuditFilter,
        limit: i64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let (account, kind) =
            (filter.account.as_deref().unwrap_or_default(), filter.kind.as_deref().unwrap_or_default());
        let before = filter.before.unwrap_or(i64::MAX);
        let rows = self.read().await?.fetch(sql, params![filter.after, before, account, kind, limit]).await?;
        stored(&rows)
    }

    /// The events of a chain after a place, in their order, at most `limit` of them.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn chained_events(
        &self,
        chain: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ChainedEvent>, StoreError> {
        let mut tx = self.read().await?;
        let rows = tx
            .fetch(
                "SELECT place, document FROM audit_events WHERE chain <> '' AND chain = $1 AND place > $2 \
                 ORDER BY place LIMIT $3",
                params![chain, after, limit],
            )
            .await?;
        rows.iter()
            .map(|row| Ok(ChainedEvent { place: row.int(0)?, event: row.document(1, "audit_events")? }))
            .collect()
    }

    /// The events of gateways of an account about which policies decided, in their order, from those after the place
    /// `after`, with what was recorded of them. At most `limit` events are looked at; answers those that fit, and the
    /// place of the last that was looked at: `None` when there are no more.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn decided_calls(
        &self,
        account: &str,
        after: i64,
        limit: i64,
        wanted: impl Fn(&AuditEvent) -> bool,
    ) -> Result<(Vec<Recorded>, Option<i64>), StoreError> {
        let mut tx = self.read().await?;
        let rows = tx
            .fetch(
                "SELECT seq, document FROM audit_events \
                 WHERE seq > $1 AND account = $2 AND kind = 'gateway' ORDER BY seq LIMIT $3",
                params![after, account, limit],
            )
            .await?;
        let last = rows.last().map(|row| row.int(0)).transpose()?;
        let mut events = Vec::new();
        for row in &rows {
            let event: AuditEvent = row.document(1, "audit_events")?;
            if event.is_policy_decision() && wanted(&event) {
                events.push(event);
            }
        }
        let ids: Vec<_> = events.iter().map(|event| event.event_id.as_str()).collect();
        let mut recordings = tx.recordings(self, &ids).await?;
        let with_recording = |event: AuditEvent| {
            let recording = recordings.remove(event.event_id.as_str());
            Recorded { event, recording }
        };
        Ok((events.into_iter().map(with_recording).collect(), last))
    }

    /// A place before every event that was written at `time` or later, found without reading all that is before: events
    /// are in the order in which they were written, each at its request's arrival or `LATEST` after it at most.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn place_before(&self, time: Timestamp) -> Result<i64, StoreError> {
        let mut tx = self.read().await?;
        let bound = time.millis().saturating_sub(LATEST);
        let last = tx.fetch_one("SELECT MAX(seq) FROM audit_events", params![]).await?;
        // There is no greatest one of none.
        let Some(Ok(last)) = last.map(|row| row.int(0)) else { return Ok(0) };
        let (mut before, mut end) = (0, last);
        while before < end {
            let middle = before + (end - before) / 2;
            let row = tx
                .fetch_one(
                    "SELECT seq, time FROM audit_events WHERE seq > $1 ORDER BY seq LIMIT 1",
                    params![middle],
                )
                .await?;
            match row {
                Some(row) if row.int(1)? < bound => before = row.int(0)?,
                _ => end = middle,
            }
        }
        Ok(before)
    }

    /// The place before the last `count` events: where a reader begins who wants only those.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn place_before_last(&self, count: i64) -> Result<i64, StoreError> {
        let mut tx = self.read().await?;
        let row = tx
            .fetch_one("SELECT seq FROM audit_events ORDER BY seq DESC LIMIT 1 OFFSET $1", params![count])
            .await?;
        row.map_or(Ok(0), |row| row.int(0))
    }
}

fn stored(rows: &[Row]) -> Result<Vec<StoredEvent>, StoreError> {
    rows.iter()
        .map(|row| Ok(StoredEvent { seq: row.int(0)?, event: row.document(1, "audit_events")? }))
        .collect()
}

/// The document of an event, as its column has it.
fn words(event: &AuditEvent) -> Result<Arc<str>, StoreError> {
    let corrupt = |detail: String| StoreError::Corrupt { table: "audit_events", detail };
    WORDS.with_borrow_mut(|words| {
        // One that could not be written may have left its beginning.
        words.clear();
        serde_json::to_writer(&mut *words, event).map_err(|error| corrupt(error.to_string()))?;
        let document = str::from_utf8(words).map_err(|error| corrupt(error.to_string()))?.into();
        words.clear();
        words.shrink_to(KEPT);
        Ok(document)
    })
}

/// The kind of an event, as its column has it.
fn kind(event: &AuditEvent) -> &'static str {
    match event.kind {
        domain::AuditKind::Control => "control",
        domain::AuditKind::Gateway => "gateway",
        domain::AuditKind::Token => "token",
        domain::AuditKind::Runtime => "runtime",
    }
}
