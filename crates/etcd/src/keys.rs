//! Ranges of keys.

use base::Str;

/// A half-open range of keys in bytewise order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// The first key of the range.
    pub start: Str,
    /// Where the range ends.
    pub end: End,
}

/// Where a [`Range`] ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// After the start: the range is one key.
    Single,
    /// Before this key.
    Before(Str),
    /// Never: all keys from the start on.
    Unbounded,
}

impl Range {
    /// The single key `key`.
    pub fn key(key: impl Into<Str>) -> Range {
        Range { start: key.into(), end: End::Single }
    }

    /// Every key that begins with `prefix`.
    pub fn prefix(prefix: impl Into<Str>) -> Range {
        let start = prefix.into();
        let end = match prefix_end(&start) {
            Some(end) => End::Before(end),
            None => End::Unbounded,
        };
        Range { start, end }
    }

    /// The keys from `start` up to but not including `end`; none if `end` is not after `start`.
    pub fn between(start: impl Into<Str>, end: impl Into<Str>) -> Range {
        Range { start: start.into(), end: End::Before(end.into()) }
    }

    /// `start` and every key after it.
    pub fn from(start: impl Into<Str>) -> Range {
        Range { start: start.into(), end: End::Unbounded }
    }

    /// Every key.
    pub fn all() -> Range {
        Range { start: Str::new(), end: End::Unbounded }
    }

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &str) -> bool {
        match &self.end {
            End::Single => *key == *self.start,
            End::Before(end) => *self.start <= *key && *key < **end,
            End::Unbounded => *self.start <= *key,
        }
    }

    /// The first key after the range; `None` if there can be none.
    pub(crate) fn upper(&self) -> Option<Str> {
        match &self.end {
            // Nothing lies between a key and the same key with a zero byte appended.
            End::Single => Some(Str::from(format!("{}\0", self.start))),
            End::Before(end) => Some(end.clone()),
            End::Unbounded => None,
        }
    }
}

/// The least string above every string that begins with `prefix`.
///
/// UTF-8 sorts by code point, so raising the last character that can be raised is enough.
fn prefix_end(prefix: &str) -> Option<Str> {
    let mut head = prefix;
    while let Some(last) = head.chars().next_back() {
        head = &head[..head.len() - last.len_utf8()];
        let next = (last..=char::MAX).nth(1);
        if let Some(next) = next {
            return Some(Str::from(format!("{head}{next}")));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{End, Range};
    use base::Str;

    fn check(prefix: &str, end: Option<&str>) {
        let expected = end.map_or(End::Unbounded, |end| End::Before(Str::from(end)));
        assert_eq!(Range::prefix(prefix).end, expected, "{prefix:?}");
    }

    #[test]
    fn a_prefix_ends_where_its_last_character_is_raised() {
        check("/registry/pods/", Some("/registry/pods0"));
        check("a", Some("b"));
    }

    #[test]
    fn characters_that_cannot_be_raised_are_dropped() {
        check("a\u{10ffff}", Some("b"));
        check("\u{10ffff}", None);
        check("", None);
    }

    #[test]
    fn the_gap_of_the_surrogates_is_skipped() {
        check("\u{d7ff}", Some("\u{e000}"));
    }

    #[test]
    fn a_single_key_contains_only_itself() {
        let range = Range::key("a");
        assert!(range.contains("a") && !range.contains("a\0") && !range.contains(""));
    }
}
