//! An HTTP client on the guarded connector: pooled, without redirects, with bounded answers.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Either, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use crate::{ConnectError, Connector, Reach};

/// An HTTP client that dials only what it may. Each runtime should have its own ([`Client::another`]), so that kept
/// connections live where they are used.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

/// What clones of a client share.
struct Shared {
    reach: Arc<Reach>,
    pool: legacy::Client<HttpsConnector<Connector>, Either<Full<Bytes>, Streamed>>,
}

/// TLS as all clients of the process speak it. The machine has hundreds of files with authorities, which take longer to read
/// than everything else that a client needs: they are read once.
static TLS: LazyLock<Result<ClientConfig, rustls::Error>> = LazyLock::new(|| {
    let begin = || {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
    };
    let rooted = match begin()?.with_native_roots() {
        Ok(rooted) => rooted,
        Err(error) => {
            tracing::warn!(%error, "This machine's certificate authorities cannot be read; Mozilla's are trusted.");
            begin()?.with_webpki_roots()
        }
    };
    Ok(rooted.with_no_client_auth())
});

/// A body that is sent as it comes.
pub type Streamed = UnsyncBoxBody<Bytes, std::io::Error>;

/// Which versions of HTTP a client offers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Offers {
    /// Version 2 where the other side has it.
    Newest,
    /// Version 1.1 alone.
    Upgradable,
}

/// An answer, read whole.
pub struct Fetched {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Client {
    /// A client that keeps to `reach` and trusts the machine's certificate authorities, or Mozilla's where the machine
    /// has none, as they were when the process made its first client.
    ///
    /// # Errors
    /// [`EgressError::Tls`] when TLS cannot be set up at all.
    pub fn new(reach: Reach) -> Result<Self, EgressError> {
        Self::with_reach(Arc::new(reach), Offers::Newest)
    }

    /// Another client of the same reach, with connections of its own.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn another(&self) -> Result<Self, EgressError> {
        Self::with_reach(Arc::clone(&self.0.reach), Offers::Newest)
    }

