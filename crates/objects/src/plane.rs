//! A request for the object store, from its arrival to its answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::{Clock, Random, Region, RequestId};
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use identity::principal::{Identity, Principals};
use store::{AuditLog, CUT_OFF, Store};

use crate::audit::{Refusal, bounded, denies};
use crate::authenticate::{Caller, authenticate};
use crate::authorize::Call;
use crate::fault::{Failure, Fault};
use crate::headers;
use crate::operation::Operation;
use crate::operations;
use crate::outgoing::Body;
use crate::target::{Query, Target};

/// The largest body that is read to its end although its request is refused.
const MOST_DRAINED: u64 = 1024 * 1024;
/// How long that may take.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// Everything that the object store stands on.
pub struct Setup {
    /// The database.
    pub store: Store,
    /// The identities that sign.
    pub principals: Arc<Principals>,
    /// The audit trail.
    pub audit: AuditLog,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The names of this server, in lower case: `{bucket}.{name}` is a bucket of it.
    pub hosts: Vec<String>,
    /// The region that those sign for who cannot say it.
    pub region: Region,
    /// What is allowed.
    pub limits: Limits,
}

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest object, in bytes; a part of an upload may be as large.
    pub object_bytes: u64,
    /// Buckets of an account (S3's default).
    pub buckets: usize,
    /// Uploads to a bucket that have begun and have not come to an end: they all go at once with their bucket.
    pub uploads: u64,
    /// The least size of every part of an upload but the last, in bytes (S3's).
    pub part_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { object_bytes: 100 * 1024 * 1024, buckets: 100, uploads: 1_000, part_bytes: 5 * 1024 * 1024 }
    }
}

/// The object store.
#[derive(Clone)]
pub struct Objects {
    pub(crate) setup: Arc<Setup>,
}

/// How far a request got before it failed.
#[derive(Default)]
struct Progress {
    operation: Option<Operation>,
    identity: Option<Arc<Identity>>,
    resource: Option<String>,
    region: Option<Region>,
}

impl Objects {
    /// The object store on what `setup` gives it.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self { setup: Arc::new(setup) }
    }

    /// Answers a request, and leaves an audit event when it changed something or was refused.
    pub async fn answer<B>(&self, request: Request<B>, peer: IpAddr) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let began = Instant::now();
        let request_id = RequestId::mint(&*self.setup.random);
        let (head, mut body) = request.into_parts();
        let mut progress = Progress::default();
        let performed = self.perform(&head, &mut body, peer, (&request_id, began), &mut progress).await;
        let mut response = match performed {
            Ok(response) => response,
            Err(failure) => {
                let fault = failure.into_fault(&request_id);
                drain(&head, body).await;
                self.record(&head, peer, &request_id, began, &progress, &fault).await;
                fault.answer(&head.method, head.uri.path(), &request_id)
            }
        };
        if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
            response.headers_mut().insert("x-amz-request-id", id);
        }
        response
    }

    async fn perform<B>(
        &self,
        head: &Parts,
        body: B,
        peer: IpAddr,
        (request_id, began): (&RequestId, Instant),
        progress: &mut Progress,
    ) -> Result<Response<Body>, Failure>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        if !self.setup.store.standing().is_current() {
            return Err(Failure::new("ServiceUnavailable", format!("{CUT_OFF}.")));
        }
        let target = Target::of(head, &self.setup.hosts)?;
        let Caller { identity, region, payload } = authenticate(&self.setup, head, &target).await?;
        let region = region.unwrap_or_else(|| self.setup.region.clone());
        progress.identity = Some(Arc::clone(&identity));
        progress.region = Some(region.clone());
        let resource = format!("arn:aws:s3:::{}", target.path.trim_start_matches('/'));
        progress.resource = Some(bounded(&resource).to_owned());
        let query = Query::parse(head.uri.query().unwrap_or_default())?;
        let operation = Operation::of(&head.method, &target, &query, &head.headers)?;
        progress.operation = Some(operation);
        headers::refuse_foreign(&head.headers)?;
        let now = self.setup.clock.now();
        let call = Call {
            setup: &self.setup,
            head,
            target: &target,
            query: &query,
            operation,
            identity,
            region,
            peer,
            request_id,
            began,
            now,
        };
        operations::perform(&call, body, payload).await
    }

    /// The audit event of a request that came to nothing. What succeeded left its event with what it changed.
    async fn record(
        &self,
        head: &Parts,
        peer: IpAddr,
        request_id: &RequestId,
        began: Instant,
        progress: &Progress,
        fault: &Fault,
    ) {
        if progress.operation.is_some_and(Operation::reads) && !denies(fault, progress.identity.as_deref()) {
            return;
        }
        Refusal {
            setup: &self.setup,
            headers: &head.headers,
            identity: progress.identity.as_deref(),
            region: progress.region.as_ref().unwrap_or(&self.setup.region),
            peer,
            began,
            request_id,
            action: progress.operation.map_or_else(
                || format!("{} {}", head.method, bounded(head.uri.path())),
                |operation| operation.action().to_owned(),
            ),
            resource: progress.resource.as_deref(),
            fault,
        }
        .record()
        .await;
    }
}

/// Reads what is left of a small body, so that a client that is still sending it gets the refusal and not a connection
/// that is cut.
async fn drain<B>(head: &Parts, mut body: B)
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let length =
        head.headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length <= MOST_DRAINED) {
        let reading = async { while let Some(Ok(_)) = body.frame().await {} };
        let _ = tokio::time::timeout(DRAIN_PATIENCE, reading).await;
    }
}
