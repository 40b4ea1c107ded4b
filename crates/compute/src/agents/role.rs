//! Gives agents the credentials of their role, when they ask and as often as they ask.
//!
//! AWS's SDKs ask the address in `AWS_CONTAINER_CREDENTIALS_FULL_URI` with the token in
//! `AWS_CONTAINER_AUTHORIZATION_TOKEN`, keep what they get, and ask again before it expires. One listener on loopback
//! answers all sessions; each has a path and a token of its own, which end with it. Source: AWS SDKs and Tools Reference
//! Guide, "Container credential provider".

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use domain::{Random, Secret};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use mask::Mask;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::{Credentials, Provider};

/// How many connections there may be at once.
const MOST_CONNECTIONS: usize = 256;
/// How long a request's head may take.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);
/// What stands for "does not expire", which the SDKs do not know.
const FAR: &str = "2099-12-31T00:00:00Z";

/// Gives agents the credentials of their role.
pub(super) struct Roles {
    listener: Mutex<Option<StdListener>>,
    address: SocketAddr,
    random: Arc<dyn Random>,
    sessions: Mutex<HashMap<u64, Role>>,
}

/// The role of one session.
#[derive(Clone)]
struct Role {
    token: Secret,
    credentials: Provider<Credentials>,
    mask: Arc<RwLock<Mask>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    expiration: String,
}

impl Roles {
    /// Opens a port of loopback.
    pub(super) fn open(random: Arc<dyn Random>) -> io::Result<Self> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener: Mutex::new(Some(listener)), address, random, sessions: Mutex::default() })
    }

    /// Answers, on `runtime`, until the last of its owners is gone.
    pub(super) fn serve(self: &Arc<Self>, runtime: &Handle) {
        let Some(listener) = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let roles = Arc::downgrade(self);
        let _on_runtime = runtime.enter();
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        runtime.spawn(async move {
            let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                let dialled = tokio::time::timeout(Duration::from_secs(1), listener.accept()).await;
                let Some(roles) = roles.upgrade() else { return };
                let Ok(Ok((stream, _))) = dialled else { continue };
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let roles = Arc::clone(&roles);
                        async move { Ok::<_, Infallible>(roles.answer(&request).await) }
                    });
                    // How it ends is the client's business.
                    let _ = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(HEAD_PATIENCE)
                        .keep_alive(false)
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                    drop(place);
                });
            }
        });
    }

    /// Admits a session: gives the address and the token for it. What it is given is masked in its log from then on.
    pub(super) fn admit(
        &self,
        session: u64,
        credentials: Provider<Credentials>,
        mask: Arc<RwLock<Mask>>,
    ) -> (String, Secret) {
        let mut random = [0; 32];
        self.random.fill(&mut random);
        let token = Secret::new(hex::encode(random));
        learn(&mask, &[&token]);
        let role = Role { token: token.clone(), credentials, mask };
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(session, role);
        (format!("http://{}/credentials/{session}", self.address), token)
    }

    /// The session is gone.
    pub(super) fn revoke(&self, session: u64) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&session);
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let session = request.uri().path().strip_prefix("/credentials/").and_then(|id| id.parse().ok());
        let role = session.and_then(|session: u64| {
            self.sessions.lock().unwrap_or_else(PoisonError::into_inner).get(&session).cloned()
        });
        let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let role = role.filter(|role| token.is_some_and(|token| role.token.matches(token)));
        let Some(role) = role.filter(|_| request.method() == Method::GET) else {
            return reply(StatusCode::FORBIDDEN, Bytes::from_static(b"{\"message\":\"not for you\"}"));
        };
        match role.credentials.give().await {
            Ok(credentials) => {
                learn(
                    &role.mask,
                    &[Some(&credentials.secret_access_key), credentials.session_token.as_ref()]
                        .into_iter()
                        .flatten()
                        .collect::<Vec<_>>(),
                );
                reply(StatusCode::OK, written(&credentials))
            }
            Err(error) => {
                tracing::warn!(%error, "an agent could not be given the credentials of its role");
                reply(
                    StatusCode::SERVICE_UNAVAILABLE,
                    Bytes::from_static(b"{\"message\":\"no credentials now\"}"),
                )
            }
        }
    }
}

/// Adds secrets to a mask. It grows with each renewal: a session renews a few hundred times in the longest life.
fn learn(mask: &RwLock<Mask>, secrets: &[&Secret]) {
    let more = Mask::new(secrets.iter().copied());
    let mut mask = mask.write().unwrap_or_else(PoisonError::into_inner);
    *mask = mask.and(&more);
}

fn written(credentials: &Credentials) -> Bytes {
    let answer = Answer {
        access_key_id: &credentials.access_key_id,
        secret_access_key: credentials.secret_access_key.expose(),
        token: credentials.session_token.as_ref().map(Secret::expose).unwrap_or_default(),
        expiration: credentials.expires_at.map_or_else(|| FAR.to_owned(), |end| end.to_string()),
    };
    serde_json::to_vec(&answer).map(Bytes::from).unwrap_or_default()
}

fn reply(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
