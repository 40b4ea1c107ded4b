//! Tells systemd how it stands (`sd_notify(3)`): that the server is ready, and that it ends.
//!
//! One datagram to the socket that `NOTIFY_SOCKET` names; without one, nobody wants to know.

use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Where notices go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices(Option<String>);

impl Notices {
    /// Notices to this socket: a path, or `@` and an abstract name.
    pub(crate) fn to(socket: Option<String>) -> Self {
        Self(socket)
    }

    /// Requests are answered from now on.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The server ends.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, what: &str) {
        if let Some(socket) = &self.0
            && let Err(error) = tell(socket, what)
        {
            tracing::warn!(%error, "The service manager cannot be told how the server stands.");
        }
    }
}

fn tell(socket: &str, what: &str) -> std::io::Result<()> {
    UnixDatagram::unbound()?.send_to_addr(what.as_bytes(), &address(socket)?).map(|_| ())
}

fn address(socket: &str) -> std::io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_listens_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let notices = Notices::to(Some(path.to_string_lossy().into_owned()));
        notices.ready();
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1");
        Notices::default().stopping();
    }
}
