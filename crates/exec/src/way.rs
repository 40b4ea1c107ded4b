//! The way to all other hosts: directly, or through the proxy that the environment named before.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::environment::Environment;
use crate::names::unbracketed;

/// The longest answer of a proxy to CONNECT, in bytes.
const LONGEST_ANSWER: usize = 16 * 1024;

/// A proxy that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "the environment names a proxy that is no http:// URL (`{variable}`)\nportcullis exec can go through proxies of the form http://host:port: set another, or unset it"
)]
pub struct UnusableProxy {
    variable: &'static str,
}

/// A proxy that was there before.
struct Proxy {
    host: String,
    port: u16,
    /// What it is shown, if anything.
    authorization: Option<String>,
}

/// How other hosts are reached.
pub(crate) struct Way {
    https: Option<Proxy>,
    http: Option<Proxy>,
    /// The hosts that go past proxies.
    direct: Vec<String>,
}

/// A connection, and what is said to the proxy on it.
pub(crate) struct Towards {
    pub(crate) stream: TcpStream,
    /// Whether a proxy is at its other end, which wants the whole URL; with what it is shown.
    pub(crate) proxy: Option<Option<String>>,
}

impl Way {
    /// Reads the usual variables.
    pub(crate) fn of(before: &Environment) -> Result<Self, UnusableProxy> {
        let proxy = |variable: &'static str| {
            let url = before.of_either_case(variable).or_else(|| before.of_either_case("all_proxy"));
            url.map(|url| Proxy::parse(url).ok_or(UnusableProxy { variable })).transpose()
        };
        let direct = before.of_either_case("no_proxy").unwrap_or_default();
        let direct = direct.split(',').map(|entry| entry.trim().to_ascii_lowercase());
        Ok(Self {
            https: proxy("https_proxy")?,
            http: proxy("http_proxy")?,
            direct: direct.filter(|entry| !entry.is_empty()).collect(),
        })
    }

    /// A tunnel to a host: what is written arrives there.
    pub(crate) async fn tunnel(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        match self.https.as_ref().filter(|_| !self.is_direct(host)) {
            None => dial(host, port).await,
            Some(proxy) => proxy.tunnel(host, port).await,
        }
    }

    /// A connection for a request in clear.
    pub(crate) async fn in_clear(&self, host: &str, port: u16) -> io::Result<Towards> {
        match self.http.as_ref().filter(|_| !self.is_direct(host)) {
            None => Ok(Towards { stream: dial(host, port).await?, proxy: None }),
            Some(proxy) => {
                let stream = dial(&proxy.host, proxy.port).await?;
                Ok(Towards { stream, proxy: Some(proxy.authorization.clone()) })
            }
        }
    }

    fn is_direct(&self, host: &str) -> bool {
        let host = unbracketed(host).to_ascii_lowercase();
        self.direct.iter().any(|entry| {
            let name = entry.trim_start_matches(['*', '.']);
            name.is_empty() || host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
        })
    }
}

/// A connection to a place: the command's own traffic goes where the command sends it.
#[expect(
    clippy::disallowed_methods,
    reason = "the command chooses its hosts; `egress` guards the server's own calls"
)]
pub(crate) async fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((unbracketed(host), port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Proxy {
    fn parse(url: &str) -> Option<Self> {
        let rest = match url.split_once("://") {
            Some((scheme, rest)) => scheme.eq_ignore_ascii_case("http").then_some(rest)?,
            None => url,
        };
        let rest = rest.split('/').next().unwrap_or_default();
        let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        let place: http::uri::Authority = place.parse().ok()?;
        Some(Self {
            host: place.host().to_owned(),
            port: place.port_u16().unwrap_or(80),
            authorization: user.map(|user| format!("Basic {}", STANDARD.encode(decoded(user)))),
        })
    }

    /// RFC 9110, section 9.3.6.
    async fn tunnel(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let mut stream = dial(&self.host, self.port).await?;
        let mut asked = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
        if let Some(authorization) = &self.authorization {
            asked.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
        }
        asked.push_str("\r\n");
        stream.write_all(asked.as_bytes()).await?;
        let mut answer = Vec::new();
        // One byte at a time: what follows the head is the host's, not ours.
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() == LONGEST_ANSWER {
                return Err(io::Error::other("the proxy's answer does not end"));
            }
            answer.push(stream.read_u8().await?);
        }
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.lines().next().unwrap_or_default();
        let code = status.split(' ').nth(1).unwrap_or_default();
        if code.starts_with('2') {
            Ok(stream)
        } else {
            Err(io::Error::other(format!("the proxy says `{status}`")))
        }
    }
}

/// A user and password as they stand in a URL.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let escaped = || {
            let mut ahead = rest.clone();
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let value = digit(ahead.next()?)? * 16 + digit(ahead.next()?)?;
            Some((u8::try_from(value).ok()?, ahead))
        };
        match (byte == b'%').then(escaped).flatten() {
            Some((value, ahead)) => {
                bytes.push(value);
                rest = ahead;
            }
            None => bytes.push(byte),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(variables: &[(&str, &str)]) -> Result<Way, UnusableProxy> {
        Way::of(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_proxy_that_was_there_is_gone_through() {
        let way = way(&[("HTTPS_PROXY", "http://u%40x:p@proxy.example:3128/"), ("no_proxy", "a.org,.b.org")])
            .unwrap();
        let proxy = way.https.as_ref().unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.example", 3128));
        assert_eq!(proxy.authorization.as_deref(), Some("Basic dUB4OnA="));
        assert!(way.http.is_none());
        assert!(way.is_direct("a.org") && way.is_direct("x.b.org") && !way.is_direct("xa.org"));
    }

    #[test]
    fn a_proxy_that_cannot_be_gone_through_is_named() {
        assert!(way(&[("ALL_PROXY", "socks5://127.0.0.1:1080")]).is_err());
        assert!(way(&[("https_proxy", "https://proxy.example")]).is_err());
        assert!(way(&[("https_proxy", "proxy.example:3128")]).is_ok());
    }
}
