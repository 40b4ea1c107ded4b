//! What a call tells of itself besides its audit event: one span, where somebody takes it, and of AgentCore Identity's
//! operations a log record, where somebody takes those.
//!
//! Facts are noted on the way, by the stages and operations that find them out, and told at the end; a call that is broken
//! off before that is told, too. Names of attributes are those of AgentCore ("AgentCore generated identity
//! observability data"). Nothing in them is a secret, or what people wrote: they are names, ARNs, ids and outcomes, each cut
//! to a bounded length. Where nobody takes either, nothing is noted.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use aws_shapes::{OperationSpec, ServiceSpec};
use domain::{Arn, CredentialKind, RequestId, Scope, Timestamp, WorkloadUser};
use http::{HeaderMap, StatusCode};
use telemetry::{Attributes, LogRecord, Severity, Span, SpanKind, Telemetry, Trace, Value};

use crate::plane::Setup;

/// The longest name that is told, in characters.
const LONGEST_NAME: usize = 256;
/// The longest ARN that is told, in characters.
const LONGEST_ARN: usize = 2_048;
/// The model whose operations are AgentCore Identity's data plane.
const IDENTITY: &str = "bedrock-agentcore";
/// The one directory of workload identities, and the one token vault, of an account and a region.
const DEFAULT: &str = "default";

/// What is noted of a call. A clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Notes(Option<Arc<Mutex<Noted>>>);

#[derive(Default)]
struct Noted {
    service: Option<&'static ServiceSpec>,
    operation: Option<&'static str>,
    attributes: Attributes,
}

impl Notes {
    /// The service that the call is for.
    pub(crate) fn service(&self, service: &'static ServiceSpec) {
        self.change(|noted| noted.service = Some(service));
    }

    /// The operation.
    pub(crate) fn operation(&self, operation: &'static OperationSpec) {
        self.change(|noted| noted.operation = Some(operation.name));
    }

    /// The account and the region that it was signed for.
    pub(crate) fn scope(&self, scope: &Scope) {
        self.note("aws.account.id", || scope.account.as_str(), LONGEST_NAME);
        self.note("aws.region", || scope.region.as_str(), LONGEST_NAME);
    }

    /// What is decided about; the last is what the operation is about.
    pub(crate) fn about(&self, resource: &Arn) {
        self.note("aws.resource.arn", || resource.as_str(), LONGEST_ARN);
    }

    /// The workload identity that asks, or is asked for.
    pub(crate) fn workload(&self, name: &str) {
        self.note("workload.identity.id", || name, LONGEST_NAME);
        self.note("workload.identity.directory", || DEFAULT, LONGEST_NAME);
    }

    /// The person whose token was verified. An id that is a workload's word alone is not told.
    pub(crate) fn user(&self, user: &WorkloadUser) {
        if let WorkloadUser::Token { issuer, subject } = user {
            self.note("issuer", || issuer, LONGEST_NAME);
            self.note("user_sub", || subject, LONGEST_NAME);
        }
    }

    /// The credential provider that is asked.
    pub(crate) fn provider(&self, kind: CredentialKind, name: &str) {
        let kind = match kind {
            CredentialKind::ApiKey => "API Key",
            CredentialKind::OAuth2 => "OAuth2",
        };
        self.note("credential.provider.name", || name, LONGEST_NAME);
        self.note("credential.provider.type", || kind, LONGEST_NAME);
        self.note("token.vault.name", || DEFAULT, LONGEST_NAME);
    }

    /// The way in which a token is asked for.
    pub(crate) fn flow(&self, flow: &'static str) {
        self.note("oauth2.flow", || flow, LONGEST_NAME);
    }

    fn note<'a>(&self, name: &'static str, value: impl FnOnce() -> &'a str, longest: usize) {
        self.change(|noted| {
            let told: String = value().chars().take(longest).collect();
            noted.attributes.retain(|(known, _)| *known != name);
            noted.attributes.push((name, told.into()));
        });
    }

    fn change(&self, change: impl FnOnce(&mut Noted)) {
        if let Some(Ok(mut noted)) = self.0.as_ref().map(|noted| noted.lock()) {
            change(&mut noted);
        }
    }
}

/// A call that is being answered.
pub(crate) struct Telling {
    telemetry: Telemetry,
    pub(crate) trace: Trace,
    pub(crate) notes: Notes,
    request_id: RequestId,
    began: Instant,
    at: Timestamp,
    /// How it ended: its status, and AWS's name of the error if it was one.
    ended: Option<(StatusCode, Option<&'static str>)>,
}

impl Telling {
    /// What a call with these headers tells.
    pub(crate) fn begin(setup: &Setup, headers: &HeaderMap, request_id: &RequestId, began: Instant) -> Self {
        let trace = setup.telemetry.trace(headers, &*setup.random, false);
        let is_taken = trace.recorded().is_some() || setup.telemetry.logs();
        let notes = Notes(is_taken.then(Arc::default));
        let at = setup.clock.now();
        let (telemetry, request_id) = (setup.telemetry.clone(), request_id.clone());
        Self { telemetry, trace, notes, request_id, began, at, ended: None }
    }

    /// Tells how it ended.
    pub(crate) fn end(mut self, status: StatusCode, error: Option<&'static str>) {
        self.ended = Some((status, error));
    }

