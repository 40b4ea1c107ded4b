//! Bodies that are signed chunk by chunk: each chunk's signature covers the one before it, the first the head's.
//!
//! Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in
//! Multiple Chunks (Chunked Upload)" and "Including Trailing Headers".

use aws_lc_rs::{digest, hmac};
use domain::Secret;
use subtle::ConstantTimeEq as _;

use super::Signed;

/// The signatures of a body's chunks, one after the other.
pub struct ChunkSignatures {
    key: hmac::Key,
    date: String,
    scope: String,
    /// The signature before the next one.
    last: String,
}

impl Signed<'_> {
    /// What the chunks of this request's body must be signed with. It means something only when the head was proven.
    #[must_use]
    pub fn chunk_signatures(&self, secret: &Secret) -> ChunkSignatures {
        ChunkSignatures {
            key: self.authorization.signing_key(secret),
            date: self.date.0.to_owned(),
            scope: self.authorization.scope(),
            last: self.authorization.signature.to_owned(),
        }
    }
}

impl ChunkSignatures {
    /// Whether a chunk with this SHA-256 has the signature that it must have at its place.
    #[must_use]
    pub fn proves_chunk(&mut self, sha256: &[u8], claimed: &str) -> bool {
        let empty = hex::encode(digest::digest(&digest::SHA256, b""));
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{empty}\n{}",
            self.date,
            self.scope,
            self.last,
            hex::encode(sha256)
        );
        self.proves(&text, claimed)
    }

    /// Whether the trailing headers, each as `name:value` with a newline, have the signature that they must have.
    #[must_use]
    pub fn proves_trailer(&mut self, trailer: &[u8], claimed: &str) -> bool {
        let hashed = hex::encode(digest::digest(&digest::SHA256, trailer));
        let text =
            format!("AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{hashed}", self.date, self.scope, self.last);
        self.proves(&text, claimed)
    }

    fn proves(&mut self, to_sign: &str, claimed: &str) -> bool {
        let expected = hex::encode(hmac::sign(&self.key, to_sign.as_bytes()));
        let holds = bool::from(expected.as_bytes().ct_eq(claimed.as_bytes()));
        self.last = expected;
        holds
    }
}
