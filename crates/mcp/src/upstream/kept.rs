//! Sessions that outlive this process: what was agreed with a server is kept with the session of the client that it was
//! opened for, so that another replica goes on with it, and the server does not see a stranger.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::session::Session;

/// What a step of a [`SessionKeeper`] comes to. Nothing, when nothing is kept now: the process goes on with its own.
pub type KeptWork<'a> = Pin<Box<dyn Future<Output = Option<KeptSession>> + Send + 'a>>;

/// Where the sessions with servers are kept that belong to one session of a client.
pub trait SessionKeeper: Send + Sync {
    /// The session with the server of this name, if there is one.
    fn find<'a>(&'a self, server: &'a str) -> KeptWork<'a>;
    /// Keeps one in the place of the `former` one, or of none, and gives the one that is kept then: it may be somebody
    /// else's, who was faster.
    fn keep<'a>(&'a self, server: &'a str, agreed: Vec<u8>, former: Option<i64>) -> KeptWork<'a>;
}

/// A session that is kept.
pub struct KeptSession {
    /// Which one it is of those that there were.
    pub revision: i64,
    /// What was agreed, as it was handed over.
    pub agreed: Vec<u8>,
}

/// Who keeps the sessions of a peer.
#[derive(Clone)]
pub struct Keeper(pub Arc<dyn SessionKeeper>);

impl fmt::Debug for Keeper {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keeper")
    }
}

#[derive(Serialize, Deserialize)]
struct Agreed {
    version: Option<String>,
    id: Option<String>,
    capabilities: Value,
}

impl Session {
    /// A session that was kept; nothing if it cannot be read.
    pub(super) fn of(kept: &KeptSession) -> Option<Self> {
        let Agreed { version, id, capabilities } = serde_json::from_slice(&kept.agreed).ok()?;
        let header = |text: Option<String>| text.map(HeaderValue::try_from).transpose().ok();
        Some(Self { version: header(version)?, id: header(id)?, capabilities, revision: Some(kept.revision) })
    }

    /// The session as it is kept; nothing for one whose id no text can hold.
    pub(super) fn agreed(&self) -> Option<Vec<u8>> {
        let text = |header: &Option<HeaderValue>| {
            header.as_ref().map(|value| value.to_str().map(str::to_owned)).transpose().ok()
        };
        let agreed = Agreed {
            version: text(&self.version)?,
            id: text(&self.id)?,
            capabilities: self.capabilities.clone(),
        };
        serde_json::to_vec(&agreed).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_agreed_comes_back_as_it_was() {
        let session = Session {
            version: Some(HeaderValue::from_static("2025-06-18")),
            id: Some(HeaderValue::from_static("s-1")),
            capabilities: json!({ "tools": {} }),
            revision: None,
        };
        let kept = KeptSession { revision: 7, agreed: session.agreed().unwrap() };
        let found = Session::of(&kept).unwrap();
        assert_eq!((found.version, found.id), (session.version, session.id));
        assert_eq!((found.capabilities, found.revision), (session.capabilities, Some(7)));
        assert!(Session::of(&KeptSession { revision: 1, agreed: b"{\"id\":7}".to_vec() }).is_none());
    }
}
