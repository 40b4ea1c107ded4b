//! Functions that a user pool runs before it signs tokens, as Cognito does.

use std::time::Duration;

use bytes::Bytes;
use compute::Invocation;
use domain::{Arn, RequestId, UserPool};
use iam::{Context, PolicySets, Question, Requester};
use identity::provider::{Answered, TriggerError, Triggers};

use crate::{FunctionName, Functions};

/// The service that invokes them.
const SERVICE: &str = "cognito-idp.amazonaws.com";
/// How long a function may take ("Lambda triggers": it must respond within 5 seconds).
const PATIENCE: Duration = Duration::from_secs(5);

impl Triggers for Functions {
    fn invoke<'a>(&'a self, pool: &'a UserPool, function: &'a Arn, event: Bytes) -> Answered<'a> {
        Box::pin(run(self, pool, function, event))
    }
}

async fn run(functions: &Functions, pool: &UserPool, arn: &Arn, event: Bytes) -> Result<Bytes, TriggerError> {
    let unknown = TriggerError::NotInvoked("ResourceNotFoundException");
    let name = FunctionName::parse(arn.as_str(), &pool.scope).ok_or(unknown.clone())?;
    let found = functions.find_named(&name).await.map_err(|error| {
        tracing::error!(%error, "A pool's function cannot be read.");
        TriggerError::NotInvoked("ServiceException")
    })?;
    let prepared = found.ok_or(unknown)?;
    let inner = &functions.0;
    let source = Arn::user_pool(&pool.scope, &pool.id);
    let requester = Requester::Service(SERVICE);
    let conditions = Context::of(&requester)
        .at(inner.clock.now())
        .with("aws:SourceArn", source.as_str())
        .with("aws:SourceAccount", source.account());
    let question = Question {
        requester,
        action: "lambda:InvokeFunction",
        resource: prepared.arn.as_str(),
        resource_account: None,
        context: &conditions,
    };
    let sets = PolicySets { resource: prepared.resource_policy.as_ref(), ..PolicySets::default() };
    if !iam::evaluate(&question, &sets).is_allowed() {
        return Err(TriggerError::NotInvoked("AccessDeniedException"));
    }
    let invocation = Invocation {
        payload: event,
        client_context: None,
        request_id: RequestId::mint(&*inner.random).to_string(),
        trace_id: None,
    };
    let completed = match tokio::time::timeout(PATIENCE, functions.invoke(&prepared, invocation)).await {
        Ok(Ok(completed)) => completed,
        Ok(Err(error)) => {
            tracing::error!(%error, lambda.arn = %arn, "A pool's function cannot be run.");
            return Err(TriggerError::NotInvoked("ServiceException"));
        }
        Err(_) => return Err(TriggerError::NotInvoked("Socket timeout while invoking Lambda function")),
    };
    if completed.function_error.is_none() {
        return Ok(completed.payload);
    }
    let raised: Option<Raised> = serde_json::from_slice(&completed.payload).ok();
    Err(TriggerError::failed(&raised.map(|raised| raised.message).unwrap_or_default()))
}

/// What a function raised.
#[derive(serde::Deserialize)]
struct Raised {
    #[serde(rename = "errorMessage", default)]
    message: String,
}
