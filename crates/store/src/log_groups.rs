//! Log groups, their streams and events.
//!
//! What a group keeps is bounded: events go when their group's retention is over, and the oldest when a group has more than
//! [`MOST_EVENTS`].

use domain::{Scope, Timestamp};

use crate::backend::{Row, params};
use crate::{ChangeKind, Page, Store, StoreError, Tx};

/// The most events that one group keeps.
pub const MOST_EVENTS: i64 = 1_000_000;
/// How many events are taken away in one transaction, so that other writers get their turn.
const TAKEN: i64 = 5_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGroup {
    /// Whose it is and where.
    pub scope: Scope,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// How many days events are kept; for ever when it is not said.
    pub retention_days: Option<i64>,
}

/// A stream of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStream {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The times of its first and its last event, if it has any.
    pub events: Option<(Timestamp, Timestamp)>,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// Its number, which grows in the order of writing.
    pub seq: i64,
    /// Its stream.
    pub stream: String,
    /// When it happened, as whoever wrote it says.
    pub time: Timestamp,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// What happened.
    pub message: String,
}

/// Which events are looked for, in the order of their times.
#[derive(Clone, Debug)]
pub struct LogQuery<'a> {
    /// The group.
    pub group: &'a str,
    /// Only those of this stream.
    pub stream: Option<&'a str>,
    /// Not before.
    pub from: i64,
    /// Before.
    pub until: i64,
    /// After the event of this time and number; before it, when the newest come first.
    pub past: Option<(i64, i64)>,
    /// The newest first.
    pub newest_first: bool,
    /// How many at most.
    pub limit: i64,
}

