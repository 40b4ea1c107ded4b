//! What threads through an operation: who calls, for which account and region, and what the planes stand on.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use ::iam::{PolicySets, Question, Requester, Verdict};
use aws::{Fault, Routed};
use aws_shapes::Protocol;
use domain::{AccountId, Arn, AuditCall, RequestId, Scope, Timestamp};
use identity::principal::Identity;
use store::Tx;
use telemetry::TraceContext;

use crate::authorized::Authorized;
use crate::fault::Failure;
use crate::plane::{ControlPlane, Request, Setup};
use crate::telling::Notes;

/// One call of an operation.
pub struct Context {
    plane: ControlPlane,
    /// The account that the caller belongs to and the region that was signed for.
    pub scope: Scope,
    /// Who signed; nobody signs the operations by which users of pools sign in.
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) action: &'static str,
    protocol: Protocol,
    pub(crate) peer: IpAddr,
    is_secure: bool,
    user_agent: Option<String>,
    referer: Option<String>,
    pub(crate) request_id: RequestId,
    pub(crate) began: Instant,
    /// What the audit trail is told of the call.
    pub(crate) told: AuditCall,
    /// What its span is told.
    pub(crate) notes: Notes,
    /// Where it stands in its trace.
    pub(crate) place: Option<TraceContext>,
    /// When the call arrived: every moment that the operation writes is this one.
    pub now: Timestamp,
}

impl Context {
    pub(crate) fn new(
        plane: &ControlPlane,
        routed: &Routed,
        identity: Option<Arc<Identity>>,
        scope: Scope,
        request: &Request,
        request_id: RequestId,
        began: Instant,
    ) -> Self {
        Self {
            plane: plane.clone(),
            scope,
            identity,
            action: routed.operation.action,
            protocol: routed.service.protocol,
            peer: request.peer,
            is_secure: request.is_secure,
            user_agent: request.header("user-agent"),
            referer: request.header("referer"),
            request_id,
            began,
            told: AuditCall::default(),
            notes: Notes::default(),
            place: None,
            now: plane.setup.clock.now(),
        }
    }

    /// The same, with what the audit trail and the span are told of the call, and its place in its trace.
    pub(crate) fn telling(self, told: AuditCall, notes: Notes, place: Option<TraceContext>) -> Self {
        Self { told, notes, place, ..self }
    }

