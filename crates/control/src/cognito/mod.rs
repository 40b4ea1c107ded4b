//! Amazon Cognito's user pools: pools, their domains, resource servers with their scopes, app clients, users and groups.
//! The tokens themselves come from `identity::provider`.
//!
//! A pool is known to its own account and region only, and everything in a pool is decided about by the pool's ARN.

mod client_settings;
mod group;
mod redirects;
mod resource_server;
mod sign_in;
mod triggers;
mod user;
mod user_pool;
mod user_pool_client;
mod user_pool_domain;

pub(crate) use sign_in::is_open;

use aws::Fault;
use domain::{Arn, Document, Scope, UserPool, UserPoolId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::Tx;

use crate::fault::Failure;
use crate::paging::Paging;

/// The operations of the service.
pub(crate) struct Cognito;

/// How many items a page has when the caller does not say.
const PAGE: usize = 60;

/// The ARN that stands for all pools of a scope: what creating and listing are decided about.
fn all_pools(scope: &Scope) -> Arn {
    Arn::user_pool(scope, &UserPoolId::from_text("*"))
}

/// The pool of an id, if it is one of this account and region.
async fn find_pool(tx: &mut Tx, scope: &Scope, id: &UserPoolId) -> Result<UserPool, Failure> {
    let found = tx.user_pool(id).await?.filter(|pool| pool.scope == *scope);
    found.ok_or_else(|| not_found(format!("User pool {id} does not exist.")))
}

fn page(token: Option<&str>, size: Option<i64>) -> Result<Paging, Failure> {
    let unknown = "NextToken is not a token of this list. Use the one that the page before returned.";
    Paging::new(token, size, PAGE).ok_or_else(|| invalid(unknown))
}

fn invalid(message: impl Into<String>) -> Failure {
    Fault::new("InvalidParameterException", message).into()
}

fn not_found(message: String) -> Failure {
    Fault::new("ResourceNotFoundException", message).into()
}

fn over_limit(what: &str, most: usize) -> Failure {
    let message = format!("The limit of {most} {what} is reached. Delete what you no longer need.");
    Fault::new("LimitExceededException", message).into()
}

/// Settings that are kept only to be echoed, as the store keeps them.
fn written<T: Serialize>(settings: &T) -> Result<Document, Failure> {
    serde_json::to_string(settings).map(Document).map_err(|error| Failure::internal(&error))
}

/// The same, read back.
fn read<T: DeserializeOwned>(settings: &Document) -> Result<T, Failure> {
    serde_json::from_str(&settings.0).map_err(|error| Failure::internal(&error))
}