impl Tx {
    /// Makes a group.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is one of its name.
    pub async fn insert_log_group(&mut self, group: &LogGroup) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO log_groups (account, region, name, created_at) VALUES ($1, $2, $3, $4)",
            params![
                group.scope.account.as_str(),
                group.scope.region.as_str(),
                &group.name,
                group.created_at.millis()
            ],
        )
        .await?;
        self.note_change(&group.scope, ChangeKind::Other, &group.name).await
    }

    /// The group of a name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn log_group(&mut self, scope: &Scope, name: &str) -> Result<Option<LogGroup>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT name, created_at, COALESCE(retention_days, 0) FROM log_groups \
                 WHERE account = $1 AND region = $2 AND name = $3",
                params![scope.account.as_str(), scope.region.as_str(), name],
            )
            .await?;
        row.map(|row| read_group(scope, &row)).transpose()
    }

    /// The groups of a scope, by their names.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn log_groups(&mut self, scope: &Scope, page: Page<'_>) -> Result<Vec<LogGroup>, StoreError> {
        let rows = self
            .fetch(
                "SELECT name, created_at, COALESCE(retention_days, 0) FROM log_groups \
                 WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4",
                params![scope.account.as_str(), scope.region.as_str(), page.after, page.limit],
            )
            .await?;
        rows.iter().map(|row| read_group(scope, row)).collect()
    }

    /// Says how many days a group keeps its events; nought for ever.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn set_log_retention(
        &mut self,
        scope: &Scope,
        name: &str,
        days: i64,
    ) -> Result<(), StoreError> {
        self.execute(
            "UPDATE log_groups SET retention_days = $4 WHERE account = $1 AND region = $2 AND name = $3",
            params![scope.account.as_str(), scope.region.as_str(), name, days],
        )
        .await?;
        self.note_change(scope, ChangeKind::Other, name).await
    }

    /// Takes a group away, with its streams and events.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn delete_log_group(&mut self, scope: &Scope, name: &str) -> Result<(), StoreError> {
        for statement in [
            "DELETE FROM log_events WHERE account = $1 AND region = $2 AND log_group = $3",
            "DELETE FROM log_streams WHERE account = $1 AND region = $2 AND log_group = $3",
            "DELETE FROM log_groups WHERE account = $1 AND region = $2 AND name = $3",
        ] {
            self.execute(statement, params![scope.account.as_str(), scope.region.as_str(), name]).await?;
        }
        self.note_change(scope, ChangeKind::Other, name).await
    }

    /// Makes a stream, unless there is one of its name; whether it was made.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn insert_log_stream(
        &mut self,
        scope: &Scope,
        group: &str,
        name: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let made = self.make_log_stream(scope, group, name, now).await?;
        self.note_change(scope, ChangeKind::Other, group).await?;
        Ok(made)
    }

    pub(crate) async fn make_log_stream(
        &mut self,
        scope: &Scope,
        group: &str,
        name: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let made = self
            .execute(
                "INSERT INTO log_streams (account, region, log_group, name, created_at) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account, region, log_group, name) DO NOTHING",
                params![scope.account.as_str(), scope.region.as_str(), group, name, now.millis()],
            )
            .await?;
        Ok(made > 0)
    }

    /// The stream of a name.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn log_stream(
        &mut self,
        scope: &Scope,
        group: &str,
        name: &str,
    ) -> Result<Option<LogStream>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT s.name, s.created_at, COALESCE(MIN(e.time), -1), COALESCE(MAX(e.time), -1) \
                 FROM log_streams s LEFT JOIN log_events e ON e.account = s.account AND e.region = s.region \
                 AND e.log_group = s.log_group AND e.stream = s.name \
                 WHERE s.account = $1 AND s.region = $2 AND s.log_group = $3 AND s.name = $4 \
                 GROUP BY s.name, s.created_at",
                params![scope.account.as_str(), scope.region.as_str(), group, name],
            )
            .await?;
        row.map(|row| read_stream(&row)).transpose()
    }

    /// The streams of a group, by their names.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn log_streams(
        &mut self,
        scope: &Scope,
        group: &str,
        page: Page<'_>,
    ) -> Result<Vec<LogStream>, StoreError> {
        let rows = self
            .fetch(
                "SELECT s.name, s.created_at, COALESCE(MIN(e.time), -1), COALESCE(MAX(e.time), -1) \
                 FROM log_streams s LEFT JOIN log_events e ON e.account = s.account AND e.region = s.region \
                 AND e.log_group = s.log_group AND e.stream = s.name \
                 WHERE s.account = $1 AND s.region = $2 AND s.log_group = $3 AND s.name > $4 \
                 GROUP BY s.name, s.created_at ORDER BY s.name LIMIT $5",
                params![scope.account.as_str(), scope.region.as_str(), group, page.after, page.limit],
            )
            .await?;
        rows.iter().map(read_stream).collect()
    }

    /// Takes a stream away, with its events; whether there was one.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn delete_log_stream(
        &mut self,
        scope: &Scope,
        group: &str,
        name: &str,
    ) -> Result<bool, StoreError> {
        let place = params![scope.account.as_str(), scope.region.as_str(), group, name];
        self.execute(
            "DELETE FROM log_events WHERE account = $1 AND region = $2 AND log_group = $3 AND stream = $4",
            place,
        )
        .await?;
        let deleted = self
            .execute(
                "DELETE FROM log_streams WHERE account = $1 AND region = $2 AND log_group = $3 AND name = $4",
                place,
            )
            .await?;
        self.note_change(scope, ChangeKind::Other, group).await?;
        Ok(deleted > 0)
    }

    /// Writes an event.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn insert_log_event(
        &mut self,
        scope: &Scope,
        group: &str,
        event: &LogEvent,
    ) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO log_events (account, region, log_group, stream, time, taken_at, message) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                scope.account.as_str(),
                scope.region.as_str(),
                group,
                &event.stream,
                event.time.millis(),
                event.taken_at.millis(),
                &event.message
            ],
        )
        .await?;
        Ok(())
    }

    /// Events of a group.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn log_events(
        &mut self,
        scope: &Scope,
        query: &LogQuery<'_>,
    ) -> Result<Vec<LogEvent>, StoreError> {
        let (account, region) = (scope.account.as_str(), scope.region.as_str());
        let stream = query.stream.unwrap_or_default();
        let rows = if query.newest_first {
            let (time, seq) = query.past.unwrap_or((i64::MAX, i64::MAX));
            self.fetch(
                "SELECT seq, stream, time, taken_at, message FROM log_events \
                 WHERE account = $1 AND region = $2 AND log_group = $3 AND ($4 = '' OR stream = $4) \
                 AND time >= $5 AND time < $6 AND (time < $7 OR (time = $7 AND seq < $8)) \
                 ORDER BY time DESC, seq DESC LIMIT $9",
                params![
                    account,
                    region,
                    query.group,
                    stream,
                    query.from,
                    query.until,
                    time,
                    seq,
                    query.limit
                ],
            )
            .await?
        } else {
            let (time, seq) = query.past.unwrap_or((-1, -1));
            self.fetch(
                "SELECT seq, stream, time, taken_at, message FROM log_events \
                 WHERE account = $1 AND region = $2 AND log_group = $3 AND ($4 = '' OR stream = $4) \
                 AND time >= $5 AND time < $6 AND (time > $7 OR (time = $7 AND seq > $8)) \
                 ORDER BY time, seq LIMIT $9",
                params![
                    account,
                    region,
                    query.group,
                    stream,
                    query.from,
                    query.until,
                    time,
                    seq,
                    query.limit
                ],
            )
            .await?
        };
        let read = |row: &Row| {
            Ok(LogEvent {
                seq: row.int(0)?,
                stream: row.text(1)?,
                time: Timestamp::from_millis(row.int(2)?),
                taken_at: Timestamp::from_millis(row.int(3)?),
                message: row.text(4)?,
            })
        };
        rows.iter().map(read).collect()
    }
}

