//! One request to an HTTP target, from its arrival to its answer: the gateway's authorizer, limits, interceptors and
//! policies stand in front of a service that is no MCP upstream of ours.
//!
//! `listen → path → authenticate → limit → intercept → authorize → upstream → intercept → audit`. What the service says is
//! passed on as it comes, unless an interceptor wants to see it whole.

mod path;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::credential::Carried;
use bytes::Bytes;
use domain::{RequestId, beginning};
use http::{HeaderMap, Method, Request, Response, StatusCode};

use crate::answer::{self, Reply};
use crate::audit::Record;
use crate::authorize::{Passable, Passage, pass};
use crate::body::{Arriving, Body};
use crate::intercept::http::SeenHttp;
use crate::limit::{self, Facts};
use crate::listen::{self, Arrival};
use crate::pipeline::Lane;
use crate::snapshot::Gate;
use crate::turn::Turn;
use crate::upstream::Failed;
use crate::upstream::http::{Forwarded, forward};
use crate::{authenticate, intercept};

impl Lane {
    /// Answers a request to an HTTP target of the gateway `id`. `place` is the path under the gateway: a slash, the
    /// target's name, and what is asked of the target.
    pub async fn forward<B: Arriving>(
        &self,
        id: &str,
        place: &str,
        request: Request<B>,
        peer: IpAddr,
    ) -> Response<Body> {
        let began = Instant::now();
        let setup = &self.plane.setup;
        let request_id = RequestId::mint(&*setup.random);
        let snapshot = setup.snapshot.load();
        let Some(gate) = snapshot.gate(id).map(Arc::clone) else {
            return answer::finish(Reply::no_gateway(id), &request_id);
        };
        drop(snapshot);
        if let Some(why) = setup.audit.refuses() {
            return answer::finish(Reply::unavailable(why), &request_id);
        }
        let mut record =
            Record::begin(&self.plane, &gate, request.headers(), peer, began, request_id.clone());
        match self.serve_http(&gate, place, request, peer, &mut record).await {
            Ok(response) => {
                record.passed(response.status()).await;
                answer::identify(response, &request_id)
            }
            Err(reply) => {
                record.done(&reply).await;
                answer::finish(reply, &request_id)
            }
        }
    }

    async fn serve_http<B: Arriving>(
        &self,
        gate: &Arc<Gate>,
        place: &str,
        request: Request<B>,
        peer: IpAddr,
        record: &mut Record,
    ) -> Result<Response<Body>, Reply> {
        let (head, incoming) = request.into_parts();
        record.came(&head);
        listen::inspect_http(&self.plane.setup, gate, &head)?;
        let place = path::read(place)
            .map_err(|problem| Reply::http_error(StatusCode::BAD_REQUEST, "ValidationException", problem))?;
        if matches!(head.method, Method::CONNECT | Method::TRACE) {
            let detail = "This method is not passed on";
            return Err(Reply::http_error(StatusCode::METHOD_NOT_ALLOWED, "ValidationException", detail));
        }
        record.action(head.method.as_str());
        record.tool(place.target);
        let (caller, body) = authenticate::recognise(self, gate, &head, incoming, peer).await?;
        record.caller(&caller);
        let method = head.method.clone();
        let mut turn =
            Turn::new(self, gate, caller, Arrival::of_http(head), record.request_id(), &record.telling.trace);
        count(&mut turn, place.target, &body, record).await?;
        let shown = intercept::http::Shown { path: place.whole, method: &method, peer };
        let body = match intercept::http::request(&mut turn, &shown, &body).await {
            Ok(SeenHttp::Unchanged) => body,
            Ok(SeenHttp::Changed(body)) => body,
            // Nobody else is asked about an answer of the first interceptor ("Interceptors for HTTP targets").
            Ok(SeenHttp::Answered(response)) => return Ok(response),
            Err(failed) => return Err(failed.into_http(gate)),
        };
        let now = turn.now();
        record.telling.deciding();
        let passage = pass(gate, &turn.caller, place.target, now);
        record.passage(&passage);
        record.recording(|| self.plane.setup.recorder.passage(gate, &turn.caller, now));
        let passable = match passage {
            Passage::Permitted(passable, _) => passable,
            Passage::Unknown => return Err(no_target(place.target)),
            Passage::Denied(_) => return Err(denied()),
        };
        record.bound_for(gate, passable.target());
        record.telling.named();
        record.telling.reaching_target(&turn, passable.target(), None);
        let answered = asked(&turn, &passable, &method, place.below, body).await;
        record.telling.reached(answered.is_err().then_some("TargetError"));
        let Forwarded { status, headers, body } = match answered {
            Ok(forwarded) => forwarded,
            Err(failed) => return Err(failed.into_http(gate)),
        };
        let open = std::mem::take(&mut turn.open);
        finished(&turn, status, headers, body.holding(open), &shown)
            .await
            .map_err(|failed| failed.into_http(gate))
    }
}

/// Asks a service with the target's credential; once more with a fresh token, when the one that was shown is not
/// accepted. What comes back is without it.
async fn asked(
    turn: &Turn,
    passable: &Passable<'_>,
    method: &Method,
    below: &str,
    body: Bytes,
) -> Result<Forwarded, Failed> {
    let mut carried = Carried::of(turn, passable.target()).await?;
    let mut forwarded = forward(turn, passable, method, below, body.clone(), &carried).await;
    let refused = matches!(&forwarded, Ok(forwarded) if forwarded.status == StatusCode::UNAUTHORIZED);
    if refused && carried.renew().await? {
        forwarded = forward(turn, passable, method, below, body, &carried).await;
    }
    forwarded.map_err(|failed| carried.masked_failure(failed))?.masked(carried.mask())
}

/// Counts a request, or turns it away.
async fn count(turn: &mut Turn, target: &str, body: &[u8], record: &mut Record) -> Result<(), Reply> {
    let refusal =
        |detail: &str| Reply::http_error(StatusCode::TOO_MANY_REQUESTS, "ThrottlingException", detail);
    let counted = limit::count_request(turn).await;
    counted.map_err(|throttled| limit::refuse(turn, &throttled, record, refusal))?;
    if turn.gate.limits.is_empty() {
        return Ok(());
    }
    let facts = Facts {
        target: Some(target),
        tool: None,
        principal: limit::principal(turn),
        claims: turn.caller.claims(),
        headers: &turn.arrival.headers,
        body: limit::body(turn, body),
    };
    let admitted = turn.gate.limits.admit(&facts, &*turn.lane.plane.setup.clock).await;
    match admitted {
        Ok(open) => {
            turn.open = open;
            Ok(())
        }
        Err(throttled) => Err(limit::refuse(turn, &throttled, record, refusal)),
    }
}

/// The answer, after the interceptor of answers has seen it, if there is one.
async fn finished(
    turn: &Turn,
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
    shown: &intercept::http::Shown<'_>,
) -> Result<Response<Body>, Failed> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    intercept::http::response(turn, response, shown).await
}

fn no_target(name: &str) -> Reply {
    let shown = beginning(name, 120);
    let detail = format!("No HTTP target {shown} is served here");
    Reply::http_error(StatusCode::NOT_FOUND, "ResourceNotFoundException", &detail)
}

/// The same for a target that is forbidden and one that does not exist.
fn denied() -> Reply {
    let detail = "The request is not allowed due to policy enforcement [No policy applies to the request (denied by default).]";
    Reply::http_error(StatusCode::FORBIDDEN, "AuthorizeActionException", detail)
}

/// What an answer that was passed through is made of, for those who wrote one themselves.
pub(crate) fn whole(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::whole(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
