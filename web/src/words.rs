//! Times, numbers and texts as people read them.

use std::collections::BTreeMap;

use protocol::{Key, Micros, Speed};

/// The speeds of the timeline, slowest first.
pub const SPEEDS: [Speed; 10] = [
    Speed::Times(0.25),
    Speed::Times(0.5),
    Speed::Times(1.0),
    Speed::Times(2.0),
    Speed::Times(4.0),
    Speed::Times(8.0),
    Speed::Times(16.0),
    Speed::Times(32.0),
    Speed::Times(64.0),
    Speed::Max,
];

/// A speed in words.
pub fn speed(speed: Speed) -> String {
    match speed {
        Speed::Times(times) => format!("{times}×"),
        Speed::Max => "as fast as possible".into(),
    }
}

/// A moment: `0:04.2`, `12:34.5`, `3:02:01`.
pub fn moment(at: Micros) -> String {
    let tenths = at / 100_000;
    let (s, tenth) = (tenths / 10, tenths % 10);
    if s >= 3600 {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}.{tenth}", s / 60, s % 60)
    }
}

/// A short time: `0.4 ms`, `12 ms`, `1.5 s`.
pub fn duration(took: Micros) -> String {
    match took {
        0..10_000 => format!("{:.1} ms", took as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", took / 1000),
        _ => format!("{:.1} s", took as f64 / 1e6),
    }
}

/// A piece of terminal output: text, or a name that selects its object.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Text.
    Text(String),
    /// A name.
    Name(String, Key),
}

/// Cuts a text at the names it mentions.
pub fn pieces(text: &str, names: &BTreeMap<String, Key>) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut plain = String::new();
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = if is_name(first) {
            rest.find(|c| !is_name(c)).unwrap_or(rest.len())
        } else {
            rest.find(is_name).unwrap_or(rest.len())
        };
        let (word, after) = rest.split_at(end);
        match names.get(word) {
            Some(key) => {
                if !plain.is_empty() {
                    out.push(Piece::Text(std::mem::take(&mut plain)));
                }
                out.push(Piece::Name(word.into(), key.clone()));
            }
            None => plain.push_str(word),
        }
        rest = after;
    }
    if !plain.is_empty() {
        out.push(Piece::Text(plain));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &str) {
        let names = BTreeMap::from([
            ("web-1".to_owned(), "pod/default/web-1".to_owned()),
            ("node-2".to_owned(), "node/node-2".to_owned()),
        ]);
        let cut: String = pieces(text, &names)
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Name(name, _) => format!("[{name}]"),
            })
            .collect();
        assert_eq!(cut, want);
    }

    #[test]
    fn names_are_found_in_tables() {
        check("web-1   1/1   Running   node-2\n", "[web-1]   1/1   Running   [node-2]\n");
    }
    #[test]
    fn names_are_found_behind_a_slash_and_in_quotes() {
        check("pod/web-1 deleted, \"node-2\"", "pod/[web-1] deleted, \"[node-2]\"");
    }
    #[test]
    fn longer_names_are_other_names() {
        check("web-11 node-2x", "web-11 node-2x");
    }

    #[test]
    fn moments_and_durations_are_short() {
        assert_eq!(moment(4_250_000), "0:04.2");
        assert_eq!(moment(10_921_000_000), "3:02:01");
        assert_eq!(duration(450), "0.5 ms");
        assert_eq!(duration(12_300), "12 ms");
        assert_eq!(duration(1_500_000), "1.5 s");
    }
}
