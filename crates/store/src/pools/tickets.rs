//! What sign-ins handed out: codes, refresh tokens, sessions of browsers. Each is known by the hash of its secret, so
//! that whoever reads the database can use none of them, and all replicas know them.

use domain::{PoolUser, Ticket, TicketKind, Timestamp, UserPoolId};

use crate::backend::params;
use crate::{StoreError, Tx};

impl Tx {
    /// Keeps a ticket, and forgets those whose time is over.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn insert_ticket(&mut self, ticket: &Ticket, now: Timestamp) -> Result<(), StoreError> {
        self.execute("DELETE FROM pool_tickets WHERE expires_at <= $1", params![now.millis()]).await?;
        self.execute(
            "INSERT INTO pool_tickets (hash, kind, pool, client, member, family, spent, expires_at, document) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params![
                &ticket.hash,
                ticket.kind.as_str(),
                ticket.pool.as_str(),
                &ticket.client,
                &ticket.user,
                &ticket.family,
                i64::from(ticket.spent),
                ticket.expires_at.millis(),
                &ticket.details
            ],
        )
        .await?;
        Ok(())
    }

    /// The ticket of this kind and pool whose secret has this hash, if its time is not over. It may be spent.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn ticket(
        &mut self,
        pool: &UserPoolId,
        kind: TicketKind,
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<Ticket>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT client, member, family, spent, expires_at, document FROM pool_tickets \
                 WHERE hash = $1 AND kind = $2 AND pool = $3 AND expires_at > $4",
                params![hash, kind.as_str(), pool.as_str(), now.millis()],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Ticket {
            hash: hash.to_owned(),
            kind,
            pool: pool.clone(),
            client: row.text(0)?,
            user: row.text(1)?,
            family: row.text(2)?,
            spent: row.int(3)? != 0,
            expires_at: Timestamp::from_millis(row.int(4)?),
            details: row.text(5)?,
        }))
    }

    /// Uses a ticket up.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was used up or taken back since it was read.
    pub async fn spend_ticket(&mut self, ticket: &Ticket) -> Result<(), StoreError> {
        self.change_one(
            "UPDATE pool_tickets SET spent = 1 WHERE hash = $1 AND spent = 0",
            params![&ticket.hash],
        )
        .await
    }

    /// Takes back everything that one sign-in handed out.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn revoke_family(&mut self, pool: &UserPoolId, family: &str) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM pool_tickets WHERE family = $1 AND pool = $2",
            params![family, pool.as_str()],
        )
        .await?;
        Ok(())
    }

    /// Takes back everything that a user's sign-ins handed out.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn revoke_user(&mut self, pool: &UserPoolId, user: &str) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM pool_tickets WHERE pool = $1 AND member = $2",
            params![pool.as_str(), &PoolUser::key_of(user)],
        )
        .await?;
        Ok(())
    }

    /// Whether anything that a sign-in handed out to a client is still good.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn family_lives(
        &mut self,
        pool: &UserPoolId,
        family: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let row = self
            .fetch_one(
                "SELECT hash FROM pool_tickets WHERE family = $1 AND pool = $2 AND expires_at > $3 LIMIT 1",
                params![family, pool.as_str(), now.millis()],
            )
            .await?;
        Ok(row.is_some())
    }
}
