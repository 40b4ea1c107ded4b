//! One request, from its arrival to its answer.
//!
//! `listen → authenticate → message → resolve → authorize → upstream → answer → audit`. Nothing that `resolve` learns is
//! revealed before `authorize` has spoken. Each stage gives back its fact; the record of the request is put together
//! from them at the end, on failure and on disconnect too.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use domain::{Clock, Random, RequestId};
use egress::{Client, EgressError};
use functions::Functions;
use http::{Request, Response};
use hyper::body::Incoming;
use identity::issuer::Issuers;
use identity::principal::Principals;
use identity::provider::Names;
use mcp::jsonrpc::{CallParams, Message};
use store::AuditLog;

use crate::answer::Reply;
use crate::audit::Record;
use crate::authenticate::Caller;
use crate::authorize::{Ruling, authorize};
use crate::body::Body;
use crate::listen::Arrival;
use crate::message::Messages;
use crate::snapshot::{Gate, Snapshot};
use crate::{answer, authenticate, list, listen, message, resolve, upstream};

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
    /// How long a call of an upstream may take ("Quotas": invocation timeout).
    pub call_timeout: Duration,
}

/// The data plane, shared by all threads.
pub struct Plane {
    pub(crate) setup: Setup,
}

/// The data plane on one thread, with connections of its own.
#[derive(Clone)]
pub struct Lane {
    pub(crate) plane: Arc<Plane>,
    pub(crate) client: Client,
}

impl Lane {
    /// A lane of the plane that `setup` describes.
    #[must_use]
    pub fn new(setup: Setup, client: Client) -> Self {
        Self { plane: Arc::new(Plane { setup }), client }
    }

    /// Another lane of the same plane.
    ///
    /// # Errors
    /// [`EgressError`] when TLS cannot be set up.
    pub fn another(&self) -> Result<Self, EgressError> {
        Ok(Self { plane: Arc::clone(&self.plane), client: self.client.another()? })
    }

    /// Answers a request to the MCP endpoint of the gateway `id`.
    pub async fn serve(&self, id: &str, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
        let began = Instant::now();
        let setup = &self.plane.setup;
        let request_id = RequestId::mint(&*setup.random);
        let snapshot = setup.snapshot.load();
        let Some(gate) = snapshot.gate(id) else {
            return answer::finish(Reply::no_gateway(id), &request_id);
        };
        let gate = Arc::clone(gate);
        drop(snapshot);
        let mut record = Record::begin(setup, &gate, peer, began, request_id.clone());
        match self.admit(&gate, request, peer, &mut record).await {
            Ok(admitted) => self.converse(&gate, admitted, record, &request_id).await,
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

    /// The way in: the request is one that this endpoint takes, its caller is recognised, its messages can be read.
    async fn admit(
        &self,
        gate: &Arc<Gate>,
        request: Request<Incoming>,
        peer: IpAddr,
        record: &mut Record<'_>,
    ) -> Result<Admitted, Reply> {
        let (head, incoming) = request.into_parts();
        let arrival = listen::inspect(&self.plane.setup, gate, &head)?;
        let (caller, body) = authenticate::recognise(self, gate, &head, incoming, peer).await?;
        record.caller(&caller);
        Ok(Admitted { arrival, caller, body })
    }

    /// The conversation: every message gets its answer, and leaves its record.
    async fn converse(
        &self,
        gate: &Arc<Gate>,
        admitted: Admitted,
        record: Record<'_>,
        request_id: &RequestId,
    ) -> Response<Body> {
        let Admitted { arrival, caller, body } = admitted;
        let reply = match message::read(&body, &arrival) {
            Err(reply) => {
                record.done(&reply).await;
                reply
            }
            Ok(Messages::One(message)) => {
                let mut record = record;
                let reply = self.reply(gate, &caller, &arrival, message, &mut record).await;
                record.done(&reply).await;
                reply
            }
            Ok(Messages::Batch(messages)) => {
                let mut replies = Vec::with_capacity(messages.len());
                let records = record.split(messages.len());
                for (message, mut record) in messages.into_iter().zip(records) {
                    let reply = match message {
                        Ok(message) => self.reply(gate, &caller, &arrival, message, &mut record).await,
                        Err(reply) => reply,
                    };
                    record.done(&reply).await;
                    replies.push(reply);
                }
                Reply::batch(replies)
            }
        };
        answer::finish(reply.written_for(&arrival), request_id)
    }

    /// One message and its answer.
    async fn reply(
        &self,
        gate: &Arc<Gate>,
        caller: &Arc<Caller>,
        arrival: &Arrival,
        message: Message<'_>,
        record: &mut Record<'_>,
    ) -> Reply {
        let (id, method, params) = match message {
            Message::Notification { method } => {
                record.action(&method);
                return Reply::accepted();
            }
            Message::Answer => return Reply::accepted(),
            Message::Request { id, method, params } => (id.get(), method, params),
        };
        record.action(&method);
        match &*method {
            "initialize" => list::initialize(gate, id, params),
            "ping" => Reply::result(id, "{}"),
            "tools/list" => list::tools(gate, caller, id, params),
            "tools/call" => match message::call(id, params) {
                Ok(call) => self.call(gate, caller, arrival, id, call, record).await,
                Err(reply) => reply,
            },
            other => Reply::no_method(id, other),
        }
    }

    /// A call of a tool.
    async fn call(
        &self,
        gate: &Arc<Gate>,
        caller: &Arc<Caller>,
        arrival: &Arrival,
        id: &str,
        call: CallParams<'_>,
        record: &mut Record<'_>,
    ) -> Reply {
        record.tool(&call.name);
        let tool = resolve::tool(gate, &call.name);
        let ruling = authorize(gate, caller, tool, &call, self.plane.setup.clock.now());
        record.ruling(&ruling);
        match ruling {
            Ruling::Permitted(permitted, _) => {
                upstream::call(self, gate, &permitted, id, arrival, record.request_id()).await
            }
            Ruling::Unsound(problem, _) => Reply::tool_error(id, &problem),
            Ruling::Unknown => Reply::unknown_tool(id, &call.name),
            Ruling::Denied(_) => Reply::denied(id),
        }
    }
}

/// A request that was let in.
struct Admitted {
    arrival: Arrival,
    caller: Arc<Caller>,
    body: Bytes,
}
