//! The codec: how typed values are written to and read from JSON, once for all types.
//!
//! A value only says what it is made of ([`Look`], [`Slot`]) and a struct which fields it has ([`Record`]);
//! writing, reading and comparing walk these parts and are compiled once, not once a type. Reading follows the
//! rules of Kubernetes' own decoder: unknown and duplicate fields are collected, not fatal, and the first value
//! of a wrong type is reported with the Go type that it should have.

mod decode;
mod map;
mod values;

use base::Str;

use crate::int_or_string::IntOrString;
use crate::json::Json;
use crate::quantity::Quantity;
use crate::schema::{Field, Schema, Ty};
use crate::time::{MicroTime, Time};

pub use decode::Decode;
use decode::Segment;
pub use map::{Map, Rare, Seldom};
pub use values::Bytes;

/// A value of the API: a field's content, a struct or a whole object.
pub trait Shaped: Send + Sync + 'static {
    /// What the value is made of.
    fn look(&self) -> Look<'_>;
    /// The same, to change it (copied first where it is shared).
    fn open(&mut self) -> Slot<'_>;
}

/// What can be done with every value, be its type known or not.
pub trait Value {
    /// Writes the value as JSON text.
    fn put(&self, out: &mut Vec<u8>);
    /// The value as a JSON tree.
    fn to_json(&self) -> Json;
    /// Whether an optional field with this value is left out.
    fn is_zero(&self) -> bool;
    /// Replaces the value by what `json` holds; problems are noted in `cx`.
    fn take(&mut self, json: Json, cx: &mut Decode);
    /// Whether both are of the same shape and equal.
    fn same(&self, other: &dyn Shaped) -> bool;
}

macro_rules! codec {
    () => {
        fn put(&self, out: &mut Vec<u8>) {
            put(self, out);
        }
        fn to_json(&self) -> Json {
            to_json(self)
        }
        fn is_zero(&self) -> bool {
            is_zero(self)
        }
        fn take(&mut self, json: Json, cx: &mut Decode) {
            take(self, json, cx);
        }
        fn same(&self, other: &dyn Shaped) -> bool {
            same(self, other)
        }
    };
}

impl<T: Shaped> Value for T {
    codec!();
}

impl Value for dyn Shaped {
    codec!();
}

