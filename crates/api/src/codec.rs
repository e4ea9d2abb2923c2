//! The codec: how typed values are written to and read from JSON, once for all types.
//!
//! Structs say what their fields are ([`Record`]); everything else here is generic. Reading follows the
//! rules of Kubernetes' own decoder: unknown and duplicate fields are collected, not fatal, and the first
//! value of a wrong type is reported with the Go type that it should have.

use std::any::Any;
use std::fmt::Write as _;
use std::sync::Arc;

use base::{List, Str};

use crate::go_types;
use crate::int_or_string::IntOrString;
use crate::json::Json;
use crate::quantity::Quantity;
use crate::schema::{Field, Schema, Ty};
use crate::time::{MicroTime, Time};

/// A value of the API: a field's content, a struct or a whole object.
pub trait Value: Any + Send + Sync {
    /// Writes the value as JSON text.
    fn put(&self, out: &mut Vec<u8>);
    /// The value as a JSON tree.
    fn to_json(&self) -> Json;
    /// Whether an optional field with this value is left out.
    fn is_zero(&self) -> bool;
    /// Replaces the value by what `json` holds; problems are noted in `cx`.
    fn take(&mut self, json: Json, cx: &mut Decode);
    /// Whether `other` is of the same type and equal.
    fn same(&self, other: &dyn Value) -> bool;
    /// Takes over the value of `other`; false (and no change) if it is of another type.
    fn assign(&mut self, other: &dyn Value) -> bool;
}

/// A struct of the API with its table.
pub trait Record: Value {
    /// The schema table.
    fn schema(&self) -> &'static Schema;
    /// The field at a position of the table. Positions past the end are a bug.
    fn field(&self, index: usize) -> &dyn Value;
    /// The same, to change it.
    fn field_mut(&mut self, index: usize) -> &mut dyn Value;
    /// `(apiVersion, kind)` for kinds, which are written first; `None` for inner structs.
    fn type_meta(&self) -> Option<(String, &'static str)> {
        None
    }
    /// The struct as a plain value.
    fn as_value(&self) -> &dyn Value;
}

/// What was found while reading: the first type error, unknown and duplicate fields.
#[derive(Debug, Default)]
pub struct Decode {
    /// The first value that could not be read, in the words of the API server.
    pub error: Option<String>,
    /// Paths of unknown fields, in document order.
    pub unknown: Vec<String>,
    /// Paths of fields given twice, in document order.
    pub duplicate: Vec<String>,
    /// Unknown and duplicate fields together, in the words of the API server, in document order.
    pub strict: Vec<String>,
    /// How numbers are written, by their bits, where that is not how we write them.
    pub numbers: Vec<(u64, Str)>,
    path: Vec<Segment>,
    structs: Vec<&'static str>,
}

/// So many unknown and repeated fields are told.
const STRICT_MAX: usize = 100;

#[derive(Debug)]
enum Segment {
    Field(&'static str),
    Index(usize),
    Key(Str),
}

impl Decode {
    /// A fresh context at the root of a document.
    pub fn new() -> Decode {
        Decode::default()
    }

    /// The path of the value being read: `spec.containers[0].name`.
    pub fn path(&self) -> String {
        let mut text = String::new();
        for segment in &self.path {
            match segment {
                Segment::Field(name) if text.is_empty() => text.push_str(name),
                Segment::Field(name) => {
                    text.push('.');
                    text.push_str(name);
                }
                Segment::Index(i) => {
                    let _ = write!(text, "[{i}]");
                }
                Segment::Key(key) if text.is_empty() => text.push_str(key),
                Segment::Key(key) => {
                    text.push('.');
                    text.push_str(key);
                }
            }
        }
        text
    }

    fn path_with(&self, last: &str) -> String {
        let path = self.path();
        if path.is_empty() { last.to_string() } else { format!("{path}.{last}") }
    }

    /// Notes an error in its own words, unless there was one before.
    pub fn fail(&mut self, message: String) {
        if self.error.is_none() {
            self.error = Some(message);
        }
    }

