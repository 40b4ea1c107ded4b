//! Listens, and brings each request to where it belongs.
//!
//! One `current_thread` runtime a thread, each with a listening socket of its own on the same address (`SO_REUSEPORT`):
//! a request is read, decided and passed on by one thread, and never handed over. Background work and the database run
//! beside them on a runtime of their own.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gateway::{Body, Lane};
use http::header::{CONNECTION, HOST};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body::Body as _;
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use runtimes::{Arrival, Payload, Place as Asked};
use store::CUT_OFF;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::arriving::Arriving;
use crate::composition::House;
use crate::connection::{self, Answer, End, Pulse, UnderWay, Watched};
use crate::doors::{Cut, Place};
use crate::drain::{self, Phase};
use crate::oidc::Purpose;
use crate::pressure::Pressure;
use crate::proxies::Transport;
use crate::route::{self, Endpoint, Route};
use crate::sockets::{Listeners, bound_waiting, turn_away};
use crate::terminal::Failure;
use crate::{consent, control_edge, crowded, metrics, oidc, response, sign_in};

/// What everybody who serves stands on.
#[derive(Clone)]
pub(crate) struct Serving {
    pub(crate) house: Arc<House>,
    /// How the end goes on.
    pub(crate) phases: watch::Receiver<Phase>,
}

/// Serves until it is the end, and then until the open connections have ended.
pub(crate) async fn serve(serving: Serving, listeners: Listeners) -> Result<(), Failure> {
    let house = &serving.house;
    let outside = house.tls.as_ref().map(|tls| TlsAcceptor::from(Arc::clone(&tls.config)));
    let sockets = listeners.sockets.into_iter().map(|socket| (socket, outside.clone()));
    // What this machine's functions and agents come in by is not seen from outside, and needs no certificate.
    let inside = listeners.inside.into_iter().map(|socket| (socket, None));
    let mut threads = Vec::new();
    for (number, (socket, tls)) in sockets.chain(inside).enumerate() {
        let lane = house.lane.another().map_err(|error| Failure::new(error.to_string()))?;
        let worker = Worker { serving: serving.clone(), lane, tls, pressure: house.doors.thread() };
        let started =
            std::thread::Builder::new().name(format!("serve-{number}")).spawn(move || worker.run(socket));
        threads.push(started.map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?);
    }
    let ended = tokio::task::spawn_blocking(move || {
        threads.into_iter().map(std::thread::JoinHandle::join).collect::<Vec<_>>()
    });
    for thread in ended.await.unwrap_or_default() {
        thread.map_err(|_| Failure::new("a serving thread broke"))??;
    }
    Ok(())
}

/// What answers are made of: a plane's or an object's, an agent's or a model's.
type Answered = Either<Either<Body, objects::Body>, Either<runtimes::Body, inference::Body>>;

/// One thread's share of the work.
#[derive(Clone)]
struct Worker {
    serving: Serving,
    lane: Lane,
    /// Absent, it is spoken in the clear.
    tls: Option<TlsAcceptor>,
    pressure: Arc<Pressure>,
}

