//! How a request fails, in the names and statuses of Bedrock Runtime's model.

use aws::Fault;
use identity::principal::PrincipalError;

/// Why a request was not answered.
#[derive(Debug)]
pub(crate) enum Failure {
    /// For the caller.
    Fault(Fault),
    /// Ours: logged, and told without its cause.
    Internal(String),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What is said of a caller who is known or not; nothing can be said while the database is out of reach.
impl From<PrincipalError> for Failure {
    fn from(error: PrincipalError) -> Self {
        match error.outage() {
            Some(told) => {
                tracing::error!(%error, "Nobody can be recognised.");
                unavailable(format!("The caller cannot be recognised: {told}.")).into()
            }
            None => Self::Internal(error.to_string()),
        }
    }
}

/// Something in the request that is not as it must be, or not promised here.
pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message).with_status(400)
}

/// A model that there is not.
pub(crate) fn no_model(message: impl Into<String>) -> Fault {
    Fault::new("ResourceNotFoundException", message).with_status(404)
}

/// The endpoint has enough to do.
pub(crate) fn throttled() -> Fault {
    Fault::new("ThrottlingException", "The model's endpoint has too many requests. Wait before trying again.")
        .with_status(429)
}

/// The endpoint cannot be had.
pub(crate) fn unavailable(message: impl Into<String>) -> Fault {
    Fault::new("ServiceUnavailableException", message).with_status(503)
}

/// The endpoint failed.
pub(crate) fn failed(message: impl Into<String>) -> Fault {
    Fault::new("ModelErrorException", message).with_status(424)
}

/// The endpoint took too long.
pub(crate) fn timed_out() -> Fault {
    Fault::new("ModelTimeoutException", "The model's endpoint did not answer in time.").with_status(408)
}
