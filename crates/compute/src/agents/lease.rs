//! The use of a session: while somebody holds it, the session is not idle.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Ending;
use super::session::Session;

/// The use of a session. Keep it until the last byte of the answer; while it is held, the session is not idle (it may
/// still be stopped, crash, or become too old: race what you do against [`Lease::ended`]).
pub struct Lease {
    session: Arc<Session>,
    addr: SocketAddr,
}

impl Lease {
    pub(super) fn new(session: Arc<Session>, addr: SocketAddr) -> Self {
        Self { session, addr }
    }

    /// Where the agent listens: a port of 127.0.0.1, which is nobody else's as long as the session lives.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The number of the session's process, which leads its group.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.session.process().map(crate::limits::Process::id)
    }

    /// Waits until the session is to end, and tells why.
    pub async fn ended(&self) -> Ending {
        self.session.to_end().await;
        self.session.ending().unwrap_or(Ending::Stopped)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lease").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.session.release();
    }
}
