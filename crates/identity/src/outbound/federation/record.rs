//! The audit events of what happens between a workload's calls: a browser that comes back, a refresh.

use domain::{
    Actor, AuditEvent, AuditKind, AuthorizationStatus, Decision, EventId, Outcome, RequestId, Scope,
};
use store::StoreError;

use super::session::Pending;
use crate::outbound::Outbound;

/// What an event is about.
pub(super) struct About<'a> {
    pub(super) action: &'static str,
    pub(super) scope: &'a Scope,
    pub(super) provider: &'a str,
    pub(super) actor: Actor,
    pub(super) source_ip: Option<&'a str>,
}

impl Outbound {
    pub(super) fn event(
        &self,
        about: About<'_>,
        refused: Option<(&str, &str)>,
        request_id: &RequestId,
    ) -> AuditEvent {
        let kind = domain::CredentialKind::OAuth2;
        AuditEvent {
            event_id: EventId::mint(&*self.servers.random),
            time: self.clock.now(),
            kind: AuditKind::Token,
            scope: about.scope.clone(),
            actor: about.actor,
            source_ip: about.source_ip.map(str::to_owned),
            action: about.action.to_owned(),
            resource: Some(domain::Arn::credential_provider(about.scope, kind, about.provider).to_string()),
            tool: None,
            decision: Decision::None,
            policies: Vec::new(),
            reason: refused.map(|(_, why)| why.to_owned()),
            log_only: None,
            outcome: if refused.is_some() { Outcome::Refused } else { Outcome::Success },
            error: refused.map(|(error, _)| error.to_owned()),
            latency_us: 0,
            request_id: request_id.clone(),
            call: None,
        }
    }

    /// Ends a session without tokens; one that ended meanwhile stays as it is.
    pub(super) async fn fail(
        &self,
        mut pending: Pending,
        why: (&str, &str),
        source_ip: Option<&str>,
        request_id: &RequestId,
    ) -> Result<(), StoreError> {
        pending.details.tokens = None;
        let mut tx = self.store.begin().await?;
        match pending.advance(&mut tx, AuthorizationStatus::Failed).await {
            Ok(()) => {}
            Err(StoreError::Stale) => return Ok(()),
            Err(error) => return Err(error),
        }
        let about = About {
            action: "authorization_code",
            scope: &pending.session.scope,
            provider: &pending.details.provider,
            actor: Actor::Anonymous,
            source_ip,
        };
        tx.commit(&self.event(about, Some(why), request_id)).await
    }
}
