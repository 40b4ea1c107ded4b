//! A REST service: a tool's arguments become one request, by the plan that its document gave, and the answer a tool's
//! result. Redirects are not followed: they would carry the call to where nobody allowed it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::{ExceptionLevel, Random};
use egress::{EgressError, Fetched};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::Full;
use mcp::Version;
use mcp::upstream::Dress as _;
use serde_json::{Map, Value, json};

use super::Failed;
use crate::answer::Reply;
use crate::authorize::Permitted;
use crate::credential::Carried;
use crate::snapshot::{Plan, TargetEntry};
use crate::turn::Turn;

pub(super) async fn call(
    turn: &Turn,
    permitted: &Permitted<'_>,
    target: &TargetEntry,
    id: &str,
) -> Result<Reply, Failed> {
    let plan = permitted.tool().plan.as_ref().ok_or_else(|| {
        Failed::of_gateway(format!("the tool has no plan: update the target {}", target.name))
    })?;
    let arguments: Map<String, Value> = serde_json::from_str(permitted.arguments())
        .map_err(|_| Failed::of_gateway("the arguments are no object"))?;
    let planned = match request(turn, plan, &arguments)? {
        Ok(planned) => planned,
        Err(fault) => {
            let fault = format!("Parameter validation failed: Invalid request parameters: {fault}");
            return Ok(Reply::tool_error(id, &fault));
        }
    };
    let request = with_headers(turn, target, planned);
    let endpoint = endpoint(plan, &request);
    let mut carried = Carried::of(turn, target).await?;
    let exchanged = exchange(turn, &mut carried, &request).await;
    let outcome = match exchanged {
        Ok(answer) => answered(turn, plan, &carried, &answer, &endpoint, id),
        Err(Broken::Failed(failed)) => return Err(failed),
        Err(Broken::Credential(why)) => {
            Err(Failed::of_credential(format!("the credential cannot be attached: {why}"), None, None))
        }
        Err(Broken::Egress(error)) => {
            let detail = format!("the target {} failed: {error}", target.name);
            Err(Failed::new(detail).at(&endpoint, None))
        }
    };
    carried.masked_outcome(outcome)
}

/// The request of a plan, or what is wrong with the arguments.
fn request(
    turn: &Turn,
    plan: &Plan,
    arguments: &Map<String, Value>,
) -> Result<Result<Request<Bytes>, String>, Failed> {
    Ok(match plan {
        Plan::OpenApi(operation) => operation.request(arguments).map_err(|fault| fault.to_string()),
        Plan::Smithy(operation, endpoint) => {
            let at = endpoint.as_ref().map_err(|why| Failed::of_gateway(why.as_str()))?;
            let random = &*turn.lane.plane.setup.random;
            operation.request(arguments, at, &|| token(random)).map_err(|fault| fault.to_string())
        }
    })
}

/// An idempotency token: a UUID of random bits (RFC 9562, section 5.4).
fn token(random: &dyn Random) -> String {
    let text = random.text(30, b"0123456789abcdef");
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}

