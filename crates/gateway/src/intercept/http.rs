//! Interceptors of HTTP targets: bodies are base64, an answer is seen whole or not at all, and the answer of the first
//! interceptor is not shown to the second ("Interceptors for HTTP targets").

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};

use super::output::Output;
use super::{MAX_EVENT, ask, headers, take_headers};
use crate::body::Body;
use crate::forward::whole;
use crate::turn::Turn;
use crate::upstream::Failed;

/// What an interceptor is shown of a request besides its body and its headers.
pub(crate) struct Shown<'a> {
    pub(crate) path: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) peer: IpAddr,
}

/// What the interceptor of requests has done.
pub(crate) enum SeenHttp {
    Unchanged,
    Changed(Bytes),
    Answered(Response<Body>),
}

/// Shows a request to the interceptor of requests.
pub(crate) async fn request(turn: &mut Turn, shown: &Shown<'_>, body: &Bytes) -> Result<SeenHttp, Failed> {
    let gate = std::sync::Arc::clone(&turn.gate);
    let Some(interceptor) = &gate.interceptors.request else { return Ok(SeenHttp::Unchanged) };
    let headers = interceptor.pass_headers.then(|| headers::shown(turn.arrival.headers.iter()));
    let mut request = json!({
        "path": shown.path,
        "httpMethod": shown.method.as_str(),
        "body": STANDARD.encode(body),
    });
    if let (Some(headers), Some(request)) = (headers, request.as_object_mut()) {
        request.insert("headers".to_owned(), Value::Object(headers));
    }
    let event = json!({ "interceptorInputVersion": "1.0", "http": { "gatewayRequest": request } });
    let answer = ask(turn, interceptor, event.to_string().into(), Some(context(turn, shown))).await?;
    let output = Output::read(&answer, "http")?;
    if let Some(response) = output.response {
        let answered = response.of_http()?;
        let mut given: HeaderMap = answered.headers.into_iter().collect();
        given.extend(answered.content_type.map(|kind| (CONTENT_TYPE, kind)));
        let status = answered.status.unwrap_or(StatusCode::OK);
        return Ok(SeenHttp::Answered(whole(status, given, answered.body.unwrap_or_default())));
    }
    let Some(changed) = output.request else { return Ok(SeenHttp::Unchanged) };
    take_headers(turn, changed.headers)?;
    match changed.body {
        None => Ok(SeenHttp::Unchanged),
        Some(body) => super::output::decoded(&body).map(SeenHttp::Changed),
    }
}

/// Shows an answer to the interceptor of answers, which sees it whole: 6 MB at most.
pub(crate) async fn response(
    turn: &Turn,
    response: Response<Body>,
    shown: &Shown<'_>,
) -> Result<Response<Body>, Failed> {
    let Some(interceptor) = &turn.gate.interceptors.response else { return Ok(response) };
    let (mut head, body) = response.into_parts();
    let (body, shown_body) = if interceptor.without_response_body {
        (body, Value::Null)
    } else {
        let read = Limited::new(body, MAX_EVENT).collect().await;
        let read = read.map_err(|error| {
            Failed::new(format!("the answer cannot be shown to the interceptor: {error}"))
        })?;
        let read = read.to_bytes();
        let shown = Value::from(STANDARD.encode(&read));
        (Body::whole(read), shown)
    };
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let event = json!({ "interceptorInputVersion": "1.0", "http": {
        "gatewayRequest": null,
        "gatewayResponse": {
            "statusCode": head.status.as_u16(),
            "headers": headers::shown(head.headers.iter()),
            "body": shown_body,
            "contentType": kind,
        },
    }});
    let answer = ask(turn, interceptor, event.to_string().into(), Some(context(turn, shown))).await?;
    let Some(changed) = Output::read(&answer, "http")?.response else {
        return Ok(Response::from_parts(head, body));
    };
    let answered = changed.of_http()?;
    head.status = answered.status.unwrap_or(head.status);
    for (name, value) in answered.headers {
        head.headers.insert(name, value);
    }
    if let Some(kind) = answered.content_type {
        head.headers.insert(CONTENT_TYPE, kind);
    }
    let body = match answered.body {
        Some(changed) => {
            head.headers.remove(CONTENT_LENGTH);
            head.headers.remove("content-encoding");
            Body::whole(changed)
        }
        None => body,
    };
    Ok(Response::from_parts(head, body))
}

/// What the function learns besides ("Client context").
fn context(turn: &Turn, shown: &Shown<'_>) -> Bytes {
    let custom = json!({
        "GATEWAY_ARN": turn.gate.arn.as_str(),
        "GATEWAY_ACCOUNT_ID": turn.gate.gateway.scope.account.as_str(),
        "REQUEST_ID": turn.request_id.as_str(),
        "SOURCE_IP": shown.peer.to_string(),
    });
    json!({ "custom": custom }).to_string().into()
}
