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
use std::time::Duration;

use domain::Random;
use sqlx::postgres::PgListener;
use sqlx::{PgPool, Row as _};
use tokio::sync::watch;

use crate::database::{self, Database};
use crate::standing::up;
use crate::{Store, StoreError};

/// Where replicas are told of changes (PostgreSQL, "NOTIFY").
pub(crate) const CHANNEL: &str = "portcullis_changes";
/// The database's clock, in milliseconds.
macro_rules! now {
    () => {
        "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT"
    };
}
const LAST_CHANGE: &str = "SELECT COALESCE(MAX(seq), 0) FROM changes";
/// No replica's id.
const NOBODY: &str = "";
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
    /// For beats and confirmations alone, so that nothing can hold them up.
    beats: PgPool,
    /// For what is asked beside them.
    asking: PgPool,
    /// What had to be read when the lease was last asked for.
    known: AtomicI64,
    /// What somebody waits for that all have to confirm.
    wanted: watch::Sender<i64>,
    /// What all had confirmed when they were last asked.
    confirmed: watch::Sender<i64>,
}

/// What the database knows at a beat.
struct Known {
    /// Whether our lease runs, by its clock.
    leased: bool,
    /// The place of the last change.
    last: i64,
    /// Whether the change is there that we have read last.
    has_read: bool,
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
        let own =
            |most| database::pool(most, lease / 4).connect_with(pool.connect_options().as_ref().clone());
        let (beats, asking) = (own(2).await?, own(4).await?);
        let id = random.text(16, b"abcdefghijklmnopqrstuvwxyz0123456789");
        store.standing().lapse();
        tracing::info!(replica.id = id, "This server is one of those that share its database.");
        Ok(Some(Self {
            store: store.clone(),
            id,
            lease,
            beats,
            asking,
            known: AtomicI64::new(0),
            wanted: watch::channel(0).0,
            confirmed: watch::channel(0).0,
        }))
    }

    /// How often to call [`Replica::beat`].
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.lease / 4
    }

    /// Renews the lease of a replica that serves the change feed up to `confirmed`; not that of one which does not keep up,
    /// for whom nobody must wait for ever.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be reached in time.
    pub async fn beat(&self, confirmed: i64) -> Result<Beat, StoreError> {
        let beat = tokio::time::timeout(self.interval(), self.beat_once(confirmed)).await;
        let beat = beat.unwrap_or_else(|_| Err(late()));
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

    async fn beat_once(&self, confirmed: i64) -> Result<Beat, StoreError> {
        let standing = self.store.standing();
        let before = self.look(confirmed).await?;
        if !before.has_read {
            standing.lapse();
            return Ok(Beat::Lost);
        }
        self.store.tell(before.last);
        // A lease that never ran out holds for what this replica is about to read. One that did, by whichever clock, is got
        // back by who has read everything: others went on without it.
        let runs = before.leased && standing.is_current();
        let known = self.known.swap(before.last, Ordering::AcqRel);
        if !runs {
            standing.lapse();
        }
        if confirmed < if runs { known } else { before.last } {
            return Ok(Beat::Behind);
        }
        let asked = up();
        if runs {
            if !self.renew(confirmed).await? {
                standing.lapse();
                return Ok(Beat::Behind);
            }
        } else {
            self.write(confirmed, self.lease).await?;
            // Who commits a change after this sees the lease and waits for us; what was committed before is in the feed now.
            let after = self.look(confirmed).await?;
            if !after.has_read || confirmed < after.last {
                self.store.tell(after.last);
                return Ok(if after.has_read { Beat::Behind } else { Beat::Lost });
            }
        }
        standing.lasts_until(asked + self.lease - self.lease / 10);
        Ok(Beat::Current { left: self.forget_the_gone().await? })
    }

    /// Says that everything up to `seq` is served.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn confirm(&self, seq: i64) -> Result<(), StoreError> {
        let sql = "UPDATE replicas SET confirmed = $2 WHERE id = $1 AND confirmed < $2";
        self.in_time(sqlx::query(sql).bind(&self.id).bind(seq).execute(&self.beats)).await?;
        Ok(())
    }

    /// The place of the last change, whoever made it; the store is told of it.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn last_change(&self) -> Result<i64, StoreError> {
        let asking = sqlx::query(LAST_CHANGE).fetch_one(&self.asking);
        let last = self.in_time(asking).await?.try_get(0)?;
        self.store.tell(last);
        Ok(last)
    }

    /// Waits until every other replica serves everything up to `seq`, or has no lease. [`Replica::ask_for_ever`] finds out.
    ///
    /// # Errors
    /// [`StoreError`] when it takes longer than any lease: the database does not say.
    pub async fn until_confirmed(&self, seq: i64) -> Result<(), StoreError> {
        let mut confirmed = self.confirmed.subscribe();
        if *confirmed.borrow_and_update() >= seq {
            return Ok(());
        }
        self.wanted.send_if_modified(|wanted| {
            let more = seq > *wanted;
            *wanted = seq.max(*wanted);
            more
        });
        let waiting = confirmed.wait_for(|confirmed| *confirmed >= seq);
        // The others' leases may be longer than ours.
        match tokio::time::timeout(self.lease * 2, waiting).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(unsaid()),
        }
    }

    /// Asks what the others have confirmed, as long as somebody waits for it: once for all who wait.
    pub async fn ask_for_ever(&self) {
        let (mut wanted, [first, most]) = (self.wanted.subscribe(), ASK_AGAIN);
        let mut pause = first;
        loop {
            let seq = *wanted.borrow_and_update();
            if *self.confirmed.borrow() >= seq {
                pause = first;
                if wanted.changed().await.is_err() {
                    return;
                }
                continue;
            }
            match self.in_time(confirmed_by_all(&self.asking, &self.id)).await {
                Ok(confirmed) => {
                    self.confirmed.send_if_modified(|known| {
                        let more = confirmed > *known;
                        *known = confirmed.max(*known);
                        more
                    });
                }
                Err(error) => tracing::debug!(%error, "Other replicas cannot be asked what they serve."),
            }
            if *self.confirmed.borrow() < seq {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(most);
            }
        }
    }

    /// Says that this replica does a piece of background work, whoever else may.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn claim(&self, work: &str) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO works (work, replica) VALUES ($1, $2) ON CONFLICT (work) DO UPDATE SET replica = $2";
        self.in_time(sqlx::query(sql).bind(work).bind(&self.id).execute(&self.asking)).await?;
        Ok(())
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
        let taken = self.in_time(sqlx::query(SQL).bind(work).bind(&self.id).execute(&self.asking)).await?;
        Ok(taken.rows_affected() == 1)
    }

    /// A piece of background work is done, or given up.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; then it is free when this replica has no lease any more.
    pub async fn put_down(&self, work: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM works WHERE work = $1 AND replica = $2";
        self.in_time(sqlx::query(sql).bind(work).bind(&self.id).execute(&self.asking)).await?;
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
        let mut listener = PgListener::connect_with(&self.asking).await?;
        listener.listen(CHANNEL).await?;
        loop {
            if let Ok(seq) = listener.recv().await?.payload().parse() {
                self.store.tell(seq);
            }
        }
    }

    /// Gives the lease back: nobody waits for this replica any more. Whatever is served afterwards may be out of date.
    pub async fn leave(&self) {
        let standing = self.store.standing();
        standing.lapse();
        if let Err(error) = self.in_time(self.write(0, Duration::ZERO)).await {
            tracing::warn!(%error, "The lease of this replica is not given back; others wait until it is over.");
        }
        // Nobody looks any more whether the database is reached: what is still written finds out by itself.
        standing.reached(true);
    }

    /// What is asked of the database is answered as soon as a lease has to be renewed, or not at all.
    async fn in_time<T, E>(&self, asking: impl Future<Output = Result<T, E>>) -> Result<T, StoreError>
    where
        StoreError: From<E>,
    {
        Ok(tokio::time::timeout(self.interval(), asking).await.map_err(|_| late())??)
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
        sqlx::query(SQL).bind(&self.id).bind(lease).bind(confirmed).execute(&self.beats).await?;
        Ok(())
    }

    /// Renews a lease that runs; gives whether it does.
    async fn renew(&self, confirmed: i64) -> Result<bool, StoreError> {
        const SQL: &str = concat!(
            "UPDATE replicas SET lease_until = ",
            now!(),
            " + $2, confirmed = GREATEST(confirmed, $3) WHERE id = $1 AND lease_until > ",
            now!()
        );
        let lease = i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX);
        let renewed =
            sqlx::query(SQL).bind(&self.id).bind(lease).bind(confirmed).execute(&self.beats).await?;
        Ok(renewed.rows_affected() == 1)
    }

    async fn look(&self, read: i64) -> Result<Known, StoreError> {
        const SQL: &str = concat!(
            "SELECT EXISTS (SELECT 1 FROM replicas WHERE id = $2 AND lease_until > ",
            now!(),
            "), COALESCE(MAX(seq), 0), $1 = 0 OR COALESCE(BOOL_OR(seq = $1), FALSE) FROM changes WHERE seq >= $1"
        );
        let row = sqlx::query(SQL).bind(read).bind(&self.id).fetch_one(&self.beats).await?;
        Ok(Known { leased: row.try_get(0)?, last: row.try_get(1)?, has_read: row.try_get(2)? })
    }

    /// Removes the replicas whose lease was over long ago, and that they did anything; gives whether there were any. One
    /// replica alone is told of each. Work that is left is found by its resource, and of what is gone nothing is left.
    async fn forget_the_gone(&self) -> Result<bool, StoreError> {
        const SQL: &str = concat!("DELETE FROM replicas WHERE id <> $1 AND lease_until + $2 < ", now!());
        const WORKS: &str = "DELETE FROM works WHERE replica NOT IN (SELECT id FROM replicas)";
        let long = i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX);
        let gone = sqlx::query(SQL).bind(&self.id).bind(long).execute(&self.beats).await?;
        if gone.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(WORKS).execute(&self.beats).await?;
        Ok(true)
    }
}

