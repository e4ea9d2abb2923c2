//! A JSON document as a tree that remembers order and repeated keys, read and written as Go does it.
//!
//! Known deviations:
//! - Nesting is limited to [`DEPTH_MAX`] levels; Go stops at 10,000. To let deeper text in would not do: whatever
//!   walks a document (copies, drops, compares, sorts, merges, decodes or writes it) goes one call deeper with each
//!   level, and a web worker's stack has one megabyte.

mod read;
mod write;

use base::{BTreeMap, Str};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::fmt;

pub use read::{DEPTH_MAX, JsonError};
pub use write::{write_float, write_str};

/// An object whose fields are looked up one after the other, which stays quick however many there are.
pub struct Lookup<'a> {
    object: Option<&'a Json>,
    /// The fields by name, where there are many.
    index: BTreeMap<&'a str, &'a Json>,
}

/// From so many fields on, looking one up goes through an index.
const MANY: usize = 64;

impl<'a> Lookup<'a> {
    /// The fields of an object; none for every other value.
    pub fn new(object: Option<&'a Json>) -> Lookup<'a> {
        let fields = object.map_or(&[][..], Json::fields);
        let index = if fields.len() < MANY { &[][..] } else { fields };
        Lookup { object, index: index.iter().map(|(key, value)| (key.as_str(), value)).collect() }
    }

    /// The value of a field. Of repeated keys the last counts.
    pub fn get(&self, key: &str) -> Option<&'a Json> {
        match self.index.is_empty() {
            true => self.object?.get(key),
            false => self.index.get(key).copied(),
        }
    }
}

/// One JSON value.
///
/// Equality is that of the documents: the order of an object's fields does not matter, and of a
/// repeated key the last value counts.
#[derive(Clone, Debug, Default)]
pub enum Json {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number written without fraction or exponent that fits 64 bits.
    Int(i64),
    /// Any other number. Never NaN or infinite when it was read from text.
    Float(f64),
    /// A string.
    Str(Str),
    /// A list.
    Array(Vec<Json>),
    /// Fields in document order, repeated keys included.
    Object(Vec<(Str, Json)>),
}

impl Json {
    /// Reads one document. Errors carry the text Go gives and where it happened.
    pub fn parse(text: &[u8]) -> Result<Json, JsonError> {
        read::parse(text)
    }

    /// Reads one document, and by their bits how those numbers are written that we would write otherwise, such as
    /// `1e3`. Numbers beyond the range of a float are infinite.
    pub fn parse_with_numbers(text: &[u8]) -> Result<(Json, Vec<(u64, Str)>), JsonError> {
        read::parse_with_numbers(text)
    }

    /// Changes many fields at once, each in an object that holds it alone.
    ///
    /// `change` is given the object and the key that it looks for; it may leave any field there.
    pub fn change_each<E>(
        &mut self,
        changes: Vec<(Str, Json)>,
        name: impl Fn(&Str) -> Str,
        mut change: impl FnMut(&mut Json, Str, Json) -> Result<(), E>,
    ) -> Result<(), E> {
        if changes.len() < MANY {
            return changes.into_iter().try_for_each(|(key, value)| change(self, key, value));
        }
        let mut fields: BTreeMap<Str, Json> =
            std::mem::take(self.fields_mut()).into_iter().collect();
        for (key, value) in changes {
            let own = name(&key);
            let mut one = Json::object();
            if let Some(old) = fields.remove(&own) {
                one.set(own, old);
            }
            change(&mut one, key, value)?;
            fields.extend(std::mem::take(one.fields_mut()));
        }
        *self = fields.into_iter().collect();
        Ok(())
    }

    /// An object with no fields.
    pub fn object() -> Json {
        Json::Object(Vec::new())
    }

    /// A string value.
    pub fn str(text: impl Into<Str>) -> Json {
        Json::Str(text.into())
    }

