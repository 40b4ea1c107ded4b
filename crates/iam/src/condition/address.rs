//! IP addresses and ranges.

use std::net::IpAddr;

/// A CIDR range, or one address. An address of one family is in no range of the other; an IPv4 address that is
/// written as an IPv6 one (`::ffff:1.2.3.4`) is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AddressRange {
    network: IpAddr,
    prefix: u32,
}

/// The address that a request came from.
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    Some(text.parse::<IpAddr>().ok()?.to_canonical())
}

impl AddressRange {
    /// Reads `203.0.113.0/24`, `2001:DB8:1234:5678::/64` or one address. Bits beyond the prefix are ignored.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (written, prefix) = match text.split_once('/') {
            Some((written, prefix)) => (written, Some(parse_prefix(prefix)?)),
            None => (text, None),
        };
        let written: IpAddr = written.parse().ok()?;
        let (network, shift) = match (written, written.to_canonical()) {
            // A range of mapped addresses is a range of IPv4 only if it stays within them.
            (IpAddr::V6(_), IpAddr::V4(_)) if prefix.is_some_and(|prefix| prefix < 96) => (written, 0),
            (IpAddr::V6(_), mapped @ IpAddr::V4(_)) => (mapped, 96),
            (_, same) => (same, 0),
        };
        let width = match network {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let prefix = match prefix {
            Some(prefix) => prefix.checked_sub(shift)?,
            None => width,
        };
        (prefix <= width).then_some(Self { network, prefix })
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                // A prefix of zero shifts everything out.
                differing.checked_shr(32 - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

fn parse_prefix(text: &str) -> Option<u32> {
    let legal = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    legal.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_addresses() {
        for (range, address, expected) in [
            ("203.0.113.0/24", "203.0.113.255", true),
            ("203.0.113.0/24", "203.0.114.0", false),
            ("203.0.113.77/24", "203.0.113.1", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1/32", "10.0.0.1", true),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("0.0.0.0/0", "::ffff:1.2.3.4", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("2001:DB8:1234:5678::/64", "2001:db8:1234:5678::1", true),
            ("2001:DB8:1234:5678::/64", "2001:db8:1234:5679::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::1", "2001:DB8:0::1", true),
        ] {
            let parsed = AddressRange::parse(range).unwrap();
            assert_eq!(parsed.contains(parse_address(address).unwrap()), expected, "{address} in {range}");
        }
        for wrong in ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "::/129", "10.0.0.*", "a/8"] {
            assert_eq!(AddressRange::parse(wrong), None, "{wrong}");
        }
    }
}
