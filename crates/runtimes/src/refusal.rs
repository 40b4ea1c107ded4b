//! Why a request is not served, and how its caller is told: as AWS's exception, or as JSON-RPC to a client of MCP.
//!
//! Source: the tables of errors in "HTTP protocol contract" and "MCP protocol contract" of the developer guide.

use bytes::Bytes;
use domain::AgentProtocol;
use http::header::{CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use store::StoreError;

/// The header in which the exception's name stands.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Which of AWS's exceptions it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Validation,
    NotAcceptable,
    Unauthorized,
    Quota,
    AccessDenied,
    NotFound,
    Conflict,
    Agent,
    Unavailable,
    Internal,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Validation | Self::NotAcceptable => "ValidationException",
            Self::Unauthorized => "UnauthorizedException",
            Self::Quota => "ServiceQuotaExceededException",
            Self::AccessDenied => "AccessDeniedException",
            Self::NotFound => "ResourceNotFoundException",
            Self::Conflict => "RetryableConflictException",
            Self::Agent => "RuntimeClientError",
            Self::Unavailable => "ServiceUnavailableException",
            Self::Internal => "InternalServerException",
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Validation => StatusCode::BAD_REQUEST,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Quota => StatusCode::PAYMENT_REQUIRED,
            Self::AccessDenied => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Agent => StatusCode::FAILED_DEPENDENCY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The code, the status and what its text begins with, for a client of MCP.
    fn of_mcp(self) -> (i64, StatusCode, &'static str) {
        match self {
            Self::Validation => (-32_006, StatusCode::OK, "Validation error"),
            Self::NotAcceptable => (-32_011, StatusCode::NOT_ACCEPTABLE, "Accept Header Error"),
            Self::Unauthorized => (-32_001, StatusCode::UNAUTHORIZED, "Authentication error"),
            Self::Quota => (-32_003, StatusCode::OK, "Rate limit exceeded"),
            Self::AccessDenied => (-32_002, StatusCode::FORBIDDEN, "Authorization error"),
            Self::NotFound => (-32_004, StatusCode::OK, "Resource not found"),
            Self::Conflict => (-32_005, StatusCode::OK, "Resource conflict"),
            Self::Agent => (-32_010, StatusCode::OK, "Tool execution error"),
            Self::Unavailable => (-32_603, StatusCode::SERVICE_UNAVAILABLE, "Service unavailable"),
            Self::Internal => (-32_603, StatusCode::OK, "Internal error"),
        }
    }
}

/// A request that is not served.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) kind: Kind,
    /// What the caller is told.
    pub(crate) message: String,
    /// Where a token is to be had.
    pub(crate) challenge: Option<HeaderValue>,
    /// The id of the request of MCP that it answers.
    pub(crate) id: Value,
    /// Whether somebody decided that it is not allowed.
    pub(crate) denied: bool,
}

impl Refusal {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        let denied = matches!(kind, Kind::AccessDenied | Kind::Unauthorized);
        Self { kind, message: message.into(), challenge: None, id: Value::Null, denied }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Validation, message)
    }

    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::new(Kind::AccessDenied, message)
    }

    /// Something went wrong on our side: the cause goes into the log.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "A request to an agent runtime failed.");
        Self::new(Kind::Internal, "The request could not be served. Try again.")
    }

    /// The store failed: the database is out of reach, or something is wrong on our side.
    pub(crate) fn of_store(error: &StoreError) -> Self {
        match error.outage() {
            Some(told) => {
                tracing::error!(%error, "A request to an agent runtime is not served.");
                Self::new(Kind::Unavailable, format!("The request cannot be served: {told}."))
            }
            None => Self::internal(error),
        }
    }

    pub(crate) fn with_challenge(self, challenge: Option<HeaderValue>) -> Self {
        Self { challenge, ..self }
    }

    /// As the answer to a request, in the words of what the agent speaks.
    pub(crate) fn into_response(self, protocol: AgentProtocol) -> Response<Bytes> {
        let (status, document) = match protocol {
            AgentProtocol::Http => (self.kind.status(), json!({ "message": self.message })),
            AgentProtocol::Mcp => {
                let (code, status, begins) = self.kind.of_mcp();
                let message = format!("{begins} - {}", self.message);
                let error = json!({ "code": code, "message": message });
                (status, json!({ "jsonrpc": "2.0", "id": self.id, "error": error }))
            }
        };
        let mut response = Response::new(Bytes::from(document.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ERROR_TYPE, HeaderValue::from_static(self.kind.name()));
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_is_answered_in_its_own_words() {
        let http = Refusal::denied("no").into_response(AgentProtocol::Http);
        assert_eq!(http.status(), StatusCode::FORBIDDEN);
        assert_eq!(http.headers()[ERROR_TYPE], "AccessDeniedException");
        assert_eq!(http.into_body(), r#"{"message":"no"}"#);
        let refusal = Refusal { id: json!(7), ..Refusal::new(Kind::Agent, "it broke") };
        let mcp = refusal.into_response(AgentProtocol::Mcp);
        assert_eq!(mcp.status(), StatusCode::OK);
        let said: Value = serde_json::from_slice(&mcp.into_body()).unwrap();
        assert_eq!(said["error"]["code"], -32_010);
        assert_eq!(said["id"], 7);
    }
}
