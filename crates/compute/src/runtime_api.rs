//! The Lambda Runtime API, version 2018-06-01, as one instance's runtime sees it.
//!
//! ```text
//! GET  /2018-06-01/runtime/invocation/next
//! POST /2018-06-01/runtime/invocation/{request id}/response
//! POST /2018-06-01/runtime/invocation/{request id}/error
//! POST /2018-06-01/runtime/init/error
//! ```
//!
//! One header is our own: a response or an error with `Portcullis-Then: next` is answered, when it is accepted,
//! not with 202 but with the next event, which spares our runtime client a second exchange. Bodies are passed
//! on unread. Source: Lambda Developer Guide, "Using the Lambda runtime API for custom
//! runtimes"; error bodies as AWS's runtime interface emulator writes them.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use domain::{Arn, Timestamp};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};

use crate::Invocation;
use crate::instance::{Instance, Next};
use crate::outcome::{Answer, Fault, LARGEST_ANSWER};

/// What is sent to a runtime: an event, or what became of its answer.
pub(crate) type Event = Response<Full<Bytes>>;

const PREFIX: &str = "/2018-06-01/runtime/";
/// How much of a body that nobody wants is read away, so that its connection stays usable.
const MOST_READ_AWAY: usize = 64 * 1024 * 1024;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a runtime asks for.
enum Ask<'a> {
    Next,
    Response(&'a str),
    Error(&'a str),
    InitError,
    WrongMethod,
    Unknown,
}

/// Answers one request of an instance's runtime.
pub(crate) async fn serve(instance: Arc<Instance>, request: Request<Incoming>) -> Result<Event, Infallible> {
    let (head, mut body) = request.into_parts();
    let answer = match route(&head.method, head.uri.path()) {
        Ask::Next => next(&instance).await,
        Ask::Response(id) => answer(&instance, id, &mut body, &head.headers, Means::Success).await,
        Ask::Error(id) => answer(&instance, id, &mut body, &head.headers, Means::Error).await,
        Ask::InitError => init_error(&instance, &mut body, &head.headers).await,
        Ask::WrongMethod => refuse(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "This path of the Runtime API has another method",
        ),
        Ask::Unknown => refuse(StatusCode::NOT_FOUND, "NotFound", "No such path in the Runtime API"),
    };
    if !body.is_end_stream() {
        // A connection with an unread body would be closed under a client that still writes it.
        read_away(&mut body).await;
    }
    Ok(answer)
}

/// The event of an invocation, as `next` gives it.
pub(crate) fn event(invocation: &Invocation, function: &Arn, deadline: Timestamp, now: Timestamp) -> Event {
    let body =
        if invocation.payload.is_empty() { Bytes::from_static(b"{}") } else { invocation.payload.clone() };
    let mut event = Response::new(Full::new(body));
    let headers = event.headers_mut();
    headers.reserve(8);
    headers.insert(CONTENT_TYPE, JSON);
    let mut set = |name: &'static str, value: Result<HeaderValue, http::header::InvalidHeaderValue>| {
        if let Ok(value) = value {
            headers.insert(name, value);
        }
    };
    set("lambda-runtime-aws-request-id", HeaderValue::from_str(&invocation.request_id));
    set("lambda-runtime-deadline-ms", Ok(HeaderValue::from(deadline.millis())));
    set("lambda-runtime-invoked-function-arn", HeaderValue::from_str(function.as_str()));
    let trace = match &invocation.trace_id {
        Some(trace) => HeaderValue::from_str(trace),
        None => HeaderValue::from_str(&unsampled_trace(&invocation.request_id, now)),
    };
    set("lambda-runtime-trace-id", trace);
    if let Some(context) = &invocation.client_context {
        set("lambda-runtime-client-context", HeaderValue::from_bytes(&header_json(context)));
    }
    event
}

fn route<'a>(method: &Method, path: &'a str) -> Ask<'a> {
    let ask = path.strip_prefix(PREFIX).and_then(|rest| match rest {
        "invocation/next" => Some(Ask::Next),
        "init/error" => Some(Ask::InitError),
        rest => match rest.strip_prefix("invocation/")?.split_once('/')? {
            (id, "response") => Some(Ask::Response(id)),
            (id, "error") => Some(Ask::Error(id)),
            _ => None,
        },
    });
    match ask {
        None => Ask::Unknown,
        Some(Ask::Next) if *method != Method::GET => Ask::WrongMethod,
        Some(Ask::Response(_) | Ask::Error(_) | Ask::InitError) if *method != Method::POST => {
            Ask::WrongMethod
        }
        Some(ask) => ask,
    }
}

async fn next(instance: &Arc<Instance>) -> Event {
    match instance.next() {
        Next::Now(event) => *event,
        Next::Later(event) => event.await.unwrap_or_else(|_| {
            refuse(
                StatusCode::GONE,
                "Gone",
                "This request was replaced by a later one, or the instance is ending",
            )
        }),
        Next::Refused => invalid_transition("the last event has not been answered"),
    }
}

/// What a runtime means by an answer.
#[derive(Clone, Copy)]
enum Means {
    Success,
    Error,
}

async fn answer(
    instance: &Arc<Instance>,
    id: &str,
    body: &mut Incoming,
    headers: &HeaderMap,
    means: Means,
) -> Event {
    let stale = || refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID");
    if !instance.is_running(id) {
        return stale();
    }
    let answer = match (collect(body).await, means) {
        (Ok(payload), Means::Success) => Answer::Given(payload),
        (Ok(payload), Means::Error) => Answer::Reported { payload, error_type: error_type(headers) },
        (Err(Unread::Truncated), _) => return truncated(),
        (Err(Unread::TooLarge), _) => {
            let taken = instance.answer(id, Answer::Fault(Fault::AnswerTooLarge));
            return if taken { too_large() } else { stale() };
        }
    };
    if !instance.answer(id, answer) {
        stale()
    } else if headers.get("portcullis-then").is_some_and(|then| then == "next") {
        next(instance).await
    } else {
        accepted()
    }
}