    /// Notes that `json` cannot be read as the Go type `go`.
    pub fn mismatch(&mut self, json: &Json, go: &str) {
        if self.error.is_some() {
            return;
        }
        let what = match json {
            Json::Null => "null".to_string(),
            Json::Bool(_) => "bool".to_string(),
            Json::Str(_) => "string".to_string(),
            Json::Array(_) => "array".to_string(),
            Json::Object(_) => "object".to_string(),
            number => match go {
                "int32" | "int64" | "float64" | "uint32" | "int" => {
                    format!("number {}", self.written(number))
                }
                _ => "number".to_string(),
            },
        };
        // Each named step lies in the struct of the same depth.
        let mut at = String::new();
        let mut owners = self.structs.iter();
        let mut last = None;
        for segment in &self.path {
            let Segment::Field(name) = segment else { continue };
            let owner = owners.next().copied().unwrap_or_default();
            let embedded = go_types::embedded(owner, name);
            for part in [embedded, name].into_iter().filter(|part| !part.is_empty()) {
                at.push('.');
                at.push_str(part);
            }
            last = go_types::named(owner, name);
        }
        let go = match self.structs.last() {
            Some(&"JSONSchemaProps") if go == "[]runtime.RawExtension" => "[]v1.JSON",
            _ => go,
        };
        let named = last.filter(|_| go == "string" || go == "[]string");
        let go = named.map_or(go.to_string(), |named| go.replace("string", named));
        self.error = Some(match self.structs.last() {
            Some(owner) if !at.is_empty() => {
                format!(
                    "json: cannot unmarshal {what} into Go struct field {owner}{at} of type {go}"
                )
            }
            _ => format!("json: cannot unmarshal {what} into Go value of type {go}"),
        });
    }

    /// A number as the document has it.
    fn written(&self, number: &Json) -> String {
        let bits = number.as_f64().map(f64::to_bits);
        match self.numbers.iter().find(|(known, _)| Some(*known) == bits) {
            Some((_, text)) => text.to_string(),
            None => number.to_string(),
        }
    }

    fn unknown_field(&mut self, name: &str) {
        let path = self.path_with(name);
        if self.tells(format!("unknown field {path:?}")) {
            self.unknown.push(path);
        }
    }

    fn duplicate_field(&mut self, name: &str) {
        let path = self.path_with(name);
        if self.tells(format!("duplicate field {path:?}")) {
            self.duplicate.push(path);
        }
    }

    /// Notes a complaint, unless it was made before or there are too many.
    fn tells(&mut self, complaint: String) -> bool {
        let is_new = self.strict.len() < STRICT_MAX && !self.strict.contains(&complaint);
        if is_new {
            self.strict.push(complaint);
        }
        is_new
    }

