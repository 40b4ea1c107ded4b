//! Sessions of MCP's clients, as far as they are here at all. A session is its id, sealed: the client carries it, and every
//! replica can open it. There is a row for one that was ended or that has a log level, and one for each session with a
//! server behind it. Neither ids nor owners stand in the rows, only hashes.

use domain::{Scope, Timestamp};
use zeroize::Zeroizing;

use crate::backend::params;
use crate::{ChangeKind, Store, StoreError};

/// How many sessions of one owner have a row at most.
const MOST: i64 = 10_000;
/// How many sessions with servers behind are kept of one owner: the oldest give way.
const MOST_UPSTREAM: i64 = 2_000;

/// Which session is meant.
#[derive(Clone, Copy, Debug)]
pub struct McpSessionKey<'a> {
    /// The hash of its id.
    pub session: &'a str,
    /// The hash of the gateway and of whoever opened it there.
    pub owner: &'a str,
    /// When it ends.
    pub until: Timestamp,
}

/// What is known of a session beside what its id says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct McpSessionState {
    /// Whether its client has ended it.
    pub ended: bool,
    /// From which level on its client wants log messages.
    pub level: Option<String>,
}

/// A session with a server.
pub struct UpstreamSession {
    /// Which one it is of those that there were.
    pub revision: i64,
    /// What was agreed.
    pub agreed: Zeroizing<Vec<u8>>,
}

impl Store {
    /// Seals what the id of a session says, for the gateway and the owner that `place` names. Each of them has a key of its
    /// own, so that no key seals too much (NIST SP 800-38D, section 8.3).
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when the cipher refuses.
    pub fn seal_mcp_session(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.mcp_sessions().of(place)?.seal(self.random(), place, plain)
    }

    /// Opens what [`Store::seal_mcp_session`] sealed for the same gateway and owner.
    ///
    /// # Errors
    /// [`StoreError::Unsealable`] when it was sealed for others, elsewhere, or tampered with.
    pub fn open_mcp_session(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.mcp_sessions().of(place)?.open(place, sealed)
    }

    /// What is known of a session, by the hash of its id.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn mcp_session(&self, session: &str) -> Result<McpSessionState, StoreError> {
        let mut tx = self.read().await?;
        let row = tx
            .fetch_one("SELECT ended, level FROM mcp_sessions WHERE session = $1", params![session])
            .await?;
        let Some(row) = row else { return Ok(McpSessionState::default()) };
        let level = row.text(1)?;
        Ok(McpSessionState { ended: row.int(0)? != 0, level: (!level.is_empty()).then_some(level) })
    }

    /// Writes what is known of a session, and tells all replicas. What was ended stays so. Answers whether there was room:
    /// of one owner, so many sessions have a row at most.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn put_mcp_session(
        &self,
        scope: &Scope,
        key: McpSessionKey<'_>,
        state: &McpSessionState,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.execute("DELETE FROM mcp_sessions WHERE until <= $1", params![now.millis()]).await?;
        let others = tx
            .fetch_one(
                "SELECT COUNT(*) FROM mcp_sessions WHERE owner = $1 AND session <> $2",
                params![key.owner, key.session],
            )
            .await?;
        if others.map_or(Ok(0), |row| row.int(0))? >= MOST {
            return Ok(false);
        }
        tx.execute(
            "INSERT INTO mcp_sessions (session, owner, ended, level, until) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (session) DO UPDATE SET level = $4, \
             ended = CASE WHEN mcp_sessions.ended > $3 THEN mcp_sessions.ended ELSE $3 END",
            params![
                key.session,
                key.owner,
                i64::from(state.ended),
                state.level.as_deref().unwrap_or_default(),
                key.until.millis()
            ],
        )
        .await?;
        if state.ended {
            tx.execute("DELETE FROM mcp_upstream_sessions WHERE session = $1", params![key.session]).await?;
        }
        tx.note_change(scope, ChangeKind::McpSession, key.session).await?;
        tx.end().await?;
        Ok(true)
    }

    /// The session with a server that belongs to a session, if one was opened; `upstream` is a hash that names the server.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn upstream_session(
        &self,
        session: &str,
        upstream: &str,
    ) -> Result<Option<UpstreamSession>, StoreError> {
        let mut tx = self.read().await?;
        let row = tx
            .fetch_one(
                "SELECT revision, sealed FROM mcp_upstream_sessions WHERE session = $1 AND upstream = $2",
                params![session, upstream],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let agreed = self.open_mcp_session(&upstream_place(session, upstream), &row.bytes(1)?)?;
        Ok(Some(UpstreamSession { revision: row.int(0)?, agreed }))
    }

    /// Keeps a session with a server in the place of the `former` one, if that is there, or of none; and gives the one that
    /// is there then: whoever comes second takes what the first one opened.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn keep_upstream_session(
        &self,
        key: McpSessionKey<'_>,
        upstream: &str,
        (agreed, former): (&[u8], Option<i64>),
        now: Timestamp,
    ) -> Result<Option<UpstreamSession>, StoreError> {
        let sealed = self.seal_mcp_session(&upstream_place(key.session, upstream), agreed)?;
        let mut tx = self.begin().await?;
        tx.execute("DELETE FROM mcp_upstream_sessions WHERE until <= $1", params![now.millis()]).await?;
        tx.execute(
            "DELETE FROM mcp_upstream_sessions WHERE owner = $1 AND session NOT IN \
             (SELECT session FROM mcp_upstream_sessions WHERE owner = $1 ORDER BY until DESC LIMIT $2)",
            params![key.owner, MOST_UPSTREAM],
        )
        .await?;
        tx.execute(
            "INSERT INTO mcp_upstream_sessions (session, upstream, owner, revision, sealed, until) \
             VALUES ($1, $2, $3, 1, $4, $5) ON CONFLICT (session, upstream) DO UPDATE SET \
             revision = mcp_upstream_sessions.revision + 1, sealed = $4 \
             WHERE mcp_upstream_sessions.revision = $6",
            params![
                key.session,
                upstream,
                key.owner,
                &sealed,
                key.until.millis(),
                // No row has this one.
                former.unwrap_or(0)
            ],
        )
        .await?;
        tx.end().await?;
        self.upstream_session(key.session, upstream).await
    }
}

fn upstream_place(session: &str, upstream: &str) -> String {
    format!("mcp_upstream_sessions|{session}|{upstream}")
}
