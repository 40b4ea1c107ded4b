//! Reading objects for other rooms: schemas of targets and code of functions that are named by `s3://`.

use bytes::Bytes;
use domain::{Arn, Bucket};
use store::StoreError;

use crate::outgoing::Pieces;
use crate::plane::Objects;

/// Where an object is: `s3://{bucket}/{key}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
}

impl Location {
    /// Reads `s3://{bucket}/{key}`; the key is taken as it stands. `None` for anything else.
    #[must_use]
    pub fn parse(uri: &str) -> Option<Self> {
        let (bucket, key) = uri.strip_prefix("s3://")?.split_once('/')?;
        let sound = !bucket.is_empty() && !key.is_empty() && key.len() <= 1024;
        sound.then(|| Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// What IAM is asked about before [`Objects::read`]: the action is `s3:GetObject`.
    #[must_use]
    pub fn arn(&self) -> Arn {
        Arn::object(&self.bucket, &self.key)
    }
}

/// Why an object cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such bucket.
    #[error("the bucket `{0}` does not exist")]
    NoSuchBucket(String),
    /// There is no such object.
    #[error("the bucket `{bucket}` has no object `{key}`")]
    NoSuchKey {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// It is larger than the reader can take.
    #[error("the object has {size} bytes, and at most {limit} can be read here")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The most.
        limit: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Objects {
    /// The bucket of this name, whosever it is: its account is the owner that IAM is asked with
    /// (`iam::Question::resource_account`).
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn bucket(&self, name: &str) -> Result<Option<Bucket>, StoreError> {
        self.setup.store.read().await?.bucket(name).await
    }

    /// Reads an object of at most `limit` bytes whole. Nothing is authorized here: whoever calls this has asked IAM for
    /// `s3:GetObject` on [`Location::arn`] before, for the caller on whose behalf it reads, and for the bucket `decided`
    /// as [`Objects::bucket`] found it. A bucket that was made since is not that bucket, and nothing in it is read.
    ///
    /// # Errors
    /// [`ReadError`], whose text may be shown to a caller who may read.
    pub async fn read(
        &self,
        location: &Location,
        decided: Option<&Bucket>,
        limit: u64,
    ) -> Result<Bytes, ReadError> {
        let mut tx = self.setup.store.read().await?;
        let present = tx.bucket(&location.bucket).await?;
        if present.is_none() || present.as_ref() != decided {
            return Err(ReadError::NoSuchBucket(location.bucket.clone()));
        }
        let object = tx.object(&location.bucket, &location.key).await?.ok_or_else(|| {
            ReadError::NoSuchKey { bucket: location.bucket.clone(), key: location.key.clone() }
        })?;
        drop(tx);
        let size = object.size();
        if size > limit {
            return Err(ReadError::TooLarge { size, limit });
        }
        let mut whole = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        let mut pieces = Pieces::new(&self.setup.store, object.segments, 0, size);
        while let Some(piece) = pieces.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }
}

/// S3's words for a caller whom no policy allows an action, or whom one forbids it; `because` is
/// [`iam::Verdict::tail`].
#[must_use]
pub fn denial(caller: &str, action: &str, resource: &str, because: &str) -> String {
    format!("User: {caller} is not authorized to perform: {action} on resource: \"{resource}\" {because}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read() {
        let location = Location::parse("s3://b/k/l m").unwrap();
        assert_eq!((location.bucket.as_str(), location.key.as_str()), ("b", "k/l m"));
        assert_eq!(location.arn().as_str(), "arn:aws:s3:::b/k/l m");
        for none in ["s3://b", "s3://b/", "s3:///k", "https://b/k", ""] {
            assert_eq!(Location::parse(none), None, "{none}");
        }
    }
}
