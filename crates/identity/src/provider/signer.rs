//! Keys that sign: made for a pool, kept sealed, parsed once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::{Random, Secret, SigningKey, Timestamp, UserPoolId};
use serde_json::{Value, json};
use store::{Store, StoreError};

use super::client_authentication::Refusal;

/// Makes a key for a pool: RSA of 2,048 bits, for RS256. It takes a while; call it where waiting hurts nobody.
///
/// # Errors
/// [`KeyGenerationError`] when the cryptographic library makes none.
pub fn generate_key(
    random: &dyn Random,
    pool: &UserPoolId,
    now: Timestamp,
) -> Result<SigningKey, KeyGenerationError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyGenerationError)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyGenerationError)?;
    let public = pair.public_key();
    let mut id = [0; 32];
    random.fill(&mut id);
    Ok(SigningKey {
        id: STANDARD.encode(id),
        pool: pool.clone(),
        private_key: Secret::new(STANDARD.encode(der.as_ref())),
        modulus: URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
        exponent: URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
        created_at: now,
    })
}

/// The cryptographic library made no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no RSA key could be made")]
pub struct KeyGenerationError;

/// The parsed keys of the pools that signed lately.
#[derive(Default)]
pub(super) struct Signers {
    known: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    /// Counts how often something was forgotten, so that a key that was read before is not kept after.
    epoch: u64,
    signers: HashMap<UserPoolId, Arc<Signer>>,
}

/// A key that is ready to sign.
pub(super) struct Signer {
    header: String,
    pair: KeyPair,
}

impl Signers {
    /// The pool's newest key.
    pub(super) async fn of(&self, store: &Store, pool: &UserPoolId) -> Result<Arc<Signer>, SignError> {
        let epoch = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(signer) = known.signers.get(pool) {
                return Ok(Arc::clone(signer));
            }
            known.epoch
        };
        let keys = store.read().await?.signing_keys(pool).await?;
        let newest = keys.first().ok_or(SignError::NoKey)?;
        let signer = Arc::new(Signer::new(newest)?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.epoch == epoch {
            known.signers.insert(pool.clone(), Arc::clone(&signer));
        }
        Ok(signer)
    }

    pub(super) fn forget(&self, pool: &UserPoolId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.epoch += 1;
        known.signers.remove(pool);
    }
}

impl Signer {
    fn new(key: &SigningKey) -> Result<Self, SignError> {
        let der = STANDARD.decode(key.private_key.expose()).map_err(|_| SignError::NoKey)?;
        let pair = KeyPair::from_pkcs8(&der).map_err(|_| SignError::NoKey)?;
        let header = json!({ "alg": "RS256", "kid": key.id, "typ": "JWT" }).to_string();
        Ok(Self { header: URL_SAFE_NO_PAD.encode(header), pair })
    }

    /// A signed token. An RSA signature costs about a millisecond of a core: call it on a thread that may block.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, SignError> {
        let message = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .map_err(|_| SignError::NoKey)?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignError {
    #[error("the pool has no key that signs")]
    NoKey,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SignError> for Refusal {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Store(error) => error.into(),
            SignError::NoKey => Self::internal(&error),
        }
    }
}
