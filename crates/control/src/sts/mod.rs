//! AWS Security Token Service: sessions of roles and users, and who somebody is.
//!
//! What sessions of every kind have in common is in `opening.rs`: how long they last, what narrows them, what is said of
//! them. Whether one is opened is decided where each kind is.

mod caller;
mod federated;
mod opening;
mod session;
mod web_identity;

use ::iam::Context as Conditions;
use aws::Fault;
use aws_shapes::{OperationSpec, ServiceSpec};
use domain::Principal;
use http::HeaderMap;
use identity::principal::Identity;

use crate::fault::Failure;

pub(crate) use web_identity::own_session;

/// The operations of the service.
pub(crate) struct Sts;

/// Whether a request is for an operation that nobody signs: a token takes the place of the signature.
pub(crate) fn is_open(service: &ServiceSpec, headers: &HeaderMap, body: &[u8]) -> bool {
    service.name == "sts"
        && aws::unsigned_action(headers, body).is_some_and(|action| action == "AssumeRoleWithWebIdentity")
}

/// Sees that the session of a user stays within what such sessions may reach: not IAM, and of STS only what leads to
/// sessions of roles (API reference, `GetSessionToken`; nobody here signs in with a second factor, which would widen it).
///
/// # Errors
/// AWS's error for a token that is not taken.
pub(crate) fn check_reach(
    identity: &Identity,
    service: &ServiceSpec,
    operation: &OperationSpec,
) -> Result<(), Failure> {
    let caller = &identity.caller;
    let is_role = matches!(caller.principal, Principal::AssumedRole { .. });
    let beyond = match service.name {
        "iam" => true,
        "sts" => !matches!(operation.name, "AssumeRole" | "GetCallerIdentity"),
        _ => false,
    };
    if caller.issued_at.is_none() || is_role || !beyond {
        return Ok(());
    }
    Err(Fault::unknown_key(service.protocol).into())
}

fn validation_error(message: impl Into<String>) -> Failure {
    Fault::new("ValidationError", message).into()
}

fn access_denied(message: impl Into<String>) -> Failure {
    Fault::new("AccessDenied", message).with_status(403).into()
}

/// The tags of a role, as the decision about assuming it sees them.
fn of_role(conditions: Conditions, role: &domain::Role) -> Conditions {
    conditions.with_tags("aws:ResourceTag", &role.tags).with_tags("iam:ResourceTag", &role.tags)
}