    fn inside<R>(&mut self, segment: Segment, read: impl FnOnce(&mut Decode) -> R) -> R {
        self.path.push(segment);
        let result = read(self);
        self.path.pop();
        result
    }
}

/// Writes a struct: its fields by name, the zero ones left out where they may be.
pub fn put_record(record: &dyn Record, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut first = true;
    if let Some((api_version, kind)) = record.type_meta() {
        out.extend_from_slice(b"\"kind\":");
        put_str(kind, out);
        out.extend_from_slice(b",\"apiVersion\":");
        put_str(&api_version, out);
        first = false;
    }
    for (i, field) in record.schema().fields.iter().enumerate() {
        let value = record.field(i);
        if !field.emit && value.is_zero() {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        out.push(b'"');
        out.extend_from_slice(field.name.as_bytes());
        out.extend_from_slice(b"\":");
        if is_nil_list(field, value) {
            out.extend_from_slice(b"null");
        } else {
            value.put(out);
        }
    }
    out.push(b'}');
}

/// A list that must be written but was never set is null, as Go writes a nil slice.
fn is_nil_list(field: &Field, value: &dyn Value) -> bool {
    matches!(field.ty, Ty::List(_)) && value.is_zero()
}

/// The struct as a JSON tree.
pub fn record_to_json(record: &dyn Record) -> Json {
    let mut entries = Vec::new();
    if let Some((api_version, kind)) = record.type_meta() {
        entries.push((base::lit!("apiVersion"), Json::Str(api_version.into())));
        entries.push((base::lit!("kind"), Json::Str(kind.into())));
    }
    for (i, field) in record.schema().fields.iter().enumerate() {
        let value = record.field(i);
        if field.emit || !value.is_zero() {
            let json = if is_nil_list(field, value) { Json::Null } else { value.to_json() };
            entries.push((Str::from(field.name), json));
        }
    }
    Json::Object(entries)
}

/// Whether no field of the struct would be written.
pub fn record_is_zero(record: &dyn Record) -> bool {
    (0..record.schema().fields.len()).all(|i| record.field(i).is_zero())
}

/// Reads a struct from a JSON object.
pub fn take_record(record: &mut dyn Record, json: Json, cx: &mut Decode) {
    let schema = record.schema();
    let entries = match json {
        Json::Object(entries) => entries,
        Json::Null => return,
        other => return cx.mismatch(&other, schema.go),
    };
    let is_kind = record.type_meta().is_some();
    if entries.is_empty() && schema.name() == "LabelSelector" {
        // An empty selector selects everything, one that was left out nothing: it matters which it was.
        if let Some(labels) = schema.index_of("matchLabels") {
            record.field_mut(labels).take(Json::Object(Vec::new()), cx);
        }
    }
    cx.structs.push(schema.name());
    let mut seen: Vec<usize> = Vec::new();
    for (key, value) in entries {
        if is_kind && (key == "apiVersion" || key == "kind") {
            if !matches!(value, Json::Str(_) | Json::Null) {
                let name = if key == "kind" { "kind" } else { "apiVersion" };
                cx.inside(Segment::Field(name), |cx| cx.mismatch(&value, "string"));
            }
            continue;
        }
        let Some(index) = schema.index_of(&key) else {
            cx.unknown_field(&key);
            continue;
        };
        let field = &schema.fields[index];
        if seen.contains(&index) {
            cx.duplicate_field(field.name);
        } else {
            seen.push(index);
        }
        cx.inside(Segment::Field(field.name), |cx| {
            match (schema.name(), field.name) {
                ("JSONSchemaProps", name) if matches!(field.ty, Ty::Any) => {
                    check_schema(&value, name, cx);
                }
                ("CustomResourceSubresources", "status")
                    if !value.is_object() && !value.is_null() =>
                {
                    cx.mismatch(&value, "v1.CustomResourceSubresourceStatus");
                }
                _ => {}
            }
            take_field(record.field_mut(index), field, value, cx)
        });
    }
    cx.structs.pop();
}

/// A schema within a schema is kept as JSON, and its types are checked all the same.
fn check_schema(json: &Json, field: &str, cx: &mut Decode) {
    let or_bool = matches!(field, "additionalProperties" | "additionalItems");
    if or_bool && !matches!(json, Json::Object(_) | Json::Bool(_) | Json::Null) {
        cx.fail("boolean or JSON schema expected".into());
    }
    if !(or_bool || field == "items") || !json.is_object() {
        return;
    }
    let found = (cx.unknown.len(), cx.duplicate.len(), cx.strict.len());
    crate::apiextensions::v1::JSONSchemaProps::default().take(json.clone(), cx);
    cx.unknown.truncate(found.0);
    cx.duplicate.truncate(found.1);
    cx.strict.truncate(found.2);
}

fn take_field(target: &mut dyn Value, field: &Field, value: Json, cx: &mut Decode) {
    let named = !field.go.is_empty() && !fits(&value, &field.ty);
    if named && !matches!(value, Json::Null) {
        cx.mismatch(&value, field.go);
    } else {
        target.take(value, cx);
    }
}

fn fits(value: &Json, ty: &Ty) -> bool {
    match ty {
        Ty::Str => matches!(value, Json::Str(_)),
        Ty::Map(_) | Ty::Struct(_) => matches!(value, Json::Object(_)),
        Ty::List(_) => matches!(value, Json::Array(_)),
        _ => true,
    }
}

macro_rules! same_and_assign {
    () => {
        fn same(&self, other: &dyn $crate::codec::Value) -> bool {
            (other as &dyn ::std::any::Any)
                .downcast_ref::<Self>()
                .is_some_and(|other| other == self)
        }
        fn assign(&mut self, other: &dyn $crate::codec::Value) -> bool {
            let Some(other) = (other as &dyn ::std::any::Any).downcast_ref::<Self>() else {
                return false;
            };
            self.clone_from(other);
            true
        }
    };
}
pub(crate) use same_and_assign;

/// Implements [`Value`] for a struct that is a [`Record`], and `Debug` as its JSON.
macro_rules! record_value {
    ($($ty:ty),* $(,)?) => {$(
        impl $crate::codec::Value for $ty {
            fn put(&self, out: &mut Vec<u8>) {
                $crate::codec::put_record(self, out);
            }
            fn to_json(&self) -> $crate::json::Json {
                $crate::codec::record_to_json(self)
            }
            fn is_zero(&self) -> bool {
                $crate::codec::record_is_zero(self)
            }
            fn take(&mut self, json: $crate::json::Json, cx: &mut $crate::codec::Decode) {
                $crate::codec::take_record(self, json, cx);
            }
            $crate::codec::same_and_assign!();
        }
        impl std::fmt::Debug for $ty {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::codec::debug(self, f)
            }
        }
    )*};
}
pub(crate) use record_value;

/// Prints a value as its JSON.
pub fn debug(node: &dyn Value, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    let mut out = Vec::new();
    node.put(&mut out);
    f.write_str(&String::from_utf8_lossy(&out))
}

/// Writes a JSON string with the escapes that Go's encoder uses.
pub fn put_str(text: &str, out: &mut Vec<u8>) {
    crate::json::write_str(text, out);
}

impl Value for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
    fn to_json(&self) -> Json {
        Json::Bool(*self)
    }
    fn is_zero(&self) -> bool {
        !*self
    }
    fn take(&mut self, json: Json, cx: &mut Decode) {
        match json {
            Json::Bool(value) => *self = value,
            Json::Null => {}
            other => cx.mismatch(&other, "bool"),
        }
    }
    same_and_assign!();
}

