//! The folder of a session: made for it alone, measured while it runs, and gone with it.
//!
//! ```text
//! sessions/{id}/home    HOME
//!              /tmp     TMPDIR
//!              /work    where it runs: a link to each entry of its code, and what it writes beside them
//! ```
//!
//! The code itself is shared by all sessions of a version and read-only; what a session writes where it runs is its own.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use crate::RunAs;

/// The places of one session.
#[derive(Clone)]
pub(super) struct Places {
    pub(super) folder: PathBuf,
    pub(super) home: PathBuf,
    pub(super) temporary: PathBuf,
    pub(super) work: PathBuf,
}

impl Places {
    pub(super) fn of(folder: PathBuf) -> Self {
        let (home, temporary, work) = (folder.join("home"), folder.join("tmp"), folder.join("work"));
        Self { folder, home, temporary, work }
    }

    /// Fills the folder, which exists. This blocks.
    pub(super) fn furnish(&self, code: &Path, run_as: Option<RunAs>) -> io::Result<()> {
        for place in [&self.home, &self.temporary, &self.work] {
            fs::create_dir(place)?;
            if let Some(RunAs { user, group }) = run_as {
                chown(place, Some(user), Some(group))?;
            }
        }
        for entry in fs::read_dir(code)? {
            let entry = entry?;
            symlink(entry.path(), self.work.join(entry.file_name()))?;
        }
        Ok(())
    }
}

/// What a folder holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Bytes on the disk.
    pub(super) bytes: u64,
    /// Files, folders and links.
    pub(super) entries: u64,
}

/// Measures a folder, up to `most` entries. Links are not followed. This blocks.
pub(super) fn measure(folder: &Path, most: u64) -> Usage {
    let mut usage = Usage::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            usage.entries += 1;
            if usage.entries > most {
                return usage;
            }
            let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
            usage.bytes = usage.bytes.saturating_add(metadata.blocks().saturating_mul(512));
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    usage
}

/// Removes a folder, if it is there, and opens on the way what its owner has closed. This blocks.
///
/// To root nothing is closed, and root opens nothing: what is opened could be a link by then.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    let removed = remove_once(folder);
    if removed.is_ok() || rustix::process::geteuid().is_root() {
        return removed;
    }
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    remove_once(folder)
}

fn remove_once(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_measured_without_following_links_and_within_bounds() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("large"), vec![1; 1 << 20]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("deep/file"), vec![1; 64 << 10]).unwrap();
        symlink(outside.path(), folder.path().join("link")).unwrap();
        let usage = measure(folder.path(), 100);
        assert_eq!(usage.entries, 3);
        assert!((64 << 10..1 << 20).contains(&usage.bytes), "{usage:?}");
        assert_eq!(measure(folder.path(), 1).entries, 2);
    }

    #[test]
    fn a_folder_that_was_closed_is_removed_and_a_link_leads_nowhere() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("kept"), "").unwrap();
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("session");
        fs::create_dir_all(folder.join("closed/inner")).unwrap();
        symlink(outside.path(), folder.join("closed/link")).unwrap();
        fs::set_permissions(folder.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
        remove(&folder).unwrap();
        assert!(!folder.exists());
        assert!(outside.path().join("kept").exists());
        remove(&folder).unwrap();
    }
}
