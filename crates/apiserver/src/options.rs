//! How the API server is started.

use core::net::{IpAddr, Ipv4Addr};

use api::names;

use crate::admission::Plugins;

/// What the flags of kube-apiserver say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Admission plugins that are switched off.
    pub disabled: Plugins,
    /// Where Services get their addresses from.
    pub service_range: ServiceRange,
    /// Who decides what a user may do.
    pub authorization: Authorization,
}

/// Who decides what a user may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    /// The roles that are bound to the user.
    #[default]
    Rbac,
    /// Nobody: everything is allowed. What kube-apiserver does unless it is told otherwise.
    AlwaysAllow,
}

/// A block of IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceRange {
    first: u32,
    prefix: u32,
}

impl Default for ServiceRange {
    fn default() -> ServiceRange {
        ServiceRange { first: u32::from_be_bytes([10, 96, 0, 0]), prefix: 12 }
    }
}

/// The smallest range holds the addresses of the API server and of DNS.
const PREFIX_MAX: u32 = 28;

impl ServiceRange {
    /// A block such as `10.96.0.0/12`; `None` unless it is one of IPv4 with at least 16 addresses.
    pub fn parse(text: &str) -> Option<ServiceRange> {
        let block = names::parse_cidr(text)?;
        let IpAddr::V4(address) = block.network() else { return None };
        let prefix = u32::from(block.prefix);
        let sound = (1..=PREFIX_MAX).contains(&prefix);
        sound.then_some(ServiceRange { first: u32::from(address), prefix })
    }

    /// The address of the range as such.
    pub fn first(self) -> u32 {
        self.first
    }

    /// How many addresses there are, the first and the last included, which are not given out.
    pub fn size(self) -> u32 {
        1 << (32 - self.prefix)
    }

    /// One of its addresses.
    pub fn nth(self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.first + number)
    }

    /// How many addresses, from the lowest, are left for Services that ask for one by number.
    pub fn static_band(self) -> u32 {
        if self.size() <= 16 { 0 } else { (self.size() / 16).clamp(16, 256) }
    }

    /// The address of the `kubernetes` Service.
    pub fn api_server(self) -> Ipv4Addr {
        self.nth(1)
    }

    /// The address of the Service of cluster DNS.
    pub fn dns(self) -> Ipv4Addr {
        self.nth(10)
    }
}

impl std::fmt::Display for ServiceRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.nth(0), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_block_of_ipv4_with_room_for_dns() {
        let shown = |text: &str| ServiceRange::parse(text).map(|range| range.to_string());
        assert_eq!(shown("10.96.0.0/12").as_deref(), Some("10.96.0.0/12"));
        assert_eq!(shown("192.168.7.9/28").as_deref(), Some("192.168.7.0/28"));
        for bad in ["10.0.0.0/29", "fd00::/64", "10.0.0.0", "x", "0.0.0.0/0"] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_sixteenth_is_left_for_addresses_that_are_asked_for() {
        let band = |text: &str| ServiceRange::parse(text).map(ServiceRange::static_band);
        assert_eq!(band("10.96.0.0/12"), Some(256));
        assert_eq!(band("10.0.0.0/24"), Some(16));
        assert_eq!(band("10.0.0.0/22"), Some(64));
        assert_eq!(band("10.0.0.0/28"), Some(0));
    }
}
