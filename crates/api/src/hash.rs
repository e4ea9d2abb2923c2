//! The hashes in the names of ReplicaSets and ControllerRevisions.
//!
//! Upstream hashes a dump of the Go struct, so the dump is rebuilt from a table of the Go types' fields.
//!
//! Known deviations:
//! - The order of fields is checked against recorded hashes for common pods; rare volume kinds are not.

mod dump;
mod shapes;

use crate::json::Json;

const OFFSET: u32 = 0x811c_9dc5;
const PRIME: u32 = 0x0100_0193;

/// FNV-1, 32 bits.
pub fn fnv32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(OFFSET, |hash, byte| hash.wrapping_mul(PRIME) ^ u32::from(*byte))
}

/// FNV-1a, 32 bits.
pub fn fnv32a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(PRIME))
}

/// A text in the alphabet of generated names, letter by letter.
pub fn safe_encode(text: &str) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    text.bytes().map(|b| char::from(ALPHABET[usize::from(b) % ALPHABET.len()])).collect()
}

/// The `pod-template-hash` of a Deployment's template; also names the revisions of a DaemonSet.
///
/// `template` is the JSON form of a defaulted `PodTemplateSpec`.
pub fn pod_template_hash(template: &Json, collisions: Option<i32>) -> String {
    let mut bytes = dump::pod_template(template).into_bytes();
    if let Some(collisions) = collisions {
        bytes.extend(collisions.to_le_bytes());
        bytes.extend([0; 4]);
    }
    safe_encode(&fnv32a(&bytes).to_string())
}

/// The hash of a ControllerRevision with this data; names the revisions of a StatefulSet, which counts its
/// collisions from `Some(0)`.
pub fn controller_revision_hash(data: &[u8], collisions: Option<i32>) -> String {
    let mut bytes = data.to_vec();
    if let Some(collisions) = collisions {
        bytes.extend(collisions.to_string().bytes());
    }
    safe_encode(&fnv32(&bytes).to_string())
}

/// The data of the ControllerRevision that stands for a template: a patch that puts it in place.
pub fn controller_revision_data(template: &Json) -> Json {
    let mut template = template.clone();
    template.set("$patch", "replace");
    let mut data = Json::object();
    data.entry("spec").set("template", template);
    data.sorted()
}

#[cfg(test)]
mod tests;
