//! What functions write: the last lines of each function in memory, and, if the settings say so, in a file.
//!
//! Lines are kept by function and not by process, in a ring of at most 2,000 lines and 512 KiB. The file is
//! written behind, a few times a second at most, by the watching thread's errand: no invocation waits for a
//! disk. Lines that come faster than they are written are lost to the file, which then says how many.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{Arn, Timestamp};

const MOST_LINES: usize = 2000;
const MOST_BYTES: usize = 512 * 1024;
/// The largest size of a log file before it becomes the earlier one.
const MOST_FILE_BYTES: u64 = 1024 * 1024;

/// One line of a function's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When the server read it.
    pub at: Timestamp,
    /// The line, without its end; bytes that are not UTF-8 are replaced, and lines longer than 64 KiB cut.
    pub text: Arc<str>,
}

/// The logs of all functions.
pub(crate) struct Logs {
    /// Where files go, if they are wanted.
    folder: Option<PathBuf>,
    functions: Mutex<HashMap<String, Arc<FunctionLog>>>,
    /// Whether some log has lines that its file lacks.
    unwritten: AtomicBool,
}

/// The log of one function.
pub(crate) struct FunctionLog {
    file: Option<PathBuf>,
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    lines: VecDeque<LogLine>,
    bytes: usize,
    /// How many of the last lines are not in the file yet.
    unwritten: usize,
    /// How many were dropped before they came into the file.
    lost: usize,
}

impl Logs {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, functions: Mutex::default(), unwritten: AtomicBool::new(false) }
    }

    /// The log of a function, new if need be.
    pub(crate) fn of(&self, function: &Arn, name: &str) -> Arc<FunctionLog> {
        let mut functions = lock(&self.functions);
        if let Some(log) = functions.get(function.as_str()) {
            return Arc::clone(log);
        }
        let file = self.folder.as_ref().map(|folder| file_path(folder, function, name));
        let log = Arc::new(FunctionLog { file, ring: Mutex::default() });
        functions.insert(function.as_str().to_owned(), Arc::clone(&log));
        log
    }

    /// The lines that are kept of a function, oldest first.
    pub(crate) fn lines(&self, function: &Arn) -> Vec<LogLine> {
        let log = lock(&self.functions).get(function.as_str()).cloned();
        log.map(|log| lock(&log.ring).lines.iter().cloned().collect()).unwrap_or_default()
    }

    /// Forgets the lines of a function that is no more. Its file stays.
    pub(crate) fn forget(&self, function: &Arn) {
        lock(&self.functions).remove(function.as_str());
    }

    /// Adds lines to a log.
    pub(crate) fn push(&self, log: &FunctionLog, at: Timestamp, text: &str) {
        let mut ring = lock(&log.ring);
        for line in text.lines() {
            ring.push(LogLine { at, text: line.into() });
        }
        if log.file.is_some() {
            self.unwritten.store(true, Ordering::Relaxed);
        }
    }

    /// Whether [`Logs::write`] has something to do.
    pub(crate) fn has_unwritten(&self) -> bool {
        self.folder.is_some() && self.unwritten.load(Ordering::Relaxed)
    }

    /// Writes what the files lack. This blocks.
    pub(crate) fn write(&self) {
        self.unwritten.store(false, Ordering::Relaxed);
        let logs: Vec<_> = lock(&self.functions).values().cloned().collect();
        for log in logs {
            let Some(path) = &log.file else { continue };
            let text = lock(&log.ring).take_unwritten();
            if text.is_empty() {
                continue;
            }
            if let Err(error) = append(path, &text) {
                tracing::warn!(path = %path.display(), %error, "a function's log file could not be written");
            }
        }
    }
}

impl Ring {
    fn push(&mut self, line: LogLine) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
        self.unwritten += 1;
        while self.lines.len() > MOST_LINES || self.bytes > MOST_BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.text.len();
            if self.unwritten > self.lines.len() {
                self.unwritten = self.lines.len();
                self.lost += 1;
            }
        }
    }

    fn take_unwritten(&mut self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        let known = self.lines.len() - self.unwritten.min(self.lines.len());
        if self.lost > 0 {
            let _ = writeln!(text, "({} lines came too fast to be written)", self.lost);
        }
        for line in self.lines.iter().skip(known) {
            let _ = writeln!(text, "{} {}", line.at, line.text);
        }
        self.unwritten = 0;
        self.lost = 0;
        text
    }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    if file.metadata()?.len() >= MOST_FILE_BYTES {
        drop(file);
        fs::rename(path, path.with_extension("log.1"))?;
        file = OpenOptions::new().append(true).create(true).open(path)?;
    }
    file.write_all(text.as_bytes())
}

/// `{account}/{region}/{name}.log`, of characters that cannot lead elsewhere.
fn file_path(folder: &Path, function: &Arn, name: &str) -> PathBuf {
    let safe =
        |text: &str| -> String {
            text.chars()
                .map(|letter| {
                    if letter.is_ascii_alphanumeric() || letter == '-' || letter == '_' {
                        letter
                    } else {
                        '_'
                    }
                })
                .collect()
        };
    folder.join(safe(function.account())).join(safe(function.region())).join(format!("{}.log", safe(name)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function() -> Arn {
        Arn::parse("arn:aws:lambda:us-west-2:123456789012:function:f").unwrap()
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let logs = Logs::new(None);
        let log = logs.of(&function(), "f");
        for number in 0..MOST_LINES + 5 {
            logs.push(&log, Timestamp::from_millis(0), &number.to_string());
        }
        let lines = logs.lines(&function());
        assert_eq!(lines.len(), MOST_LINES);
        assert_eq!(&*lines[0].text, "5");
        logs.push(&log, Timestamp::from_millis(0), &"x".repeat(MOST_BYTES));
        assert_eq!(logs.lines(&function()).len(), 1);
    }

    #[test]
    fn files_are_written_behind_and_turned_over() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::new(Some(folder.path().to_owned()));
        let log = logs.of(&function(), "../f");
        let path = folder.path().join("123456789012/us-west-2/___f.log");
        logs.push(&log, Timestamp::from_millis(0), "one\ntwo");
        assert!(logs.has_unwritten());
        logs.write();
        assert!(!logs.has_unwritten());
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "1970-01-01T00:00:00.000Z one\n1970-01-01T00:00:00.000Z two\n");
        for _ in 0..4 {
            for _ in 0..50 {
                logs.push(&log, Timestamp::from_millis(0), &"x".repeat(8 * 1024));
            }
            logs.write();
        }
        assert!(folder.path().join("123456789012/us-west-2/___f.log.1").exists());
        let size = fs::metadata(&path).unwrap().len();
        assert!(size < MOST_FILE_BYTES + 64 * 1024, "{size}");
    }

    #[test]
    fn the_file_says_what_it_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::new(Some(folder.path().to_owned()));
        let log = logs.of(&function(), "f");
        for number in 0..MOST_LINES + 7 {
            logs.push(&log, Timestamp::from_millis(0), &number.to_string());
        }
        logs.write();
        let text = fs::read_to_string(folder.path().join("123456789012/us-west-2/f.log")).unwrap();
        assert!(text.starts_with("(7 lines came too fast to be written)\n"));
        assert!(text.ends_with(" 2006\n"));
    }
}