/// What a value is made of.
#[derive(Clone, Copy)]
pub enum Look<'a> {
    /// An optional value that is not there.
    Unset,
    /// An optional value that is there, be it zero.
    Set(&'a dyn Shaped),
    /// A struct.
    Record(&'a dyn Record),
    /// A list.
    List(&'a dyn Sequence),
    /// A map from strings.
    Map(&'a dyn Mapping),
    /// true or false
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating point number.
    Float(f64),
    /// Text.
    Str(&'a Str),
    /// Bytes, base64 in JSON.
    Bytes(&'a Bytes),
    /// Any JSON.
    Json(&'a Json),
    /// A time with seconds.
    Time(&'a Time),
    /// A time with microseconds.
    MicroTime(&'a MicroTime),
    /// An amount.
    Quantity(&'a Quantity),
    /// An integer or text.
    IntOrString(&'a IntOrString),
}

/// What a value is made of, to change it.
pub enum Slot<'a> {
    /// A value that may be missing.
    Optional(&'a mut dyn Optional),
    /// A struct.
    Record(&'a mut dyn Record),
    /// A list.
    List(&'a mut dyn Sequence),
    /// A map from strings.
    Map(&'a mut dyn Mapping),
    /// true or false
    Bool(&'a mut bool),
    /// A 32-bit integer.
    Int32(&'a mut i32),
    /// A 64-bit integer.
    Int64(&'a mut i64),
    /// A floating point number.
    Float(&'a mut f64),
    /// Text.
    Str(&'a mut Str),
    /// Bytes, base64 in JSON.
    Bytes(&'a mut Bytes),
    /// Any JSON.
    Json(&'a mut Json),
    /// A time with seconds.
    Time(&'a mut Time),
    /// A time with microseconds.
    MicroTime(&'a mut MicroTime),
    /// An amount.
    Quantity(&'a mut Quantity),
    /// An integer or text.
    IntOrString(&'a mut IntOrString),
}

/// A struct of the API with its table.
pub trait Record: Shaped {
    /// The schema table.
    fn schema(&self) -> &'static Schema;
    /// The field at a position of the table. Positions past the end are a bug.
    fn field(&self, index: usize) -> &dyn Shaped;
    /// The same, to change it.
    fn field_mut(&mut self, index: usize) -> &mut dyn Shaped;
    /// `(apiVersion, kind)` for kinds, which are written first; `None` for inner structs.
    fn type_meta(&self) -> Option<(String, &'static str)> {
        None
    }
}

/// Where a table and a struct differ, which is a bug. One place for all structs, as each `unreachable!` has its own.
#[cold]
pub(crate) fn no_such_field() -> ! {
    unreachable!("no such field")
}

/// A value that may be missing.
pub trait Optional {
    /// Takes the value away.
    fn clear(&mut self);
    /// The value, made if it was missing.
    fn fill(&mut self) -> &mut dyn Shaped;
}

/// A list of values.
pub trait Sequence {
    /// How many there are.
    fn count(&self) -> usize;
    /// The one at a position. Positions past the end are a bug.
    fn item(&self, index: usize) -> &dyn Shaped;
    /// Empties the list and makes room.
    fn restart(&mut self, capacity: usize);
    /// Adds an empty value.
    fn add(&mut self) -> &mut dyn Shaped;
    /// The Rust type's name.
    fn rust_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

/// A map from strings to values.
pub trait Mapping {
    /// How many entries there are.
    fn count(&self) -> usize;
    /// The entry at a position, in the order of keys. Positions past the end are a bug.
    fn entry(&self, index: usize) -> (&Str, &dyn Shaped);
    /// Takes all entries away.
    fn empty(&mut self);
    /// Makes room; from then on the map counts as given.
    fn expect(&mut self, entries: usize);
    /// Sets `key` to an empty value; tells whether there was one before.
    fn add(&mut self, key: Str) -> (&mut dyn Shaped, bool);
    /// The Rust type's name.
    fn rust_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

fn put(value: &dyn Shaped, out: &mut Vec<u8>) {
    match value.look() {
        Look::Unset => out.extend_from_slice(b"null"),
        Look::Set(value) => put(value, out),
        Look::Record(record) => put_record(record, out),
        Look::List(list) => {
            out.push(b'[');
            for i in 0..list.count() {
                if i > 0 {
                    out.push(b',');
                }
                put(list.item(i), out);
            }
            out.push(b']');
        }
        Look::Map(map) => {
            out.push(b'{');
            for i in 0..map.count() {
                if i > 0 {
                    out.push(b',');
                }
                let (key, value) = map.entry(i);
                put_str(key, out);
                out.push(b':');
                put(value, out);
            }
            out.push(b'}');
        }
        Look::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Look::Int(value) => put_int(value, out),
        Look::Float(value) => Json::Float(value).write(out),
        Look::Str(text) => put_str(text, out),
        Look::Json(json) => json.write(out),
        Look::Bytes(bytes) => put_str(&bytes.encoded(), out),
        Look::Time(time) => put_str(&time.to_string(), out),
        Look::MicroTime(time) => put_str(&time.to_string(), out),
        Look::Quantity(quantity) => put_str(&quantity.to_string(), out),
        Look::IntOrString(IntOrString::Int(value)) => put_int(i64::from(*value), out),
        Look::IntOrString(IntOrString::Str(text)) => put_str(text, out),
    }
}

fn to_json(value: &dyn Shaped) -> Json {
    match value.look() {
        Look::Unset => Json::Null,
        Look::Set(value) => to_json(value),
        Look::Record(record) => record_to_json(record),
        Look::List(list) => Json::Array((0..list.count()).map(|i| to_json(list.item(i))).collect()),
        Look::Map(map) => {
            let entry = |i| {
                let (key, value) = map.entry(i);
                (key.clone(), to_json(value))
            };
            Json::Object((0..map.count()).map(entry).collect())
        }
        Look::Bool(value) => Json::Bool(value),
        Look::Int(value) => Json::Int(value),
        Look::Float(value) => Json::Float(value),
        Look::Str(text) => Json::Str(text.clone()),
        Look::Json(json) => json.clone(),
        Look::Bytes(bytes) => Json::Str(bytes.encoded().into()),
        Look::Time(time) => Json::Str(time.to_string().into()),
        Look::MicroTime(time) => Json::Str(time.to_string().into()),
        Look::Quantity(quantity) => Json::Str(quantity.to_string().into()),
        Look::IntOrString(IntOrString::Int(value)) => Json::Int(i64::from(*value)),
        Look::IntOrString(IntOrString::Str(text)) => Json::Str(text.clone()),
    }
}

fn is_zero(value: &dyn Shaped) -> bool {
    match value.look() {
        Look::Unset => true,
        Look::Set(_) => false,
        Look::Record(record) => record_is_zero(record),
        Look::List(list) => list.count() == 0,
        Look::Map(map) => map.count() == 0,
        Look::Bool(value) => !value,
        Look::Int(value) => value == 0,
        Look::Float(value) => value == 0.0,
        Look::Str(text) => text.is_empty(),
        Look::Bytes(bytes) => bytes.0.is_empty(),
        Look::Json(json) => matches!(json, Json::Null),
        Look::Time(time) => *time == Time::default(),
        Look::MicroTime(time) => *time == MicroTime::default(),
        Look::Quantity(quantity) => *quantity == Quantity::default(),
        Look::IntOrString(value) => *value == IntOrString::Int(0),
    }
}

/// Whether two values are of the same shape and equal.
pub fn same(a: &dyn Shaped, b: &dyn Shaped) -> bool {
    match (a.look(), b.look()) {
        (Look::Unset, Look::Unset) => true,
        (Look::Set(a), Look::Set(b)) => same(a, b),
        (Look::Record(a), Look::Record(b)) => same_records(a, b),
        (Look::List(a), Look::List(b)) => {
            a.count() == b.count() && (0..a.count()).all(|i| same(a.item(i), b.item(i)))
        }
        (Look::Map(a), Look::Map(b)) => {
            let equal = |i| {
                let ((a_key, a), (b_key, b)) = (a.entry(i), b.entry(i));
                a_key == b_key && same(a, b)
            };
            a.count() == b.count() && (0..a.count()).all(equal)
        }
        (Look::Bool(a), Look::Bool(b)) => a == b,
        (Look::Int(a), Look::Int(b)) => a == b,
        (Look::Float(a), Look::Float(b)) => a == b,
        (Look::Str(a), Look::Str(b)) => a == b,
        (Look::Bytes(a), Look::Bytes(b)) => a == b,
        (Look::Json(a), Look::Json(b)) => a == b,
        (Look::Time(a), Look::Time(b)) => a == b,
        (Look::MicroTime(a), Look::MicroTime(b)) => a == b,
        (Look::Quantity(a), Look::Quantity(b)) => a == b,
        (Look::IntOrString(a), Look::IntOrString(b)) => a == b,
        _ => false,
    }
}

/// Whether two structs have the same table and equal fields; at once where both are one in memory.
pub fn same_records(a: &dyn Record, b: &dyn Record) -> bool {
    let schema = a.schema();
    std::ptr::eq(schema, b.schema())
        && (std::ptr::addr_eq(a, b)
            || (0..schema.fields.len()).all(|i| {
                let (a, b) = (a.field(i), b.field(i));
                std::ptr::addr_eq(a, b) || same(a, b)
            }))
}

fn take(value: &mut dyn Shaped, json: Json, cx: &mut Decode) {
    // `null` leaves most values as they are.
    match (value.open(), json) {
        (Slot::Optional(slot), Json::Null) => slot.clear(),
        (Slot::Optional(slot), json) => take(slot.fill(), json, cx),
        (Slot::Json(slot), json) => *slot = json,
        (Slot::List(list), Json::Null) => list.restart(0),
        (Slot::List(list), json) => take_list(list, json, cx),
        (Slot::Map(map), Json::Null) => map.empty(),
        (Slot::Map(map), json) => take_map(map, json, cx),
        (Slot::Quantity(slot), Json::Null) => *slot = Quantity::default(),
        (_, Json::Null) => {}
        (Slot::Record(record), json) => take_record(record, json, cx),
        (Slot::Bool(slot), Json::Bool(value)) => *slot = value,
        (Slot::Bool(_), other) => cx.mismatch(&other, "bool"),
        (Slot::Int32(slot), json) => match json {
            Json::Int(value) if i32::try_from(value).is_ok() => *slot = value as i32,
            // Go's conversions cut off what does not fit.
            Json::Int(value) if cx.converts => *slot = value as i32,
            Json::Float(value) if cx.converts && value == value.trunc() => *slot = value as i32,
            other => cx.mismatch(&other, "int32"),
        },
        (Slot::Int64(slot), Json::Int(value)) => *slot = value,
        (Slot::Int64(slot), Json::Float(value)) if cx.converts && value == value.trunc() => {
            *slot = value as i64;
        }
        (Slot::Int64(_), other) => cx.mismatch(&other, "int64"),
        (Slot::Float(slot), Json::Int(value)) => *slot = value as f64,
        (Slot::Float(slot), Json::Float(value)) => *slot = value,
        (Slot::Float(_), other) => cx.mismatch(&other, "float64"),
        (Slot::Str(slot), Json::Str(value)) => *slot = value,
        (Slot::Time(slot), Json::Str(text)) => set(slot, Time::parse(&text), cx),
        (Slot::MicroTime(slot), Json::Str(text)) => set(slot, MicroTime::parse(&text), cx),
        (Slot::Str(_), other) => cx.mismatch(&other, "string"),
        (Slot::Time(_) | Slot::MicroTime(_), other) => cx.mismatch_within(&other, "string"),
        (Slot::Bytes(slot), Json::Str(text)) => slot.decode(&text, cx),
        (Slot::Bytes(_), other) => cx.mismatch(&other, "[]uint8"),
        (Slot::Quantity(slot), json) => {
            let text = match json {
                Json::Str(text) => text.to_string(),
                other => other.to_string(),
            };
            set(slot, Quantity::parse(text.trim()), cx);
        }
        (Slot::IntOrString(slot), Json::Str(text)) => *slot = IntOrString::Str(text),
        (Slot::IntOrString(slot), json) => match json {
            Json::Int(value) if i32::try_from(value).is_ok() => {
                *slot = IntOrString::Int(value as i32);
            }
            other => cx.mismatch_within(&other, "int32"),
        },
    }
}

fn set<T, E: ToString>(slot: &mut T, parsed: Result<T, E>, cx: &mut Decode) {
    match parsed {
        Ok(value) => *slot = value,
        Err(error) => cx.fail(error.to_string()),
    }
}

fn take_list(list: &mut dyn Sequence, json: Json, cx: &mut Decode) {
    let Json::Array(items) = json else {
        return cx.mismatch(&json, &go_name(list.rust_name()));
    };
    list.restart(items.len().max(1));
    for (i, item) in items.into_iter().enumerate() {
        cx.inside(Segment::Index(i), |cx| take(list.add(), item, cx));
    }
}

/// From so many entries on, the keys of a map are sorted once instead of kept in order.
const ENTRIES_MANY: usize = 256;

fn take_map(map: &mut dyn Mapping, json: Json, cx: &mut Decode) {
    let Json::Object(entries) = json else {
        return cx.mismatch(&json, &go_name(map.rust_name()));
    };
    map.expect(entries.len().max(1));
    let many = entries.len() > ENTRIES_MANY;
    let mut seen = base::BTreeSet::new();
    if many {
        // Made ready in order: keys that come in no order would move each other about.
        let mut keys: Vec<&Str> = entries.iter().map(|(key, _)| key).collect();
        base::sort::naturally(&mut keys);
        keys.into_iter().for_each(|key| {
            map.add(key.clone());
        });
    }
    for (key, item) in entries {
        let (slot, was_there) = map.add(key.clone());
        cx.inside(Segment::Key(key.clone()), |cx| take(slot, item, cx));
        let again = if many { !seen.insert(key.clone()) } else { was_there };
        if again {
            cx.duplicate_field(&key);
        }
    }
}

/// Writes a struct: its fields by name, the zero ones left out where they may be.
pub fn put_record(record: &dyn Record, out: &mut Vec<u8>) {
    if record.schema().is_open() {
        return record_to_json(record).write(out);
    }
    put_fields(record, record.type_meta(), out);
}

/// Writes an object as lists hold it: without its kind and version, which the list tells once.
pub fn put_item(record: &dyn Record, out: &mut Vec<u8>) {
    if record.schema().is_open() {
        let mut json = record_to_json(record);
        json.remove("kind");
        json.remove("apiVersion");
        return json.write(out);
    }
    put_fields(record, None, out);
}

fn put_fields(record: &dyn Record, named: Option<(String, &str)>, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut first = true;
    if let Some((api_version, kind)) = named {
        out.extend_from_slice(b"\"kind\":");
        put_str(kind, out);
        out.extend_from_slice(b",\"apiVersion\":");
        put_str(&api_version, out);
        first = false;
    }
    for (i, field) in record.schema().fields.iter().enumerate() {
        let value = record.field(i);
        let zero = value.is_zero();
        if !field.emit && zero {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        out.push(b'"');
        out.extend_from_slice(field.name.as_bytes());
        out.extend_from_slice(b"\":");
        if zero && is_list(field) {
            out.extend_from_slice(b"null");
        } else {
            value.put(out);
        }
    }
    out.push(b'}');
}

/// A list that must be written but was never set is null, as Go writes a nil slice.
fn is_list(field: &Field) -> bool {
    matches!(field.ty, Ty::List(_))
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
        let zero = value.is_zero();
        if field.emit || !zero {
            let json = if zero && is_list(field) { Json::Null } else { value.to_json() };
            entries.push((Str::from(field.name), json));
        }
    }
    let mut json = Json::Object(entries);
    if record.schema().is_open() {
        let rest = json.remove("").unwrap_or_default();
        rest.fields().iter().for_each(|(name, value)| json.set(name.clone(), value.clone()));
        base::sort::by(json.fields_mut(), |(a, _), (b, _)| a.cmp(b));
    }
    json
}

/// Whether no field of the struct would be written.
pub fn record_is_zero(record: &dyn Record) -> bool {
    (0..record.schema().fields.len()).all(|i| record.field(i).is_zero())
}

/// Reads a struct from a JSON object.
pub fn take_record(record: &mut dyn Record, json: Json, cx: &mut Decode) {
    let schema = record.schema();
    let mut entries = match json {
        Json::Object(entries) => entries,
        Json::Null => return,
        other => return cx.mismatch(&other, schema.go),
    };
    if schema.is_open() {
        // What the schema does not name is kept as one document, in the nameless first field.
        let known =
            |name: &str| matches!(name, "apiVersion" | "kind") || schema.index_of(name).is_some();
        let (own, rest): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(name, _)| known(name));
        entries = own;
        let rest = if rest.is_empty() { Json::Null } else { Json::Object(rest) };
        record.field_mut(0).take(rest, cx);
    }
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

fn take_field(target: &mut dyn Shaped, field: &Field, value: Json, cx: &mut Decode) {
    let named = !field.go.is_empty() && !fits(&value, &field.ty);
    if named && !matches!(value, Json::Null) {
        match field.ty {
            Ty::Str if cx.converts => cx.unconverted(&value, "string", field.go),
            _ => cx.mismatch(&value, field.go),
        }
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

/// Implements [`Shaped`] for a struct that is a [`Record`], and `Debug` as its JSON.
macro_rules! record_value {
    ($($ty:ty),* $(,)?) => {$(
        impl $crate::codec::Shaped for $ty {
            fn look(&self) -> $crate::codec::Look<'_> {
                $crate::codec::Look::Record(self)
            }
            fn open(&mut self) -> $crate::codec::Slot<'_> {
                $crate::codec::Slot::Record(self)
            }
        }
        impl PartialEq for $ty {
            fn eq(&self, other: &$ty) -> bool {
                $crate::codec::same_records(self, other)
            }
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
pub fn debug(node: &dyn Shaped, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    let mut out = Vec::new();
    node.put(&mut out);
    f.write_str(&String::from_utf8_lossy(&out))
}

/// Writes a JSON string with the escapes that Go's encoder uses.
pub fn put_str(text: &str, out: &mut Vec<u8>) {
    crate::json::write_str(text, out);
}

fn put_int(value: i64, out: &mut Vec<u8>) {
    use std::io::Write as _;
    let _ = write!(out, "{value}");
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
