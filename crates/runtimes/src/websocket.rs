//! A WebSocket between a caller and an agent (RFC 6455). The handshake is held like every request, and its headers pass by
//! the same lists; after it the two speak to each other, and bytes pass as they come, for an hour at most.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use egress::Client;
use http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::agents::{Held, Reached};
use crate::authenticate::OFFERED;
use crate::body::Body;
use crate::forward::unreachable;
use crate::frames::{Frames, GOING_AWAY};
use crate::headers::from_agent;
use crate::refusal::{Kind, Refusal};

/// How long an agent has for the handshake.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a connection may last ("Quotas": streaming, 60 minutes).
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// How much is passed at once, in bytes.
const PIECE: usize = 16 * 1024;

/// Opens a WebSocket to an agent, and joins the caller's to it.
///
/// # Errors
/// When the request asks for none, and AWS's RuntimeClientError when the agent opens none.
pub(crate) async fn open(
    client: &Client,
    head: &mut Parts,
    reached: Reached,
    headers: HeaderMap,
    (place, ending): (OwnedSemaphorePermit, watch::Receiver<bool>),
) -> Result<Response<Body>, Refusal> {
    let asks = Asks::read(&head.headers)?;
    let caller = head
        .extensions
        .remove::<OnUpgrade>()
        .ok_or_else(|| Refusal::invalid("A WebSocket is opened with HTTP/1.1."))?;
    let Reached { base, held, .. } = reached;
    let mut request = Request::new(Full::<Bytes>::default());
    *request.method_mut() = Method::GET;
    *request.uri_mut() =
        format!("{base}/ws").parse().map_err(|error: http::uri::InvalidUri| Refusal::internal(&error))?;
    *request.headers_mut() = headers;
    asks.write(request.headers_mut());
    let mut answer = match tokio::time::timeout(PATIENCE, client.send(request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(unreachable(&base, &held, &error).await),
        Err(_) => return Err(Refusal::new(Kind::Agent, "The agent did not open a WebSocket in time.")),
    };
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        let message = format!("The agent opened no WebSocket: it answered {}.", answer.status().as_u16());
        return Err(Refusal::new(Kind::Agent, message));
    }
    let agent = hyper::upgrade::on(&mut answer);
    tokio::spawn(join(caller, agent, ending, (held, place)));
    Ok(asks.answered(answer.headers()))
}

/// Passes bytes between the two until one of them ends, or the server does.
async fn join(
    caller: OnUpgrade,
    agent: OnUpgrade,
    ending: watch::Receiver<bool>,
    _held: (Held, OwnedSemaphorePermit),
) {
    let joined = async {
        let (caller, agent): (Upgraded, Upgraded) = tokio::try_join!(caller, agent)?;
        let (from_caller, to_caller) = tokio::io::split(TokioIo::new(caller));
        let (from_agent, to_agent) = tokio::io::split(TokioIo::new(agent));
        // A side that breaks off is no news; a side that is done is passed on, and the other may go on.
        let _ = tokio::try_join!(listen(from_caller, to_agent), speak(from_agent, to_caller, ending));
        Ok::<_, hyper::Error>(())
    };
    match tokio::time::timeout(LONGEST, joined).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "A WebSocket was not opened to its end."),
        Err(_) => tracing::info!("A WebSocket lasted as long as it may, and is closed."),
    }
}

/// Passes what the caller says.
async fn listen(mut caller: impl AsyncRead + Unpin, mut agent: impl AsyncWrite + Unpin) -> io::Result<()> {
    tokio::io::copy(&mut caller, &mut agent).await?;
    agent.shutdown().await
}

/// Passes what the agent says. When the server ends, the caller is told between two frames that it goes away.
async fn speak(
    mut agent: impl AsyncRead + Unpin,
    mut caller: impl AsyncWrite + Unpin,
    mut ending: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut frames = Frames::default();
    let mut buffer = vec![0; PIECE];
    let (mut ends, mut may_end) = (false, true);
    while !(ends && frames.is_between()) {
        let read = tokio::select! {
            read = agent.read(&mut buffer) => read?,
            told = ending.wait_for(|ending| *ending), if may_end => {
                (ends, may_end) = (told.is_ok(), false);
                continue;
            }
        };
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            return caller.shutdown().await;
        };
        let end = frames.pass(piece);
        match end.and_then(|end| piece.get(..end)).filter(|_| ends) {
            Some(last) => {
                caller.write_all(last).await?;
                break;
            }
            None => caller.write_all(piece).await?,
        }
    }
    caller.write_all(&GOING_AWAY).await?;
    caller.shutdown().await
}

/// What the caller's handshake says.
struct Asks {
    key: HeaderValue,
    version: HeaderValue,
    extensions: Vec<HeaderValue>,
    /// The protocols that it offers, without its token.
    protocols: Vec<String>,
    /// Whether it offered a token.
    with_token: bool,
}

impl Asks {
    fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        let is_asked =
            headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
        let one = |name| headers.get(name).cloned();
        let (true, Some(key), Some(version)) = (is_asked, one(SEC_WEBSOCKET_KEY), one(SEC_WEBSOCKET_VERSION))
        else {
            return Err(Refusal::invalid(
                "This path opens a WebSocket: send its handshake (RFC 6455, section 4.1).",
            ));
        };
        let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
        let offers: Vec<_> = offers.flat_map(|value| value.split(',')).map(str::trim).collect();
        Ok(Self {
            key,
            version,
            extensions: headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter().cloned().collect(),
            with_token: offers.iter().any(|offer| offer.starts_with(OFFERED)),
            protocols: offers
                .into_iter()
                .filter(|offer| !offer.starts_with(OFFERED))
                .map(str::to_owned)
                .collect(),
        })
    }

    /// The agent's part of the handshake. Extensions are between the two, so they are asked for as they are.
    fn write(&self, headers: &mut HeaderMap) {
        headers.remove(HOST);
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_KEY, self.key.clone());
        headers.insert(SEC_WEBSOCKET_VERSION, self.version.clone());
        for extension in &self.extensions {
            headers.append(SEC_WEBSOCKET_EXTENSIONS, extension.clone());
        }
        if let (false, Ok(protocols)) =
            (self.protocols.is_empty(), HeaderValue::from_str(&self.protocols.join(", ")))
        {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocols);
        }
    }

    /// The caller's answer. A caller that offered its token must be told a protocol, or it closes.
    fn answered(&self, agent: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(Body::whole(Bytes::new()));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        *headers = from_agent(agent);
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        for name in [SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL] {
            for value in agent.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        if self.with_token && !headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(OFFERED));
        }
        response
    }
}