    fn noted(&self) -> Option<Noted> {
        Some(std::mem::take(&mut *self.notes.0.as_ref()?.lock().ok()?))
    }

    /// How it ended; one that was broken off did not end.
    fn outcome(&self) -> (Option<StatusCode>, Option<&'static str>) {
        match self.ended {
            Some((status, error)) => (Some(status), error),
            None => (None, Some("Abandoned")),
        }
    }

    /// AgentCore Identity's record of a call, without what was asked and answered: neither is ever logged.
    fn record(&self, noted: &Noted) -> Option<LogRecord> {
        let is_identity = noted.service.is_some_and(|service| service.name == IDENTITY);
        if !is_identity || !self.telemetry.logs() {
            return None;
        }
        let operation = noted.operation?;
        let (_, error) = self.outcome();
        let log = match error {
            None => format!("Successfully processed {operation}"),
            Some(error) => format!("Failed to process {operation} ({error})"),
        };
        let known =
            |name| noted.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let mut body = vec![("isError", error.is_some().into()), ("log", log.into())];
        let facts =
            ["workload.identity.id", "credential.provider.name", "credential.provider.type", "oauth2.flow"];
        body.extend(facts.into_iter().filter_map(|name| Some((name, known(name)?))));
        let mut attributes = vec![
            ("service_name", "BedrockAgentCore.Identity".into()),
            ("operation", operation.into()),
            ("event_timestamp", Value::Number(self.at.millis())),
            ("request_id", self.request_id.to_string().into()),
        ];
        let renamed = [("resource_arn", "aws.resource.arn"), ("account_id", "aws.account.id")];
        attributes.extend(renamed.into_iter().filter_map(|(told, name)| Some((told, known(name)?))));
        Some(LogRecord {
            time: self.at,
            severity: if error.is_some() { Severity::Error } else { Severity::Info },
            body: Value::Members(body),
            attributes,
            context: self.trace.context().cloned(),
        })
    }

    fn span(&self, noted: Noted) -> Option<Span> {
        let (context, parent) = self.trace.recorded()?;
        let took = self.began.elapsed();
        let (status, error) = self.outcome();
        let mut attributes = noted.attributes;
        let request_id = || Value::from(self.request_id.to_string());
        attributes.push(("aws.request.id", request_id()));
        // Identity's own name of the same.
        attributes.push(("aws.request_id", request_id()));
        attributes.push(("latency_ms", took.into()));
        if let Some(operation) = noted.operation {
            attributes.push(("aws.operation.name", operation.into()));
        }
        if let Some(service) = noted.service {
            attributes.push(("rpc.service", service.name.into()));
        }
        if let Some(status) = status {
            attributes.push(("http.response.status_code", status.as_u16().into()));
        }
        if let Some(error) = error {
            attributes.push(("error_type", class(status, error).into()));
            attributes.push(("exception.type", error.into()));
        }
        Some(Span {
            context: context.clone(),
            parent,
            name: name(noted.service, noted.operation).into(),
            kind: SpanKind::Server,
            began: telemetry::nanos(self.at),
            took,
            attributes,
            error: error.map(str::to_owned),
        })
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let Some(noted) = self.noted() else { return };
        if let Some(record) = self.record(&noted) {
            self.telemetry.log(record);
        }
        if let Some(span) = self.span(noted) {
            self.telemetry.span(span);
        }
    }
}

/// The name of a span: the plane's and the operation's, as far as they are known.
fn name(service: Option<&ServiceSpec>, operation: Option<&str>) -> String {
    let plane = match service.map(|service| service.name) {
        Some("bedrock-agentcore-control") => "AgentCore.Control",
        Some(IDENTITY) => "AgentCore.Identity",
        Some(other) => other,
        None => "aws",
    };
    operation.map_or_else(|| plane.to_owned(), |operation| format!("{plane}.{operation}"))
}

/// Whose fault an error is, in AgentCore's words (`error_type`).
fn class(status: Option<StatusCode>, error: &str) -> &'static str {
    match status {
        Some(StatusCode::TOO_MANY_REQUESTS) => "throttle",
        _ if error.starts_with("Throttling") => "throttle",
        Some(status) if status.is_server_error() => "system",
        _ => "user",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart() {
        let class = |status, error| class(StatusCode::from_u16(status).ok(), error);
        assert_eq!(class(429, "TooManyRequestsException"), "throttle");
        assert_eq!(class(400, "ThrottlingException"), "throttle");
        assert_eq!(class(503, "ServiceUnavailableException"), "system");
        assert_eq!(class(403, "AccessDeniedException"), "user");
    }

    #[test]
    fn what_is_noted_is_bounded_and_the_last_word_counts() {
        let notes = Notes(Some(Arc::default()));
        notes.workload("first");
        notes.workload(&"ü".repeat(5_000));
        let noted = std::mem::take(&mut *notes.0.unwrap().lock().unwrap());
        let told = noted.attributes.iter().filter(|(name, _)| *name == "workload.identity.id");
        let told: Vec<_> = told.map(|(_, value)| value.clone()).collect();
        assert_eq!(told, [Value::from("ü".repeat(LONGEST_NAME))]);
        // Where nobody takes spans, there is nothing to keep notes in.
        Notes::default().workload("nobody");
    }
}