macro_rules! integer {
    ($ty:ty, $go:literal) => {
        impl Value for $ty {
            fn put(&self, out: &mut Vec<u8>) {
                put_int(i64::from(*self), out);
            }
            fn to_json(&self) -> Json {
                Json::Int(i64::from(*self))
            }
            fn is_zero(&self) -> bool {
                *self == 0
            }
            fn take(&mut self, json: Json, cx: &mut Decode) {
                match json {
                    Json::Int(value) if <$ty>::try_from(value).is_ok() => *self = value as $ty,
                    Json::Null => {}
                    other => cx.mismatch(&other, $go),
                }
            }
            same_and_assign!();
        }
    };
}
integer!(i32, "int32");
integer!(i64, "int64");

fn put_int(value: i64, out: &mut Vec<u8>) {
    use std::io::Write as _;
    let _ = write!(out, "{value}");
}

impl Value for f64 {
    fn put(&self, out: &mut Vec<u8>) {
        Json::Float(*self).write(out);
    }
    fn to_json(&self) -> Json {
        Json::Float(*self)
    }
    fn is_zero(&self) -> bool {
        *self == 0.0
    }
    fn take(&mut self, json: Json, cx: &mut Decode) {
        match json {
            Json::Int(value) => *self = value as f64,
            Json::Float(value) => *self = value,
            Json::Null => {}
            other => cx.mismatch(&other, "float64"),
        }
    }
    same_and_assign!();
}

impl Value for Str {
    fn put(&self, out: &mut Vec<u8>) {
        put_str(self, out);
    }
    fn to_json(&self) -> Json {
        Json::Str(self.clone())
    }
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn take(&mut self, json: Json, cx: &mut Decode) {
        match json {
            Json::Str(value) => *self = value,
            Json::Null => {}
            other => cx.mismatch(&other, "string"),
        }
    }
    same_and_assign!();
}

/// Bytes that are base64 text in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bytes(pub List<u8>);

