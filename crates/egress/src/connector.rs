//! Resolves a name, picks an address that may be dialled, and connects to that very address: a name that resolves to
//! something else a moment later gains nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::{Reach, Refusal};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects where [`Reach`] permits.
#[derive(Clone)]
pub struct Connector {
    reach: Arc<Reach>,
}

impl Connector {
    /// A connector that keeps to `reach`.
    #[must_use]
    pub fn new(reach: Arc<Reach>) -> Self {
        Self { reach }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let reach = Arc::clone(&self.reach);
        Box::pin(async move { connect(&reach, &uri).await.map(TokioIo::new) })
    }
}

async fn connect(reach: &Reach, uri: &Uri) -> Result<TcpStream, ConnectError> {
    let encrypted = uri.scheme_str() == Some("https");
    let host = uri.host().ok_or(ConnectError::NoHost)?.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
    let resolving = tokio::time::timeout(CONNECT_TIMEOUT, tokio::net::lookup_host((host, port)));
    let addresses = resolving.await.map_err(|_| ConnectError::TimedOut)?.map_err(ConnectError::Unresolved)?;
    let mut last = ConnectError::NoAddress;
    for address in addresses {
        if let Err(refusal) = reach.permits(address.ip(), encrypted) {
            last = ConnectError::Refused(refusal);
            continue;
        }
        #[expect(clippy::disallowed_methods, reason = "this is the one place that connects, after the check")]
        let connecting = TcpStream::connect(address);
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(stream)) => {
                // A small request must not wait for a larger one that never comes.
                stream.set_nodelay(true).map_err(ConnectError::Unreachable)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = ConnectError::Unreachable(error),
            Err(_) => last = ConnectError::TimedOut,
        }
    }
    Err(last)
}

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL names no host.
    #[error("the URL names no host")]
    NoHost,
    /// The name does not resolve.
    #[error("the host name does not resolve: {0}")]
    Unresolved(std::io::Error),
    /// The name resolves to nothing.
    #[error("the host name has no address")]
    NoAddress,
    /// The address may not be dialled.
    #[error(transparent)]
    Refused(Refusal),
    /// Nobody answers there.
    #[error("cannot connect: {0}")]
    Unreachable(std::io::Error),
    /// Nobody answered in time.
    #[error("no connection within {} seconds", CONNECT_TIMEOUT.as_secs())]
    TimedOut,
}
