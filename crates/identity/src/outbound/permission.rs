//! Whether a role may use a credential provider (developer guide, "Outbound authorization": what the gateway's service
//! role needs): the vault and the provider are asked about by the action that AWS has for each kind, and the secret by
//! `secretsmanager:GetSecretValue`.
//!
//! `bedrock-agentcore:GetWorkloadAccessToken`, which AWS asks for too, is not asked for: a gateway's workload identity is
//! its own, and no token of it is handed out.

use std::collections::BTreeMap;

use domain::{Arn, Caller, CredentialKind, CredentialProvider, Timestamp};
use iam::{Context, Question, Requester};

use super::speaker::ALGORITHM;
use crate::principal::Permissions;
use crate::web_identity::LIFE;

/// A session of a role that acts for a gateway.
#[derive(Clone, Copy)]
pub struct Role<'a> {
    /// The session.
    pub caller: &'a Caller,
    /// What the role has: its policies, its boundary, its tags.
    pub permissions: &'a Permissions,
    /// The gateway, for `aws:SourceArn` and `aws:SourceAccount`.
    pub source: &'a Arn,
}

/// Decides whether a role may use a provider that has these tags.
///
/// # Errors
/// AWS's message, which names the action and the ARN that a policy of the role must allow.
pub fn may_use(
    role: Role<'_>,
    (provider, tags): (&CredentialProvider, &BTreeMap<String, String>),
    now: Timestamp,
) -> Result<(), String> {
    let action = match provider.kind() {
        CredentialKind::ApiKey => "bedrock-agentcore:GetResourceApiKey",
        CredentialKind::OAuth2 => "bedrock-agentcore:GetResourceOauth2Token",
    };
    allows(role, action, &Arn::token_vault(&provider.scope), now)?;
    allows_with(role, action, &provider.arn(), now, |known| known.with_tags("aws:ResourceTag", tags))?;
    allows(role, "secretsmanager:GetSecretValue", &provider.secret_arn(), now)
}

/// Decides whether a role may say to a token endpoint that it is the one who asks, as by `sts:GetWebIdentityToken`.
///
/// # Errors
/// As [`may_use`].
pub fn may_speak(role: Role<'_>, audience: &str, now: Timestamp) -> Result<(), String> {
    let own = Arn::new("sts", "", role.caller.account.as_str(), "self");
    allows_with(role, "sts:GetWebIdentityToken", &own, now, |conditions| speaking(conditions, audience))
}

/// What a web identity token for a token endpoint is to say, as condition keys.
#[must_use]
pub fn speaking(conditions: Context, audience: &str) -> Context {
    conditions
        .with_many("sts:IdentityTokenAudience", [audience])
        .with("sts:DurationSeconds", LIFE.as_secs().to_string())
        .with("sts:SigningAlgorithm", ALGORITHM.as_str())
}

fn allows(role: Role<'_>, action: &str, resource: &Arn, now: Timestamp) -> Result<(), String> {
    allows_with(role, action, resource, now, |conditions| conditions)
}

fn allows_with(
    role: Role<'_>,
    action: &str,
    resource: &Arn,
    now: Timestamp,
    more: impl FnOnce(Context) -> Context,
) -> Result<(), String> {
    let requester = Requester::Iam(role.caller);
    let conditions = role
        .permissions
        .conditions(role.caller)
        .at(now)
        .with("aws:SourceArn", role.source.as_str())
        .with("aws:SourceAccount", role.source.account());
    let conditions = more(conditions);
    let question = Question {
        requester,
        action,
        resource: resource.as_str(),
        resource_account: None,
        context: &conditions,
    };
    let verdict = iam::evaluate(&question, &role.permissions.sets(None));
    verdict.denial(&question).map_or(Ok(()), Err)
}
