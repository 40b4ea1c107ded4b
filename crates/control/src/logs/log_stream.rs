//! Streams of log groups.

use aws_shapes::logs::{
    CreateLogStreamRequest, DeleteLogStreamRequest, DescribeLogStreamsRequest, DescribeLogStreamsResponse,
    LogStream as Shown, LogStreamOperations,
};
use domain::Timestamp;

use super::named::{find, group_arn, name_of, stream_arn};
use super::{Logs, exists, not_found, page};
use crate::context::Context;
use crate::fault::Failure;

impl LogStreamOperations<Context> for Logs {
    type Error = Failure;

    async fn create_log_stream(
        &self,
        context: &Context,
        input: CreateLogStreamRequest,
    ) -> Result<(), Failure> {
        let (scope, group) = (&context.scope, &input.log_group_name);
        let allowed = context.authorize(&stream_arn(scope, group, &input.log_stream_name))?;
        let mut tx = allowed.begin().await?;
        find(&mut tx, scope, group).await?;
        if !tx.insert_log_stream(scope, group, &input.log_stream_name, context.now).await? {
            return Err(exists("The specified log stream already exists"));
        }
        Ok(allowed.commit(tx).await?)
    }

    async fn describe_log_streams(
        &self,
        context: &Context,
        input: DescribeLogStreamsRequest,
    ) -> Result<DescribeLogStreamsResponse, Failure> {
        let scope = &context.scope;
        let group = name_of(context, input.log_group_name, input.log_group_identifier)?;
        let allowed = context.authorize(&group_arn(scope, &group))?;
        let mut tx = allowed.read().await?;
        find(&mut tx, scope, &group).await?;
        let paging = page(input.next_token.as_deref(), input.limit)?;
        let everything = store::Page { after: paging.page().after, limit: i64::MAX };
        let mut found = tx.log_streams(scope, &group, everything).await?;
        if let Some(prefix) = &input.log_stream_name_prefix {
            found.retain(|stream| stream.name.starts_with(prefix));
        }
        let (found, next_token) = paging.cut(found, |stream| stream.name.clone());
        let shown = found.into_iter().map(|stream| Shown {
            arn: Some(stream_arn(scope, &group, &stream.name).into()),
            log_stream_name: Some(stream.name),
            creation_time: Some(stream.created_at.millis()),
            first_event_timestamp: stream.events.map(|(first, _)| first.millis()),
            last_event_timestamp: stream.events.map(|(_, last)| last.millis()),
            last_ingestion_time: stream.events.map(|(_, last)| last).map(Timestamp::millis),
            stored_bytes: Some(0),
        });
        Ok(DescribeLogStreamsResponse { log_streams: Some(shown.collect()), next_token })
    }

    async fn delete_log_stream(
        &self,
        context: &Context,
        input: DeleteLogStreamRequest,
    ) -> Result<(), Failure> {
        let (scope, group) = (&context.scope, &input.log_group_name);
        let allowed = context.authorize(&stream_arn(scope, group, &input.log_stream_name))?;
        let mut tx = allowed.begin().await?;
        find(&mut tx, scope, group).await?;
        if !tx.delete_log_stream(scope, group, &input.log_stream_name).await? {
            return Err(not_found("The specified log stream does not exist."));
        }
        Ok(allowed.commit(tx).await?)
    }
}
