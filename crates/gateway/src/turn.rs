//! What threads through the stages of one request: who asks what of which gateway, and how.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{SHA256, digest};
use domain::{RequestId, Timestamp};
use http::{HeaderMap, HeaderValue};
use mcp::RequestMeta;
use mcp::upstream::Peer;
use telemetry::{Trace, TraceContext};

use crate::authenticate::Caller;
use crate::intercept::Shown;
use crate::limit::Open;
use crate::listen::Arrival;
use crate::pipeline::Lane;
use crate::session::Session;
use crate::snapshot::Gate;
use crate::stream::Outlet;
use crate::upstream::consent::Wish;

/// One request that was let in. Like its record, it stays in a box.
pub(crate) struct Turn {
    pub(crate) lane: Lane,
    pub(crate) gate: Arc<Gate>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) arrival: Arrival,
    pub(crate) request_id: RequestId,
    /// Whether the message is of 2026-07-28 or later.
    pub(crate) modern: bool,
    /// What such a message says of itself.
    pub(crate) meta: RequestMeta,
    /// The session of an earlier one.
    pub(crate) session: Option<Arc<Session>>,
    /// What interceptors are shown of the message.
    pub(crate) shown: Shown,
    /// Whether an interceptor changed it: its headers speak of what the client wrote.
    pub(crate) rewritten: bool,
    /// The credential that an interceptor gave for the upstream.
    pub(crate) authorization: Option<HeaderValue>,
    /// What the caller wishes where its consent is needed.
    pub(crate) wish: OnceLock<Wish>,
    /// The headers as they came, where an interceptor may change them.
    came: Option<HeaderMap>,
    /// The trace that the request belongs to.
    pub(crate) trace: Trace,
    /// What calls that are made for the message say of it.
    pub(crate) onwards: Option<TraceContext>,
    /// What rate limits count as open while this lives.
    pub(crate) open: Vec<Open>,
    /// Where notifications go while the answer is made, for a client that listens.
    pub(crate) outlet: Option<Outlet>,
}

impl Turn {
    pub(crate) fn new(
        lane: &Lane,
        gate: &Arc<Gate>,
        caller: Arc<Caller>,
        arrival: Arrival,
        request_id: &RequestId,
        trace: &Trace,
    ) -> Box<Self> {
        Box::new(Self {
            lane: lane.clone(),
            gate: Arc::clone(gate),
            caller,
            arrival,
            request_id: request_id.clone(),
            modern: false,
            meta: RequestMeta::default(),
            session: None,
            shown: Shown::default(),
            rewritten: false,
            authorization: None,
            wish: OnceLock::new(),
            came: None,
            onwards: trace.onwards(&*lane.plane.setup.random),
            trace: trace.clone(),
            open: Vec::new(),
            outlet: None,
        })
    }

    /// Forgets what was found out about the message before, where a request has several: what one message brought or an
    /// interceptor gave for it is not the next one's.
    pub(crate) fn begin_message(&mut self) {
        if self.gate.interceptors.request.is_some() {
            match &self.came {
                Some(came) => self.arrival.headers.clone_from(came),
                None => self.came = Some(self.arrival.headers.clone()),
            }
        }
        self.modern = false;
        self.meta = RequestMeta::default();
        self.session = None;
        self.shown = Shown::default();
        self.rewritten = false;
        self.authorization = None;
        self.wish = OnceLock::new();
    }

    /// Calls that are made from now on are another message's than those before.
    pub(crate) fn begin_calls(&mut self, trace: &Trace) {
        self.trace = trace.clone();
        self.onwards = self.trace.onwards(&*self.lane.plane.setup.random);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.lane.plane.setup.clock.now()
    }

    /// On whose behalf upstream servers are asked: a session's, where there is one, else the caller's. Callers share no
    /// session of an upstream, because they might share what it remembers.
    pub(crate) fn peer(&self) -> Peer {
        let mut peer = match &self.session {
            Some(session) => session.peer(self),
            None => Peer {
                key: self.caller.key().to_owned(),
                capabilities: self.meta.capabilities.clone().unwrap_or_default(),
                log_level: self.meta.log_level.clone(),
                keeper: None,
            },
        };
        // Who brings a credential of their own shares nothing with who brings another.
        if let Some(given) = &self.authorization {
            peer.key.push_str(&hex::encode(digest(&SHA256, given.as_bytes())));
        }
        peer
    }
}
