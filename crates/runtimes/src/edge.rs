//! A request to an agent runtime, from its arrival to its answer:
//! `place → registry → authenticate → session → agents → headers → forward (or websocket) → record`.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use compute::agents::Agents;
use domain::{AgentProtocol, AgentRuntimeId, Arn, Clock, Random, RequestId, Scope};
use egress::{Client, EgressError, Reach};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response};
use identity::attached::Attached;
use identity::issuer::Issuers;
use identity::outbound::Outbound;
use identity::principal::Principals;
use identity::provider::Names;
use identity::workload;
use store::{AuditLog, Change, ChangeKind, Store};
use telemetry::Telemetry;
use tokio::sync::{Semaphore, watch};

use crate::agents;
use crate::authenticate::{self, Caller};
use crate::body::{Body, Payload};
use crate::forward;
use crate::headers::{self, Told};
use crate::meter::Meter;
use crate::partner::Partner;
use crate::permission::{Part, Subject};
use crate::place::{Asked, Named, Place, Query};
use crate::record::Record;
use crate::refusal::{Kind, Refusal};
use crate::registry::{Registry, Served};
use crate::session::{self, Bindings};
use crate::telling::Telling;
use crate::websocket;

/// How many large bodies are in memory at once, each as large as a payload may be.
const LARGE_BODIES: usize = 8;
/// How many WebSockets are open at once ("Quotas": active sessions).
const SOCKETS: usize = 2_500;
/// What is told to a caller when there are.
const TOO_MANY_SOCKETS: &str =
    "There are as many WebSockets as there may be. Close some, or try again later.";

/// What runtimes stand on.
pub struct Setup {
    /// The database.
    pub store: Store,
    /// The identities that sign.
    pub principals: Arc<Principals>,
    /// The issuers whose tokens are accepted.
    pub issuers: Arc<Issuers>,
    /// The keys of partners.
    pub outbound: Arc<Outbound>,
    /// The audit trail.
    pub audit: AuditLog,
    /// Where spans are handed over.
    pub telemetry: Telemetry,
    /// The names of this installation.
    pub names: Arc<Names>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// What runs agents by their code.
    pub agents: Arc<Agents>,
    /// Where the AWS SDKs inside agents find this server.
    pub endpoint_url: String,
    /// The partners that the operator names.
    pub partners: Vec<Partner>,
    /// Becomes true when the server ends, and WebSockets with it.
    pub ending: watch::Receiver<bool>,
}

/// What all threads share.
pub(crate) struct House {
    pub(crate) setup: Setup,
    pub(crate) registry: Registry,
    pub(crate) bindings: Bindings,
    pub(crate) meter: Meter,
    /// The turns of large bodies.
    pub(crate) large: Arc<Semaphore>,
    /// The places of WebSockets.
    pub(crate) sockets: Arc<Semaphore>,
}

/// The agent runtimes on one thread, with connections of its own.
#[derive(Clone)]
pub struct Runtimes {
    pub(crate) house: Arc<House>,
    /// Calls what tenants name.
    client: Client,
    /// Calls processes of ours, and nothing else: at an address that nobody named.
    own: Client,
}

impl Runtimes {
    /// The runtimes that `setup` describes; what they call is called by the rules of `client`.
    ///
    /// # Errors
    /// [`EgressError`] when TLS cannot be set up.
    pub fn new(setup: Setup, client: &Client) -> Result<Self, EgressError> {
        let house = House {
            setup,
            registry: Registry::default(),
            bindings: Bindings::default(),
            meter: Meter::default(),
            large: Arc::new(Semaphore::new(LARGE_BODIES)),
            sockets: Arc::new(Semaphore::new(SOCKETS)),
        };
        let own = Client::new(Reach { loopback: true, ..Reach::default() })?.upgradable()?;
        Ok(Self { house: Arc::new(house), client: client.upgradable()?, own })
    }

    /// The same runtimes with connections of its own.
    ///
    /// # Errors
    /// As [`Runtimes::new`].
    pub fn another(&self) -> Result<Self, EgressError> {
        let (client, own) = (self.client.upgradable()?, self.own.upgradable()?);
        Ok(Self { house: Arc::clone(&self.house), client, own })
    }

    /// Takes note of a change in the store.
    pub fn note(&self, change: &Change) {
        let registry = &self.house.registry;
        match change.kind {
            ChangeKind::AgentRuntime => {
                let id = AgentRuntimeId::from_text(change.id.as_str());
                registry.forget(&change.scope, &id);
                tokio::spawn(agents::end_if_gone(Arc::clone(&self.house), change.scope.clone(), id));
            }
            // The workload identity of a runtime, which is called like it.
            ChangeKind::Other => {
                let named = Arn::parse(&change.id).ok();
                if let Some(name) = named.as_ref().and_then(Arn::as_workload_identity) {
                    registry.forget(&change.scope, &AgentRuntimeId::from_text(name));
                }
            }
            // Where pools come and go, what callers are told about them does, too.
            ChangeKind::UserPool => registry.forget_all(),
            _ => {}
        }
    }

