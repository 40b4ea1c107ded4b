//! The record of a request: put together from the facts of the stages, handed over at the end. A request whose client
//! goes away leaves its record too.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use domain::{Actor, AuditEvent, AuditKind, Decision, EventId, LogOnly, Outcome, PolicyId, RequestId};
use http::StatusCode;

use mcp::jsonrpc::{CallParams, Message};
use policy::Observation;

use crate::answer::Reply;
use crate::authenticate::Caller;
use crate::authorize::{Decided, Passage, Ruling};
use crate::pipeline::Plane;
use crate::snapshot::Gate;

/// What is known so far.
pub(crate) struct Record {
    plane: Arc<Plane>,
    began: Instant,
    /// Taken when the record is handed over.
    event: Option<AuditEvent>,
    request_id: RequestId,
}

impl Record {
    /// The record of a request that has just arrived.
    pub(crate) fn begin(
        plane: &Arc<Plane>,
        gate: &Gate,
        peer: IpAddr,
        began: Instant,
        request_id: RequestId,
    ) -> Self {
        let setup = &plane.setup;
        let event = AuditEvent {
            event_id: EventId::mint(&*setup.random),
            time: setup.clock.now(),
            kind: AuditKind::Gateway,
            scope: gate.gateway.scope.clone(),
            actor: Actor::Anonymous,
            source_ip: Some(peer.to_string()),
            action: "InvokeGateway".to_owned(),
            resource: Some(gate.arn.to_string()),
            tool: None,
            decision: Decision::None,
            policies: Vec::new(),
            reason: None,
            log_only: None,
            outcome: Outcome::Abandoned,
            error: None,
            latency_us: 0,
            request_id: request_id.clone(),
        };
        Self { plane: Arc::clone(plane), began, event: Some(event), request_id }
    }

    /// A record of its own for each message of the request.
    pub(crate) fn split(mut self, messages: usize) -> Vec<Self> {
        let Some(event) = self.event.take() else { return Vec::new() };
        let own = |_| Self {
            plane: Arc::clone(&self.plane),
            began: self.began,
            event: Some(AuditEvent { event_id: EventId::mint(&*self.plane.setup.random), ..event.clone() }),
            request_id: self.request_id.clone(),
        };
        (0..messages).map(own).collect()
    }

    pub(crate) fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Who calls.
    pub(crate) fn caller(&mut self, caller: &Caller) {
        self.set(|event| event.actor = caller.actor().clone());
    }

    /// What is asked: the method, as far as it is one that a log should hold.
    pub(crate) fn action(&mut self, method: &str) {
        self.set(|event| event.action = method.chars().take(64).collect());
    }

    /// The tool that is called, as the client named it.
    pub(crate) fn tool(&mut self, name: &str) {
        self.set(|event| event.tool = Some(name.chars().take(256).collect()));
    }

    /// Nothing had to be asked to allow it.
    pub(crate) fn allowed(&mut self) {
        self.set(|event| event.decision = Decision::Allow);
    }

    /// A limit turned it away.
    pub(crate) fn throttled(&mut self, limit: &str) {
        self.set(|event| {
            event.decision = Decision::Deny;
            event.reason = Some(format!("the rate limit {limit}"));
        });
    }

    /// What a message is about, as far as it says so: for a message that may be answered before it is looked up.
    pub(crate) fn subject(&mut self, message: &Message<'_>) {
        let Message::Request { method, params: Some(params), .. } = message else { return };
        let asked = match &**method {
            "tools/call" | "prompts/get" => CallParams::parse(params),
            "resources/read" => CallParams::parse_uri(params),
            _ => return,
        };
        if let Ok(asked) = asked {
            self.tool(&asked.name);
        }
    }

    /// What was decided.
    pub(crate) fn ruling(&mut self, ruling: &Ruling<'_>) {
        // What the decision is where no policy was asked.
        let (decided, undecided) = match ruling {
            Ruling::Permitted(_, decided) => (decided, Decision::Allow),
            Ruling::Unsound(_, decided) => (decided, Decision::None),
            Ruling::Denied(decided) => (decided, Decision::Deny),
            Ruling::Unknown => return,
        };
        self.decided(decided, undecided);
    }

    /// What was decided about a request to an HTTP target.
    pub(crate) fn passage(&mut self, passage: &Passage<'_>) {
        match passage {
            Passage::Permitted(_, decided) => self.decided(decided, Decision::Allow),
            Passage::Denied(decided) => self.decided(decided, Decision::Deny),
            Passage::Unknown => {}
        }
    }

    /// What was decided about a prompt or a resource.
    pub(crate) fn reading(&mut self, decided: &Decided) {
        self.decided(decided, Decision::None);
    }

    fn decided(&mut self, decided: &Decided, undecided: Decision) {
        let Decided { allowed, binds, policies, reason, failed: _, observed } = decided;
        self.set(|event| {
            event.decision = match (allowed, binds) {
                (Some(true), _) => Decision::Allow,
                (Some(false), false) => Decision::WouldDeny,
                (Some(false), true) => Decision::Deny,
                (None, _) => undecided,
            };
            event.policies = policies.iter().map(ToString::to_string).collect();
            event.reason.clone_from(reason);
            event.log_only = observed.as_ref().filter(|observed| !observed.is_empty()).map(log_only);
        });
    }

    /// Hands the record of a request over that was answered by a service behind, or in its place.
    pub(crate) async fn passed(mut self, status: StatusCode) {
        self.set(|event| {
            event.outcome = if status.is_server_error() { Outcome::Failure } else { Outcome::Success };
            if status.is_client_error() || status.is_server_error() {
                event.error = Some(status.as_u16().to_string());
            }
        });
        if let Some(event) = self.finished() {
            self.plane.setup.audit.record(event).await;
        }
    }

    /// Hands the record over.
    pub(crate) async fn done(mut self, reply: &Reply) {
        self.set(|event| {
            event.outcome = reply.outcome;
            // What was decided stays decided, whatever an interceptor makes of the answer.
            if reply.denies_access() && event.decision == Decision::None {
                event.decision = Decision::Deny;
            }
            event.error.clone_from(&reply.error);
        });
        if let Some(event) = self.finished() {
            self.plane.setup.audit.record(event).await;
        }
    }

    fn set(&mut self, change: impl FnOnce(&mut AuditEvent)) {
        if let Some(event) = &mut self.event {
            change(event);
        }
    }

    fn finished(&mut self) -> Option<AuditEvent> {
        let mut event = self.event.take()?;
        event.latency_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        Some(event)
    }
}

fn log_only(observed: &Observation) -> Box<LogOnly> {
    let ids = |policies: &[PolicyId]| policies.iter().map(ToString::to_string).collect();
    Box::new(LogOnly {
        matched: ids(&observed.matched),
        would_change: ids(&observed.flips),
        failed: observed.errors.iter().map(|error| format!("{} ({})", error.policy, error.message)).collect(),
    })
}

/// A request that is dropped before its answer was abandoned by its client. Its record is handed over all the same.
impl Drop for Record {
    fn drop(&mut self) {
        if let Some(event) = self.finished() {
            self.plane.setup.audit.record_without_waiting(event);
        }
    }
}
