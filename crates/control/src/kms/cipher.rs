//! What is encrypted with keys. A ciphertext says which key made it: one byte of layout, the sixteen of the key's id, and
//! a seal (AES-256-GCM) whose associated data are the key's ARN and the encryption context.

use std::collections::BTreeMap;

use aws::Fault;
use aws_shapes::Blob;
use aws_shapes::kms::{
    CipherOperations, DataKeySpec, DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse,
    EncryptionAlgorithmSpec, GenerateDataKeyRequest, GenerateDataKeyResponse,
    GenerateDataKeyWithoutPlaintextRequest, GenerateDataKeyWithoutPlaintextResponse,
};
use domain::KmsKey;
use store::{StoreError, Tx};
use zeroize::Zeroizing;

use super::{Kms, check_usable, invalid, invalid_ciphertext, named};
use crate::context::Context;
use crate::fault::Failure;

type EncryptionContext = BTreeMap<String, String>;

const LAYOUT: u8 = 1;
/// How many bytes of a ciphertext say which key made it.
const ID_BYTES: usize = 16;
/// How much an encryption context may hold, in bytes (`Encrypt`).
const MOST_CONTEXT: usize = 8_192;

impl CipherOperations<Context> for Kms {
    type Error = Failure;

    async fn encrypt(&self, context: &Context, input: EncryptRequest) -> Result<EncryptResponse, Failure> {
        let plain = Zeroizing::new(input.plaintext.0);
        let (key_id, ciphertext_blob) =
            sealed(context, &input.key_id, input.encryption_context, &plain).await?;
        Ok(EncryptResponse {
            ciphertext_blob,
            key_id,
            encryption_algorithm: Some(EncryptionAlgorithmSpec::SymmetricDefault),
        })
    }

    async fn decrypt(&self, context: &Context, input: DecryptRequest) -> Result<DecryptResponse, Failure> {
        let with = input.encryption_context.unwrap_or_default();
        check_context(&with)?;
        let sealed = input.ciphertext_blob.map(|blob| blob.0).unwrap_or_default();
        let (made_by, seal) = cut(&sealed).ok_or_else(invalid_ciphertext)?;
        let named = input.key_id.as_deref().unwrap_or(&made_by);
        let allowed = named::authorize(context, named, |given| with_context(given, &with)).await?;
        let watched = allowed.watch();
        let mut tx = allowed.read().await?;
        let key = match named::find(&mut tx, context, &allowed, named).await {
            Ok(key) => key,
            Err(_) if input.key_id.is_none() => {
                watched.refused();
                let message = "The ciphertext refers to a customer master key that does not exist, does not exist in \
                               this region, or you are not allowed to access.";
                return Err(Fault::new("AccessDeniedException", message).into());
            }
            Err(failure) => {
                watched.refused();
                return Err(failure);
            }
        };
        let opened = open(&mut tx, &key, &made_by, &with, seal).await;
        match opened {
            Ok(plain) => {
                watched.done(None).await;
                Ok(DecryptResponse {
                    key_id: Some(key.arn().into()),
                    plaintext: Some(Blob(plain.to_vec())),
                    encryption_algorithm: Some(EncryptionAlgorithmSpec::SymmetricDefault),
                })
            }
            Err(failure) => {
                watched.refused();
                Err(failure)
            }
        }
    }

    async fn generate_data_key(
        &self,
        context: &Context,
        input: GenerateDataKeyRequest,
    ) -> Result<GenerateDataKeyResponse, Failure> {
        let plain = data_key(context, input.key_spec, input.number_of_bytes)?;
        let (key_id, sealed) = sealed(context, &input.key_id, input.encryption_context, &plain).await?;
        Ok(GenerateDataKeyResponse { ciphertext_blob: sealed, plaintext: Some(Blob(plain.to_vec())), key_id })
    }

    async fn generate_data_key_without_plaintext(
        &self,
        context: &Context,
        input: GenerateDataKeyWithoutPlaintextRequest,
    ) -> Result<GenerateDataKeyWithoutPlaintextResponse, Failure> {
        let plain = data_key(context, input.key_spec, input.number_of_bytes)?;
        let (key_id, ciphertext_blob) =
            sealed(context, &input.key_id, input.encryption_context, &plain).await?;
        Ok(GenerateDataKeyWithoutPlaintextResponse { ciphertext_blob, key_id })
    }
}

/// What is encrypted with the key that is named, after the key's ARN, as answers show both.
async fn sealed(
    context: &Context,
    id: &str,
    with: Option<EncryptionContext>,
    plain: &[u8],
) -> Result<(Option<String>, Option<Blob>), Failure> {
    let (key, sealed) = encrypt_with(context, id, &with.unwrap_or_default(), plain).await?;
    Ok((Some(key.arn().into()), Some(Blob(sealed))))
}

