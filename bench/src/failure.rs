//! Why a part could not be played, in words for the person who measures.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// What was tried, and what came of it.
    pub(crate) fn of(attempt: &str, error: impl Display) -> Self {
        Self(format!("{attempt}: {error}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// Says why, and gives the exit code.
pub(crate) fn complain(failure: &Failure) -> ExitCode {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "bench: {failure}");
    ExitCode::FAILURE
}
