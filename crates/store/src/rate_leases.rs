//! What replicas share of rate limits: when all that was taken of each value will have been paid for, and which replicas
//! there are. Values stand here as hashes.
//!
//! These transactions have a lock of their own on PostgreSQL: they write nothing that the change feed tells of, and must
//! not wait for those that do.

use domain::{Pace, Taken, Timestamp};

use crate::backend::params;
use crate::{Store, StoreError};

/// A number of our own, under which they queue: "PCLR" in ASCII.
const LOCK: i64 = 0x5043_4C52;
/// How much the clocks of replicas and of databases may differ, in nanoseconds; a count that is further ahead is of a clock
/// that was wrong.
const SKEW: i64 = 5_000_000_000;
/// How long it is known that there was a replica, in milliseconds: a day.
const REMEMBERED: i64 = 24 * 60 * 60 * 1_000;

/// What a replica asks for of one value.
#[derive(Clone, Copy, Debug)]
pub struct RateAsk<'a> {
    /// The hash of the limit and the value.
    pub name: &'a str,
    /// The rate.
    pub pace: Pace,
    /// How many it wants.
    pub wanted: u64,
    /// What it gives back of what it took before, in nanoseconds.
    pub refund: i64,
    /// What it let through before that nobody was told of, in nanoseconds.
    pub owed: i64,
}

/// Who else there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherReplicas {
    /// How many there are now.
    pub live: usize,
    /// Until when the last one was there, or will have been if it is not heard of again.
    pub until: Option<Timestamp>,
}

impl Store {
    /// Whether other replicas may be on this database.
    #[must_use]
    pub fn may_be_shared(&self) -> bool {
        self.is_postgres()
    }

    /// What time it is by the database's clock, where that has one of its own: replicas whose own clocks differ agree on it.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn database_time(&self) -> Result<Option<Timestamp>, StoreError> {
        if !self.is_postgres() {
            return Ok(None);
        }
        let mut tx = self.read().await?;
        let sql = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT";
        let row = tx.fetch_one(sql, params![]).await?;
        row.map(|row| row.int(0).map(Timestamp::from_millis)).transpose()
    }

    /// Takes of each value what is there of what is wanted. `now` is in nanoseconds since the epoch.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; then nothing was taken.
    pub async fn take_rates(&self, asks: &[RateAsk<'_>], now: i64) -> Result<Vec<Taken>, StoreError> {
        let mut tx = self.begin_beside(LOCK).await?;
        let mut taken = Vec::with_capacity(asks.len());
        for ask in asks {
            let row = tx.fetch_one("SELECT paid FROM rate_counts WHERE name = $1", params![ask.name]).await?;
            let paid = row.map_or(Ok(0), |row| row.int(0))?;
            let owing = if ask.owed > 0 { paid.max(now).saturating_add(ask.owed) } else { paid };
            let owing = owing.saturating_sub(ask.refund);
            let had = ask.pace.take(owing, ask.wanted, now);
            // One whose clock is behind must not take away what others, whose clocks are ahead, have taken.
            let most = now.saturating_add(ask.pace.ahead).saturating_add(SKEW);
            let had = Taken { paid: had.paid.max(owing).min(most), ..had };
            tx.execute(
                "INSERT INTO rate_counts (name, paid) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET paid = $2",
                params![ask.name, had.paid],
            )
            .await?;
            taken.push(had);
        }
        tx.end().await?;
        Ok(taken)
    }

    /// Says that a replica is there until a moment, and that it knows of so many others; forgets what is paid for.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn keep_rate_seat(
        &self,
        replica: &str,
        knows: usize,
        (now, until): (Timestamp, Timestamp),
    ) -> Result<OtherReplicas, StoreError> {
        let mut tx = self.begin_beside(LOCK).await?;
        let paid = now.millis().saturating_mul(1_000_000);
        tx.execute("DELETE FROM rate_counts WHERE paid <= $1", params![paid]).await?;
        tx.execute("DELETE FROM rate_seats WHERE until <= $1", params![now.millis() - REMEMBERED]).await?;
        tx.execute(
            "INSERT INTO rate_seats (replica, knows, until) VALUES ($1, $2, $3) \
             ON CONFLICT (replica) DO UPDATE SET knows = $2, until = $3",
            params![replica, i64::try_from(knows).unwrap_or(i64::MAX), until.millis()],
        )
        .await?;
        let rows = tx.fetch("SELECT until FROM rate_seats WHERE replica <> $1", params![replica]).await?;
        tx.end().await?;
        let others = rows.iter().map(|row| row.int(0)).collect::<Result<Vec<_>, _>>()?;
        Ok(OtherReplicas {
            live: others.iter().filter(|until| **until > now.millis()).count(),
            until: others.into_iter().max().map(Timestamp::from_millis),
        })
    }

    /// Says that a replica is there no longer. One that never knew of another leaves nothing behind.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn leave_rate_seat(&self, replica: &str, shared: Option<Timestamp>) -> Result<(), StoreError> {
        let mut tx = self.begin_beside(LOCK).await?;
        match shared {
            Some(now) => {
                let until = now.millis();
                tx.execute("UPDATE rate_seats SET until = $2 WHERE replica = $1", params![replica, until])
                    .await?
            }
            None => tx.execute("DELETE FROM rate_seats WHERE replica = $1", params![replica]).await?,
        };
        tx.end().await
    }
}
