//! The doors: how many come in at once, and what was refused or cut off at the edge, by reason.
//!
//! A connection has a [`Place`] from its acceptance until its last byte, upgraded ones too. Places are counted in all and
//! by peer, so that one peer cannot take those of everybody; the proxies that the operator trusts speak for many, and are
//! counted in all alone. An IPv6 peer is its /64, because it has all addresses of that.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use telemetry::{Family, Kind, Label, Namespace, Point, PointValue};

use crate::configuration::Limits;
use crate::pressure::{Pressure, Taken};

/// Why a connection or a request was refused or cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// There are as many connections as there may be.
    Full,
    /// Its peer has as many as one may have.
    Peer,
    /// There are as many TLS handshakes under way as there may be.
    Handshakes,
    /// Its TLS handshake failed, or took too long.
    Handshake,
    /// The head of a request took too long.
    SlowHead,
    /// The body of a request paused too long.
    SlowBody,
    /// The head of a request was too large, or had too many headers.
    LargeHead,
    /// The thread has as many requests under way as it may have.
    Requests,
    /// The thread is late, and takes on no more.
    Late,
}

impl Cut {
    const ALL: [Self; 9] = [
        Self::Full,
        Self::Peer,
        Self::Handshakes,
        Self::Handshake,
        Self::SlowHead,
        Self::SlowBody,
        Self::LargeHead,
        Self::Requests,
        Self::Late,
    ];

    /// As it stands in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Peer => "peer",
            Self::Handshakes => "handshakes",
            Self::Handshake => "handshake",
            Self::SlowHead => "slow_head",
            Self::SlowBody => "slow_body",
            Self::LargeHead => "large_head",
            Self::Requests => "requests",
            Self::Late => "late",
        }
    }
}

/// The doors of a server.
pub(crate) struct Doors {
    limits: ArcSwap<Limits>,
    open: AtomicUsize,
    handshakes: AtomicUsize,
    peers: Mutex<HashMap<IpAddr, usize>>,
    cut: [AtomicU64; Cut::ALL.len()],
    /// What each serving thread has taken on.
    threads: Mutex<Vec<Arc<Pressure>>>,
}

