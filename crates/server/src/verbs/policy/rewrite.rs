//! Files that are written anew, whole or not at all.
//!
//! The text goes into a file beside, which then takes the place of the one that is there. Whoever reads meanwhile, and
//! whoever pulls the plug, finds either text and never half of one. A link is not followed: it may lead out of the folder
//! that was named, and in its place there would be a file.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Whether there is a symbolic link of this name.
pub(super) fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_symlink())
}

/// Puts `text` where the file was, with the same permissions.
///
/// # Errors
/// What the operating system says; then the file is as it was.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let was = fs::symlink_metadata(path)?;
    if !was.is_file() {
        return Err(io::Error::other("it is no ordinary file any more"));
    }
    let beside = beside(path)?;
    // Not one that is there already, and not through a link.
    let file = File::create_new(&beside)?;
    let written = write(file, text, was.permissions()).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A name in the same folder, which is on the same file system.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it has no name"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(hidden))
}

fn write(mut file: File, text: &str, permissions: fs::Permissions) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.set_permissions(permissions)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.cedar");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        replace(&file, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        // Somebody sits where the new text would be written.
        fs::write(beside(&file).unwrap(), "theirs").unwrap();
        assert!(replace(&file, "newer").is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");

        let link = folder.path().join("link.cedar");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(is_link(&link) && !is_link(&file));
        assert!(replace(&link, "through").is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }
}
