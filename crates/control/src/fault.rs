//! How an operation fails: with a fault for its caller, or with a cause for our log and nothing more than that for the
//! caller.

use aws::Fault;
use aws_shapes::{Mismatch, ServiceSpec};
use domain::{IllegalTransition, RequestId};
use store::StoreError;

/// Why an operation was not done.
#[derive(Debug)]
pub enum Failure {
    /// The caller's mistake, or a state that forbids it: told as it is.
    Fault(Fault),
    /// Ours: logged, and told without its cause.
    Internal(String),
}

impl Failure {
    /// Something went wrong on our side.
    pub fn internal(cause: &impl ToString) -> Self {
        Self::Internal(cause.to_string())
    }

    /// Nothing can be said or done now.
    pub(crate) fn unavailable(why: &impl ToString) -> Self {
        Self::Fault(unavailable(why))
    }

    /// What the caller is told. A cause of ours goes into the log, under the request's id.
    pub(crate) fn into_fault(self, service: Option<&ServiceSpec>, request_id: &RequestId) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            Self::Internal(cause) => {
                tracing::error!(request.id = %request_id, error = %cause, "An operation failed.");
                Fault::internal(service)
            }
        }
    }
}

/// What a caller is told when nothing can be said or done now.
pub fn unavailable(why: &impl ToString) -> Fault {
    Fault::new("ServiceUnavailableException", sentence(why)).with_status(503)
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Mismatch> for Failure {
    fn from(mismatch: Mismatch) -> Self {
        Self::internal(&mismatch)
    }
}

/// A failure of the store is ours, unless the operation says what a conflict means to its caller before.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for Failure {
    fn from(error: &StoreError) -> Self {
        if let Some(told) = error.outage() {
            tracing::error!(%error, "Nothing is read or changed.");
            return Self::unavailable(&told);
        }
        match error {
            StoreError::Stale => Self::Fault(Fault::new(
                "ConflictException",
                "The resource was changed by another request at the same time. Read it again and retry.",
            )),
            StoreError::KeyUnusable(why) => Self::Fault(Fault::new("ValidationException", sentence(why))),
            StoreError::Nul => Self::Fault(Fault::new("ValidationException", sentence(error))),
            error => Self::internal(error),
        }
    }
}

impl From<IllegalTransition> for Failure {
    fn from(error: IllegalTransition) -> Self {
        let message = format!(
            "The resource is {} and cannot {} now. Wait until that has ended.",
            error.status, error.attempt
        );
        Self::Fault(Fault::new("ConflictException", message))
    }
}

/// `ValidationException` of AgentCore about one field.
pub(crate) fn invalid(field: &str, message: impl Into<String>) -> Failure {
    let message = message.into();
    let fields = vec![aws::FieldFault { name: format!("/{field}"), message: message.clone() }];
    Failure::Fault(Fault {
        fields,
        ..Fault::new("ValidationException", message).with_reason("FieldValidationFailed")
    })
}

/// The longest sentence that is made of an error, in characters.
const LONGEST_SENTENCE: usize = 1_024;

/// An error as a message of the API: a capital letter and a full stop.
pub(crate) fn sentence(error: &impl ToString) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first.chars().chain(letters).chain(['.']).take(LONGEST_SENTENCE).collect()
}
