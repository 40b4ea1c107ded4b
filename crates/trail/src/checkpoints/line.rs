//! A checkpoint as a line of its file.

use aws_lc_rs::digest::{SHA256, digest};
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use store::{ChainHead, Digest, HeadKind, PublicKey};

/// A longer line is none of ours.
pub(super) const LONGEST: usize = 4_096;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Line {
    chain: String,
    kind: Kind,
    place: i64,
    time: String,
    digest: String,
    signature: String,
    /// The key that checks the signature: for those who have this file and nothing else.
    key: String,
    /// The digest of the line before; empty for the first one.
    pub(super) before: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    End,
    Closed,
}

impl Line {
    pub(super) fn of(head: &ChainHead, key: PublicKey, before: &str) -> Self {
        Self {
            chain: head.chain.clone(),
            kind: match head.kind {
                HeadKind::End => Kind::End,
                HeadKind::Closed => Kind::Closed,
            },
            place: head.place,
            time: head.time.to_string(),
            digest: head.digest.to_string(),
            signature: hex::encode(&head.signature),
            key: key.to_string(),
            before: before.to_owned(),
        }
    }

    pub(super) fn head(&self) -> Option<ChainHead> {
        Some(ChainHead {
            chain: self.chain.clone(),
            kind: match self.kind {
                Kind::End => HeadKind::End,
                Kind::Closed => HeadKind::Closed,
            },
            place: self.place,
            time: Timestamp::parse(&self.time)?,
            digest: Digest::parse(&self.digest)?,
            signature: hex::decode(&self.signature).ok()?,
        })
    }
}

/// The digest by which the next line names this one.
pub(super) fn digest_of(line: &str) -> String {
    hex::encode(digest(&SHA256, line.as_bytes()))
}
