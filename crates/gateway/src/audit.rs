//! The record of a request: put together from the facts of the stages, handed over at the end. A request whose client
//! goes away leaves its record too.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{
    Actor, AuditCall, AuditEvent, AuditKind, AuditToken, Authority, Decision, EventId, Gateway, LogOnly,
    OAuthGrant, Outbound, Outcome, PolicyId, RATE_LIMITED, Recording, RequestId, Shown, beginning,
};
use http::header::{HOST, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::{Map, Value};

use mcp::jsonrpc::{CallParams, Message};
use policy::Observation;
use store::Booked;

use crate::answer::Reply;
use crate::authenticate::Caller;
use crate::authorize::{Decided, Passage, Ruling};
use crate::pipeline::Plane;
use crate::snapshot::{Gate, TargetEntry, ToolEntry, UpstreamEntry};
use crate::telling::{End, Telling};

/// How deep a claim is told, and how many members of it.
const DEPTH: usize = 3;
const MEMBERS: usize = 16;

/// What is known so far. It is large and goes from hand to hand, so it stays in a box.
pub(crate) struct Record {
    plane: Arc<Plane>,
    gate: Arc<Gate>,
    began: Instant,
    /// Taken when the record is handed over.
    event: Option<AuditEvent>,
    /// Whether there is no more to say.
    ended: bool,
    /// Its place in the audit log.
    booked: Option<Booked>,
    /// What is recorded besides the event.
    recording: Option<Recording>,
    request_id: RequestId,
    /// What is told besides.
    pub(crate) telling: Telling,
}

impl Record {
    /// The record of a request that has just arrived.
    pub(crate) fn begin(
        plane: &Arc<Plane>,
        gate: &Arc<Gate>,
        headers: &HeaderMap,
        peer: IpAddr,
        began: Instant,
        request_id: RequestId,
    ) -> Box<Self> {
        let setup = &plane.setup;
        let event = AuditEvent {
            event_id: EventId::mint(&*setup.random),
            time: setup.clock.now(),
            kind: AuditKind::Gateway,
            scope: gate.gateway.scope.clone(),
            actor: Actor::Anonymous,
            source_ip: Some(peer.to_string()),
            action: "InvokeGateway".to_owned(),
            resource: Some(gate.arn.to_string()),
            tool: None,
            decision: Decision::None,
            policies: Vec::new(),
            reason: None,
            log_only: None,
            outcome: Outcome::Abandoned,
            error: None,
            latency_us: 0,
            request_id: request_id.clone(),
            call: None,
        };
        let telling = Telling::begin(setup, gate, headers);
        let (plane, gate) = (Arc::clone(plane), Arc::clone(gate));
        Box::new(Self {
            plane,
            gate,
            began,
            event: Some(event),
            ended: false,
            booked: None,
            recording: None,
            request_id,
            telling,
        })
    }

    /// A record of its own for each message of the request: also for those that nobody comes to any more.
    pub(crate) fn split(mut self: Box<Self>, messages: usize) -> Vec<Self> {
        let Some(event) = self.event.take() else { return Vec::new() };
        let own = |_| Self {
            plane: Arc::clone(&self.plane),
            gate: Arc::clone(&self.gate),
            began: self.began,
            event: Some(AuditEvent { event_id: EventId::mint(&*self.plane.setup.random), ..event.clone() }),
            ended: false,
            booked: None,
            recording: None,
            request_id: self.request_id.clone(),
            telling: self.telling.split(&self.plane.setup),
        };
        (0..messages).map(own).collect()
    }

    pub(crate) fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// How the request came.
    pub(crate) fn came(&mut self, head: &Parts) {
        let text = |name: &HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        let host = head.uri.authority().map(http::uri::Authority::as_str).or_else(|| text(&HOST));
        self.tell(|call| {
            call.user_agent = text(&USER_AGENT).map(AuditCall::bounded);
            call.host = host.map(AuditCall::bounded);
        });
    }

    /// Who calls.
    pub(crate) fn caller(&mut self, caller: &Caller) {
        self.set(|event| event.actor = caller.actor().clone());
        self.tell(|call| {
            call.token = caller.token().cloned();
            call.principal = caller.identity().cloned();
        });
    }

    /// The id of the message.
    pub(crate) fn message(&mut self, id: &str) {
        self.tell(|call| call.message = Some(beginning(id, 64)));
    }

    /// What is called, and with whose authority.
    pub(crate) fn bound_for(&mut self, gate: &Gate, target: &TargetEntry) {
        let gateway = &gate.gateway;
        self.set(|event| {
            let authority = authority(gateway, target, &event.actor);
            let call = event.call.get_or_insert_default();
            call.target = Some(target.id.to_string());
            call.authority = Some(authority);
        });
    }

    fn tell(&mut self, change: impl FnOnce(&mut AuditCall)) {
        self.set(|event| change(event.call.get_or_insert_default()));
    }

    /// What is asked: the method, as far as it is one that a log should hold.
    pub(crate) fn action(&mut self, method: &str) {
        self.set(|event| event.action = beginning(method, 64));
    }

    /// The tool that is called, as the client named it.
    pub(crate) fn tool(&mut self, name: &str) {
        self.set(|event| event.tool = Some(beginning(name, 256)));
    }

    /// The tool that the name is of, if there is one.
    pub(crate) fn found(&mut self, tool: Option<&ToolEntry>) {
        if tool.is_some() {
            self.telling.named();
        }
    }

    /// Nothing had to be asked to allow it.
    pub(crate) fn allowed(&mut self) {
        self.set(|event| event.decision = Decision::Allow);
    }

    /// A limit turned it away.
    pub(crate) fn throttled(&mut self, limit: &str) {
        self.set(|event| {
            event.decision = Decision::Deny;
            event.reason = Some(format!("{RATE_LIMITED}{limit}"));
        });
    }

    /// What a message is about, as far as it says so: for a message that may be answered before it is looked up.
    pub(crate) fn subject(&mut self, message: &Message<'_>) {
        let Message::Request { method, params: Some(params), .. } = message else { return };
        let asked = match &**method {
            "tools/call" | "prompts/get" => CallParams::parse(params),
            "resources/read" => CallParams::parse_uri(params),
            _ => return,
        };
        if let Ok(asked) = asked {
            self.tool(&asked.name);
        }
    }

    /// What was decided.
    pub(crate) fn ruling(&mut self, ruling: &Ruling<'_>) {
        // What the decision is where no policy was asked.
        let (decided, undecided) = match ruling {
            Ruling::Permitted(_, decided) => (decided, Decision::Allow),
            Ruling::Unsound(_, decided) => (decided, Decision::None),
            Ruling::Denied(decided) => (decided, Decision::Deny),
            Ruling::Unknown => return,
        };
        self.decided(decided, undecided);
    }

    /// What is recorded besides the event, if policies decided about the call.
    pub(crate) fn recording(&mut self, recording: impl FnOnce() -> Option<Recording>) {
        if self.event.as_ref().is_some_and(AuditEvent::is_policy_decision) {
            self.recording = recording();
        }
    }

    /// What was decided about a request to an HTTP target.
    pub(crate) fn passage(&mut self, passage: &Passage<'_>) {
        match passage {
            Passage::Permitted(_, decided) => self.decided(decided, Decision::Allow),
            Passage::Denied(decided) => self.decided(decided, Decision::Deny),
            Passage::Unknown => {}
        }
    }

    /// What was decided about a prompt or a resource.
    pub(crate) fn reading(&mut self, decided: &Decided) {
        self.decided(decided, Decision::None);
    }

    fn decided(&mut self, decided: &Decided, undecided: Decision) {
        let Decided { allowed, binds, policies, reason, failed, observed } = decided;
        if allowed.is_some() {
            self.telling.decided(failed.len());
        }
        self.set(|event| {
            event.decision = match (allowed, binds) {
                (Some(true), _) => Decision::Allow,
                (Some(false), false) => Decision::WouldDeny,
                (Some(false), true) => Decision::Deny,
                (None, _) => undecided,
            };
            event.policies = policies.iter().map(ToString::to_string).collect();
            event.reason.clone_from(reason);
            event.log_only = observed.as_ref().filter(|observed| !observed.is_empty()).map(log_only);
        });
    }

    /// Hands the record of a request over that was answered by a service behind, or in its place.
    pub(crate) async fn passed(mut self: Box<Self>, status: StatusCode) {
        self.set(|event| {
            event.outcome = if status.is_server_error() { Outcome::Failure } else { Outcome::Success };
            if status.is_client_error() || status.is_server_error() {
                event.error = Some(status.as_u16().to_string());
            }
            event.call.get_or_insert_default().status = Some(status.as_u16());
        });
        self.hand_over(End { status: Some(status), code: None }).await;
    }

    /// Hands the record over.
    pub(crate) async fn done(mut self: Box<Self>, reply: &Reply) {
        self.set(|event| {
            event.outcome = reply.outcome;
            // What was decided stays decided, whatever an interceptor makes of the answer.
            if reply.denies_access() && event.decision == Decision::None {
                event.decision = Decision::Deny;
            }
            event.error.clone_from(&reply.error);
            let call = event.call.get_or_insert_default();
            call.status = Some(reply.status().as_u16());
            call.stream = reply.is_stream();
            call.failure.clone_from(&reply.why);
        });
        self.hand_over(End { status: Some(reply.status()), code: reply.code() }).await;
    }

    /// The event has its place in the log before the request is answered; nobody waits for its words.
    async fn hand_over(mut self: Box<Self>, end: End) {
        self.end(end);
        self.booked = self.plane.setup.audit.book().await;
        if self.booked.is_some() {
            tokio::spawn(async move { drop(self) });
        } else {
            // It was left out, and counted.
            self.event = None;
        }
    }

    fn set(&mut self, change: impl FnOnce(&mut AuditEvent)) {
        if let Some(event) = &mut self.event {
            change(event);
        }
    }

    /// Nothing more is said of the request.
    fn end(&mut self, end: End) {
        let Some(event) = self.event.as_mut().filter(|_| !self.ended) else { return };
        self.ended = true;
        event.latency_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        if let Some(place) = self.telling.trace.place() {
            event.call.get_or_insert_default().trace = Some(place.audited());
        }
        self.telling.end(&self.plane.setup, &self.gate, event, self.began, end);
    }
}

/// With whose authority a target is called.
fn authority(gateway: &Gateway, target: &TargetEntry, actor: &Actor) -> Authority {
    let (credential, provider, for_caller) = match &target.outbound {
        Outbound::None => (None, None, false),
        Outbound::GatewayRole(_) => (Some("gatewayRole"), None, false),
        Outbound::CallerIam(_) => (Some("callerIam"), None, true),
        Outbound::JwtPassthrough => (Some("jwtPassthrough"), None, true),
        Outbound::ApiKey(key) => (Some("apiKey"), Some(&key.provider), false),
        Outbound::OAuth(oauth) => match oauth.grant {
            OAuthGrant::ClientCredentials => (Some("oauth CLIENT_CREDENTIALS"), Some(&oauth.provider), false),
            OAuthGrant::AuthorizationCode => (Some("oauth AUTHORIZATION_CODE"), Some(&oauth.provider), true),
            OAuthGrant::TokenExchange => (Some("oauth TOKEN_EXCHANGE"), Some(&oauth.provider), true),
        },
    };
    let person = match actor {
        Actor::Token { issuer, subject: Some(subject), .. } => Some(format!("{issuer} {subject}")),
        Actor::Iam { arn, .. } => Some(arn.clone()),
        _ => None,
    };
    let is_function = matches!(target.upstream, UpstreamEntry::Lambda { .. });
    let by_role = is_function || matches!(target.outbound, Outbound::GatewayRole(_)) || provider.is_some();
    Authority {
        role: Some(gateway.role.to_string()).filter(|_| by_role),
        credential: credential.map(str::to_owned),
        provider: provider.map(ToString::to_string),
        workload: gateway.workload_identity.as_ref().filter(|_| provider.is_some()).map(ToString::to_string),
        on_behalf_of: person.filter(|_| for_caller),
    }
}

/// What is told of a token that was verified: some of its header and of its claims.
pub(crate) fn token(token: &str, claims: &Map<String, Value>) -> AuditToken {
    let header = token.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    let header = header.and_then(|header| serde_json::from_slice::<Map<String, Value>>(&header).ok());
    let told = |from: &Map<String, Value>, names: &[&str]| {
        let named =
            names.iter().filter_map(|name| Some(((*name).to_owned(), shown(from.get(*name)?, DEPTH))));
        named.collect()
    };
    AuditToken {
        headers: header.map(|header| told(&header, &AuditToken::HEADERS)).unwrap_or_default(),
        claims: told(claims, &AuditToken::CLAIMS),
    }
}

/// A claim as far as it is told: texts are cut, and what is deep is left out.
fn shown(value: &Value, depth: usize) -> Shown {
    match value {
        Value::Bool(it) => Shown::Boolean(*it),
        Value::Number(it) => it.as_i64().map_or_else(|| Shown::Text(it.to_string()), Shown::Number),
        Value::String(it) => Shown::Text(AuditCall::bounded(it)),
        Value::Object(members) if depth > 0 => Shown::Map(
            members
                .iter()
                .take(MEMBERS)
                .map(|(name, it)| (AuditCall::bounded(name), shown(it, depth - 1)))
                .collect(),
        ),
        Value::Array(items) if depth > 0 => {
            Shown::List(items.iter().take(MEMBERS).map(|it| shown(it, depth - 1)).collect())
        }
        Value::Null | Value::Object(_) | Value::Array(_) => Shown::Nothing(()),
    }
}

fn log_only(observed: &Observation) -> Box<LogOnly> {
    let ids = |policies: &[PolicyId]| policies.iter().map(ToString::to_string).collect();
    Box::new(LogOnly {
        matched: ids(&observed.matched),
        would_change: ids(&observed.flips),
        failed: observed.errors.iter().map(|error| format!("{} ({})", error.policy, error.message)).collect(),
    })
}

/// A request that is dropped before its answer was abandoned by its client. Its record is handed over all the same.
impl Drop for Record {
    fn drop(&mut self) {
        self.end(End::default());
        let Some(event) = self.event.take() else { return };
        let (audit, recording) = (&self.plane.setup.audit, self.recording.take());
        match self.booked.take() {
            Some(booked) => audit.record_booked(booked, &event, recording),
            None => audit.record_without_waiting(event, recording),
        }
    }
}
