//! Whose a resource is and where it lives: every row of the store is keyed by account and region.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A twelve-digit AWS account id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(String);

impl AccountId {
    /// The account that exists from the first start.
    pub const DEFAULT: &'static str = "000000000000";

    /// Accepts exactly twelve ASCII digits.
    ///
    /// # Errors
    /// [`InvalidScope`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidScope::Account(text.to_owned()))
        }
    }

    /// The account that exists from the first start, [`AccountId::DEFAULT`].
    #[must_use]
    pub fn first() -> Self {
        Self(Self::DEFAULT.to_owned())
    }

    /// The twelve digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// An AWS region name, as the client signed it. Any name of the right form is accepted: Portcullis has no
/// fixed list of regions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Region(String);

impl Region {
    /// The region of what belongs to no region (users, roles, managed policies).
    pub const GLOBAL: &'static str = "aws-global";

    /// Accepts 1 to 32 lower-case letters, digits and hyphens, beginning with a letter.
    ///
    /// # Errors
    /// [`InvalidScope`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if begins && text.len() <= 32 && text.bytes().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidScope::Region(text.to_owned()))
        }
    }

    /// The region of what belongs to no region, [`Region::GLOBAL`].
    #[must_use]
    pub fn global() -> Self {
        Self(Self::GLOBAL.to_owned())
    }

    /// The name, such as `us-west-2`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = InvalidScope;
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        Self::parse(text)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The account and region a resource belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// Whose it is.
    pub account: AccountId,
    /// Where it lives.
    pub region: Region,
}

impl Scope {
    /// The scope of what the account owns in no region: users, roles, managed policies.
    #[must_use]
    pub fn global(account: &AccountId) -> Self {
        Self { account: account.clone(), region: Region::global() }
    }
}

/// Text that is no account id or no region name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    /// Not twelve digits.
    #[error("`{0}` is not an account id: an account id has exactly twelve digits")]
    Account(String),
    /// Not a region name.
    #[error("`{0}` is not a region name: use lower-case letters, digits and hyphens, such as us-west-2")]
    Region(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_twelve_digits() {
        assert_eq!(AccountId::parse("123456789012").unwrap().as_str(), "123456789012");
        for wrong in ["", "12345678901", "1234567890123", "12345678901a", "１２３４５６７８９０１２"]
        {
            assert!(AccountId::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_region_is_lower_case() {
        assert!(Region::parse("us-west-2").is_ok());
        for wrong in ["", "US-WEST-2", "us west", "2-us", "eu/1", &"a".repeat(33)] {
            assert!(Region::parse(wrong).is_err(), "{wrong}");
        }
    }
}
