//! An HTTP service: what is asked of it goes on below its endpoint, and what it says comes back as it says it. Headers
//! pass by a short list and by what the target allows besides; neither the caller's credentials nor where the caller
//! came from is among them.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::HttpService;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{Either, Full};
use mask::Mask;
use mcp::upstream::Dress;

use super::Failed;
use super::agent_runtime::{self, Called};
use crate::authorize::Passable;
use crate::body::Body;
use crate::turn::Turn;

/// What passes to every service.
pub(super) const REQUEST: &[&str] = &[
    "accept",
    "accept-language",
    "content-encoding",
    "content-language",
    "content-type",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "range",
    "traceparent",
    "tracestate",
];
/// What comes back from every service.
pub(super) const RESPONSE: &[&str] = &[
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-range",
    "content-type",
    "etag",
    "expires",
    "last-modified",
    "mcp-session-id",
    "retry-after",
    "vary",
];

/// What a service has begun to say.
pub(crate) struct Forwarded {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

impl Forwarded {
    /// The same without what the service was shown. What is compressed cannot be searched for it, and does not pass.
    pub(crate) fn masked(mut self, mask: Option<&Mask>) -> Result<Self, Failed> {
        let Some(mask) = mask else { return Ok(self) };
        if self.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            let detail = "the service answered with a body that is compressed, although it was asked not to";
            return Err(Failed::new(detail));
        }
        for value in self.headers.values_mut() {
            let masked = mask.bytes(value.as_bytes()).into_owned();
            *value = HeaderValue::from_bytes(&masked).unwrap_or_else(|_| HeaderValue::from_static(""));
        }
        Ok(Self { body: self.body.masked(mask), ..self })
    }
}

/// Asks a service. `credential` is put on last.
pub(crate) async fn forward(
    turn: &Turn,
    passable: &Passable<'_>,
    method: &Method,
    below: &str,
    body: Bytes,
    credential: &dyn Dress,
) -> Result<Forwarded, Failed> {
    let target = passable.target();
    let (endpoint, static_query, caller_overrides) = match passable.service() {
        HttpService::Passthrough { endpoint, static_query, caller_overrides, .. } => {
            (endpoint, static_query, caller_overrides)
        }
        HttpService::Runtime { runtime, qualifier } => {
            let called =
                Called { runtime, qualifier: qualifier.as_deref(), propagation: &target.propagation };
            return agent_runtime::invoke(turn, &called, method, below, body, credential).await;
        }
    };
    let query = query(&turn.arrival.query, static_query, *caller_overrides);
    let at = format!("the target {} (HTTP service {})", target.name, without_query(endpoint));
    let broken = |what: &str| Failed::new(format!("{at}: {what}"));
    let mut request = Request::new(body);
    *request.method_mut() = method.clone();
    *request.uri_mut() =
        url(endpoint, below, &query).parse().map_err(|_| broken("its URL cannot be made"))?;
    *request.headers_mut() = passed(&turn.arrival.headers, REQUEST, &target.propagation.request_headers);
    // What is passed on may have to be read on the way.
    request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    credential.dress(&mut request).map_err(|why| broken(&why))?;
    let patience = turn.lane.plane.setup.call_timeout;
    let until = tokio::time::Instant::now() + patience;
    let sent = tokio::time::timeout_at(until, turn.lane.client.send(request.map(Full::new))).await;
    let (head, incoming) = match sent {
        Ok(Ok(response)) => response.into_parts(),
        Ok(Err(error)) => return Err(broken(&error.to_string())),
        Err(_) => return Err(broken(&format!("no answer within {} seconds", patience.as_secs())).late()),
    };
    Ok(Forwarded {
        status: head.status,
        headers: passed(&head.headers, RESPONSE, &target.propagation.response_headers),
        body: Body::passing(Either::Left(incoming), until),
    })
}

/// The headers that pass.
pub(super) fn passed(from: &HeaderMap, always: &[&str], allowed: &[String]) -> HeaderMap {
    let names = always.iter().copied().chain(allowed.iter().map(String::as_str));
    let mut headers = HeaderMap::new();
    for name in names.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()) {
        if headers.contains_key(&name) {
            continue;
        }
        for value in from.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// An endpoint as it may be written down: its query may hold a key.
pub(super) fn without_query(endpoint: &str) -> &str {
    endpoint.split('?').next().unwrap_or_default()
}

/// The URL below an endpoint, which may have a query of its own.
fn url(endpoint: &str, below: &str, query: &str) -> String {
    let (base, own) = endpoint.split_once('?').unwrap_or((endpoint, ""));
    let base = if below.is_empty() { base } else { base.trim_end_matches('/') };
    let query = [own, query].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&");
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{base}{below}{mark}{query}")
}

/// The caller's query with the parameters that every call gets. Who wins is the target's to say.
fn query(given: &str, fixed: &BTreeMap<String, String>, caller_overrides: bool) -> String {
    let name = |pair: &str| decoded(pair.split('=').next().unwrap_or_default());
    let given: Vec<&str> = given.split('&').filter(|pair| !pair.is_empty()).collect();
    let said = |key: &str| given.iter().any(|pair| name(pair) == key);
    let kept = given.iter().filter(|pair| caller_overrides || !fixed.contains_key(&name(pair)));
    let added = fixed.iter().filter(|(key, _)| !caller_overrides || !said(key));
    let added = added.map(|(key, value)| format!("{}={}", encoded(key), encoded(value)));
    kept.map(|pair| (*pair).to_owned()).chain(added).collect::<Vec<_>>().join("&")
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// A name as any reader might understand it: a plus sign is a space.
fn decoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut ahead = bytes.clone();
                match (digit(ahead.next()), digit(ahead.next())) {
                    (Some(high), Some(low)) => {
                        bytes = ahead;
                        u8::try_from(high * 16 + low).unwrap_or_default()
                    }
                    _ => b'%',
                }
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_stay_below_their_endpoint() {
        for (endpoint, below, query, expected) in [
            ("https://a.example", "", "", "https://a.example"),
            ("https://a.example/v1/", "/x/y", "b=1", "https://a.example/v1/x/y?b=1"),
            ("https://a.example/v1?k=1", "/", "b=1", "https://a.example/v1/?k=1&b=1"),
        ] {
            assert_eq!(url(endpoint, below, query), expected);
        }
    }

    #[test]
    fn the_query_of_an_endpoint_is_not_written_down() {
        assert_eq!(without_query("https://a.example/v1?key=s3cret&b=?"), "https://a.example/v1");
        assert_eq!(without_query("https://a.example/v1"), "https://a.example/v1");
    }

    #[test]
    fn parameters_of_the_target_win_unless_the_caller_may() {
        let fixed = BTreeMap::from([("api key".to_owned(), "a&b".to_owned())]);
        assert_eq!(query("x=1&api+key=mine&api%20key=mine", &fixed, false), "x=1&api%20key=a%26b");
        assert_eq!(query("x=1&api+key=mine", &fixed, true), "x=1&api+key=mine");
        assert_eq!(query("", &fixed, true), "api%20key=a%26b");
    }

    #[test]
    fn only_what_is_listed_passes() {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "cookie", "host", "x-forwarded-for", "connection", "accept", "x-tenant"]
        {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("v"));
        }
        let passed = passed(&headers, REQUEST, &["x-tenant".to_owned()]);
        let mut names: Vec<_> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "x-tenant"]);
    }
}