/// Encrypts with the key that is named, if the caller may and the key can. The audit trail has it; the plaintext has not.
async fn encrypt_with(
    context: &Context,
    id: &str,
    with: &EncryptionContext,
    plain: &[u8],
) -> Result<(KmsKey, Vec<u8>), Failure> {
    check_context(with)?;
    let allowed = named::authorize(context, id, |given| with_context(given, with)).await?;
    let watched = allowed.watch();
    let work = async {
        let mut tx = allowed.read().await?;
        let key = named::find(&mut tx, context, &allowed, id).await?;
        check_usable(&key)?;
        let material = tx.kms_material(&key.scope, &key.id).await?;
        let sealed = material.encrypt(&*context.setup().random, &bound_to(&key, with), plain)?;
        let id = id_bytes(&key.id).ok_or_else(|| Failure::internal(&"a key's id is no UUID"))?;
        Ok((key, [&[LAYOUT][..], &id, &sealed].concat()))
    };
    match work.await {
        Ok(done) => {
            watched.done(None).await;
            Ok(done)
        }
        Err(failure) => {
            watched.refused();
            Err(failure)
        }
    }
}

async fn open(
    tx: &mut Tx,
    key: &KmsKey,
    made_by: &str,
    with: &EncryptionContext,
    seal: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if key.id != made_by {
        let message = "The key ID in the request does not identify a CMK that can perform this operation.";
        return Err(Fault::new("IncorrectKeyException", message).into());
    }
    check_usable(key)?;
    let material = tx.kms_material(&key.scope, &key.id).await?;
    material.decrypt(&bound_to(key, with), seal).map_err(|error| match error {
        StoreError::Unsealable => invalid_ciphertext(),
        error => error.into(),
    })
}

/// A new data key: by its kind, or by its length.
fn data_key(
    context: &Context,
    spec: Option<DataKeySpec>,
    bytes: Option<i64>,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let length = match (spec, bytes) {
        (Some(DataKeySpec::Aes256), None) => 32,
        (Some(DataKeySpec::Aes128), None) => 16,
        (None, Some(bytes)) => usize::try_from(bytes).unwrap_or_default(),
        _ => return Err(invalid("Please specify either number of bytes or key spec.")),
    };
    let mut key = Zeroizing::new(vec![0; length]);
    context.setup().random.fill(&mut key);
    Ok(key)
}

/// Which key made a ciphertext, and the seal in it.
fn cut(sealed: &[u8]) -> Option<(String, &[u8])> {
    let (layout, rest) = sealed.split_first()?;
    let (id, seal) = rest.split_at_checked(ID_BYTES).filter(|_| *layout == LAYOUT)?;
    let hex = hex::encode(id);
    let (first, rest) = hex.split_at_checked(8)?;
    let (second, rest) = rest.split_at_checked(4)?;
    let (third, rest) = rest.split_at_checked(4)?;
    let (fourth, last) = rest.split_at_checked(4)?;
    Some(([first, second, third, fourth, last].join("-"), seal))
}

fn id_bytes(id: &str) -> Option<Vec<u8>> {
    hex::decode(id.replace('-', "")).ok().filter(|bytes| bytes.len() == ID_BYTES)
}

/// What a ciphertext is bound to, written so that no two contexts are the same text.
fn bound_to(key: &KmsKey, with: &EncryptionContext) -> String {
    let pairs = with.iter().flat_map(|(name, value)| [name, value]);
    pairs.fold(format!("kms|{}", key.arn()), |text, part| format!("{text}|{}:{part}", part.len()))
}

fn check_context(with: &EncryptionContext) -> Result<(), Failure> {
    let length: usize = with.iter().map(|(name, value)| name.len() + value.len()).sum();
    if length > MOST_CONTEXT {
        return Err(invalid(format!("An encryption context may hold {MOST_CONTEXT} bytes at most.")));
    }
    Ok(())
}

/// The condition keys of an encryption context.
fn with_context(given: ::iam::Context, with: &EncryptionContext) -> ::iam::Context {
    let given = given.with_many("kms:EncryptionContextKeys", with.keys().cloned());
    with.iter().fold(given, |given, (name, value)| {
        given.with(&format!("kms:EncryptionContext:{name}"), value.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ciphertext_says_which_key_made_it() {
        let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
        let sealed = [&[LAYOUT][..], &id_bytes(id).unwrap(), b"seal"].concat();
        assert_eq!(cut(&sealed), Some((id.to_owned(), &b"seal"[..])));
        for length in 0..=ID_BYTES {
            assert_eq!(cut(&sealed[..length]), None);
        }
        assert_eq!(cut(&[&[9][..], &sealed[1..]].concat()), None);
        assert_eq!(id_bytes("no uuid"), None);
    }
}
