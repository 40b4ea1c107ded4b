//! First stage: is this a request that the endpoint takes at all? Decided from its head alone.
//!
//! Source: MCP, "Transports", streamable HTTP: POST for messages, the `Accept`, `Origin` and `MCP-Protocol-Version`
//! headers. A foreign `Host` or `Origin` is refused, so that no web page can reach an endpoint on this machine by
//! rebinding a name (2025-11-25, "Security Warning").

use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version as HttpVersion};
use mcp::Version;
use mcp::jsonrpc::{INVALID_REQUEST, Message};

use crate::answer::Reply;
use crate::pipeline::Setup;
use crate::snapshot::Gate;

/// What the head of a request says about its answer.
pub(crate) struct Arrival {
    pub(crate) spoken: Spoken,
    /// Whether the answer is an event stream.
    pub(crate) as_stream: bool,
    /// Whether it is the end of a session, and no message.
    pub(crate) ends_session: bool,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The query.
    pub(crate) query: String,
}

/// The version that the header `MCP-Protocol-Version` names.
pub(crate) enum Spoken {
    /// None.
    Unsaid,
    /// One before 2026-07-28.
    Former(Version),
    /// One before 2026-07-28 that this gateway does not speak.
    Refused(Version),
    /// 2026-07-28, or one that is not known: since 2026-07-28 a request whose version is not spoken is told which are.
    Modern,
    /// One that is not known.
    Unknown,
}

impl Arrival {
    /// Keeps what later stages want to know of the head.
    pub(crate) fn keep(&mut self, head: Parts) {
        self.query = head.uri.query().unwrap_or_default().to_owned();
        self.headers = head.headers;
    }

    /// What is kept of the head of a request to an HTTP target.
    pub(crate) fn of_http(head: Parts) -> Self {
        let (headers, query) = (HeaderMap::new(), String::new());
        let mut arrival =
            Self { spoken: Spoken::Unsaid, as_stream: false, ends_session: false, headers, query };
        arrival.keep(head);
        arrival
    }

    /// The value of a header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether a message is of 2026-07-28 or later: by its header, or, without one, by what it says of itself.
    pub(crate) fn is_modern(&self, message: &Message<'_>) -> bool {
        match (&self.spoken, message) {
            (Spoken::Modern, _) => true,
            // A client that is about to agree on a version may name one that is not known.
            (Spoken::Unknown, Message::Request { method, .. }) => method != "initialize",
            (Spoken::Unknown, _) => true,
            (Spoken::Former(_) | Spoken::Refused(_), _) => false,
            (Spoken::Unsaid, Message::Request { params, .. }) => {
                let said = mcp::RequestMeta::read(*params).ok().and_then(|meta| meta.version);
                said.and_then(|said| Version::parse(&said)).is_some_and(Version::is_modern)
            }
            (Spoken::Unsaid, _) => false,
        }
    }

    /// The version before 2026-07-28 that is spoken.
    pub(crate) fn former(&self) -> Version {
        match self.spoken {
            Spoken::Former(version) => version,
            _ => Version::WITHOUT_HEADER,
        }
    }
}

/// Looks at the head of a request.
pub(crate) fn inspect(setup: &Setup, gate: &Gate, head: &Parts) -> Result<Arrival, Reply> {
    check_host(setup, gate, head)?;
    check_origin(setup, &head.headers)?;
    let spoken = spoken(gate, &head.headers);
    let former = !matches!(spoken, Spoken::Modern);
    let ends_session = head.method == Method::DELETE && gate.session_seconds().is_some() && former;
    let arrival =
        Arrival { spoken, as_stream: false, ends_session, headers: HeaderMap::new(), query: String::new() };
    if ends_session {
        return Ok(arrival);
    }
    if head.method != Method::POST {
        // No stream is offered to listen on.
        return Err(Reply::method_not_allowed());
    }
    if !is_json(&head.headers) {
        return Err(Reply::refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            INVALID_REQUEST,
            "Content-Type must be application/json",
        ));
    }
    Ok(Arrival { as_stream: accepted(gate, &head.headers)?, ..arrival })
}

