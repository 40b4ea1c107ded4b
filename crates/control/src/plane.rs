//! A signed AWS call from its arrival to its answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use aws::sigv4::{PathStyle, Signed};
use aws::{Answer, Fault, Routed};
use aws_shapes::ServiceSpec;
use bytes::Bytes;
use credentials::Credentials;
use domain::{
    Actor, AuditCall, AuditEvent, AuditKind, AuditPrincipal, Clock, Decision, EventId, Outcome, Random,
    RequestId, Scope,
};
use functions::Functions;
use generation::Generator;
use http::HeaderMap;
use identity::issuer::Issuers;
use identity::outbound::Outbound;
use identity::principal::{Identity, PrincipalError, Principals};
use identity::provider::{Names, Provider};
use objects::Objects;
use prover::Prover;
use serde_json::Value;
use store::{AuditLog, CUT_OFF, Replica, Store};
use telemetry::TraceContext;
use tokio::sync::{Semaphore, watch};

use crate::agentcore;
use crate::agentcore_data;
use crate::cloudtrail;
use crate::cognito;
use crate::context::Context;
use crate::fault::Failure;
use crate::fetched;
use crate::iam;
use crate::in_force;
use crate::kms;
use crate::lambda;
use crate::logs;
use crate::pinning::Pins;
use crate::quotas::Quotas;
use crate::secrets_manager;
use crate::ses;
use crate::settle::UnderWay;
use crate::sts;
use crate::telling::{Notes, Telling};
use crate::told;
use crate::xray;

/// How much of an unknown path the audit trail keeps, in characters.
const LONGEST_PATH: usize = 256;
/// How much of a refusal the audit trail keeps, in characters: a stranger's text may be in it.
const LONGEST_REASON: usize = 1_024;

/// Everything that the control planes stand on.
pub struct Setup {
    /// The database.
    pub store: Store,
    /// The identities that sign.
    pub principals: Arc<Principals>,
    /// The issuers whose tokens gateways accept.
    pub issuers: Arc<Issuers>,
    /// The built-in OpenID provider.
    pub provider: Arc<Provider>,
    /// The functions.
    pub functions: Functions,
    /// Credentials of the providers.
    pub outbound: Arc<Outbound>,
    /// The discovery URLs of issuers whose users' tokens are believed, besides those that authorizers name.
    pub trusted_issuers: Vec<String>,
    /// What upstreams are shown when they are asked for what they list.
    pub credentials: Arc<Credentials>,
    /// Proves what policies do.
    pub prover: Prover,
    /// Writes policies from plain language.
    pub generator: Arc<dyn Generator>,
    /// Where mail is handed over for delivery; `None` to keep it only.
    pub relay: Option<mail::Relay>,
    /// The object store.
    pub objects: Objects,
    /// Reads the tools of MCP servers.
    pub client: egress::Client,
    /// The audit trail.
    pub audit: AuditLog,
    /// Counts what is given out.
    pub fetches: telemetry::Fetches,
    /// Where spans are handed over.
    pub telemetry: telemetry::Telemetry,
    /// The names of this installation.
    pub names: Arc<Names>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// What one account may have.
    pub quotas: Quotas,
    /// The largest answer of an upstream, in bytes ("Quotas": payload).
    pub largest_payload: usize,
    /// What becomes of a gateway whose role may not have calls decided by its policy engine.
    pub guard_role: credentials::GuardRole,
    /// Whose tool definitions are held when they change.
    pub pins: Pins,
    /// The place in the change feed up to which the data plane serves. An answer does not run ahead of it.
    pub in_force: watch::Receiver<i64>,
    /// This process among those that share its database, if it can be shared.
    pub replica: Option<Arc<Replica>>,
    /// Where background work is done.
    pub runtime: tokio::runtime::Handle,
}

/// A request, with its body read.
pub struct Request {
    /// The method.
    pub method: http::Method,
    /// The path, as it stands on the request line.
    pub path: String,
    /// The query string; empty for none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The peer's address, or that of the client behind a proxy that is trusted.
    pub peer: IpAddr,
    /// Whether the client sent it over TLS, as a proxy that is trusted says.
    pub is_secure: bool,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    }
}

/// The control planes of all services.
#[derive(Clone)]
pub struct ControlPlane {
    pub(crate) setup: Arc<Setup>,
    pub(crate) schemas: Arc<agentcore::Schemas>,
    /// The places of those who write policies: they take long, and the threads that they block are needed elsewhere.
    pub(crate) writers: Arc<Semaphore>,
    /// The work behind the scenes.
    pub(crate) under_way: UnderWay,
}

/// How many texts are translated at once.
const WRITERS: usize = 8;

/// How far a request got before it failed: what its error and its audit event can say.
#[derive(Default)]
struct Progress {
    service: Option<&'static ServiceSpec>,
    routed: Option<&'static aws_shapes::OperationSpec>,
    identity: Option<Arc<Identity>>,
    scope: Option<Scope>,
    /// What the audit trail is told of the call.
    told: AuditCall,
    /// What its span is told.
    notes: Notes,
    /// Nobody signs it, and whoever is let in leaves an audit event of its own.
    open: bool,
}

