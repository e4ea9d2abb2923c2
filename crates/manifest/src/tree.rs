//! Builds the JSON value of a document from the YAML library's events.
//!
//! Models `sigs.k8s.io/yaml` over go-yaml v2: YAML 1.1 scalars, merge keys, keys that are no
//! strings.
//!
//! Known deviations:
//! - Local tags (`!name`) are ignored and `!!binary` is not decoded.
//! - Nesting stops at 128 levels; upstream at 10,000.
//! - What aliases may add is counted in nodes and bytes, not as a share of the decoding steps.

use crate::locate::Position;
use crate::scalar::{self, Scalar};
use api::json::{Json, write_float};
use base::{HashMap, Str};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use std::cell::{Cell, RefCell};
use std::fmt;

/// A key that a mapping has twice. The later value counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Duplicate {
    /// The key as JSON has it.
    pub key: Str,
    /// Where the later one stands.
    pub position: Position,
}

/// Nodes that aliases may add to any document.
const ALIASED_NODES_MAX: usize = 400_000;

/// Bytes of text that aliases may add to any document.
const ALIASED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Repeated keys that are noted of one document.
const DUPLICATES_MAX: usize = 64;

/// What one reading of a document shares.
pub(crate) struct Cx<'de> {
    text: &'de str,
    nodes_left: Cell<usize>,
    bytes_left: Cell<usize>,
    /// The last scalar seen verbatim in the text, as a byte.
    last: Cell<usize>,
    /// Duplicates so far: the key and its byte.
    pub duplicates: RefCell<Vec<(Str, usize)>>,
    /// Our own words for the error that stopped the reading.
    pub failure: RefCell<Option<String>>,
    /// Whether a search reached its goal.
    pub found: Cell<bool>,
}