/// Looks at the head of a request to an HTTP target, which may have any form but that of a proxy's.
pub(crate) fn inspect_http(setup: &Setup, gate: &Gate, head: &Parts) -> Result<(), Reply> {
    if head.version < HttpVersion::HTTP_2 && head.uri.scheme().is_some() {
        let detail = "Requests are taken by their path, and not by a whole URL";
        return Err(Reply::http_error(StatusCode::BAD_REQUEST, "ValidationException", detail));
    }
    check_host(setup, gate, head)?;
    check_origin(setup, &head.headers)
}

/// The host that a request names: of its URL with HTTP/2, of its header else.
fn host(head: &Parts) -> Option<&str> {
    let named = head.uri.authority().map(http::uri::Authority::as_str);
    named.or_else(|| head.headers.get("host").and_then(|host| host.to_str().ok()))
}

fn check_host(setup: &Setup, gate: &Gate, head: &Parts) -> Result<(), Reply> {
    let known = host(head).is_some_and(|host| is_ours(setup, host) || gate.is_named_by_host(host));
    if known {
        return Ok(());
    }
    Err(Reply::refused(
        StatusCode::FORBIDDEN,
        INVALID_REQUEST,
        "This host name is not one of this server's. If it should be, set it as the public URL or add it to `server.hosts`",
    ))
}

/// A browser says on whose behalf it asks. A request without an origin is not a browser's.
fn check_origin(setup: &Setup, headers: &HeaderMap) -> Result<(), Reply> {
    let Some(origin) = headers.get("origin") else {
        // A browser that asks for a page of another site says no origin, but where it comes from (Fetch Metadata).
        let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
        return match site {
            Some("cross-site" | "same-site") => Err(foreign()),
            _ => Ok(()),
        };
    };
    let host = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")));
    if host.is_some_and(|host| is_ours(setup, host)) {
        return Ok(());
    }
    Err(foreign())
}

fn foreign() -> Reply {
    Reply::refused(
        StatusCode::FORBIDDEN,
        INVALID_REQUEST,
        "Requests on behalf of this origin are not accepted. If they should be, add its host to `server.hosts`",
    )
}

/// Whether a host is this server's: the public URL's, this machine's, or one that the operator added. The port does not
/// count: a name that was rebound still is not ours.
fn is_ours(setup: &Setup, host: &str) -> bool {
    let name = without_port(host);
    let loopback = ["localhost", "127.0.0.1", "[::1]"];
    let public = setup.names.public_url();
    let public = public.split_once("://").map_or(public, |(_, rest)| rest);
    let public = without_port(public.split('/').next().unwrap_or_default());
    loopback.iter().any(|ours| name.eq_ignore_ascii_case(ours))
        || name.eq_ignore_ascii_case(public)
        || setup.hosts.iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Whether the answer is an event stream: when the gateway streams and the client takes streams, or when the client
/// takes nothing else. A client that takes neither is refused.
fn accepted(gate: &Gate, headers: &HeaderMap) -> Result<bool, Reply> {
    let mut json = false;
    let mut stream = false;
    let mut given = false;
    for value in headers.get_all("accept") {
        for range in value.to_str().unwrap_or_default().split(',') {
            given = true;
            match range.split(';').next().unwrap_or_default().trim() {
                "application/json" | "application/*" => json = true,
                "text/event-stream" | "text/*" => stream = true,
                "*/*" => {
                    json = true;
                    stream = true;
                }
                _ => {}
            }
        }
    }
    match (json, stream) {
        _ if !given => Ok(false),
        (false, false) => Err(Reply::refused(
            StatusCode::NOT_ACCEPTABLE,
            INVALID_REQUEST,
            "MCP requires the Accept header: application/json, text/event-stream",
        )),
        (true, false) => Ok(false),
        (false, true) => Ok(true),
        (true, true) => Ok(gate.streams),
    }
}

fn spoken(gate: &Gate, headers: &HeaderMap) -> Spoken {
    let Some(header) = headers.get("mcp-protocol-version") else { return Spoken::Unsaid };
    match header.to_str().ok().and_then(|named| Version::parse(named.trim())) {
        None => Spoken::Unknown,
        Some(version) if version.is_modern() => Spoken::Modern,
        Some(version) if gate.versions.contains(&version) => Spoken::Former(version),
        Some(version) => Spoken::Refused(version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_cut_off() {
        assert_eq!(without_port("localhost:4848"), "localhost");
        assert_eq!(without_port("[::1]:4848"), "[::1]");
        assert_eq!(without_port("[::1]"), "[::1]");
        assert_eq!(without_port("example.com"), "example.com");
    }
}
