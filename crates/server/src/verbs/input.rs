//! What verbs read: text files and standard input, as much as is meant for a person's eyes.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use crate::terminal::{Failure, visible};

/// The largest file that is read, in bytes.
pub(super) const MAX_FILE: usize = 16 * 1024 * 1024;

/// One more byte says that there are too many.
const LIMIT: u64 = MAX_FILE as u64 + 1;

/// A path, as a terminal shows it.
pub(super) fn shown(path: &Path) -> String {
    visible(&path.display().to_string())
}

/// Reads a text file, or standard input for `-`.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::usage(format!("cannot read {}: {error}", shown(path)));
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().take(LIMIT).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).map_err(failed)?.take(LIMIT).read_to_end(&mut bytes)
    };
    let length = read.map_err(failed)?;
    if length > MAX_FILE {
        return Err(Failure::usage(format!("{} is larger than 16 MiB", shown(path))));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count() + 1;
        Failure::usage(format!("{} is not UTF-8 text: line {line} holds other bytes", shown(path)))
    })
}