impl Value for Bytes {
    fn put(&self, out: &mut Vec<u8>) {
        use base64::Engine as _;
        put_str(&base64::engine::general_purpose::STANDARD.encode(&self.0), out);
    }
    fn to_json(&self) -> Json {
        use base64::Engine as _;
        Json::Str(base64::engine::general_purpose::STANDARD.encode(&self.0).into())
    }
    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
    fn take(&mut self, json: Json, cx: &mut Decode) {
        use base64::Engine as _;
        match json {
            Json::Null => {}
            Json::Str(text) => {
                let plain: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
                match base64::engine::general_purpose::STANDARD.decode(&plain) {
                    Ok(bytes) => self.0 = bytes.into_iter().collect(),
                    Err(error) => cx.fail(format!(
                        "illegal base64 data at input byte {}",
                        match error {
                            base64::DecodeError::InvalidByte(at, _) => at,
                            base64::DecodeError::InvalidLastSymbol { offset, .. } => offset,
                            _ => plain.len() / 4 * 4,
                        }
                    )),
                }
            }
            other => cx.mismatch(&other, "[]uint8"),
        }
    }
    same_and_assign!();
}

impl Value for Json {
    fn put(&self, out: &mut Vec<u8>) {
        self.write(out);
    }
    fn to_json(&self) -> Json {
        self.clone()
    }
    fn is_zero(&self) -> bool {
        matches!(self, Json::Null)
    }
    fn take(&mut self, json: Json, _: &mut Decode) {
        *self = json;
    }
    same_and_assign!();
}

/// Values that have a text form and nothing else.
macro_rules! text_value {
    ($ty:ty, $go:literal) => {
        impl Value for $ty {
            fn put(&self, out: &mut Vec<u8>) {
                put_str(&self.to_string(), out);
            }
            fn to_json(&self) -> Json {
                Json::Str(self.to_string().into())
            }
            fn is_zero(&self) -> bool {
                *self == Self::default()
            }
            fn take(&mut self, json: Json, cx: &mut Decode) {
                match json {
                    Json::Str(text) => match Self::parse(&text) {
                        Ok(value) => *self = value,
                        Err(error) => cx.fail(error.to_string()),
                    },
                    Json::Null => {}
                    other => cx.mismatch(&other, $go),
                }
            }
            same_and_assign!();
        }
    };
}

impl Default for Time {
    /// The Unix epoch. Fields that may be unset are `Option<Time>`; this is only where decoding starts.
    fn default() -> Time {
        Time::from(base::Instant(0))
    }
}

impl Default for MicroTime {
    /// The Unix epoch, as for [`Time`].
    fn default() -> MicroTime {
        MicroTime::from(base::Instant(0))
    }
}

text_value!(Time, "string");
text_value!(MicroTime, "string");

impl Value for Quantity {
    fn put(&self, out: &mut Vec<u8>) {
        put_str(&self.to_string(), out);
    }
    fn to_json(&self) -> Json {
        Json::Str(self.to_string().into())
    }
    fn is_zero(&self) -> bool {
        *self == Quantity::default()
    }
    fn take(&mut self, json: Json, cx: &mut Decode) {
        let text = match json {
            Json::Null => return *self = Quantity::default(),
            Json::Str(text) => text.to_string(),
            other => other.to_string(),
        };
        match Quantity::parse(text.trim()) {
            Ok(value) => *self = value,
            Err(error) => cx.fail(error.to_string()),
        }
    }
    same_and_assign!();
}

impl Value for IntOrString {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            IntOrString::Int(value) => value.put(out),
            IntOrString::Str(text) => text.put(out),
        }
    }
    fn to_json(&self) -> Json {
        match self {
            IntOrString::Int(value) => Json::Int(i64::from(*value)),
            IntOrString::Str(text) => Json::Str(text.clone()),
        }
    }
    fn is_zero(&self) -> bool {
        *self == IntOrString::Int(0)
    }
    fn take(&mut self, json: Json, cx: &mut Decode) {
        match json {
            Json::Str(text) => *self = IntOrString::Str(text),
            Json::Null => {}
            other => {
                let mut value = 0i32;
                value.take(other, cx);
                *self = IntOrString::Int(value);
            }
        }
    }
    same_and_assign!();
}

impl<T: Value + Clone + Default + PartialEq> Value for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.put(out),
            None => out.extend_from_slice(b"null"),
        }
    }
    fn to_json(&self) -> Json {
        self.as_ref().map_or(Json::Null, Value::to_json)
    }
    fn is_zero(&self) -> bool {
        self.is_none()
    }
    fn take(&mut self, json: Json, cx: &mut Decode) {
        if matches!(json, Json::Null) {
            *self = None;
        } else {
            self.get_or_insert_default().take(json, cx);
        }
    }
    same_and_assign!();
}

