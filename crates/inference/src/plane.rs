//! A request for a model, from its arrival to its answer.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws::Fault;
use bytes::Bytes;
use domain::{
    AccountId, Actor, AuditEvent, AuditKind, Clock, Decision, EventId, Outcome, Random, Region, RequestId,
    Scope,
};
use egress::Client;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use identity::principal::{Identity, Principals};
use percent_encoding::percent_decode_str;
use store::AuditLog;
use telemetry::TraceContext;
use tokio::sync::mpsc;

use crate::authenticate::authenticate;
use crate::exchange;
use crate::fault::{Failure, failed, invalid, no_model, timed_out, unavailable};
use crate::openai::{self, Delivery};
use crate::permit::{self, Permit};
use crate::settings::ModelSettings;
use crate::stream::Translation;
use crate::{answer, request};

/// The largest request: as large as Bedrock's with images.
const LARGEST_REQUEST: usize = 25 * 1024 * 1024;
/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest whole answer of the endpoint, in bytes.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;
/// How many pieces of a stream wait for a client that reads slowly, before the endpoint is made to wait.
const MOST_WAITING: usize = 16;
/// How much of a path and of a refusal the audit trail keeps, in characters.
const LONGEST_TEXT: usize = 1_024;

/// The body of an answer, whole or in pieces.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Everything that this stands on.
pub struct Setup {
    /// The identities that sign.
    pub principals: Arc<Principals>,
    /// The audit trail.
    pub audit: AuditLog,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// What may be dialled.
    pub client: Client,
    /// The endpoint; `None` when the operator has named none.
    pub model: Option<ModelSettings>,
    /// The region of what is refused before anybody knows for which it is.
    pub region: Region,
}

/// Answers for models.
#[derive(Clone)]
pub struct Inference(Arc<Setup>);

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Converse,
    ConverseStream,
}

impl Operation {
    /// The action that IAM is asked about.
    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::Converse => "bedrock:InvokeModel",
            Self::ConverseStream => "bedrock:InvokeModelWithResponseStream",
        }
    }

    /// The operation and the model of `POST /model/{modelId}/converse` and `/converse-stream`.
    fn of(head: &Parts) -> Result<(Self, String), Fault> {
        let unknown = || {
            Fault::new(
                "UnknownOperationException",
                "Of Bedrock Runtime, this server answers Converse and ConverseStream.",
            )
            .with_status(404)
        };
        let rest = head.uri.path().strip_prefix("/model/").ok_or_else(unknown)?;
        let (model, operation) = rest.rsplit_once('/').ok_or_else(unknown)?;
        let operation = match operation {
            "converse" if head.method == Method::POST => Self::Converse,
            "converse-stream" if head.method == Method::POST => Self::ConverseStream,
            _ => return Err(unknown()),
        };
        let model =
            percent_decode_str(model).decode_utf8().map_err(|_| invalid("The model's id is no text."))?;
        Ok((operation, model.into_owned()))
    }
}

/// How far a request got: what its audit event can say.
#[derive(Default)]
struct Progress {
    operation: Option<Operation>,
    identity: Option<Arc<Identity>>,
    region: Option<Region>,
    resource: Option<String>,
    by: Option<String>,
}

