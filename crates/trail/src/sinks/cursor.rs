//! How far a destination has got, in a file that is replaced whole.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// The file of a place in a chain.
pub struct Cursor {
    path: PathBuf,
}

impl Cursor {
    /// In this file.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The chain and the place; the beginning when nothing was written yet.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self, chain: &str) -> std::io::Result<i64> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut words = text.split_whitespace();
        let (known, place) = (words.next(), words.next());
        // Of another chain nothing is known here.
        Ok(place.filter(|_| known == Some(chain)).and_then(|place| place.parse().ok()).unwrap_or(0))
    }

    /// Writes it, and returns when it is on the disk.
    ///
    /// # Errors
    /// When the file cannot be written; then it is as it was.
    pub fn write(&self, chain: &str, place: i64) -> std::io::Result<()> {
        let next = self.path.with_extension("new");
        let mut file: File =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
        file.write_all(format!("{chain} {place}\n").as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&next, &self.path)
    }
}
