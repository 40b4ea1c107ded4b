//! Who is at the other end of a connection to a Runtime API.
//!
//! A Runtime API listens on loopback, where any process of the machine can dial, and has no secret that AWS's
//! clients would send. So a connection is traced to the process that holds its other end: the kernel's table
//! of connections names the socket, and the socket must be open in a process of the instance. The table is
//! read once a connection, which costs about a millisecond for each thousand sockets of the machine; runtime
//! clients keep theirs. Where there is no `/proc` (macOS), every local process is let in, and only the port,
//! which the system chooses for each instance, would have to be guessed.

use std::fs::File;
use std::io::{BufRead, BufReader};

use crate::processes;

/// Who dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A process of the instance.
    Instance,
    /// Another process.
    Stranger,
    /// This system does not tell.
    Unknown,
}

/// Traces the connection from port `from` to our port `to` to a process of the group that `leader` leads. This
/// blocks for as long as reading a table takes.
pub(crate) fn trace(leader: i32, from: u16, to: u16) -> Peer {
    let mut known = false;
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(file) = File::open(table) else { continue };
        match find(BufReader::new(file), from, to) {
            Row::Found(inode) => return holder(leader, inode),
            Row::Missing => known = true,
            Row::Blind => {}
        }
    }
    if known { Peer::Stranger } else { Peer::Unknown }
}

fn holder(leader: i32, inode: u64) -> Peer {
    let mut seen = false;
    for pid in processes::descendants(leader) {
        match processes::holds_socket(pid, inode) {
            Some(true) => return Peer::Instance,
            Some(false) => seen = true,
            None => {}
        }
    }
    // A group's member whose parent has ended is nobody's descendant any more.
    let strays = processes::by_group().remove(&leader).unwrap_or_default();
    if strays.iter().any(|pid| processes::holds_socket(*pid, inode) == Some(true)) {
        return Peer::Instance;
    }
    if seen { Peer::Stranger } else { Peer::Unknown }
}

/// What a table tells about a connection.
#[derive(Debug, PartialEq, Eq)]
enum Row {
    /// The inode of the socket at the dialling end.
    Found(u64),
    /// It is not in the table, though our own end is.
    Missing,
    /// Not even our own end is in the table: it does not show everything.
    Blind,
}

/// Looks for the socket with local port `from` and remote port `to`. The same two ports name the connection on
/// both of its ends, but not in this order.
fn find(table: impl BufRead, from: u16, to: u16) -> Row {
    let (from, to) = (format!(":{from:04X}"), format!(":{to:04X}"));
    let mut row = Row::Blind;
    for line in table.lines().map_while(Result::ok) {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (Some(local), Some(remote)) = (fields.next(), fields.next()) else {
            continue;
        };
        if local.ends_with(&to) {
            row = Row::Missing;
        }
        if local.ends_with(&from) && remote.ends_with(&to) {
            // st, queues, timer, retransmissions, uid, timeout, inode
            let inode = fields.nth(6).and_then(|inode| inode.parse().ok());
            return inode.map_or(Row::Missing, Row::Found);
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
         0: 0100007F:A001 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 20 4 30 10 -1\n\
         1: 0100007F:1F90 0100007F:A001 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 30 10 -1\n";

    #[test]
    fn the_dialling_end_is_found() {
        assert_eq!(find(TABLE.as_bytes(), 0xA001, 8080), Row::Found(4711));
        assert_eq!(find(TABLE.as_bytes(), 8080, 0xA001), Row::Found(4712));
        assert_eq!(find(TABLE.as_bytes(), 1, 8080), Row::Missing);
        assert_eq!(find(TABLE.as_bytes(), 1, 2), Row::Blind);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_a_process_of_the_group_is_let_in() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap().port();
        let dialled = std::net::TcpStream::connect(("127.0.0.1", to)).unwrap();
        let from = dialled.local_addr().unwrap().port();
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(trace(own, from, to), Peer::Instance);
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert_eq!(trace(i32::try_from(other.id()).unwrap(), from, to), Peer::Stranger);
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
