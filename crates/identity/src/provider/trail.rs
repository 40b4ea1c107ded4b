//! The audit events of the provider: who signed in to what, by which client, and what came of it.

use std::time::Instant;

use domain::{
    Actor, Arn, AuditEvent, AuditKind, ClientId, Decision, EventId, Outcome, PoolClient, PoolUser, RequestId,
    Scope, Timestamp, UserPool,
};
use store::{StoreError, Tx};

use super::Provider;

/// What an audit event can say, however far its request got.
pub(super) struct Trail {
    began: Instant,
    time: Timestamp,
    /// What is done: the grant, or the step of a sign-in.
    pub(super) action: String,
    source_ip: Option<String>,
    request_id: RequestId,
    /// The client that asks, as far as it may be named.
    pub(super) client: Option<String>,
    user: Option<(String, String)>,
    scope: Option<Scope>,
    pool: Option<String>,
    /// Whether an event was committed with what it is about.
    written: bool,
}

impl Trail {
    pub(super) fn begin(
        provider: &Provider,
        action: &str,
        source_ip: Option<String>,
        request_id: &RequestId,
    ) -> Self {
        Self {
            began: Instant::now(),
            time: provider.clock.now(),
            action: action.to_owned(),
            source_ip,
            request_id: request_id.clone(),
            client: None,
            user: None,
            scope: None,
            pool: None,
            written: false,
        }
    }

    /// From here on it is this account's affair, however it ends.
    pub(super) fn saw_client(&mut self, client: &PoolClient) {
        self.client = Some(client.id.to_string());
        self.scope = Some(client.scope.clone());
        self.pool = Some(Arn::user_pool(&client.scope, &client.pool).to_string());
    }

    /// The user proved who it is.
    pub(super) fn saw_user(&mut self, issuer: String, user: &PoolUser) {
        self.user = Some((issuer, user.sub.clone()));
    }

    pub(super) fn saw_pool(&mut self, pool: &UserPool) {
        self.scope = Some(pool.scope.clone());
        self.pool = Some(Arn::user_pool(&pool.scope, &pool.id).to_string());
    }

    fn event(&self, provider: &Provider, refused: Option<(&str, &str, Outcome)>) -> AuditEvent {
        let client = self.client.clone();
        let actor = match (&self.user, client) {
            (Some((issuer, subject)), client_id) => {
                Actor::Token { issuer: issuer.clone(), subject: Some(subject.clone()), client_id }
            }
            (None, Some(client_id)) => Actor::Client { client_id },
            (None, None) => Actor::Anonymous,
        };
        AuditEvent {
            event_id: EventId::mint(&*provider.random),
            time: self.time,
            kind: AuditKind::Token,
            scope: self.scope.clone().unwrap_or_else(|| Scope::global(&domain::AccountId::first())),
            actor,
            source_ip: self.source_ip.clone(),
            action: self.action.clone(),
            resource: self.pool.clone(),
            tool: None,
            decision: if refused.is_none() { Decision::Allow } else { Decision::Deny },
            policies: Vec::new(),
            reason: refused.map(|(_, reason, _)| reason.to_owned()),
            log_only: None,
            outcome: refused.map_or(Outcome::Success, |(_, _, outcome)| outcome),
            error: refused.map(|(error, ..)| error.to_owned()),
            latency_us: u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            request_id: self.request_id.clone(),
            call: None,
        }
    }
}

impl Provider {
    /// Makes what was written last, with the event that says who did it.
    pub(super) async fn commit(&self, tx: Tx, trail: &mut Trail) -> Result<(), StoreError> {
        tx.commit(&trail.event(self, None)).await?;
        trail.written = true;
        Ok(())
    }

    /// Makes last what a refusal writes: what it takes back.
    pub(super) async fn commit_refused(
        &self,
        tx: Tx,
        trail: &mut Trail,
        error: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        tx.commit(&trail.event(self, Some((error, reason, Outcome::Refused)))).await?;
        trail.written = true;
        Ok(())
    }

    /// Records what came of a request, unless that was committed with what it wrote.
    pub(super) async fn record(&self, trail: Trail, refused: Option<(&str, &str, Outcome)>) {
        if !trail.written {
            self.audit.record(trail.event(self, refused)).await;
        }
    }

    /// The client of an id and its pool.
    pub(super) async fn client_and_pool(
        &self,
        id: &str,
    ) -> Result<Option<(PoolClient, UserPool)>, StoreError> {
        let mut tx = self.store.read().await?;
        let Some(client) = tx.pool_client(&ClientId::from_text(id)).await? else { return Ok(None) };
        let pool = tx.user_pool(&client.pool).await?;
        Ok(pool.map(|pool| (client, pool)))
    }
}
