//! The audit events of what was refused. What succeeded leaves its event with what it changed (`authorize`).

use std::net::IpAddr;
use std::time::Instant;

use domain::{AccountId, Actor, AuditEvent, AuditKind, Decision, EventId, Outcome, Region, RequestId, Scope};
use http::HeaderMap;
use identity::principal::Identity;
use telemetry::TraceContext;

use crate::fault::Fault;
use crate::plane::Setup;

/// How much of a path and of a refusal the audit trail keeps, in characters.
const LONGEST_TEXT: usize = 1_024;

/// A request, or one part of it, that came to nothing.
pub(crate) struct Refusal<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) headers: &'a HeaderMap,
    /// Who asked, if that was proven.
    pub(crate) identity: Option<&'a Identity>,
    pub(crate) region: &'a Region,
    pub(crate) peer: IpAddr,
    pub(crate) began: Instant,
    pub(crate) request_id: &'a RequestId,
    pub(crate) action: String,
    pub(crate) resource: Option<&'a str>,
    pub(crate) fault: &'a Fault,
}

impl Refusal<'_> {
    /// Writes the event.
    pub(crate) async fn record(self) {
        let Self { setup, identity, fault, .. } = self;
        let failed = fault.status().is_server_error() && fault.code == "InternalError";
        let account = identity.map_or_else(AccountId::first, |identity| identity.caller.account.clone());
        let event = AuditEvent {
            event_id: EventId::mint(&*setup.random),
            time: setup.clock.now(),
            kind: AuditKind::Control,
            scope: Scope { account, region: self.region.clone() },
            actor: identity.map_or(Actor::Anonymous, actor),
            source_ip: Some(self.peer.to_string()),
            action: self.action,
            resource: self.resource.map(|resource| bounded(resource).to_owned()),
            tool: None,
            decision: if denies(fault, identity) { Decision::Deny } else { Decision::None },
            policies: Vec::new(),
            reason: Some(bounded(&fault.message).to_owned()),
            log_only: None,
            outcome: if failed { Outcome::Failure } else { Outcome::Refused },
            error: Some(fault.code.to_owned()),
            latency_us: u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            request_id: self.request_id.clone(),
            call: TraceContext::of_headers(self.headers).map(|caller| caller.audited_call()),
        };
        setup.audit.record_refusal(event).await;
    }
}

/// Whether a fault says that the caller may not, or is not known.
pub(crate) fn denies(fault: &Fault, identity: Option<&Identity>) -> bool {
    fault.code == "AccessDenied" || identity.is_none()
}

/// The caller, as audit events name it.
pub(crate) fn actor(identity: &Identity) -> Actor {
    Actor::Iam {
        arn: identity.caller.arn().to_string(),
        access_key_id: identity.caller.access_key.to_string(),
    }
}

/// As much of a text as the audit trail keeps.
pub(crate) fn bounded(text: &str) -> &str {
    text.char_indices().nth(LONGEST_TEXT).map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}
