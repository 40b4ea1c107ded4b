//! The sessions with servers behind a session of a client. They are kept beside it, so that whichever replica asks a
//! server next goes on with the session that the server knows.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use domain::Timestamp;
use mcp::upstream::{KeptSession, KeptWork, SessionKeeper};
use store::{Store, StoreError, UpstreamSession};

use super::Session;

/// Keeps what is opened on behalf of one session.
pub(super) struct Kept {
    store: Store,
    session: Arc<Session>,
    now: Timestamp,
}

impl Kept {
    pub(super) fn new(store: &Store, session: &Arc<Session>, now: Timestamp) -> Self {
        Self { store: store.clone(), session: Arc::clone(session), now }
    }
}

impl SessionKeeper for Kept {
    fn find<'a>(&'a self, server: &'a str) -> KeptWork<'a> {
        Box::pin(async move {
            let found = self.store.upstream_session(&self.session.name, &name(server)).await;
            kept(found)
        })
    }

    fn keep<'a>(&'a self, server: &'a str, agreed: Vec<u8>, former: Option<i64>) -> KeptWork<'a> {
        Box::pin(async move {
            let (key, agreed) = (self.session.key(), (&*agreed, former));
            kept(self.store.keep_upstream_session(key, &name(server), agreed, self.now).await)
        })
    }
}

/// Without the database a call goes on with a session of this replica's own: that is no reason to fail it.
fn kept(found: Result<Option<UpstreamSession>, StoreError>) -> Option<KeptSession> {
    match found {
        Ok(found) => {
            found.map(|found| KeptSession { revision: found.revision, agreed: found.agreed.to_vec() })
        }
        Err(error) => {
            tracing::warn!(%error, "A session with an MCP server cannot be kept for other replicas.");
            None
        }
    }
}

fn name(server: &str) -> String {
    hex::encode(digest(&SHA256, server.as_bytes()))
}