impl<T: Value + Clone + PartialEq> Value for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
    fn to_json(&self) -> Json {
        (**self).to_json()
    }
    fn is_zero(&self) -> bool {
        (**self).is_zero()
    }
    fn take(&mut self, json: Json, cx: &mut Decode) {
        (**self).take(json, cx);
    }
    same_and_assign!();
}

impl<T: Value + Clone + PartialEq> Value for Arc<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
    fn to_json(&self) -> Json {
        (**self).to_json()
    }
    fn is_zero(&self) -> bool {
        (**self).is_zero()
    }
    fn take(&mut self, json: Json, cx: &mut Decode) {
        Arc::make_mut(self).take(json, cx);
    }
    fn same(&self, other: &dyn Value) -> bool {
        (other as &dyn Any)
            .downcast_ref::<Self>()
            .is_some_and(|other| Arc::ptr_eq(self, other) || other == self)
    }
    fn assign(&mut self, other: &dyn Value) -> bool {
        let Some(other) = (other as &dyn Any).downcast_ref::<Self>() else { return false };
        self.clone_from(other);
        true
    }
}

impl<T: Value + Clone + Default + PartialEq> Value for List<T> {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (i, item) in self.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            item.put(out);
        }
        out.push(b']');
    }
    fn to_json(&self) -> Json {
        Json::Array(self.iter().map(Value::to_json).collect())
    }
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn take(&mut self, json: Json, cx: &mut Decode) {
        let items = match json {
            Json::Array(items) => items,
            Json::Null => return self.clear(),
            other => return cx.mismatch(&other, &go_of::<List<T>>()),
        };
        self.clear();
        self.reserve_exact(items.len().max(1));
        for (i, item) in items.into_iter().enumerate() {
            let mut value = T::default();
            cx.inside(Segment::Index(i), |cx| value.take(item, cx));
            self.push(value);
        }
    }
    same_and_assign!();
}

/// A map from strings, ordered by key, small in memory.
#[derive(PartialEq, Eq, Hash)]
pub struct Map<V>(List<(Str, V)>);

impl<V: Clone> Clone for Map<V> {
    fn clone(&self) -> Map<V> {
        let mut copy = Map(self.0.clone());
        if self.is_empty() && self.was_given() {
            copy.give();
        }
        copy
    }
}

impl<V> Default for Map<V> {
    fn default() -> Self {
        Map(List::new())
    }
}

impl<V: std::fmt::Debug> std::fmt::Debug for Map<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(k, v)| (k, v))).finish()
    }
}

impl<V> Map<V> {
    /// An empty map.
    pub fn new() -> Map<V> {
        Map::default()
    }

    /// The value at `key`.
    pub fn get(&self, key: &str) -> Option<&V> {
        self.find(key).ok().map(|i| &self.0[i].1)
    }

    /// The value at `key`, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.find(key).ok().map(|i| &mut self.0[i].1)
    }

    /// Whether `key` is there.
    pub fn contains_key(&self, key: &str) -> bool {
        self.find(key).is_ok()
    }

    /// Sets `key` and returns the value it had.
    pub fn insert(&mut self, key: impl Into<Str>, value: V) -> Option<V> {
        let key = key.into();
        match self.find(&key) {
            Ok(i) => Some(std::mem::replace(&mut self.0[i].1, value)),
            Err(i) => {
                self.0.insert(i, (key, value));
                None
            }
        }
    }

    /// Removes `key` and returns the value it had.
    pub fn remove(&mut self, key: &str) -> Option<V> {
        self.find(key).ok().map(|i| self.0.remove(i).1)
    }

    /// Keeps the entries for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&Str, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| keep(key, value));
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a document gave the map, be it empty.
    pub fn was_given(&self) -> bool {
        self.0.capacity() > 0
    }

    /// Notes that a document gave the map.
    pub fn give(&mut self) {
        self.0.reserve(1);
    }

    /// The entries, ordered by key.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Str, &V)> + ExactSizeIterator {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Str> + ExactSizeIterator {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values, ordered by key.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator {
        self.0.iter().map(|(_, value)| value)
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(k, _)| k.as_str().cmp(key))
    }
}