    /// What is counted, as it stands now.
    #[must_use]
    pub fn requests(&self) -> telemetry::Family {
        self.house.meter.family()
    }

    /// Answers a request.
    pub async fn answer(&self, place: &Place, arrival: Arrival) -> Response<Body> {
        let Arrival { head, payload, peer, through } = arrival;
        let request_id = RequestId::mint(&*self.house.setup.random);
        if let Some(why) = self.house.setup.audit.refuses() {
            let response =
                Refusal::new(Kind::Unavailable, format!("{why}.")).into_response(AgentProtocol::Http);
            return headers::identify(response.map(Body::whole), &request_id, None);
        }
        let telling = Telling::begin(&self.house.setup, &head.headers, place.asked, &request_id);
        let trace = telling.trace.place();
        let mut record = Record::begin(&self.house, place.asked.operation(), peer, &request_id, trace);
        let protocol = AgentProtocol::Http;
        let mut call = Call { place, head, peer, through, request_id: &request_id, protocol, telling };
        match self.perform(&mut call, payload, &mut record).await {
            Ok(response) => {
                record.done().await;
                call.telling.answered(response.status());
                let response = response.map(|body| body.telling(call.telling));
                headers::identify(response, &request_id, None)
            }
            Err(refusal) => {
                record.refused(&refusal).await;
                let kind = refusal.kind;
                let response = refusal.into_response(call.protocol).map(Body::whole);
                call.telling.refused(response.status(), kind);
                headers::identify(response, &request_id, None)
            }
        }
    }

    async fn perform(
        &self,
        call: &mut Call<'_>,
        payload: Payload,
        record: &mut Record,
    ) -> Result<Response<Body>, Refusal> {
        if call.head.method != call.place.asked.method() {
            return Err(Refusal::invalid(format!(
                "{} is called with {}.",
                call.place.asked.operation(),
                call.place.asked.method()
            )));
        }
        let query = Query::read(call.head.uri.query().unwrap_or_default());
        let served = self.find(call, &query, record).await?;
        let Ok(served) = served else {
            return Err(self.nothing(call, &query, payload, record).await);
        };
        record.served(&served);
        call.telling.served(&served);
        call.protocol = served.version.speaks();
        if call.place.asked == Asked::Metadata {
            return metadata(&served);
        }
        let recognised =
            authenticate::recognise(&self.house, &served, call.place, &call.head, payload, call.peer, record);
        let (mut caller, payload) = recognised.await?;
        if let Some(through) = &call.through {
            let owner = authenticate::one(&[&caller.owner, "through", through]);
            caller = Arc::new(Caller { owner, ..(*caller).clone() });
        }
        if call.place.asked == Asked::Stop {
            return self.stop(&served, &caller, call, &query).await;
        }
        let session = session::name(&self.house, &served, &caller, &call.head.headers, &query)?;
        call.telling.session(&session);
        session::hold(&self.house, &served, &caller, &session).await?;
        let reached = agents::reach(&self.house, &served, &session).await?;
        let told = Told {
            served: &served,
            caller: &caller,
            session: &session,
            request_id: call.request_id,
            place: call.telling.trace.place(),
            workload_token: self.workload_token(&served, &caller)?,
        };
        let to_agent = headers::to_agent(&call.head.headers, &query, &told)?;
        let client = if reached.ours { &self.own } else { &self.client };
        let response = if call.place.asked == Asked::Open {
            let place = Arc::clone(&self.house.sockets).try_acquire_owned();
            let place = place.map_err(|_| Refusal::new(Kind::Quota, TOO_MANY_SOCKETS))?;
            websocket::open(
                client,
                &mut call.head,
                reached,
                to_agent,
                (place, self.house.setup.ending.clone()),
            )
            .await?
        } else {
            let turns = &self.house.large;
            forward::send(client, turns, call.protocol, &call.head, reached, to_agent, payload).await?
        };
        Ok(headers::identify(response, call.request_id, Some((&session, call.protocol))))
    }

