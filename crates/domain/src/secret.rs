//! Text that must never be printed.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret: it has no `Debug`, no `Display` and no serde, its memory is wiped when it is dropped, and it is
/// compared in constant time.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text into custody.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. Call it only where the bytes are used: to sign, to seal, to compare, to hand them to
    /// the one who owns them.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether another secret is the same, as `matches` finds it.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }

    /// Whether `candidate` is this secret, in time that depends only on the candidate's length.
    #[must_use]
    pub fn matches(&self, candidate: &str) -> bool {
        self.0.as_bytes().ct_eq(candidate.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_matches() {
        let secret = Secret::new("correct horse");
        assert!(secret.matches("correct horse"));
        for wrong in ["", "correct", "correct horsf", "correct horse "] {
            assert!(!secret.matches(wrong), "{wrong}");
        }
    }
}
