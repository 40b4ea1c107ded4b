//! The bare HTTP server under the upstream and the proxy: hyper's HTTP/1.1 on one `current_thread` runtime.

use std::convert::Infallible;
use std::future::Future;
use std::io::Write as _;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::runtime;

/// What the line begins with by which a part says where it listens.
pub(crate) const LISTENS: &str = "listening on ";

/// Serves at an address, which is printed with the port that the system chose where it was to, until the process is ended.
pub(crate) fn serve<H, F, B>(address: &str, handler: H) -> Result<(), Failure>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    runtime()?.block_on(async {
        let listener = TcpListener::bind(address).await?;
        writeln!(std::io::stdout(), "{LISTENS}{}", listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let handler = handler.clone();
            tokio::spawn(async move {
                let answer = service_fn(move |request| {
                    let answering = handler(request);
                    async move { Ok::<_, Infallible>(answering.await) }
                });
                // A client that breaks off is no news.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    })
}
