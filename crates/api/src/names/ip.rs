//! IP addresses and CIDR blocks as the API reads them: leading zeros in IPv4 parts are decimal.

use super::Complaints;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    /// The address as it was written, host bits included.
    pub addr: IpAddr,
    /// How many leading bits are fixed.
    pub prefix: u8,
}

impl Cidr {
    /// The first address of the block.
    pub fn network(&self) -> IpAddr {
        match self.addr {
            IpAddr::V4(addr) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                Ipv4Addr::from(u32::from(addr) & mask).into()
            }
            IpAddr::V6(addr) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                Ipv6Addr::from(u128::from(addr) & mask).into()
            }
        }
    }

    /// Whether `addr` lies in the block.
    pub fn contains(&self, addr: IpAddr) -> bool {
        self.addr.is_ipv4() == addr.is_ipv4() && Cidr { addr, ..*self }.network() == self.network()
    }
}

fn parse_v4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let digits = part.trim_start_matches('0');
        *octet = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    }
    parts.next().is_none().then(|| octets.into())
}

fn parse_v6(text: &str) -> Option<Ipv6Addr> {
    if let Some((head, tail)) = text.rsplit_once(':').filter(|(_, tail)| tail.contains('.')) {
        let v4 = parse_v4(tail)?;
        return format!("{head}:{v4}").parse().ok();
    }
    text.parse().ok()
}

/// Reads an address. An IPv4 address mapped into IPv6 counts as IPv4, as in Go.
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        parse_v6(text).map(|v6| v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4))
    } else {
        parse_v4(text).map(IpAddr::V4)
    }
}

/// Reads a block such as `10.0.0.0/8`.
pub fn parse_cidr(text: &str) -> Option<Cidr> {
    let (addr, prefix) = text.split_once('/')?;
    let addr =
        if addr.contains(':') { IpAddr::V6(parse_v6(addr)?) } else { IpAddr::V4(parse_v4(addr)?) };
    if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let prefix: u8 = prefix.parse().ok()?;
    let bits = if addr.is_ipv4() { 32 } else { 128 };
    (prefix <= bits).then_some(Cidr { addr, prefix })
}

/// An IP address of either family.
pub fn ip(value: &str) -> Complaints {
    complain(
        parse_ip(value).is_some(),
        "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
    )
}

/// An IPv4 address.
pub fn ip_version_v4(value: &str) -> Complaints {
    complain(parse_ip(value).is_some_and(|ip| ip.is_ipv4()), "must be a valid IPv4 address")
}

/// An IPv6 address.
pub fn ip_version_v6(value: &str) -> Complaints {
    complain(parse_ip(value).is_some_and(|ip| ip.is_ipv6()), "must be a valid IPv6 address")
}

/// A block of addresses.
pub fn cidr(value: &str) -> Complaints {
    complain(
        parse_cidr(value).is_some(),
        "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
    )
}

fn complain(fine: bool, message: &str) -> Complaints {
    if fine { Vec::new() } else { vec![message.into()] }
}
