//! The policies by which services may write to log groups. They are kept and shown; what delivers here asks for none.

use aws_shapes::logs::{
    DeleteResourcePolicyRequest, DescribeResourcePoliciesRequest, DescribeResourcePoliciesResponse,
    LogResourcePolicyOperations, PutResourcePolicyRequest, PutResourcePolicyResponse, ResourcePolicy,
};
use domain::Timestamp;
use serde::{Deserialize, Serialize};
use store::{LogSetting, Page};

use super::named::arn;
use super::{Logs, invalid, not_found, over_limit, page};
use crate::context::Context;
use crate::fault::Failure;

/// How many policies a scope may have (CloudWatch Logs quotas).
const MOST_POLICIES: usize = 10;
/// The longest policy, in characters.
const LONGEST: usize = 5_120;

/// A policy, as it is kept.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    name: String,
    document: String,
    changed_at: Timestamp,
}

impl LogResourcePolicyOperations<Context> for Logs {
    type Error = Failure;

    async fn put_resource_policy(
        &self,
        context: &Context,
        input: PutResourcePolicyRequest,
    ) -> Result<PutResourcePolicyResponse, Failure> {
        let (Some(name), Some(document)) = (input.policy_name, input.policy_document) else {
            return Err(invalid("policyName and policyDocument must be given."));
        };
        let statements = serde_json::from_str::<serde_json::Value>(&document).ok();
        if document.chars().count() > LONGEST || statements.is_none_or(|it| it.get("Statement").is_none()) {
            return Err(invalid("The policy document is no policy of at most 5120 characters."));
        }
        let allowed =
            context.authorize_without_resource(&arn(&context.scope, &format!("resource-policy:{name}")))?;
        let mut tx = allowed.begin().await?;
        let kept: Vec<Kept> = tx.log_settings(&context.scope, LogSetting::ResourcePolicy, Page::ALL).await?;
        if kept.len() >= MOST_POLICIES && !kept.iter().any(|it| it.name == name) {
            return Err(over_limit("resource policies", MOST_POLICIES));
        }
        let kept = Kept { name, document, changed_at: context.now };
        tx.put_log_setting(&context.scope, LogSetting::ResourcePolicy, &kept.name, &kept).await?;
        allowed.commit(tx).await?;
        Ok(PutResourcePolicyResponse { resource_policy: Some(shown(kept)) })
    }

    async fn describe_resource_policies(
        &self,
        context: &Context,
        input: DescribeResourcePoliciesRequest,
    ) -> Result<DescribeResourcePoliciesResponse, Failure> {
        let allowed = context.authorize_without_resource(&arn(&context.scope, "resource-policy:*"))?;
        let paging = page(input.next_token.as_deref(), input.limit)?;
        let mut tx = allowed.read().await?;
        let found: Vec<Kept> =
            tx.log_settings(&context.scope, LogSetting::ResourcePolicy, paging.page()).await?;
        let (found, next_token) = paging.cut(found, |it| it.name.clone());
        let resource_policies = Some(found.into_iter().map(shown).collect());
        Ok(DescribeResourcePoliciesResponse { resource_policies, next_token })
    }

    async fn delete_resource_policy(
        &self,
        context: &Context,
        input: DeleteResourcePolicyRequest,
    ) -> Result<(), Failure> {
        let name = input.policy_name.ok_or_else(|| invalid("policyName must be given."))?;
        let allowed =
            context.authorize_without_resource(&arn(&context.scope, &format!("resource-policy:{name}")))?;
        let mut tx = allowed.begin().await?;
        if !tx.delete_log_setting(&context.scope, LogSetting::ResourcePolicy, &name).await? {
            return Err(not_found(format!("Policy with name {name} does not exist")));
        }
        Ok(allowed.commit(tx).await?)
    }
}

fn shown(kept: Kept) -> ResourcePolicy {
    ResourcePolicy {
        policy_name: Some(kept.name),
        policy_document: Some(kept.document),
        last_updated_time: Some(kept.changed_at.millis()),
    }
}
