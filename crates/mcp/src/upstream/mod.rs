//! A client for an upstream server over streamable HTTP, of either era: since 2026-07-28 every request stands for
//! itself; before, a session is opened once for each peer, kept, and opened again when the server has forgotten it.
//!
//! Which era a server is of is found out once, by asking it `server/discover` (2026-07-28, "Versioning",
//! "Backward Compatibility").

mod ask;
mod error;
mod exchange;
mod kept;
mod listing;
mod session;

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use egress::Client;
use http::{Request, StatusCode, Uri};
use quick_cache::sync::Cache;
use tokio::time::Instant;

pub use ask::{Ask, Peer};
pub use error::UpstreamError;
pub use exchange::{Answer, Exchange, Said};
pub use kept::{Keeper, KeptSession, KeptWork, SessionKeeper};
pub use listing::Listed;

use ask::Written;
use session::Session;

/// The most sessions that are kept with one server.
const SESSIONS: usize = 4_096;

/// Puts a credential on a request to an upstream, last of all: a signature covers everything before it.
pub trait Dress: Send + Sync {
    /// Dresses the request.
    ///
    /// # Errors
    /// Why it cannot be done, in words for the gateway's owner.
    fn dress(&self, request: &mut Request<Bytes>) -> Result<(), String>;
}

/// No credential.
pub struct Plain;

impl Dress for Plain {
    fn dress(&self, _: &mut Request<Bytes>) -> Result<(), String> {
        Ok(())
    }
}

/// What a request to a server is sent with.
#[derive(Clone, Copy)]
pub struct Sender<'a> {
    /// The client of the caller's thread, where its connections are kept.
    pub client: &'a Client,
    /// The credential.
    pub dress: &'a dyn Dress,
    /// The largest message that is read, in bytes ("Quotas": payload).
    pub largest: usize,
}

/// When a server's protocol was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Before 2026-07-28: `initialize` and sessions.
    Legacy,
    /// Since 2026-07-28: every request stands for itself.
    Modern,
}

/// A session that was refused.
#[derive(Clone)]
struct Refused {
    at: Instant,
    /// Whose it would have been.
    key: String,
    status: Option<StatusCode>,
    why: String,
}

/// An upstream server.
pub struct Upstream {
    endpoint: String,
    /// The endpoint, read; none where it cannot be dialled.
    uri: Option<Uri>,
    /// What its sessions are kept under.
    name: String,
    /// 0 while it is not known, else 1 + the place of the era.
    era: AtomicU8,
    /// When a session was last refused, and why: whoever waited for it waits no longer.
    refused: Mutex<Option<Refused>>,
    /// The sessions with a server of the former era, one for each peer.
    sessions: Cache<String, Arc<Session>>,
    /// The id of the next request: every request has its own, whatever ids our clients use.
    next: AtomicU64,
}

impl Upstream {
    /// The server at `endpoint`.
    #[must_use]
    pub fn new(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            uri: endpoint.parse().ok(),
            name: endpoint.to_owned(),
            era: AtomicU8::new(0),
            refused: Mutex::new(None),
            sessions: Cache::new(SESSIONS),
            // Zero is the handshake's.
            next: AtomicU64::new(1),
        }
    }

    /// The same server under a name: sessions that are kept for it are those of this name alone.
    #[must_use]
    pub fn named(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Makes a request. What the server says to it comes out of the [`Exchange`].
    ///
    /// # Errors
    /// [`UpstreamError`] when the server cannot be asked.
    pub async fn open(&self, sender: Sender<'_>, ask: &Ask<'_>) -> Result<Exchange, UpstreamError> {
        let (era, known) = self.era(sender).await?;
        let opened = self.open_as(era, sender, ask).await;
        match (&opened, era) {
            // A server that was exchanged for one of the other era is noticed by its refusal.
            (Err(UpstreamError::Status(status) | UpstreamError::Legacy(status)), _)
                if known && (status.as_u16() == 400 || status.as_u16() == 404 || status.as_u16() == 405) =>
            {
                self.era.store(0, Ordering::Relaxed);
                let (now, _) = self.era(sender).await?;
                if now == era { opened } else { self.open_as(now, sender, ask).await }
            }
            _ => opened,
        }
    }

    async fn open_as(&self, era: Era, sender: Sender<'_>, ask: &Ask<'_>) -> Result<Exchange, UpstreamError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        match era {
            Era::Modern => {
                let written = Written::modern(ask, id);
                let response = self.send(sender, &written, None, ask.headers).await?;
                Exchange::read(response, id, era, written.progress, None, sender.largest).await
            }
            Era::Legacy => {
                let written = Written::legacy(ask, id);
                let session = self.session(sender, ask.peer).await?;
                let sent = self.send(sender, &written, Some(&session), ask.headers).await?;
                // The server has forgotten the session (2025-06-18, "Session Management", item 3). Some say so as of a
                // session that they never knew, with 400: the request was not taken, so it may be made again.
                let refused = matches!(sent.status(), StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST);
                let (response, session) = if refused && session.id.is_some() {
                    self.forget(ask.peer, &session);
                    let session = self.session_after(sender, ask.peer, session.revision).await?;
                    (self.send(sender, &written, Some(&session), ask.headers).await?, session)
                } else {
                    (sent, session)
                };
                Exchange::read(response, id, era, written.progress, Some(session), sender.largest).await
            }
        }
    }

    /// Which era the server is of, and whether that was known before.
    async fn era(&self, sender: Sender<'_>) -> Result<(Era, bool), UpstreamError> {
        if let Some(era) = self.known_era() {
            return Ok((era, true));
        }
        // Those who come while it is asked ask too: a server that hangs keeps nobody waiting for anybody.
        let era = Box::pin(self.probe(sender)).await?;
        self.era.store(if era == Era::Legacy { 1 } else { 2 }, Ordering::Relaxed);
        Ok((era, false))
    }

    fn known_era(&self) -> Option<Era> {
        match self.era.load(Ordering::Relaxed) {
            1 => Some(Era::Legacy),
            2 => Some(Era::Modern),
            _ => None,
        }
    }
}
