//! Whether a caller may do something, by IAM; and the proof of it, which is the way to a transaction.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use domain::{
    AccountId, Arn, AuditEvent, AuditKind, Bucket, Decision, EventId, Outcome, Region, RequestId, Scope,
    Timestamp,
};
use http::request::Parts;
use iam::{Question, Requester, Verdict};
use identity::principal::Identity;
use store::{StoreError, Tx};
use telemetry::TraceContext;

use crate::audit::{Refusal, actor};
use crate::fault::{Failure, Fault};
use crate::operation::Operation;
use crate::plane::Setup;
use crate::target::{Query, Target};

/// One call of an operation by a caller who is known.
pub(crate) struct Call<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) head: &'a Parts,
    pub(crate) target: &'a Target,
    pub(crate) query: &'a Query,
    pub(crate) operation: Operation,
    pub(crate) identity: Arc<Identity>,
    pub(crate) region: Region,
    pub(crate) peer: IpAddr,
    pub(crate) request_id: &'a RequestId,
    pub(crate) began: Instant,
    /// When the call arrived.
    pub(crate) now: Timestamp,
}

/// An operation that a policy allowed.
pub(crate) struct Authorized<'a> {
    call: &'a Call<'a>,
    action: &'static str,
    resource: Arn,
    owner: AccountId,
    by: Option<String>,
}

impl<'a> Call<'a> {
    /// The caller's account.
    pub(crate) fn account(&self) -> &AccountId {
        &self.identity.caller.account
    }

    /// A header's value; one that is no text is not there.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The bucket that the request is about, and the proof that the operation is allowed on the request's object, or on
    /// the bucket where it names none. A bucket that is not there is the caller's own while IAM is asked: who may not use
    /// it does not learn whether it exists.
    pub(crate) async fn authorize(&'a self) -> Result<(Bucket, Authorized<'a>), Failure> {
        let bucket = self.setup.store.read().await?.bucket(&self.target.bucket).await?;
        let resource = match self.target.key.as_str() {
            "" => Arn::bucket(&self.target.bucket),
            key => Arn::object(&self.target.bucket, key),
        };
        let owner = bucket.as_ref().map_or(self.account(), |bucket| &bucket.scope.account);
        let authorized = self.decide(self.operation.action(), resource, owner)?;
        Ok((self.present(bucket, &self.target.bucket)?, authorized))
    }

    /// The proof that an action is allowed on a resource of `owner`'s. Who is denied a resource of another account is
    /// told what they would be told of one that is not there, if that is denied to them too.
    pub(crate) fn decide(
        &'a self,
        action: &'static str,
        resource: Arn,
        owner: &AccountId,
    ) -> Result<Authorized<'a>, Failure> {
        let verdict = self.verdict(action, &resource, owner);
        if verdict.is_allowed() {
            let by = verdict.deciding.as_ref().map(ToString::to_string);
            return Ok(Authorized { call: self, action, resource, owner: owner.clone(), by });
        }
        tracing::info!(request.id = %self.request_id, action, resource = %resource, verdict = %verdict, "IAM denies a call.");
        let because = if owner == self.account() {
            None
        } else {
            self.verdict(action, &resource, self.account()).tail(action)
        };
        let because = because.or_else(|| verdict.tail(action)).unwrap_or_default();
        let caller = self.identity.caller.arn();
        Err(Failure::new(
            "AccessDenied",
            crate::read::denial(caller.as_str(), action, resource.as_str(), &because),
        ))
    }

    /// Whether an action is allowed, for an answer that depends on it.
    pub(crate) fn may(&self, action: &'static str, resource: &Arn, owner: &AccountId) -> bool {
        self.verdict(action, resource, owner).is_allowed()
    }

    /// A bucket as it was found, or S3's error; `x-amz-expected-bucket-owner` is held against it.
    pub(crate) fn present(&self, bucket: Option<Bucket>, name: &str) -> Result<Bucket, Failure> {
        let bucket = bucket.ok_or_else(|| {
            Fault::new("NoSuchBucket", "The specified bucket does not exist").with("BucketName", name)
        })?;
        match self.header("x-amz-expected-bucket-owner") {
            Some(expected) if name == self.target.bucket && expected != bucket.scope.account.as_str() => Err(
                Failure::new("AccessDenied", "Access Denied: the bucket has another owner than expected."),
            ),
            _ => Ok(bucket),
        }
    }

    /// Leaves the audit event of a part of the call that was refused, where the call itself was not.
    pub(crate) async fn refused(&self, resource: &Arn, fault: &Fault) {
        Refusal {
            setup: self.setup,
            headers: &self.head.headers,
            identity: Some(&self.identity),
            region: &self.region,
            peer: self.peer,
            began: self.began,
            request_id: self.request_id,
            action: self.operation.action().to_owned(),
            resource: Some(resource.as_str()),
            fault,
        }
        .record()
        .await;
    }

    fn verdict(&self, action: &str, resource: &Arn, owner: &AccountId) -> Verdict {
        let mut context = self
            .identity
            .conditions()
            .at(self.now)
            .with("aws:SourceIp", self.peer.to_string())
            .with("aws:RequestedRegion", self.region.as_str())
            .with("aws:ResourceAccount", owner.as_str());
        if action == "s3:ListBucket" {
            for name in ["prefix", "delimiter", "max-keys"] {
                if let Some(value) = self.query.get(name) {
                    context = context.with(&format!("s3:{name}"), value);
                }
            }
        }
        let question = Question {
            requester: Requester::Iam(&self.identity.caller),
            action,
            resource: resource.as_str(),
            resource_account: Some(owner),
            context: &context,
        };
        iam::evaluate(&question, &self.identity.sets(None))
    }
}

impl Authorized<'_> {
    /// A transaction that writes.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        self.call.setup.store.begin().await
    }

    /// A transaction that only reads.
    pub(crate) async fn read(&self) -> Result<Tx, StoreError> {
        self.call.setup.store.read().await
    }

    /// Makes what was written last, with the audit event that says who did what to what.
    pub(crate) async fn commit(&self, tx: Tx) -> Result<(), StoreError> {
        let call = self.call;
        tx.commit(&AuditEvent {
            event_id: EventId::mint(&*call.setup.random),
            time: call.now,
            kind: AuditKind::Control,
            scope: Scope { account: self.owner.clone(), region: call.region.clone() },
            actor: actor(&call.identity),
            source_ip: Some(call.peer.to_string()),
            action: self.action.to_owned(),
            resource: Some(self.resource.to_string()),
            tool: None,
            decision: Decision::Allow,
            policies: self.by.iter().cloned().collect(),
            reason: None,
            log_only: None,
            outcome: Outcome::Success,
            error: None,
            latency_us: u64::try_from(call.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            request_id: call.request_id.clone(),
            call: TraceContext::of_headers(&call.head.headers).map(|caller| caller.audited_call()),
        })
        .await
    }
}
