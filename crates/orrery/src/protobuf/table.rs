//! Which number of which message is which field, and how its value is written in JSON.

use std::collections::HashMap;
use std::sync::OnceLock;

use api::Json;
use api::json::DEPTH_MAX;
use api::time::{MicroTime, Time};
use base::{Duration, Str};

use super::reader::{Reader, Wire, text};

/// The table as text, the fields of each message in the order of their declaration.
pub const FIELDS: &str = include_str!("fields.txt");

/// All messages by name: `apps.v1.Deployment`.
pub struct Table(HashMap<&'static str, Message>);

/// The fields of a message by number.
#[derive(Default)]
pub struct Message(HashMap<u32, Field>);

struct Field {
    name: &'static str,
    is_list: bool,
    is_map: bool,
    ty: Type,
}

enum Type {
    Text,
    Bytes,
    Int,
    Bool,
    Double,
    Message(&'static str),
}

impl Table {
    /// The table, read when it is first asked for.
    pub fn shared() -> &'static Table {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Table::parse(FIELDS))
    }

    fn parse(text: &'static str) -> Table {
        let mut messages: HashMap<&'static str, Message> = HashMap::new();
        let mut name = "";
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some(rest) = line.strip_prefix(' ') else {
                name = line;
                messages.entry(name).or_default();
                continue;
            };
            let mut words = rest.split(' ');
            let number = words.next().and_then(|word| word.parse().ok());
            let (number, field, ty) = match (number, words.next(), words.next()) {
                (Some(number), Some(field), Some(ty)) => (number, field, ty),
                _ => panic!("fields.txt: {line:?}"),
            };
            let plain = ty.trim_start_matches(['*', '{', '}']);
            let field = Field {
                name: field,
                is_list: ty.starts_with('*'),
                is_map: ty.starts_with('{'),
                ty: match plain {
                    "s" => Type::Text,
                    "b" => Type::Bytes,
                    "i" => Type::Int,
                    "t" => Type::Bool,
                    "d" => Type::Double,
                    message => Type::Message(message),
                },
            };
            messages.entry(name).or_default().0.insert(number, field);
        }
        Table(messages)
    }

    /// Messages that fields name and the table has not; those that are written in a way of their own aside.
    #[cfg(test)]
    pub fn missing(&self) -> Vec<&'static str> {
        let fields = self.0.values().flat_map(|message| message.0.values());
        let named = fields.filter_map(|field| match field.ty {
            Type::Message(name) if !self.0.contains_key(name) => Some(name),
            _ => None,
        });
        named.filter(|name| !is_special(name)).collect()
    }

    /// The message of a kind. Options come in the version of whatever they are about.
    pub fn of_kind(&self, group: &str, version: &str, kind: &str) -> Option<&Message> {
        if kind == "DeleteOptions" {
            return self.0.get("meta.v1.DeleteOptions");
        }
        let known = api::KINDS
            .iter()
            .any(|info| info.group == group && info.version == version && info.kind == kind);
        let word = match group.split('.').next().unwrap_or_default() {
            "" => "core",
            word => word,
        };
        if known { self.0.get(format!("{word}.{version}.{kind}").as_str()) } else { None }
    }
}

/// What is said of a message that ends too early.
pub const CUT_OFF: &str = "unexpected EOF";
const TOO_DEEP: &str = "exceeded max depth";

impl Message {
    /// A message as a JSON object. Fields that are not known are left out.
    pub fn read(&self, bytes: &[u8], depth: usize) -> Result<Json, &'static str> {
        let mut json = Json::object();
        self.read_into(bytes, depth, &mut json)?;
        Ok(json)
    }

    fn read_into(&self, bytes: &[u8], depth: usize, out: &mut Json) -> Result<(), &'static str> {
        if depth > DEPTH_MAX {
            return Err(TOO_DEEP);
        }
        let mut reader = Reader::new(bytes);
        while let Some((number, wire)) = reader.field()? {
            let Some(field) = self.0.get(&number) else { continue };
            match (&field.ty, &wire) {
                (Type::Message(name), Wire::Bytes(inner)) if field.name == "-" => {
                    if let Some(message) = Table::shared().0.get(name) {
                        message.read_into(inner, depth + 1, out)?;
                    }
                }
                (Type::Int, Wire::Bytes(packed)) if field.is_list => {
                    let mut packed = Reader::new(packed);
                    while let Some(number) = packed.number()? {
                        push(out.entry(field.name), Json::Int(number as i64));
                    }
                }
                (_, Wire::Bytes(entry)) if field.is_map => {
                    let (key, value) = field.entry(entry, depth)?;
                    out.entry(field.name).fields_mut().push((key, value));
                }
                _ => {
                    let value = field.value(wire, depth)?;
                    match field.is_list {
                        true => push(out.entry(field.name), value),
                        false => out.set(field.name, value),
                    }
                }
            }
        }
        Ok(())
    }
}

fn push(list: &mut Json, value: Json) {
    match list {
        Json::Array(items) => items.push(value),
        other => *other = Json::Array(vec![value]),
    }
}