impl Store {
    /// Takes away the events whose time is over, and the oldest of groups that have too many; answers how many.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; what was taken away until then is gone.
    pub async fn prune_log_events(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut pruned = 0;
        loop {
            let mut tx = self.begin().await?;
            let mut taken = tx
                .execute(
                    "DELETE FROM log_events WHERE seq IN (SELECT e.seq FROM log_events e \
                     JOIN log_groups g ON g.account = e.account AND g.region = e.region AND g.name = e.log_group \
                     WHERE g.retention_days > 0 AND e.time < $1 - g.retention_days * $2 LIMIT $3)",
                    params![now.millis(), DAY_MS, TAKEN],
                )
                .await?;
            let full = tx
                .fetch(
                    "SELECT account, region, log_group, COUNT(*) FROM log_events \
                     GROUP BY account, region, log_group HAVING COUNT(*) > $1",
                    params![MOST_EVENTS],
                )
                .await?;
            for group in &full {
                let surplus = (group.int(3)? - MOST_EVENTS).min(TAKEN);
                let (account, region, name) = (group.text(0)?, group.text(1)?, group.text(2)?);
                taken += tx
                    .execute(
                        "DELETE FROM log_events WHERE seq IN (SELECT seq FROM log_events WHERE account = $1 \
                         AND region = $2 AND log_group = $3 ORDER BY time, seq LIMIT $4)",
                        params![&account, &region, &name, surplus],
                    )
                    .await?;
            }
            tx.end().await?;
            pruned += taken;
            if taken == 0 {
                return Ok(pruned);
            }
        }
    }
}

fn read_group(scope: &Scope, row: &Row) -> Result<LogGroup, StoreError> {
    Ok(LogGroup {
        scope: scope.clone(),
        name: row.text(0)?,
        created_at: Timestamp::from_millis(row.int(1)?),
        retention_days: Some(row.int(2)?).filter(|days| *days > 0),
    })
}

fn read_stream(row: &Row) -> Result<LogStream, StoreError> {
    let (first, last) = (row.int(2)?, row.int(3)?);
    let events = (first >= 0).then(|| (Timestamp::from_millis(first), Timestamp::from_millis(last)));
    Ok(LogStream { name: row.text(0)?, created_at: Timestamp::from_millis(row.int(1)?), events })
}
