//! AWS Identity and Access Management: users and their access keys, groups, roles, managed policies, identity providers,
//! and what all of that would allow.
//!
//! Users, groups and roles hold policies in the same way, so `holder.rs` has what their files share. What is decided about is
//! the ARN with the path that the user, group or role really has, looked up before the decision (`holder::authorize`).

mod access_key;
mod account;
mod boundary;
mod document;
mod group;
mod holder;
mod listing;
mod managed_policy;
mod oidc_provider;
mod policy_version;
mod role;
mod service_linked_role;
mod simulation;
mod simulation_source;
mod tags;
mod user;
mod web_identity;

use aws::Fault;
use domain::Holder;

use crate::fault::Failure;

pub(crate) use document::{Kind, compile};
pub(crate) use managed_policy::read_arn as read_policy_arn;

/// The operations of the service.
pub(crate) struct Iam;

/// The path of what was made without one.
const NO_PATH: &str = "/";

fn no_such(message: String) -> Failure {
    Fault::new("NoSuchEntityException", message).into()
}

fn delete_conflict(message: &str) -> Failure {
    Fault::new("DeleteConflictException", message).into()
}

fn already_exists(message: String) -> Failure {
    Fault::new("EntityAlreadyExistsException", message).into()
}

fn over_quota(message: String) -> Failure {
    Fault::new("LimitExceededException", message).into()
}

fn invalid_input(message: String) -> Failure {
    Fault::new("InvalidInputException", message).into()
}

fn validation_error(message: &str) -> Failure {
    Fault::new("ValidationError", message).into()
}

/// `The role with name R cannot be found.`
fn no_such_holder(holder: &Holder) -> Failure {
    no_such(format!("The {} with name {} cannot be found.", holder.kind(), holder.name()))
}
