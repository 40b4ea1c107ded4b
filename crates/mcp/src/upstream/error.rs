//! Why an upstream gave no answer.

use std::time::Duration;

use egress::EgressError;
use http::StatusCode;

/// Why an upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// It cannot be reached, or the connection broke.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// It answered with this status.
    #[error("it answered {0}")]
    Status(StatusCode),
    /// It did not agree on a session, and answered with this status.
    #[error("it answered {0} to `initialize`")]
    Legacy(StatusCode),
    /// It answered, but not to what it was asked.
    #[error("it gave no answer to the request")]
    NoAnswer,
    /// It answered with something that is not the protocol.
    #[error("{0}")]
    Malformed(String),
    /// Its answer is larger than so many bytes.
    #[error("its answer is larger than {0} bytes")]
    TooLarge(usize),
    /// It did not answer in time.
    #[error("it gave no answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// The credential cannot be put on the request.
    #[error("the credential cannot be attached: {0}")]
    Credential(String),
}
