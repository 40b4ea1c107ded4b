//! Whether a role may use a credential provider (developer guide, "Outbound authorization": what the gateway's service
//! role needs): the vault and the provider are asked about by the action that AWS has for each kind, and the secret by
//! `secretsmanager:GetSecretValue`.
//!
//! `bedrock-agentcore:GetWorkloadAccessToken`, which AWS asks for too where a gateway has a workload identity, is not
//! asked for: gateways have none here.

use domain::{Arn, Caller, CredentialKind, CredentialProvider, Timestamp};
use iam::{Context, Named, PolicySets, Question, Requester};

/// A session of a role that acts for a gateway.
#[derive(Clone, Copy)]
pub struct Role<'a> {
    /// The session.
    pub caller: &'a Caller,
    /// The role's policies.
    pub policies: &'a [Named],
    /// The gateway, for `aws:SourceArn` and `aws:SourceAccount`.
    pub source: &'a Arn,
}

/// Decides whether a role may use a provider.
///
/// # Errors
/// AWS's message, which names the action and the ARN that a policy of the role must allow.
pub fn may_use(role: Role<'_>, provider: &CredentialProvider, now: Timestamp) -> Result<(), String> {
    let action = match provider.kind() {
        CredentialKind::ApiKey => "bedrock-agentcore:GetResourceApiKey",
        CredentialKind::OAuth2 => "bedrock-agentcore:GetResourceOauth2Token",
    };
    allows(role, action, &Arn::token_vault(&provider.scope), now)?;
    allows(role, action, &provider.arn(), now)?;
    allows(role, "secretsmanager:GetSecretValue", &provider.secret_arn(), now)
}

fn allows(role: Role<'_>, action: &str, resource: &Arn, now: Timestamp) -> Result<(), String> {
    let requester = Requester::Iam(role.caller);
    let conditions = Context::of(&requester)
        .at(now)
        .with("aws:SourceArn", role.source.as_str())
        .with("aws:SourceAccount", role.source.account());
    let question = Question {
        requester,
        action,
        resource: resource.as_str(),
        resource_account: None,
        context: &conditions,
    };
    let verdict = iam::evaluate(&question, &PolicySets { identity: role.policies, ..PolicySets::default() });
    verdict.denial(&question).map_or(Ok(()), Err)
}
