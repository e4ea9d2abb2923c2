//! Where a field of a document stands in its text.
//!
//! The document is read again up to the field, and the reader stopped there: its own mark is the
//! answer, so the place is right whatever the style of the YAML.

use crate::tree::{Cx, Key, KeySeed};
use api::json::Json;
use base::Str;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use std::fmt;

/// A place in a text, both counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character of the line.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Position {
    /// The place of a byte of `text`.
    pub fn of_byte(text: &str, byte: usize) -> Position {
        let mut byte = byte.min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        let before = &text[..byte];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// Where a field stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// Its key; `None` for elements of a list and for the whole document.
    pub key: Option<Position>,
    /// Its value.
    pub value: Position,
    /// Whether it is the field itself, not only the nearest one around it.
    pub exact: bool,
}

impl Located {
    /// The key if there is one, else the value: where an editor puts its mark.
    pub fn mark(&self) -> Position {
        self.key.unwrap_or(self.value)
    }
}

/// One step into a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Key(Str),
    Index(usize),
}

/// Takes an API field path (`spec.containers[0].ports`, `metadata.labels[app.kubernetes.io/name]`)
/// apart along the fields that `value` has. Keys with dots are found with and without brackets.
/// Also tells whether every part of the path was there.
pub(crate) fn steps(value: &Json, path: &str) -> (Vec<Step>, bool) {
    let (mut steps, mut value, mut rest) = (Vec::new(), value, path);
    loop {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if rest.is_empty() {
            return (steps, true);
        }
        let Some((step, inner, len)) = first_step(value, rest) else { return (steps, false) };
        steps.push(step);
        (value, rest) = (inner, &rest[len..]);
    }
}

fn first_step<'v>(value: &'v Json, rest: &str) -> Option<(Step, &'v Json, usize)> {
    if let Some(inside) = rest.strip_prefix('[') {
        if let Some((number, _)) = inside.split_once(']')
            && let Ok(index) = number.parse::<usize>()
            && let Some(item) = value.items().get(index)
        {
            return Some((Step::Index(index), item, number.len() + 2));
        }
        let (inside, quotes) = match inside.strip_prefix('"') {
            Some(inside) => (inside, 1),
            None => (inside, 0),
        };
        let close = if quotes == 1 { "\"]" } else { "]" };
        let key = longest_key(value, |key| {
            inside.strip_prefix(key).is_some_and(|rest| rest.starts_with(close))
        })?;
        return Some((Step::Key(key.clone()), value.get(key)?, key.len() + 2 + 2 * quotes));
    }
    let key = longest_key(value, |key| {
        let after = rest.strip_prefix(key);
        after.is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
    })?;
    Some((Step::Key(key.clone()), value.get(key)?, key.len()))
}

fn longest_key(value: &Json, fits: impl Fn(&str) -> bool) -> Option<&Str> {
    let keys = value.fields().iter().map(|(key, _)| key);
    keys.filter(|key| !key.is_empty() && fits(key)).max_by_key(|key| key.len())
}

/// Finds a node of the document `text`, counted from 1 within it.
pub(crate) fn find(text: &str, steps: &[Step], stop_at_key: bool) -> Option<(usize, usize)> {
    let cx = Cx::new(text);
    let document = serde_yaml::Deserializer::from_str(text).next()?;
    let seek = Seek { cx: &cx, steps, stop_at_key };
    let error = seek.deserialize(document).err()?;
    let place = error.location()?;
    cx.found.get().then_some((place.line(), place.column()))
}

/// Reads on to the end of `steps` and fails there.
#[derive(Clone, Copy)]
struct Seek<'c, 'de> {
    cx: &'c Cx<'de>,
    steps: &'c [Step],
    stop_at_key: bool,
}

impl Seek<'_, '_> {
    fn here<E: serde::de::Error>(self) -> Result<(), E> {
        if self.steps.is_empty() {
            self.cx.found.set(true);
            return Err(E::custom("found"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Seek<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.here()
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.here()
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.here()
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.here()
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.here()
    }

    fn visit_i128<E: serde::de::Error>(self, _: i128) -> Result<(), E> {
        self.here()
    }

    fn visit_u128<E: serde::de::Error>(self, _: u128) -> Result<(), E> {
        self.here()
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.here()
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.here()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.here::<A::Error>()?;
        let Step::Index(wanted) = &self.steps[0] else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        let mut index = 0;
        loop {
            let more = if index == *wanted {
                seq.next_element_seed(Seek { steps: &self.steps[1..], ..self })?.is_some()
            } else {
                seq.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.here::<A::Error>()?;
        let wanted = match &self.steps[0] {
            Step::Key(key) => Some(key),
            Step::Index(_) => None,
        };
        let last = self.steps.len() == 1;
        let stop = wanted.filter(|_| last && self.stop_at_key);
        while let Some(key) = map.next_key_seed(KeySeed { cx: self.cx, stop_at: stop })? {
            match key {
                Key::Text(key) if Some(&key) == wanted => {
                    map.next_value_seed(Seek { steps: &self.steps[1..], ..self })?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<(), A::Error> {
        let (_, variant) = data.variant::<IgnoredAny>().map_err(A::Error::custom)?;
        variant.newtype_variant_seed(self)
    }
}
