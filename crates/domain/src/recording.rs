//! What may be recorded of a call besides its audit event, so that other policies can be tried on it later: the caller's
//! claims, which are about a person, and the arguments, which may hold secrets. Nothing of it is recorded unless the
//! operator asked for it, and nothing of it is kept in the clear.

use std::sync::Arc;

use crate::Timestamp;

/// The most that is recorded of the claims, and of the arguments, in bytes: what is longer is left out whole.
pub const LONGEST_RECORDING: usize = 16 * 1024;

/// What is recorded of one call. It has no `Debug`.
#[derive(Clone)]
pub struct Recording {
    /// When the policies decided: the time that they saw.
    pub decided_at: Timestamp,
    /// The caller's claims as policies compare them: the JSON text of an object of strings.
    pub claims: Option<Arc<str>>,
    /// The arguments: the JSON text of an object.
    pub arguments: Option<Arc<str>>,
}

impl Recording {
    /// How many bytes of claims and arguments it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        let length = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        length(&self.claims) + length(&self.arguments)
    }

    /// Whether it holds nothing that is worth a row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.claims.is_none() && self.arguments.is_none()
    }
}
