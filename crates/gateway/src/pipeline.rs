//! One request, from its arrival to its answer.
//!
//! `listen → authenticate → message → limit → intercept → resolve → authorize → credential → upstream → intercept →
//! answer → audit`. Nothing that `resolve` learns is revealed before `authorize` has spoken. Each stage gives back its
//! fact; the record of the request is put together from them at the end, on failure and on disconnect too.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use credentials::Credentials;
use domain::{Clock, Random, RequestId};
use egress::{Client, EgressError};
use functions::Functions;
use http::{Request, Response, StatusCode};
use identity::issuer::Issuers;
use identity::principal::Principals;
use identity::provider::Names;
use mcp::jsonrpc::{CallParams, Message};
use runtimes::Runtimes;
use store::{AuditLog, LogWriter};
use telemetry::{Family, Fetches, Telemetry};

use crate::answer::Reply;
use crate::audit::Record;
use crate::authorize::{PromptsAndResources, Ruling, authorize};
use crate::body::{Arriving, Body};
use crate::fingerprint::Fingerprints;
use crate::intercept::Seen;
use crate::limit::{Leases, Quotas, Traffic};
use crate::message::{Messages, Written};
use crate::recording::Recorder;
use crate::session::Sessions;
use crate::snapshot::{Gate, Snapshot};
use crate::stream::Outlet;
use crate::suspend::Suspensions;
use crate::turn::Turn;
use crate::upstream::Failed;
use crate::{
    answer, authenticate, intercept, limit, list, listen, message, meter, modern, offers, resolve, search,
    session, stream, tally, upstream,
};

/// Everything that the data plane stands on.
pub struct Setup {
    /// The configuration that is served.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// The issuers whose tokens gateways accept.
    pub issuers: Arc<Issuers>,
    /// The identities that sign.
    pub principals: Arc<Principals>,
    /// The functions.
    pub functions: Functions,
    /// What targets are shown.
    pub credentials: Arc<Credentials>,
    /// The audit trail.
    pub audit: AuditLog,
    /// The names of this installation.
    pub names: Arc<Names>,
    /// Host names, besides that of the public URL, under which requests may come.
    pub hosts: Vec<String>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Counts the credentials that targets are shown.
    pub fetches: Fetches,
    /// The sessions of MCP clients.
    pub sessions: Arc<Sessions>,
    /// Where records for log groups are handed over.
    pub logs: LogWriter,
    /// Where spans and log records are handed over.
    pub telemetry: Telemetry,
    /// How long a call of an upstream may take ("Quotas": invocation timeout).
    pub call_timeout: Duration,
    /// The largest request and the largest answer of an upstream, in bytes ("Quotas": payload).
    pub largest_payload: usize,
    /// How much may be asked.
    pub traffic: Traffic,
    /// What is counted together with other replicas.
    pub leases: Leases,
    /// What is recorded of calls besides their audit events.
    pub recorder: Recorder,
    /// What becomes of prompts and resources where policies guard.
    pub prompts_and_resources: PromptsAndResources,
}

/// The data plane, shared by all threads.
pub struct Plane {
    pub(crate) setup: Setup,
    pub(crate) suspensions: Suspensions,
    pub(crate) quotas: Quotas,
    pub(crate) fingerprints: Fingerprints,
}

/// The data plane on one thread, with connections of its own.
#[derive(Clone)]
pub struct Lane {
    pub(crate) plane: Arc<Plane>,
    pub(crate) client: Client,
    pub(crate) runtimes: Runtimes,
}

impl Lane {
    /// A lane of the plane that `setup` describes, whose HTTP targets may be these agent runtimes.
    #[must_use]
    pub fn new(setup: Setup, client: Client, runtimes: Runtimes) -> Self {
        let plane = Plane {
            quotas: Quotas::new(setup.traffic, &setup.leases),
            fingerprints: Fingerprints::new(&*setup.random),
            setup,
            suspensions: Suspensions::default(),
        };
        Self { plane: Arc::new(plane), client, runtimes }
    }

    /// Another lane of the same plane.
    ///
    /// # Errors
    /// [`EgressError`] when TLS cannot be set up.
    pub fn another(&self) -> Result<Self, EgressError> {
        let (client, runtimes) = (self.client.another()?, self.runtimes.another()?);
        Ok(Self { plane: Arc::clone(&self.plane), client, runtimes })
    }

    /// The agent runtimes on this thread.
    #[must_use]
    pub fn runtimes(&self) -> &Runtimes {
        &self.runtimes
    }

    /// Answers a request to the MCP endpoint of the gateway `id`.
    pub async fn serve<B: Arriving>(&self, id: &str, request: Request<B>, peer: IpAddr) -> Response<Body> {
        let began = Instant::now();
        let setup = &self.plane.setup;
        let request_id = RequestId::mint(&*setup.random);
        let snapshot = setup.snapshot.load();
        let Some(gate) = snapshot.gate(id) else {
            return answer::finish(Reply::no_gateway(id), &request_id);
        };
        let gate = Arc::clone(gate);
        drop(snapshot);
        if let Some(why) = setup.audit.refuses() {
            return answer::finish(Reply::unavailable(why), &request_id);
        }
        let mut record =
            Record::begin(&self.plane, &gate, request.headers(), peer, began, request_id.clone());
        match self.admit(&gate, request, peer, &mut record).await {
            Ok((turn, body)) => stream::respond(turn, body, record, &request_id).await,
            Err(reply) => {
                record.done(&reply).await;
                answer::finish(reply, &request_id)
            }
        }
    }

