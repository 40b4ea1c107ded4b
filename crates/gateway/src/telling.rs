//! What a request tells of itself besides its audit event: numbers, spans, log records.
//!
//! Facts are gathered while the request is answered; they are told together at its end. Numbers are always counted; spans
//! and records are made only when somebody takes them. Names of attributes and records are AgentCore's ("AgentCore
//! generated Gateway observability data"). Arguments, results and headers are in none of them.

use std::time::{Duration, Instant};

use domain::{AuditEvent, Decision, Outcome, PolicyMode, RATE_LIMITED, beginning};
use http::{HeaderMap, StatusCode};
use telemetry::{Attributes, LogRecord, Severity, Span, SpanKind, Trace, TraceContext, Value};

use crate::listed::Listed;
use crate::pipeline::Setup;
use crate::snapshot::{Gate, Plan, TargetEntry, UpstreamEntry, Visible};
use crate::tally::{self, Handled, HandledResult};
use crate::turn::Turn;

/// How much of a message's id is told, in characters.
const LONGEST_ID: usize = 64;

/// What is gathered.
#[derive(Clone, Default)]
pub(crate) struct Telling {
    pub(crate) trace: Trace,
    /// The id of the message, as its client wrote it.
    message: Option<String>,
    /// Whether there is a tool or a target of the name that the event holds, and the caller may know.
    named: bool,
    asked: Option<Instant>,
    decided: Option<Decided>,
    reached: Option<Reached>,
    first_said: Option<Instant>,
    listed: Option<Box<Listed>>,
}

/// A decision of policies.
#[derive(Clone, Copy)]
struct Decided {
    began: Instant,
    took: Duration,
    mismatched: usize,
}

/// A target that was asked.
#[derive(Clone)]
struct Reached {
    id: String,
    kind: &'static str,
    began: Instant,
    /// Nothing while it has not answered.
    took: Option<Duration>,
    error: Option<String>,
    context: Option<TraceContext>,
}

/// How a request ended.
#[derive(Clone, Copy, Default)]
pub(crate) struct End {
    pub(crate) status: Option<StatusCode>,
    /// The code of a JSON-RPC error.
    pub(crate) code: Option<i64>,
}

impl Telling {
    /// What a request with these headers tells.
    pub(crate) fn begin(setup: &Setup, gate: &Gate, headers: &HeaderMap) -> Self {
        let trace = setup.telemetry.trace(headers, &*setup.random, gate.deliveries.any());
        Self { trace, ..Self::default() }
    }

    /// The same for one of several messages of a request: each has a span of its own.
    pub(crate) fn split(&self, setup: &Setup) -> Self {
        Self { trace: self.trace.sibling(&*setup.random), ..Self::default() }
    }

    pub(crate) fn message(&mut self, id: &str) {
        if self.trace.context().is_some() {
            self.message = Some(beginning(id.trim_matches('"'), LONGEST_ID));
        }
    }

    pub(crate) fn named(&mut self) {
        self.named = true;
    }

    /// The policies are about to be asked.
    pub(crate) fn deciding(&mut self) {
        self.asked = Some(Instant::now());
    }

    /// They have decided; some of them could not.
    pub(crate) fn decided(&mut self, mismatched: usize) {
        if let Some(began) = self.asked {
            self.decided = Some(Decided { began, took: began.elapsed(), mismatched });
        }
    }

    /// Tools are listed to a caller who may see these.
    pub(crate) fn listing(&mut self, gate: &Gate, visible: &Visible) {
        if self.trace.recorded().is_some() {
            self.listed = Listed::of(gate, visible).map(Box::new);
        }
    }

    /// A target is about to be asked.
    pub(crate) fn reaching(&mut self, turn: &Turn, target: usize, plan: Option<&Plan>) {
        if let Some(target) = turn.gate.catalogue.target(target) {
            self.reaching_target(turn, target, plan);
        }
    }

    /// The same of a target that was found already.
    pub(crate) fn reaching_target(&mut self, turn: &Turn, target: &TargetEntry, plan: Option<&Plan>) {
        self.reached = Some(Reached {
            id: target.id.to_string(),
            kind: kind(&target.upstream, plan),
            began: Instant::now(),
            took: None,
            error: None,
            context: turn.onwards.clone(),
        });
    }

    /// It has answered.
    pub(crate) fn reached(&mut self, error: Option<&str>) {
        if let Some(reached) = &mut self.reached {
            reached.took = Some(reached.began.elapsed());
            reached.error = error.map(str::to_owned);
        }
    }

    /// The first of the answer was said then, if not just now.
    pub(crate) fn first_said(&mut self, at: Option<Instant>) {
        self.first_said = at;
    }

