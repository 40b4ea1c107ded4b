//! One request to the endpoint: what is sent, and what its refusals mean to the caller.
//!
//! What the endpoint says of a request that it does not take is told, because only the caller can mend it; the endpoint's
//! key is taken out of it, and it is cut.

use std::time::Duration;

use aws::Fault;
use bytes::Bytes;
use egress::{Client, EgressError};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use mask::Mask;
use serde::Deserialize;
use serde_json::Value;

use crate::fault::{Failure, failed, invalid, no_model, throttled, timed_out, unavailable};
use crate::openai::Delivery;
use crate::permit::Permit;
use crate::settings::ModelSettings;

/// The largest refusal that is read, in bytes.
const LARGEST_REFUSAL: usize = 64 * 1024;
/// The longest part of a refusal that is told, in characters.
const LONGEST_REASON: usize = 300;
/// How long a refusal may take to arrive.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Refusal {
    error: Reason,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reason {
    Object { message: String },
    Text(String),
}

/// Sends a request that is permitted, and gives the answer with its body still to be read.
pub(crate) async fn send(
    _permit: &Permit,
    client: &Client,
    settings: &ModelSettings,
    body: &Value,
    delivery: Delivery,
) -> Result<Response<Incoming>, Failure> {
    let mut request = Request::new(Full::from(Bytes::from(body.to_string())));
    *request.method_mut() = Method::POST;
    *request.uri_mut() =
        settings.url.parse().map_err(|_| Failure::Internal("the model's URL is none".to_owned()))?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("user-agent", HeaderValue::from_static("portcullis"));
    headers.insert(
        ACCEPT,
        HeaderValue::from_static(match delivery {
            Delivery::Whole => "application/json",
            Delivery::Pieces => "text/event-stream",
        }),
    );
    if let Some(key) = &settings.api_key {
        let mut shown = HeaderValue::from_str(&format!("Bearer {}", key.expose()))
            .map_err(|_| Failure::Internal("the model's key cannot stand in a header".to_owned()))?;
        shown.set_sensitive(true);
        headers.insert(AUTHORIZATION, shown);
    }
    let sent = tokio::time::timeout(settings.timeout, client.send(request)).await;
    let response = match sent {
        Ok(Ok(response)) => response,
        Ok(Err(EgressError::TimedOut(_))) | Err(_) => return Err(timed_out().into()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "The model's endpoint cannot be reached.");
            return Err(unavailable("The model's endpoint cannot be reached.").into());
        }
    };
    if response.status() == StatusCode::OK {
        return Ok(response);
    }
    Err(refused(settings, response).await.into())
}

/// What a refusal means.
async fn refused(settings: &ModelSettings, response: Response<Incoming>) -> Fault {
    let status = response.status();
    tracing::warn!(status = status.as_u16(), "The model's endpoint refused a request.");
    let reading = Limited::new(response.into_body(), LARGEST_REFUSAL).collect();
    let read = tokio::time::timeout(REFUSAL_PATIENCE, reading).await.ok().and_then(Result::ok);
    let said = read.map(http_body_util::Collected::to_bytes).and_then(|body| reason(settings, &body));
    let said = said.map_or_else(String::new, |said| format!(": {said}"));
    match status.as_u16() {
        401 | 403 => unavailable("The model's endpoint does not accept this server's key."),
        404 => no_model(format!("The model's endpoint does not have the model{said}")),
        408 | 504 => timed_out(),
        429 => throttled(),
        400..=499 => invalid(format!("The model's endpoint does not take the request{said}")),
        status => failed(format!("The model's endpoint failed with status {status}.")),
    }
}

fn reason(settings: &ModelSettings, body: &[u8]) -> Option<String> {
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    let (Reason::Object { message } | Reason::Text(message)) = refusal.error;
    let mask = Mask::new(settings.api_key.as_ref());
    let masked = mask.text(&message).into_owned();
    Some(masked.chars().filter(|letter| !letter.is_control()).take(LONGEST_REASON).collect())
}