    /// The protected-resource metadata of the gateway `id` (RFC 9728).
    #[must_use]
    pub fn resource_metadata(&self, id: &str) -> Response<Body> {
        let setup = &self.plane.setup;
        let snapshot = setup.snapshot.load();
        let metadata = snapshot.gate(id).and_then(|gate| gate.challenge.metadata());
        let reply = metadata.map_or_else(|| Reply::no_gateway(id), Reply::json);
        answer::finish(reply, &RequestId::mint(&*setup.random))
    }

    /// What the gateways were asked and what their policies decided, counted since this process began to serve each, and how
    /// the audit trail is.
    #[must_use]
    pub fn metrics(&self) -> Vec<Family> {
        let snapshot = self.plane.setup.snapshot.load();
        let mut gates: Vec<_> = snapshot.gates().collect();
        gates.sort_by(|one, other| one.gateway.id.cmp(&other.gateway.id));
        let meters: Vec<_> = gates.iter().map(|gate| (gate.gateway.id.as_str(), &*gate.meter)).collect();
        let tallies: Vec<_> = meters.iter().map(|(gateway, meter)| (*gateway, &meter.tally)).collect();
        let mut families = tally::families(&tallies);
        families.extend(meter::families(&meters));
        families
    }

    /// The way in: the request is one that this endpoint takes, its caller is recognised.
    async fn admit<B: Arriving>(
        &self,
        gate: &Arc<Gate>,
        request: Request<B>,
        peer: IpAddr,
        record: &mut Record,
    ) -> Result<(Box<Turn>, bytes::Bytes), Reply> {
        let (head, incoming) = request.into_parts();
        record.came(&head);
        let mut arrival = listen::inspect(&self.plane.setup, gate, &head)?;
        let (caller, body) = authenticate::recognise(self, gate, &head, incoming, peer).await?;
        record.caller(&caller);
        arrival.keep(head);
        Ok((Turn::new(self, gate, caller, arrival, record.request_id(), &record.telling.trace), body))
    }
}

/// The conversation: every message gets its answer, and leaves its record.
pub(crate) async fn converse(turn: &mut Turn, body: &[u8], mut record: Box<Record>) -> Reply {
    if turn.arrival.ends_session {
        record.action("DELETE");
        let reply = session::end(turn).await;
        record.done(&reply).await;
        return reply;
    }
    match message::read(body, &turn.arrival, &turn.gate) {
        Err(reply) => {
            record.done(&reply).await;
            reply
        }
        Ok(Messages::One(message)) => {
            let reply = reply(turn, message, &mut record).await;
            record.telling.first_said(turn.outlet.as_ref().and_then(Outlet::began));
            record.done(&reply).await;
            reply
        }
        Ok(Messages::Batch(messages)) => Box::pin(batch(turn, messages, record)).await,
    }
}

/// The messages of a batch, one after the other. What is answered is bounded together as one answer is.
async fn batch(turn: &mut Turn, messages: Vec<Result<Written<'_>, Reply>>, record: Box<Record>) -> Reply {
    let mut replies = Vec::with_capacity(messages.len());
    let records = record.split(messages.len()).into_iter().map(Box::new);
    let mut room = turn.lane.plane.setup.largest_payload;
    for (message, mut record) in messages.into_iter().zip(records) {
        let reply = match message {
            Ok(message) => match message.id().filter(|_| room == 0) {
                Some(id) => Reply::left_out(id),
                None => {
                    turn.begin_calls(&record.telling.trace);
                    reply(turn, message, &mut record).await
                }
            },
            Err(reply) => reply,
        };
        record.done(&reply).await;
        room = room.saturating_sub(reply.len());
        replies.push(reply);
    }
    Reply::batch(replies)
}

