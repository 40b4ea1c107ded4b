//! What a version of a secret holds: text or bytes, up to 64 KB.

use aws_shapes::Blob;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Secret;

use super::{invalid_parameter, invalid_request};
use crate::fault::Failure;

/// How much a version holds, in bytes (Secrets Manager quotas).
const MOST_BYTES: usize = 65_536;

/// What a version of a secret holds.
pub(super) struct Content {
    /// The text, or the bytes as base64.
    pub(super) secret: Secret,
    pub(super) is_binary: bool,
}

impl Content {
    /// What a request brings, if it brings anything.
    pub(super) fn read(text: Option<String>, bytes: Option<Blob>) -> Result<Option<Self>, Failure> {
        let (length, secret, is_binary) = match (text, bytes) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(invalid_parameter(
                    "You can't specify both a binary secret value and a string secret value in the same secret.",
                ));
            }
            (Some(text), None) => (text.len(), Secret::new(text), false),
            (None, Some(Blob(bytes))) => (bytes.len(), Secret::new(STANDARD.encode(bytes)), true),
        };
        if !(1..=MOST_BYTES).contains(&length) {
            return Err(invalid_parameter(format!(
                "A secret value must have 1 to {MOST_BYTES} bytes, and this one has {length}."
            )));
        }
        Ok(Some(Self { secret, is_binary }))
    }

    /// The same, where something must be brought.
    pub(super) fn require(text: Option<String>, bytes: Option<Blob>) -> Result<Self, Failure> {
        Self::read(text, bytes)?
            .ok_or_else(|| invalid_request("You must provide either SecretString or SecretBinary."))
    }

    /// Whether both hold the same.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.is_binary == other.is_binary && self.secret.same_as(&other.secret)
    }

    /// `SecretString` and `SecretBinary` for whoever may read the secret.
    pub(super) fn show(&self) -> Result<(Option<String>, Option<Blob>), Failure> {
        let text = self.secret.expose().to_owned();
        if !self.is_binary {
            return Ok((Some(text), None));
        }
        let bytes = Blob::try_from(text).map_err(|_| Failure::internal(&"a secret's bytes are no base64"))?;
        Ok((None, Some(bytes)))
    }
}
