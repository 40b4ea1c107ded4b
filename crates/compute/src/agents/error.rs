//! Why a session could not be started.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::code::CodeError;
use crate::interpreter::Missing;
use crate::package::PackageError;

/// Why a session could not be started. It can be cloned, because everybody who waited for the start gets it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StartError {
    /// The session's name cannot be one.
    #[error("the name of a session has 1 to 256 visible ASCII characters")]
    Name,
    /// As many sessions as there may be are there.
    #[error("there are {limit} sessions, which is as many as there may be: stop some, or raise the limit")]
    TooMany {
        /// How many there may be.
        limit: usize,
    },
    /// No interpreter was found.
    #[error("no interpreter for {runtime}: {remedy}")]
    NoInterpreter {
        /// What asked for it, such as `python3.12`.
        runtime: String,
        /// What to do about it.
        remedy: String,
    },
    /// The archive cannot be used.
    #[error("the agent's code cannot be used: {0}")]
    Package(Arc<PackageError>),
    /// The archive could not be had.
    #[error("the agent's code could not be fetched: {0}")]
    CodeUnavailable(String),
    /// The entry point names nothing that can be run.
    #[error("the entry point cannot be run: {0}")]
    EntryPoint(String),
    /// The process ended before it was ready.
    #[error("the agent ended before it was ready ({how}): read its log")]
    Exited {
        /// How it ended, such as `exit status 1`.
        how: String,
        /// The end of what it wrote, at most 4 KiB, masked.
        log: String,
    },
    /// The process was not ready in time.
    #[error("the agent was not ready after {} s: {found}", after.as_secs())]
    NotReady {
        /// How long it was given.
        after: Duration,
        /// What was found at the last look.
        found: String,
        /// The end of what it wrote, at most 4 KiB, masked.
        log: String,
    },
    /// It was stopped while it started.
    #[error("the session was stopped while it started")]
    Stopped,
    /// The operating system refused something.
    #[error("the agent could not be started: could not {attempt}: {source}")]
    System {
        /// What was attempted.
        attempt: &'static str,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The server is shutting down.
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl StartError {
    /// That the operating system refused `attempt`.
    pub(crate) fn system(attempt: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { attempt, source: Arc::new(source) }
    }
}

impl From<CodeError> for StartError {
    fn from(error: CodeError) -> Self {
        match error {
            CodeError::Unavailable(why) => Self::CodeUnavailable(why),
            CodeError::Package(error) => Self::Package(error),
        }
    }
}

impl From<Missing> for StartError {
    fn from(Missing { runtime, remedy }: Missing) -> Self {
        Self::NoInterpreter { runtime, remedy }
    }
}
