//! The record of a request: put together from the facts of the stages, handed over when the answer begins. A request whose
//! client goes away before that leaves its record too.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use domain::{AccountId, Actor, Arn, AuditEvent, AuditKind, Decision, EventId, Outcome, RequestId, Scope};
use telemetry::TraceContext;

use crate::authenticate::Caller;
use crate::edge::House;
use crate::refusal::{Kind, Refusal};
use crate::registry::Served;

/// How much of a refusal the audit trail keeps, in characters: a stranger's text may be in it.
const LONGEST_REASON: usize = 1_024;

/// What is known so far.
pub(crate) struct Record {
    house: Arc<House>,
    began: Instant,
    operation: &'static str,
    /// The runtime, once it is known to exist.
    runtime: Option<String>,
    /// Taken when the record is handed over.
    event: Option<AuditEvent>,
}

impl Record {
    /// The record of a request that has just arrived.
    pub(crate) fn begin(
        house: &Arc<House>,
        operation: &'static str,
        peer: IpAddr,
        request_id: &RequestId,
        trace: Option<&TraceContext>,
    ) -> Self {
        let setup = &house.setup;
        let event = AuditEvent {
            event_id: EventId::mint(&*setup.random),
            time: setup.clock.now(),
            kind: AuditKind::Runtime,
            scope: Scope::global(&AccountId::first()),
            actor: Actor::Anonymous,
            source_ip: Some(peer.to_string()),
            action: format!("bedrock-agentcore:{operation}"),
            resource: None,
            tool: None,
            decision: Decision::None,
            policies: Vec::new(),
            reason: None,
            log_only: None,
            outcome: Outcome::Abandoned,
            error: None,
            latency_us: 0,
            request_id: request_id.clone(),
            call: trace.map(TraceContext::audited_call),
        };
        Self { house: Arc::clone(house), began: Instant::now(), operation, runtime: None, event: Some(event) }
    }

    /// What the request is about.
    pub(crate) fn served(&mut self, served: &Served) {
        self.runtime = Some(served.runtime.id.to_string());
        self.about(&served.endpoint.arn());
    }

    /// What it is about, whether that exists or not.
    pub(crate) fn about(&mut self, resource: &Arn) {
        self.set(|event| {
            if let Some(scope) = resource.scope() {
                event.scope = scope;
            }
            event.resource = Some(resource.to_string());
        });
    }

    /// Who calls.
    pub(crate) fn caller(&mut self, caller: &Caller) {
        self.set(|event| event.actor = caller.actor.clone());
    }

    /// Who calls, when more is not known.
    pub(crate) fn actor(&mut self, actor: Actor) {
        self.set(|event| event.actor = actor);
    }

    /// The caller may do it; what let it, where a policy did.
    pub(crate) fn allowed(&mut self, by: Option<String>) {
        self.set(|event| {
            event.decision = Decision::Allow;
            event.policies.extend(by);
        });
    }

    /// It was served.
    pub(crate) async fn done(mut self) {
        self.set(|event| event.outcome = Outcome::Success);
        if let Some(event) = self.taken() {
            self.house.setup.audit.record(event).await;
        }
    }

    /// It was not served.
    pub(crate) async fn refused(mut self, refusal: &Refusal) {
        self.set(|event| {
            if refusal.denied {
                event.decision = Decision::Deny;
            }
            event.outcome = match refusal.kind {
                Kind::Agent | Kind::Internal => Outcome::Failure,
                _ => Outcome::Refused,
            };
            event.reason = Some(refusal.message.chars().take(LONGEST_REASON).collect());
            event.error = Some(refusal.kind.name().to_owned());
        });
        let Some(event) = self.taken() else { return };
        match event.outcome {
            Outcome::Failure => self.house.setup.audit.record(event).await,
            _ => self.house.setup.audit.record_refusal(event).await,
        }
    }

    fn taken(&mut self) -> Option<AuditEvent> {
        let event = self.event.take()?;
        if let Some(runtime) = &self.runtime {
            self.house.meter.count(runtime, self.operation, event.outcome);
        }
        let latency_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        Some(AuditEvent { latency_us, ..event })
    }

    fn set(&mut self, change: impl FnOnce(&mut AuditEvent)) {
        if let Some(event) = &mut self.event {
            change(event);
        }
    }
}

/// A request that is dropped before its answer was abandoned by its client.
impl Drop for Record {
    fn drop(&mut self) {
        if let Some(event) = self.taken() {
            self.house.setup.audit.record_without_waiting(event, None);
        }
    }
}
