//! What reading a document finds: where it is, and what was wrong.

use std::fmt::Write as _;

use base::Str;

use crate::go_types;
use crate::json::Json;

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
    /// The document was never text: a strategic merge patch made it in memory, and Go converts it value by value, with
    /// rules and words of its own.
    pub converts: bool,
    /// How numbers are written, by their bits, where that is not how we write them.
    pub numbers: Vec<(u64, Str)>,
    path: Vec<Segment>,
    pub(super) structs: Vec<&'static str>,
}

/// So many unknown and repeated fields are told.
const STRICT_MAX: usize = 100;

#[derive(Debug)]
pub(super) enum Segment {
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
        let what = self.what(json, go);
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
        let kind = go;
        let go = match self.structs.last() {
            Some(&"JSONSchemaProps") if go == "[]runtime.RawExtension" => "[]v1.JSON",
            _ => go,
        };
        let named = last.filter(|_| go == "string" || go == "[]string");
        let go = named.map_or(go.to_string(), |named| go.replace("string", named));
        if self.converts {
            return self.unconverted(json, kind, &go);
        }
        self.error = Some(match self.structs.last() {
            Some(owner) if !at.is_empty() => {
                format!(
                    "json: cannot unmarshal {what} into Go struct field {owner}{at} of type {go}"
                )
            }
            _ => format!("json: cannot unmarshal {what} into Go value of type {go}"),
        });
    }

    /// The same for a type that reads its JSON itself, also where the rest is converted.
    pub fn mismatch_within(&mut self, json: &Json, go: &str) {
        match self.converts {
            true => {
                let what = self.what(json, go);
                self.fail(format!("json: cannot unmarshal {what} into Go value of type {go}"));
            }
            false => self.mismatch(json, go),
        }
    }

    /// Notes that `json` cannot be converted to the Go type `go`, which is of a kind such as `string`.
    pub(super) fn unconverted(&mut self, json: &Json, kind: &str, go: &str) {
        let from = match json {
            Json::Null => "nil",
            Json::Bool(_) => "bool",
            Json::Int(_) => "int64",
            Json::Float(_) => "float64",
            Json::Str(_) => "string",
            Json::Array(_) => "slice",
            Json::Object(_) => "map",
        };
        self.fail(match kind {
            "string" if from == "int64" => format!("cannot convert int64 to {go}"),
            "int32" | "int64" if from == "float64" => format!("cannot convert float64 to {go}"),
            "bool" | "string" | "int32" | "int64" | "float64" => {
                format!("unrecognized type: {kind}")
            }
            kind if kind.starts_with("[]") => format!("cannot restore slice from {from}"),
            kind if kind.starts_with("map[") => format!("cannot restore map from {from}"),
            _ => format!("cannot restore struct from: {from}"),
        });
    }

    fn what(&self, json: &Json, go: &str) -> String {
        match json {
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
        }
    }

    /// A number as the document has it.
    fn written(&self, number: &Json) -> String {
        let bits = number.as_f64().map(f64::to_bits);
        match self.numbers.iter().find(|(known, _)| Some(*known) == bits) {
            Some((_, text)) => text.to_string(),
            None => number.to_string(),
        }
    }

    pub(super) fn unknown_field(&mut self, name: &str) {
        let path = self.path_with(name);
        if self.tells(format!("unknown field {path:?}")) {
            self.unknown.push(path);
        }
    }

    pub(super) fn duplicate_field(&mut self, name: &str) {
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

    pub(super) fn inside<R>(&mut self, segment: Segment, read: impl FnOnce(&mut Decode) -> R) -> R {
        self.path.push(segment);
        let result = read(self);
        self.path.pop();
        result
    }
}
