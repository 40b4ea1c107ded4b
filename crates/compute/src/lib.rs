//! Runs AWS Lambda functions as supervised local processes that speak the Lambda Runtime API.
//!
//! A [`Supervisor`] takes an [`Invocation`] of a [`Launch`] (one exact state of one function) and gives back
//! what became of it, [`Completed`]. In between it unpacks the function's archive ([`package`]), starts a
//! process with a clean environment and bounded resources, hands it the event over the process's own
//! loopback listener, and keeps the process warm for the next event. What the function itself did wrong is a
//! [`FunctionError`] inside [`Completed`], in the shape Lambda's clients know; what kept it from running is an
//! [`InvokeError`].
//!
//! What is not as on Lambda: a process is not frozen between two invocations; there are no layers and no
//! extensions; memory is measured ten times a second, with 32 MiB on top for the interpreter; processes that
//! left the group and whose parents have ended outlive their function. A process runs as the server's own user
//! unless [`Settings::run_as`] says otherwise, and can then read what the server can. When the server is killed,
//! Python functions end with it, JavaScript ones as soon as they return to their event loop; a `provided` bootstrap must
//! end when its Runtime API is gone, as those made with AWS's libraries do.
//!
//! Nothing here knows Lambda's control API, the store or IAM: code and credentials come from [`Provider`]s
//! that the caller hands in. Sources: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom
//! runtimes", "Understanding the Lambda execution environment lifecycle", "Lambda quotas".

pub mod agents;
mod code;
mod directory;
mod environment;
mod error;
mod instance;
mod interpreter;
mod journal;
mod launch;
mod lease;
mod limits;
mod logs;
mod outcome;
pub mod package;
mod peer;
mod pools;
mod processes;
mod report;
mod roster;
mod runtime_api;
mod settings;
mod spawn;
mod start;
mod supervise;
mod supervisor;
mod watch;
mod weight;
mod workdir;

pub use code::Digest;
pub use environment::is_reserved as is_reserved_variable;
pub use error::{InvokeError, SetupError};
pub use interpreter::interpreters;
pub use launch::{Code, Credentials, Invocation, Launch, Provider, ProviderError};
pub use logs::LogLine;
pub use outcome::{Completed, ErrorKind, FunctionError};
pub use settings::{RunAs, Settings};
pub use supervisor::Supervisor;
pub use workdir::hold;
