//! A user proves who it is, by name and password. Whether the name or the password was wrong cannot be told, neither by
//! the answer nor by how long it takes, and who guesses waits.

use domain::{PoolUser, PoolUserStatus, Secret, Ticket, TicketKind, UserPool};
use store::StoreError;

use super::Provider;
use super::passwords::{self, LONGEST, PasswordError};
use super::signer::SignError;
use super::trigger::TriggerError;
use super::user_tokens::{hashed, opaque};

/// How many attempts may fail before guessers wait ("Lockout behavior for failed sign-in attempts").
const FREE_ATTEMPTS: i64 = 5;
/// The longest name, in characters (`UsernameType`).
const LONGEST_NAME: usize = 128;
/// How long a new password may be thought about (`AuthSessionValidity`: three minutes by default).
const CHALLENGE_LIFE: std::time::Duration = std::time::Duration::from_secs(180);

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// There is no such user, or the password is another.
    #[error("Incorrect username or password.")]
    Incorrect,
    /// There were too many attempts.
    #[error("Password attempts exceeded")]
    Exceeded,
    /// The temporary password is too old.
    #[error("User account has expired, it must be reset by an administrator.")]
    Expired,
    /// The client may not do this, or did not prove who it is.
    #[error("{0}")]
    NotAuthorized(&'static str),
    /// The client does not exist.
    #[error("User pool client {0} does not exist.")]
    UnknownClient(String),
    /// The request is not sound.
    #[error("{0}")]
    Invalid(&'static str),
    /// The new password is against the policy.
    #[error("Password did not conform with policy: {0}")]
    WeakPassword(&'static str),
    /// Too many sign in at once.
    #[error("Too many requests. Try again in a moment.")]
    Busy,
    /// The pool's function gave no tokens.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// The database is out of reach; the text says what to do.
    #[error("{0}")]
    Unavailable(String),
    /// Ours.
    #[error("the provider failed: {0}")]
    Internal(String),
}

impl From<StoreError> for SignInError {
    fn from(error: StoreError) -> Self {
        error.outage().map_or_else(|| Self::Internal(error.to_string()), Self::Unavailable)
    }
}

impl From<SignError> for SignInError {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Store(error) => error.into(),
            SignError::NoKey => Self::Internal(error.to_string()),
        }
    }
}

impl From<PasswordError> for SignInError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            failed @ PasswordError::Failed(_) => Self::Internal(failed.to_string()),
        }
    }
}

impl Provider {
    /// The user whose name and password these are.
    pub(super) async fn check_password(
        &self,
        pool: &UserPool,
        name: &str,
        password: Secret,
    ) -> Result<PoolUser, SignInError> {
        if name.contains('\0')
            || name.chars().count() > LONGEST_NAME
            || password.expose().chars().count() > LONGEST
        {
            return Err(SignInError::Incorrect);
        }
        let turn = self.passwords.turn().await?;
        if !self.store.may_attempt(&pool.id, name, FREE_ATTEMPTS, self.clock.now()).await? {
            return Err(SignInError::Exceeded);
        }
        let user = self.store.read().await?.pool_user(&pool.id, name).await?;
        let hash = user.as_ref().and_then(|user| user.password.clone());
        let fits = self.passwords.fits(turn, password, hash).await?;
        let user = user.filter(|_| fits).ok_or(SignInError::Incorrect)?;
        if user.password_expires_at.is_some_and(|end| end <= self.clock.now()) {
            return Err(SignInError::Expired);
        }
        Ok(user)
    }

    /// A sign-in that waits for a new password, and the secret that goes on with it.
    pub(super) fn challenge(&self, client: &str, user: &PoolUser) -> (Ticket, Secret) {
        let secret = opaque(&*self.random);
        let ticket = Ticket {
            hash: hashed(&secret),
            kind: TicketKind::Challenge,
            pool: user.pool.clone(),
            client: client.to_owned(),
            user: user.key(),
            family: domain::uuid(&*self.random),
            spent: false,
            expires_at: self.clock.now().plus(CHALLENGE_LIFE),
            details: "{}".to_owned(),
        };
        (ticket, secret)
    }

    /// The user whose sign-in waits for a new password, with that password; nothing is written yet.
    pub(super) async fn choose_password(
        &self,
        pool: &UserPool,
        client: &str,
        session: &Secret,
        password: Secret,
    ) -> Result<(PoolUser, Ticket), SignInError> {
        let mut tx = self.store.read().await?;
        let ticket = tx.ticket(&pool.id, TicketKind::Challenge, &hashed(session), self.clock.now()).await?;
        let ticket = ticket.filter(|ticket| ticket.client == client && !ticket.spent);
        let ticket = ticket.ok_or(SignInError::NotAuthorized("Invalid session for the user."))?;
        let user = tx.pool_user(&pool.id, &ticket.user).await?;
        let mut user = user.ok_or(SignInError::NotAuthorized("Invalid session for the user."))?;
        drop(tx);
        if let Some(lacking) = passwords::lacks(&password) {
            return Err(SignInError::WeakPassword(lacking));
        }
        user.password = Some(self.passwords.hash(password, &*self.random).await?);
        user.password_expires_at = None;
        user.status = PoolUserStatus::Confirmed;
        user.updated_at = self.clock.now();
        Ok((user, ticket))
    }

    /// The hash of a password that an administrator sets.
    ///
    /// # Errors
    /// [`SignInError::WeakPassword`] when it is against the policy.
    pub async fn new_password(&self, password: Secret) -> Result<Secret, SignInError> {
        if let Some(lacking) = passwords::lacks(&password) {
            return Err(SignInError::WeakPassword(lacking));
        }
        Ok(self.passwords.hash(password, &*self.random).await?)
    }
}
