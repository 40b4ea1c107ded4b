//! Listens, and brings each request to where it belongs.
//!
//! One `current_thread` runtime a thread, each with a listening socket of its own on the same address (`SO_REUSEPORT`):
//! a request is read, decided and passed on by one thread, and never handed over. Background work and the database run
//! beside them on a runtime of their own.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway::{Body, Lane};
use http::header::{CONNECTION, HOST};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::Either;
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use runtimes::{Arrival, Payload, Place};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use socket2::{Domain, Protocol, Socket, Type};
use store::CUT_OFF;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::composition::House;
use crate::oidc::Purpose;
use crate::route::{self, Route};
use crate::terminal::Failure;
use crate::{consent, control_edge, metrics, oidc, response, sign_in};

/// How long a client has to send the head of a request.
const HEAD_PATIENCE: Duration = Duration::from_secs(15);
/// How long a client may take nothing of what is sent to it.
#[cfg(target_os = "linux")]
const READ_PATIENCE: Duration = Duration::from_secs(60);
/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// How long open connections have to end when the server does.
const DRAIN: Duration = Duration::from_secs(20);

/// Sockets that listen on one address, one for each thread.
pub(crate) struct Listeners {
    sockets: Vec<std::net::TcpListener>,
    /// The address, with the port that was given where none was asked for.
    pub(crate) address: SocketAddr,
}

impl Listeners {
    /// Binds the address once for each thread.
    pub(crate) fn bind(address: SocketAddr, threads: usize) -> Result<Self, Failure> {
        let refuse = |error: std::io::Error| {
            let hint = match error.kind() {
                std::io::ErrorKind::AddrInUse => {
                    "\nAnother program listens there: stop it, or choose another address with --listen"
                }
                std::io::ErrorKind::PermissionDenied => {
                    "\nPorts under 1024 are for root: choose another with --listen"
                }
                std::io::ErrorKind::AddrNotAvailable => {
                    "\nThis machine does not have that address: choose another with --listen"
                }
                _ => "",
            };
            Failure::new(format!("cannot listen on {address}: {error}{hint}"))
        };
        // Another program must not be able to share the port: the first socket is bound alone, to see whether it can be.
        let alone = bind(address, Share::Alone).map_err(refuse)?;
        let address = alone.local_addr().map_err(refuse)?;
        if threads == 1 {
            return Ok(Self { sockets: vec![alone], address });
        }
        drop(alone);
        let sockets = (0..threads).map(|_| bind(address, Share::WithSiblings)).collect::<Result<_, _>>();
        Ok(Self { sockets: sockets.map_err(refuse)?, address })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Share {
    Alone,
    WithSiblings,
}

fn bind(address: SocketAddr, share: Share) -> std::io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if share == Share::WithSiblings {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// Serves until `stop` says so, and then until the open connections have ended.
pub(crate) async fn serve(
    house: Arc<House>,
    listeners: Listeners,
    max_connections: usize,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let room = Arc::new(Semaphore::new(max_connections));
    let mut threads = Vec::new();
    for (number, socket) in listeners.sockets.into_iter().enumerate() {
        let lane = house.lane.another().map_err(|error| Failure::new(error.to_string()))?;
        let worker = Worker { house: Arc::clone(&house), lane, room: Arc::clone(&room), stop: stop.clone() };
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
    house: Arc<House>,
    lane: Lane,
    room: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

impl Worker {
    fn run(self, socket: std::net::TcpListener) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(format!("cannot start a runtime: {error}")))?;
        runtime.block_on(self.accept(socket))
    }

    async fn accept(mut self, socket: std::net::TcpListener) -> Result<(), Failure> {
        let listener = TcpListener::from_std(socket).map_err(|error| Failure::new(error.to_string()))?;
        let draining = GracefulShutdown::new();
        let mut stop = self.stop.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, peer)) => self.open(stream, peer, &draining),
                Err(error) => {
                    // Out of descriptors, most likely: those who are served now will give some back.
                    tracing::warn!(%error, "A connection cannot be accepted.");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(listener);
        if tokio::time::timeout(DRAIN, draining.shutdown()).await.is_err() {
            tracing::warn!("Connections were still open at the end.");
        }
        Ok(())
    }

    fn open(&mut self, stream: TcpStream, peer: SocketAddr, draining: &GracefulShutdown) {
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            tracing::warn!("There are as many connections as are allowed; one is closed.");
            return;
        };
        let _ = stream.set_nodelay(true);
        bound_waiting(&stream);
        let worker = self.clone();
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE).max_buf_size(MAX_HEAD);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
            .max_concurrent_streams(200)
            .keep_alive_interval(Some(Duration::from_secs(30)));
        let peer = peer.ip();
        let begun = Arc::new(AtomicBool::new(false));
        let has_begun = Arc::clone(&begun);
        let service = service_fn(move |request| {
            has_begun.store(true, Ordering::Relaxed);
            let worker = worker.clone();
            async move { Ok::<_, Infallible>(worker.serve(request, peer).await) }
        });
        let watcher = draining.watcher();
        tokio::spawn(async move {
            let stream = TokioIo::new(stream);
            let connection = builder.serve_connection_with_upgrades(stream, service).into_owned();
            tokio::select! {
                // A client that breaks off is no news.
                _ = watcher.watch(connection) => {}
                () = silence(&begun) => {}
            }
            drop(place);
        });
    }

