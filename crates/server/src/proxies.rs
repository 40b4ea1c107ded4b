//! Whom a request came from, where proxies stand in front.
//!
//! A connection's peer is who sent it, unless it is a proxy that the operator named: then the client is the last address
//! in `X-Forwarded-For` that is not such a proxy, because each proxy appends whom it heard from and what stands further
//! left is whatever the client wrote. `X-Forwarded-Proto` says whether the client came over TLS, and is believed of the
//! nearest of them. Nobody else's headers are looked at. An address that cannot be read is nobody's, `0.0.0.0`: it must not
//! pass for that of a proxy.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use domain::SecureTransport;
use egress::Network;
use http::request::Parts;

/// The most addresses of proxies that are gone through.
const MOST_HOPS: usize = 32;

/// The address of a client that a proxy does not name.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// How a request came to the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Clear,
    Tls,
}

/// The proxies whose headers are believed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Vec<Network>);

impl Proxies {
    pub(crate) fn new(trusted: Vec<Network>) -> Self {
        Self(trusted)
    }

    /// The address of the client. That it came over TLS is noted with the request.
    pub(crate) fn client(&self, head: &mut Parts, peer: IpAddr, transport: Transport) -> IpAddr {
        let is_proxy = self.trusts(peer);
        let told = is_proxy.then(|| said(head, "x-forwarded-proto").next()).flatten();
        let is_secure =
            told.map_or(transport == Transport::Tls, |scheme| scheme.eq_ignore_ascii_case(b"https"));
        if is_secure {
            head.extensions.insert(SecureTransport);
        }
        if !is_proxy {
            return peer;
        }
        let mut client = peer;
        for hop in said(head, "x-forwarded-for").take(MOST_HOPS) {
            let Some(address) = address(hop) else { return NOBODY };
            client = address.to_canonical();
            if !self.trusts(client) {
                break;
            }
        }
        client
    }

    /// Whether an address is that of such a proxy.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address.to_canonical()))
    }
}

/// What the proxies said, the nearest first: each appends to what was there, in a header of its own or behind a comma.
fn said<'h>(head: &'h Parts, name: &str) -> impl Iterator<Item = &'h [u8]> {
    let values = head.headers.get_all(name).iter().rev();
    values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// An address, as proxies write it: alone, in brackets, with a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let mut request = http::Request::get("/");
        for value in forwarded {
            request = request.header("x-forwarded-for", *value);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let trusted = trusted.iter().map(|network| network.parse().unwrap()).collect();
        Proxies::new(trusted).client(&mut head, peer.parse().unwrap(), Transport::Clear).to_string()
    }

    #[test]
    fn only_proxies_that_were_named_are_believed() {
        let proxy = &["10.0.0.0/8"];
        for (trusted, peer, forwarded, expected) in [
            (&[][..], "10.0.0.1", &["203.0.113.7"][..], "10.0.0.1"),
            (proxy, "192.0.2.1", &["203.0.113.7"], "192.0.2.1"),
            (proxy, "10.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            (proxy, "10.0.0.1", &["127.0.0.1, 203.0.113.7"], "203.0.113.7"),
            (proxy, "10.0.0.1", &["198.51.100.1, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
            (proxy, "10.0.0.1", &["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
            (proxy, "10.0.0.1", &["not an address"], "0.0.0.0"),
            (proxy, "10.0.0.1", &["10.0.0.2, unknown, 10.0.0.3"], "0.0.0.0"),
            (proxy, "10.0.0.1", &["\u{e9}, 203.0.113.7"], "203.0.113.7"),
            (proxy, "10.0.0.1", &["203.0.113.7:4433"], "203.0.113.7"),
            (proxy, "10.0.0.1", &["[2001:db8::7]", "10.0.0.9"], "2001:db8::7"),
            (proxy, "10.0.0.1", &["[2001:db8::7]:443"], "2001:db8::7"),
            (proxy, "10.0.0.1", &[], "10.0.0.1"),
            (proxy, "10.0.0.1", &["10.0.0.3"], "10.0.0.3"),
        ] {
            assert_eq!(client(trusted, peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn only_they_can_say_that_a_client_came_over_tls() {
        let (clear, tls) = (Transport::Clear, Transport::Tls);
        for (peer, said, transport, secure) in [
            ("10.0.0.1", "https", clear, true),
            ("10.0.0.1", "http, https", clear, true),
            ("10.0.0.1", "https, http", clear, false),
            ("192.0.2.1", "https", clear, false),
            // Who ends TLS here came over it, unless a proxy between says that its client did not.
            ("192.0.2.1", "http", tls, true),
            ("10.0.0.1", "", tls, true),
            ("10.0.0.1", "http", tls, false),
        ] {
            let mut request = http::Request::get("/");
            if !said.is_empty() {
                request = request.header("x-forwarded-proto", said);
            }
            let (mut head, ()) = request.body(()).unwrap().into_parts();
            let proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
            proxies.client(&mut head, peer.parse().unwrap(), transport);
            assert_eq!(head.extensions.get::<SecureTransport>().is_some(), secure, "{peer} {said}");
        }
    }
}