impl Store {
    /// Waits until every replica with a lease serves all that was committed so far: for who changes something and is no
    /// replica. Where one server has the database to itself, nobody says what is served, and nothing is waited for.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it takes longer than `patience`: the change is made, and may not be served yet.
    pub async fn until_served(&self, patience: Duration) -> Result<(), StoreError> {
        let Database::Postgres(pool) = self.database() else { return Ok(()) };
        let served = async {
            let last: i64 = sqlx::query(LAST_CHANGE).fetch_one(pool).await?.try_get(0)?;
            let [mut pause, most] = ASK_AGAIN;
            while confirmed_by_all(pool, NOBODY).await? < last {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(most);
            }
            Ok(())
        };
        tokio::time::timeout(patience, served).await.unwrap_or_else(|_| Err(unsaid()))
    }
}

/// What every replica with a lease has confirmed, but for this one; where there is none, all that there is.
async fn confirmed_by_all(pool: &PgPool, but_for: &str) -> Result<i64, StoreError> {
    const SQL: &str = concat!(
        "SELECT COALESCE(MIN(confirmed), (SELECT COALESCE(MAX(seq), 0) FROM changes)) FROM replicas \
         WHERE id <> $1 AND lease_until > ",
        now!()
    );
    Ok(sqlx::query(SQL).bind(but_for).fetch_one(pool).await?.try_get(0)?)
}

fn unsaid() -> StoreError {
    StoreError::Unavailable("replicas do not say what they serve".to_owned())
}

fn late() -> StoreError {
    StoreError::Unavailable("it did not answer in time".to_owned())
}
