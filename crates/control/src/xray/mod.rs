//! AWS X-Ray, as far as setting up Transaction Search asks for it: where segments go, and how many are indexed.
//!
//! Both are kept as they are set and shown again. Spans themselves go to the collector that the operator names.

use aws::Fault;
use aws_shapes::xray::{
    GetIndexingRulesRequest, GetIndexingRulesResult, GetTraceSegmentDestinationRequest,
    GetTraceSegmentDestinationResult, IndexingRule, IndexingRuleOperations, IndexingRuleValue,
    IndexingRuleValueUpdate, ProbabilisticRuleValue, TraceSegmentDestination,
    TraceSegmentDestinationOperations, TraceSegmentDestinationStatus, UpdateIndexingRuleRequest,
    UpdateIndexingRuleResult, UpdateTraceSegmentDestinationRequest, UpdateTraceSegmentDestinationResult,
};
use domain::{Arn, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::LogSetting;

use crate::context::Context;
use crate::fault::Failure;

/// The operations of the service.
pub(crate) struct XRay;

/// The one indexing rule that there is.
const DEFAULT: &str = "Default";
const DESTINATION: &str = "destination";

/// How many of a hundred spans are indexed.
#[derive(Serialize, Deserialize)]
struct Indexing {
    percentage: f64,
    changed_at: Timestamp,
}

impl TraceSegmentDestinationOperations<Context> for XRay {
    type Error = Failure;

    async fn get_trace_segment_destination(
        &self,
        context: &Context,
        _: GetTraceSegmentDestinationRequest,
    ) -> Result<GetTraceSegmentDestinationResult, Failure> {
        let allowed = context.authorize_without_resource(&arn(&context.scope))?;
        let mut tx = allowed.read().await?;
        let set: Option<String> = tx.log_setting(&context.scope, LogSetting::XRay, DESTINATION).await?;
        Ok(GetTraceSegmentDestinationResult {
            destination: set.map(|_| TraceSegmentDestination::CloudWatchLogs),
            status: Some(TraceSegmentDestinationStatus::Active),
        })
    }

    async fn update_trace_segment_destination(
        &self,
        context: &Context,
        input: UpdateTraceSegmentDestinationRequest,
    ) -> Result<UpdateTraceSegmentDestinationResult, Failure> {
        let destination = input.destination.ok_or_else(|| invalid("Destination must be given."))?;
        let allowed = context.authorize_without_resource(&arn(&context.scope))?;
        let mut tx = allowed.begin().await?;
        tx.put_log_setting(&context.scope, LogSetting::XRay, DESTINATION, &destination.as_str()).await?;
        allowed.commit(tx).await?;
        Ok(UpdateTraceSegmentDestinationResult {
            destination: Some(destination),
            status: Some(TraceSegmentDestinationStatus::Active),
        })
    }
}

impl IndexingRuleOperations<Context> for XRay {
    type Error = Failure;

    async fn get_indexing_rules(
        &self,
        context: &Context,
        _: GetIndexingRulesRequest,
    ) -> Result<GetIndexingRulesResult, Failure> {
        let allowed = context.authorize_without_resource(&arn(&context.scope))?;
        let mut tx = allowed.read().await?;
        let set: Option<Indexing> = tx.log_setting(&context.scope, LogSetting::XRay, DEFAULT).await?;
        let indexing_rules = Some(set.as_ref().map(shown).into_iter().collect());
        Ok(GetIndexingRulesResult { indexing_rules, next_token: None })
    }

    async fn update_indexing_rule(
        &self,
        context: &Context,
        input: UpdateIndexingRuleRequest,
    ) -> Result<UpdateIndexingRuleResult, Failure> {
        let IndexingRuleValueUpdate::Probabilistic(asked) = input.rule;
        let percentage = asked.desired_sampling_percentage;
        if !(0.0..=100.0).contains(&percentage) {
            return Err(invalid("DesiredSamplingPercentage must be from 0 to 100."));
        }
        let allowed = context.authorize(&Arn::new(
            "xray",
            context.scope.region.as_str(),
            context.scope.account.as_str(),
            &format!("indexing-rule/{}", input.name),
        ))?;
        if input.name != DEFAULT {
            let message = format!("There is no indexing rule {}: the only one is Default.", input.name);
            return Err(Fault::new("ResourceNotFoundException", message).into());
        }
        let mut tx = allowed.begin().await?;
        let set = Indexing { percentage, changed_at: context.now };
        tx.put_log_setting(&context.scope, LogSetting::XRay, DEFAULT, &set).await?;
        allowed.commit(tx).await?;
        Ok(UpdateIndexingRuleResult { indexing_rule: Some(shown(&set)) })
    }
}

fn shown(set: &Indexing) -> IndexingRule {
    IndexingRule {
        name: Some(DEFAULT.to_owned()),
        modified_at: Some(set.changed_at),
        rule: Some(IndexingRuleValue::Probabilistic(ProbabilisticRuleValue {
            desired_sampling_percentage: set.percentage,
            actual_sampling_percentage: Some(set.percentage),
        })),
    }
}

fn arn(scope: &Scope) -> Arn {
    Arn::new("xray", scope.region.as_str(), scope.account.as_str(), "*")
}

fn invalid(message: &str) -> Failure {
    Fault::new("InvalidRequestException", message).into()
}
