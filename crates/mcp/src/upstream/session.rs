//! Sessions with a server of the former era, and the question which era a server is of.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::ask::{Ask, Peer, Written};
use super::exchange::{Exchange, Said};
use super::{Era, Refused, Sender, Upstream, UpstreamError};
use crate::Version;
use crate::jsonrpc::{HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION};

/// How long a server may take to say which era it is of, and to agree on a session.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many headers a message usually has, with those of its connection, its credential and its trace.
const USUAL_HEADERS: usize = 8;

/// What was agreed when a session was opened.
pub(super) struct Session {
    pub(super) version: Option<HeaderValue>,
    pub(super) id: Option<HeaderValue>,
    /// What the server says it can do.
    pub(super) capabilities: Value,
    /// Which one it is of those that are kept for all replicas.
    pub(super) revision: Option<i64>,
}

impl Upstream {
    /// The session of a peer, which is opened if there is none.
    pub(super) async fn session(
        &self,
        sender: Sender<'_>,
        peer: &Peer,
    ) -> Result<Arc<Session>, UpstreamError> {
        self.session_after(sender, peer, None).await
    }

    /// The same, after one of this revision was refused.
    pub(super) async fn session_after(
        &self,
        sender: Sender<'_>,
        peer: &Peer,
        former: Option<i64>,
    ) -> Result<Arc<Session>, UpstreamError> {
        let key = peer.session_key();
        match self.sessions.get(&key) {
            Some(session) => Ok(session),
            None => Box::pin(self.opened(sender, peer, (key, former))).await,
        }
    }

    /// The session of a peer that has none, opened once for all who want it.
    async fn opened(
        &self,
        sender: Sender<'_>,
        peer: &Peer,
        (key, former): (String, Option<i64>),
    ) -> Result<Arc<Session>, UpstreamError> {
        let began = Instant::now();
        let opening = async {
            // It is our turn because the one before failed: so has ours, if we were waiting for it.
            let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(refused) = refused.filter(|refused| refused.at > began && refused.key == key) {
                return Err(match refused.status {
                    Some(status) => UpstreamError::Status(status),
                    None => UpstreamError::Malformed(refused.why),
                });
            }
            let kept = peer.keeper.as_ref().map(|keeper| (keeper, format!("{}\n{key}", self.name)));
            if let Some((keeper, name)) = &kept
                && let Some(found) = keeper.0.find(name).await.filter(|found| Some(found.revision) != former)
                && let Some(session) = Session::of(&found)
            {
                return Ok(Arc::new(session));
            }
            let opened = tokio::time::timeout(PATIENCE, self.initialise(sender, peer)).await;
            let mut opened = opened.unwrap_or(Err(UpstreamError::TimedOut(PATIENCE)));
            if let (Some((keeper, name)), Ok(session)) = (&kept, &mut opened)
                && let Some(agreed) = session.agreed()
                && let Some(winner) = keeper.0.keep(name, agreed, former).await
                && let Some(winner) = Session::of(&winner)
            {
                *session = winner;
            }
            let opened = opened.map(Arc::new);
            if let Err(error) = &opened {
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                let status = match error {
                    UpstreamError::Status(status) => Some(*status),
                    _ => None,
                };
                *refused =
                    Some(Refused { at: Instant::now(), key: key.clone(), status, why: error.to_string() });
            }
            opened
        };
        self.sessions.get_or_insert_async(&key, opening).await
    }

    /// Forgets a session, unless another has taken its place already.
    pub(super) fn forget(&self, peer: &Peer, session: &Arc<Session>) {
        self.sessions.remove_if(&peer.session_key(), |present| Arc::ptr_eq(present, session));
    }

