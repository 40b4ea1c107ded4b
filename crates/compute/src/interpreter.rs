//! Finds the interpreter for a runtime.
//!
//! In order: the one from the settings; on the search path, the one whose name says the version (`python3.N`, `nodeN`);
//! any other there (`python3`, `node`), with a warning when it is of another version. What is found on a path may be a
//! wrapper (the shims of version managers are scripts that cost a tenth of a second), so a candidate is asked once for
//! its version and for the executable behind it. Symbolic links are not resolved: a virtual environment is recognised
//! by the path it is started by.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a candidate may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(20);

/// A language whose interpreter is looked for.
struct Language {
    /// What its interpreters are called in messages, up to the version.
    name: &'static str,
    /// The same for any version.
    kind: &'static str,
    /// The oldest version that its runtime client runs on.
    oldest: u8,
    /// Asks an interpreter for two words: its version, and the executable behind it.
    question: &'static [&'static str],
}

const PYTHON: Language = Language {
    name: "Python 3.",
    kind: "Python 3",
    oldest: 9,
    question: &["-c", "import sys; sys.version_info[0] == 3 and print(sys.version_info[1], sys.executable)"],
};

const NODE: Language = Language {
    name: "Node.js ",
    kind: "Node.js",
    oldest: 18,
    question: &["-p", "process.versions.node.split('.')[0] + ' ' + process.execPath"],
};

/// That there is no interpreter, and what to do about it.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    /// What asked for it, such as `python3.12`.
    pub(crate) runtime: String,
    pub(crate) remedy: String,
}

/// The interpreters that functions would run on, whatever their version, as far as they are found: of Python, then of
/// Node.js. What is wrong with one says what to do.
///
/// # Errors
/// Each is what to do, where there is none.
pub async fn interpreters(
    python: Option<PathBuf>,
    node: Option<PathBuf>,
    search_path: OsString,
) -> [Result<PathBuf, String>; 2] {
    let found = Interpreters::new(python, node, search_path);
    let (python, node) = (found.python("", PYTHON.oldest).await, found.node("", NODE.oldest).await);
    [python, node].map(|it| it.map_err(|missing| missing.remedy))
}

/// Finds interpreters, and remembers those it found.
pub(crate) struct Interpreters {
    python: Option<PathBuf>,
    node: Option<PathBuf>,
    search_path: OsString,
    found: Mutex<HashMap<PathBuf, Interpreter>>,
    warned: Mutex<HashSet<String>>,
}

/// An interpreter.
#[derive(Clone, Debug)]
struct Interpreter {
    /// What to execute.
    executable: PathBuf,
    /// Its version: Python's minor, Node's major one.
    version: u8,
}

impl Interpreters {
    /// With those that are configured, if any, and the path to search for others.
    pub(crate) fn new(python: Option<PathBuf>, node: Option<PathBuf>, search_path: OsString) -> Self {
        Self { python, node, search_path, found: Mutex::default(), warned: Mutex::default() }
    }

    /// The interpreter for `python3.{minor}`.
    pub(crate) async fn python(&self, function: &str, minor: u8) -> Result<PathBuf, Missing> {
        let runtime = format!("python3.{minor}");
        let names = [runtime.as_str(), "python3"];
        self.resolve(&PYTHON, self.python.as_deref(), &names, function, &runtime, minor).await
    }

    /// The interpreter for `nodejs{major}.x`.
    pub(crate) async fn node(&self, function: &str, major: u8) -> Result<PathBuf, Missing> {
        let runtime = format!("nodejs{major}.x");
        let exact = format!("node{major}");
        let names = [exact.as_str(), "node", "nodejs"];
        self.resolve(&NODE, self.node.as_deref(), &names, function, &runtime, major).await
    }

    async fn resolve(
        &self,
        language: &Language,
        configured: Option<&Path>,
        names: &[&str],
        function: &str,
        runtime: &str,
        version: u8,
    ) -> Result<PathBuf, Missing> {
        let (name, oldest) = (language.name, language.oldest);
        let missing = |remedy| Missing { runtime: runtime.to_owned(), remedy };
        let found = match configured {
            Some(configured) => self.probe(language, configured).await.ok_or_else(|| {
                missing(format!("`{}` is no {} interpreter", configured.display(), language.kind))
            })?,
            None => self.search(language, names).await.ok_or_else(|| {
                missing(format!("install {name}{version}, or name an interpreter in the server's settings"))
            })?,
        };
        let executable = found.executable;
        if found.version < oldest {
            let (path, found) = (executable.display(), found.version);
            return Err(missing(format!("`{path}` is {name}{found}, and at least {name}{oldest} is needed")));
        }
        if found.version != version && self.is_news(function) {
            tracing::warn!(
                function.arn = function,
                "the function asks for {name}{version} and runs on {name}{} ({})",
                found.version,
                executable.display(),
            );
        }
        Ok(executable)
    }

    async fn search(&self, language: &Language, names: &[&str]) -> Option<Interpreter> {
        for name in names {
            for folder in std::env::split_paths(&self.search_path) {
                let candidate = folder.join(name);
                if candidate.is_absolute()
                    && candidate.is_file()
                    && let Some(found) = self.probe(language, &candidate).await
                {
                    return Some(found);
                }
            }
        }
        None
    }

    /// Asks a candidate who it is. Only success is remembered: the answer to failure is to install something.
    async fn probe(&self, language: &Language, candidate: &Path) -> Option<Interpreter> {
        let known = |found: &HashMap<PathBuf, Interpreter>| found.get(candidate).cloned();
        if let Some(interpreter) = known(&self.found.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Some(interpreter);
        }
        let asked = tokio::process::Command::new(candidate)
            .args(language.question)
            .env_clear()
            .env("PATH", &self.search_path)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let (version, executable) = text.trim_end_matches('\n').split_once(' ')?;
        if !output.status.success() || executable.is_empty() {
            return None;
        }
        let interpreter =
            Interpreter { executable: PathBuf::from(executable), version: version.parse().ok()? };
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