    /// What the planes stand on.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.plane.setup
    }

    pub(crate) fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// Who signed.
    ///
    /// # Errors
    /// AWS's error for a call that is not signed.
    pub(crate) fn identity(&self) -> Result<&Identity, Failure> {
        let missing = || Fault::signature(self.protocol, &aws::sigv4::SignatureError::Missing);
        Ok(self.identity.as_deref().ok_or_else(missing)?)
    }

    /// How long ago the call arrived, in microseconds.
    pub(crate) fn elapsed_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Decides whether the caller may do this operation on a resource.
    ///
    /// # Errors
    /// AWS's error for a caller whom no policy allows it, or whom one forbids it.
    pub fn authorize(&self, resource: &Arn) -> Result<Authorized<'_>, Failure> {
        self.authorize_with(resource, |conditions| conditions)
    }

    /// The same, with condition keys of the operation's own.
    ///
    /// # Errors
    /// As [`Context::authorize`].
    pub fn authorize_with(
        &self,
        resource: &Arn,
        conditions: impl FnOnce(::iam::Context) -> ::iam::Context,
    ) -> Result<Authorized<'_>, Failure> {
        self.notes.about(resource);
        let verdict = self.decide(self.action, resource, &conditions(self.conditions()?), None)?;
        Ok(Authorized::by(self, resource.clone(), &verdict))
    }

    /// The same, for a resource that may have tags: conditions see them as `aws:ResourceTag`.
    ///
    /// # Errors
    /// As [`Context::authorize`], and when the store fails.
    pub(crate) async fn authorize_tagged(&self, resource: &Arn) -> Result<Authorized<'_>, Failure> {
        self.authorize_tagged_with(resource, |conditions| conditions).await
    }

    /// The same, with condition keys of the operation's own.
    ///
    /// # Errors
    /// As [`Context::authorize_tagged`].
    pub(crate) async fn authorize_tagged_with(
        &self,
        resource: &Arn,
        conditions: impl FnOnce(::iam::Context) -> ::iam::Context,
    ) -> Result<Authorized<'_>, Failure> {
        let tags = self.tags(&mut self.setup().store.read().await?, resource).await?;
        self.authorize_with(resource, |known| conditions(known.with_tags("aws:ResourceTag", &tags)))
    }

    /// The tags of a resource. What an engine holds has the engine's. Nobody but the account that owns a resource learns
    /// anything of its tags.
    async fn tags(&self, tx: &mut Tx, resource: &Arn) -> Result<BTreeMap<String, String>, Failure> {
        if resource.account() != self.scope.account.as_str() {
            return Ok(BTreeMap::new());
        }
        Ok(tx.tags(resource.engine_around().as_ref().unwrap_or(resource)).await?)
    }

    /// The same, for a resource whose ARN says more than the caller knows, such as a role's path: a refusal calls it
    /// what the caller called it.
    ///
    /// # Errors
    /// As [`Context::authorize`].
    pub(crate) fn authorize_called(
        &self,
        resource: &Arn,
        called: &str,
        conditions: impl FnOnce(::iam::Context) -> ::iam::Context,
    ) -> Result<Authorized<'_>, Failure> {
        self.notes.about(resource);
        let conditions = conditions(self.conditions()?);
        let question = self.question(self.action, resource, &conditions)?;
        let verdict = ::iam::evaluate(&question, &self.sets(None)?);
        self.allowed(&question, called, &verdict)?;
        Ok(Authorized::by(self, resource.clone(), &verdict))
    }

    /// The same, for an operation that AWS gives no resource ("Service Authorization Reference"): only a statement about
    /// `*` speaks about it. The audit event names what it was about.
    ///
    /// # Errors
    /// As [`Context::authorize`].
    pub(crate) fn authorize_without_resource(&self, about: &Arn) -> Result<Authorized<'_>, Failure> {
        self.notes.about(about);
        let conditions = self.conditions()?;
        let question = Question { resource: "*", ..self.question(self.action, about, &conditions)? };
        let verdict = ::iam::evaluate(&question, &self.sets(None)?);
        self.allowed(&question, "*", &verdict)?;
        Ok(Authorized::by(self, about.clone(), &verdict))
    }

    /// The same, for a resource that has a policy of its own.
    ///
    /// # Errors
    /// As [`Context::authorize`].
    pub fn authorize_beside(
        &self,
        resource: &Arn,
        resource_policy: Option<&::iam::Named>,
    ) -> Result<Authorized<'_>, Failure> {
        self.notes.about(resource);
        let verdict = self.decide(self.action, resource, &self.conditions()?, resource_policy)?;
        Ok(Authorized::by(self, resource.clone(), &verdict))
    }

    /// Decides whether the caller may do something else that the operation implies, such as passing a role.
    ///
    /// # Errors
    /// As [`Context::authorize`].
    pub fn require(
        &self,
        action: &str,
        resource: &Arn,
        conditions: impl FnOnce(::iam::Context) -> ::iam::Context,
    ) -> Result<(), Failure> {
        self.decide(action, resource, &conditions(self.conditions()?), None).map(|_| ())
    }

    /// The same, for a resource that may have tags.
    ///
    /// # Errors
    /// As [`Context::authorize_tagged`].
    pub(crate) async fn require_tagged(
        &self,
        tx: &mut Tx,
        action: &str,
        resource: &Arn,
    ) -> Result<(), Failure> {
        let tags = self.tags(tx, resource).await?;
        self.require(action, resource, |known| known.with_tags("aws:ResourceTag", &tags))
    }

    /// Whether the caller may do something that the operation looks at, and does not fail without.
    ///
    /// # Errors
    /// AWS's error for a call that is not signed, and when the store fails.
    pub(crate) async fn may(&self, tx: &mut Tx, action: &str, resource: &Arn) -> Result<bool, Failure> {
        let tags = self.tags(tx, resource).await?;
        let conditions = self.conditions()?.with_tags("aws:ResourceTag", &tags);
        let question = self.question(action, resource, &conditions)?;
        Ok(::iam::evaluate(&question, &self.sets(None)?).is_allowed())
    }

    /// As [`Context::require`], for a resource whose ARN does not say whose it is: an object in a bucket. What is another account's
    /// needs that account's consent too, which nothing here gives.
    ///
    /// # Errors
    /// As [`Context::authorize`].
    pub(crate) fn require_of(
        &self,
        action: &str,
        resource: &Arn,
        owner: Option<&AccountId>,
    ) -> Result<(), Failure> {
        let conditions = self.conditions()?;
        let question = Question { resource_account: owner, ..self.question(action, resource, &conditions)? };
        let verdict = ::iam::evaluate(&question, &self.sets(None)?);
        self.allowed(&question, resource.as_str(), &verdict)
    }

    /// Opens what AWS opens to every caller who is recognised: `sts:GetCallerIdentity`.
    #[must_use]
    pub fn open_to_everyone(&self, resource: Arn) -> Authorized<'_> {
        self.notes.about(&resource);
        Authorized::everyone(self, resource)
    }

    /// Decides whether the caller may assume a role, by the role's trust policy and the caller's own.
    ///
    /// # Errors
    /// As [`Context::authorize`].
    pub fn authorize_by_trust(
        &self,
        role: &Arn,
        trust: &::iam::Named,
        conditions: impl FnOnce(::iam::Context) -> ::iam::Context,
    ) -> Result<Authorized<'_>, Failure> {
        self.notes.about(role);
        let conditions = conditions(self.conditions()?);
        let question = self.question(self.action, role, &conditions)?;
        let verdict = ::iam::evaluate_trust(&question, trust, &self.sets(None)?);
        self.allowed(&question, role.as_str(), &verdict)?;
        Ok(Authorized::by(self, role.clone(), &verdict))
    }

    /// Decides whether the caller may do something else that assuming a role implies, such as giving the session tags.
    ///
    /// # Errors
    /// As [`Context::authorize`].
    pub(crate) fn require_by_trust(
        &self,
        action: &str,
        role: &Arn,
        trust: &::iam::Named,
        conditions: impl FnOnce(::iam::Context) -> ::iam::Context,
    ) -> Result<(), Failure> {
        let conditions = conditions(self.conditions()?);
        let question = self.question(action, role, &conditions)?;
        let verdict = ::iam::evaluate_trust(&question, trust, &self.sets(None)?);
        self.allowed(&question, role.as_str(), &verdict)
    }

    fn decide(
        &self,
        action: &str,
        resource: &Arn,
        conditions: &::iam::Context,
        resource_policy: Option<&::iam::Named>,
    ) -> Result<Verdict, Failure> {
        let question = self.question(action, resource, conditions)?;
        let verdict = ::iam::evaluate(&question, &self.sets(resource_policy)?);
        self.allowed(&question, resource.as_str(), &verdict)?;
        Ok(verdict)
    }

    fn question<'a>(
        &'a self,
        action: &'a str,
        resource: &'a Arn,
        context: &'a ::iam::Context,
    ) -> Result<Question<'a>, Failure> {
        Ok(Question {
            requester: Requester::Iam(&self.identity()?.caller),
            action,
            resource: resource.as_str(),
            resource_account: None,
            context,
        })
    }

    fn sets<'a>(&'a self, resource: Option<&'a ::iam::Named>) -> Result<PolicySets<'a>, Failure> {
        Ok(self.identity()?.sets(resource))
    }

    fn allowed(&self, question: &Question<'_>, called: &str, verdict: &Verdict) -> Result<(), Failure> {
        if verdict.is_allowed() {
            return Ok(());
        }
        tracing::info!(request.id = %self.request_id, action = question.action, resource = question.resource, verdict = %verdict, "IAM denies a call.");
        let because = verdict.tail(question.action).unwrap_or_default();
        let arn = self.identity()?.caller.arn();
        Err(Fault::access_denied(self.protocol, arn.as_str(), question.action, called, &because).into())
    }

    /// The condition keys that every call has.
    fn conditions(&self) -> Result<::iam::Context, Failure> {
        Ok(self.of_request(self.identity()?.conditions()))
    }

    /// The condition keys that a request has, whoever makes it.
    pub(crate) fn of_request(&self, conditions: ::iam::Context) -> ::iam::Context {
        let conditions = conditions
            .at(self.now)
            .with("aws:SourceIp", self.peer.to_string())
            .with("aws:SecureTransport", self.is_secure.to_string())
            .with("aws:RequestedRegion", self.scope.region.as_str())
            .with("aws:ViaAWSService", "false");
        let said = [("aws:UserAgent", &self.user_agent), ("aws:Referer", &self.referer)];
        said.into_iter().fold(conditions, |conditions, (key, value)| match value {
            Some(value) => conditions.with(key, value.as_str()),
            None => conditions,
        })
    }
}
