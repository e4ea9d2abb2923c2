//! Addresses and address ranges.

use core::net::IpAddr;

use super::check::Errors;
use super::path::Path;

/// What is said of a text that is no address.
pub const ADDRESS: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const RANGE: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/// An address; leading zeros in its parts are accepted for fields that always did.
pub fn parse(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let parts: Vec<&str> = text.split('.').collect();
    let plain: Option<Vec<u8>> = parts.iter().map(|part| part.parse().ok()).collect();
    let bytes: [u8; 4] = plain?.try_into().ok()?;
    Some(IpAddr::from(bytes))
}

/// A range as its address and prefix length.
pub fn parse_range(text: &str) -> Option<(IpAddr, u32)> {
    let (address, length) = text.split_once('/')?;
    let (address, length) = (parse(address)?, length.parse().ok()?);
    (length <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, length))
}

/// Says so where a text is no address.
pub fn address(e: &mut Errors, at: &Path, text: &str) -> Option<IpAddr> {
    let found = parse(text);
    if found.is_none() {
        e.invalid(at, text, ADDRESS);
    }
    found
}

/// Says so where a text is no range.
pub fn range(e: &mut Errors, at: &Path, text: &str) -> Option<(IpAddr, u32)> {
    let found = parse_range(text);
    if found.is_none() {
        e.invalid(at, text, RANGE);
    }
    found
}

/// Addresses that cannot be those of an endpoint.
pub fn not_special(e: &mut Errors, at: &Path, text: &str) {
    let Some(address) = parse(text) else { return };
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => (v6.segments()[0] & 0xffc0) == 0xfe80,
    };
    let link_local_multicast = match address {
        IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
        IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    };
    if address.is_unspecified() {
        e.invalid(at, text, &format!("may not be unspecified ({text})"));
    }
    if address.is_loopback() {
        e.invalid(at, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    if link_local {
        e.invalid(at, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
    if link_local_multicast {
        let why = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
        e.invalid(at, text, why);
    }
}

/// Whether `inner` is a smaller part of `outer`.
pub fn strictly_inside(inner: (IpAddr, u32), outer: (IpAddr, u32)) -> bool {
    let (bits, other) = match (inner.0, outer.0) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (u128::from(u32::from(a)) << 96, u128::from(u32::from(b)) << 96)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a), u128::from(b)),
        _ => return false,
    };
    let mask = if outer.1 == 0 { 0 } else { u128::MAX << (128 - outer.1) };
    inner.1 > outer.1 && bits & mask == other & mask
}
