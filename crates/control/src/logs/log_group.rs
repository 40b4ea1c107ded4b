//! Log groups.

use aws_shapes::logs::{
    CreateLogGroupRequest, DeleteLogGroupRequest, DeleteRetentionPolicyRequest, DescribeLogGroupsRequest,
    DescribeLogGroupsResponse, LogGroup as Shown, LogGroupOperations, PutRetentionPolicyRequest,
};
use store::{LogGroup, StoreError};

use super::named::{find, group_arn};
use super::{Logs, exists, invalid, over_limit, page};
use crate::context::Context;
use crate::fault::Failure;

/// How many groups an account may have in a region.
const MOST_GROUPS: usize = 10_000;
/// What a retention may be, in days (`PutRetentionPolicy`).
const RETENTIONS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

impl LogGroupOperations<Context> for Logs {
    type Error = Failure;

    async fn create_log_group(&self, context: &Context, input: CreateLogGroupRequest) -> Result<(), Failure> {
        let name = input.log_group_name;
        let allowed = context.authorize(&group_arn(&context.scope, &name))?;
        let mut tx = allowed.begin().await?;
        let all = store::Page { after: "", limit: i64::try_from(MOST_GROUPS).unwrap_or(i64::MAX) };
        if tx.log_groups(&context.scope, all).await?.len() >= MOST_GROUPS {
            return Err(over_limit("log groups", MOST_GROUPS));
        }
        let group =
            LogGroup { scope: context.scope.clone(), name, created_at: context.now, retention_days: None };
        match tx.insert_log_group(&group).await {
            Err(StoreError::Exists) => Err(exists("The specified log group already exists")),
            made => {
                made?;
                Ok(allowed.commit(tx).await?)
            }
        }
    }

    async fn describe_log_groups(
        &self,
        context: &Context,
        input: DescribeLogGroupsRequest,
    ) -> Result<DescribeLogGroupsResponse, Failure> {
        let DescribeLogGroupsRequest {
            log_group_name_prefix: prefix, log_group_name_pattern: pattern, ..
        } = &input;
        if prefix.is_some() && pattern.is_some() {
            return Err(invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            ));
        }
        let allowed = context.authorize(&group_arn(&context.scope, "*"))?;
        let paging = page(input.next_token.as_deref(), input.limit)?;
        let pattern = pattern.as_ref().map(|it| it.to_lowercase());
        let wanted = |group: &LogGroup| {
            prefix.as_ref().is_none_or(|prefix| group.name.starts_with(prefix))
                && pattern.as_ref().is_none_or(|pattern| group.name.to_lowercase().contains(pattern))
        };
        let mut tx = allowed.read().await?;
        let everything = store::Page { after: paging.page().after, limit: i64::MAX };
        let mut found = tx.log_groups(&context.scope, everything).await?;
        found.retain(wanted);
        let (found, next_token) = paging.cut(found, |group| group.name.clone());
        let log_groups = Some(found.iter().map(shown).collect());
        Ok(DescribeLogGroupsResponse { log_groups, next_token })
    }

    async fn delete_log_group(&self, context: &Context, input: DeleteLogGroupRequest) -> Result<(), Failure> {
        let name = input.log_group_name;
        let allowed = context.authorize(&group_arn(&context.scope, &name))?;
        let mut tx = allowed.begin().await?;
        find(&mut tx, &context.scope, &name).await?;
        tx.delete_log_group(&context.scope, &name).await?;
        Ok(allowed.commit(tx).await?)
    }

    async fn put_retention_policy(
        &self,
        context: &Context,
        input: PutRetentionPolicyRequest,
    ) -> Result<(), Failure> {
        let days = input.retention_in_days;
        if !RETENTIONS.contains(&days) {
            let known: Vec<_> = RETENTIONS.iter().map(ToString::to_string).collect();
            return Err(invalid(format!("retentionInDays must be one of {}.", known.join(", "))));
        }
        retain(context, &input.log_group_name, days).await
    }

    async fn delete_retention_policy(
        &self,
        context: &Context,
        input: DeleteRetentionPolicyRequest,
    ) -> Result<(), Failure> {
        retain(context, &input.log_group_name, 0).await
    }
}

async fn retain(context: &Context, name: &str, days: i64) -> Result<(), Failure> {
    let allowed = context.authorize(&group_arn(&context.scope, name))?;
    let mut tx = allowed.begin().await?;
    find(&mut tx, &context.scope, name).await?;
    tx.set_log_retention(&context.scope, name, days).await?;
    Ok(allowed.commit(tx).await?)
}

fn shown(group: &LogGroup) -> Shown {
    let arn = group_arn(&group.scope, &group.name).to_string();
    Shown {
        log_group_name: Some(group.name.clone()),
        creation_time: Some(group.created_at.millis()),
        retention_in_days: group.retention_days,
        metric_filter_count: Some(0),
        arn: Some(format!("{arn}:*")),
        stored_bytes: None,
        log_group_arn: Some(arn),
    }
}
