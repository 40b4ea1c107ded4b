//! The masks of credentials, each made once for its secrets.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use domain::Secret;
use mask::Mask;

/// How many are remembered. A mask of a long token takes some hundred kilobytes.
const MOST: usize = 512;
/// How many secrets one mask has at most. Those that were replaced stay in it for a while: whoever was shown one still
/// has it, and it may still be good.
const MOST_SECRETS: usize = 64;

#[derive(Default)]
pub(crate) struct Masks(Mutex<HashMap<String, Made>>);

struct Made {
    /// The newest first.
    secrets: Vec<Secret>,
    mask: Mask,
}

impl Masks {
    /// The mask of a source of credentials that has these secrets now.
    pub(crate) fn of(&self, source: &str, secrets: Vec<Secret>) -> Mask {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = made.get(source);
        let is_in = |all: &[Secret], one: &Secret| all.iter().any(|other| other.same_as(one));
        if let Some(known) = known
            && secrets.iter().all(|secret| is_in(&known.secrets, secret))
        {
            return known.mask.clone();
        }
        let former = known.map(|known| known.secrets.clone()).unwrap_or_default();
        let mut all = secrets;
        let limit = MOST_SECRETS.max(all.len());
        for secret in former {
            if all.len() < limit && !is_in(&all, &secret) {
                all.push(secret);
            }
        }
        let mask = Mask::new(&all);
        if made.len() >= MOST && !made.contains_key(source) {
            made.clear();
        }
        made.insert(source.to_owned(), Made { secrets: all, mask: mask.clone() });
        mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_replaced_stays_masked() {
        let masks = Masks::default();
        let first = masks.of("p", vec![Secret::new("first-secret-1")]);
        assert!(!first.text("a first-secret-1 b").contains("first-secret-1"));
        let second = masks.of("p", vec![Secret::new("second-secret-2")]);
        let masked = second.text("first-secret-1 and second-secret-2").into_owned();
        assert!(!masked.contains("first-secret-1") && !masked.contains("second-secret-2"), "{masked}");
        let other = masks.of("q", vec![Secret::new("third-secret-3")]);
        assert_eq!(other.text("first-secret-1"), "first-secret-1");
    }

    #[test]
    fn the_secrets_of_one_source_are_bounded() {
        let masks = Masks::default();
        for number in 0..100 {
            masks.of("p", vec![Secret::new(format!("secret-number-{number:04}"))]);
        }
        let kept = masks.0.lock().unwrap().get("p").map(|made| made.secrets.len());
        assert_eq!(kept, Some(MOST_SECRETS));
    }
}
