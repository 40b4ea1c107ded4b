//! Which addresses may be dialled.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What the operator allows. Public addresses always pass; link-local, metadata, multicast and unspecified addresses
/// never do; loopback and private ones pass when they are allowed here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Networks that are allowed although they are private.
    pub allowed: Vec<Network>,
    /// Whether this machine itself may be dialled: for an installation that only this machine can reach.
    pub loopback: bool,
}

impl Reach {
    /// Whether an address may be dialled, over TLS or in the clear.
    ///
    /// # Errors
    /// [`Refusal`], which says what kind of address it is.
    pub fn permits(&self, address: IpAddr, encrypted: bool) -> Result<(), Refusal> {
        let address = plain(address);
        let kind = kind(address);
        let named = self.allowed.iter().any(|network| network.contains(address));
        match kind {
            Kind::Never(why) => Err(Refusal::Never { address, why }),
            Kind::Loopback if self.loopback || named => Ok(()),
            Kind::Loopback => Err(Refusal::NotAllowed { address, why: "a loopback address" }),
            Kind::Private if !named => Err(Refusal::NotAllowed { address, why: "a private address" }),
            Kind::Private | Kind::Public if !encrypted && !named => Err(Refusal::Clear { address }),
            Kind::Private | Kind::Public => Ok(()),
        }
    }
}

/// Where clouds serve metadata, other than at a link-local address: Alibaba, Oracle, Azure.
const METADATA: [[u8; 4]; 3] = [[100, 100, 100, 200], [192, 0, 0, 192], [168, 63, 129, 16]];

enum Kind {
    Never(&'static str),
    Loopback,
    Private,
    Public,
}

/// An IPv4 address in IPv6's clothes is that IPv4 address.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => six.to_ipv4_mapped().or_else(|| embedded(six)).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// NAT64 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380), translated addresses (RFC 2765, section 2.1) and the compatible
/// ones of old (RFC 4291, section 2.5.5.1) carry an IPv4 address inside.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let four = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match (a, b) {
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => Some(four(g, h)),
        (0x2002, _) => Some(four(b, c)),
        (0x2001, 0) => Some(four(!g, !h)),
        (0, 0) if (c, d, e, f) == (0, 0, 0xffff, 0) => Some(four(g, h)),
        // :: and ::1 are IPv6's own.
        (0, 0) if (c, d, e, f) == (0, 0, 0, 0) && (g, h) > (0, 1) => Some(four(g, h)),
        _ => None,
    }
}

fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(four) => {
            let [a, b, ..] = four.octets();
            match () {
                () if four.is_link_local() => {
                    Kind::Never("a link-local address, where clouds serve metadata")
                }
                () if METADATA.contains(&four.octets()) => Kind::Never("a metadata address"),
                () if a == 0 => Kind::Never("an unspecified address"),
                () if four.is_multicast() || four.is_broadcast() || a >= 240 => {
                    Kind::Never("no address of one host")
                }
                () if four.is_loopback() => Kind::Loopback,
                // RFC 6598: shared between a carrier and its customers.
                () if four.is_private() || (a == 100 && (64..128).contains(&b)) => Kind::Private,
                // RFC 6890: protocol assignments and benchmarks.
                () if (a == 192 && b == 0) || (a == 198 && (18..20).contains(&b)) => Kind::Private,
                () => Kind::Public,
            }
        }
        IpAddr::V6(six) => {
            let [first, second, third, ..] = six.segments();
            match () {
                () if six.is_unspecified() => Kind::Never("an unspecified address"),
                () if six.is_multicast() => Kind::Never("no address of one host"),
                () if first & 0xffc0 == 0xfe80 => Kind::Never("a link-local address"),
                // Where EC2 serves metadata over IPv6.
                () if first == 0xfd00 && second == 0x0ec2 => Kind::Never("a metadata address"),
                () if six.is_loopback() => Kind::Loopback,
                () if first & 0xfe00 == 0xfc00 => Kind::Private,
                // Site-local, which RFC 3879 gave up and old networks did not.
                () if first & 0xffc0 == 0xfec0 => Kind::Private,
                // A network's own translation to IPv4 (RFC 8215): only its operator knows what is behind.
                () if (first, second, third) == (0x64, 0xff9b, 1) => Kind::Private,
                () => Kind::Public,
            }
        }
    }
}

/// Why an address is not dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No setting allows it.
    #[error("{address} is {why}, and is never dialled")]
    Never {
        /// The address.
        address: IpAddr,
        /// What kind of address it is.
        why: &'static str,
    },
    /// The operator may allow it.
    #[error("{address} is {why}: allow it in the configuration under `outbound.allow` if it is yours")]
    NotAllowed {
        /// The address.
        address: IpAddr,
        /// What kind of address it is.
        why: &'static str,
    },
    /// It would be dialled without TLS.
    #[error("{address} is not this machine, and plain http would show what is sent: use https")]
    Clear {
        /// The address.
        address: IpAddr,
    },
}

/// A network: `10.0.0.0/8`, `fd12::/16`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether an address is in it; one of the other family never is.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let same = |one: u128, other: u128, width: u32| {
            let shift = width - u32::from(self.bits);
            shift >= u128::BITS || one >> shift == other >> shift
        };
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                same(u128::from(u32::from(base)), u128::from(u32::from(address)), 32)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => same(base.into(), address.into(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no network: write an address and the length of its prefix, such as 10.0.0.0/8"
            )
        };
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let base: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > most { Err(wrong()) } else { Ok(Self { base, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.base, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reach: &Reach, address: &str) -> bool {
        reach.permits(address.parse().unwrap(), true).is_err()
    }

    #[test]
    fn some_addresses_are_never_dialled() {
        let open =
            Reach { allowed: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()], loopback: true };
        for address in [
            "169.254.169.254",
            "169.254.1.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "ff02::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "2001:0:a00:1::5601:5601",
            "::ffff:0:a9fe:a9fe",
            "::a9fe:a9fe",
            "::2",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
        ] {
            assert!(refused(&open, address), "{address}");
        }
    }

    #[test]
    fn private_addresses_need_leave() {
        let none = Reach::default();
        for address in [
            "127.0.0.1",
            "::1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "fd12::1",
            "fec0::1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "::127.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1.1.1.1",
        ] {
            assert!(refused(&none, address), "{address}");
        }
        for address in ["1.1.1.1", "2606:4700::1111", "100.128.0.1", "172.32.0.1"] {
            assert!(!refused(&none, address), "{address}");
        }
        let some = Reach { allowed: vec!["10.0.0.0/8".parse().unwrap()], loopback: true };
        assert!(!refused(&some, "10.9.9.9"));
        assert!(!refused(&some, "127.0.0.1"));
        assert!(refused(&some, "192.168.0.1"));
    }

    #[test]
    fn plain_http_stays_where_it_is_seen_by_nobody() {
        let reach = Reach { allowed: vec!["10.0.0.0/8".parse().unwrap()], loopback: true };
        assert!(reach.permits("127.0.0.1".parse().unwrap(), false).is_ok());
        assert!(reach.permits("10.0.0.1".parse().unwrap(), false).is_ok());
        assert!(matches!(reach.permits("1.1.1.1".parse().unwrap(), false), Err(Refusal::Clear { .. })));
    }

    #[test]
    fn networks_are_read() {
        assert_eq!("10.0.0.0/8".parse::<Network>().unwrap().to_string(), "10.0.0.0/8");
        assert_eq!("::1".parse::<Network>().unwrap().to_string(), "::1/128");
        for wrong in ["", "10.0.0.0/33", "x/8", "10.0.0.0/", "10.0.0/8"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