    /// The value of a field; `None` where this is no object or lacks it. Of repeated keys the last counts.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.fields().iter().rev().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// Like [`Json::get`], for changing the value in place.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Json> {
        match self {
            Json::Object(fields) => fields.iter_mut().rev().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The value below several nested fields.
    pub fn at(&self, path: &[&str]) -> Option<&Json> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// Writes a field, in its old place if it was there. A value that is no object becomes one.
    pub fn set(&mut self, key: impl Into<Str>, value: impl Into<Json>) {
        let (key, value) = (key.into(), value.into());
        if let Some(old) = self.get_mut(&key) {
            *old = value;
        } else {
            self.fields_mut().push((key, value));
        }
    }

    /// The value below `key`, made `null` first if it is not there. A value that is no object becomes one.
    pub fn entry(&mut self, key: &str) -> &mut Json {
        let fields = self.fields_mut();
        let at = fields.iter().rposition(|(k, _)| k == key).unwrap_or_else(|| {
            fields.push((Str::from(key), Json::Null));
            fields.len() - 1
        });
        &mut fields[at].1
    }

    /// Takes a field out, however often it is written, and returns its last value.
    pub fn remove(&mut self, key: &str) -> Option<Json> {
        let Json::Object(fields) = self else { return None };
        let at = fields.iter().rposition(|(k, _)| k == key)?;
        let (_, value) = fields.remove(at);
        fields.retain(|(k, _)| k != key);
        Some(value)
    }

    /// The fields of an object; empty for every other value.
    pub fn fields(&self) -> &[(Str, Json)] {
        match self {
            Json::Object(fields) => fields,
            _ => &[],
        }
    }

    /// The fields of an object, for change. A value that is no object becomes an empty one.
    pub fn fields_mut(&mut self) -> &mut Vec<(Str, Json)> {
        if !matches!(self, Json::Object(_)) {
            *self = Json::object();
        }
        match self {
            Json::Object(fields) => fields,
            _ => unreachable!("made an object above"),
        }
    }

    /// The elements of a list; empty for every other value.
    pub fn items(&self) -> &[Json] {
        match self {
            Json::Array(items) => items,
            _ => &[],
        }
    }

    /// The fields, if this is an object.
    pub fn as_object(&self) -> Option<&[(Str, Json)]> {
        match self {
            Json::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// The elements, if this is a list.
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Json::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The elements, if this is a list, for change.
    pub fn as_array_mut(&mut self) -> Option<&mut Vec<Json>> {
        match self {
            Json::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is a whole one.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Json::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The number, if this is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Json::Int(n) => Some(*n as f64),
            Json::Float(n) => Some(*n),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Json::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    /// Whether this is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Json::Object(_))
    }

    /// What Go calls this kind of value in its decoding errors.
    pub fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "bool",
            Json::Int(_) | Json::Float(_) => "number",
            Json::Str(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }

    /// Appends the compact text.
    pub fn write(&self, out: &mut Vec<u8>) {
        write::compact(self, out);
    }

    /// Appends the text in lines with four spaces for each level, as `kubectl -o json` prints it.
    pub fn write_pretty(&self, out: &mut Vec<u8>) {
        write::pretty(self, 0, out);
    }

    /// The text in lines; see [`Json::write_pretty`]. No newline at the end.
    pub fn pretty(&self) -> String {
        let mut out = Vec::new();
        self.write_pretty(&mut out);
        String::from_utf8(out).expect("JSON text is UTF-8")
    }

    /// The same document with the fields of every object sorted by key, as Go writes its maps.
    pub fn sorted(mut self) -> Json {
        self.sort_fields();
        self
    }

    /// Sorts the fields of every object by key and drops all but the last of repeated keys.
    pub fn sort_fields(&mut self) {
        match self {
            Json::Array(items) => items.iter_mut().for_each(Json::sort_fields),
            Json::Object(fields) => {
                fields.iter_mut().for_each(|(_, value)| value.sort_fields());
                base::sort::by(fields, |a, b| a.0.cmp(&b.0));
                fields.dedup_by(|later, kept| {
                    let same = later.0 == kept.0;
                    if same {
                        std::mem::swap(&mut later.1, &mut kept.1);
                    }
                    same
                });
            }
            _ => {}
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.write(&mut out);
        f.write_str(std::str::from_utf8(&out).map_err(|_| fmt::Error)?)
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Null, Json::Null) => true,
            (Json::Bool(a), Json::Bool(b)) => a == b,
            (Json::Int(a), Json::Int(b)) => a == b,
            (Json::Float(a), Json::Float(b)) => a == b,
            (Json::Str(a), Json::Str(b)) => a == b,
            (Json::Array(a), Json::Array(b)) => a == b,
            (Json::Object(a), Json::Object(b)) => same_fields(self, a, other, b),
            _ => false,
        }
    }
}

impl Eq for Json {}

fn same_fields(left: &Json, a: &[(Str, Json)], right: &Json, b: &[(Str, Json)]) -> bool {
    let aligned = a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.0 == y.0);
    if aligned && a.iter().zip(b).all(|(x, y)| x.1 == y.1) {
        return true;
    }
    let (left, right) = (Lookup::new(Some(left)), Lookup::new(Some(right)));
    let same = |key: &Str| match (left.get(key), right.get(key)) {
        (Some(x), Some(y)) => x == y,
        _ => false,
    };
    a.iter().all(|(key, _)| same(key)) && b.iter().all(|(key, _)| left.get(key).is_some())
}

impl From<bool> for Json {
    fn from(value: bool) -> Json {
        Json::Bool(value)
    }
}

impl From<i32> for Json {
    fn from(value: i32) -> Json {
        Json::Int(value.into())
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Json {
        Json::Int(value)
    }
}

impl From<f64> for Json {
    fn from(value: f64) -> Json {
        Json::Float(value)
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Json {
        Json::Str(value.into())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Json {
        Json::Str(value.into())
    }
}

impl From<Str> for Json {
    fn from(value: Str) -> Json {
        Json::Str(value)
    }
}

impl From<Vec<Json>> for Json {
    fn from(value: Vec<Json>) -> Json {
        Json::Array(value)
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Json {
        use serde_json::Value;
        match value {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(b),
            Value::Number(n) => match n.as_i64() {
                Some(i) => Json::Int(i),
                None => Json::Float(n.as_f64().unwrap_or(0.0)),
            },
            Value::String(s) => Json::Str(s.into()),
            Value::Array(items) => Json::Array(items.into_iter().map(Json::from).collect()),
            Value::Object(map) => {
                Json::Object(map.into_iter().map(|(k, v)| (Str::from(k), Json::from(v))).collect())
            }
        }
    }
}

impl FromIterator<(Str, Json)> for Json {
    fn from_iter<I: IntoIterator<Item = (Str, Json)>>(fields: I) -> Json {
        Json::Object(fields.into_iter().collect())
    }
}

impl FromIterator<Json> for Json {
    fn from_iter<I: IntoIterator<Item = Json>>(items: I) -> Json {
        Json::Array(items.into_iter().collect())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(b) => serializer.serialize_bool(*b),
            Json::Int(n) => serializer.serialize_i64(*n),
            Json::Float(n) => serializer.serialize_f64(*n),
            Json::Str(text) => serializer.serialize_str(text),
            Json::Array(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| seq.serialize_element(item))?;
                seq.end()
            }
            Json::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(key, value)| map.serialize_entry(&**key, value))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_none<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        Json::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::Float(value as f64), Json::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Str(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Json>()? {
            fields.push((Str::from(key), value));
        }
        Ok(Json::Object(fields))
    }
}

#[cfg(test)]
mod tests;
