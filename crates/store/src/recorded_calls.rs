//! What was recorded of calls besides their audit events: claims and arguments, each row sealed under a key of its own, which
//! is derived from the data key, and bound to its event. Rows are written in the transaction of their events, and taken
//! away when their time is over.

use std::collections::HashMap;
use std::sync::LazyLock;

use domain::{EventId, Recording, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use zeroize::Zeroizing;

use crate::backend::{Param, batches, numbered, numbered_rows, params};
use crate::{Store, StoreError, Tx};

/// The table, which is also what the keys of its rows are derived for.
pub(crate) const TABLE: &str = "recorded_calls";
/// How many rows one statement writes or reads.
const ROWS: usize = 64;
/// How many rows are taken away in one transaction, so that other writers get their turn.
const TAKEN: i64 = 1_000;

/// A recording as it is sealed.
#[derive(Serialize, Deserialize)]
struct Contents<'a> {
    at: Timestamp,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    claims: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    arguments: Option<std::borrow::Cow<'a, str>>,
}

/// A row that is ready to be written.
pub(crate) struct SealedCall {
    event: EventId,
    time: Timestamp,
    contents: Vec<u8>,
}

fn place(event: &str) -> String {
    format!("{TABLE}|{event}")
}

impl Store {
    pub(crate) fn seal_recording(
        &self,
        event: &EventId,
        time: Timestamp,
        recording: &Recording,
    ) -> Result<SealedCall, StoreError> {
        let contents = Contents {
            at: recording.decided_at,
            claims: recording.claims.as_deref().map(Into::into),
            arguments: recording.arguments.as_deref().map(Into::into),
        };
        let plain = serde_json::to_vec(&contents).map_err(|error| corrupt(&error))?;
        let (plain, place) = (Zeroizing::new(plain), place(event.as_str()));
        let contents = self.recorded().of(&place)?.seal(self.random(), &place, &plain)?;
        Ok(SealedCall { event: event.clone(), time, contents })
    }

    fn open_recording(&self, event: &str, contents: &[u8]) -> Result<Recording, StoreError> {
        let place = place(event);
        let plain = self.recorded().of(&place)?.open(&place, contents)?;
        let contents: Contents<'_> = serde_json::from_slice(&plain).map_err(|error| corrupt(&error))?;
        Ok(Recording {
            decided_at: contents.at,
            claims: contents.claims.map(|text| text.as_ref().into()),
            arguments: contents.arguments.map(|text| text.as_ref().into()),
        })
    }

    /// Takes away what was recorded of calls before a moment; answers how much that was.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; what was taken away until then is gone.
    pub async fn prune_recordings(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut pruned = 0;
        loop {
            let mut tx = self.begin().await?;
            let taken = tx
                .execute(
                    "DELETE FROM recorded_calls WHERE event IN \
                     (SELECT event FROM recorded_calls WHERE time < $1 ORDER BY time LIMIT $2)",
                    params![before.millis(), TAKEN],
                )
                .await?;
            tx.end().await?;
            pruned += taken;
            if taken < TAKEN.unsigned_abs() {
                return Ok(pruned);
            }
        }
    }
}

impl Tx {
    pub(crate) async fn insert_recordings(&mut self, calls: &[SealedCall]) -> Result<(), StoreError> {
        for batch in batches(calls, ROWS, !self.store().is_postgres()) {
            let mut values: Vec<Param<'_>> = Vec::with_capacity(batch.len() * 3);
            for call in batch {
                values.extend_from_slice(params![call.event.as_str(), call.time.millis(), &call.contents]);
            }
            self.connection().execute(AssertSqlSafe(insert(batch.len())), &values).await?;
        }
        Ok(())
    }

    /// What was recorded of these events, by their ids. What cannot be opened counts as not recorded.
    pub(crate) async fn recordings(
        &mut self,
        store: &Store,
        events: &[&str],
    ) -> Result<HashMap<String, Recording>, StoreError> {
        let mut found = HashMap::new();
        for batch in events.chunks(ROWS) {
            let named = (0..ROWS).map(|at| Param::Text(batch.get(at).copied().unwrap_or_default()));
            let named: Vec<_> = named.collect();
            for row in self.fetch(&SELECT, &named).await? {
                let event = row.text(0)?;
                match store.open_recording(&event, &row.bytes(1)?) {
                    Ok(recording) => drop(found.insert(event, recording)),
                    Err(error) => {
                        tracing::warn!(%error, event.id = event, "What was recorded of a call cannot be read.");
                    }
                }
            }
        }
        Ok(found)
    }
}

/// The statement that writes so many rows. It holds nothing but numbers of parameters.
fn insert(rows: usize) -> String {
    format!("INSERT INTO recorded_calls (event, time, contents) VALUES {}", numbered_rows(rows, 3))
}

/// The statement that reads [`ROWS`] rows at most. It holds nothing but numbers of parameters.
static SELECT: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT event, contents FROM recorded_calls WHERE event IN ({})", numbered(1, ROWS))
});

fn corrupt(error: &serde_json::Error) -> StoreError {
    // What serde says may repeat a value.
    StoreError::Corrupt {
        table: TABLE,
        detail: format!("its contents are no recording ({:?})", error.classify()),
    }
}