    /// Tells it all.
    pub(crate) fn end(&mut self, setup: &Setup, gate: &Gate, event: &AuditEvent, began: Instant, end: End) {
        let took = began.elapsed();
        let latency = self.first_said.map_or(took, |first| first.saturating_duration_since(began));
        let target = self.reached.as_ref().map(|it| (it.kind, it.took.unwrap_or_else(|| it.began.elapsed())));
        if let (Some(decided), Some(policy)) = (self.decided, &gate.gateway.policy) {
            gate.meter.took(policy.mode, decided.took);
        }
        let ended = Ended { setup, gate, event, began, end, took, latency, target: target.map(|it| it.1) };
        let shown = self.named && event.decision != Decision::Deny;
        gate.meter.tally.count(&Handled {
            protocol: if ended.is_http() { "HTTP" } else { "MCP" },
            method: tally::method(&event.action),
            name: event.tool.as_deref().filter(|_| shown).unwrap_or_default(),
            result: result(event, end),
            latency,
            duration: took,
            target,
        });
        if let Some((context, parent)) = self.trace.recorded() {
            self.spans(&ended, context, parent);
        }
        if setup.telemetry.logs() || gate.deliveries.any() {
            self.records(&ended);
        }
    }

    fn spans(&self, ended: &Ended<'_>, context: &TraceContext, parent: Option<telemetry::SpanId>) {
        let Ended { setup, event, .. } = *ended;
        let error = match event.outcome {
            Outcome::Success => None,
            Outcome::Abandoned => Some("Abandoned".to_owned()),
            Outcome::Refused | Outcome::Failure => {
                Some(event.error.clone().unwrap_or_else(|| "Error".to_owned()))
            }
        };
        if let Some(decided) = self.decided {
            let span = |attributes| Span {
                context: context.child(&*setup.random),
                parent: Some(context.span),
                name: "AgentCore.Policy.AuthorizeAction".into(),
                kind: SpanKind::Internal,
                began: ended.nanos(decided.began),
                took: decided.took,
                attributes,
                error: None,
            };
            let mut attributes = ended.attributes();
            attributes.push(("latency_ms", decided.took.into()));
            attributes.extend(policy_attributes(ended, decided));
            setup.telemetry.span(span(attributes));
        }
        if let Some(reached) = &self.reached
            && let Some(own) = &reached.context
        {
            let mut attributes = ended.attributes();
            attributes.push(("target.id", reached.id.clone().into()));
            attributes.push(("target.type", reached.kind.into()));
            if let Some(tool) = &event.tool {
                attributes.push(("tool.name", tool.clone().into()));
            }
            let took = reached.took.unwrap_or_else(|| reached.began.elapsed());
            attributes.push(("latency_ms", took.into()));
            if let Some(error) = &reached.error {
                attributes.push(("error_type", error.clone().into()));
            }
            setup.telemetry.span(Span {
                context: own.clone(),
                parent: Some(context.span),
                name: "AgentCore.Gateway.InvokeTarget".into(),
                kind: SpanKind::Client,
                began: ended.nanos(reached.began),
                took,
                attributes,
                error: reached.error.clone(),
            });
        }
        setup.telemetry.span(Span {
            context: context.clone(),
            parent,
            name: "AgentCore.Gateway.InvokeGateway".into(),
            kind: SpanKind::Server,
            began: ended.nanos(ended.began),
            took: ended.took,
            attributes: self.server_attributes(ended, error.clone()),
            error,
        });
    }

    fn server_attributes(&self, ended: &Ended<'_>, error: Option<String>) -> Attributes {
        let Ended { gate, event, .. } = *ended;
        let mut attributes = ended.attributes();
        attributes.push(("latency_ms", ended.latency.into()));
        attributes.push((
            "overhead_latency_ms",
            ended.took.saturating_sub(ended.target.unwrap_or_default()).into(),
        ));
        let method = tally::method(&event.action);
        let is_http = ended.is_http();
        attributes.push(("http.method", if is_http { method } else { "POST" }.into()));
        let place = match event.tool.as_deref().filter(|_| is_http && self.named) {
            Some(target) => format!("/gateways/{}/{target}", gate.gateway.id),
            None => format!("/gateways/{}/mcp", gate.gateway.id),
        };
        attributes.push(("url.path", place.into()));
        if !is_http {
            attributes.push(("rpc.method", method.into()));
        }
        if let Some(status) = ended.end.status {
            attributes.push(("http.response.status_code", status.as_u16().into()));
        }
        if let Some(code) = ended.end.code {
            attributes.push(("jsonrpc.error.code", Value::Number(code)));
        }
        if let Some(error) = error {
            attributes.push(("error_type", error.into()));
        }
        if let Some(tool) = event.tool.as_ref().filter(|_| !is_http) {
            attributes.push(("tool.name", tool.clone().into()));
        }
        if let Some(decided) = self.decided {
            attributes.extend(policy_attributes(ended, decided));
        }
        if let Some(listed) = &self.listed {
            attributes.extend(listed.attributes());
            attributes.extend(policy_of(gate));
        }
        attributes
    }

