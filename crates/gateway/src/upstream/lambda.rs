//! A function: the event is the bare arguments, and the client context says which tool is meant.
//!
//! Source: "Lambda function targets" in the AgentCore developer guide.

use bytes::Bytes;
use compute::{Completed, Invocation};
use domain::{Arn, RequestId, TargetId};
use functions::Prepared;
use mcp::{Version, jsonrpc};
use serde_json::Value;

use super::Failed;
use crate::answer::Reply;
use crate::authorize::Permitted;
use crate::turn::Turn;

/// What a call of a function needs besides the proof that it may be made.
pub(super) struct Call<'a> {
    pub(super) target: &'a TargetId,
    pub(super) function: &'a Arn,
    pub(super) prepared: Option<&'a Prepared>,
    pub(super) id: &'a str,
}

pub(super) async fn call(turn: &Turn, permitted: &Permitted<'_>, call: &Call<'_>) -> Result<Reply, Failed> {
    let event = Bytes::copy_from_slice(permitted.arguments().as_bytes());
    let context = client_context(turn, permitted, call).into();
    let completed = invoke(turn, call.function, call.prepared, event, Some(context)).await?;
    result(turn, permitted, call, &completed)
}

/// Invokes a function as the gateway's role.
pub(crate) async fn invoke(
    turn: &Turn,
    arn: &Arn,
    prepared: Option<&Prepared>,
    event: Bytes,
    client_context: Option<Bytes>,
) -> Result<Completed, Failed> {
    let gate = &turn.gate;
    let denied = |cause: &str| {
        tracing::info!(gateway.id = %gate.gateway.id, lambda.arn = %arn, error = cause, "The gateway's role may not invoke a function.");
        let detail = format!(
            "Access denied while invoking Lambda function {arn}. Check the permissions on the Lambda function and Gateway execution role, and retry the request."
        );
        Failed::of_credential(detail, None, None)
    };
    let prepared = prepared.ok_or_else(|| {
        Failed::new(format!(
            "Lambda function {arn} does not exist. Create it with the version or alias that is named, or name one that \
             does."
        ))
    })?;
    let setup = &turn.lane.plane.setup;
    gate.role
        .may_invoke(&gate.arn, &prepared.arn, prepared.resource_policy.as_ref(), setup.clock.now())
        .map_err(|cause| denied(&cause))?;
    let invocation = Invocation {
        payload: event,
        client_context,
        request_id: RequestId::mint(&*setup.random).to_string(),
        trace_id: turn.onwards.as_ref().map(telemetry::TraceContext::amazon_trace_id),
    };
    let invoking = setup.functions.invoke(prepared, invocation);
    match tokio::time::timeout(setup.call_timeout, invoking).await {
        Ok(Ok(completed)) => Ok(completed),
        Ok(Err(error)) => Err(Failed::new(format!("Lambda function {arn}: {error}"))),
        Err(_) => {
            let seconds = setup.call_timeout.as_secs();
            Err(Failed::new(format!("Lambda function {arn} did not answer within {seconds} seconds.")))
        }
    }
}

/// What the function learns besides the arguments. The values are ids and names: the ones that could hold a quote are
/// written as JSON writes them.
fn client_context(turn: &Turn, permitted: &Permitted<'_>, call: &Call<'_>) -> String {
    // The client's id may be a text or a number; the function gets a text.
    let message_id: String = match call.id.strip_prefix('"') {
        Some(_) => call.id.to_owned(),
        None => format!("\"{}\"", call.id),
    };
    format!(
        "{{\"custom\":{{\"bedrockAgentCoreMessageVersion\":\"1.0\",\"bedrockAgentCoreAwsRequestId\":\"{}\",\
         \"bedrockAgentCoreMcpMessageId\":{message_id},\"bedrockAgentCoreGatewayId\":\"{}\",\
         \"bedrockAgentCoreTargetId\":\"{}\",\"bedrockAgentCoreToolName\":{}}}}}",
        turn.request_id,
        turn.gate.gateway.id,
        call.target,
        Value::from(permitted.tool().name.as_str()),
    )
}

/// The function's answer as a tool's result: its JSON as a text, and as structured content where that was promised.
fn result(
    turn: &Turn,
    permitted: &Permitted<'_>,
    call: &Call<'_>,
    completed: &Completed,
) -> Result<Reply, Failed> {
    let payload = String::from_utf8_lossy(&completed.payload);
    if let Some(error) = &completed.function_error {
        let kind = error.error_type.as_deref().unwrap_or("an error");
        let detail = format!("Lambda function {} failed with {kind}", call.function);
        return Err(Failed::new(detail).answered(payload));
    }
    if strict_enough(&payload).is_err() {
        return Err(Failed::new(format!(
            "Lambda function {} answered with something that is not JSON.",
            call.function
        )));
    }
    let text = Value::from(&*payload);
    let structured = permitted.tool().has_output_schema
        && payload.trim_start().starts_with('{')
        && (turn.modern || turn.arrival.former() >= Version::V2025_06_18);
    let result = if structured {
        format!(
            "{{\"content\":[{{\"type\":\"text\",\"text\":{text}}}],\"structuredContent\":{payload},\"isError\":false}}"
        )
    } else {
        jsonrpc::text_result(&payload, false)
    };
    Ok(Reply::result(call.id, &result))
}

/// Whether the text is one JSON document; nothing here reads what is in it.
fn strict_enough(payload: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<serde::de::IgnoredAny>(payload).map(|_| ())
}