impl Field {
    /// A key and its value.
    fn entry(&self, bytes: &[u8], depth: usize) -> Result<(Str, Json), &'static str> {
        let mut key = Str::new();
        let mut value = self.value(Wire::Bytes(&[]), depth)?;
        let mut reader = Reader::new(bytes);
        while let Some((number, wire)) = reader.field()? {
            match (number, wire) {
                (1, Wire::Bytes(name)) => key = text(name).into(),
                (2, wire) => value = self.value(wire, depth)?,
                _ => {}
            }
        }
        Ok((key, value))
    }

    fn value(&self, wire: Wire<'_>, depth: usize) -> Result<Json, &'static str> {
        Ok(match (&self.ty, wire) {
            (Type::Text, Wire::Bytes(bytes)) => Json::str(text(bytes)),
            (Type::Bytes, Wire::Bytes(bytes)) => {
                use base64::Engine as _;
                Json::str(base64::engine::general_purpose::STANDARD.encode(bytes))
            }
            (Type::Int, Wire::Number(number)) => Json::Int(number as i64),
            (Type::Bool, Wire::Number(number)) => Json::Bool(number != 0),
            (Type::Double, Wire::Fixed(bits)) => Json::Float(f64::from_bits(bits)),
            (Type::Message(name), Wire::Bytes(bytes)) => message(name, bytes, depth + 1)?,
            _ => return Err("wrong wireType"),
        })
    }
}

/// A message as JSON: most are objects of their fields, some are written in a way of their own.
fn message(name: &str, bytes: &[u8], depth: usize) -> Result<Json, &'static str> {
    let inner = |name: &str, bytes| match Table::shared().0.get(name) {
        Some(message) => message.read(bytes, depth),
        None => Ok(Json::object()),
    };
    let schema = |bytes| inner("apiextensions.v1.JSONSchemaProps", bytes);
    let parts = Parts::of(bytes)?;
    Ok(match name {
        "meta.v1.Time" | "meta.v1.MicroTime" if bytes.is_empty() => Json::Null,
        "meta.v1.Time" => Json::str(parts.time()?.to_string()),
        "meta.v1.MicroTime" => {
            let micros = (parts.number(2) / 1_000).clamp(0, 999_999);
            let at = parts.time()?.instant() + Duration::micros(micros);
            Json::str(MicroTime::from(at).to_string())
        }
        "meta.v1.FieldsV1" | "runtime.RawExtension" | "apiextensions.v1.JSON" => {
            match parts.bytes(1).unwrap_or_default() {
                [] => Json::Null,
                raw => Json::parse(raw).map_err(|_| "invalid character in raw JSON")?,
            }
        }
        "resource.Quantity" => match parts.bytes(1).unwrap_or_default() {
            [] => Json::str("0"),
            amount => Json::str(text(amount)),
        },
        "intstr.IntOrString" if parts.number(1) == 1 => {
            Json::str(text(parts.bytes(3).unwrap_or_default()))
        }
        "intstr.IntOrString" => Json::Int(parts.number(2)),
        "apiextensions.v1.JSONSchemaPropsOrArray" => match parts.bytes(1) {
            Some(one) => schema(one)?,
            None => Json::Array(parts.all(2).map(schema).collect::<Result<_, _>>()?),
        },
        "apiextensions.v1.JSONSchemaPropsOrBool" => match parts.bytes(2) {
            Some(one) => schema(one)?,
            None => Json::Bool(parts.number(1) != 0),
        },
        "apiextensions.v1.JSONSchemaPropsOrStringArray" => match parts.bytes(1) {
            Some(one) => schema(one)?,
            None => Json::Array(parts.all(2).map(|name| Json::str(text(name))).collect()),
        },
        name if name.ends_with(".ExtraValue") => {
            Json::Array(parts.all(1).map(|value| Json::str(text(value))).collect())
        }
        name => return inner(name, bytes),
    })
}

#[cfg(test)]
fn is_special(name: &str) -> bool {
    let own = ["Time", "MicroTime", "FieldsV1", "RawExtension", "JSON", "Quantity", "IntOrString"];
    let word = name.rsplit('.').next().unwrap_or_default();
    own.contains(&word) || word.starts_with("JSONSchemaPropsOr") || word == "ExtraValue"
}

/// The fields of a small message, by number.
struct Parts<'a>(Vec<(u32, Wire<'a>)>);

impl<'a> Parts<'a> {
    fn of(bytes: &'a [u8]) -> Result<Parts<'a>, &'static str> {
        let mut reader = Reader::new(bytes);
        let mut parts = Vec::new();
        while let Some(part) = reader.field()? {
            parts.push(part);
        }
        Ok(Parts(parts))
    }

    fn number(&self, wanted: u32) -> i64 {
        let of = |(number, wire): &(u32, Wire)| match wire {
            Wire::Number(value) if *number == wanted => Some(*value as i64),
            _ => None,
        };
        self.0.iter().find_map(of).unwrap_or(0)
    }

    fn time(&self) -> Result<Time, &'static str> {
        let seconds = self.number(1);
        // The years 1 to 9999, which is what RFC 3339 can write.
        let can_be_written = (-62_135_596_800..253_402_300_800).contains(&seconds);
        if can_be_written { Ok(Time::from_unix(seconds)) } else { Err("time out of range") }
    }

    fn all(&self, wanted: u32) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter_map(move |(number, wire)| match wire {
            Wire::Bytes(bytes) if *number == wanted => Some(*bytes),
            _ => None,
        })
    }

    fn bytes(&self, wanted: u32) -> Option<&'a [u8]> {
        self.all(wanted).next()
    }
}
