//! Names of container images: which tag a name asks for.
//!
//! Models the reference grammar of container images (`docker/reference`).
//!
//! Known deviations: none.

use base::{Str, lit};

/// When the image is pulled if its container does not say.
pub fn pull_policy(image: &str) -> Str {
    if tag(image) == Some("latest") { lit!("Always") } else { lit!("IfNotPresent") }
}

/// The tag of a well-formed name, `latest` where it has neither tag nor digest; `None` for a name that is
/// not well-formed or has a digest alone.
fn tag(image: &str) -> Option<&str> {
    let is_id = image.len() == 64 && image.bytes().all(is_hex);
    if is_id {
        return None;
    }
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return None;
    }
    let name_end = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[name_end..].rfind(':') {
        Some(at) => (&rest[..name_end + at], Some(&rest[name_end + at + 1..])),
        None => (rest, None),
    };
    if !is_name(name) || tag.is_some_and(|tag| !is_tag(tag)) {
        return None;
    }
    match (tag, digest) {
        (Some(tag), _) => Some(tag),
        (None, Some(_)) => None,
        (None, None) => Some("latest"),
    }
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == length && hex.bytes().all(is_hex)
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// A registry, if the first part looks like one, and lower-case path parts.
fn is_name(name: &str) -> bool {
    let (domain, path) = match name.split_once('/') {
        Some((first, rest)) if looks_like_domain(first) => (Some(first), rest),
        _ => (None, name),
    };
    domain.is_none_or(is_domain) && !path.is_empty() && path.split('/').all(is_path_part)
}

fn looks_like_domain(first: &str) -> bool {
    first.contains(['.', ':'])
        || first == "localhost"
        || first.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (domain, None),
    };
    let port_fits = port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    let part = |part: &str| {
        let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        ends(part.bytes().next())
            && ends(part.bytes().last())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    port_fits && (bracketed || host.split('.').all(part))
}

/// Lower-case letters and digits, joined by one dot, one or two underscores, or dashes.
fn is_path_part(part: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = |b: Option<u8>| b.is_some_and(word);
    if !ends(part.bytes().next()) || !ends(part.bytes().last()) {
        return false;
    }
    part.split(|c: char| c.is_ascii() && word(c as u8))
        .all(|joint| matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|b| b == b'-'))
}
