//! Sessions in which people are asked to consent, and the tokens that came of them. What they hold is sealed in the token
//! vault of their account and region, each for its row; the rows themselves are found by hashes, so that whoever reads the database can use none of them.

use domain::{AccountId, AuthorizationSession, AuthorizationStatus, Region, Scope, Timestamp, UserToken};

use crate::backend::{Row, params};
use crate::{Store, StoreError, Tx};

const TABLE: &str = "authorization_sessions";
/// How many sessions there are for one person and one request at most: whoever begins another forgets the oldest.
const MOST: i64 = 16;

impl Tx {
    /// Keeps a session, and forgets those whose time is over, and the oldest of too many for the same person and request.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn insert_authorization_session(
        &mut self,
        session: &AuthorizationSession,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM authorization_sessions WHERE handle = $1 AND request NOT IN \
             (SELECT request FROM authorization_sessions WHERE handle = $1 ORDER BY expires_at DESC LIMIT $2)",
            params![&session.handle, MOST - 1],
        )
        .await?;
        self.execute("DELETE FROM authorization_sessions WHERE expires_at <= $1", params![now.millis()])
            .await?;
        let place = session_place(&session.scope, &session.request);
        let details = self.seal_in_vault(&session.scope, &place, &session.details).await?;
        self.execute(
            "INSERT INTO authorization_sessions \
             (request, session, handle, account, region, status, expires_at, details) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            params![
                &session.request,
                &session.session,
                &session.handle,
                session.scope.account.as_str(),
                session.scope.region.as_str(),
                session.status.as_str(),
                session.expires_at.millis(),
                &details
            ],
        )
        .await?;
        Ok(())
    }

    /// The session whose page has this handle, by its hash, if its time is not over.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn authorization_session_of_request(
        &mut self,
        request: &str,
        now: Timestamp,
    ) -> Result<Option<AuthorizationSession>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT request, session, account, region, status, expires_at, details, handle \
                 FROM authorization_sessions WHERE request = $1 AND expires_at > $2",
                params![request, now.millis()],
            )
            .await?;
        match row {
            Some(row) => self.read_session(&row).await.map(Some),
            None => Ok(None),
        }
    }

    /// The session of a `sessionUri`, by its hash, if it is of this scope and its time is not over.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn authorization_session(
        &mut self,
        scope: &Scope,
        session: &str,
        now: Timestamp,
    ) -> Result<Option<AuthorizationSession>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT request, session, account, region, status, expires_at, details, handle \
                 FROM authorization_sessions \
                 WHERE session = $1 AND account = $2 AND region = $3 AND expires_at > $4",
                params![session, scope.account.as_str(), scope.region.as_str(), now.millis()],
            )
            .await?;
        match row {
            Some(row) => self.read_session(&row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Takes a session from one status to that which it has now, with its details.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it is not in that status any more: each step is taken once.
    pub async fn advance_authorization_session(
        &mut self,
        session: &AuthorizationSession,
        from: AuthorizationStatus,
    ) -> Result<(), StoreError> {
        let place = session_place(&session.scope, &session.request);
        let details = self.seal_in_vault(&session.scope, &place, &session.details).await?;
        self.change_one(
            "UPDATE authorization_sessions SET status = $3, details = $4 WHERE request = $1 AND status = $2",
            params![&session.request, from.as_str(), session.status.as_str(), &details],
        )
        .await
    }

    async fn read_session(&mut self, row: &Row) -> Result<AuthorizationSession, StoreError> {
        let corrupt = |detail: &str| StoreError::Corrupt { table: TABLE, detail: detail.to_owned() };
        let scope = Scope {
            account: AccountId::parse(&row.text(2)?).map_err(|_| corrupt("its account is none"))?,
            region: Region::parse(&row.text(3)?).map_err(|_| corrupt("its region is none"))?,
        };
        let (request, status) = (row.text(0)?, row.text(4)?);
        let status = AuthorizationStatus::ALL.into_iter().find(|known| known.as_str() == status);
        Ok(AuthorizationSession {
            details: self.unseal_in_vault(&scope, &session_place(&scope, &request), &row.bytes(6)?).await?,
            session: row.text(1)?,
            handle: row.text(7)?,
            status: status.ok_or_else(|| corrupt("its status is none"))?,
            expires_at: Timestamp::from_millis(row.int(5)?),
            request,
            scope,
        })
    }

    /// The tokens of a handle.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn user_token(&mut self, scope: &Scope, handle: &str) -> Result<Option<UserToken>, StoreError> {
        let row = self
            .fetch_one(
                "SELECT provider, workload, revision, tokens FROM user_tokens \
                 WHERE handle = $1 AND account = $2 AND region = $3",
                params![handle, scope.account.as_str(), scope.region.as_str()],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(UserToken {
            handle: handle.to_owned(),
            scope: scope.clone(),
            provider: row.text(0)?,
            workload: row.text(1)?,
            revision: row.int(2)?,
            tokens: self.unseal_in_vault(scope, &token_place(scope, handle), &row.bytes(3)?).await?,
        }))
    }

    /// Keeps tokens, in the place of those that were there.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn put_user_token(&mut self, token: &UserToken) -> Result<(), StoreError> {
        let place = token_place(&token.scope, &token.handle);
        let sealed = self.seal_in_vault(&token.scope, &place, &token.tokens).await?;
        self.execute(
            "INSERT INTO user_tokens (handle, account, region, provider, workload, revision, leased_until, tokens) \
             VALUES ($1, $2, $3, $4, $5, $6, 0, $7) ON CONFLICT (handle) DO UPDATE SET \
             revision = user_tokens.revision + 1, leased_until = 0, tokens = $7",
            params![
                &token.handle,
                token.scope.account.as_str(),
                token.scope.region.as_str(),
                &token.provider,
                &token.workload,
                token.revision,
                &sealed
            ],
        )
        .await?;
        Ok(())
    }

    /// Writes tokens that were refreshed, and ends the lease under which that was done.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when they were changed or removed since they were read.
    pub async fn update_user_token(&mut self, token: &UserToken) -> Result<(), StoreError> {
        let place = token_place(&token.scope, &token.handle);
        let sealed = self.seal_in_vault(&token.scope, &place, &token.tokens).await?;
        self.change_one(
            "UPDATE user_tokens SET revision = revision + 1, leased_until = 0, tokens = $3 \
             WHERE handle = $1 AND revision = $2",
            params![&token.handle, token.revision, &sealed],
        )
        .await
    }

    /// Removes tokens, if they are as they were read.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when they were changed or removed since.
    pub async fn delete_user_token(&mut self, token: &UserToken) -> Result<(), StoreError> {
        self.change_one(
            "DELETE FROM user_tokens WHERE handle = $1 AND revision = $2",
            params![&token.handle, token.revision],
        )
        .await
    }

    pub(crate) async fn delete_user_tokens_of_provider(
        &mut self,
        scope: &Scope,
        provider: &str,
    ) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM user_tokens WHERE account = $1 AND region = $2 AND provider = $3",
            params![scope.account.as_str(), scope.region.as_str(), provider],
        )
        .await?;
        Ok(())
    }

    pub(crate) async fn delete_user_tokens_of_workload(
        &mut self,
        scope: &Scope,
        workload: &str,
    ) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM user_tokens WHERE account = $1 AND region = $2 AND workload = $3",
            params![scope.account.as_str(), scope.region.as_str(), workload],
        )
        .await?;
        Ok(())
    }
}

