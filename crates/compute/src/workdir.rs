//! The folder that a server works in: made for nobody else's eyes, and locked while the server lives.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::{RunAs, SetupError};

/// Makes the folder, for nobody else's eyes, and locks it. Another user that functions run as may pass through.
pub(crate) fn take(work_dir: &Path, run_as: Option<RunAs>) -> Result<File, SetupError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(if run_as.is_some() { 0o711 } else { 0o700 })
        .create(work_dir)
        .map_err(|source| folder_error("make", work_dir, source))?;
    let path = work_dir.join("lock");
    let file = File::create(&path).map_err(|source| folder_error("make", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SetupError::InUse(work_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(folder_error("lock", &path, source)),
    }
}

/// Locks the folder of a server that does not run, so that none starts with it until the lock is dropped; `None` where none
/// ever ran.
///
/// # Errors
/// [`SetupError::InUse`] when a server runs with it, [`SetupError::Folder`] when that cannot be found out.
pub fn hold(work_dir: &Path) -> Result<Option<File>, SetupError> {
    let path = work_dir.join("lock");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(folder_error("open", &path, source)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(SetupError::InUse(work_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(folder_error("lock", &path, source)),
    }
}

/// That a folder or a file could not be had.
pub(crate) fn folder_error(attempt: &'static str, path: &Path, source: io::Error) -> SetupError {
    SetupError::Folder { attempt, path: path.to_owned(), source }
}
