//! Roles that are handed to a service: they must exist, the caller must be allowed to pass them, and the service must be
//! trusted to assume them.

use std::sync::Arc;

use ::iam::{Context as Conditions, Named, Policy, PolicyKind, PolicySets, Question, Requester};
use domain::{AccountId, Arn, Role, Timestamp};
use store::Tx;

use crate::context::Context;
use crate::fault::Failure;

/// `bedrock-agentcore.amazonaws.com`, which assumes the roles of gateways.
pub(crate) const AGENTCORE: &str = "bedrock-agentcore.amazonaws.com";
/// `lambda.amazonaws.com`, which assumes the roles of functions.
pub(crate) const LAMBDA: &str = "lambda.amazonaws.com";

/// Decides whether the caller may pass a role to a service (`iam:PassRole`).
///
/// # Errors
/// AWS's error when no policy allows it.
pub(crate) fn require_pass_role(context: &Context, role: &Arn, service: &str) -> Result<(), Failure> {
    context.require("iam:PassRole", role, |conditions| conditions.with("iam:PassedToService", service))
}

/// The role of an ARN, if the account has it.
///
/// # Errors
/// When the store fails.
pub(crate) async fn find(tx: &mut Tx, account: &AccountId, arn: &Arn) -> Result<Option<Role>, Failure> {
    if arn.account() != account.as_str() {
        return Ok(None);
    }
    let name = arn.resource().rsplit('/').next().unwrap_or_default();
    let found = tx.role(account, name).await?;
    Ok(found.filter(|role| role.arn() == *arn))
}

/// Whether a service may assume a role on behalf of a resource, by the role's trust policy: `aws:SourceArn` and
/// `aws:SourceAccount` name that resource.
pub(crate) fn trusts(role: &Role, service: &str, source: &Arn, now: Timestamp) -> bool {
    let Ok(trust) = trust_policy(role) else { return false };
    let arn = role.arn();
    let conditions = Conditions::of(&Requester::Service(service))
        .at(now)
        .with("aws:SourceArn", source.as_str())
        .with("aws:SourceAccount", source.account());
    let question = Question {
        requester: Requester::Service(service),
        action: "sts:AssumeRole",
        resource: arn.as_str(),
        resource_account: Some(&role.account),
        context: &conditions,
    };
    ::iam::evaluate_trust(&question, &trust, &PolicySets::default()).is_allowed()
}

/// A role's trust policy, compiled.
///
/// # Errors
/// When the stored policy cannot be read, which then trusts nobody.
pub(crate) fn trust_policy(role: &Role) -> Result<Named, Failure> {
    let policy =
        Policy::parse(&role.trust_policy.0, PolicyKind::Trust).map_err(|error| Failure::internal(&error))?;
    Ok(Named { name: format!("the trust policy of {}", role.arn()), policy: Arc::new(policy) })
}
