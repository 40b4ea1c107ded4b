//! Servers that share one database on PostgreSQL, and know of each other by it.
//!
//! Each has a lease, which it renews as long as it reaches the database and keeps up with the change feed. A change is
//! acknowledged when every other replica has confirmed that it serves it, or has no lease any more
//! ([`Replica::until_confirmed`]); and a replica without a lease serves nothing ([`Standing`](crate::Standing)). So nobody who
//! was told of a change meets a replica that does not know it.
//!
//! Two clocks count, and they need not agree: the database's, by which the others see that a lease is over, and how time
//! passes here. A replica counts its lease from before it asked for it, and a tenth less than it got, so that it stops
//! before anybody goes on without it. A lease that ran out is got back by who has read everything that was acknowledged
//! meanwhile.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use domain::Random;
use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{PgPool, Row as _};

use crate::database::Database;
use crate::{Store, StoreError};

/// Where replicas are told of changes (PostgreSQL, "NOTIFY").
pub(crate) const CHANNEL: &str = "portcullis_changes";
/// The database's clock, in milliseconds.
macro_rules! now {
    () => {
        "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT"
    };
}
/// How long it is waited, at first and at most, before it is asked again who has not confirmed a change.
const ASK_AGAIN: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];

/// What a beat came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Beat {
    /// The lease was renewed.
    Current {
        /// Whether a replica went away, whose work is left.
        left: bool,
    },
    /// The database was reached, and this replica has not read what it must yet: ask again when it has.
    Behind,
    /// The database does not have a change that this replica has read: it went back in its history, as a standby does that
    /// had not received everything.
    Lost,
}

/// This process as one of those that share a database.
pub struct Replica {
    store: Store,
    id: String,
    lease: Duration,
    /// A few connections of its own, so that work in the others cannot hold a lease up.
    pool: PgPool,
    /// What had to be read when the lease was last asked for.
    known: AtomicI64,
}

impl Replica {
    /// Takes part in what shares the store's database, without a lease yet; `None` on SQLite, which one server has to
    /// itself. From then on this process is current only while its lease runs.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database cannot be reached.
    pub async fn join(
        store: &Store,
        lease: Duration,
        random: &dyn Random,
    ) -> Result<Option<Self>, StoreError> {
        let Database::Postgres(pool) = store.database() else { return Ok(None) };
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(lease / 4)
            .connect_with(pool.connect_options().as_ref().clone())
            .await?;
        let id = random.text(16, b"abcdefghijklmnopqrstuvwxyz0123456789");
        store.standing().lapse();
        Ok(Some(Self { store: store.clone(), id, lease, pool, known: 0.into() }))
    }

