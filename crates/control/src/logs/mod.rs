//! Amazon CloudWatch Logs, as far as what AgentCore delivers needs it: log groups with their streams and events, the
//! policies that let services write, and delivery of a gateway's records.
//!
//! Events are kept in the database, within the retention of their group and never more than a million a group.

mod delivery;
mod delivery_destination;
mod delivery_source;
mod filter;
mod log_event;
mod log_group;
mod log_stream;
mod named;
mod resource_policy;
mod sweep;

use aws::Fault;

use crate::fault::Failure;
use crate::paging::Paging;

/// The operations of the service.
pub(crate) struct Logs;

/// How many items a page has when the caller does not say.
const PAGE: usize = 50;

fn page(token: Option<&str>, size: Option<i64>) -> Result<Paging, Failure> {
    let unknown = "The specified nextToken is invalid.";
    Paging::new(token, size, PAGE).ok_or_else(|| invalid(unknown))
}

fn invalid(message: impl Into<String>) -> Failure {
    Fault::new("InvalidParameterException", message).into()
}

fn not_found(message: impl Into<String>) -> Failure {
    Fault::new("ResourceNotFoundException", message).into()
}

fn exists(message: impl Into<String>) -> Failure {
    Fault::new("ResourceAlreadyExistsException", message).into()
}

fn conflict(message: impl Into<String>) -> Failure {
    Fault::new("ConflictException", message).into()
}

fn over_limit(what: &str, most: usize) -> Failure {
    let message = format!("The limit of {most} {what} is reached. Delete what you no longer need.");
    Fault::new("LimitExceededException", message).into()
}