impl ControlPlane {
    /// The control planes on what `setup` gives them.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let writers = Arc::new(Semaphore::new(WRITERS));
        Self { setup: Arc::new(setup), schemas: Arc::default(), writers, under_way: UnderWay::default() }
    }

    /// Answers a request, and leaves an audit event when it changed something or was refused.
    pub async fn answer(&self, request: Request) -> Answer {
        let began = Instant::now();
        let request_id = RequestId::mint(&*self.setup.random);
        let telling = Telling::begin(&self.setup, &request.headers, &request_id, began);
        let mut progress = Progress { notes: telling.notes.clone(), ..Progress::default() };
        progress.told = told::came(&request, telling.trace.place());
        let performed =
            self.perform(&request, &request_id, began, &mut progress, telling.trace.place()).await;
        match performed {
            Ok((routed, value)) => {
                fetched::count(&self.setup.fetches, routed.operation.name, &request.body, None);
                let answer = aws::encode(routed.service, routed.operation, &value, &request_id);
                telling.end(answer.status(), None);
                answer
            }
            Err(failure) => {
                let protocol = progress
                    .service
                    .map_or_else(|| aws::protocol_of(&request.headers), |service| service.protocol);
                let fault = failure.into_fault(progress.service, &request_id);
                if let Some(operation) = progress.routed {
                    fetched::count(&self.setup.fetches, operation.name, &request.body, Some(fault.code));
                }
                self.record(&request, &request_id, began, &progress, &fault).await;
                let answer = aws::encode_fault(progress.service, protocol, &fault, &request_id);
                telling.end(answer.status(), Some(fault.code));
                answer
            }
        }
    }

    async fn perform(
        &self,
        request: &Request,
        request_id: &RequestId,
        began: Instant,
        progress: &mut Progress,
        place: Option<&TraceContext>,
    ) -> Result<(Routed, Value), Failure> {
        let service = find_service(request)?;
        progress.service = Some(service);
        if !self.setup.store.standing().is_current() {
            return Err(Fault::new("ServiceUnavailableException", format!("{CUT_OFF}."))
                .with_status(503)
                .into());
        }
        progress.notes.service(service);
        let (identity, scope) = if sts::is_open(service, &request.headers, &request.body) {
            (None, Scope::global(&domain::AccountId::first()))
        } else if cognito::is_open(service, &request.headers) {
            progress.open = true;
            (None, Scope::global(&domain::AccountId::first()))
        } else {
            let (identity, region) = self.authenticate(request, service).await?;
            let scope = Scope { account: identity.caller.account.clone(), region };
            progress.identity = Some(Arc::clone(&identity));
            progress.told.principal = Some(AuditPrincipal::of(&identity.caller));
            progress.scope = Some(scope.clone());
            progress.notes.scope(&scope);
            (Some(identity), scope)
        };
        let routed =
            aws::operation(service, request.method.as_str(), &request.path, &request.headers, &request.body)?;
        progress.routed = Some(routed.operation);
        progress.notes.operation(routed.operation);
        if let Some(identity) = &identity {
            sts::check_reach(identity, service, routed.operation)?;
        }
        let mut value = aws::decode(&routed, &request.query, &request.headers, &request.body)?;
        if matches!(routed.operation.name, "CreateGatewayTarget" | "UpdateGatewayTarget") {
            agentcore::respell(&mut value);
        }
        if let Some(schema) = routed.operation.input {
            let faults = aws::check(schema, &mut value);
            if !faults.is_empty() {
                return Err(Fault::validation(service, faults).into());
            }
        }
        progress.told.reads = routed.operation.reads;
        progress.told.parameters = told::parameters(service, routed.operation, &value);
        let context = Context::new(self, &routed, identity, scope, request, request_id.clone(), began);
        let context = context.telling(progress.told.clone(), progress.notes.clone(), place.cloned());
        let answer = dispatch(service, &context, &routed, value).await;
        // Of what was read, too, and of what is refused: it may have been written a moment ago, by work behind the scenes.
        in_force::until(&self.setup).await?;
        Ok((routed, answer?))
    }

    /// Who signed, and for which region.
    async fn authenticate(
        &self,
        request: &Request,
        service: &'static ServiceSpec,
    ) -> Result<(Arc<Identity>, domain::Region), Failure> {
        let refuse = |error| Failure::from(Fault::signature(service.protocol, &error));
        let headers: Vec<_> =
            request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let signed = Signed::read(aws::sigv4::Request {
            method: request.method.as_str(),
            path: &request.path,
            query: &request.query,
            headers: &headers,
            body: &request.body,
        })
        .map_err(refuse)?;
        let found = self.setup.principals.find(signed.access_key_id(), signed.session_token()).await;
        let identity = match found {
            Ok(identity) => identity,
            Err(PrincipalError::Unknown) => return Err(Fault::unknown_key(service.protocol).into()),
            Err(PrincipalError::Expired) => return Err(Fault::expired_session(service.protocol).into()),
            Err(PrincipalError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(Failure::internal(&error)),
        };
        let now = self.setup.clock.now();
        signed.verify(&identity.secret, now, PathStyle::Normalized).map_err(refuse)?;
        let region = signed.region().clone();
        self.setup.principals.note_use(&identity, now, service.signing_name, &region).await;
        Ok((identity, region))
    }

    /// The audit event of a request that came to nothing. What succeeded left its event with what it changed.
    async fn record(
        &self,
        request: &Request,
        request_id: &RequestId,
        began: Instant,
        progress: &Progress,
        fault: &Fault,
    ) {
        let denied = fault.code.starts_with("AccessDenied");
        let only_read = progress.routed.is_some_and(|operation| operation.reads);
        if (only_read && !denied) || progress.open {
            return;
        }
        let identity = progress.identity.as_ref();
        let event = AuditEvent {
            event_id: EventId::mint(&*self.setup.random),
            time: self.setup.clock.now(),
            kind: AuditKind::Control,
            scope: progress.scope.clone().unwrap_or_else(|| Scope::global(&domain::AccountId::first())),
            actor: identity.map_or(Actor::Anonymous, |identity| actor(identity)),
            source_ip: Some(request.peer.to_string()),
            action: progress.routed.map_or_else(
                || format!("{} {}", request.method, bounded(&request.path, LONGEST_PATH)),
                |operation| operation.action.to_owned(),
            ),
            resource: None,
            tool: None,
            decision: if denied || identity.is_none() { Decision::Deny } else { Decision::None },
            policies: Vec::new(),
            reason: Some(bounded(&fault.message, LONGEST_REASON).to_owned()),
            log_only: None,
            outcome: if fault.status.is_some_and(|status| status >= 500) {
                Outcome::Failure
            } else {
                Outcome::Refused
            },
            error: Some(fault.code.to_owned()),
            latency_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            request_id: request_id.clone(),
            call: Some(Box::new(AuditCall { status: fault.status, ..progress.told.clone() })),
        };
        self.setup.audit.record_refusal(event).await;
    }
}

