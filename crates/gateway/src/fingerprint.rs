//! What a verified token is remembered by: its authentication code under a key that this process drew and nobody sees.
//!
//! AES-GCM over nothing but associated data (GMAC; NIST SP 800-38D) reads a token several times faster than a hash does.
//! Its codes are only compared with each other and leave the process nowhere, so that one nonce does for all of them: who
//! does not have the key finds no token with the code of another better than by guessing 128 bits.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use domain::Random;

/// What stands for a token.
pub(crate) type Fingerprint = [u8; 16];

/// Takes fingerprints.
pub(crate) struct Fingerprints(Option<LessSafeKey>);

impl Fingerprints {
    /// With a key of their own.
    pub(crate) fn new(random: &dyn Random) -> Self {
        let mut key = [0; 32];
        random.fill(&mut key);
        Self(UnboundKey::new(&AES_256_GCM, &key).ok().map(LessSafeKey::new))
    }

    /// What stands for this token; nothing when that cannot be told, and then the token is verified each time.
    pub(crate) fn of(&self, token: &str) -> Option<Fingerprint> {
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let tag = self.0.as_ref()?.seal_in_place_separate_tag(nonce, Aad::from(token.as_bytes()), &mut []);
        tag.ok()?.as_ref().try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use domain::SystemRandom;

    use super::*;

    #[test]
    fn every_token_has_its_own_and_every_process_too() {
        let (one, other) = (Fingerprints::new(&SystemRandom), Fingerprints::new(&SystemRandom));
        let token = "a".repeat(900);
        assert_eq!(one.of(&token), one.of(&token));
        assert!(one.of(&token).is_some());
        assert_ne!(one.of(&token), other.of(&token));
        for changed in [format!("{token}a"), token.replacen('a', "b", 1), format!("b{token}")] {
            assert_ne!(one.of(&token), one.of(&changed));
        }
    }
}
