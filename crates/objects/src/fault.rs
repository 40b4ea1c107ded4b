//! How a request fails: S3's error codes with their statuses, written as S3 writes them.
//!
//! Source: Amazon S3 API Reference, "Error responses".

use domain::RequestId;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode};
use store::StoreError;

use crate::outgoing::Body;
use crate::xml::Xml;

/// An error for a caller of S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// S3's code.
    pub code: &'static str,
    /// What was wrong and what to do about it.
    pub message: String,
    /// Further elements of the error, such as `BucketName`.
    pub details: Vec<(&'static str, String)>,
}

impl Fault {
    /// An error by its code.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new() }
    }

    /// The same with one more element.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// The status that S3 answers it with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.code {
            "NotModified" => StatusCode::NOT_MODIFIED,
            "AccessDenied" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "RequestTimeTooSkewed" => {
                StatusCode::FORBIDDEN
            }
            "NoSuchBucket" | "NoSuchKey" | "NoSuchUpload" => StatusCode::NOT_FOUND,
            "MethodNotAllowed" => StatusCode::METHOD_NOT_ALLOWED,
            "BucketAlreadyExists" | "BucketAlreadyOwnedByYou" | "BucketNotEmpty" | "OperationAborted" => {
                StatusCode::CONFLICT
            }
            "MissingContentLength" => StatusCode::LENGTH_REQUIRED,
            "PreconditionFailed" => StatusCode::PRECONDITION_FAILED,
            "InvalidRange" => StatusCode::RANGE_NOT_SATISFIABLE,
            "InternalError" => StatusCode::INTERNAL_SERVER_ERROR,
            "ServiceUnavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "NotImplemented" => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The answer to a request that fails so. One to `HEAD` has no body.
    pub(crate) fn answer(&self, method: &Method, path: &str, request_id: &RequestId) -> Response<Body> {
        let status = self.status();
        let bare = *method == Method::HEAD || status == StatusCode::NOT_MODIFIED;
        let mut response = Response::new(if bare {
            Body::empty()
        } else {
            let mut xml = Xml::document("Error", None);
            xml.leaf("Code", self.code);
            xml.leaf("Message", &self.message);
            for (name, value) in &self.details {
                xml.leaf(name, value);
            }
            xml.leaf("Resource", path);
            xml.leaf("RequestId", request_id.as_str());
            Body::whole(xml.end("Error"))
        });
        *response.status_mut() = status;
        if !bare {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        }
        response
    }
}

/// Why an operation was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The caller's mistake, or a state that forbids it: told as it is.
    Fault(Fault),
    /// Ours: logged, and told without its cause.
    Internal(String),
}

impl Failure {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self::Fault(Fault::new(code, message))
    }

    /// A part of S3 that is not here.
    pub(crate) fn not_implemented(what: &str) -> Self {
        Self::new(
            "NotImplemented",
            format!("Portcullis' object store does not have {what}; docs/objects.md lists what it has."),
        )
    }

    pub(crate) fn internal(cause: &impl ToString) -> Self {
        Self::Internal(cause.to_string())
    }

    /// What the caller is told. A cause of ours goes into the log, under the request's id.
    pub(crate) fn into_fault(self, request_id: &RequestId) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            Self::Internal(cause) => {
                tracing::error!(request.id = %request_id, error = %cause, "An object operation failed.");
                Fault::new(
                    "InternalError",
                    "Portcullis could not do this; its log has the cause under this request id. Try again.",
                )
            }
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stale => Self::new(
                "OperationAborted",
                "Another request changed the same thing at the same time, or this one took too long. Try again.",
            ),
            error @ (StoreError::NoRoom(_)
            | StoreError::Unaudited(_)
            | StoreError::CutOff
            | StoreError::Lost) => {
                tracing::error!(%error, "A change is refused.");
                Self::new("ServiceUnavailable", format!("Nothing was changed: {error}"))
            }
            StoreError::Unavailable(why) => {
                tracing::error!(why, "The database is not available.");
                Self::new(
                    "ServiceUnavailable",
                    "The database is not available. What was asked may have been done, or not: read it again, and retry.",
                )
            }
            error => Self::internal(&error),
        }
    }
}