/// The request with the headers of the caller that the target lets through; what the operation sets itself stays.
fn with_headers(turn: &Turn, target: &TargetEntry, mut request: Request<Bytes>) -> Request<Bytes> {
    let headers = request.headers_mut();
    for name in &target.propagation.request_headers {
        let Ok(name) = HeaderName::try_from(name) else { continue };
        if name == AUTHORIZATION || headers.contains_key(&name) {
            continue;
        }
        for value in turn.arrival.headers.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
    // What is compressed cannot be searched for secrets.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    request
}

/// Who is asked for what, without values: for the log.
fn endpoint(plan: &Plan, request: &Request<Bytes>) -> String {
    match plan {
        Plan::OpenApi(operation) => {
            format!("{} {}{}", operation.method, operation.server(), operation.path)
        }
        Plan::Smithy(operation, _) => {
            let scheme = request.uri().scheme_str().unwrap_or_default();
            let host = request.uri().authority().map(http::uri::Authority::as_str).unwrap_or_default();
            format!("{} at {scheme}://{host}", operation.name)
        }
    }
}

enum Broken {
    Failed(Failed),
    Credential(String),
    Egress(EgressError),
}

/// Sends the request; once more with a fresh token, when the one that was shown is not accepted.
async fn exchange(
    turn: &Turn,
    carried: &mut Carried<'_>,
    request: &Request<Bytes>,
) -> Result<Fetched, Broken> {
    let patience = turn.lane.plane.setup.call_timeout;
    let began = Instant::now();
    let answer = send(turn, carried, request.clone(), patience).await?;
    if answer.status == StatusCode::UNAUTHORIZED && carried.renew().await.map_err(Broken::Failed)? {
        let left = patience.saturating_sub(began.elapsed()).max(Duration::from_secs(1));
        return send(turn, carried, request.clone(), left).await;
    }
    Ok(answer)
}

async fn send(
    turn: &Turn,
    carried: &Carried<'_>,
    mut request: Request<Bytes>,
    patience: Duration,
) -> Result<Fetched, Broken> {
    carried.dress(&mut request).map_err(Broken::Credential)?;
    let request = request.map(Full::new);
    let largest = turn.lane.plane.setup.largest_payload;
    turn.lane.client.exchange(request, largest, patience).await.map_err(Broken::Egress)
}

/// The answer as a tool's result.
fn answered(
    turn: &Turn,
    plan: &Plan,
    carried: &Carried<'_>,
    answer: &Fetched,
    endpoint: &str,
    id: &str,
) -> Result<Reply, Failed> {
    let status = answer.status;
    let encoding = answer.headers.get(CONTENT_ENCODING).filter(|encoding| *encoding != "identity");
    if encoding.is_some() && !answer.body.is_empty() {
        let detail = "the target answered with a body that is compressed, although it was asked not to";
        return Err(Failed::new(detail).at(endpoint, Some(status.as_u16())));
    }
    let (mut content, structured, is_error) = match plan {
        Plan::OpenApi(operation) => {
            let result = operation.result(status, &answer.headers, &answer.body);
            (result.content, result.structured_content, result.is_error)
        }
        Plan::Smithy(operation, _) => {
            let result = operation.answer(status, &answer.headers, &answer.body);
            let content = vec![json!({ "type": "text", "text": result.content.to_string() })];
            let structured = match result.content {
                Value::Object(members) if !result.is_error => Some(members),
                _ => None,
            };
            (content, structured, result.is_error)
        }
    };
    if status.is_redirection() && matches!(plan, Plan::Smithy(..)) {
        let said = format!("HTTP {status}: the service answered with a redirect, which is not followed");
        content.push(json!({ "type": "text", "text": said }));
    }
    let mut result = Map::from_iter([("content".to_owned(), Value::Array(content))]);
    if let Some(structured) = structured.filter(|_| is_structured(turn)) {
        result.insert("structuredContent".to_owned(), Value::Object(structured));
    }
    result.insert("isError".to_owned(), Value::Bool(is_error));
    if is_error {
        let gateway = &turn.gate.gateway;
        tracing::info!(
            gateway.id = %gateway.id, leg = "target", endpoint, status = status.as_u16(),
            "A target answered with an error."
        );
        if matches!(gateway.exception_level, Some(ExceptionLevel::Debug)) {
            let said = format!("[leg target, endpoint {endpoint}, status {}]", status.as_u16());
            result.insert("_meta".to_owned(), json!({ "debug": { "type": "text", "text": said } }));
        }
    }
    let reply = Reply::result(id, &Value::Object(result).to_string());
    let reply = reply.with_headers(carried.handed_on(&answer.headers));
    Ok(if is_error { reply.failing("TargetError") } else { reply })
}

/// Whether the caller's revision knows structured content (2025-06-18, "Structured Content").
fn is_structured(turn: &Turn) -> bool {
    turn.modern || turn.arrival.former() >= Version::V2025_06_18
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_form_of_a_uuid() {
        let token = token(&domain::SystemRandom);
        let lengths: Vec<_> = token.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{token}");
        assert_eq!(token.get(14..15), Some("4"));
    }
}
