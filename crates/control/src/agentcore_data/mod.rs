//! Amazon Bedrock AgentCore's data plane, as far as it is Identity's: what agents ask for at run time. Answers hold tokens
//! and keys; each leaves an audit event that says who got one of what, and nothing of it.

mod resource_credential;
mod resource_token_auth;
mod user_federation;
mod workload_access_token;

use aws::Fault;
use identity::workload::{self, WorkloadGrant, WorkloadTokenError};

use crate::context::Context;
use crate::fault::Failure;

/// The operations of the service.
pub(crate) struct AgentCoreData;

/// Whom a workload access token speaks for.
async fn opened(context: &Context, token: &str) -> Result<WorkloadGrant, Failure> {
    let opened = workload::open(&context.setup().store, &context.scope, token, context.now).await;
    opened.map_err(|error| match error {
        WorkloadTokenError::Store(error) => error.into(),
        error => {
            let message = format!("The workload access token is not valid: {error}.");
            Fault::new("UnauthorizedException", message).into()
        }
    })
}
