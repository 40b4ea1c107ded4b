//! AWS Secrets Manager, as far as credentials need it: secrets with their versions, and those that credential providers
//! keep. What a secret holds is in no audit event and no log; who reads it is in the trail, in the reading's transaction.
//!
//! There is no replication, no rotation and no resource policy, and keys of KMS cannot be named.

mod content;
mod listing;
mod managed;
mod named;
mod secret;
mod secret_value;
mod sweep;

use aws::Fault;

use crate::fault::Failure;

pub(crate) use named::referred;

/// The operations of the service.
pub(crate) struct SecretsManager;

fn invalid_parameter(message: impl Into<String>) -> Failure {
    Fault::new("InvalidParameterException", message).into()
}

fn invalid_request(message: impl Into<String>) -> Failure {
    Fault::new("InvalidRequestException", message).into()
}

fn not_found(message: impl Into<String>) -> Failure {
    Fault::new("ResourceNotFoundException", message).into()
}

fn exists(message: impl Into<String>) -> Failure {
    Fault::new("ResourceExistsException", message).into()
}
