//! The function that shapes a pool's tokens before they are signed.

use serde::{Deserialize, Serialize};

use crate::Arn;

/// `LambdaConfig`: `PreTokenGeneration` and `PreTokenGenerationConfig`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreTokenTrigger {
    /// The function, or a version or alias of it.
    pub function: Arn,
    /// What it is shown, and what it may change.
    pub version: TriggerVersion,
}

/// The version of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TriggerVersion {
    /// Claims of the id token, as texts, and groups.
    V1,
    /// Claims of both tokens, of any type, and scopes.
    V2,
    /// The same, for clients that ask for themselves, too.
    V3,
}

impl TriggerVersion {
    /// `version` of the event.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            Self::V1 => "1",
            Self::V2 => "2",
            Self::V3 => "3",
        }
    }
}