impl<'de> Cx<'de> {
    pub fn new(text: &'de str) -> Cx<'de> {
        Cx {
            text,
            nodes_left: Cell::new(ALIASED_NODES_MAX + 4 * text.len()),
            bytes_left: Cell::new(ALIASED_BYTES_MAX + 4 * text.len()),
            last: Cell::new(0),
            duplicates: RefCell::default(),
            failure: RefCell::default(),
            found: Cell::new(false),
        }
    }

    fn fail<T, E: serde::de::Error>(&self, message: impl Into<String>) -> Result<T, E> {
        self.failure.replace(Some(message.into()));
        Err(E::custom("stopped"))
    }

    /// Counts one node with `bytes` of text.
    fn count<E: serde::de::Error>(&self, bytes: usize) -> Result<(), E> {
        let nodes = self.nodes_left.get().checked_sub(1);
        let bytes = self.bytes_left.get().checked_sub(bytes);
        let (Some(nodes), Some(bytes)) = (nodes, bytes) else {
            return self.fail("yaml: document contains excessive aliasing");
        };
        self.nodes_left.set(nodes);
        self.bytes_left.set(bytes);
        Ok(())
    }

    /// Notes a repeated key.
    fn repeated(&self, key: Str, at: usize) {
        let mut duplicates = self.duplicates.borrow_mut();
        if duplicates.len() < DUPLICATES_MAX {
            duplicates.push((key, at));
        }
    }

    /// What a scalar that stands verbatim in the text means: its own text unless it is plain and
    /// untagged.
    fn verbatim(&self, scalar: &'de str) -> Scalar {
        let start = (scalar.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        let end = start.wrapping_add(scalar.len());
        let Some(after) = self.text.as_bytes().get(end..) else { return Scalar::Text };
        self.last.set(start);
        let quoted = matches!(after.first(), Some(b'"' | b'\''));
        if quoted || self.is_tagged(start) { Scalar::Text } else { scalar::resolve(scalar) }
    }

    /// Whether the node whose content starts at a byte carries a tag.
    fn is_tagged(&self, start: usize) -> bool {
        let mut before = self.text[..start].trim_end();
        loop {
            let word = before.rsplit([' ', '\t', '\n', '\r', '[', '{', ',']).next().unwrap_or("");
            if !word.starts_with('&') {
                return word.starts_with('!');
            }
            before = before[..before.len() - word.len()].trim_end();
        }
    }
}

/// Reads one value.
#[derive(Clone, Copy)]
pub(crate) struct Node<'c, 'de> {
    pub cx: &'c Cx<'de>,
}

impl Node<'_, '_> {
    fn number<E: serde::de::Error>(self, n: f64) -> Result<Json, E> {
        self.cx.count(8)?;
        if !n.is_finite() {
            let name = if n.is_nan() {
                "NaN"
            } else if n > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            return self.cx.fail(format!("json: unsupported value: {name}"));
        }
        Ok(json_number(n))
    }

    fn string<E: serde::de::Error>(self, text: &str) -> Result<Json, E> {
        self.cx.count(text.len())?;
        Ok(Json::str(text))
    }
}

/// A float on its way through JSON text: without fraction and exponent it comes back whole.
fn json_number(n: f64) -> Json {
    let mut text = Vec::new();
    write_float(n, &mut text);
    match std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()) {
        Some(whole) => Json::Int(whole),
        None => Json::Float(n),
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, 'de> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, 'de> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Json, E> {
        self.cx.count(0)?;
        Ok(Json::Null)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Json, E> {
        self.visit_unit()
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Json, E> {
        self.cx.count(0)?;
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Json, E> {
        self.cx.count(8)?;
        Ok(Json::Int(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Json, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => self.number(value as f64),
        }
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<Json, E> {
        self.number(value as f64)
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Json, E> {
        self.number(value as f64)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        self.number(value)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Json, E> {
        self.string(text)
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Json, E> {
        match self.cx.verbatim(text) {
            Scalar::Null => self.visit_unit(),
            Scalar::Bool(value) => self.visit_bool(value),
            Scalar::Int(value) => self.visit_i64(value),
            Scalar::Float(value) => self.number(value),
            Scalar::Timestamp | Scalar::Text => self.string(text),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        self.cx.count(0)?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        self.cx.count(0)?;
        let mut fields = Fields::default();
        while let Some(key) = map.next_key_seed(KeySeed { cx: self.cx, stop_at: None })? {
            let at = self.cx.last.get();
            let value = map.next_value_seed(self)?;
            match key {
                Key::Text(key) => {
                    if fields.insert(key.clone(), value, true) {
                        self.cx.repeated(key, at);
                    }
                }
                Key::Merge => {
                    if !fields.merge(value) {
                        return self
                            .cx
                            .fail("yaml: map merge requires map or sequence of maps as the value");
                    }
                }
            }
        }
        Ok(Json::Object(fields.list))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Json, A::Error> {
        let (_, variant) = data.variant::<IgnoredAny>().map_err(A::Error::custom)?;
        variant.newtype_variant_seed(self)
    }
}

/// The fields of a mapping as they come in.
#[derive(Default)]
struct Fields {
    list: Vec<(Str, Json)>,
    /// Whether each stands in the mapping itself, not in a merged one.
    own: Vec<bool>,
    /// Places in `list`, kept once there are many.
    index: HashMap<Str, usize>,
}

const INDEXED_FROM: usize = 16;

impl Fields {
    /// Sets a field; tells whether the mapping itself had it already.
    fn insert(&mut self, key: Str, value: Json, own: bool) -> bool {
        let old = if self.list.len() < INDEXED_FROM {
            self.list.iter().position(|(k, _)| *k == key)
        } else {
            if self.index.is_empty() {
                self.index = self.list.iter().zip(0..).map(|((k, _), i)| (k.clone(), i)).collect();
            }
            self.index.get(&key).copied()
        };
        if let Some(at) = old {
            self.list[at].1 = value;
            return std::mem::replace(&mut self.own[at], own) && own;
        }
        if self.list.len() >= INDEXED_FROM {
            self.index.insert(key.clone(), self.list.len());
        }
        self.list.push((key, value));
        self.own.push(own);
        false
    }

    /// Merges a mapping or a list of mappings, of which earlier ones win. Like upstream, what was
    /// written before the merge key is overwritten.
    fn merge(&mut self, value: Json) -> bool {
        match value {
            Json::Object(fields) => {
                for (key, value) in fields {
                    self.insert(key, value, false);
                }
                true
            }
            Json::Array(items) => {
                items.into_iter().rev().all(|item| item.is_object() && self.merge(item))
            }
            _ => false,
        }
    }
}

/// A key of a mapping.
pub(crate) enum Key {
    /// An ordinary key, as JSON writes it.
    Text(Str),
    /// `<<`.
    Merge,
}

/// Reads one key; stops with an error at the key `stop_at`.
#[derive(Clone, Copy)]
pub(crate) struct KeySeed<'c, 'de> {
    pub cx: &'c Cx<'de>,
    pub stop_at: Option<&'c Str>,
}

impl KeySeed<'_, '_> {
    fn key<E: serde::de::Error>(self, text: &str) -> Result<Key, E> {
        self.cx.count(text.len())?;
        if self.stop_at.is_some_and(|stop| stop == text) {
            self.cx.found.set(true);
            return Err(E::custom("found"));
        }
        Ok(Key::Text(Str::from(text)))
    }

    fn null<E: serde::de::Error>(self) -> Result<Key, E> {
        self.cx.fail("unsupported map key of type: %!s(<nil>), key: <nil>")
    }
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_, 'de> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_, 'de> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Key, E> {
        self.null()
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Key, E> {
        self.null()
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Key, E> {
        self.key(if value { "true" } else { "false" })
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Key, E> {
        self.key(&value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Key, E> {
        self.key(&value.to_string())
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<Key, E> {
        self.key(&value.to_string())
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Key, E> {
        self.key(&value.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Key, E> {
        self.key(&scalar::go_g32(value))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Key, E> {
        self.key(text)
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Key, E> {
        let after = self.cx.verbatim(text);
        match after {
            Scalar::Null => self.null(),
            Scalar::Bool(value) => self.visit_bool(value),
            Scalar::Int(value) => self.visit_i64(value),
            Scalar::Float(value) => self.visit_f64(value),
            Scalar::Text if text == "<<" && self.cx.is_plain(text) => Ok(Key::Merge),
            Scalar::Timestamp | Scalar::Text => self.key(text),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Key, A::Error> {
        let value = Node { cx: self.cx }.visit_seq(seq)?;
        self.cx.fail(format!("yaml: invalid map key: {}", GoSyntax(&value)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Key, A::Error> {
        let value = Node { cx: self.cx }.visit_map(map)?;
        self.cx.fail(format!("yaml: invalid map key: {}", GoSyntax(&value)))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Key, A::Error> {
        let (_, variant) = data.variant::<IgnoredAny>().map_err(A::Error::custom)?;
        variant.newtype_variant_seed(self)
    }
}

impl<'de> Cx<'de> {
    /// Whether a scalar that stands verbatim in the text has no quotes.
    fn is_plain(&self, scalar: &'de str) -> bool {
        let start = (scalar.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        let after = self.text.as_bytes().get(start.wrapping_add(scalar.len()));
        !matches!(after, Some(b'"' | b'\''))
    }
}

/// A value the way Go prints one in its own syntax.
struct GoSyntax<'a>(&'a Json);

impl fmt::Display for GoSyntax<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Json::Null => f.write_str("interface {}(nil)"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Int(value) => write!(f, "{value}"),
            Json::Float(value) => f.write_str(&scalar::go_g(*value)),
            Json::Str(text) => write!(f, "{:?}", &**text),
            Json::Array(items) => {
                f.write_str("[]interface {}{")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if i > 0 { ", " } else { "" }, GoSyntax(item))?;
                }
                f.write_str("}")
            }
            Json::Object(fields) => {
                f.write_str("map[interface {}]interface {}{")?;
                for (i, (key, value)) in fields.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}{:?}:{}", &**key, GoSyntax(value))?;
                }
                f.write_str("}")
            }
        }
    }
}
