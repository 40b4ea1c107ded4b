//! Calls of AWS's public API: signed, over the door outwards, at AWS or at an endpoint that answers for all services.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::sigv4::{Credentials, sign};
use bytes::Bytes;
use domain::{Clock, Region};
use egress::Client;
use http::{Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// The largest answer that is read, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most pages of one list.
const MOST_PAGES: usize = 1_000;
/// What stands in a path or a query as it is (RFC 3986, "unreserved").
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where the API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// AWS itself: each service has hosts of its own.
    Aws,
    /// One base URL that answers for all services.
    Url(String),
}

/// What calls are made with.
pub struct Access<'a> {
    /// The door outwards.
    pub client: &'a Client,
    /// Where the API is.
    pub endpoint: Endpoint,
    /// Who signs.
    pub credentials: Credentials,
    /// The region that is looked at.
    pub region: Region,
    /// The time, which signatures hold.
    pub clock: &'a dyn Clock,
}

/// A call that was not answered as it should be.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There was no answer.
    #[error("{0}")]
    Egress(#[from] egress::EgressError),
    /// It was refused: the status, and AWS's name of the error.
    #[error("it answered {0} {1}")]
    Refused(u16, String),
    /// The answer cannot be read, or the request not be made.
    #[error("{0}")]
    Unreadable(String),
}

impl CallError {
    /// Whether there is no such thing.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Refused(404, _))
            || matches!(self, Self::Refused(_, code) if code.contains("NotFound") || code.contains("NoSuchEntity"))
    }
}

/// A service: its host's label, its signing name, and whether it has one host for all regions.
#[derive(Clone, Copy)]
pub(crate) struct Service(&'static str, &'static str, bool);

pub(crate) const AGENTCORE: Service = Service("bedrock-agentcore-control", "bedrock-agentcore", false);
pub(crate) const IAM: Service = Service("iam", "iam", true);
pub(crate) const LAMBDA: Service = Service("lambda", "lambda", false);
pub(crate) const LOGS: Service = Service("logs", "logs", false);

impl Access<'_> {
    /// A call of a REST API. `body` makes it a POST.
    pub(crate) async fn rest(
        &self,
        service: Service,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, CallError> {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let body = body.map(ToString::to_string).unwrap_or_default();
        let answer =
            self.send(service, method, path, query, &[("content-type", "application/json")], body).await?;
        read_json(&answer)
    }

    /// A call of CloudWatch Logs.
    pub(crate) async fn logs(&self, operation: &str, body: &Value) -> Result<Value, CallError> {
        let target = format!("Logs_20140328.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        read_json(&self.send(LOGS, Method::POST, "/", &[], &headers, body.to_string()).await?)
    }

    /// A call of IAM; the result as text of XML.
    pub(crate) async fn iam(&self, action: &str, given: &[(&str, &str)]) -> Result<String, CallError> {
        let fixed = [("Action", action), ("Version", "2010-05-08")];
        let body = fixed.iter().chain(given).map(|(name, value)| format!("{name}={}", encoded(value)));
        let body = body.collect::<Vec<_>>().join("&");
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let answer = self.send(IAM, Method::POST, "/", &[], &headers, body).await?;
        String::from_utf8(answer.to_vec())
            .map_err(|_| CallError::Unreadable("the answer is no text".to_owned()))
    }

    /// All items of a list of a REST API, page after page; `member` holds the items, and `token` the next page's.
    pub(crate) async fn all(
        &self,
        service: Service,
        path: &str,
        post: bool,
        member: &str,
        token: (&str, &str),
    ) -> Result<Vec<Value>, CallError> {
        let (mut items, mut next) = (Vec::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let query: Vec<(&str, &str)> =
                next.iter().filter(|_| !post).map(|next| (token.0, next.as_str())).collect();
            let body: BTreeMap<&str, &str> =
                next.iter().filter(|_| post).map(|next| (token.0, next.as_str())).collect();
            let body = serde_json::to_value(body).unwrap_or_default();
            let mut answer = self.rest(service, path, &query, post.then_some(&body)).await?;
            if let Some(Value::Array(found)) = answer.get_mut(member).map(Value::take) {
                items.extend(found);
            }
            next = answer.get(token.1).and_then(Value::as_str).map(str::to_owned);
            if next.is_none() {
                return Ok(items);
            }
        }
        Err(CallError::Unreadable(format!("the list has more than {MOST_PAGES} pages")))
    }

    async fn send(
        &self,
        Service(label, name, is_global): Service,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Bytes, CallError> {
        let unreadable = |error: &dyn ToString| CallError::Unreadable(error.to_string());
        let us_east = || Region::parse("us-east-1").map_err(|error| unreadable(&error));
        let (base, region) = match &self.endpoint {
            Endpoint::Url(base) => (base.trim_end_matches('/').to_owned(), self.region.clone()),
            Endpoint::Aws if is_global => (format!("https://{label}.amazonaws.com"), us_east()?),
            Endpoint::Aws => (format!("https://{label}.{}.amazonaws.com", self.region), self.region.clone()),
        };
        let pairs: Vec<_> = query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
        let mut request = Request::builder().method(method).uri(format!("{base}{path}{query}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Bytes::from(body)).map_err(|error| unreadable(&error))?;
        sign(&mut request, &self.credentials, name, &region, self.clock.now())
            .map_err(|error| unreadable(&error))?;
        let answer = self.client.exchange(request.map(Into::into), LARGEST, PATIENCE).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        let named = answer.headers.get("x-amzn-errortype").and_then(|it| it.to_str().ok());
        let code =
            named.map_or_else(|| code_of(&answer.body), |it| it.split(':').next().unwrap_or(it).to_owned());
        Err(CallError::Refused(answer.status.as_u16(), code))
    }
}

pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

fn read_json(body: &Bytes) -> Result<Value, CallError> {
    serde_json::from_slice(body)
        .map_err(|error| CallError::Unreadable(format!("the answer is no JSON: {error}")))
}

/// The error's name in a body of JSON or XML; letters only, because a stranger wrote it.
fn code_of(body: &Bytes) -> String {
    let text = String::from_utf8_lossy(body);
    let in_xml =
        text.split_once("<Code>").map(|(_, rest)| rest.split('<').next().unwrap_or_default().to_owned());
    let in_json = || {
        let value: Value = serde_json::from_slice(body).ok()?;
        value.get("__type").and_then(Value::as_str).map(|it| it.rsplit('#').next().unwrap_or(it).to_owned())
    };
    let code = in_xml.or_else(in_json).unwrap_or_default();
    code.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}
