//! `GET /metrics`: what an operator counts, in the text format that Prometheus reads.
//!
//! The names of gateways and policies stand in it, so it is not for everybody: unless the configuration says otherwise,
//! it is read from this machine alone, and not through a proxy on this machine, whose clients may be anywhere.

use std::net::IpAddr;

use gateway::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use crate::configuration::Metrics;
use crate::numbers::Numbers;
use crate::response;

/// What proxies say of those whom they speak for.
const OF_PROXIES: [&str; 5] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// Answers a request for the metrics.
pub(crate) fn answer<B>(
    rule: Metrics,
    numbers: &Numbers,
    request: &Request<B>,
    peer: IpAddr,
) -> Response<Body> {
    if !may_read(rule, peer, request.headers()) {
        return response::text(
            StatusCode::FORBIDDEN,
            "The metrics are not for this caller: see server.metrics in the configuration.\n",
        );
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return response::text(StatusCode::METHOD_NOT_ALLOWED, "The metrics are read with GET.\n");
    }
    let mut response = Response::new(Body::whole(telemetry::write_prometheus(&numbers.read())));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn may_read(rule: Metrics, peer: IpAddr, headers: &HeaderMap) -> bool {
    match rule {
        Metrics::Everybody => true,
        Metrics::Nobody => false,
        Metrics::Local => {
            peer.to_canonical().is_loopback() && !OF_PROXIES.iter().any(|name| headers.contains_key(*name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_read_from_this_machine() {
        let none = HeaderMap::new();
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        let elsewhere: IpAddr = "10.0.0.7".parse().unwrap();
        assert!(may_read(Metrics::Local, here, &none) && may_read(Metrics::Local, mapped, &none));
        assert!(!may_read(Metrics::Local, elsewhere, &none));
        assert!(may_read(Metrics::Everybody, elsewhere, &none));
        assert!(!may_read(Metrics::Nobody, here, &none));
        for name in OF_PROXIES {
            let mut proxied = HeaderMap::new();
            proxied.insert(name, HeaderValue::from_static("x"));
            assert!(!may_read(Metrics::Local, here, &proxied), "{name}");
        }
    }
}