/// One message and its answer.
async fn reply(turn: &mut Turn, written: Written<'_>, record: &mut Record) -> Reply {
    turn.begin_message();
    if let Err(reply) = written.check(&turn.gate) {
        return reply;
    }
    let Written { bytes, message } = written;
    if let Message::Request { method, .. } | Message::Notification { method, .. } = &message {
        record.action(method);
    }
    if let Message::Request { id, .. } = &message {
        record.message(id.get());
    }
    // What a message of 2026-07-28 says of itself; the session of an earlier one.
    let known = if turn.arrival.is_modern(&message) {
        modern::check(turn, &message)
    } else {
        session::recognise(turn, &message).await
    };
    if let Err(reply) = known {
        return reply;
    }
    if turn.gate.has_readers() {
        record.subject(&message);
    }
    // An answer that nobody waits for is nobody's business.
    if let Message::Answer { id, .. } = &message
        && !session::expects(turn, id)
    {
        return session::unexpected();
    }
    if let Err(reply) = limit::check(turn, &message, bytes, record).await {
        return reply;
    }
    let asked = match &message {
        Message::Request { id, method, .. } => Some((id.get(), &**method == "tools/call")),
        _ => None,
    };
    if let Some((id, _)) = asked {
        record.telling.message(id);
    }
    // Nothing passes that an interceptor should have seen and did not.
    let unseen = |turn: &Turn, failed: Failed| match asked {
        Some((id, true)) => failed.into_result(&turn.gate, id),
        Some((id, false)) => failed.into_error(&turn.gate, id),
        None => failed.into_error(&turn.gate, "null").with_status(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let answered = match intercept::request(turn, bytes).await {
        Ok(Seen::Unchanged) => answer(turn, message, record).await,
        Ok(Seen::Changed(body)) => {
            let changed = Written::parse(&body).and_then(|written| {
                written.check(&turn.gate)?;
                written.instead_of(&message)
            });
            match changed {
                Ok(changed) => answer(turn, changed, record).await,
                Err(reply) => reply,
            }
        }
        Ok(Seen::Answered(reply)) => reply,
        Err(failed) => return unseen(turn, failed),
    };
    match intercept::response(turn, answered).await {
        Ok(reply) => reply,
        Err(failed) => unseen(turn, failed),
    }
}

/// The answer to a message, as it came or as it was changed. What is rare is boxed, here and below: what every call of a
/// tool takes along, and what is moved about with it, stays small.
async fn answer(turn: &Turn, message: Message<'_>, record: &mut Record) -> Reply {
    if let Message::Request { method, .. } | Message::Notification { method, .. } = &message {
        record.action(method);
    }
    let (id, method, params) = match message {
        Message::Notification { .. } => return Reply::accepted(),
        Message::Answer { id, result, error } => return session::answered(turn, id, result, error),
        Message::Request { id, method, params } => (id.get(), method, params),
    };
    let about = |parse: fn(_) -> _| {
        message::about(id, params, parse).map(|mut asked: CallParams<'_>| {
            // Rounds are of 2026-07-28: an earlier client has nothing to say about them.
            if !turn.modern {
                (asked.input_responses, asked.request_state) = (None, None);
            }
            asked
        })
    };
    match (&*method, turn.modern) {
        ("initialize", false) => list::initialize(turn, id, params),
        ("ping", false) => Reply::result(id, "{}"),
        ("logging/setLevel", false) => session::set_level(turn, id, params).await,
        ("server/discover", true) => list::discover(turn, id),
        ("tools/list", _) => list::tools(turn, id, params, &mut record.telling).await,
        ("tools/call", _) => match about(CallParams::parse) {
            Ok(asked) => call(turn, id, asked, record).await,
            Err(reply) => reply,
        },
        ("prompts/list", _) => offers::prompts(turn, id, params),
        ("resources/list", _) => offers::resources(turn, id, params),
        ("resources/templates/list", _) => offers::templates(turn, id, params),
        ("prompts/get", _) => match about(CallParams::parse) {
            Ok(asked) => Box::pin(offers::get_prompt(turn, id, &asked, record)).await,
            Err(reply) => reply,
        },
        ("resources/read", _) => match about(CallParams::parse_uri) {
            Ok(asked) => Box::pin(offers::read_resource(turn, id, &asked, record)).await,
            Err(reply) => reply,
        },
        ("completion/complete", _) => Box::pin(offers::complete(turn, id, params)).await,
        (other, _) => Reply::no_method(id, other),
    }
}

/// A call of a tool.
async fn call(turn: &Turn, id: &str, call: CallParams<'_>, record: &mut Record) -> Reply {
    record.tool(&call.name);
    if call.name == search::NAME && turn.gate.searches() {
        return Box::pin(search::find(turn, id, &call, record)).await;
    }
    let tool = resolve::tool(&turn.gate, &call.name);
    record.found(tool.as_deref());
    let now = turn.now();
    record.telling.deciding();
    let ruling = authorize(&turn.gate, &turn.caller, tool.as_deref(), &call, now);
    record.ruling(&ruling);
    if let Ruling::Permitted(permitted, _) = &ruling
        && let Some(target) = turn.gate.catalogue.target(permitted.tool().target)
    {
        record.bound_for(&turn.gate, target);
    }
    record.recording(|| turn.lane.plane.setup.recorder.call(&turn.gate, &turn.caller, &call, now));
    match ruling {
        Ruling::Permitted(permitted, _) => match modern::check_param_headers(turn, id, &permitted) {
            Ok(()) => {
                let tool = permitted.tool();
                record.telling.reaching(turn, tool.target, tool.plan.as_ref());
                let reply = upstream::call(turn, &permitted, id).await;
                record.telling.reached(reply.error.as_deref());
                reply
            }
            Err(reply) => reply,
        },
        Ruling::Unsound(problem, _) => Reply::tool_error(id, &problem),
        Ruling::Unknown => Reply::unknown_tool(id, &call.name),
        Ruling::Denied(_) => Reply::denied(id),
    }
}
