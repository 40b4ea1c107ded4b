//! The proof that a policy allowed an operation. A transaction can be had from it and from nothing else, and what is
//! written through it is committed together with its audit event.

use ::iam::Verdict;
use domain::{AccountId, Actor, Arn, AuditEvent, AuditKind, Decision, EventId, Outcome, Region, Scope};
use store::{StoreError, Tx};

use crate::context::Context;
use crate::plane::actor;

/// An operation that a policy allowed.
pub struct Authorized<'a> {
    context: &'a Context,
    resource: Arn,
    by: Option<String>,
    actor: Actor,
}

impl<'a> Authorized<'a> {
    pub(crate) fn by(context: &'a Context, resource: Arn, verdict: &Verdict) -> Self {
        let by = verdict.deciding.as_ref().map(ToString::to_string);
        Self { by, ..Self::everyone(context, resource) }
    }

    pub(crate) fn everyone(context: &'a Context, resource: Arn) -> Self {
        let actor = context.identity.as_deref().map_or(Actor::Anonymous, actor);
        Self { context, resource, by: None, actor }
    }

    /// The same, for a caller who does not sign and was recognised otherwise.
    pub(crate) fn of(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }

    /// What was decided about.
    pub(crate) fn resource(&self) -> &Arn {
        &self.resource
    }

    /// A transaction that only reads.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        self.context.setup().store.read().await
    }

    /// A transaction that writes.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        self.context.setup().store.begin().await
    }

    /// Makes what was written last, with the audit event that says who did what to the resource that was decided about.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; then nothing is written.
    pub async fn commit(&self, tx: Tx) -> Result<(), StoreError> {
        self.commit_about(tx, &self.resource).await
    }

    /// The same, about a resource that was not there when it was decided.
    ///
    /// # Errors
    /// As [`Authorized::commit`].
    pub async fn commit_about(&self, tx: Tx, resource: &Arn) -> Result<(), StoreError> {
        self.commit_noting(tx, resource, None).await
    }

    /// The same, where the audit trail is to know more than who did what.
    ///
    /// # Errors
    /// As [`Authorized::commit`].
    pub(crate) async fn commit_noting(
        &self,
        tx: Tx,
        resource: &Arn,
        note: Option<String>,
    ) -> Result<(), StoreError> {
        self.context.notes.about(resource);
        tx.commit(&AuditEvent { reason: note, ..self.event(resource, Outcome::Success) }).await
    }

    /// Watches over work that writes nothing by itself, such as running a function. Its audit event is handed to the
    /// audit log, whose batches make it lasting, when the work ends; and also when the client goes away before that.
    pub(crate) fn watch(&self) -> Watched<'a> {
        Watched { context: self.context, event: Some(self.event(&self.resource, Outcome::Abandoned)) }
    }

    fn event(&self, resource: &Arn, outcome: Outcome) -> AuditEvent {
        let context = self.context;
        AuditEvent {
            event_id: EventId::mint(&*context.setup().random),
            time: context.now,
            kind: AuditKind::Control,
            scope: place(resource, &context.scope),
            actor: self.actor.clone(),
            source_ip: Some(context.peer.to_string()),
            action: context.action.to_owned(),
            resource: Some(resource.to_string()),
            tool: None,
            decision: Decision::Allow,
            policies: self.by.iter().cloned().collect(),
            reason: None,
            log_only: None,
            outcome,
            error: None,
            latency_us: context.elapsed_us(),
            request_id: context.request_id.clone(),
            call: Some(Box::new(context.told.clone())),
        }
    }
}

/// Whose a resource is and where, as far as its ARN says; roles and users, for one, are in no region.
fn place(resource: &Arn, signed_for: &Scope) -> Scope {
    Scope {
        account: AccountId::parse(resource.account()).unwrap_or_else(|_| signed_for.account.clone()),
        region: Region::parse(resource.region()).unwrap_or_else(|_| signed_for.region.clone()),
    }
}

/// The audit event of work that is under way.
pub(crate) struct Watched<'a> {
    context: &'a Context,
    /// Taken when it is handed over.
    event: Option<AuditEvent>,
}

impl Watched<'_> {
    /// The work was done; `error` names what went wrong in it, by no fault of ours or of the caller.
    pub(crate) async fn done(mut self, error: Option<String>) {
        if let Some(mut event) = self.finished() {
            event.outcome = if error.is_some() { Outcome::Failure } else { Outcome::Success };
            event.error = error;
            self.context.setup().audit.record(event).await;
        }
    }

    /// The work could not be done: the event of the refused request says why.
    pub(crate) fn refused(mut self) {
        self.event = None;
    }

    fn finished(&mut self) -> Option<AuditEvent> {
        let event = self.event.take()?;
        Some(AuditEvent { latency_us: self.context.elapsed_us(), ..event })
    }
}

/// Work that is dropped before its end was abandoned by its client.
impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if let Some(event) = self.finished() {
            self.context.setup().audit.record_without_waiting(event, None);
        }
    }
}
