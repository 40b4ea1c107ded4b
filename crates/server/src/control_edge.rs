//! Brings a signed AWS call to the control planes: reads its body, as far as its caller may send one.

use std::net::IpAddr;
use std::time::Duration;

use aws::{Fault, sigv4};
use bytes::Bytes;
use control::Request as ControlRequest;
use domain::{RequestId, SecureTransport};
use gateway::Body;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::arriving::Arriving;
use crate::composition::House;
use crate::response;

/// The largest body of most operations.
const MAX_BODY: usize = 6 * 1024 * 1024;
/// The largest body of Lambda's, whose archives have 50 MB and come in base64.
const MAX_LAMBDA_BODY: usize = 70 * 1024 * 1024;
/// The largest body of those whose key is not known here.
const MAX_STRANGERS_BODY: usize = 64 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers a signed AWS call.
pub(crate) async fn answer(house: &House, request: Request<Arriving>, peer: IpAddr) -> Response<Body> {
    let (head, incoming) = request.into_parts();
    let limit = match limit(house, &head.headers).await {
        Ok(limit) => limit,
        Err(fault) => return refuse(house, &head, &fault),
    };
    let reading = Limited::new(incoming, limit).collect();
    let body = match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let fault = Fault::new(
                "RequestEntityTooLargeException",
                format!("The request is larger than {limit} bytes, which is the most that is accepted here."),
            );
            return refuse(house, &head, &fault.with_status(413));
        }
        Ok(Err(_)) | Err(_) => {
            let fault =
                Fault::new("RequestTimeoutException", "The request did not arrive whole. Send it again.");
            return refuse(house, &head, &fault.with_status(408));
        }
    };
    let request = ControlRequest {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
        peer,
        is_secure: head.extensions.get::<SecureTransport>().is_some(),
    };
    // A call goes on when its caller has gone, and the server's end waits for it (`listener.rs`): what it wrote would never be
    // settled otherwise, and a refusal never recorded.
    let (control, under_way) = (house.control.clone(), house.calls.subscribe());
    let answering = tokio::spawn(async move {
        let answer = control.answer(request).await;
        drop(under_way);
        answer
    });
    match answering.await {
        Ok(answer) => response::whole(answer),
        Err(_) => response::text(StatusCode::INTERNAL_SERVER_ERROR, "The call was broken off.\n"),
    }
}

/// Large bodies are read only for those who have a key: a stranger cannot fill the memory.
///
/// # Errors
/// ServiceUnavailableException when it cannot be known who has one.
async fn limit(house: &House, headers: &HeaderMap) -> Result<usize, Fault> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(authorization) = text("authorization") else { return Ok(MAX_STRANGERS_BODY) };
    let Some(key) = sigv4::claimed_access_key(authorization) else { return Ok(MAX_STRANGERS_BODY) };
    match house.principals.is_known(key, text("x-amz-security-token")).await {
        Ok(true) if sigv4::claimed_service(authorization) == Some("lambda") => Ok(MAX_LAMBDA_BODY),
        Ok(true) => Ok(MAX_BODY),
        Ok(false) => Ok(MAX_STRANGERS_BODY),
        Err(error) => match error.outage() {
            Some(told) => Err(control::unavailable(&told)),
            // What is wrong with its policies is said to whoever signed.
            None => Ok(MAX_STRANGERS_BODY),
        },
    }
}

/// A refusal, in the words of the service that was called.
pub(crate) fn refuse(house: &House, head: &Parts, fault: &Fault) -> Response<Body> {
    let service = aws::service_by_signature(head.method.as_str(), head.uri.path(), &head.headers);
    let protocol = service.map_or_else(|| aws::protocol_of(&head.headers), |service| service.protocol);
    let request_id = RequestId::mint(&*house.random);
    let answer: Response<Bytes> = aws::encode_fault(service, protocol, fault, &request_id);
    response::whole(answer)
}