    /// Opens a session, and asks for the log messages that the peer wants.
    async fn initialise(&self, sender: Sender<'_>, peer: &Peer) -> Result<Session, UpstreamError> {
        let request = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{{\"protocolVersion\":\"{}\",\
             \"capabilities\":{},\"clientInfo\":{{\"name\":\"portcullis\",\"version\":\"{}\"}}}}}}",
            Version::NEWEST_HANDSHAKE,
            peer.capabilities.as_json(),
            env!("CARGO_PKG_VERSION"),
        );
        let none = HeaderMap::new();
        let response = self.send(sender, &Written::bare(request), None, &none).await?;
        if matches!(response.status().as_u16(), 400 | 404 | 405) {
            return Err(UpstreamError::Legacy(response.status()));
        }
        let id = response.headers().get("mcp-session-id").cloned();
        let answer =
            Exchange::read(response, 0, Era::Legacy, None, None, sender.largest).await?.answer().await?;
        let answer: Value = strict_json::parse(answer.bytes())
            .map_err(|error| UpstreamError::Malformed(error.to_string()))?;
        let agreed = answer.pointer("/result/protocolVersion").and_then(Value::as_str);
        let version = agreed.and_then(Version::parse).filter(|version| !version.is_modern());
        let version = version.ok_or_else(|| {
            let said: String = answer.to_string().chars().take(200).collect();
            UpstreamError::Malformed(format!("it does not agree on a protocol version: {said}"))
        })?;
        let header = (version > Version::WITHOUT_HEADER).then(|| HeaderValue::from_static(version.as_str()));
        let capabilities = answer.pointer("/result/capabilities").cloned().unwrap_or_default();
        let session = Session { version: header, id, capabilities, revision: None };
        let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.send(sender, &Written::bare(note.to_string()), Some(&session), &none).await?;
        if let Some(level) =
            peer.log_level.as_deref().filter(|_| session.capabilities.get("logging").is_some())
        {
            let id = self.next_id();
            let ask = json!({ "jsonrpc": "2.0", "id": id, "method": "logging/setLevel", "params": { "level": level } });
            let set = self.send(sender, &Written::bare(ask.to_string()), Some(&session), &none).await?;
            Exchange::read(set, id, Era::Legacy, None, None, sender.largest).await?.answer().await?;
        }
        Ok(session)
    }

    /// Asks the server which era it is of.
    pub(super) async fn probe(&self, sender: Sender<'_>) -> Result<Era, UpstreamError> {
        let (peer, none) = (Peer::default(), HeaderMap::new());
        let ask = Ask {
            method: "server/discover",
            subject: None,
            members: "",
            meta: None,
            headers: &none,
            peer: &peer,
        };
        let id = self.next_id();
        let probing = async {
            let response = self.send(sender, &Written::modern(&ask, id), None, &none).await?;
            match response.status() {
                // Who is not let in learns nothing; who is not reached either.
                status @ (StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::TOO_MANY_REQUESTS) => Err(UpstreamError::Status(status)),
                status if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => {
                    Err(UpstreamError::Status(status))
                }
                _ => match Exchange::read(response, id, Era::Modern, None, None, sender.largest).await {
                    Ok(mut exchange) => match exchange.next().await {
                        Ok(Some(Said::Answer(answer))) => Ok(era_of(answer.bytes())),
                        _ => Ok(Era::Legacy),
                    },
                    Err(_) => Ok(Era::Legacy),
                },
            }
        };
        // A server of the former era may leave a request open that belongs to no session.
        match tokio::time::timeout(PATIENCE, probing).await {
            Ok(Err(UpstreamError::Egress(error))) => Err(error.into()),
            Ok(era) => era,
            Err(_) => Ok(Era::Legacy),
        }
    }

    pub(super) fn next_id(&self) -> u64 {
        self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    /// Sends a message.
    pub(super) async fn send(
        &self,
        sender: Sender<'_>,
        written: &Written,
        session: Option<&Session>,
        more: &HeaderMap,
    ) -> Result<Response<Incoming>, UpstreamError> {
        let uri = self.uri.clone().ok_or_else(|| {
            // Its query may hold a key.
            let shown = self.endpoint.split('?').next().unwrap_or_default();
            egress::EgressError::Url(shown.to_owned())
        })?;
        let mut request = Request::new(written.body.clone());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.reserve(USUAL_HEADERS);
        headers.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        for (name, value) in &written.headers {
            headers.insert(name, value.clone());
        }
        if let Some(session) = session {
            if let Some(version) = &session.version {
                headers.insert("mcp-protocol-version", version.clone());
            }
            if let Some(id) = &session.id {
                headers.insert("mcp-session-id", id.clone());
            }
        }
        sender.dress.dress(&mut request).map_err(UpstreamError::Credential)?;
        let (parts, body) = request.into_parts();
        Ok(sender.client.send(Request::from_parts(parts, Full::<Bytes>::new(body))).await?)
    }

    /// Answers a request that the server made in an exchange of the former era.
    ///
    /// `outcome` is the member of the answer that says it: `"result":…` or `"error":…`.
    ///
    /// # Errors
    /// [`UpstreamError`] when the server does not take it.
    pub async fn respond(
        &self,
        sender: Sender<'_>,
        exchange: &Exchange,
        id: &str,
        outcome: &str,
    ) -> Result<(), UpstreamError> {
        let message = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},{outcome}}}");
        let session = exchange.session.as_deref();
        let sent = self.send(sender, &Written::bare(message), session, &HeaderMap::new()).await?;
        if sent.status().is_success() { Ok(()) } else { Err(UpstreamError::Status(sent.status())) }
    }
}

/// The era of a server that answered `server/discover` so ("Backward Compatibility": a recognised error of the new era
/// is as good as a result).
fn era_of(answer: &[u8]) -> Era {
    let Ok(answer) = strict_json::parse(answer) else { return Era::Legacy };
    let speaks = |versions: Option<&Value>| {
        let versions = versions.and_then(Value::as_array);
        versions
            .is_some_and(|versions| versions.iter().any(|version| version == Version::V2026_07_28.as_str()))
    };
    let modern = match answer.pointer("/error/code").and_then(Value::as_i64) {
        Some(UNSUPPORTED_VERSION) => speaks(answer.pointer("/error/data/supported")),
        Some(HEADER_MISMATCH | MISSING_CAPABILITY) => true,
        Some(_) => false,
        None => speaks(answer.pointer("/result/supportedVersions")),
    };
    if modern { Era::Modern } else { Era::Legacy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eras_are_told_apart() {
        for (answer, era) in [
            (json!({"result": {"supportedVersions": ["2026-07-28"]}}), Era::Modern),
            (json!({"result": {"supportedVersions": ["2025-11-25"]}}), Era::Legacy),
            (json!({"result": {}}), Era::Legacy),
            (json!({"error": {"code": -32022, "data": {"supported": ["2026-07-28"]}}}), Era::Modern),
            (json!({"error": {"code": -32022, "data": {"supported": ["2027-01-01"]}}}), Era::Legacy),
            (json!({"error": {"code": -32020}}), Era::Modern),
            (json!({"error": {"code": -32601}}), Era::Legacy),
        ] {
            assert_eq!(era_of(answer.to_string().as_bytes()), era, "{answer}");
        }
    }
}
