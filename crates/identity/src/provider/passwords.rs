//! Passwords: what a pool asks of them, and their hashes.
//!
//! Argon2id with the memory and time that OWASP's cheat sheet for password storage asks for (19 MiB, two passes). Few
//! are computed at once, on threads that may block: guessing costs the guesser's time, and neither memory nor the threads
//! that serve.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use domain::{Random, Secret};
use tokio::sync::Semaphore;

/// How many hashes are computed at once.
const AT_ONCE: usize = 2;
/// How many may wait for their turn.
const WAITING: usize = 64;
/// The longest password, in characters (`PasswordType`).
pub(super) const LONGEST: usize = 256;
/// The shortest password (Cognito's default policy).
const SHORTEST: usize = 8;
/// What counts as a symbol ("Adding user pool password requirements").
const SYMBOLS: &str = "^$*.[]{}()?-\"!@#%&/\\,><':;|_~`+= ";
/// The hash that a password is held against when there is no user: as much work, and none fits.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGlzIGhlcmU$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Computes hashes of passwords, few at once.
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Why a password was not hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many others wait.
    #[error("too many passwords are being checked now")]
    Busy,
    /// The library refused, or its thread broke.
    #[error("the password cannot be hashed: {0}")]
    Failed(String),
}

/// The right to compute one hash now.
pub(super) struct Turn(
    #[expect(dead_code, reason = "held until the hash is computed")] tokio::sync::OwnedSemaphorePermit,
);

impl Passwords {
    pub(super) fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), waiting: AtomicUsize::new(0) }
    }

    /// Waits for a turn, as long as few others do.
    pub(super) async fn turn(&self) -> Result<Turn, PasswordError> {
        let _place = Place::take(&self.waiting)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        turn.map(Turn).map_err(|error| PasswordError::Failed(error.to_string()))
    }

    /// The hash of a password, as a PHC string.
    pub(super) async fn hash(&self, password: Secret, random: &dyn Random) -> Result<Secret, PasswordError> {
        let turn = self.turn().await?;
        let mut salt = [0_u8; 16];
        random.fill(&mut salt);
        off_the_serving_threads(turn, move || {
            let hashed = Argon2::default().hash_password_with_salt(password.expose().as_bytes(), &salt);
            hashed.map(|hash| Secret::new(hash.to_string())).map_err(|error| error.to_string())
        })
        .await
    }

    /// Whether a password has this hash. Without one it takes as long, and is not.
    pub(super) async fn fits(
        &self,
        turn: Turn,
        password: Secret,
        hash: Option<Secret>,
    ) -> Result<bool, PasswordError> {
        off_the_serving_threads(turn, move || {
            let is_there = hash.is_some();
            let hash = hash.unwrap_or_else(|| Secret::new(NOBODY));
            let parsed = PasswordHash::new(hash.expose()).map_err(|error| error.to_string())?;
            let fits = Argon2::default().verify_password(password.expose().as_bytes(), &parsed).is_ok();
            Ok(fits && is_there)
        })
        .await
    }
}

async fn off_the_serving_threads<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, PasswordError> {
    // The turn goes along: who hangs up in between does not make room for another while the work goes on.
    let working = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    working.await.map_err(|error| PasswordError::Failed(error.to_string()))?.map_err(PasswordError::Failed)
}

/// A place among those who wait, given back in any case.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, PasswordError> {
        let place = Self(waiting);
        if waiting.fetch_add(1, Ordering::AcqRel) < WAITING { Ok(place) } else { Err(PasswordError::Busy) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a password lacks by Cognito's default policy, in Cognito's words.
pub(super) fn lacks(password: &Secret) -> Option<&'static str> {
    let text = password.expose();
    let has = |kind: fn(char) -> bool| text.chars().any(kind);
    match () {
        () if text.chars().count() < SHORTEST => Some("Password not long enough"),
        () if text.chars().count() > LONGEST => Some("Password too long"),
        () if !has(|it| it.is_ascii_uppercase()) => Some("Password must have uppercase characters"),
        () if !has(|it| it.is_ascii_lowercase()) => Some("Password must have lowercase characters"),
        () if !has(|it| it.is_ascii_digit()) => Some("Password must have numeric characters"),
        () if !has(|it| SYMBOLS.contains(it)) => Some("Password must have symbol characters"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use domain::SystemRandom;

    use super::*;

    #[tokio::test]
    async fn only_the_password_itself_fits_its_hash() {
        let passwords = Passwords::new();
        let hash = passwords.hash(Secret::new("Correct-Horse-1"), &SystemRandom).await.unwrap();
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        for (tried, hash, fits) in [
            ("Correct-Horse-1", Some(hash.clone()), true),
            ("Correct-Horse-2", Some(hash), false),
            ("Correct-Horse-1", None, false),
        ] {
            let turn = passwords.turn().await.unwrap();
            assert_eq!(passwords.fits(turn, Secret::new(tried), hash).await.unwrap(), fits, "{tried}");
        }
    }

    #[test]
    fn the_policy_is_cognitos_default() {
        let lacking = |password: &str| lacks(&Secret::new(password));
        assert_eq!(lacking("Aa1!aaaa"), None);
        assert_eq!(lacking("Aa1!aaa"), Some("Password not long enough"));
        assert_eq!(lacking("aa1!aaaa"), Some("Password must have uppercase characters"));
        assert_eq!(lacking("AA1!AAAA"), Some("Password must have lowercase characters"));
        assert_eq!(lacking("Aaa!aaaa"), Some("Password must have numeric characters"));
        assert_eq!(lacking("Aa1aaaaa"), Some("Password must have symbol characters"));
    }
}
