//! What a request tells of itself besides its audit event: one span, where somebody takes it, from its arrival until all of
//! the agent's answer is said (of a WebSocket, until it is open). A request whose client goes away is told, too.
//!
//! Names of attributes are AgentCore's ("AgentCore generated runtime observability data"). What is asked of an agent and what
//! it says are in none of them.

use std::time::Instant;

use domain::{RequestId, Timestamp};
use http::{HeaderMap, StatusCode};
use telemetry::{Attributes, Span, SpanKind, Telemetry, Trace, Value};

use crate::edge::Setup;
use crate::place::Asked;
use crate::refusal::Kind;
use crate::registry::Served;

/// What CloudFormation calls a runtime.
const TYPE: &str = "AWS::BedrockAgentCore::Runtime";
/// What is told of a request whose client does not wait for the end.
const ABANDONED: &str = "Abandoned";

/// A request that is being answered.
pub(crate) struct Telling {
    telemetry: Telemetry,
    pub(crate) trace: Trace,
    asked: Asked,
    request_id: RequestId,
    began: Instant,
    at: Timestamp,
    noted: Attributes,
    status: Option<StatusCode>,
    error: Option<&'static str>,
}

impl Telling {
    /// What a request with these headers tells.
    pub(crate) fn begin(setup: &Setup, headers: &HeaderMap, asked: Asked, request_id: &RequestId) -> Self {
        let trace = setup.telemetry.trace(headers, &*setup.random, false);
        Self {
            telemetry: setup.telemetry.clone(),
            trace,
            asked,
            request_id: request_id.clone(),
            began: Instant::now(),
            at: setup.clock.now(),
            noted: Attributes::new(),
            status: None,
            error: Some(ABANDONED),
        }
    }

    /// Which endpoint of which runtime serves it.
    pub(crate) fn served(&mut self, served: &Served) {
        if self.trace.recorded().is_none() {
            return;
        }
        let (runtime, endpoint) = (&served.runtime, &served.endpoint);
        self.noted.extend([
            ("aws.resource.arn", Value::from(runtime.arn().to_string())),
            ("aws.agent.id", runtime.id.to_string().into()),
            ("aws.endpoint.name", endpoint.name.clone().into()),
            ("aws.account.id", runtime.scope.account.to_string().into()),
            ("aws.region", runtime.scope.region.to_string().into()),
        ]);
    }

    /// The session that it is for: 256 characters at most.
    pub(crate) fn session(&mut self, session: &str) {
        if self.trace.recorded().is_some() {
            self.noted.push(("session.id", session.to_owned().into()));
        }
    }

    /// It is answered; what goes wrong from now on is told by [`Telling::broke`].
    pub(crate) fn answered(&mut self, status: StatusCode) {
        (self.status, self.error) = (Some(status), None);
    }

    /// It is refused.
    pub(crate) fn refused(&mut self, status: StatusCode, kind: Kind) {
        (self.status, self.error) = (Some(status), Some(kind.name()));
    }

    /// The answer ends before its end: the agent's connection broke, or its time was over.
    pub(crate) fn broke(&mut self) {
        self.error = Some(Kind::Agent.name());
    }

    /// Nobody waited for the end of the answer.
    pub(crate) fn abandoned(&mut self) {
        self.error.get_or_insert(ABANDONED);
    }

    fn span(&mut self) -> Option<Span> {
        let (context, parent) = self.trace.recorded()?;
        let took = self.began.elapsed();
        let operation = self.asked.operation();
        let request_id = || Value::from(self.request_id.to_string());
        let mut attributes = std::mem::take(&mut self.noted);
        attributes.extend([
            ("aws.operation.name", Value::from(operation)),
            ("aws.request.id", request_id()),
            // The runtime's own name of the same.
            ("aws.request_id", request_id()),
            ("aws.resource.type", TYPE.into()),
            ("aws.xray.origin", TYPE.into()),
            ("latency_ms", took.into()),
        ]);
        if let Some(status) = self.status {
            attributes.push(("http.response.status_code", status.as_u16().into()));
        }
        if let Some(error) = self.error {
            attributes.push(("error_type", class(error).into()));
            attributes.push(("exception.type", error.into()));
        }
        let name = match self.asked {
            Asked::Invoke => "AgentCore.Runtime.Invoke".into(),
            _ => format!("AgentCore.Runtime.{operation}").into(),
        };
        Some(Span {
            context: context.clone(),
            parent,
            name,
            kind: SpanKind::Server,
            began: telemetry::nanos(self.at),
            took,
            attributes,
            error: self.error.map(str::to_owned),
        })
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        if let Some(span) = self.span() {
            self.telemetry.span(span);
        }
    }
}

/// Whose fault an error is, in AgentCore's words (`error_type`).
fn class(error: &str) -> &'static str {
    if error == Kind::Quota.name() {
        "throttle"
    } else if error == Kind::Internal.name() {
        "system"
    } else {
        "user"
    }
}