    /// What is served under the names of a request; otherwise the ARN that it would have, as far as the request says.
    async fn find(
        &self,
        call: &Call<'_>,
        query: &Query,
        record: &mut Record,
    ) -> Result<Result<Arc<Served>, ()>, Refusal> {
        let setup = &self.house.setup;
        let named = call.place.named().ok_or_else(|| {
            Refusal::invalid("The path must name an agent runtime by its ARN, or by its id beside accountId.")
        })?;
        let (scope, id) = match named {
            Named::Arn(arn) => match arn.as_agent_runtime() {
                Some((scope, id, _)) => {
                    record.about(&Arn::agent_runtime_endpoint(&scope, &id, &query.qualifier));
                    (scope, id)
                }
                None => return Ok(Err(())),
            },
            Named::Id(id) => match self.scope_of(&id, query).await? {
                Some(scope) => (scope, id),
                None => return Ok(Err(())),
            },
        };
        let found =
            self.house.registry.find(&setup.store, &setup.names, (&scope, &id), &query.qualifier).await;
        found.map(|served| served.ok_or(())).map_err(|error| Refusal::of_store(&error))
    }

    /// Where the runtime of an id is, in the account that the query names.
    async fn scope_of(&self, id: &AgentRuntimeId, query: &Query) -> Result<Option<Scope>, Refusal> {
        let Some(account) = &query.account else {
            return Err(Refusal::invalid(
                "A runtime that is named by its id needs the query parameter accountId.",
            ));
        };
        let store = &self.house.setup.store;
        let reading = async { store.read().await?.agent_runtimes_of_id(id).await };
        let found = reading.await.map_err(|error| Refusal::of_store(&error))?;
        Ok(found.into_iter().map(|runtime| runtime.scope).find(|scope| scope.account == *account))
    }

    /// Why nothing is served.
    async fn nothing(
        &self,
        call: &Call<'_>,
        query: &Query,
        payload: Payload,
        record: &mut Record,
    ) -> Refusal {
        let absent = Refusal::new(
            Kind::NotFound,
            "The agent runtime or its endpoint does not exist, or is not ready.",
        );
        if call.place.asked == Asked::Metadata {
            return absent;
        }
        let Some(Named::Arn(arn)) = call.place.named() else { return absent };
        let Some((scope, id, _)) = arn.as_agent_runtime() else { return absent };
        let endpoint = Arn::agent_runtime_endpoint(&scope, &id, &query.qualifier);
        let attached = &Attached::default();
        let parts = [&arn, &endpoint].map(|arn| Part { arn: arn.as_str(), attached });
        let subject = Subject { parts, scope: &scope };
        let asked = authenticate::of_nothing(
            &self.house,
            subject,
            call.place,
            &call.head,
            payload,
            call.peer,
            record,
        );
        asked.await.err().unwrap_or(absent)
    }

    /// The token by which the agent asks for credentials, for whom it works.
    fn workload_token(&self, served: &Served, caller: &Caller) -> Result<Option<domain::Secret>, Refusal> {
        let Some(identity) = &served.workload else { return Ok(None) };
        let setup = &self.house.setup;
        let now = setup.clock.now();
        let issued = workload::issue(&setup.store, identity, caller.user.clone(), caller.token.as_ref(), now);
        issued.map(Some).map_err(|error| Refusal::of_store(&error))
    }

    /// Ends a session of the caller's.
    async fn stop(
        &self,
        served: &Served,
        caller: &Caller,
        call: &mut Call<'_>,
        query: &Query,
    ) -> Result<Response<Body>, Refusal> {
        if !call.head.headers.contains_key(headers::SESSION) {
            return Err(Refusal::invalid(format!("The header {} must name the session.", headers::SESSION)));
        }
        let session = session::name(&self.house, served, caller, &call.head.headers, query)?;
        call.telling.session(&session);
        session::held(&self.house, served, caller, &session).await?;
        agents::stop(&self.house, served, &session).await;
        let response = json(Bytes::from_static(b"{}"));
        Ok(headers::identify(response, call.request_id, Some((&session, AgentProtocol::Http))))
    }
}

/// A request as it comes to a runtime.
pub struct Arrival {
    /// Its head.
    pub head: Parts,
    /// Its body.
    pub payload: Payload,
    /// The peer's address.
    pub peer: IpAddr,
    /// For whom a gateway calls, in one word: what two of its callers open is not each other's, although the gateway calls
    /// for both by one role or client.
    pub through: Option<String>,
}

/// A request that is being answered.
struct Call<'a> {
    place: &'a Place,
    head: Parts,
    peer: IpAddr,
    through: Option<String>,
    request_id: &'a RequestId,
    /// What errors are told in.
    protocol: AgentProtocol,
    telling: Telling,
}

/// The protected-resource metadata (RFC 9728) of an endpoint that wants tokens.
fn metadata(served: &Served) -> Result<Response<Body>, Refusal> {
    let metadata = served.challenge.metadata().map(Bytes::from).ok_or_else(|| {
        Refusal::new(
            Kind::NotFound,
            "The agent runtime or its endpoint wants no token, so there is nothing to say.",
        )
    })?;
    Ok(json(metadata))
}

fn json(document: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::whole(document));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
