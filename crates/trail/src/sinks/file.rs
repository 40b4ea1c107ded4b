//! A file of JSON Lines. When it is large enough it gets the number 1, what had that number gets the next, and the last is
//! taken away.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use store::ChainedEvent;

use super::{SinkError, lines};

/// How much of the end of a file is looked at for its last whole line, in bytes.
const END: u64 = 1024 * 1024;

/// The file.
#[derive(Clone)]
pub struct FileSink {
    path: PathBuf,
    /// How large it becomes, in bytes.
    largest: u64,
    /// How many files are kept besides.
    keep: u32,
}

impl FileSink {
    /// A file of this size at most, and so many older ones.
    #[must_use]
    pub fn new(path: PathBuf, largest: u64, keep: u32) -> Self {
        Self { path, largest, keep }
    }

    pub(super) async fn deliver(&mut self, events: Vec<ChainedEvent>) -> Result<(), SinkError> {
        let sink = self.clone();
        let text = lines(&events)?;
        // The disk may take its time.
        let written = tokio::task::spawn_blocking(move || {
            let path = sink.path.display().to_string();
            sink.append(&text).map_err(|error| SinkError(format!("{path} cannot be written: {error}")))
        });
        written.await.unwrap_or_else(|_| Err(SinkError("the writing was interrupted".to_owned())))
    }

    fn append(&self, text: &str) -> std::io::Result<()> {
        let mut file = self.open()?;
        let mut length = whole(&mut file)?;
        if length > 0 && length + u64::try_from(text.len()).unwrap_or(u64::MAX) > self.largest {
            drop(file);
            self.rotate()?;
            (file, length) = (self.open()?, 0);
        }
        let written = file.seek(SeekFrom::Start(length)).and_then(|_| file.write_all(text.as_bytes()));
        if let Err(error) = written.and_then(|()| file.sync_data()) {
            // Half a batch would come twice.
            let _ = file.set_len(length);
            return Err(error);
        }
        Ok(())
    }

    fn open(&self) -> std::io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path)
    }

    fn rotate(&self) -> std::io::Result<()> {
        let numbered = |number: u32| {
            let mut path = self.path.clone().into_os_string();
            path.push(format!(".{number}"));
            PathBuf::from(path)
        };
        if self.keep == 0 {
            return std::fs::remove_file(&self.path);
        }
        for number in (1..self.keep).rev() {
            if numbered(number).exists() {
                std::fs::rename(numbered(number), numbered(number + 1))?;
            }
        }
        std::fs::rename(&self.path, numbered(1))
    }
}

/// Takes away a last line whose writing was cut off; answers how long the file is then.
fn whole(file: &mut File) -> std::io::Result<u64> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(END);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(END).read_to_end(&mut end)?;
    let cut = end.iter().rev().position(|byte| *byte == b'\n').unwrap_or(end.len());
    let whole = length - u64::try_from(cut).unwrap_or(0);
    if whole < length {
        file.set_len(whole)?;
    }
    Ok(whole)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_rotated_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let sink = FileSink::new(folder.path().join("a.jsonl"), 10, 2);
        for text in ["one\n", "two\n", "three\n", "five-is-longer\n", "six\n"] {
            sink.append(text).unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).ok();
        assert_eq!(read("a.jsonl").unwrap(), "six\n");
        assert_eq!(read("a.jsonl.1").unwrap(), "five-is-longer\n");
        assert_eq!(read("a.jsonl.2").unwrap(), "three\n");
        assert_eq!(read("a.jsonl.3"), None);
    }

    #[test]
    fn a_line_that_was_cut_off_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, "one\ntw").unwrap();
        FileSink::new(path.clone(), 1_000, 1).append("two\n").unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "one\ntwo\n");
    }
}
