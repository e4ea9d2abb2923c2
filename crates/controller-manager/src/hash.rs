//! Hashes of pod templates, as they appear in names.
//!
//! Known deviations:
//! - Upstream hashes Go's printed form of the template; this hashes its JSON, so the letters differ.

use api::codec::Value;

/// The alphabet of generated names.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The hash of a value and of how often it collided, in letters that make no words.
pub fn of(value: &dyn Value, collisions: Option<i32>) -> String {
    let mut bytes = Vec::new();
    value.put(&mut bytes);
    if let Some(collisions) = collisions {
        bytes.extend_from_slice(&(collisions as u32).to_le_bytes());
    }
    safe(&fnv32a(&bytes).to_string())
}

/// FNV-1a in 32 bits.
pub fn fnv32a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// FNV-1 in 32 bits.
pub fn fnv32(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0x811c_9dc5, |hash: u32, byte| hash.wrapping_mul(0x0100_0193) ^ u32::from(*byte))
}

/// Replaces each character by one that makes no words.
pub fn safe(text: &str) -> String {
    text.bytes().map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn digits_become_letters_as_upstream_writes_them() {
        assert_eq!(super::safe("0123456789"), "456789bcdf");
        assert_eq!(super::fnv32a(b"foobar"), 0xbf9c_f968);
    }
}
