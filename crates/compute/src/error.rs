//! Why a function could not be run at all, and why a supervisor could not be set up.
//!
//! What a *function* does wrong is no error here but part of [`crate::Completed`].

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::code::CodeError;
use crate::interpreter::Missing;
use crate::package::PackageError;

/// Why an invocation was not run. The comments name the exception of Lambda's `Invoke` that says the same.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// As many instances as are allowed are busy, and as many callers as are allowed wait already, or waited
    /// in vain (`TooManyRequestsException`, 429).
    #[error(
        "every instance of the function that may run is busy: try again later, or raise the limit on instances"
    )]
    TooManyRequests,
    /// The event is larger than 6 MiB (`RequestTooLargeException`, 413).
    #[error("the event has {size} bytes, and at most {limit} are allowed")]
    PayloadTooLarge {
        /// Its size in bytes.
        size: usize,
        /// The largest that is allowed, in bytes.
        limit: usize,
    },
    /// The request id cannot be written into a header or a path.
    #[error("`{0}` is not a request id: use 1 to 128 visible ASCII characters other than `/`")]
    InvalidRequestId(String),
    /// No interpreter was found for the function's runtime (`InvalidRuntimeException`, 502).
    #[error("no interpreter for {runtime}: {remedy}")]
    NoInterpreter {
        /// The runtime, such as `python3.12`.
        runtime: String,
        /// What to do about it.
        remedy: String,
    },
    /// The archive cannot be used (`InvalidZipFileException`, 502).
    #[error("the code of the function cannot be used: {0}")]
    Package(Arc<PackageError>),
    /// The provider of the archive failed (`ServiceException`, 500).
    #[error("the code of the function could not be fetched: {0}")]
    CodeUnavailable(String),
    /// The provider of credentials failed (`AccessDeniedException` or `ServiceException`).
    #[error("the credentials of the function's role could not be had: {0}")]
    CredentialsUnavailable(String),
    /// The operating system refused something that a process needs (`ServiceException`, 500).
    #[error("an instance of the function could not be started: could not {attempt}: {source}")]
    Start {
        /// What was attempted.
        attempt: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// Three instances in a row ended before they took the event (`ServiceException`, 500).
    #[error("instances of the function end before they take an event: read the function's log")]
    Unstable,
    /// The supervisor is shutting down (`ServiceException`, 500).
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl From<CodeError> for InvokeError {
    fn from(error: CodeError) -> Self {
        match error {
            CodeError::Unavailable(why) => Self::CodeUnavailable(why),
            CodeError::Package(error) => Self::Package(error),
        }
    }
}

impl From<Missing> for InvokeError {
    fn from(Missing { runtime, remedy }: Missing) -> Self {
        Self::NoInterpreter { runtime, remedy }
    }
}

/// Why a supervisor could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Another supervisor, of this or another process, works there.
    #[error("`{}` is in use by another server: give each server its own folder", .0.display())]
    InUse(PathBuf),
    /// A folder or file could not be made or cleaned.
    #[error("could not {attempt} `{}`: {source}", path.display())]
    Folder {
        /// What was attempted.
        attempt: &'static str,
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The thread that watches over limits could not be started.
    #[error("could not start the watching thread: {0}")]
    Thread(io::Error),
}