/// Fields that few objects use, behind one pointer that is empty as long as all of them are unset.
#[derive(Clone, Default)]
pub struct Rare<T>(Option<Box<T>>);

/// A struct of rare fields with a shared value in which none is set.
pub trait Seldom: Default + PartialEq + 'static {
    /// The value in which none is set.
    fn none() -> &'static Self;
}

impl<T: Seldom> std::ops::Deref for Rare<T> {
    type Target = T;
    fn deref(&self) -> &T {
        match &self.0 {
            Some(own) => own,
            None => T::none(),
        }
    }
}

impl<T: Seldom> std::ops::DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: Seldom> PartialEq for Rare<T> {
    fn eq(&self, other: &Rare<T>) -> bool {
        **self == **other
    }
}

impl Map<Str> {
    /// The text at `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).map(Str::as_str)
    }
}

impl<K: Into<Str>, V> FromIterator<(K, V)> for Map<V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Map<V> {
        let mut map = Map::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

/// From so many entries on, a map is sorted once instead of kept in order.
const ENTRIES_MANY: usize = 256;

impl<V: Value + Clone + Default + PartialEq> Map<V> {
    fn take_many(&mut self, entries: Vec<(Str, Json)>, cx: &mut Decode) {
        let mut all: base::BTreeMap<Str, V> = self.0.drain(..).collect();
        for (key, item) in entries {
            let mut value = V::default();
            cx.inside(Segment::Key(key.clone()), |cx| value.take(item, cx));
            if all.insert(key.clone(), value).is_some() {
                cx.duplicate_field(&key);
            }
        }
        self.0.extend(all);
    }
}

impl<V: Value + Clone + Default + PartialEq> Value for Map<V> {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (i, (key, value)) in self.0.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            put_str(key, out);
            out.push(b':');
            value.put(out);
        }
        out.push(b'}');
    }
    fn to_json(&self) -> Json {
        Json::Object(self.0.iter().map(|(key, value)| (key.clone(), value.to_json())).collect())
    }
    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
    fn take(&mut self, json: Json, cx: &mut Decode) {
        let entries = match json {
            Json::Object(entries) => entries,
            Json::Null => return self.0.clear(),
            other => return cx.mismatch(&other, &go_of::<Map<V>>()),
        };
        self.0.reserve_exact(entries.len().max(1));
        if entries.len() > ENTRIES_MANY {
            return self.take_many(entries, cx);
        }
        for (key, item) in entries {
            let mut value = V::default();
            let path = key.clone();
            cx.inside(Segment::Key(path), |cx| value.take(item, cx));
            if self.insert(key.clone(), value).is_some() {
                cx.duplicate_field(&key);
            }
        }
    }
    same_and_assign!();
}

/// The Go name of a generic container, from a table of the leaf types it can hold.
fn go_of<T: 'static>() -> String {
    let name = std::any::type_name::<T>();
    go_name(name)
}

/// `ThinVec<api::generated::core::v1::Container>` is `[]v1.Container` in Go.
fn go_name(rust: &str) -> String {
    let (outer, inner) = match rust.split_once('<') {
        Some((outer, rest)) => (outer, rest.strip_suffix('>').unwrap_or(rest)),
        None => (rust, ""),
    };
    let last = outer.rsplit("::").next().unwrap_or(outer);
    match last {
        "ThinVec" => format!("[]{}", go_name(inner)),
        "Map" if inner.ends_with("Quantity") => "v1.ResourceList".into(),
        "Map" => format!("map[string]{}", go_name(inner)),
        "Box" | "Option" | "Arc" => go_name(inner),
        "ArcStr" => "string".into(),
        "Bytes" => "[]uint8".into(),
        "Json" => "runtime.RawExtension".into(),
        "i32" => "int32".into(),
        "i64" => "int64".into(),
        "f64" => "float64".into(),
        "bool" => "bool".into(),
        "Quantity" => "resource.Quantity".into(),
        _ => {
            let package = outer.rsplit("::").nth(1).unwrap_or("v1");
            format!("{package}.{last}")
        }
    }
}