impl Store {
    /// Gives the caller alone, among all requests and replicas, the right to refresh tokens until a moment, if they are as
    /// they were read and nobody has that right now. Answers whether it was given. A refresh token that is used twice is
    /// taken for stolen by many servers (RFC 9700, section 4.14.2).
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn lease_user_token(
        &self,
        token: &UserToken,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        // Those who wait look often: they must not stand in the way of whoever writes.
        let mut tx = self.read().await?;
        let free = tx
            .fetch_one(
                "SELECT handle FROM user_tokens WHERE handle = $1 AND revision = $2 AND leased_until <= $3",
                params![&token.handle, token.revision, now.millis()],
            )
            .await?;
        drop(tx);
        if free.is_none() {
            return Ok(false);
        }
        let mut tx = self.begin().await?;
        let leased = tx
            .execute(
                "UPDATE user_tokens SET leased_until = $3 WHERE handle = $1 AND revision = $2 AND leased_until <= $4",
                params![&token.handle, token.revision, until.millis(), now.millis()],
            )
            .await?;
        tx.end().await?;
        Ok(leased == 1)
    }

    /// Gives that right back at a moment, because it came to nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn release_user_token(&self, token: &UserToken, at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(
            "UPDATE user_tokens SET leased_until = $3 WHERE handle = $1 AND revision = $2",
            params![&token.handle, token.revision, at.millis()],
        )
        .await?;
        tx.end().await
    }
}

pub(crate) fn session_place(scope: &Scope, request: &str) -> String {
    format!("{TABLE}|{}|{}|{request}|details", scope.account, scope.region)
}

pub(crate) fn token_place(scope: &Scope, handle: &str) -> String {
    format!("user_tokens|{}|{}|{handle}|tokens", scope.account, scope.region)
}
