//! Answers that are none of a method's own: what limits, interceptors and HTTP targets make of them.

use domain::Outcome;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use mcp::jsonrpc::{self, THROTTLED};

use super::{Content, Reply};
use crate::intercept::{Answered, Changed};

impl Reply {
    /// A request that is one too many (AgentCore, "MCP protocol contract").
    pub(crate) fn throttled(id: Option<&str>, detail: &str) -> Self {
        let message = jsonrpc::error(id, THROTTLED, detail);
        Self::message(StatusCode::TOO_MANY_REQUESTS, message).with_code(THROTTLED)
    }

    /// The same reply, which tells when another try is worth it.
    pub(crate) fn retry_after(mut self, seconds: u128) -> Self {
        self.headers.push((RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX))));
        self
    }

    /// An answer as an interceptor wants it: one of its own, or what it left of `reply`.
    pub(crate) fn intercepted(reply: Option<Self>, answered: Answered, changed: Changed) -> Self {
        let mut reply = reply.unwrap_or_else(|| Self {
            content: Content::Nothing,
            ..Self::message(StatusCode::OK, Vec::new())
        });
        if let Some(body) = answered.body {
            reply.content = Content::Message(body);
        }
        if changed == Changed::All {
            // What the message's code would make of the status is not asked any more.
            reply.code = None;
            reply.status = answered.status.unwrap_or(reply.status);
            for (name, value) in answered.headers {
                reply.headers.retain(|(present, _)| *present != name);
                reply.headers.push((name, value));
            }
        }
        if reply.status.is_client_error() || reply.status.is_server_error() {
            reply.outcome = Outcome::Refused;
            reply.error.get_or_insert_with(|| "Intercepted".to_owned());
        }
        reply
    }

    /// An error of an HTTP target's endpoint, in AWS's form.
    pub(crate) fn http_error(status: StatusCode, kind: &str, message: &str) -> Self {
        let document = serde_json::json!({ "__type": kind, "message": message }).to_string();
        let outcome = if status.is_server_error() { Outcome::Failure } else { Outcome::Refused };
        Self { status, error: Some(kind.to_owned()), outcome, ..Self::json(document) }
    }
}