async fn init_error(instance: &Arc<Instance>, body: &mut Incoming, headers: &HeaderMap) -> Event {
    let payload = match collect(body).await {
        Ok(payload) => payload,
        Err(Unread::TooLarge) => return too_large(),
        Err(Unread::Truncated) => return truncated(),
    };
    let fault = Fault::Init { payload, error_type: error_type(headers) };
    if instance.fail_start(fault) { accepted() } else { invalid_transition("initialization has ended") }
}

enum Unread {
    TooLarge,
    Truncated,
}

/// Reads a body of at most [`LARGEST_ANSWER`] bytes. One that comes in one piece is not copied.
async fn collect(body: &mut Incoming) -> Result<Bytes, Unread> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Truncated)?.into_data() else {
            continue;
        };
        if first.len() + rest.len() + data.len() > LARGEST_ANSWER {
            return Err(Unread::TooLarge);
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.reserve(2 * (first.len() + data.len()));
                rest.extend_from_slice(&first);
                first = Bytes::new();
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

async fn read_away(body: &mut Incoming) {
    let mut left = MOST_READ_AWAY;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn error_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("lambda-runtime-function-error-type")?;
    value.to_str().ok().map(str::to_owned)
}

/// A trace that nobody records: the time and the first 24 hexadecimal digits of the request id.
fn unsampled_trace(request_id: &str, now: Timestamp) -> String {
    let mut trace = String::with_capacity(64);
    // Writing into a string cannot fail.
    let _ = write!(trace, "Root=1-{:08x}-", now.seconds());
    let digits = request_id.chars().filter(char::is_ascii_hexdigit);
    trace.extend(digits.chain(std::iter::repeat('0')).take(24));
    trace.push_str(";Sampled=0");
    trace
}

/// JSON that can stand in a header: line breaks (which JSON allows only between tokens) become spaces, and
/// characters outside ASCII are escaped.
fn header_json(json: &[u8]) -> Cow<'_, [u8]> {
    if json.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len() * 2);
    let mut units = [0; 2];
    for letter in String::from_utf8_lossy(json).chars() {
        match letter {
            ' '..='~' => text.push(letter),
            '\0'..' ' => text.push(' '),
            _ => {
                for unit in letter.encode_utf16(&mut units) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    Cow::Owned(text.into_bytes())
}

fn accepted() -> Event {
    respond(StatusCode::ACCEPTED, Bytes::from_static(b"{\"status\":\"OK\"}\n"))
}

fn truncated() -> Event {
    refuse(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", "HTTP request is truncated")
}

fn too_large() -> Event {
    refuse(
        StatusCode::PAYLOAD_TOO_LARGE,
        "RequestEntityTooLarge",
        &format!("Exceeded maximum allowed payload size ({LARGEST_ANSWER} bytes)."),
    )
}

fn invalid_transition(reason: &str) -> Event {
    refuse(StatusCode::FORBIDDEN, "InvalidStateTransition", &format!("Invalid state transition: {reason}"))
}

fn refuse(status: StatusCode, error_type: &str, message: &str) -> Event {
    let body = serde_json::json!({ "errorMessage": message, "errorType": error_type });
    respond(status, Bytes::from(body.to_string()))
}

fn respond(status: StatusCode, body: Bytes) -> Event {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_context_fits_into_a_header_and_stays_the_same_json() {
        assert_eq!(header_json(br#"{"a":1}"#), Cow::Borrowed(br#"{"a":1}"#));
        let odd = "{\n\t\"ключ\": \"\u{1F980}\u{7f}\"}";
        let fit = header_json(odd.as_bytes());
        assert!(HeaderValue::from_bytes(&fit).is_ok());
        let same: serde_json::Value = serde_json::from_slice(&fit).unwrap();
        assert_eq!(same["ключ"], "\u{1F980}\u{7f}");
    }

    #[test]
    fn a_trace_has_lambdas_form() {
        let trace = unsampled_trace("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", Timestamp::from_seconds(1));
        assert_eq!(trace, "Root=1-00000001-0f1e2d3c4b5a69788796a5b4;Sampled=0");
        assert!(
            unsampled_trace("x", Timestamp::from_seconds(1)).ends_with("-000000000000000000000000;Sampled=0")
        );
    }

    #[test]
    fn paths_lead_to_their_methods() {
        let get = |path| route(&Method::GET, path);
        let post = |path| route(&Method::POST, path);
        assert!(matches!(get("/2018-06-01/runtime/invocation/next"), Ask::Next));
        assert!(matches!(post("/2018-06-01/runtime/invocation/a/response"), Ask::Response("a")));
        assert!(matches!(post("/2018-06-01/runtime/invocation/a/error"), Ask::Error("a")));
        assert!(matches!(post("/2018-06-01/runtime/init/error"), Ask::InitError));
        for unknown in
            ["/", "/2018-06-01/runtime/restore/next", "/2018-06-01/runtime/invocation/a/b/response"]
        {
            assert!(matches!(post(unknown), Ask::Unknown), "{unknown}");
        }
        assert!(matches!(post("/2018-06-01/runtime/invocation/next"), Ask::WrongMethod));
        assert!(matches!(get("/2018-06-01/runtime/init/error"), Ask::WrongMethod));
    }
}