    /// Objects are written as they are read, a model's words as they are said, and an agent's as they come; every other
    /// answer is in memory.
    async fn serve(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Answered> {
        let (mut head, body) = request.into_parts();
        let peer = self.house.proxies.client(&mut head, peer);
        if !names_one_host(&head) {
            let refusal = response::text(
                StatusCode::BAD_REQUEST,
                "The URL and the Host header name different hosts.\n",
            );
            return refusal.map(|body| Either::Left(Either::Left(body)));
        }
        let route = route::of(&head);
        let ends_if_refused =
            may_refuse_unread(&route) && head.version < Version::HTTP_2 && !body.is_end_stream();
        let request = Request::from_parts(head, body);
        let mut answer = self.take(route, request, peer).await;
        if ends_if_refused && answer.status().as_u16() >= 400 {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    async fn take(&self, route: Route, request: Request<Incoming>, peer: IpAddr) -> Response<Answered> {
        match route {
            route if is_told_by_what_is_known(&route) && !self.house.store.standing().is_current() => {
                let refusal = response::text(StatusCode::SERVICE_UNAVAILABLE, CUT_OFF);
                refusal.map(|body| Either::Left(Either::Left(body)))
            }
            Route::Objects => {
                let answer = Box::pin(self.house.objects.answer(request, peer)).await;
                answer.map(|body| Either::Left(Either::Right(body)))
            }
            Route::Runtime(place) => {
                let answer = Box::pin(self.invoke(&place, request, peer)).await;
                answer.map(|body| Either::Right(Either::Left(body)))
            }
            Route::Inference => {
                let answer = Box::pin(self.house.inference.answer(request, peer)).await;
                answer.map(|body| Either::Right(Either::Right(body)))
            }
            route => self.answer(route, request, peer).await.map(|body| Either::Left(Either::Left(body))),
        }
    }

    async fn invoke(
        &self,
        place: &Place,
        request: Request<Incoming>,
        peer: IpAddr,
    ) -> Response<runtimes::Body> {
        let (head, incoming) = request.into_parts();
        let arrival = Arrival { head, payload: Payload::Coming(incoming), peer, through: None };
        self.lane.runtimes().answer(place, arrival).await
    }

    /// All but calls of tools are boxed, so that those are not moved about in the size of the largest of all answers.
    async fn answer(&self, route: Route, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
        match route {
            Route::Mcp(gateway) => self.lane.serve(&gateway, request, peer).await,
            Route::Http(gateway, place) => Box::pin(self.lane.forward(&gateway, &place, request, peer)).await,
            Route::ResourceMetadata(gateway) => self.lane.resource_metadata(&gateway),
            Route::Control | Route::Objects | Route::Runtime(_) | Route::Inference => {
                Box::pin(control_edge::answer(&self.house, request, peer)).await
            }
            Route::Token(hint) => {
                Box::pin(oidc::submission(&self.house, Purpose::Token, hint, request, peer)).await
            }
            Route::Provider(endpoint, hint) => {
                Box::pin(sign_in::answer(&self.house, endpoint, hint, request, peer)).await
            }
            Route::Consent(consent) => Box::pin(consent::answer(&self.house, consent, request, peer)).await,
            Route::PoolMetadata(pool) => Box::pin(oidc::metadata(&self.house, &pool)).await,
            Route::PoolKeys(pool) => Box::pin(oidc::key_set(&self.house, &pool)).await,
            Route::WebIdentityMetadata(id) => Box::pin(oidc::web_identity_metadata(&self.house, &id)).await,
            Route::ClientKeys(scope, name) => Box::pin(oidc::client_keys(&self.house, &scope, &name)).await,
            Route::WebIdentityKeys(id) => Box::pin(oidc::web_identity_keys(&self.house, &id)).await,
            Route::Health => response::text(StatusCode::OK, "ok\n"),
            Route::Ready => self.ready().await,
            Route::Metrics => metrics::answer(self.house.metrics, self.house.numbers(), &request, peer),
            Route::Welcome => response::text(
                StatusCode::OK,
                "Portcullis is up. Point AWS's clients here with `portcullis env`; docs/ says how.\n",
            ),
        }
    }

    async fn ready(&self) -> Response<Body> {
        let standing = self.house.store.standing();
        let unavailable = |why| response::text(StatusCode::SERVICE_UNAVAILABLE, why);
        match self.house.store.read().await {
            _ if *self.stop.borrow() => unavailable("stopping\n"),
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

/// Has the system close a connection whose client takes nothing of what is sent to it (RFC 5482; `tcp(7)`,
/// `TCP_USER_TIMEOUT`, which is about a window that stays shut, too).
fn bound_waiting(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    if let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(READ_PATIENCE)) {
        tracing::debug!(%error, "A connection whose client reads nothing will not be closed.");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// Ends when a connection has not sent a request in time: whoever only holds it open takes the place of others.
async fn silence(begun: &AtomicBool) {
    tokio::time::sleep(HEAD_PATIENCE).await;
    if begun.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// What is signed is the header, and what is routed by is the URL's host where it has one: they must be the same
/// (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1).
fn names_one_host(head: &Parts) -> bool {
    match (head.uri.authority(), head.headers.get(HOST)) {
        (Some(authority), Some(host)) => host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()),
        _ => true,
    }
}
