//! The text of a schema, from the request or from the object store. What stands in the object store is read with the
//! rights of whoever makes the request: who may not `s3:GetObject` it cannot have a target show it ("Gateway service
//! role permissions" in the developer guide).

use aws_shapes::bedrock_agentcore_control::S3Configuration;
use objects::{Location, ReadError};

use crate::context::Context;
use crate::fault::{Failure, invalid};

/// The largest schema in a request, in bytes ("Quotas": inline schema).
const MAX_INLINE: usize = 1024 * 1024;
/// The largest schema in the object store, in bytes ("Quotas": S3 schema).
pub(super) const MAX_OBJECT: usize = 10 * 1024 * 1024;

/// Where a schema is, and which member of the request says so.
pub(super) struct Source {
    field: &'static str,
    place: Place,
}

enum Place {
    Inline(String),
    Object { uri: String, owner: Option<String> },
}

impl Source {
    /// A schema that stands in the request.
    pub(super) fn inline(text: &str, field: &'static str) -> Self {
        Self { field, place: Place::Inline(text.to_owned()) }
    }

    /// A schema in the object store.
    pub(super) fn s3(at: &S3Configuration, field: &'static str) -> Self {
        let uri = at.uri.clone().unwrap_or_default();
        Self { field, place: Place::Object { uri, owner: at.bucket_owner_account_id.clone() } }
    }

    /// The member of the request that the schema is in.
    pub(super) fn field(&self) -> &'static str {
        self.field
    }

    /// Its text, if it stands in the request.
    pub(super) fn here(&self) -> Option<&str> {
        match &self.place {
            Place::Inline(text) => Some(text),
            Place::Object { .. } => None,
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is too large, no text, not there, or nothing that the caller may read.
    pub(super) async fn text(&self, context: &Context) -> Result<String, Failure> {
        match &self.place {
            Place::Inline(text) if text.len() > MAX_INLINE => Err(invalid(
                self.field,
                format!(
                    "The schema has {} bytes, and in a request it may have {MAX_INLINE}: put it into the object store \
                     and name it by its s3 URI.",
                    text.len()
                ),
            )),
            Place::Inline(text) => Ok(text.clone()),
            Place::Object { uri, owner } => {
                let at = Location::parse(uri).ok_or_else(|| {
                    invalid(self.field, format!("{uri} must be s3://, a bucket, a slash and a key."))
                })?;
                object(context, &at, owner.as_deref(), self.field).await
            }
        }
    }
}

/// An object of the store, read with the rights of the caller. A bucket of another account is nobody's to read: there
/// are no policies of buckets that could open it.
///
/// # Errors
/// When the caller may not read it, when it is not there, too large, or not in a bucket of `owner`.
pub(super) async fn object(
    context: &Context,
    at: &Location,
    owner: Option<&str>,
    field: &str,
) -> Result<String, Failure> {
    let objects = &context.setup().objects;
    let bucket = objects.bucket(&at.bucket).await?;
    let account = bucket.as_ref().map(|bucket| &bucket.scope.account);
    context.require_of("s3:GetObject", &at.arn(), account)?;
    if let (Some(owner), Some(account)) = (owner, account)
        && owner != account.as_str()
    {
        return Err(invalid(field, format!("The bucket {} is not one of the account {owner}.", at.bucket)));
    }
    let limit = u64::try_from(MAX_OBJECT).unwrap_or(u64::MAX);
    let bytes = objects.read(at, bucket.as_ref(), limit).await.map_err(|error| match error {
        ReadError::Store(error) => Failure::from(error),
        error => invalid(field, format!("The schema s3://{}/{} cannot be read: {error}.", at.bucket, at.key)),
    })?;
    String::from_utf8(bytes.into())
        .map_err(|_| invalid(field, format!("s3://{}/{} is no text in UTF-8.", at.bucket, at.key)))
}
