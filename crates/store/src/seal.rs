//! Sealed columns: AES-256-GCM under a data key, which is itself sealed by a master key that is never in the database.
//!
//! A seal is bound to its row: the row's table, scope and key are the associated data, so that a ciphertext moved to
//! another row does not open. Layout of a seal: one byte of version, twelve of nonce, ciphertext, sixteen of tag
//! (NIST SP 800-38D).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Random;
use zeroize::Zeroizing;

use crate::StoreError;

const VERSION: u8 = 1;

/// The key that seals the data key: 32 bytes, from a file or the environment.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// A new key.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(&mut *bytes);
        Self(bytes)
    }

    /// Reads a key as [`MasterKey::to_text`] writes it: 44 characters of base64, spaces around them ignored.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        let mut key = Zeroizing::new([0; 32]);
        (bytes.len() == key.len()).then(|| key.copy_from_slice(&bytes))?;
        Some(Self(key))
    }

    /// The key as base64, to be kept in a file that only its owner reads.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(*self.0))
    }
}

/// Makes a key of its own for each row of a table that has very many: one key seals 2^32 rows with random nonces at most
/// (NIST SP 800-38D, section 8.3), and a busy gateway records more than that in a few months.
pub(crate) struct RowKeys(Prk);

impl RowKeys {
    /// The keys of the rows of one table, derived from the data key (RFC 5869).
    pub(crate) fn derive(data_key: &[u8], table: &str) -> Self {
        Self(Salt::new(HKDF_SHA256, table.as_bytes()).extract(data_key))
    }

    /// The key of the row that `place` names.
    pub(crate) fn of(&self, place: &str) -> Result<Sealer, StoreError> {
        let info = [place.as_bytes()];
        let key = self.0.expand(&info, &AES_256_GCM).map_err(|_| StoreError::Unsealable)?;
        Ok(Sealer { key: LessSafeKey::new(UnboundKey::from(key)) })
    }

    /// The seed of a key that signs in the name of `place`.
    pub(crate) fn seed(&self, place: &str) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let info = [place.as_bytes()];
        let mut seed = Zeroizing::new([0; 32]);
        let expanded = self.0.expand(&info, SeedLength).map_err(|_| StoreError::Unsealable)?;
        expanded.fill(&mut *seed).map_err(|_| StoreError::Unsealable)?;
        Ok(seed)
    }
}

struct SeedLength;

impl KeyType for SeedLength {
    fn len(&self) -> usize {
        32
    }
}

/// Seals and opens with one key.
pub(crate) struct Sealer {
    key: LessSafeKey,
}

impl Sealer {
    pub(crate) fn new(key: &[u8]) -> Result<Self, StoreError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| StoreError::Unsealable)?;
        Ok(Self { key: LessSafeKey::new(key) })
    }

    pub(crate) fn under(master: &MasterKey) -> Result<Self, StoreError> {
        Self::new(&*master.0)
    }

    /// Seals bytes for the row that `place` names.
    pub(crate) fn seal(&self, random: &dyn Random, place: &str, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + plain.len() + 16);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        let mut body = plain.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.as_bytes()),
                &mut body,
            )
            .map_err(|_| StoreError::Unsealable)?;
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Opens what [`Sealer::seal`] sealed for the same row.
    pub(crate) fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let (version, rest) = sealed.split_first().ok_or(StoreError::Unsealable)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or(StoreError::Unsealable)?;
        if *version != VERSION {
            return Err(StoreError::Unsealable);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| StoreError::Unsealable)?;
        let mut body = Zeroizing::new(body.to_vec());
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(place.as_bytes()), &mut body)
            .map_err(|_| StoreError::Unsealable)?
            .len();
        body.truncate(opened);
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use domain::SystemRandom;

    use super::*;

    #[test]
    fn a_seal_opens_in_its_place_and_nowhere_else() {
        let sealer = Sealer::under(&MasterKey::generate(&SystemRandom)).unwrap();
        let sealed = sealer.seal(&SystemRandom, "keys|1", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(&**sealer.open("keys|1", &sealed).unwrap(), b"secret");
        assert!(sealer.open("keys|2", &sealed).is_err());
        let mut touched = sealed.clone();
        *touched.last_mut().unwrap() ^= 1;
        assert!(sealer.open("keys|1", &touched).is_err());
        for length in 0..sealed.len() {
            assert!(sealer.open("keys|1", &sealed[..length]).is_err());
        }
        let stranger = Sealer::under(&MasterKey::generate(&SystemRandom)).unwrap();
        assert!(stranger.open("keys|1", &sealed).is_err());
    }

    #[test]
    fn a_row_has_a_key_of_its_own() {
        let keys = RowKeys::derive(&[7; 32], "table");
        let sealed = keys.of("1").unwrap().seal(&SystemRandom, "1", b"secret").unwrap();
        assert_eq!(&**keys.of("1").unwrap().open("1", &sealed).unwrap(), b"secret");
        assert!(keys.of("2").unwrap().open("1", &sealed).is_err());
        for (key, table) in [([7; 32], "other"), ([8; 32], "table")] {
            assert!(RowKeys::derive(&key, table).of("1").unwrap().open("1", &sealed).is_err());
        }
    }

    #[test]
    fn a_master_key_is_44_characters() {
        let key = MasterKey::generate(&SystemRandom);
        assert_eq!(key.to_text().len(), 44);
        assert_eq!(MasterKey::from_text(&format!("{}\n", *key.to_text())).unwrap().to_text(), key.to_text());
        assert!(MasterKey::from_text("short").is_none());
    }
}
