//! Running a function.
//!
//! The call leaves its audit event in the audit log and writes nothing else, so that it costs no transaction.

use std::fmt::Display;

use aws::Fault;
use aws_shapes::Blob;
use aws_shapes::lambda::{InvocationRequest, InvocationResponse, InvocationType, LogType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use compute::{Completed, Invocation, InvokeError};
use domain::Function;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use telemetry::TraceContext;

use super::find_to_invoke;
use super::function::NOT_ASSUMED;
use crate::context::Context;
use crate::fault::Failure;
use crate::roles;

/// The longest client context, in bytes of base64 (API reference, Invoke).
const MAX_CLIENT_CONTEXT: usize = 3_583;

pub(super) async fn invoke(
    context: &Context,
    input: InvocationRequest,
) -> Result<InvocationResponse, Failure> {
    let found = find_to_invoke(context, &input.function_name, input.qualifier.as_deref()).await?;
    let invocation = Invocation {
        client_context: input.client_context.as_deref().map(read_client_context).transpose()?,
        payload: read_payload(input.payload)?,
        request_id: context.request_id.to_string(),
        trace_id: context.place.as_ref().map(TraceContext::amazon_trace_id),
    };
    let watched = found.allowed.watch();
    if input.invocation_type == Some(InvocationType::DryRun) {
        watched.done(None).await;
        return Ok(InvocationResponse {
            status_code: Some(204),
            executed_version: Some(found.function.function.version.clone()),
            ..InvocationResponse::default()
        });
    }
    match context.setup().functions.invoke(&found.function, invocation).await {
        Ok(completed) => {
            watched.done(error_of(&completed)).await;
            Ok(answer(completed, input.log_type == Some(LogType::Tail)))
        }
        Err(error) => {
            watched.refused();
            Err(refuse(context, &found.function.function, error).await)
        }
    }
}

/// The event as it came, if it is JSON. No event is an empty object.
fn read_payload(given: Option<Blob>) -> Result<Bytes, Failure> {
    let payload = Bytes::from(given.unwrap_or_default().0);
    let unreadable = |why: &dyn Display| {
        let message = format!("Could not parse request body into json: {why}");
        Failure::from(Fault::new("InvalidRequestContentException", message))
    };
    if !payload.is_empty() {
        let text = std::str::from_utf8(&payload).map_err(|error| unreadable(&error))?;
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| unreadable(&error))?;
    }
    Ok(payload)
}

fn read_client_context(given: &str) -> Result<Bytes, Failure> {
    let refused = |message| Failure::from(Fault::new("InvalidRequestContentException", message));
    if given.len() > MAX_CLIENT_CONTEXT {
        return Err(refused(format!("Client context must have at most {MAX_CLIENT_CONTEXT} bytes.")));
    }
    let decoded = STANDARD.decode(given).ok();
    let object = decoded.filter(|bytes| serde_json::from_slice::<Map<String, Value>>(bytes).is_ok());
    let wrong = || refused("Client context must be a valid Base64-encoded JSON object.".to_owned());
    object.map(Bytes::from).ok_or_else(wrong)
}

/// What the audit trail says of a function that failed.
fn error_of(completed: &Completed) -> Option<String> {
    let error = completed.function_error.as_ref()?;
    Some(error.error_type.clone().unwrap_or_else(|| error.kind.as_str().to_owned()))
}

fn answer(completed: Completed, with_log: bool) -> InvocationResponse {
    InvocationResponse {
        status_code: Some(200),
        function_error: completed.function_error.map(|error| error.kind.as_str().to_owned()),
        log_result: with_log.then(|| STANDARD.encode(&completed.log_tail)),
        payload: Some(Blob(completed.payload.into())),
        executed_version: Some(completed.version),
    }
}

/// Lambda's exception for what kept a function from running.
async fn refuse(context: &Context, function: &Function, error: InvokeError) -> Failure {
    match error {
        InvokeError::TooManyRequests => {
            Fault::new("TooManyRequestsException", format!("Rate Exceeded. ({error})")).into()
        }
        InvokeError::PayloadTooLarge { size, limit } => {
            let message = format!(
                "{size} byte payload is too large for the RequestResponse invocation type (limit {limit} bytes)"
            );
            Fault::new("RequestTooLargeException", message).into()
        }
        InvokeError::NoInterpreter { .. } => Fault::new("InvalidRuntimeException", error.to_string()).into(),
        InvokeError::Package(_) => Fault::new("InvalidZipFileException", error.to_string()).into(),
        InvokeError::Unstable | InvokeError::ShuttingDown => {
            Fault::new("ServiceException", error.to_string()).into()
        }
        InvokeError::CredentialsUnavailable(_) => match may_be_assumed(context, function).await {
            Ok(true) => Failure::internal(&error),
            Ok(false) => Fault::new("AccessDeniedException", NOT_ASSUMED).with_status(403).into(),
            Err(failure) => failure,
        },
        error @ (InvokeError::InvalidRequestId(_)
        | InvokeError::CodeUnavailable(_)
        | InvokeError::Start { .. }) => Failure::internal(&error),
    }
}

/// Whether the function's role is still there and trusts Lambda.
async fn may_be_assumed(context: &Context, function: &Function) -> Result<bool, Failure> {
    let mut tx = context.setup().store.read().await?;
    let role = roles::find(&mut tx, &function.scope.account, &function.role).await?;
    Ok(role.is_some_and(|role| roles::trusts(&role, roles::LAMBDA, &function.arn(), context.now)))
}
