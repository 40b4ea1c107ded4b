//! Code packages: a zip archive is checked before it is believed, and unpacked within bounds.
//!
//! [`check`] answers whether an archive can be a function's code, and [`unpack`] does the same while writing
//! files. Neither trusts what the archive says about itself: sizes are counted while reading, and a path is
//! used only after each of its parts was looked at. The limits are Lambda's where Lambda has one ("Lambda
//! quotas": 250 MB unpacked).

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Cursor, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::Path;

use zip::ZipArchive;

use crate::directory;

/// The most bytes that an archive may unpack to: 250 MiB.
pub const MAX_UNPACKED_BYTES: u64 = 250 * 1024 * 1024;
/// The most entries (files, folders and links) that an archive may have.
pub const MAX_ENTRIES: u64 = 10_000;
/// The most bytes that a path in an archive may have.
pub const MAX_PATH_BYTES: usize = 1024;
const MAX_PART_BYTES: usize = 255;

/// How large an archive may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most bytes that it may unpack to.
    pub bytes: u64,
    /// The most entries (files, folders and links) that it may have.
    pub entries: u64,
}

impl Bounds {
    /// Of a function: [`MAX_UNPACKED_BYTES`] in [`MAX_ENTRIES`].
    pub const FUNCTION: Self = Self { bytes: MAX_UNPACKED_BYTES, entries: MAX_ENTRIES };
    /// Of an agent: 750 MiB ("Quotas for Amazon Bedrock AgentCore", direct code deployment), in 50,000 entries.
    pub const AGENT: Self = Self { bytes: 750 * 1024 * 1024, entries: 50_000 };
}

/// What an archive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// How many files it has, links included and folders not.
    pub files: u64,
    /// How many bytes they have together.
    pub unpacked_bytes: u64,
}

