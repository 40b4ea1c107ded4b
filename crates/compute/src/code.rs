//! Keeps unpacked archives, each once, in `code/{SHA-256 in hex}/`.
//!
//! The folder is a cache of one supervisor's life: it is emptied when a supervisor starts, so that neither a
//! power failure nor a curious hand can leave half an archive there for long. An archive is unpacked beside
//! its place and then renamed, so that a folder with the right name is whole.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::Provider;
use crate::package::{self, Bounds, PackageError};

/// The SHA-256 of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut value = [0; 32];
        let found = digest::digest(&digest::SHA256, bytes);
        for (to, from) in value.iter_mut().zip(found.as_ref()) {
            *to = *from;
        }
        Self(value)
    }

    /// Reads Lambda's `CodeSha256`: base64 with padding. `None` for anything else.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// As `CodeSha256` says it: base64 with padding.
    #[must_use]
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.0)
    }
}

/// Sixty-four lower-case hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// Why an archive is not there, unpacked.
#[derive(Clone, Debug)]
pub(crate) enum CodeError {
    /// Its provider failed, or the system.
    Unavailable(String),
    /// It cannot be used.
    Package(Arc<PackageError>),
}

impl From<PackageError> for CodeError {
    fn from(error: PackageError) -> Self {
        Self::Package(Arc::new(error))
    }
}

/// The unpacked archives.
pub(crate) struct Packages {
    folder: PathBuf,
    bounds: Bounds,
    /// One lock a digest, so that two first invocations unpack once.
    unpacking: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
}

impl Packages {
    /// Empties and takes `folder`.
    pub(crate) fn open(folder: PathBuf, bounds: Bounds) -> io::Result<Self> {
        empty(&folder)?;
        Ok(Self { folder, bounds, unpacking: Mutex::default() })
    }

    /// The folder that holds the archive with this digest, after fetching and unpacking it if need be.
    pub(crate) async fn ensure(
        &self,
        digest: Digest,
        archive: &Provider<Bytes>,
    ) -> Result<PathBuf, CodeError> {
        let name = digest.to_string();
        let place = self.folder.join(&name);
        let lock = {
            let mut unpacking = self.unpacking.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(unpacking.entry(digest).or_default())
        };
        let _alone = lock.lock().await;
        if tokio::fs::try_exists(&place).await.unwrap_or(false) {
            return Ok(place);
        }
        let bytes = archive.give().await.map_err(|error| CodeError::Unavailable(error.to_string()))?;
        let beside = self.folder.join(format!(".{name}"));
        let (target, bounds) = (place.clone(), self.bounds);
        tokio::task::spawn_blocking(move || settle(digest, bounds, &bytes, &beside, &target))
            .await
            .map_err(|error| CodeError::Unavailable(error.to_string()))??;
        Ok(place)
    }
}

/// Unpacks `beside` and renames to `place`.
fn settle(
    digest: Digest,
    bounds: Bounds,
    archive: &[u8],
    beside: &Path,
    place: &Path,
) -> Result<(), PackageError> {
    let found = Digest::of(archive);
    if found != digest {
        return Err(PackageError::WrongDigest { expected: digest.to_string(), found: found.to_string() });
    }
    let refused = |source| PackageError::Write { path: beside.display().to_string(), source };
    empty(beside).map_err(refused)?;
    let unpacked = package::unpack_within(bounds, archive, beside);
    if unpacked.is_err() {
        let _ = fs::remove_dir_all(beside);
    }
    unpacked?;
    fs::rename(beside, place).map_err(refused)
}

/// Makes `folder` exist and be empty.
pub(crate) fn empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_and_writes_lambdas_form() {
        let digest = Digest::of(b"");
        assert_eq!(digest.to_base64(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(Digest::from_base64(&digest.to_base64()), Some(digest));
        assert_eq!(Digest::from_base64("47DEQ"), None);
        assert!(digest.to_string().starts_with("e3b0c44298fc1c14"));
    }
}
