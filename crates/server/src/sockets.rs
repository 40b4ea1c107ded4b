//! The sockets that the server listens on: one a thread on the same address (`SO_REUSEPORT`), and, where these speak TLS,
//! one of this machine's own in the clear.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
#[cfg(target_os = "linux")]
use std::time::Duration;

#[cfg(target_os = "linux")]
use socket2::SockRef;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;

use crate::proxies::Transport;
use crate::terminal::Failure;

/// How long a client may take nothing of what is sent to it.
#[cfg(target_os = "linux")]
const READ_PATIENCE: Duration = Duration::from_secs(60);

/// Sockets that listen on one address, one for each thread.
pub(crate) struct Listeners {
    pub(crate) sockets: Vec<std::net::TcpListener>,
    /// In the clear, on this machine alone, for its own functions and agents, where the others speak TLS.
    pub(crate) inside: Option<std::net::TcpListener>,
    /// Where they are.
    pub(crate) addresses: Addresses,
}

/// Where the server listens, with the ports that were given where none was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) outside: SocketAddr,
    /// In the clear, where the outside speaks TLS.
    pub(crate) inside: Option<SocketAddr>,
}

impl Listeners {
    /// Binds the address once for each thread, and beside it, where it speaks TLS, one of this machine's own.
    pub(crate) fn bind(address: SocketAddr, threads: usize, transport: Transport) -> Result<Self, Failure> {
        let refuse = |error: std::io::Error| {
            let hint = match error.kind() {
                std::io::ErrorKind::AddrInUse => {
                    "\nAnother program listens there: stop it, or choose another address with --listen"
                }
                std::io::ErrorKind::PermissionDenied => {
                    "\nPorts under 1024 are for root: choose another with --listen"
                }
                std::io::ErrorKind::AddrNotAvailable => {
                    "\nThis machine does not have that address: choose another with --listen"
                }
                _ => "",
            };
            Failure::new(format!("cannot listen on {address}: {error}{hint}"))
        };
        // Another program must not be able to share the port: the first socket is bound alone, to see whether it can be.
        let alone = bind(address, Share::Alone).map_err(refuse)?;
        let address = alone.local_addr().map_err(refuse)?;
        let sockets = if threads == 1 {
            vec![alone]
        } else {
            drop(alone);
            let siblings = (0..threads).map(|_| bind(address, Share::WithSiblings));
            siblings.collect::<Result<_, _>>().map_err(refuse)?
        };
        let inside = match transport {
            Transport::Clear => None,
            Transport::Tls => {
                let any = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
                Some(bind(any, Share::Alone).map_err(refuse)?)
            }
        };
        let its_address =
            inside.as_ref().map(std::net::TcpListener::local_addr).transpose().map_err(refuse)?;
        Ok(Self { sockets, inside, addresses: Addresses { outside: address, inside: its_address } })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Share {
    Alone,
    WithSiblings,
}

fn bind(address: SocketAddr, share: Share) -> std::io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if share == Share::WithSiblings {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// Has the system close a connection whose client takes nothing of what is sent to it (RFC 5482; `tcp(7)`,
/// `TCP_USER_TIMEOUT`, which is about a window that stays shut, too).
pub(crate) fn bound_waiting(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    if let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(READ_PATIENCE)) {
        tracing::debug!(%error, "A connection whose client reads nothing will not be closed.");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// Says that there is no room, as far as the system takes it at once, and closes.
pub(crate) fn turn_away(stream: TcpStream) {
    const REFUSAL: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
    if let Ok(mut stream) = stream.into_std() {
        // What has come is taken first: bytes that nobody reads would have the system cut the answer off.
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write(REFUSAL);
    }
}
