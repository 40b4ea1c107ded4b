//! What the command's connections are: a proxy's CONNECT, a proxy's request in clear, or, from those who were led here by
//! a hook, TLS or HTTP as if this were the host itself.
//!
//! Who wants to be let through to other hosts shows the credential of the run: the port is open to everybody on the
//! machine, but not as a way out in this user's name.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{HOST, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use subtle::ConstantTimeEq as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::answer;
use crate::names::Names;
use crate::trust::Others;
use crate::way::Way;

/// What an answer consists of.
pub(crate) type Body = Either<Incoming, Full<Bytes>>;

/// How long a client has to begin.
const PATIENCE: Duration = Duration::from_secs(60);
/// The first byte of a TLS handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 0x16;

/// The one who stands at the port.
pub(crate) struct Front {
    pub(crate) names: Arc<Names>,
    pub(crate) others: Others,
    pub(crate) way: Way,
    pub(crate) tls: TlsAcceptor,
    pub(crate) user: &'static str,
    pub(crate) credential: String,
}

impl Front {
    /// Serves a connection to its end.
    pub(crate) async fn open(self: Arc<Self>, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        if begins_with_tls(&mut stream).await {
            return self.end_tls(stream).await;
        }
        let service = service_fn(move |request| {
            let front = Arc::clone(&self);
            async move { Ok::<_, Infallible>(front.serve(request).await) }
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
        // A client that breaks off is no news, here and below.
        let _ = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    }

    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let is_through = request.method() == Method::CONNECT || request.uri().authority().is_some();
        if !is_through {
            return self.inside(request).await;
        }
        if !self.admits(&request) {
            let mut refusal = refuse(
                StatusCode::PROXY_AUTHENTICATION_REQUIRED,
                "portcullis exec lets through only the command that it runs",
            );
            refusal
                .headers_mut()
                .insert(PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"portcullis exec\""));
            return refusal;
        }
        if request.method() == Method::CONNECT {
            self.connect(request).await
        } else {
            self.forward(request).await
        }
    }

    /// Whether a request shows the credential of the run.
    fn admits(&self, request: &Request<Incoming>) -> bool {
        let expected = format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.credential)));
        let shown = request.headers().get(PROXY_AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        shown.ct_eq(expected.as_bytes()).into()
    }

    /// A tunnel: to us, for what is answered; to the host, for what is not.
    async fn connect(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let target = request.uri().authority().and_then(|it| Some((it.host().to_owned(), it.port_u16()?)));
        let Some((host, port)) = target else {
            return refuse(StatusCode::BAD_REQUEST, "CONNECT names no host and port");
        };
        if self.names.place(&host).is_some() {
            tokio::spawn(async move {
                let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
                let mut stream = BufReader::new(TokioIo::new(upgraded));
                if begins_with_tls(&mut stream).await {
                    self.end_tls(stream).await;
                } else {
                    self.serve_inside(stream).await;
                }
            });
            return Response::new(nothing());
        }
        if let Some(refusal) = self.refusal(&host) {
            return refusal;
        }
        match self.way.tunnel(&host, port).await {
            Err(error) => {
                refuse(StatusCode::BAD_GATEWAY, &format!("{host}:{port} cannot be reached: {error}"))
            }
            Ok(mut there) => {
                tokio::spawn(async move {
                    let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(upgraded), &mut there).await;
                });
                Response::new(nothing())
            }
        }
    }

    /// A request in clear, with its whole URL (RFC 9112, section 3.2.2).
    async fn forward(&self, mut request: Request<Incoming>) -> Response<Body> {
        let whole = request.uri().clone();
        let Some(authority) = whole.authority().filter(|_| whole.scheme_str() == Some("http")) else {
            return refuse(
                StatusCode::BAD_REQUEST,
                "a proxy is asked for http:// URLs, and by CONNECT for others",
            );
        };
        let (host, port) = (authority.host(), authority.port_u16().unwrap_or(80));
        request.headers_mut().remove(PROXY_AUTHORIZATION);
        request.headers_mut().remove("proxy-connection");
        if let Some(place) = self.names.place(host) {
            return answer::from(place, request).await;
        }
        if let Some(refusal) = self.refusal(host) {
            return refusal;
        }
        let towards = match self.way.in_clear(host, port).await {
            Ok(towards) => towards,
            Err(error) => {
                return refuse(StatusCode::BAD_GATEWAY, &format!("{host}:{port} cannot be reached: {error}"));
            }
        };
        match towards.proxy {
            None => *request.uri_mut() = answer::origin_form(&whole, ""),
            Some(Some(shown)) => {
                if let Ok(shown) = HeaderValue::from_str(&shown) {
                    request.headers_mut().insert(PROXY_AUTHORIZATION, shown);
                }
            }
            Some(None) => {}
        }
        match answer::send(towards.stream, request).await {
            Ok(response) => response.map(Either::Left),
            Err(error) => refuse(StatusCode::BAD_GATEWAY, &format!("{host}:{port} does not answer: {error}")),
        }
    }

    /// Why a host that is not answered is not reached either.
    fn refusal(&self, host: &str) -> Option<Response<Body>> {
        let is_refused = self.others == Others::Refused && !self.names.is_near(host);
        is_refused.then(|| {
            let why = format!(
                "portcullis exec --offline: nobody answers for {host}; name who does with --answer {host}=URL"
            );
            refuse(StatusCode::FORBIDDEN, &why)
        })
    }

    async fn end_tls<Stream>(self: Arc<Self>, stream: BufReader<Stream>)
    where
        Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, self.tls.accept(stream)).await {
            self.serve_inside(stream).await;
        }
    }

    /// Serves a connection that was meant for a host that is answered.
    async fn serve_inside<Stream>(self: Arc<Self>, stream: Stream)
    where
        Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |request| {
            let front = Arc::clone(&self);
            async move { Ok::<_, Infallible>(front.inside(request).await) }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
        builder.http2().timer(TokioTimer::new());
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    }

    /// A request to a host that is answered.
    async fn inside(&self, request: Request<Incoming>) -> Response<Body> {
        let host = host_of(&request);
        match host.as_deref().and_then(|host| self.names.place(host)) {
            Some(place) => answer::from(place, request).await,
            None => {
                let host = host.unwrap_or_else(|| "no host".to_owned());
                refuse(
                    StatusCode::MISDIRECTED_REQUEST,
                    &format!("portcullis exec does not answer for {host}"),
                )
            }
        }
    }
}

/// The host that a request is for, without its port.
fn host_of(request: &Request<Incoming>) -> Option<String> {
    let named = match request.uri().authority() {
        Some(authority) if request.version() == Version::HTTP_2 => authority.as_str(),
        _ => request.headers().get(HOST)?.to_str().ok()?,
    };
    named.parse::<http::uri::Authority>().ok().map(|authority| authority.host().to_owned())
}

async fn begins_with_tls<Stream: AsyncRead + Unpin>(stream: &mut BufReader<Stream>) -> bool {
    let first = tokio::time::timeout(PATIENCE, stream.fill_buf()).await;
    matches!(first, Ok(Ok(bytes)) if bytes.first() == Some(&HANDSHAKE))
}

/// An answer of our own. Clients show the reason where they do not show the body of a proxy's answer.
pub(crate) fn refuse(status: StatusCode, why: &str) -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::new(Bytes::from(format!("{why}\n")))));
    *response.status_mut() = status;
    if let Ok(reason) = ReasonPhrase::try_from(why.as_bytes()) {
        response.extensions_mut().insert(reason);
    }
    response
}

fn nothing() -> Body {
    Either::Right(Full::default())
}