    /// AgentCore's two records of a request: that it began, and what came of it.
    fn records(&self, ended: &Ended<'_>) {
        let Ended { setup, gate, event, .. } = *ended;
        let id = self.message.as_deref().unwrap_or_default();
        let failed = matches!(event.outcome, Outcome::Failure | Outcome::Refused | Outcome::Abandoned);
        let last = if failed {
            let error = event.error.as_deref().unwrap_or("the client went away");
            format!("Failed to process request with requestId: {id} ({error})")
        } else {
            format!("Successfully processed request with requestId: {id}")
        };
        let first = format!("Started processing request with requestId: {id}");
        let done = event.time.plus(ended.took);
        for (time, is_error, log) in [(event.time, false, first), (done, failed, last)] {
            let record = LogRecord {
                time,
                severity: if is_error { Severity::Error } else { Severity::Info },
                body: Value::Members(vec![
                    ("isError", is_error.into()),
                    ("log", log.into()),
                    ("id", id.to_owned().into()),
                ]),
                attributes: vec![
                    ("resource_arn", gate.arn.to_string().into()),
                    ("event_timestamp", Value::Number(time.millis())),
                    ("account_id", gate.gateway.scope.account.to_string().into()),
                    ("request_id", event.request_id.to_string().into()),
                ],
                context: self.trace.context().cloned(),
            };
            gate.deliveries.deliver(&setup.logs, &gate.arn, &record);
            setup.telemetry.log(record);
        }
    }
}

/// A request that has ended.
#[derive(Clone, Copy)]
struct Ended<'a> {
    setup: &'a Setup,
    gate: &'a Gate,
    event: &'a AuditEvent,
    began: Instant,
    end: End,
    took: Duration,
    latency: Duration,
    target: Option<Duration>,
}

impl Ended<'_> {
    /// A moment of the request, in nanoseconds since the epoch.
    fn nanos(&self, moment: Instant) -> u64 {
        let after = moment.saturating_duration_since(self.began).as_nanos();
        telemetry::nanos(self.event.time).saturating_add(u64::try_from(after).unwrap_or_default())
    }

    fn is_http(&self) -> bool {
        matches!(self.event.action.as_str(), "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS")
            && self.event.tool.is_some()
    }

    /// What every span of the request says.
    fn attributes(&self) -> Attributes {
        let gateway = &self.gate.gateway;
        vec![
            ("aws.operation.name", "InvokeGateway".into()),
            ("aws.resource.arn", self.gate.arn.to_string().into()),
            ("aws.request.id", self.event.request_id.to_string().into()),
            ("aws.account.id", gateway.scope.account.to_string().into()),
            ("aws.region", gateway.scope.region.to_string().into()),
            ("gateway.id", gateway.id.to_string().into()),
            ("gateway.name", gateway.name.clone().into()),
        ]
    }
}

fn policy_attributes(ended: &Ended<'_>, decided: Decided) -> Attributes {
    let Ended { gate, event, .. } = *ended;
    let allowed = event.decision == Decision::Allow;
    let mut attributes = vec![
        (
            "aws.agentcore.policy.authorization_decision",
            if allowed { Value::from("ALLOW") } else { "DENY".into() },
        ),
        ("aws.agentcore.policy.determining_policies", Value::Texts(event.policies.clone())),
        (
            "aws.agentcore.policy.mismatched_policies",
            Value::Number(i64::try_from(decided.mismatched).unwrap_or(i64::MAX)),
        ),
        ("aws.agentcore.policy.target_resource.id", gate.gateway.id.to_string().into()),
    ];
    if let Some(reason) = &event.reason {
        attributes.push(("aws.agentcore.policy.authorization_reason", reason.clone().into()));
    }
    attributes.extend(policy_of(gate));
    attributes
}

/// The policy engine of a gateway, and whether it binds.
fn policy_of(gate: &Gate) -> Attributes {
    let Some(policy) = &gate.gateway.policy else { return Attributes::new() };
    let mode = match policy.mode {
        PolicyMode::Enforce => "ENFORCE",
        PolicyMode::LogOnly => "LOG_ONLY",
    };
    vec![
        ("aws.agentcore.gateway.policy.arn", policy.engine.to_string().into()),
        ("aws.agentcore.gateway.policy.mode", mode.into()),
    ]
}

/// A target's type, as AgentCore names it.
fn kind(upstream: &UpstreamEntry, plan: Option<&Plan>) -> &'static str {
    match (upstream, plan) {
        (UpstreamEntry::Lambda { .. }, _) => "Lambda",
        (UpstreamEntry::Mcp(_), _) => "MCPServer",
        (UpstreamEntry::Http(_), _) => "HTTP",
        (UpstreamEntry::Rest, Some(Plan::Smithy(..))) => "Smithy",
        (UpstreamEntry::Rest, _) => "OpenAPI",
    }
}

fn result(event: &AuditEvent, end: End) -> HandledResult {
    let limited = event.reason.as_ref().is_some_and(|reason| reason.starts_with(RATE_LIMITED));
    if limited || end.status == Some(StatusCode::TOO_MANY_REQUESTS) {
        return HandledResult::Throttled;
    }
    match event.outcome {
        Outcome::Success if event.error.is_some() => HandledResult::UserError,
        Outcome::Success => HandledResult::Good,
        Outcome::Refused => HandledResult::UserError,
        Outcome::Failure => HandledResult::SystemError,
        Outcome::Abandoned => HandledResult::Abandoned,
    }
}
