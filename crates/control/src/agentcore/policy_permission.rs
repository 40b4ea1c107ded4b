//! What a caller must be allowed besides the operation itself to manage a policy (developer guide, "Gateway and Policy IAM
//! permissions").
//!
//! `ManageResourceScopedPolicy` on the gateway that a policy names, `ManageAdminPolicy` on all gateways for one that names
//! none: two actions that are no operations, refused at once. And `InvokeGateway` on the named gateway, because a check
//! tells what its tools are: without it nothing is checked, and the policy fails as AWS says it does.

use domain::{Arn, Policy};
use policy::ResourceScope;
use store::Tx;

use super::all_gateways;
use crate::context::Context;
use crate::fault::Failure;

/// Decides whether the caller may manage a policy with this statement. One that does not parse is nobody's gateway's, and
/// will not be in force.
///
/// # Errors
/// AWS's error when no policy of IAM allows it.
pub(super) async fn require_scope(context: &Context, tx: &mut Tx, statement: &str) -> Result<(), Failure> {
    match policy::resource_scope(statement) {
        None => Ok(()),
        Some(ResourceScope::Gateway(named)) => match Arn::parse(&named) {
            Ok(gateway) => {
                context.require_tagged(tx, "bedrock-agentcore:ManageResourceScopedPolicy", &gateway).await
            }
            // It names no gateway that there could be.
            Err(_) => Ok(()),
        },
        Some(ResourceScope::Any | ResourceScope::AnyGateway | ResourceScope::Other) => {
            let all = all_gateways(&context.scope);
            context.require("bedrock-agentcore:ManageAdminPolicy", &all, |conditions| conditions)
        }
    }
}

/// Decides whether the caller may change or remove a policy: by its statement, and by the one that is still in force where
/// the last update failed.
///
/// # Errors
/// AWS's error when no policy of IAM allows it.
pub(super) async fn require_scope_of(context: &Context, tx: &mut Tx, policy: &Policy) -> Result<(), Failure> {
    let in_force = policy.in_force.iter().filter(|it| **it != policy.statement);
    for statement in std::iter::once(&policy.statement).chain(in_force) {
        require_scope(context, tx, statement).await?;
    }
    Ok(())
}

/// Why a statement cannot be checked on behalf of the caller: AWS's reason for a gateway that the caller may not invoke.
///
/// # Errors
/// AWS's error for a call that is not signed.
pub(super) async fn barred(
    context: &Context,
    tx: &mut Tx,
    statement: &str,
) -> Result<Option<String>, Failure> {
    for named in policy::named_gateways(statement) {
        let Ok(gateway) = Arn::parse(&named) else { continue };
        if !context.may(tx, "bedrock-agentcore:InvokeGateway", &gateway).await? {
            let id = gateway.resource().strip_prefix("gateway/").unwrap_or(gateway.resource());
            return Ok(Some(format!("Insufficient permissions to call gateway with ID {id}")));
        }
    }
    Ok(None)
}
