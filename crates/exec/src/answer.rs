//! Answers a request by whoever answers for its host: the same request, with the host it named.

use http::header::{HOST, HeaderValue};
use http::{Request, Response, StatusCode, Uri, Version};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::front::{Body, refuse};
use crate::names::Place;
use crate::way::dial;

/// Has a request answered at a place. Signatures cover the host and the path, so neither is changed on the way to
/// Portcullis.
pub(crate) async fn from(place: &Place, mut request: Request<Incoming>) -> Response<Body> {
    let whole = request.uri().clone();
    if let Some(authority) = whole.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(HOST, host);
    }
    *request.uri_mut() = origin_form(&whole, &place.base);
    *request.version_mut() = Version::HTTP_11;
    let answered = match dial(&place.host, place.port).await {
        Ok(stream) => send(stream, request).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match answered {
        Ok(response) => response.map(Either::Left),
        Err(why) => refuse(
            StatusCode::BAD_GATEWAY,
            &format!("portcullis exec: {place} answers for this host, and does not: {why}"),
        ),
    }
}

/// Sends a request on a connection of its own.
pub(crate) async fn send(stream: TcpStream, request: Request<Incoming>) -> hyper::Result<Response<Incoming>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut response = sender.send_request(request).await?;
    // What the next connection is like is for the other side of us to say.
    for name in ["connection", "keep-alive", "transfer-encoding"] {
        response.headers_mut().remove(name);
    }
    Ok(response)
}

/// A URL without its scheme and host, behind a path.
pub(crate) fn origin_form(whole: &Uri, base: &str) -> Uri {
    let path = whole.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    format!("{base}{path}").parse().unwrap_or_else(|_| Uri::from_static("/"))
}
