//! Query strings.

use base::Str;

use super::bad;
use crate::errors::Refusal;

/// The parameters of a request, decoded, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    pub pairs: Vec<(Str, Str)>,
}

impl Query {
    pub(super) fn parse(text: &str) -> Query {
        let pairs = text.split('&').filter(|part| !part.is_empty()).map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(key, true).into(), decode(value, true).into())
        });
        Query { pairs: pairs.collect() }
    }

    /// The value of a parameter; empty if it is not given.
    pub(super) fn text(&self, name: &str) -> &str {
        self.pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }

    /// Whether a parameter is there and true.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.has(name) && !matches!(self.text(name), "false" | "0" | "False" | "FALSE" | "f" | "F")
    }

    pub(super) fn int(&self, name: &str) -> Result<i64, Refusal> {
        match self.text(name) {
            "" => Ok(0),
            text => text.parse().map_err(|_| {
                bad(format!("strconv.ParseInt: parsing {}: invalid syntax", crate::go_quoted(text)))
            }),
        }
    }
}

/// Percent-decoding; a plus is a space in queries.
pub(super) fn decode(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |i: usize| bytes.get(i).and_then(|b| (*b as char).to_digit(16));
        match bytes[at] {
            b'%' => match (hex(at + 1), hex(at + 2)) {
                (Some(high), Some(low)) => {
                    out.push((high * 16 + low) as u8);
                    at += 2;
                }
                _ => out.push(b'%'),
            },
            b'+' if plus => out.push(b' '),
            byte => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}
