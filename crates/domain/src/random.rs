//! Randomness, handed in: keys, identifiers and nonces come from a [`Random`].

use std::sync::atomic::{AtomicU64, Ordering};

/// A source of random bytes.
pub trait Random: Send + Sync {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// `length` characters drawn evenly from `alphabet`, which must hold 1 to 256 ASCII characters.
    fn text(&self, length: usize, alphabet: &[u8]) -> String {
        let mut drawn = String::with_capacity(length);
        // Bytes at or above the largest multiple of the alphabet's size would favour its first characters.
        let fair = 256 - 256 % alphabet.len().clamp(1, 256);
        let mut pool = [0_u8; 64];
        while drawn.len() < length {
            self.fill(&mut pool);
            for byte in pool.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair) {
                if drawn.len() == length {
                    break;
                }
                if let Some(character) = alphabet.get(byte % alphabet.len()) {
                    drawn.push(char::from(*character));
                }
            }
        }
        drawn
    }
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    /// # Panics
    /// When the operating system has no randomness to give: there is no safe way to go on.
    #[expect(clippy::expect_used, reason = "a security system without randomness must stop at once")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// A predictable source, for tests: never the same twice, always the same again.
#[derive(Debug, Default)]
pub struct FixedRandom(AtomicU64);

impl Random for FixedRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let step = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
            let mixed = (step ^ (step >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            *byte = u8::try_from(mixed >> 56).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_the_length_and_the_alphabet_asked_for() {
        let text = SystemRandom.text(1000, b"abc");
        assert_eq!(text.len(), 1000);
        assert!(text.bytes().all(|byte| b"abc".contains(&byte)));
        for letter in "abc".chars() {
            assert!(text.matches(letter).count() > 200, "{letter} is rare");
        }
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(SystemRandom.text(20, b"0123456789"), SystemRandom.text(20, b"0123456789"));
    }
}