impl Inference {
    /// On what `setup` gives it.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self(Arc::new(setup))
    }

    /// Answers a request, and leaves an audit event: who asked which model, and what became of it; never what was said.
    pub async fn answer<B>(&self, request: Request<B>, peer: IpAddr) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let began = Instant::now();
        let request_id = RequestId::mint(&*self.0.random);
        let (head, body) = request.into_parts();
        let mut progress = Progress::default();
        if let Some(why) = self.0.audit.refuses() {
            return refused(&head, &unavailable(format!("{why}.")), &request_id);
        }
        let performed = self.perform(&head, body, peer, began, &mut progress).await;
        let fault = performed.as_ref().err().map(|failure| match failure {
            Failure::Fault(fault) => fault.clone(),
            Failure::Internal(cause) => {
                tracing::error!(request.id = %request_id, error = cause, "A request for a model failed.");
                Fault::internal(None)
            }
        });
        self.record(&head, peer, &request_id, began, &progress, fault.as_ref()).await;
        match (performed, fault) {
            (Ok(response), _) => identified(response, &request_id),
            (Err(_), fault) => refused(&head, &fault.unwrap_or_else(|| Fault::internal(None)), &request_id),
        }
    }

    async fn perform<B>(
        &self,
        head: &Parts,
        body: B,
        peer: IpAddr,
        began: Instant,
        progress: &mut Progress,
    ) -> Result<Response<Body>, Failure>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let body = self.read(head, body).await?;
        let (identity, region) = authenticate(&self.0, head, &body).await?;
        progress.identity = Some(Arc::clone(&identity));
        progress.region = Some(region.clone());
        let (operation, model_id) = Operation::of(head)?;
        progress.operation = Some(operation);
        let resource = permit::resource(&model_id, &identity, &region)
            .ok_or_else(|| invalid("The provided model identifier is invalid."))?;
        progress.resource = Some(resource.clone());
        let permit =
            permit::ask(&identity, operation, &model_id, &resource, (&region, peer, self.0.clock.now()))?;
        progress.by = permit.by().map(str::to_owned);
        let asked = request::read(&body)?;
        let settings = self.0.model.as_ref().ok_or_else(|| {
            no_model("No model is configured on this server: its operator names an endpoint in the settings, under `[model]`.")
        })?;
        let name = settings.name_of(permit.model_id()).ok_or_else(|| {
            no_model("The model is none of those that the operator of this server has named in its settings, under `[model]`.")
        })?;
        match operation {
            Operation::Converse => {
                let said = openai::body(&asked, name, Delivery::Whole)?;
                self.converse(&permit, settings, &said, began).await
            }
            Operation::ConverseStream => {
                let said = openai::body(&asked, name, Delivery::Pieces)?;
                self.converse_stream(&permit, settings, &said, began).await
            }
        }
    }

    /// Large bodies are read only of those who have a key: a stranger cannot fill the memory.
    async fn read<B>(&self, head: &Parts, body: B) -> Result<Bytes, Failure>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let protocol = aws::protocol_of(&head.headers);
        let unsigned = || Fault::signature(protocol, &aws::sigv4::SignatureError::Missing);
        let key = text("authorization").and_then(aws::sigv4::claimed_access_key).ok_or_else(unsigned)?;
        if !self.0.principals.is_known(key, text("x-amz-security-token")).await? {
            return Err(Fault::unknown_key(protocol).into());
        }
        let reading = Limited::new(body, LARGEST_REQUEST).collect();
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                Err(invalid(format!("The request is larger than {LARGEST_REQUEST} bytes."))
                    .with_status(413)
                    .into())
            }
            Ok(Err(_)) | Err(_) => Err(invalid("The request did not arrive whole.").with_status(408).into()),
        }
    }

    async fn converse(
        &self,
        permit: &Permit,
        settings: &ModelSettings,
        said: &serde_json::Value,
        began: Instant,
    ) -> Result<Response<Body>, Failure> {
        let response = exchange::send(permit, &self.0.client, settings, said, Delivery::Whole).await?;
        let mut body = response.into_body();
        let mut answered = Vec::new();
        let reading = async {
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|_| failed("The model's endpoint broke off."))?;
                if let Ok(data) = frame.into_data() {
                    if answered.len() + data.len() > LARGEST_ANSWER {
                        return Err(failed("The model's endpoint said more than is accepted."));
                    }
                    answered.extend_from_slice(&data);
                }
            }
            Ok(())
        };
        tokio::time::timeout(settings.timeout, reading).await.unwrap_or_else(|_| Err(timed_out()))?;
        let written = answer::read(&answered, began.elapsed())?;
        let mut response = Response::new(whole(Bytes::from(written.to_string())));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    async fn converse_stream(
        &self,
        permit: &Permit,
        settings: &ModelSettings,
        said: &serde_json::Value,
        began: Instant,
    ) -> Result<Response<Body>, Failure> {
        let response = exchange::send(permit, &self.0.client, settings, said, Delivery::Pieces).await?;
        let mut body = response.into_body();
        let patience = settings.timeout;
        let (sender, receiver) = mpsc::channel::<Bytes>(MOST_WAITING);
        // It ends with the endpoint's answer, or when nobody reads any more: then the endpoint's connection is dropped.
        tokio::spawn(async move {
            let mut translation = Translation::new(began);
            while !translation.is_over() {
                let next = tokio::select! {
                    next = tokio::time::timeout(patience, body.frame()) => next,
                    () = sender.closed() => return,
                };
                let events = match next {
                    Ok(Some(Ok(frame))) => {
                        frame.data_ref().map(|data| translation.push(data)).unwrap_or_default()
                    }
                    Ok(Some(Err(_))) => translation.fail("The model's endpoint broke off."),
                    Ok(None) => {
                        let mut last = translation.end();
                        last.extend(translation.fail("The model's endpoint broke off."));
                        last
                    }
                    Err(_) => translation.fail("The model's endpoint was silent for too long."),
                };
                if !events.is_empty() && sender.send(events.into()).await.is_err() {
                    return;
                }
            }
        });
        let mut response = Response::new(pieces(receiver));
        let kind = HeaderValue::from_static("application/vnd.amazon.eventstream");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        Ok(response)
    }

    async fn record(
        &self,
        head: &Parts,
        peer: IpAddr,
        request_id: &RequestId,
        began: Instant,
        progress: &Progress,
        fault: Option<&Fault>,
    ) {
        let identity = progress.identity.as_deref();
        let account = identity.map_or_else(AccountId::first, |identity| identity.caller.account.clone());
        let denied = fault.is_some_and(|fault| fault.code == "AccessDeniedException") || identity.is_none();
        let event = AuditEvent {
            event_id: EventId::mint(&*self.0.random),
            time: self.0.clock.now(),
            kind: AuditKind::Control,
            scope: Scope {
                account,
                region: progress.region.clone().unwrap_or_else(|| self.0.region.clone()),
            },
            actor: identity.map_or(Actor::Anonymous, |identity| Actor::Iam {
                arn: identity.caller.arn().to_string(),
                access_key_id: identity.caller.access_key.to_string(),
            }),
            source_ip: Some(peer.to_string()),
            action: progress.operation.map_or_else(
                || format!("{} {}", head.method, bounded(head.uri.path())),
                |operation| operation.action().to_owned(),
            ),
            resource: progress.resource.as_deref().map(|resource| bounded(resource).to_owned()),
            tool: None,
            decision: match (denied, &progress.by) {
                (true, _) => Decision::Deny,
                (false, Some(_)) => Decision::Allow,
                (false, None) if fault.is_none() => Decision::Allow,
                (false, None) => Decision::None,
            },
            policies: progress.by.iter().cloned().collect(),
            reason: fault.map(|fault| bounded(&fault.message).to_owned()),
            log_only: None,
            outcome: match fault {
                None => Outcome::Success,
                Some(fault) if fault.status.is_some_and(|status| status >= 500 || status == 424) => {
                    Outcome::Failure
                }
                Some(_) => Outcome::Refused,
            },
            error: fault.map(|fault| fault.code.to_owned()),
            latency_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            request_id: request_id.clone(),
            call: TraceContext::of_headers(&head.headers).map(|caller| caller.audited_call()),
        };
        match event.outcome {
            Outcome::Refused => self.0.audit.record_refusal(event).await,
            _ => self.0.audit.record(event).await,
        }
    }
}

/// What a fault is answered with.
fn refused(head: &Parts, fault: &Fault, request_id: &RequestId) -> Response<Body> {
    let response = aws::encode_fault(None, aws::protocol_of(&head.headers), fault, request_id).map(whole);
    identified(response, request_id)
}

/// An answer that says which request it is of.
fn identified(mut response: Response<Body>, request_id: &RequestId) -> Response<Body> {
    if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).boxed_unsync()
}

/// What a channel gives, as a body.
fn pieces(receiver: mpsc::Receiver<Bytes>) -> Body {
    struct Pieces(mpsc::Receiver<Bytes>);
    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
        }
    }
    Pieces(receiver).boxed_unsync()
}

/// As much of a text as the audit trail keeps.
fn bounded(text: &str) -> &str {
    text.char_indices().nth(LONGEST_TEXT).map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}
