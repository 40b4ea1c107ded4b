//! Whose each session of an agent is. The first caller of a session is its owner; the binding is in the database, so
//! that every replica knows it. Neither the session's id nor the owner stands in it, only their hashes.

use domain::Timestamp;

use crate::backend::params;
use crate::{Store, StoreError};

impl Store {
    /// Binds a session to a caller, if it is nobody's, and says whether it is this caller's now. The binding lasts until
    /// `until` at least, and no shorter than it did: each version of a runtime has a process for the session. All are hashes: of the session, of the caller with whom it speaks for, and of the
    /// caller alone.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn hold_agent_session(
        &self,
        session: &str,
        [owner, principal]: [&str; 2],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.execute("DELETE FROM agent_sessions WHERE until <= $1", params![now.millis()]).await?;
        tx.execute(
            "INSERT INTO agent_sessions (session, owner, principal, until) VALUES ($1, $2, $4, $3) \
             ON CONFLICT (session) DO NOTHING",
            params![session, owner, until.millis(), principal],
        )
        .await?;
        let held = tx
            .execute(
                "UPDATE agent_sessions SET until = CASE WHEN until > $3 THEN until ELSE $3 END \
                 WHERE session = $1 AND owner = $2",
                params![session, owner, until.millis()],
            )
            .await?;
        tx.end().await?;
        Ok(held == 1)
    }

    /// Whether a session was opened by this caller, whoever it spoke for then. Both are hashes.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn keeps_agent_session(
        &self,
        session: &str,
        principal: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.read().await?;
        let row = tx
            .fetch_one(
                "SELECT session FROM agent_sessions WHERE session = $1 AND principal = $2 AND until > $3",
                params![session, principal, now.millis()],
            )
            .await?;
        Ok(row.is_some())
    }
}
