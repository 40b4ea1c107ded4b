//! The folder of the checkpoints, and how a line gets into it.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use domain::Timestamp;
use store::{ChainHead, HeadKind, PublicKey};

use super::line::{LONGEST, Line, digest_of};

const PREFIX: &str = "checkpoints-";
const SUFFIX: &str = ".jsonl";

/// What kept checkpoints from being written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The operating system refused.
    #[error("the checkpoints of the audit trail in {path} cannot be {doing}: {error}")]
    Io {
        /// The file or folder.
        path: String,
        /// What was tried.
        doing: &'static str,
        /// Why not.
        error: std::io::Error,
    },
}

/// The folder, open for more.
pub struct CheckpointFolder {
    folder: PathBuf,
    /// The digest of the last line.
    before: String,
    /// What the last lines say of each chain: how far it reached, how far it was closed.
    pub(super) last: BTreeMap<String, (i64, i64)>,
}

impl CheckpointFolder {
    /// Opens a folder, which is made when there is none, and takes away a last line whose writing was cut off.
    ///
    /// # Errors
    /// [`CheckpointError`] when it cannot be made or read.
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| refused(folder, "kept there", error))?;
        let mut opened = Self { folder: folder.to_owned(), before: String::new(), last: BTreeMap::new() };
        for path in files(folder)? {
            let whole = opened.read(&path)?;
            let file = OpenOptions::new().write(true).open(&path);
            let cut = file
                .and_then(|file| if file.metadata()?.len() > whole { file.set_len(whole) } else { Ok(()) });
            cut.map_err(|error| refused(&path, "mended", error))?;
        }
        Ok(opened)
    }

    /// Takes in what a file says; answers how much of it is whole lines, in bytes.
    fn read(&mut self, path: &Path) -> Result<u64, CheckpointError> {
        let mut whole = 0;
        let file = File::open(path).map_err(|error| refused(path, "read", error))?;
        for line in Lines::of(file, u64::MAX) {
            let line = line.map_err(|error| refused(path, "read", error))?;
            whole += line.bytes;
            self.before = digest_of(&line.text);
            let head = serde_json::from_str::<Line>(&line.text).ok().and_then(|line| line.head());
            let Some(head) = head else { continue };
            let last = self.last.entry(head.chain).or_default();
            match head.kind {
                HeadKind::End => last.0 = head.place,
                HeadKind::Closed => last.1 = head.place,
            }
        }
        Ok(whole)
    }

    /// Adds signed ends, and returns when they are on the disk. When that fails, the file is as it was.
    ///
    /// # Errors
    /// [`CheckpointError`] when they cannot be written.
    pub fn append(
        &mut self,
        heads: &[(ChainHead, PublicKey)],
        now: Timestamp,
    ) -> Result<(), CheckpointError> {
        let day: String = now.to_string().chars().take(10).collect();
        let path = self.folder.join(format!("{PREFIX}{day}{SUFFIX}"));
        let (mut text, mut before) = (String::new(), self.before.clone());
        for (head, key) in heads {
            let line = serde_json::to_string(&Line::of(head, *key, &before));
            let line = line.map_err(|error| refused(&path, "written", error.into()))?;
            before = digest_of(&line);
            text.push_str(&line);
            text.push('\n');
        }
        write(&self.folder, &path, text.as_bytes()).map_err(|error| refused(&path, "written", error))?;
        self.before = before;
        for (head, _) in heads {
            let last = self.last.entry(head.chain.clone()).or_default();
            match head.kind {
                HeadKind::End => last.0 = head.place,
                HeadKind::Closed => last.1 = head.place,
            }
        }
        Ok(())
    }
}

fn write(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = !path.exists();
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let length = file.metadata()?.len();
    if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_data()) {
        // Half a line would stand before the next one.
        let _ = file.set_len(length);
        return Err(error);
    }
    if new {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// The files of a folder, the oldest first.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let entries = std::fs::read_dir(folder).map_err(|error| refused(folder, "read", error))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| refused(folder, "read", error))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

pub(super) fn refused(path: &Path, doing: &'static str, error: std::io::Error) -> CheckpointError {
    CheckpointError::Io { path: path.display().to_string(), doing, error }
}

/// A whole line, and how many bytes of the file it is.
pub(super) struct WholeLine {
    pub(super) text: String,
    pub(super) bytes: u64,
}

/// The whole lines of a file; one that is cut off at its end is left out. What is too long or no text is a line that says
/// nothing.
pub(super) struct Lines {
    reader: BufReader<std::io::Take<File>>,
}

impl Lines {
    /// Those of the first so many bytes.
    pub(super) fn of(file: File, length: u64) -> Self {
        Self { reader: BufReader::new(file.take(length)) }
    }

    fn next_line(&mut self) -> std::io::Result<Option<WholeLine>> {
        let (mut kept, mut bytes) = (Vec::new(), 0);
        loop {
            let ready = self.reader.fill_buf()?;
            if ready.is_empty() {
                return Ok(None);
            }
            let end = ready.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(ready.len(), |end| end + 1);
            let part = ready.get(..end.unwrap_or(taken)).unwrap_or_default();
            if kept.len() <= LONGEST {
                kept.extend(part.iter().take(LONGEST + 1));
            }
            self.reader.consume(taken);
            bytes += u64::try_from(taken).unwrap_or(u64::MAX);
            if end.is_some() {
                return Ok(Some(WholeLine { text: String::from_utf8_lossy(&kept).into_owned(), bytes }));
            }
        }
    }
}

impl Iterator for Lines {
    type Item = std::io::Result<WholeLine>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}