/// Why an archive cannot be a function's code.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Not a zip archive, or one that is damaged.
    #[error("not a zip archive: {reason}")]
    NotAnArchive {
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing in it.
    #[error("the archive is empty")]
    Empty,
    /// More entries than its [`Bounds`] allow.
    #[error("the archive has {entries} entries, and at most {limit} are allowed")]
    TooManyEntries {
        /// How many it says it has.
        entries: u64,
        /// How many it may have.
        limit: u64,
    },
    /// More bytes than its [`Bounds`] allow.
    #[error("the archive unpacks to more than {limit} bytes: the limit was reached in `{entry}`")]
    TooLarge {
        /// How many bytes it may have.
        limit: u64,
        /// The entry in which the limit was reached.
        entry: String,
    },
    /// Two entries for one path, or a file where another entry needs a folder.
    #[error("the archive holds `{entry}` twice, or as a file and as a folder")]
    Duplicate {
        /// The path.
        entry: String,
    },
    /// A path that could leave the folder, or that no file can have.
    #[error("the archive holds `{entry}`, whose path {reason}")]
    UnsafePath {
        /// The entry.
        entry: String,
        /// What is wrong with its path.
        reason: &'static str,
    },
    /// A symbolic link that could leave the folder.
    #[error("the archive holds the link `{entry}` to `{target}`, which may lead outside")]
    UnsafeLink {
        /// The entry.
        entry: String,
        /// What it points to.
        target: String,
    },
    /// A device, a pipe or a socket.
    #[error("the archive holds `{entry}`, which is neither a file nor a folder nor a link")]
    SpecialFile {
        /// The entry.
        entry: String,
    },
    /// An entry that cannot be read: encrypted, compressed in an unknown way, or damaged.
    #[error("the archive's entry `{entry}` cannot be read: {reason}")]
    Unreadable {
        /// The entry, by its number if not even its name can be read.
        entry: String,
        /// Why.
        reason: String,
    },
    /// The bytes are not those that were promised.
    #[error("the archive has the SHA-256 {found} and not {expected}")]
    WrongDigest {
        /// The digest that was promised, in hex.
        expected: String,
        /// The digest of the bytes, in hex.
        found: String,
    },
    /// The disk refused.
    #[error("`{path}` could not be written: {source}")]
    Write {
        /// What was being written.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Checks whether an archive can be a function's code, by reading all of it. This computes: call it where
/// blocking is allowed.
///
/// # Errors
/// [`PackageError`], which names the entry.
pub fn check(archive: &[u8]) -> Result<Contents, PackageError> {
    walk(archive, &mut Discard, Bounds::FUNCTION)
}

/// Unpacks an archive into an existing, empty folder. Files become read-only; what was executable stays so.
/// This blocks.
///
/// # Errors
/// [`PackageError`]; what was written by then stays.
pub fn unpack(archive: &[u8], folder: &Path) -> Result<Contents, PackageError> {
    unpack_within(Bounds::FUNCTION, archive, folder)
}

/// [`check`] for an archive with bounds of its own.
///
/// # Errors
/// [`PackageError`], which names the entry.
pub fn check_within(bounds: Bounds, archive: &[u8]) -> Result<Contents, PackageError> {
    walk(archive, &mut Discard, bounds)
}

/// [`unpack`] for an archive with bounds of its own.
///
/// # Errors
/// [`PackageError`]; what was written by then stays.
pub fn unpack_within(bounds: Bounds, archive: &[u8], folder: &Path) -> Result<Contents, PackageError> {
    walk(archive, &mut Disk { folder }, bounds)
}

/// Where entries go. Two of them: nowhere and the disk.
trait Sink {
    fn folder(&mut self, path: &str) -> io::Result<()>;
    fn file(&mut self, path: &str, executable: Executable) -> io::Result<Box<dyn Write>>;
    fn link(&mut self, path: &str, target: &str) -> io::Result<()>;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Executable {
    Yes,
    No,
}

/// What an entry is, by the type bits of its Unix mode.
enum Kind {
    Folder,
    File(Executable),
    Link,
}

fn walk(archive: &[u8], sink: &mut dyn Sink, bounds: Bounds) -> Result<Contents, PackageError> {
    directory::check(archive, bounds.entries)?;
    let mut entries = ZipArchive::new(Cursor::new(archive))
        .map_err(|error| PackageError::NotAnArchive { reason: error.to_string() })?;
    let mut tree = Tree::default();
    let mut links = BTreeMap::new();
    let mut files = 0;
    let mut budget = Budget { limit: bounds.bytes, used: 0 };
    for index in 0..entries.len() {
        let unreadable = |error: zip::result::ZipError| PackageError::Unreadable {
            entry: format!("#{index}"),
            reason: error.to_string(),
        };
        let mut entry = entries.by_index(index).map_err(unreadable)?;
        let name = entry.name().map_err(unreadable)?.into_owned();
        let path = safe_path(&name)?;
        let kind = kind(&name, entry.is_dir(), entry.unix_mode())?;
        let written = |source| PackageError::Write { path: path.clone(), source };
        match kind {
            Kind::Folder => {
                tree.folder(&path)?;
                sink.folder(&path).map_err(written)?;
            }
            Kind::File(executable) => {
                tree.file(&path)?;
                files += 1;
                let mut file = sink.file(&path, executable).map_err(written)?;
                copy(&name, &mut entry, &mut file, &mut budget)?;
            }
            Kind::Link => {
                tree.file(&path)?;
                files += 1;
                let mut target = Vec::new();
                copy(&name, &mut entry, &mut target, &mut budget)?;
                links.insert(path.clone(), safe_target(&path, &target)?);
            }
        }
    }
    // Links come last: nothing was written through one, and the tree says that nothing lies below one.
    for (path, target) in links {
        sink.link(&path, &target).map_err(|source| PackageError::Write { path, source })?;
    }
    Ok(Contents { files, unpacked_bytes: budget.used })
}

/// The path in the folder, without empty and `.` parts. Folders may come out empty: the root.
fn safe_path(name: &str) -> Result<String, PackageError> {
    let refuse = |reason| Err(PackageError::UnsafePath { entry: name.to_owned(), reason });
    if name.contains('\0') {
        return refuse("holds a NUL character");
    }
    if name.contains('\\') {
        return refuse("holds a backslash");
    }
    if name.starts_with('/') {
        return refuse("is absolute");
    }
    let mut letters = name.chars();
    if letters.next().is_some_and(|first| first.is_ascii_alphabetic()) && letters.next() == Some(':') {
        return refuse("begins with a drive letter");
    }
    if name.len() > MAX_PATH_BYTES {
        return refuse("is too long");
    }
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return refuse("leads upwards"),
            part if part.len() > MAX_PART_BYTES => return refuse("has a part that is too long"),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

fn kind(name: &str, ends_as_folder: bool, mode: Option<u32>) -> Result<Kind, PackageError> {
    const TYPE: u32 = 0o170_000;
    let mode = mode.unwrap_or(0o644);
    let executable = if mode & 0o111 == 0 { Executable::No } else { Executable::Yes };
    match (mode & TYPE, ends_as_folder || name.ends_with('/')) {
        (0 | 0o040_000, true) | (0o040_000, false) => Ok(Kind::Folder),
        (0 | 0o100_000, false) => Ok(Kind::File(executable)),
        (0o120_000, false) => Ok(Kind::Link),
        _ => Err(PackageError::SpecialFile { entry: name.to_owned() }),
    }
}

/// A link may climb with leading `..` as far as the root of the package, through real folders (nothing lies
/// below a link), and descend from there. A `..` after a name could climb out of wherever that name leads.
fn safe_target(path: &str, target: &[u8]) -> Result<String, PackageError> {
    let refuse = || PackageError::UnsafeLink {
        entry: path.to_owned(),
        target: String::from_utf8_lossy(target).into_owned(),
    };
    let text = std::str::from_utf8(target).map_err(|_| refuse())?;
    if text.is_empty() || text.len() > MAX_PATH_BYTES || text.starts_with('/') || text.contains(['\0', '\\'])
    {
        return Err(refuse());
    }
    let mut depth = path.matches('/').count();
    let mut descending = false;
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if descending => return Err(refuse()),
            ".." => depth = depth.checked_sub(1).ok_or_else(refuse)?,
            _ => descending = true,
        }
    }
    Ok(text.to_owned())
}

/// How much an archive may unpack to, and how much it has.
struct Budget {
    limit: u64,
    used: u64,
}

/// Copies an entry, counting what really comes out of it.
fn copy(
    name: &str,
    entry: &mut impl Read,
    into: &mut dyn Write,
    budget: &mut Budget,
) -> Result<(), PackageError> {
    let mut bounded = entry.take(budget.limit.saturating_sub(budget.used) + 1);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = bounded.read(&mut buffer).map_err(|error| PackageError::Unreadable {
            entry: name.to_owned(),
            reason: error.to_string(),
        })?;
        if length == 0 {
            return Ok(());
        }
        budget.used += u64::try_from(length).unwrap_or(u64::MAX);
        if budget.used > budget.limit {
            return Err(PackageError::TooLarge { limit: budget.limit, entry: name.to_owned() });
        }
        into.write_all(buffer.get(..length).unwrap_or_default())
            .map_err(|source| PackageError::Write { path: name.to_owned(), source })?;
    }
}

/// Which paths are taken, and by what.
#[derive(Default)]
struct Tree {
    folders: HashSet<String>,
    files: HashSet<String>,
}

impl Tree {
    fn folder(&mut self, path: &str) -> Result<(), PackageError> {
        self.ancestors(path)?;
        if self.files.contains(path) {
            return Err(Self::taken(path));
        }
        self.folders.insert(path.to_owned());
        Ok(())
    }

    fn file(&mut self, path: &str) -> Result<(), PackageError> {
        self.ancestors(path)?;
        if path.is_empty() || self.folders.contains(path) || !self.files.insert(path.to_owned()) {
            return Err(Self::taken(path));
        }
        Ok(())
    }

    fn ancestors(&mut self, path: &str) -> Result<(), PackageError> {
        for (at, _) in path.match_indices('/') {
            let above = path.get(..at).unwrap_or_default();
            if self.files.contains(above) {
                return Err(Self::taken(above));
            }
            if !self.folders.contains(above) {
                self.folders.insert(above.to_owned());
            }
        }
        Ok(())
    }

    fn taken(path: &str) -> PackageError {
        PackageError::Duplicate { entry: path.to_owned() }
    }
}

struct Discard;

impl Sink for Discard {
    fn folder(&mut self, _path: &str) -> io::Result<()> {
        Ok(())
    }

    fn file(&mut self, _path: &str, _executable: Executable) -> io::Result<Box<dyn Write>> {
        Ok(Box::new(io::sink()))
    }

    fn link(&mut self, _path: &str, _target: &str) -> io::Result<()> {
        Ok(())
    }
}

struct Disk<'a> {
    folder: &'a Path,
}

