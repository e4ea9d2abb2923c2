//! Base64 without padding, as tokens need it.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

/// The URL-safe alphabet without padding; like Go, it does not mind bits that are left over.
const RAW_URL: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));

/// The URL-safe form without padding.
pub fn encode_url(bytes: &[u8]) -> String {
    RAW_URL.encode(bytes)
}

/// Reads the URL-safe form without padding.
pub fn decode_url(text: &str) -> Option<Vec<u8>> {
    RAW_URL.decode(text.trim_end_matches('=')).ok()
}
