//! As much of DER as it takes to read the subject of a certificate request.

use super::Subject;

const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const ATTRIBUTES: u8 = 0xa0;
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANIZATION: &[u8] = &[0x55, 4, 10];
const ALTERNATIVE_NAME: &[u8] = &[0x55, 29, 17];
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14];

/// One value after the other: tag and content. Ends where the bytes make no sense.
struct Values<'a>(&'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 || rest.len() < count {
                return None;
            }
            length = rest[..count].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            rest = &rest[count..];
        }
        if rest.len() < length {
            return None;
        }
        self.0 = &rest[length..];
        Some((tag, &rest[..length]))
    }
}

fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    Values(bytes).next().filter(|value| value.0 == tag).map(|value| value.1)
}

/// The subject of a PKCS #10 request.
pub fn subject(bytes: &[u8]) -> Option<Subject> {
    let mut parts = Values(only(only(bytes, SEQUENCE)?, SEQUENCE)?);
    let _version = parts.next()?;
    let (_, name) = parts.next().filter(|part| part.0 == SEQUENCE)?;
    let mut subject = Subject::default();
    for (_, set) in Values(name) {
        for (_, pair) in Values(set) {
            let mut pair = Values(pair);
            let (Some((OID, key)), Some((_, value))) = (pair.next(), pair.next()) else { continue };
            let value = String::from_utf8_lossy(value).into_owned();
            match key {
                COMMON_NAME => subject.name = value,
                ORGANIZATION => subject.organizations.push(value),
                _ => {}
            }
        }
    }
    for (_, attributes) in parts.filter(|part| part.0 == ATTRIBUTES) {
        for (_, attribute) in Values(attributes) {
            let mut attribute = Values(attribute);
            if let Some((OID, EXTENSION_REQUEST)) = attribute.next()
                && let Some((_, set)) = attribute.next()
            {
                extensions(only(set, SEQUENCE).unwrap_or_default(), &mut subject);
            }
        }
    }
    Some(subject)
}

fn extensions(list: &[u8], subject: &mut Subject) {
    for (_, extension) in Values(list) {
        let mut parts = Values(extension);
        if parts.next() != Some((OID, ALTERNATIVE_NAME)) {
            continue;
        }
        // Whether the extension is critical may stand in between.
        let Some((_, octets)) = parts.find(|part| part.0 == OCTETS) else { continue };
        for (tag, _) in Values(only(octets, SEQUENCE).unwrap_or_default()) {
            match tag & 0x1f {
                1 => subject.emails += 1,
                2 => subject.dns += 1,
                6 => subject.uris += 1,
                7 => subject.ips += 1,
                _ => {}
            }
        }
    }
}
