//! Which solver is used, and how much of everything it may have.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Whether answers may depend on a solver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SolverUse {
    /// Where one is installed it is asked; where none is, what needs it stays undecided.
    #[default]
    Auto,
    /// What needs it and cannot be decided is refused.
    Required,
    /// None is ever started.
    Off,
}

/// The text is no [`SolverUse`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a use of the solver: write auto, required or off")]
pub struct InvalidSolverUse(String);

impl FromStr for SolverUse {
    type Err = InvalidSolverUse;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "required" => Ok(Self::Required),
            "off" => Ok(Self::Off),
            other => Err(InvalidSolverUse(other.to_owned())),
        }
    }
}

impl fmt::Display for SolverUse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::Required => "required",
            Self::Off => "off",
        })
    }
}

/// Where the solver is and what it may use.
#[derive(Clone, Debug)]
pub struct SolverSettings {
    /// Whether it is used at all.
    pub solver_use: SolverUse,
    /// The program: a path, or a name that is looked for on the search path. It must speak SMT-LIB as cvc5
    /// does.
    pub program: PathBuf,
    /// Where a name is looked for: folders, as `PATH` has them.
    pub search_path: OsString,
    /// The longest that it may think about one question.
    pub question_limit: Duration,
    /// The longest that everything which one call asks may take, once its turn has come.
    pub budget: Duration,
    /// The most memory that it may have, in bytes. Only Linux keeps it to that.
    pub memory: u64,
}

impl Default for SolverSettings {
    /// `cvc5` where systems install programs: 5 s a question, 30 s in all, 1 GiB.
    fn default() -> Self {
        Self {
            solver_use: SolverUse::Auto,
            program: PathBuf::from("cvc5"),
            search_path: OsString::from("/usr/local/bin:/usr/bin:/bin"),
            question_limit: Duration::from_secs(5),
            budget: Duration::from_secs(30),
            memory: 1024 * 1024 * 1024,
        }
    }
}

impl SolverSettings {
    /// The program that is started: a name is looked for on the search path and nowhere else, a path is taken as it is.
    /// `None` for a name that is not there.
    #[must_use]
    pub fn found(&self) -> Option<PathBuf> {
        if self.program.components().count() > 1 {
            return Some(self.program.clone());
        }
        let folders = std::env::split_paths(&self.search_path).filter(|folder| folder.is_absolute());
        folders.map(|folder| folder.join(&self.program)).find(|path| is_executable(path))
    }
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}
