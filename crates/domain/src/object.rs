//! Buckets, the objects in them, and uploads in parts that are not yet objects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Scope, Timestamp};

/// A bucket. Its name is taken once in the whole installation, as S3's are in the whole world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// The account that owns it and the region it was made in.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An object of a bucket: everything about it but its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// The bucket's name.
    pub bucket: String,
    /// The key: UTF-8, at most 1,024 bytes of it.
    pub key: String,
    /// Where its bytes are, in their order.
    pub segments: Vec<Segment>,
    /// The entity tag, without its quotation marks.
    pub etag: String,
    /// When it was written.
    pub modified_at: Timestamp,
    /// The checksum that its writer asked for, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// What its writer said about it.
    #[serde(default)]
    pub attributes: Attributes,
}

impl Object {
    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }
}

/// A run of bytes that was written at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its name in the store.
    pub blob: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A checksum, as S3's headers have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// `CRC32`, `CRC32C`, `CRC64NVME`, `SHA1` or `SHA256`.
    pub algorithm: String,
    /// The digest in base64; of a composite one with `-` and the number of parts after it.
    pub value: String,
    /// Whether it is made of the checksums of the parts rather than of the bytes.
    #[serde(default)]
    pub composite: bool,
}

/// What the writer of an object says about it, which its readers are told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attributes {
    /// Headers that are given back as they came, by their lower-case names: `content-type`, `cache-control` and others.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// User metadata, by their lower-case names without `x-amz-meta-`.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// An upload in parts that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// Its id.
    pub id: String,
    /// The bucket's name.
    pub bucket: String,
    /// The key that the object will have.
    pub key: String,
    /// When it began.
    pub begun_at: Timestamp,
    /// The algorithm of the checksums of its parts, if one was asked for.
    #[serde(default)]
    pub algorithm: Option<String>,
    /// Whether the object's checksum is made of those of its parts.
    #[serde(default)]
    pub composite: bool,
    /// What the object's readers will be told.
    #[serde(default)]
    pub attributes: Attributes,
}

/// A part of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadPart {
    /// Its number, from 1 to 10,000.
    pub number: u32,
    /// Its bytes.
    pub segment: Segment,
    /// Its entity tag: the MD5 of its bytes, in hexadecimal.
    pub etag: String,
    /// Its checksum, if its upload has an algorithm or its writer sent one.
    #[serde(default)]
    pub checksum: Option<Checksum>,
    /// When it was written.
    pub modified_at: Timestamp,
}
