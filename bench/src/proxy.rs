//! The floor: a bare reverse proxy, which reads a request whole, sends it on a kept connection, reads the answer whole
//! and gives it back; an event stream is given back as it comes. The same hyper server, client and allocator as the gateway's, and nothing else.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::uri::{Authority, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::failure::Failure;
use crate::serve::serve;

type Body = Either<Full<Bytes>, Incoming>;
type Pool = Client<HttpConnector, Full<Bytes>>;

pub(crate) fn run(upstream: &str, listen: &str) -> Result<(), Failure> {
    let upstream: Authority = upstream.parse().map_err(|error| Failure::of("no address", error))?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let pool: Pool = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(256).build(connector);
    serve(listen, move |request| {
        let (pool, upstream) = (pool.clone(), upstream.clone());
        async move { pass_on(&pool, upstream, request).await.unwrap_or_else(|()| bad_gateway()) }
    })
}

async fn pass_on(pool: &Pool, upstream: Authority, request: Request<Incoming>) -> Result<Response<Body>, ()> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await.map_err(drop)?.to_bytes();
    let mut uri = std::mem::take(&mut head.uri).into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(upstream);
    head.uri = Uri::from_parts(uri).map_err(drop)?;
    let answer = pool.request(Request::from_parts(head, Full::new(body))).await.map_err(drop)?;
    let (head, body) = answer.into_parts();
    if head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
        return Ok(Response::from_parts(head, Either::Right(body)));
    }
    let body = body.collect().await.map_err(drop)?.to_bytes();
    Ok(Response::from_parts(head, Either::Left(Full::new(body))))
}

fn bad_gateway() -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::default()));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