/// The caller of a signed request, as audit events name it.
pub(crate) fn actor(identity: &Identity) -> Actor {
    Actor::Iam {
        arn: identity.caller.arn().to_string(),
        access_key_id: identity.caller.access_key.to_string(),
    }
}

/// The service that a request is for: by its signature or its target, and unsigned by its path, so that even then the
/// error is one that the client understands.
fn find_service(request: &Request) -> Result<&'static ServiceSpec, Fault> {
    if sts::is_open(&aws_shapes::sts::SERVICE, &request.headers, &request.body) {
        return Ok(&aws_shapes::sts::SERVICE);
    }
    if let Some(service) = aws::service_by_signature(request.method.as_str(), &request.path, &request.headers)
    {
        return Ok(service);
    }
    let authorization = request.headers.get("authorization").and_then(|value| value.to_str().ok());
    if let Some(signed_for) = authorization.and_then(aws::sigv4::claimed_service) {
        return Err(Fault::unknown_service(signed_for));
    }
    aws::service_by_path(request.method.as_str(), &request.path).ok_or_else(|| {
        Fault::signature(aws::protocol_of(&request.headers), &aws::sigv4::SignatureError::Missing)
    })
}

fn bounded(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}

async fn dispatch(
    service: &'static ServiceSpec,
    context: &Context,
    routed: &Routed,
    value: Value,
) -> Result<Value, Failure> {
    let operation = routed.operation;
    match service.name {
        "bedrock-agentcore-control" => {
            aws_shapes::bedrock_agentcore_control::dispatch(&agentcore::AgentCore, context, operation, value)
                .await
        }
        "bedrock-agentcore" => {
            aws_shapes::bedrock_agentcore::dispatch(&agentcore_data::AgentCoreData, context, operation, value)
                .await
        }
        "cloudtrail" => {
            aws_shapes::cloudtrail::dispatch(&cloudtrail::CloudTrail, context, operation, value).await
        }
        "cognito-idp" => {
            aws_shapes::cognito_idp::dispatch(&cognito::Cognito, context, operation, value).await
        }
        "iam" => aws_shapes::iam::dispatch(&iam::Iam, context, operation, value).await,
        "kms" => aws_shapes::kms::dispatch(&kms::Kms, context, operation, value).await,
        "lambda" => aws_shapes::lambda::dispatch(&lambda::Lambda, context, operation, value).await,
        "logs" => aws_shapes::logs::dispatch(&logs::Logs, context, operation, value).await,
        "secretsmanager" => {
            let service = &secrets_manager::SecretsManager;
            aws_shapes::secretsmanager::dispatch(service, context, operation, value).await
        }
        "ses" => aws_shapes::ses::dispatch(&ses::Ses, context, operation, value).await,
        "sts" => aws_shapes::sts::dispatch(&sts::Sts, context, operation, value).await,
        "xray" => aws_shapes::xray::dispatch(&xray::XRay, context, operation, value).await,
        other => Err(Failure::internal(&format!("no plane answers {other}"))),
    }
}