impl Worker {
    fn run(self, socket: std::net::TcpListener) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(format!("cannot start a runtime: {error}")))?;
        runtime.block_on(self.accept(socket))
    }

    async fn accept(self, socket: std::net::TcpListener) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::new(error.to_string());
        let listener = TcpListener::from_std(socket).map_err(failed)?;
        tokio::spawn(Arc::clone(&self.pressure).follow(Arc::clone(&self.serving.house.doors)));
        let (all, open) = watch::channel(());
        let mut phases = self.serving.phases.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = drain::reached(&mut phases, Phase::Closing) => break,
            };
            match accepted {
                Ok((stream, peer)) => self.open(stream, peer, &open),
                Err(error) => {
                    // Out of descriptors, most likely: those who are served now will give some back.
                    tracing::warn!(%error, "A connection cannot be accepted.");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        // Who stands before the door already is let in: the system would turn them away.
        let listener = listener.into_std().map_err(failed)?;
        while let Ok((stream, peer)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                self.open(stream, peer, &open);
            }
        }
        drop((listener, open));
        tokio::select! {
            () = async { tokio::join!(all.closed(), self.serving.house.calls.closed()); } => {}
            () = drain::reached(&mut phases, Phase::Over) => {
                tracing::warn!("Connections were still open at the end.");
            }
        }
        Ok(())
    }

    fn open(&self, stream: TcpStream, peer: SocketAddr, open: &watch::Receiver<()>) {
        let house = &self.serving.house;
        let counted = (!house.proxies.load().trusts(peer.ip())).then(|| peer.ip());
        let place = match house.doors.enter(counted) {
            Ok(place) => place,
            Err(cut) => {
                tracing::debug!(reason = cut.as_str(), "A connection is refused.");
                if self.tls.is_none() {
                    turn_away(stream);
                }
                return;
            }
        };
        let _ = stream.set_nodelay(true);
        bound_waiting(&stream);
        let (worker, open) = (self.clone(), open.clone());
        let Some(tls) = self.tls.clone() else {
            tokio::spawn(async move { worker.converse(stream, peer.ip(), (place, open)).await });
            return;
        };
        let Ok(handshake) = house.doors.shake_hands() else { return };
        tokio::spawn(async move {
            let doors = &worker.serving.house.doors;
            let patience = doors.limits().handshake;
            let shaken = tokio::time::timeout(patience, tls.accept(stream)).await;
            drop(handshake);
            match shaken {
                Ok(Ok(stream)) => worker.converse(stream, peer.ip(), (place, open)).await,
                Ok(Err(error)) => {
                    tracing::debug!(%error, "A TLS handshake failed.");
                    doors.count(Cut::Handshake);
                }
                Err(_) => doors.count(Cut::Handshake),
            }
        });
    }

    /// Serves a connection to its end.
    async fn converse<S>(self, stream: S, peer: IpAddr, (place, open): (Place, watch::Receiver<()>))
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let serving = self.serving.clone();
        let doors = &serving.house.doors;
        let (limits, pulse) = (doors.limits(), Pulse::new());
        let stream = TokioIo::new(Watched::new(stream, Arc::clone(&pulse), place, open));
        let heard = Arc::clone(&pulse);
        let service = service_fn(move |request: Request<Incoming>| {
            let under_way = heard.begin(request.version());
            let worker = self.clone();
            // A connection keeps room for a request while it has none: in a box, that is room for a pointer.
            Box::pin(async move { Ok::<_, Infallible>(worker.answered(request, peer, under_way).await) })
        });
        let builder = connection::protocol(&limits);
        let connection = Box::pin(builder.serve_connection_with_upgrades(stream, service).into_owned());
        match connection::converse(connection, &pulse, &limits, serving.phases.clone()).await {
            Ok(Some(End::SlowHead)) => doors.count(Cut::SlowHead),
            Err(error) if is_large(&*error) => doors.count(Cut::LargeHead),
            // A client that breaks off is no news.
            Ok(_) | Err(_) => {}
        }
    }

    /// Answers a request, and asks its client not to keep the connection when the server ends.
    async fn answered(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        mut under_way: UnderWay,
    ) -> Response<Answer<Answered>> {
        let house = &self.serving.house;
        let limits = house.doors.limits();
        let is_kept = request.version() < Version::HTTP_2;
        let mut answer = if request.headers().len() > limits.headers {
            house.doors.count(Cut::LargeHead);
            let refusal = response::text(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "The request has more headers than are accepted.\n",
            );
            refusal.map(|body| Either::Left(Either::Left(body)))
        } else {
            let doors = Arc::clone(&house.doors);
            let request = request.map(|body| Arriving::new(body, limits.pause, doors));
            self.serve(request, peer, &mut under_way).await
        };
        let phases = &self.serving.phases;
        if is_kept && *phases.borrow() >= Phase::Leaving && answer.status() != StatusCode::SWITCHING_PROTOCOLS
        {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let (head, body) = answer.into_parts();
        let body = Answer::new(body, &head.headers, under_way, phases);
        Response::from_parts(head, body)
    }

    /// Objects are written as they are read, a model's words as they are said, and an agent's as they come; every other
    /// answer is in memory.
    async fn serve(
        &self,
        request: Request<Arriving>,
        peer: IpAddr,
        under_way: &mut UnderWay,
    ) -> Response<Answered> {
        let (mut head, body) = request.into_parts();
        let peer = self.house().proxies.load().client(&mut head, peer, self.transport());
        if !names_one_host(&head) {
            let refusal = response::text(
                StatusCode::BAD_REQUEST,
                "The URL and the Host header name different hosts.\n",
            );
            return refusal.map(|body| Either::Left(Either::Left(body)));
        }
        let route = route::of(&head);
        if !crowded::is_always_taken(&route) {
            let Ok(taken) = self.house().doors.take_on(&self.pressure) else {
                let refusal = Box::pin(crowded::refuse(self.house(), &route, &head, body)).await;
                return refusal.map(|body| Either::Left(Either::Left(body)));
            };
            under_way.hold(taken);
        }
        let ends_if_refused =
            may_refuse_unread(&route) && head.version < Version::HTTP_2 && !body.is_end_stream();
        let request = Request::from_parts(head, body);
        let mut answer = self.take(route, request, peer).await;
        if ends_if_refused && answer.status().as_u16() >= 400 {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    async fn take(&self, route: Route, request: Request<Arriving>, peer: IpAddr) -> Response<Answered> {
        match route {
            route if is_told_by_what_is_known(&route) && !self.house().store.standing().is_current() => {
                let refusal = match route {
                    Route::Token(_)
                    | Route::Provider(Endpoint::Revoke | Endpoint::Register | Endpoint::UserInfo, _) => {
                        oidc::cut_off(self.house())
                    }
                    _ => response::text(StatusCode::SERVICE_UNAVAILABLE, CUT_OFF),
                };
                refusal.map(|body| Either::Left(Either::Left(body)))
            }
            Route::Objects => {
                let answer = Box::pin(self.house().objects.answer(request, peer)).await;
                answer.map(|body| Either::Left(Either::Right(body)))
            }
            Route::Runtime(place) => {
                let answer = Box::pin(self.invoke(&place, request, peer)).await;
                answer.map(|body| Either::Right(Either::Left(body)))
            }
            Route::Inference => {
                let answer = Box::pin(self.house().inference.answer(request, peer)).await;
                answer.map(|body| Either::Right(Either::Right(body)))
            }
            route => self.answer(route, request, peer).await.map(|body| Either::Left(Either::Left(body))),
        }
    }

    async fn invoke(
        &self,
        place: &Asked,
        request: Request<Arriving>,
        peer: IpAddr,
    ) -> Response<runtimes::Body> {
        let (head, incoming) = request.into_parts();
        let arrival = Arrival { head, payload: Payload::coming(incoming), peer, through: None };
        self.lane.runtimes().answer(place, arrival).await
    }

    /// What takes long is boxed: what a connection holds while it waits stays small, and so does what is moved about.
    async fn answer(&self, route: Route, request: Request<Arriving>, peer: IpAddr) -> Response<Body> {
        match route {
            Route::Mcp(gateway) => Box::pin(self.lane.serve(&gateway, request, peer)).await,
            Route::Http(gateway, place) => Box::pin(self.lane.forward(&gateway, &place, request, peer)).await,
            Route::ResourceMetadata(gateway) => self.lane.resource_metadata(&gateway),
            Route::Control | Route::Objects | Route::Runtime(_) | Route::Inference => {
                Box::pin(control_edge::answer(self.house(), request, peer)).await
            }
            Route::Token(hint) => {
                Box::pin(oidc::submission(self.house(), Purpose::Token, hint, request, peer)).await
            }
            Route::Provider(endpoint, hint) => {
                Box::pin(sign_in::answer(self.house(), endpoint, hint, request, peer)).await
            }
            Route::Consent(consent) => Box::pin(consent::answer(self.house(), consent, request, peer)).await,
            Route::PoolMetadata(pool) => Box::pin(oidc::metadata(self.house(), &pool)).await,
            Route::PoolKeys(pool) => Box::pin(oidc::key_set(self.house(), &pool)).await,
            Route::WebIdentityMetadata(id) => Box::pin(oidc::web_identity_metadata(self.house(), &id)).await,
            Route::ClientKeys(scope, name) => Box::pin(oidc::client_keys(self.house(), &scope, &name)).await,
            Route::WebIdentityKeys(id) => Box::pin(oidc::web_identity_keys(self.house(), &id)).await,
            Route::Health => response::text(StatusCode::OK, "ok\n"),
            Route::Ready => self.ready().await,
            Route::Metrics => {
                metrics::answer(**self.house().metrics.load(), self.house().numbers(), &request, peer)
            }
            Route::Welcome => response::text(
                StatusCode::OK,
                "Portcullis is up. Point AWS's clients here with `portcullis env`; docs/ says how.\n",
            ),
        }
    }

    fn house(&self) -> &House {
        &self.serving.house
    }

    fn transport(&self) -> Transport {
        if self.tls.is_some() { Transport::Tls } else { Transport::Clear }
    }

    async fn ready(&self) -> Response<Body> {
        let standing = self.house().store.standing();
        let unavailable = |why| response::text(StatusCode::SERVICE_UNAVAILABLE, why);
        match self.house().store.read().await {
            _ if *self.serving.phases.borrow() != Phase::Serving => unavailable("stopping\n"),
            Ok(_) if standing.is_current() => response::text(StatusCode::OK, "ready\n"),
            Ok(_) => unavailable(
                "the lease of this replica is over: no request is served until it has caught up\n",
            ),
            Err(_) if standing.is_current() => unavailable(
                "the database is not available: what is known is served until the lease is over\n",
            ),
            Err(_) => {
                unavailable("the database is not available, and the lease is over: no request is served\n")
            }
        }
    }
}

/// Whether an answer is made of what the server knows, in words of its own. The planes say in theirs that they are cut off.
fn is_told_by_what_is_known(route: &Route) -> bool {
    match route {
        Route::Mcp(_) | Route::Http(..) | Route::Runtime(_) | Route::Inference => false,
        Route::Control | Route::Objects => false,
        Route::Health | Route::Ready | Route::Metrics | Route::Welcome => false,
        Route::ResourceMetadata(_) | Route::Token(_) | Route::Provider(..) | Route::Consent(_) => true,
        Route::PoolMetadata(_) | Route::PoolKeys(_) | Route::ClientKeys(..) => true,
        Route::WebIdentityMetadata(_) | Route::WebIdentityKeys(_) => true,
    }
}

/// Whether a request may be refused before its body was read. Such a connection ends behind the refusal, and the client is
/// told so, lest it sends another request into it (RFC 9112, section 9.6).
fn may_refuse_unread(route: &Route) -> bool {
    matches!(route, Route::Mcp(_) | Route::Http(..) | Route::Runtime(_) | Route::Objects | Route::Inference)
}

/// Whether the head of a request was too large, or had too many headers.
fn is_large(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse_too_large)
}

/// What is signed is the header, and what is routed by is the URL's host where it has one: they must be the same
/// (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1).
fn names_one_host(head: &Parts) -> bool {
    match (head.uri.authority(), head.headers.get(HOST)) {
        (Some(authority), Some(host)) => host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()),
        _ => true,
    }
}
