//! Answers that turn a request away, or say that it came to nothing: with the status, the code and the words that
//! AgentCore and MCP have for each.

use domain::{Outcome, beginning};
use http::{HeaderValue, StatusCode};
use mcp::jsonrpc::{
    self, FORBIDDEN, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, Malformed,
    UNAUTHENTICATED,
};

use super::Reply;

/// What AWS says to a call that policies deny, whatever the reason and whether or not the tool exists.
const DENIAL: &str = "AuthorizeActionException - Tool Execution Denied: Tool call not allowed due to policy enforcement \
                      [No policy applies to the request (denied by default).]";

/// What payloads are told in.
const MEGABYTE: usize = 1024 * 1024;

impl Reply {
    /// A request that is refused before its message counts.
    pub(crate) fn refused(status: StatusCode, code: i64, message: &str) -> Self {
        Self {
            error: Some(code.to_string()),
            outcome: Outcome::Refused,
            ..Self::message(status, jsonrpc::error(None, code, message))
        }
    }

    /// A body that is no message.
    pub(crate) fn malformed(malformed: &Malformed) -> Self {
        let message = jsonrpc::error(malformed.id.as_deref(), malformed.code, &malformed.detail);
        Self {
            error: Some(malformed.code.to_string()),
            outcome: Outcome::Refused,
            ..Self::message(StatusCode::BAD_REQUEST, message)
        }
    }

    /// No such gateway.
    pub(crate) fn no_gateway(id: &str) -> Self {
        let shown = beginning(id, 120);
        Self::refused(StatusCode::NOT_FOUND, INVALID_REQUEST, &format!("No gateway {shown} is served here"))
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::refused(
            StatusCode::METHOD_NOT_ALLOWED,
            INVALID_REQUEST,
            "This endpoint takes POST: it offers no stream to listen on",
        )
    }

    /// A request without a token that is accepted (AgentCore: "Invalid Bearer token").
    pub(crate) fn unauthenticated(challenge: Option<HeaderValue>) -> Self {
        Self { challenge, ..Self::refused(StatusCode::UNAUTHORIZED, UNAUTHENTICATED, "Invalid Bearer token") }
    }

    /// A token that lacks the scopes.
    pub(crate) fn insufficient_scope(challenge: Option<HeaderValue>) -> Self {
        Self { challenge, ..Self::refused(StatusCode::FORBIDDEN, FORBIDDEN, "Insufficient scope") }
    }

    /// A signature that is not accepted, or a principal that may not invoke the gateway.
    pub(crate) fn forbidden(message: &str) -> Self {
        Self::refused(StatusCode::FORBIDDEN, FORBIDDEN, message)
    }

    /// Nothing can be said about the caller now.
    pub(crate) fn unavailable(message: &str) -> Self {
        Self {
            outcome: Outcome::Failure,
            ..Self::refused(StatusCode::SERVICE_UNAVAILABLE, INTERNAL_ERROR, message)
        }
    }

    pub(crate) fn too_large(largest: usize) -> Self {
        let detail = format!("The request is larger than {} MB", largest / MEGABYTE);
        Self::refused(StatusCode::PAYLOAD_TOO_LARGE, INVALID_REQUEST, &detail)
    }

    /// A message of a batch whose answers have become too large.
    pub(crate) fn left_out(id: &str) -> Self {
        let detail =
            "The answers to this batch are too large together: send this request in a batch of its own";
        Self::error(id, INVALID_REQUEST, detail)
    }

    pub(crate) fn no_method(id: &str, method: &str) -> Self {
        let shown = beginning(method, 64);
        Self::error(id, METHOD_NOT_FOUND, &format!("Method not found: {shown}"))
    }

    pub(crate) fn unknown_tool(id: &str, name: &str) -> Self {
        let shown = beginning(name, 256);
        Self::error(id, INVALID_PARAMS, &format!("Unknown tool: {shown}"))
    }

    /// A call that policies deny: a tool's result, as on AWS.
    pub(crate) fn denied(id: &str) -> Self {
        Self {
            error: Some("AuthorizeActionException".to_owned()),
            outcome: Outcome::Refused,
            ..Self::result(id, &jsonrpc::text_result(DENIAL, true))
        }
    }

    /// A prompt or a resource that nobody may read: an error with the same words, because neither has a result to say
    /// them in.
    pub(crate) fn denied_reading(id: &str) -> Self {
        Self {
            error: Some("AuthorizeActionException".to_owned()),
            outcome: Outcome::Refused,
            ..Self::error(id, FORBIDDEN, DENIAL)
        }
    }

    /// A tool that could not do what it was asked.
    pub(crate) fn tool_error(id: &str, text: &str) -> Self {
        Self {
            error: Some("ToolError".to_owned()),
            outcome: Outcome::Failure,
            ..Self::result(id, &jsonrpc::text_result(text, true))
        }
    }
}