    /// How often to call [`Replica::beat`].
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.lease / 4
    }

    /// Renews the lease of a replica that serves the change feed up to `confirmed`.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be reached in time.
    pub async fn beat(&self, confirmed: i64) -> Result<Beat, StoreError> {
        let beating = async {
            let asked = Instant::now();
            self.write(confirmed, self.lease).await?;
            // Who commits a change after this sees the lease and waits for us; what was committed before is in the feed now.
            let (last, has_read) = self.feed(confirmed).await?;
            if !has_read {
                self.store.standing().lapse();
                return Ok(Beat::Lost);
            }
            self.store.tell(last);
            let known = self.known.swap(last, Ordering::AcqRel);
            // A lease that never ran out holds for what this replica is about to read; but it must keep up.
            let must = if self.store.standing().is_current() { known } else { last };
            if confirmed < must {
                return Ok(Beat::Behind);
            }
            self.store.standing().lasts_until(asked + self.lease - self.lease / 10);
            Ok(Beat::Current { left: self.forget_the_gone().await? })
        };
        let beat = tokio::time::timeout(self.lease / 4, beating).await;
        let beat =
            beat.unwrap_or_else(|_| Err(StoreError::Unavailable("it did not answer in time".to_owned())));
        if self.store.standing().reached(beat.is_ok()) {
            match &beat {
                Ok(_) => tracing::info!("The database is reached again."),
                Err(error) => tracing::error!(
                    %error,
                    "The database cannot be reached: changes are refused, and when the lease is over, every request."
                ),
            }
        }
        beat
    }

    /// Says that everything up to `seq` is served.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn confirm(&self, seq: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE replicas SET confirmed = $2 WHERE id = $1 AND confirmed < $2")
            .bind(&self.id)
            .bind(seq)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The place of the last change, whoever made it; the store is told of it.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn last_change(&self) -> Result<i64, StoreError> {
        let last = sqlx::query("SELECT COALESCE(MAX(seq), 0) FROM changes")
            .fetch_one(&self.pool)
            .await?
            .try_get(0)?;
        self.store.tell(last);
        Ok(last)
    }

    /// Waits until every other replica serves everything up to `seq`, or has no lease.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot tell, and when it takes longer than any lease.
    pub async fn until_confirmed(&self, seq: i64) -> Result<(), StoreError> {
        let asking = async {
            let [mut pause, most] = ASK_AGAIN;
            while self.unconfirmed(seq).await? > 0 {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(most);
            }
            Ok(())
        };
        // The others' leases may be longer than ours.
        let unknown =
            |_| Err(StoreError::Unavailable("other replicas do not say what they serve".to_owned()));
        tokio::time::timeout(self.lease * 4, asking).await.unwrap_or_else(unknown)
    }

    /// Takes up a piece of background work, unless a replica with a lease does it.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn take_up(&self, work: &str) -> Result<bool, StoreError> {
        const SQL: &str = concat!(
            "INSERT INTO works (work, replica) VALUES ($1, $2) ON CONFLICT (work) DO UPDATE \
             SET replica = EXCLUDED.replica WHERE works.replica = EXCLUDED.replica OR NOT EXISTS \
             (SELECT 1 FROM replicas WHERE id = works.replica AND lease_until > ",
            now!(),
            ")"
        );
        let taken = sqlx::query(SQL).bind(work).bind(&self.id).execute(&self.pool).await?;
        Ok(taken.rows_affected() == 1)
    }

    /// A piece of background work is done, or given up.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; then it is free when this replica has no lease any more.
    pub async fn put_down(&self, work: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM works WHERE work = $1 AND replica = $2")
            .bind(work)
            .bind(&self.id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Tells the store of changes as other replicas commit them, for ever. One that is missed is found when it is looked
    /// for, by and by.
    pub async fn listen(&self) {
        loop {
            if let Err(error) = self.listen_once().await {
                tracing::debug!(%error, "The database tells of no changes; they are looked for.");
            }
            tokio::time::sleep(self.interval()).await;
        }
    }

    async fn listen_once(&self) -> Result<(), StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        loop {
            if let Ok(seq) = listener.recv().await?.payload().parse() {
                self.store.tell(seq);
            }
        }
    }

    /// Gives the lease back: nobody waits for this replica any more. Whatever is served afterwards may be out of date.
    pub async fn leave(&self) {
        self.store.standing().lapse();
        if let Err(error) = self.write(0, Duration::ZERO).await {
            tracing::warn!(%error, "The lease of this replica is not given back; others wait until it is over.");
        }
        self.pool.close().await;
    }

    async fn write(&self, confirmed: i64, lease: Duration) -> Result<(), StoreError> {
        const SQL: &str = concat!(
            "INSERT INTO replicas (id, started_at, lease_until, confirmed) VALUES ($1, ",
            now!(),
            ", ",
            now!(),
            " + $2, $3) ON CONFLICT (id) DO UPDATE SET lease_until = EXCLUDED.lease_until, \
             confirmed = GREATEST(replicas.confirmed, EXCLUDED.confirmed)"
        );
        let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        sqlx::query(SQL).bind(&self.id).bind(lease).bind(confirmed).execute(&self.pool).await?;
        Ok(())
    }

    /// The place of the last change, and whether the one at `read` is there.
    async fn feed(&self, read: i64) -> Result<(i64, bool), StoreError> {
        const SQL: &str = "SELECT COALESCE(MAX(seq), 0), $1 = 0 OR COALESCE(BOOL_OR(seq = $1), FALSE) FROM changes \
             WHERE seq >= $1";
        let row = sqlx::query(SQL).bind(read).fetch_one(&self.pool).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// How many other replicas have a lease and have not confirmed `seq`.
    async fn unconfirmed(&self, seq: i64) -> Result<i64, StoreError> {
        const SQL: &str = concat!(
            "SELECT COUNT(*) FROM replicas WHERE id <> $1 AND confirmed < $2 AND lease_until > ",
            now!()
        );
        Ok(sqlx::query(SQL).bind(&self.id).bind(seq).fetch_one(&self.pool).await?.try_get(0)?)
    }

    /// Removes the replicas whose lease was over long ago; gives whether there were any. One replica alone is told of each.
    async fn forget_the_gone(&self) -> Result<bool, StoreError> {
        const SQL: &str = concat!("DELETE FROM replicas WHERE id <> $1 AND lease_until + $2 < ", now!());
        let long = i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX);
        let gone = sqlx::query(SQL).bind(&self.id).bind(long).execute(&self.pool).await?;
        Ok(gone.rows_affected() > 0)
    }
}
