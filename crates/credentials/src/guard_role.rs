//! Whether a gateway's role must be allowed to have calls decided by the policy engine that is attached.
//!
//! On AWS it must. The published guides, and the roles that the toolkit makes, leave the permissions out, so the
//! installation says what holds.

use std::str::FromStr;

/// What becomes of a gateway whose role may not have calls decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GuardRole {
    /// Its status reasons say so, and calls are decided.
    #[default]
    Advised,
    /// An engine cannot be attached to it; if it loses the permissions later, nothing is decided any more, so that under
    /// ENFORCE every call is denied.
    Required,
}

/// A text that is neither `advised` nor `required`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not known: write \"advised\" or \"required\"")]
pub struct UnknownGuardRole(String);

impl FromStr for GuardRole {
    type Err = UnknownGuardRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "advised" => Ok(Self::Advised),
            "required" => Ok(Self::Required),
            _ => Err(UnknownGuardRole(text.to_owned())),
        }
    }
}
