//! What went wrong with a request, in AWS's words: the name that clients catch, the status, the message.

use aws_shapes::{Protocol, ServiceSpec};

use crate::FieldFault;
use crate::sigv4::SignatureError;

/// An error for the caller of an AWS API. It is written by the protocol of the service in [`crate::encode_fault`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The exception's name: the shape's in JSON protocols, the error code of the query protocol.
    pub code: &'static str,
    /// What was wrong and what to do about it.
    pub message: String,
    /// The status, where neither the service's model nor the common list gives it.
    pub status: Option<u16>,
    /// `reason` of AgentCore's ValidationException.
    pub reason: Option<&'static str>,
    /// `fieldList` of AgentCore's ValidationException.
    pub fields: Vec<FieldFault>,
}

impl Fault {
    /// A fault by the name that the service's model gives it.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: None, reason: None, fields: Vec::new() }
    }

    /// The same fault with a status of its own.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The same fault with the reason of a ValidationException.
    #[must_use]
    pub fn with_reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// All faults of a request against its constraints, in one.
    #[must_use]
    pub fn validation(service: &ServiceSpec, fields: Vec<FieldFault>) -> Self {
        let plural = if fields.len() == 1 { "error" } else { "errors" };
        let texts: Vec<_> = fields.iter().map(|field| field.message.clone()).collect();
        let message = format!("{} validation {plural} detected. {}", fields.len(), texts.join("; "));
        let code = match (service.name, service.protocol) {
            ("cognito-idp", _) => "InvalidParameterException",
            (_, Protocol::AwsQuery) => "ValidationError",
            _ => "ValidationException",
        };
        Self { fields, ..Self::new(code, message).with_reason("FieldValidationFailed").with_status(400) }
    }

    /// A body that cannot be read at all.
    #[must_use]
    pub fn unreadable(service: &ServiceSpec, message: impl Into<String>) -> Self {
        let code = match (service.name, service.protocol) {
            ("bedrock-agentcore-control", _) => "ValidationException",
            ("lambda", _) => "InvalidRequestContentException",
            (_, Protocol::AwsQuery) => "MalformedQueryString",
            _ => "SerializationException",
        };
        Self::new(code, message).with_reason("CannotParse").with_status(400)
    }

    /// A form that names no action.
    #[must_use]
    pub fn missing_action() -> Self {
        Self::new("MissingAction", "The request is missing an action: the parameter Action names it.")
            .with_status(400)
    }

    /// An operation of another version of the API.
    #[must_use]
    pub fn unknown_version(asked: &str, version: &str) -> Self {
        let (asked, version) = (bounded(asked), bounded(version));
        Self::new("InvalidAction", format!("Could not find operation {asked} for version {version}"))
            .with_status(400)
    }

    /// An operation that is not promised.
    #[must_use]
    pub fn unknown_operation(service: &ServiceSpec, asked: &str) -> Self {
        let asked = bounded(asked);
        match service.protocol {
            Protocol::AwsQuery => Self::unknown_version(asked, service.api_version),
            Protocol::AwsJson11 => {
                Self::new("UnknownOperationException", format!("Portcullis does not answer {asked}"))
                    .with_status(400)
            }
            Protocol::RestJson1 => {
                Self::new("UnknownOperationException", format!("Portcullis does not answer {asked}"))
                    .with_status(404)
            }
        }
    }

    /// A service that Portcullis is not.
    #[must_use]
    pub fn unknown_service(signed_for: &str) -> Self {
        let signed_for = bounded(signed_for);
        Self::new(
            "UnknownOperationException",
            format!(
                "Portcullis does not answer the service '{signed_for}'; docs/surface.md lists what it answers"
            ),
        )
        .with_status(404)
    }

    /// A signature that does not hold.
    #[must_use]
    pub fn signature(protocol: Protocol, error: &SignatureError) -> Self {
        let query = protocol == Protocol::AwsQuery;
        let code = match error {
            SignatureError::Missing if query => "MissingAuthenticationToken",
            SignatureError::Missing => "MissingAuthenticationTokenException",
            SignatureError::Incomplete(_) if query => "IncompleteSignature",
            SignatureError::Incomplete(_) => "IncompleteSignatureException",
            _ if query => "SignatureDoesNotMatch",
            _ => "InvalidSignatureException",
        };
        Self::new(code, error.to_string()).with_status(unauthenticated_status(protocol))
    }

    /// A key that nobody holds, that is inactive, or whose session token is not its own.
    #[must_use]
    pub fn unknown_key(protocol: Protocol) -> Self {
        let code = if protocol == Protocol::AwsQuery {
            "InvalidClientTokenId"
        } else {
            "UnrecognizedClientException"
        };
        Self::new(code, "The security token included in the request is invalid.")
            .with_status(unauthenticated_status(protocol))
    }

    /// A session that has ended.
    #[must_use]
    pub fn expired_session(protocol: Protocol) -> Self {
        let code = if protocol == Protocol::AwsQuery { "ExpiredToken" } else { "ExpiredTokenException" };
        Self::new(code, "The security token included in the request is expired")
            .with_status(unauthenticated_status(protocol))
    }

    /// A caller whom no policy allows this, or whom one forbids it. `because` is how the decision is explained.
    #[must_use]
    pub fn access_denied(protocol: Protocol, arn: &str, action: &str, resource: &str, because: &str) -> Self {
        let code = if protocol == Protocol::AwsQuery { "AccessDenied" } else { "AccessDeniedException" };
        let message =
            format!("User: {arn} is not authorized to perform: {action} on resource: {resource} {because}");
        Self::new(code, message).with_status(unauthenticated_status(protocol))
    }

    /// Something that went wrong on our side. What it was stays in the log.
    #[must_use]
    pub fn internal(service: Option<&ServiceSpec>) -> Self {
        let code = match service.map(|service| service.name) {
            Some("bedrock-agentcore-control") => "InternalServerException",
            Some("lambda") => "ServiceException",
            Some("iam") => "ServiceFailure",
            Some("cognito-idp") => "InternalErrorException",
            Some("secretsmanager") => "InternalServiceError",
            Some("kms") => "KMSInternalException",
            _ => "InternalFailure",
        };
        Self::new(
            code,
            "Portcullis could not do this; its log has the cause under this request id. Try again.",
        )
        .with_status(500)
    }

    /// The error's name and status as `service` answers them.
    pub(crate) fn face(&self, service: Option<&ServiceSpec>) -> (&'static str, u16) {
        let spec = service
            .into_iter()
            .flat_map(|service| service.errors)
            .find(|error| error.shape == self.code || error.code == self.code);
        let query = service.is_some_and(|service| service.protocol == Protocol::AwsQuery);
        match spec {
            Some(spec) => (if query { spec.code } else { spec.shape }, self.status.unwrap_or(spec.status)),
            None => (self.code, self.status.unwrap_or(400)),
        }
    }
}

/// A name that a caller gave, as an error repeats it.
fn bounded(name: &str) -> &str {
    name.char_indices().nth(128).map_or(name, |(at, _)| name.get(..at).unwrap_or(name))
}

/// JSON 1.1 answers 400 where the others answer 403.
fn unauthenticated_status(protocol: Protocol) -> u16 {
    if protocol == Protocol::AwsJson11 { 400 } else { 403 }
}
