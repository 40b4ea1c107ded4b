//! Where the code of a function comes from: the request itself, or an object that the caller may read.

use aws::Fault;
use aws_shapes::Blob;
use bytes::Bytes;
use objects::{Location, ReadError};

use super::invalid;
use crate::context::Context;
use crate::fault::Failure;

/// The largest archive, in bytes: 50 MiB ("Lambda quotas").
const MAX_ARCHIVE_BYTES: usize = 50 * 1024 * 1024;

/// Where an archive is (`FunctionCode`).
pub(super) enum Source {
    Request(Bytes),
    Object(Location),
}

impl Source {
    /// Reads which it is. Exactly one is named.
    pub(super) fn read(
        zip_file: Option<Blob>,
        bucket: Option<String>,
        key: Option<String>,
    ) -> Result<Self, Failure> {
        match (zip_file, bucket, key) {
            (Some(file), None, None) if file.0.is_empty() => {
                Err(invalid("Uploaded file must be a non-empty zip"))
            }
            (Some(file), None, None) => Ok(Self::Request(file.0.into())),
            (None, Some(bucket), Some(key)) => Ok(Self::Object(Location { bucket, key })),
            (None, None, None) => Err(invalid("Please provide a source for function code.")),
            _ => Err(invalid(
                "Please do not provide other FunctionCode parameters when providing a ZipFile, and both S3Bucket and S3Key when not.",
            )),
        }
    }

    /// The archive. One in the object store is read with the rights of the caller.
    pub(super) async fn archive(self, context: &Context) -> Result<Bytes, Failure> {
        let archive = match self {
            Self::Request(archive) => archive,
            Self::Object(at) => {
                let objects = &context.setup().objects;
                let bucket = objects.bucket(&at.bucket).await?;
                let account = bucket.as_ref().map(|bucket| &bucket.scope.account);
                context.require_of("s3:GetObject", &at.arn(), account)?;
                let limit = u64::try_from(MAX_ARCHIVE_BYTES).unwrap_or(u64::MAX);
                objects.read(&at, bucket.as_ref(), limit).await.map_err(|error| match error {
                    ReadError::Store(error) => Failure::from(error),
                    error => invalid(format!(
                        "Error occurred while GetObject. S3 Error Message: s3://{}/{}: {error}",
                        at.bucket, at.key
                    )),
                })?
            }
        };
        if archive.len() > MAX_ARCHIVE_BYTES {
            let message = format!(
                "The deployment package has {} bytes, and at most {MAX_ARCHIVE_BYTES} are allowed.",
                archive.len()
            );
            return Err(Fault::new("RequestTooLargeException", message).into());
        }
        Ok(archive)
    }
}
