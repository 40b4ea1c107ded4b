//! The audit trail: events are appended and read, never changed.

use domain::AuditEvent;
use sqlx::AssertSqlSafe;

use crate::backend::{Param, params, written};
use crate::{Store, StoreError, Tx};

/// How many events one statement appends: enough to spread its cost, few enough for every database's parameters.
const ROWS: usize = 64;

/// An event and its place in the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place: later events have greater ones.
    pub seq: i64,
    /// The event.
    pub event: AuditEvent,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only those after this place.
    pub after: i64,
    /// Only those of this account.
    pub account: Option<String>,
}

impl Tx {
    pub(crate) async fn append_event(&mut self, event: &AuditEvent) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO audit_events (time, account, region, kind, document) VALUES ($1, $2, $3, $4, $5)",
            params![
                event.time.millis(),
                event.scope.account.as_str(),
                event.scope.region.as_str(),
                kind(event),
                &written(event, "audit_events")?
            ],
        )
        .await?;
        Ok(())
    }
}

impl Store {
    /// Appends a batch of events in one transaction, which takes its turn among the writers: the places of events are in
    /// the order of their commits, so that whoever follows the trail misses none.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; then none of them is in it.
    pub async fn append_events(&self, events: &[AuditEvent]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for batch in events.chunks(ROWS) {
            let documents: Vec<String> =
                batch.iter().map(|event| written(event, "audit_events")).collect::<Result<_, _>>()?;
            let mut values: Vec<Param<'_>> = Vec::with_capacity(batch.len() * 5);
            for (event, document) in batch.iter().zip(&documents) {
                values.extend_from_slice(params![
                    event.time.millis(),
                    event.scope.account.as_str(),
                    event.scope.region.as_str(),
                    kind(event),
                    document
                ]);
            }
            tx.connection().execute(AssertSqlSafe(insert(batch.len())), &values).await?;
        }
        tx.end().await
    }

    /// The events that a filter lets through, in their order, at most `limit` of them.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn events(&self, filter: &AuditFilter, limit: i64) -> Result<Vec<StoredEvent>, StoreError> {
        let mut tx = self.read().await?;
        let rows = tx
            .fetch(
                "SELECT seq, document FROM audit_events \
                 WHERE seq > $1 AND ($2 = '' OR account = $2) ORDER BY seq LIMIT $3",
                params![filter.after, filter.account.as_deref().unwrap_or_default(), limit],
            )
            .await?;
        rows.iter()
            .map(|row| Ok(StoredEvent { seq: row.int(0)?, event: row.document(1, "audit_events")? }))
            .collect()
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

fn kind(event: &AuditEvent) -> &'static str {
    match event.kind {
        domain::AuditKind::Control => "control",
        domain::AuditKind::Gateway => "gateway",
        domain::AuditKind::Token => "token",
    }
}

/// The statement that appends so many rows. It holds nothing but numbers of parameters.
fn insert(rows: usize) -> String {
    let mut sql = String::from("INSERT INTO audit_events (time, account, region, kind, document) VALUES ");
    for row in 0..rows {
        let first = row * 5;
        let comma = if row == 0 { "" } else { ", " };
        sql.push_str(&format!(
            "{comma}(${}, ${}, ${}, ${}, ${})",
            first + 1,
            first + 2,
            first + 3,
            first + 4,
            first + 5
        ));
    }
    sql
}
