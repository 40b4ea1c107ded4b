//! Randomness, handed in: keys, identifiers and nonces come from a [`Random`].

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much is drawn at once for names.
const DRAWN: usize = 1_024;

/// A source of random bytes.
pub trait Random: Send + Sync {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// Fills `bytes` with random bytes for a name that everybody may see, as the ids of requests and spans are. They may be
    /// drawn ahead and wait in memory: what guards something takes [`Random::fill`].
    fn fill_name(&self, bytes: &mut [u8]) {
        self.fill(bytes);
    }

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

    fn fill_name(&self, bytes: &mut [u8]) {
        let drawn = AHEAD.try_with(|ahead| ahead.try_borrow_mut().is_ok_and(|mut ahead| ahead.give(bytes)));
        if drawn != Ok(true) {
            self.fill(bytes);
        }
    }
}

/// What a thread has drawn ahead for names, so that the operating system is not asked for each.
struct Ahead {
    drawn: [u8; DRAWN],
    given: usize,
}

thread_local! {
    static AHEAD: RefCell<Ahead> = const { RefCell::new(Ahead { drawn: [0; DRAWN], given: DRAWN }) };
}

impl Ahead {
    /// Gives bytes that nobody was given yet. Names are short; whatever is longer than [`DRAWN`] is refused.
    fn give(&mut self, bytes: &mut [u8]) -> bool {
        if bytes.len() > DRAWN - self.given {
            SystemRandom.fill(&mut self.drawn);
            self.given = 0;
        }
        let Some(next) = self.drawn.get_mut(self.given..).and_then(|rest| rest.get_mut(..bytes.len())) else {
            return false;
        };
        bytes.copy_from_slice(next);
        next.fill(0);
        self.given += bytes.len();
        true
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
    fn names_are_never_given_twice_however_long() {
        let mut seen = std::collections::BTreeSet::new();
        for length in (8..400).chain([DRAWN, DRAWN + 1, 8, 16]) {
            let mut bytes = vec![0; length];
            SystemRandom.fill_name(&mut bytes);
            assert!(bytes.iter().any(|byte| *byte != 0));
            assert!(seen.insert(bytes[..8].to_vec()));
        }
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(SystemRandom.text(20, b"0123456789"), SystemRandom.text(20, b"0123456789"));
    }
}
