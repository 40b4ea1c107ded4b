//! Finds the Python interpreter for a runtime.
//!
//! In order: the one from the settings, `python3.N` on the search path, any `python3` there with a warning.
//! What is found on a path may be a wrapper (pyenv's shims are shell scripts that cost a tenth of a second), so
//! a candidate is asked once for its version and for the executable behind it. Symbolic links are not
//! resolved: a virtual environment is recognised by the path it is started by.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::{InvokeError, Settings};

/// The oldest Python that the runtime client runs on.
const OLDEST: u8 = 9;
/// How long a candidate may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(20);

/// Finds interpreters, and remembers those it found.
pub(crate) struct Interpreters {
    configured: Option<PathBuf>,
    search_path: OsString,
    found: Mutex<HashMap<PathBuf, Interpreter>>,
    warned: Mutex<HashSet<String>>,
}

/// A Python interpreter.
#[derive(Clone, Debug)]
pub(crate) struct Interpreter {
    /// What to execute.
    pub(crate) executable: PathBuf,
    /// Its version, as 3.`minor`.
    minor: u8,
}

impl Interpreters {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            configured: settings.python.clone(),
            search_path: settings.search_path.clone(),
            found: Mutex::default(),
            warned: Mutex::default(),
        }
    }

    /// The interpreter for `python3.{minor}`.
    pub(crate) async fn resolve(&self, function: &str, minor: u8) -> Result<Interpreter, InvokeError> {
        let found = match &self.configured {
            Some(configured) => self.probe(configured).await,
            None => match self.search(&format!("python3.{minor}")).await {
                Some(exact) => Some(exact),
                None => self.search("python3").await,
            },
        };
        let runtime = format!("python3.{minor}");
        let Some(found) = found else {
            let remedy = match &self.configured {
                Some(path) => format!("`{}` is no Python 3 interpreter", path.display()),
                None => format!("install Python 3.{minor}, or name an interpreter in the server's settings"),
            };
            return Err(InvokeError::NoInterpreter { runtime, remedy });
        };
        if found.minor < OLDEST {
            let remedy = format!(
                "`{}` is Python 3.{}, and at least 3.{OLDEST} is needed",
                found.executable.display(),
                found.minor
            );
            return Err(InvokeError::NoInterpreter { runtime, remedy });
        }
        if found.minor != minor && self.is_news(function) {
            tracing::warn!(
                function.arn = function,
                "the function asks for Python 3.{minor} and runs on Python 3.{} ({})",
                found.minor,
                found.executable.display(),
            );
        }
        Ok(found)
    }

    async fn search(&self, name: &str) -> Option<Interpreter> {
        for folder in std::env::split_paths(&self.search_path) {
            let candidate = folder.join(name);
            if candidate.is_absolute()
                && candidate.is_file()
                && let Some(found) = self.probe(&candidate).await
            {
                return Some(found);
            }
        }
        None
    }

    /// Asks a candidate who it is. Only success is remembered: the answer to failure is to install something.
    async fn probe(&self, candidate: &Path) -> Option<Interpreter> {
        let known = |found: &HashMap<PathBuf, Interpreter>| found.get(candidate).cloned();
        if let Some(interpreter) = known(&self.found.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Some(interpreter);
        }
        let asked = tokio::process::Command::new(candidate)
            .args(["-c", "import sys; print(*sys.version_info[:2], sys.executable)"])
            .env_clear()
            .env("PATH", &self.search_path)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let mut words = text.trim_end_matches('\n').splitn(3, ' ');
        let (major, minor, executable) = (words.next()?, words.next()?, words.next()?);
        if !output.status.success() || major != "3" || executable.is_empty() {
            return None;
        }
        let interpreter = Interpreter { executable: PathBuf::from(executable), minor: minor.parse().ok()? };
        self.found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(candidate.to_owned(), interpreter.clone());
        Some(interpreter)
    }

    /// Whether this is the first word about the function.
    fn is_news(&self, function: &str) -> bool {
        self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(function.to_owned())
    }
}
