//! A request to a server, and how it is written for a server of each era.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde_json::value::RawValue;

use super::Keeper;
use crate::meta::{Capabilities, for_server};
use crate::{Version, headers};

/// On whose behalf a server is asked. Whoever is the same peer shares a session with a server that keeps sessions.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// Who it is: peers of different keys share nothing.
    pub key: String,
    /// What it can do on the server's behalf.
    pub capabilities: Capabilities,
    /// From which level on it wants log messages.
    pub log_level: Option<String>,
    /// Where its sessions with servers are kept for all replicas; nowhere, where they are this process's own.
    pub keeper: Option<Keeper>,
}

impl Peer {
    /// What the peer's session is kept under.
    pub(super) fn session_key(&self) -> String {
        let level = self.log_level.as_deref().unwrap_or_default();
        format!("{}\n{}\n{level}", self.key, self.capabilities.as_json())
    }
}

/// What a server is asked.
pub struct Ask<'a> {
    /// The method.
    pub method: &'a str,
    /// What it is about: a name or a URI, which becomes `Mcp-Name`.
    pub subject: Option<&'a str>,
    /// The members of the parameters without `_meta`, as they stand between the braces; may be empty.
    pub members: &'a str,
    /// `_meta` as the client wrote it.
    pub meta: Option<&'a RawValue>,
    /// Further headers.
    pub headers: &'a HeaderMap,
    /// On whose behalf.
    pub peer: &'a Peer,
}

/// A message that is ready to be sent.
pub(super) struct Written {
    pub(super) body: Bytes,
    /// The headers that the protocol wants.
    pub(super) headers: HeaderMap,
    /// The client's own progress token, which the server does not get.
    pub(super) progress: Option<String>,
}

impl Written {
    pub(super) fn modern(ask: &Ask<'_>, id: u64) -> Self {
        let version = Version::V2026_07_28;
        let mut headers = HeaderMap::new();
        headers.insert("mcp-protocol-version", HeaderValue::from_static(version.as_str()));
        if let Ok(method) = HeaderValue::from_str(ask.method) {
            headers.insert("mcp-method", method);
        }
        if let Some(name) = ask.subject.and_then(headers::encode) {
            headers.insert("mcp-name", name);
        }
        Self::new(ask, id, version, headers)
    }

    pub(super) fn legacy(ask: &Ask<'_>, id: u64) -> Self {
        Self::new(ask, id, Version::NEWEST_HANDSHAKE, HeaderMap::new())
    }

    /// A message that asks nothing of anyone in particular.
    pub(super) fn bare(message: String) -> Self {
        Self { body: message.into(), headers: HeaderMap::new(), progress: None }
    }

    fn new(ask: &Ask<'_>, id: u64, version: Version, headers: HeaderMap) -> Self {
        let peer = ask.peer;
        let level = peer.log_level.as_deref();
        let (meta, progress) = for_server(ask.meta, version, &peer.capabilities, level, id);
        let comma = if ask.members.is_empty() || meta.is_none() { "" } else { "," };
        let meta = meta.map(|meta| format!("\"_meta\":{meta}")).unwrap_or_default();
        let (method, members) = (serde_json::Value::from(ask.method), ask.members);
        let body = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":{method},\"params\":{{{members}{comma}{meta}}}}}"
        );
        Self { body: body.into(), headers, progress }
    }
}