impl Doors {
    /// Doors by these limits.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits: ArcSwap::from_pointee(limits),
            open: AtomicUsize::new(0),
            handshakes: AtomicUsize::new(0),
            peers: Mutex::default(),
            cut: Default::default(),
            threads: Mutex::default(),
        }
    }

    /// The limits that are in force.
    pub(crate) fn limits(&self) -> Arc<Limits> {
        self.limits.load_full()
    }

    /// Puts other limits in force; who is in stays in.
    pub(crate) fn set(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
    }

    /// Lets a connection in. A peer is counted for itself unless it is absent.
    ///
    /// # Errors
    /// Why it cannot come in; that is counted.
    pub(crate) fn enter(self: &Arc<Self>, peer: Option<IpAddr>) -> Result<Place, Cut> {
        let limits = self.limits.load();
        let Some(mut place) = self.take(&self.open, limits.connections) else {
            return Err(self.refuse(Cut::Full));
        };
        if let Some(peer) = peer.map(counted) {
            let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
            let count = peers.entry(peer).or_default();
            if *count >= limits.connections_per_peer {
                drop(peers);
                drop(place);
                return Err(self.refuse(Cut::Peer));
            }
            *count += 1;
            place.peer = Some(peer);
        }
        Ok(place)
    }

    /// Has a thread take a request on.
    ///
    /// # Errors
    /// Why it must be refused; that is counted.
    pub(crate) fn take_on(&self, thread: &Arc<Pressure>) -> Result<Taken, Cut> {
        thread.take(&self.limits.load()).map_err(|cut| self.refuse(cut))
    }

    /// What a serving thread that begins has taken on.
    pub(crate) fn thread(&self) -> Arc<Pressure> {
        let pressure = Pressure::new();
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&pressure));
        pressure
    }

    fn take(self: &Arc<Self>, count: &AtomicUsize, most: usize) -> Option<Place> {
        let more = |open: usize| (open < most).then_some(open + 1);
        count.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Place { doors: Arc::clone(self), peer: None })
    }

    /// Begins a TLS handshake.
    ///
    /// # Errors
    /// When there are too many under way; that is counted.
    pub(crate) fn shake_hands(self: &Arc<Self>) -> Result<Handshake, Cut> {
        let most = self.limits.load().handshakes;
        let more = |shaking: usize| (shaking < most).then_some(shaking + 1);
        match self.handshakes.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(Handshake(Arc::clone(self))),
            Err(_) => Err(self.refuse(Cut::Handshakes)),
        }
    }

    fn refuse(&self, cut: Cut) -> Cut {
        self.count(cut);
        cut
    }

    /// Counts what was cut off.
    pub(crate) fn count(&self, cut: Cut) {
        let place = Cut::ALL.iter().position(|it| *it == cut);
        if let Some(counter) = place.and_then(|place| self.cut.get(place)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What is open, and what was refused.
    pub(crate) fn families(&self) -> [Family; 5] {
        let family = |name, help, kind, points| Family {
            namespace: Namespace::Server,
            name,
            aws_name: "",
            help,
            kind,
            points,
        };
        let one = |number: usize| vec![Point::alone(u64::try_from(number).unwrap_or(0))];
        let cut = Cut::ALL.iter().zip(&self.cut).map(|(cut, count)| Point {
            labels: vec![Label::new("reason", "", cut.as_str())],
            value: PointValue::Number(count.load(Ordering::Relaxed)),
        });
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let late = threads.iter().map(|thread| thread.late()).max().unwrap_or(0);
        [
            family(
                "requests_under_way",
                "Requests that are under way",
                Kind::Gauge,
                one(threads.iter().map(|thread| thread.under_way()).sum()),
            ),
            family(
                "late_milliseconds",
                "How late the serving thread is that is latest",
                Kind::Gauge,
                vec![Point::alone(late)],
            ),
            family(
                "open_connections",
                "Connections that are open",
                Kind::Gauge,
                one(self.open.load(Ordering::Relaxed)),
            ),
            family(
                "handshakes",
                "TLS handshakes that are under way",
                Kind::Gauge,
                one(self.handshakes.load(Ordering::Relaxed)),
            ),
            family(
                "cut_off_total",
                "Connections and requests that were refused or cut off at the edge, by reason",
                Kind::Counter,
                cut.collect(),
            ),
        ]
    }
}

/// The place of a connection, given back when it is dropped.
pub(crate) struct Place {
    doors: Arc<Doors>,
    peer: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(peer) = self.peer {
            let mut peers = self.doors.peers.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = peers.get_mut(&peer) {
                *count -= 1;
                if *count == 0 {
                    peers.remove(&peer);
                }
            }
        }
        // Last: who sees that a place is free finds it free for its peer, too.
        self.doors.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A TLS handshake that is under way.
pub(crate) struct Handshake(Arc<Doors>);

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.handshakes.fetch_sub(1, Ordering::AcqRel);
    }
}

/// As what a peer is counted.
fn counted(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors(connections: usize, connections_per_peer: usize) -> Arc<Doors> {
        Arc::new(Doors::new(Limits { connections, connections_per_peer, handshakes: 1, ..Limits::default() }))
    }

    fn peer(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn one_peer_cannot_take_every_place() {
        let doors = doors(4, 2);
        let held: Vec<_> = (0..2).map(|_| doors.enter(peer("2001:db8::1")).ok().unwrap()).collect();
        // The same network is the same peer.
        assert_eq!(doors.enter(peer("2001:db8::2")).err(), Some(Cut::Peer));
        let other = doors.enter(peer("2001:db8:0:1::1")).ok().unwrap();
        let proxied = doors.enter(None).ok().unwrap();
        assert_eq!(doors.enter(peer("192.0.2.1")).err(), Some(Cut::Full));
        drop(held);
        assert!(doors.enter(peer("2001:db8::2")).is_ok());
        drop((other, proxied));
        assert_eq!(doors.open.load(Ordering::Relaxed), 0);
        assert!(doors.peers.lock().unwrap().is_empty());
    }

    #[test]
    fn handshakes_are_counted_while_they_last() {
        let doors = doors(4, 2);
        let first = doors.shake_hands().ok().unwrap();
        assert_eq!(doors.shake_hands().err(), Some(Cut::Handshakes));
        drop(first);
        assert!(doors.shake_hands().is_ok());
    }

    #[test]
    fn limits_change_under_those_who_are_in() {
        let doors = doors(1, 1);
        let held = doors.enter(peer("192.0.2.1")).ok().unwrap();
        assert!(doors.enter(peer("192.0.2.2")).is_err());
        doors.set(Limits { connections: 2, ..Limits::default() });
        assert!(doors.enter(peer("192.0.2.2")).is_ok());
        drop(held);
    }
}
