//! AWS Key Management Service, as far as token vaults and their callers need it: symmetric keys that are made here, their
//! aliases, and what is encrypted with them. What a key is made of never leaves the store.
//!
//! Every key has AWS's default key policy, which leaves the decision to the policies of its account. There are no grants,
//! no imported, asymmetric or multi-region keys, and no rotation of what a key is made of.

mod alias;
mod cipher;
mod key;
mod named;
mod sweep;

use aws::Fault;

use crate::fault::Failure;

pub(crate) use named::{check_usable, openable_by_caller, usable_by_caller};

/// The operations of the service.
pub(crate) struct Kms;

fn not_found(message: impl Into<String>) -> Failure {
    Fault::new("NotFoundException", message).into()
}

fn invalid_state(message: impl Into<String>) -> Failure {
    Fault::new("KMSInvalidStateException", message).into()
}

fn invalid_ciphertext() -> Failure {
    let message = "The ciphertext is not one of this key and this encryption context, or was changed since it was made.";
    Fault::new("InvalidCiphertextException", message).into()
}

fn invalid_marker() -> Failure {
    let message = "Marker is not a token of this list. Use the NextMarker that the page before returned.";
    Fault::new("InvalidMarkerException", message).into()
}

fn invalid(message: impl Into<String>) -> Failure {
    Fault::new("ValidationException", message).into()
}
