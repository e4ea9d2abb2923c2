//! Address blocks and how addresses are written.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::fmt;
use std::str::FromStr;

/// A block of addresses: `10.244.1.0/24`. Host bits are cleared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    base: IpAddr,
    bits: u8,
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// 32-bit addresses.
    V4,
    /// 128-bit addresses.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(ip: IpAddr) -> Family {
        if ip.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// Bits of an address.
    pub const fn bits(self) -> u8 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }
}

impl Cidr {
    /// The block of `bits` leading bits around `ip`; `bits` beyond the address length is cut to it.
    pub fn new(ip: IpAddr, bits: u8) -> Cidr {
        let family = Family::of(ip);
        let bits = bits.min(family.bits());
        let host = u32::from(family.bits() - bits);
        let mask = u128::MAX.checked_shl(host).unwrap_or(0);
        Cidr { base: from_number(family, number(ip) & mask), bits }
    }

    /// The block that holds just `ip`.
    pub fn host(ip: IpAddr) -> Cidr {
        Cidr::new(ip, 128)
    }

    /// The first address.
    pub fn base(self) -> IpAddr {
        self.base
    }

    /// Length of the prefix.
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// The family.
    pub fn family(self) -> Family {
        Family::of(self.base)
    }

    /// Whether `ip` is of this block.
    pub fn contains(self, ip: IpAddr) -> bool {
        Family::of(ip) == self.family() && Cidr::new(ip, self.bits) == self
    }

    /// How many addresses there are, at most 2^64.
    pub fn size(self) -> u64 {
        let host = u32::from(self.family().bits() - self.bits);
        if host >= 64 { u64::MAX } else { 1 << host }
    }

    /// The `n`-th address, counted from the base; `None` outside the block.
    pub fn nth(self, n: u64) -> Option<IpAddr> {
        let inside = n < self.size();
        inside.then(|| from_number(self.family(), number(self.base) + u128::from(n)))
    }

    /// Which address of the block `ip` is.
    pub fn index_of(self, ip: IpAddr) -> Option<u64> {
        let inside = self.contains(ip);
        inside.then(|| u64::try_from(number(ip) - number(self.base)).ok()).flatten()
    }
}

impl FromStr for Cidr {
    type Err = BadCidr;

    fn from_str(text: &str) -> Result<Cidr, BadCidr> {
        let bad = || BadCidr(text.to_string());
        let (ip, bits) = text.split_once('/').ok_or_else(bad)?;
        let ip: IpAddr = ip.parse().map_err(|_| bad())?;
        let bits: u8 = bits.parse().map_err(|_| bad())?;
        if bits > Family::of(ip).bits() { Err(bad()) } else { Ok(Cidr::new(ip, bits)) }
    }
}

/// The text is no address block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid CIDR address: {0}")]
pub struct BadCidr(pub String);

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `10.0.0.1:80` or `[fd00::1]:80`: address and port as Go joins them.
pub fn authority(ip: IpAddr, port: u16) -> String {
    SocketAddr::new(ip, port).to_string()
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

fn from_number(family: Family, n: u128) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from(n as u32)),
        Family::V6 => IpAddr::V6(Ipv6Addr::from(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::Cidr;

    fn check(block: &str, ip: &str, inside: bool) {
        let block: Cidr = block.parse().unwrap();
        assert_eq!(block.contains(ip.parse().unwrap()), inside, "{ip} in {block}");
    }

    #[test]
    fn a_block_holds_addresses_that_share_its_prefix() {
        check("10.244.1.0/24", "10.244.1.255", true);
        check("10.244.1.0/24", "10.244.2.0", false);
        check("fd00:10::/64", "fd00:10::ffff", true);
    }

    #[test]
    fn the_whole_internet_is_a_block_of_one_family() {
        check("0.0.0.0/0", "203.0.113.2", true);
        check("0.0.0.0/0", "::1", false);
        check("::/0", "2001:db8::1", true);
    }

    #[test]
    fn addresses_are_counted_from_the_base() {
        let block: Cidr = "10.244.1.77/24".parse().unwrap();
        assert_eq!(block.to_string(), "10.244.1.0/24");
        assert_eq!(block.nth(2).unwrap().to_string(), "10.244.1.2");
        assert_eq!(block.index_of("10.244.1.9".parse().unwrap()), Some(9));
        assert_eq!(block.nth(256), None);
    }

    #[test]
    fn text_without_a_sound_prefix_is_refused() {
        for bad in ["10.0.0.1", "10.0.0.0/33", "nonsense/8", "10.0.0.0/"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }
}
