//! Which operation a request asks for: by its method, by whether it names a bucket or a key, and by its parameters.

use http::{HeaderMap, Method};

use crate::fault::Failure;
use crate::target::{Query, Target};

/// The operations that are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    GetBucketLocation,
    ListObjects,
    ListObjectsV2,
    ListMultipartUploads,
    DeleteObjects,
    GetObject,
    HeadObject,
    PutObject,
    CopyObject,
    DeleteObject,
    CreateMultipartUpload,
    UploadPart,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
}

/// The parameters by which a reader overrides headers of the answer.
pub(crate) const OVERRIDES: &[(&str, &str)] = &[
    ("response-cache-control", "cache-control"),
    ("response-content-disposition", "content-disposition"),
    ("response-content-encoding", "content-encoding"),
    ("response-content-language", "content-language"),
    ("response-content-type", "content-type"),
    ("response-expires", "expires"),
];

impl Operation {
    /// Finds the operation; a parameter that it does not have is refused by name.
    pub(crate) fn of(
        method: &Method,
        target: &Target,
        query: &Query,
        headers: &HeaderMap,
    ) -> Result<Self, Failure> {
        let has = |name: &str| query.has(name);
        let (bucket, key) = (!target.bucket.is_empty(), !target.key.is_empty());
        let copies = headers.contains_key("x-amz-copy-source");
        let found = match (method.as_str(), bucket, key) {
            ("GET", false, _) => Self::ListBuckets,
            ("PUT", true, false) => Self::CreateBucket,
            ("HEAD", true, false) => Self::HeadBucket,
            ("DELETE", true, false) => Self::DeleteBucket,
            ("GET", true, false) if has("location") => Self::GetBucketLocation,
            ("GET", true, false) if has("uploads") => Self::ListMultipartUploads,
            ("GET", true, false) if query.get("list-type") == Some("2") => Self::ListObjectsV2,
            ("GET", true, false) => Self::ListObjects,
            ("POST", true, false) if has("delete") => Self::DeleteObjects,
            ("GET", true, true) if has("uploadId") => Self::ListParts,
            ("GET", true, true) => Self::GetObject,
            ("HEAD", true, true) => Self::HeadObject,
            ("PUT", true, true) if has("uploadId") && copies => {
                return Err(Failure::not_implemented("UploadPartCopy"));
            }
            ("PUT", true, true) if has("uploadId") => Self::UploadPart,
            ("PUT", true, true) if copies => Self::CopyObject,
            ("PUT", true, true) => Self::PutObject,
            ("POST", true, true) if has("uploads") => Self::CreateMultipartUpload,
            ("POST", true, true) if has("uploadId") => Self::CompleteMultipartUpload,
            ("DELETE", true, true) if has("uploadId") => Self::AbortMultipartUpload,
            ("DELETE", true, true) => Self::DeleteObject,
            _ => {
                return Err(Failure::new(
                    "MethodNotAllowed",
                    "The specified method is not allowed against this resource.",
                ));
            }
        };
        match query.names().find(|name| !found.takes(name)) {
            Some(name) => Err(Failure::not_implemented(&format!("the parameter `{name}` here"))),
            None => Ok(found),
        }
    }

    fn takes(self, name: &str) -> bool {
        let known: &[&str] = match self {
            Self::ListBuckets => &["max-buckets", "continuation-token", "prefix"],
            Self::GetBucketLocation => &["location"],
            Self::ListObjects => &["list-type", "delimiter", "encoding-type", "marker", "max-keys", "prefix"],
            Self::ListObjectsV2 => &[
                "list-type",
                "continuation-token",
                "delimiter",
                "encoding-type",
                "fetch-owner",
                "max-keys",
                "prefix",
                "start-after",
            ],
            Self::ListMultipartUploads => {
                &["uploads", "encoding-type", "key-marker", "max-uploads", "prefix", "upload-id-marker"]
            }
            Self::DeleteObjects => &["delete"],
            Self::GetObject | Self::HeadObject => {
                return OVERRIDES.iter().any(|(known, _)| *known == name);
            }
            Self::CreateMultipartUpload => &["uploads"],
            Self::UploadPart => &["uploadId", "partNumber"],
            Self::CompleteMultipartUpload | Self::AbortMultipartUpload => &["uploadId"],
            Self::ListParts => &["uploadId", "max-parts", "part-number-marker"],
            Self::CreateBucket
            | Self::HeadBucket
            | Self::DeleteBucket
            | Self::PutObject
            | Self::CopyObject
            | Self::DeleteObject => &[],
        };
        known.contains(&name)
    }

    /// The IAM action that it needs. Source: Service Authorization Reference, "Actions, resources, and condition keys for
    /// Amazon S3".
    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::ListBuckets => "s3:ListAllMyBuckets",
            Self::CreateBucket => "s3:CreateBucket",
            Self::DeleteBucket => "s3:DeleteBucket",
            Self::GetBucketLocation => "s3:GetBucketLocation",
            Self::HeadBucket | Self::ListObjects | Self::ListObjectsV2 => "s3:ListBucket",
            Self::ListMultipartUploads => "s3:ListBucketMultipartUploads",
            Self::GetObject | Self::HeadObject => "s3:GetObject",
            Self::DeleteObjects | Self::DeleteObject => "s3:DeleteObject",
            Self::PutObject
            | Self::CopyObject
            | Self::CreateMultipartUpload
            | Self::UploadPart
            | Self::CompleteMultipartUpload => "s3:PutObject",
            Self::AbortMultipartUpload => "s3:AbortMultipartUpload",
            Self::ListParts => "s3:ListMultipartUploadParts",
        }
    }

    /// Whether it changes nothing.
    pub(crate) fn reads(self) -> bool {
        matches!(
            self,
            Self::ListBuckets
                | Self::HeadBucket
                | Self::GetBucketLocation
                | Self::ListObjects
                | Self::ListObjectsV2
                | Self::ListMultipartUploads
                | Self::GetObject
                | Self::HeadObject
                | Self::ListParts
        )
    }
}
