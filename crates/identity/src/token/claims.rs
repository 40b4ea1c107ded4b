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
    /// The claims of a payload. What [`standing`] has not proven may be empty.
    pub(crate) fn of(all: Map<String, Value>) -> Self {
        let text = |name: &str| all.get(name).and_then(Value::as_str).map(str::to_owned);
        let expires_at = moment(&all, "exp").ok().flatten().unwrap_or_default();
        Self { issuer: text("iss").unwrap_or_default(), subject: text("sub"), expires_at, all }
    }

    /// The claims of a payload that claims what every token must.
    ///
    /// # Errors
    /// [`TokenError`] about the first that is amiss.
    pub(crate) fn read(payload: &[u8], now: Timestamp) -> Result<Self, TokenError> {
        let all = object(payload)?;
        standing(&all, now).try_for_each(|(_, outcome)| outcome)?;
        Ok(Self::of(all))
    }

    /// A claim that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all.get(name).and_then(Value::as_str)
    }

    /// The scopes: `scope`, parted by spaces (RFC 8693, section 4.2). A claim of another type is no scope. Where there is
    /// no `scope` it is `scp`, a text as Entra writes it, or a list of texts as Okta does.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let (text, list) = match (self.all.get("scope"), self.all.get("scp")) {
            (Some(scope), _) => (scope.as_str(), None),
            (None, Some(Value::Array(list))) if list.iter().all(Value::is_string) => (None, Some(list)),
            (None, scp) => (scp.and_then(Value::as_str), None),
        };
        let parted = text.into_iter().flat_map(|scope| scope.split(' ')).filter(|scope| !scope.is_empty());
        parted.chain(list.into_iter().flatten().filter_map(Value::as_str))
    }
}

/// The payload of a token as a JSON object in which no member stands twice.
pub(crate) fn object(payload: &[u8]) -> Result<Map<String, Value>, TokenError> {
    let payload =
        strict_json::parse(payload).map_err(|_| TokenError::Malformed("its payload is not sound JSON"))?;
    match payload {
        Value::Object(all) => Ok(all),
        _ => Err(TokenError::Malformed("its payload is not a JSON object")),
    }
}

/// What every token must claim to be worth anything now, one claim after the other: it is looked at as it is asked for.
pub(crate) fn standing(
    all: &Map<String, Value>,
    now: Timestamp,
) -> impl Iterator<Item = (&'static str, Result<(), TokenError>)> {
    let looks: [(&'static str, Look); 5] =
        [("iss", issuer), ("sub", subject), ("exp", expiry), ("nbf", beginning), ("iat", issuance)];
    looks.into_iter().map(move |(name, look)| (name, look(all, now)))
}

type Look = fn(&Map<String, Value>, Timestamp) -> Result<(), TokenError>;

fn issuer(all: &Map<String, Value>, _: Timestamp) -> Result<(), TokenError> {
    match all.get("iss") {
        Some(Value::String(_)) => Ok(()),
        Some(_) => Err(TokenError::Claim("iss", "not a text")),
        None => Err(TokenError::Claim("iss", "missing")),
    }
}

fn subject(all: &Map<String, Value>, _: Timestamp) -> Result<(), TokenError> {
    match all.get("sub") {
        None | Some(Value::String(_)) => Ok(()),
        Some(_) => Err(TokenError::Claim("sub", "not a text")),
    }
}

fn expiry(all: &Map<String, Value>, now: Timestamp) -> Result<(), TokenError> {
    let expires_at = moment(all, "exp")?.ok_or(TokenError::Claim("exp", "missing"))?;
    if expires_at.plus(LEEWAY) <= now { Err(TokenError::Claim("exp", "past")) } else { Ok(()) }
}

fn beginning(all: &Map<String, Value>, now: Timestamp) -> Result<(), TokenError> {
    not_ahead(all, "nbf", now)
}

fn issuance(all: &Map<String, Value>, now: Timestamp) -> Result<(), TokenError> {
    not_ahead(all, "iat", now)
}

fn not_ahead(all: &Map<String, Value>, name: &'static str, now: Timestamp) -> Result<(), TokenError> {
    if moment(all, name)?.is_some_and(|moment| moment > now.plus(LEEWAY)) {
        return Err(TokenError::Claim(name, "in the future"));
    }
    Ok(())
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
