//! The claims of a verified token, and what every token must claim to be worth anything now.

use std::time::Duration;

use domain::Timestamp;
use serde_json::{Map, Value};

use super::TokenError;

/// How far the clocks of an issuer and ours may be apart.
pub const LEEWAY: Duration = Duration::from_secs(60);

/// The last second that is read as a date: the end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// The claims of a token whose signature holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: Option<String>,
    /// `exp`.
    pub expires_at: Timestamp,
    /// All of them, as they stand in the token.
    pub all: Map<String, Value>,
}

impl Claims {
    /// Reads the payload of a token, and refuses one that has ended, has not begun, or does not say.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] when it is no sound JSON object, [`TokenError::Claim`] otherwise.
    pub fn read(payload: &[u8], now: Timestamp) -> Result<Self, TokenError> {
        let payload = strict_json::parse(payload)
            .map_err(|_| TokenError::Malformed("its payload is not sound JSON"))?;
        let Value::Object(all) = payload else {
            return Err(TokenError::Malformed("its payload is not a JSON object"));
        };
        let issuer = match all.get("iss") {
            Some(Value::String(issuer)) => issuer.clone(),
            Some(_) => return Err(TokenError::Claim("iss", "not a text")),
            None => return Err(TokenError::Claim("iss", "missing")),
        };
        let subject = match all.get("sub") {
            None => None,
            Some(Value::String(subject)) => Some(subject.clone()),
            Some(_) => return Err(TokenError::Claim("sub", "not a text")),
        };
        let expires_at = moment(&all, "exp")?.ok_or(TokenError::Claim("exp", "missing"))?;
        if expires_at.plus(LEEWAY) <= now {
            return Err(TokenError::Claim("exp", "past"));
        }
        if moment(&all, "nbf")?.is_some_and(|begins| begins > now.plus(LEEWAY)) {
            return Err(TokenError::Claim("nbf", "in the future"));
        }
        if moment(&all, "iat")?.is_some_and(|issued| issued > now.plus(LEEWAY)) {
            return Err(TokenError::Claim("iat", "in the future"));
        }
        Ok(Self { issuer, subject, expires_at, all })
    }

    /// A claim that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all.get(name).and_then(Value::as_str)
    }

    /// The scopes: `scope`, parted by spaces (RFC 8693, section 4.2). A claim of another type is no scope.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.text("scope").into_iter().flat_map(|scope| scope.split(' ')).filter(|scope| !scope.is_empty())
    }
}

/// A date in whole seconds. RFC 7519 allows fractions, which no issuer that is known writes, and which are one more
/// thing that two readers may read differently.
fn moment(all: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, TokenError> {
    let Some(value) = all.get(name) else { return Ok(None) };
    let seconds = value.as_i64().ok_or(TokenError::Claim(name, "not a whole number of seconds"))?;
    if (0..=LAST_SECOND).contains(&seconds) {
        Ok(Some(Timestamp::from_seconds(seconds)))
    } else {
        Err(TokenError::Claim(name, "no date of this age"))
    }
}