impl Sink for Disk<'_> {
    fn folder(&mut self, path: &str) -> io::Result<()> {
        fs::create_dir_all(self.folder.join(path))
    }

    fn file(&mut self, path: &str, executable: Executable) -> io::Result<Box<dyn Write>> {
        let path = self.folder.join(path);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above)?;
        }
        let mode = if executable == Executable::Yes { 0o555 } else { 0o444 };
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        Ok(Box::new(file))
    }

    fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        let path = self.folder.join(path);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above)?;
        }
        symlink(target, path)
    }
}

#[cfg(test)]
mod tests {
    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    #[test]
    fn bombs_do_not_go_off() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["first", "second"] {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
            writer.write_all(&vec![0; 1 << 20]).unwrap();
        }
        let mut bomb = writer.finish().unwrap().into_inner();
        assert!(bomb.len() < 1 << 14);
        assert_eq!(
            walk(&bomb, &mut Discard, Bounds { bytes: 2 << 20, entries: 10 }).unwrap().unpacked_bytes,
            2 << 20
        );
        let refused =
            |bomb: &[u8]| walk(bomb, &mut Discard, Bounds { bytes: (2 << 20) - 1, entries: 10 }).unwrap_err();
        let error = refused(&bomb);
        assert!(matches!(&error, PackageError::TooLarge { entry, .. } if entry == "second"), "{error}");
        // What it says about its sizes is not believed.
        let headers: Vec<_> =
            (0..bomb.len() - 4).filter(|at| bomb[*at..].starts_with(b"PK\x01\x02")).collect();
        for header in headers {
            bomb[header + 24..header + 28].copy_from_slice(&1_u32.to_le_bytes());
        }
        let error = refused(&bomb);
        assert!(matches!(&error, PackageError::Unreadable { entry, .. } if entry == "first"), "{error}");
    }
}