    /// Another client of the same reach that speaks HTTP/1.1 alone, whose connections can become something else
    /// (RFC 9110, section 7.8): WebSocket, for one.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn upgradable(&self) -> Result<Self, EgressError> {
        Self::with_reach(Arc::clone(&self.0.reach), Offers::Upgradable)
    }

    fn with_reach(reach: Arc<Reach>, offers: Offers) -> Result<Self, EgressError> {
        let tls = TLS.as_ref().map_err(|error| EgressError::Tls(error.to_string()))?;
        let rooted = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1();
        let guarded = Connector::new(Arc::clone(&reach));
        let connector = match offers {
            Offers::Newest => rooted.enable_http2().wrap_connector(guarded),
            Offers::Upgradable => rooted.wrap_connector(guarded),
        };
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(256)
            .build(connector);
        Ok(Self(Arc::new(Shared { reach, pool })))
    }

    /// Sends a request; the answer's body is still to be read.
    ///
    /// # Errors
    /// [`EgressError`] when there is no connection, or it broke.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, EgressError> {
        let sent = self.0.pool.request(request.map(Either::Left)).await;
        sent.map_err(|error| EgressError::from_client(&error))
    }

    /// The same with a body that is sent as it comes. What was sent of it when the connection breaks is not sent again.
    ///
    /// # Errors
    /// As [`Client::send`], and [`EgressError::Broken`] when the body does.
    pub async fn send_streamed(&self, request: Request<Streamed>) -> Result<Response<Incoming>, EgressError> {
        let sent = self.0.pool.request(request.map(Either::Right)).await;
        sent.map_err(|error| EgressError::from_client(&error))
    }

    /// Sends a request and reads the answer whole: at most `limit` bytes, within `patience`. Redirects are answers like
    /// others: they are not followed.
    ///
    /// # Errors
    /// [`EgressError`] when there is no answer, or not in time, or one that is too large.
    pub async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        limit: usize,
        patience: Duration,
    ) -> Result<Fetched, EgressError> {
        let exchange = async {
            let (parts, body) = self.send(request).await?.into_parts();
            let body = Limited::new(body, limit).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    EgressError::TooLarge(limit)
                } else {
                    EgressError::Broken(error.to_string())
                }
            })?;
            Ok(Fetched { status: parts.status, headers: parts.headers, body: body.to_bytes() })
        };
        tokio::time::timeout(patience, exchange).await.unwrap_or(Err(EgressError::TimedOut(patience)))
    }

    /// Fetches a JSON document: `https`, or `http` where plain text is seen by nobody.
    ///
    /// # Errors
    /// [`EgressError`] as [`Client::exchange`], and for every status but 200.
    pub async fn fetch(&self, url: &str, limit: usize, patience: Duration) -> Result<Bytes, EgressError> {
        let uri: Uri = url.parse().map_err(|_| EgressError::Url(url.to_owned()))?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) || uri.host().is_none() {
            return Err(EgressError::Url(url.to_owned()));
        }
        let request = Request::get(uri)
            .header("accept", "application/json")
            .header("user-agent", "portcullis")
            .body(Full::default())
            .map_err(|_| EgressError::Url(url.to_owned()))?;
        let fetched = self.exchange(request, limit, patience).await?;
        if fetched.status == StatusCode::OK {
            Ok(fetched.body)
        } else {
            Err(EgressError::Status(fetched.status))
        }
    }

    /// Posts a body, and reads the answer whole, whatever its status: `https`, or `http` where plain text is seen by
    /// nobody.
    ///
    /// # Errors
    /// [`EgressError`] as [`Client::exchange`].
    pub async fn post(
        &self,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
        limit: usize,
        patience: Duration,
    ) -> Result<Fetched, EgressError> {
        let uri: Uri = url.parse().map_err(|_| EgressError::Url(url.to_owned()))?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) || uri.host().is_none() {
            return Err(EgressError::Url(url.to_owned()));
        }
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request.headers_mut().insert("user-agent", http::HeaderValue::from_static("portcullis"));
        self.exchange(request, limit, patience).await
    }
}

/// Why there is no answer from outside.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// It is no URL that can be dialled.
    #[error("`{0}` is no https URL")]
    Url(String),
    /// No connection was made.
    #[error(transparent)]
    Connect(ConnectError),
    /// The connection broke, or what came over it is no HTTP.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The other side is not who it must be, or speaks no TLS that is spoken here.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// The answer did not come in time.
    #[error("no answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// The answer is larger than it may be.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The answer is another than the one that was wanted.
    #[error("it answered {0}")]
    Status(StatusCode),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl EgressError {
    fn from_client(error: &legacy::Error) -> Self {
        // The connector's own error is somewhere down the chain of causes, boxed on the way.
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut deepest = error.to_string();
        while let Some(inner) = cause {
            if let Some(connect) = inner.downcast_ref::<ConnectError>() {
                return Self::Connect(match connect {
                    ConnectError::Refused(refusal) => ConnectError::Refused(refusal.clone()),
                    ConnectError::NoHost => ConnectError::NoHost,
                    ConnectError::NoAddress => ConnectError::NoAddress,
                    ConnectError::TimedOut => ConnectError::TimedOut,
                    ConnectError::Unresolved(error) => ConnectError::Unresolved(again(error)),
                    ConnectError::Unreachable(error) => ConnectError::Unreachable(again(error)),
                });
            }
            if let Some(tls) = inner.downcast_ref().and_then(of_tls) {
                return Self::Handshake(tls.to_string());
            }
            deepest = inner.to_string();
            cause = inner.source();
        }
        Self::Broken(deepest)
    }
}

/// TLS's own error, out of the I/O errors that were made of it: what one is made of is no cause in its chain.
fn of_tls(error: &std::io::Error) -> Option<&rustls::Error> {
    let mut error = error;
    loop {
        let made_of = error.get_ref()?;
        if let Some(tls) = made_of.downcast_ref() {
            return Some(tls);
        }
        error = made_of.downcast_ref()?;
    }
}

fn again(error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), error.to_string())
}
