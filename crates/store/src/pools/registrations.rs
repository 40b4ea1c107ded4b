//! Clients that registered themselves: beside the client, what bounds them.

use domain::{ClientId, PoolClient, Timestamp, UserPoolId};

use crate::backend::params;
use crate::{StoreError, Tx};

/// How many registrations that are over one look takes away.
const SWEPT: i64 = 200;

/// How many clients registered themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registrations {
    /// That the pool has.
    pub all: i64,
    /// Of these, those that came lately.
    pub lately: i64,
    /// Of these, those that came from the same address.
    pub from_there: i64,
}

impl Tx {
    /// Keeps a client that registered itself, from an address, until it is used or its time is over.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is one of this id.
    pub async fn insert_registration(
        &mut self,
        client: &PoolClient,
        source: &str,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.insert_pool_client(client).await?;
        self.execute(
            "INSERT INTO pool_registrations (client, pool, source, used, created_at, expires_at) \
             VALUES ($1, $2, $3, 0, $4, $5)",
            params![
                client.id.as_str(),
                client.pool.as_str(),
                source,
                client.created_at.millis(),
                expires_at.millis()
            ],
        )
        .await?;
        Ok(())
    }

    /// Counts a pool's registrations, and those since a time.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn count_registrations(
        &mut self,
        pool: &UserPoolId,
        source: &str,
        since: Timestamp,
    ) -> Result<Registrations, StoreError> {
        let row = self
            .fetch_one(
                "SELECT COUNT(*), COUNT(CASE WHEN created_at > $3 THEN 1 END), \
                 COUNT(CASE WHEN created_at > $3 AND source = $2 THEN 1 END) \
                 FROM pool_registrations WHERE pool = $1",
                params![pool.as_str(), source, since.millis()],
            )
            .await?;
        let Some(row) = row else { return Ok(Registrations::default()) };
        Ok(Registrations { all: row.int(0)?, lately: row.int(1)?, from_there: row.int(2)? })
    }

    /// Somebody signed in by a client that registered itself: it is kept until then. Nothing happens to another client.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn use_registration(&mut self, client: &ClientId, until: Timestamp) -> Result<(), StoreError> {
        self.execute(
            "UPDATE pool_registrations SET used = 1, expires_at = $2 WHERE client = $1 AND expires_at < $2",
            params![client.as_str(), until.millis()],
        )
        .await?;
        Ok(())
    }

    /// Removes the clients of all pools whose registration is over.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn sweep_registrations(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let rows = self
            .fetch(
                "SELECT client FROM pool_registrations WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2",
                params![now.millis(), SWEPT],
            )
            .await?;
        for row in rows {
            self.delete_registration(&ClientId::from_text(row.text(0)?)).await?;
        }
        Ok(())
    }

    /// Removes the oldest client of a pool that registered itself before a time and was never used. Says whether there was
    /// one.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn make_room_for_registration(
        &mut self,
        pool: &UserPoolId,
        before: Timestamp,
    ) -> Result<bool, StoreError> {
        let row = self
            .fetch_one(
                "SELECT client FROM pool_registrations WHERE pool = $1 AND used = 0 AND created_at < $2 \
                 ORDER BY created_at LIMIT 1",
                params![pool.as_str(), before.millis()],
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        self.delete_registration(&ClientId::from_text(row.text(0)?)).await?;
        Ok(true)
    }

    async fn delete_registration(&mut self, id: &ClientId) -> Result<(), StoreError> {
        match self.pool_client(id).await? {
            Some(client) => self.delete_pool_client(&client.scope, &client.pool, id).await,
            None => {
                self.execute("DELETE FROM pool_registrations WHERE client = $1", params![id.as_str()])
                    .await?;
                Ok(())
            }
        }
    }
}
