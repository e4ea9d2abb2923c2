//! Patterns: objects that a real one must contain.

use std::fmt;

use api::json::Json;

/// The first field of a pattern that an object does not have.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mismatch {
    path: String,
    wanted: Json,
    found: Option<Json>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mismatch { path, wanted, found } = self;
        match (wanted, found) {
            (Json::Array(_), _) => write!(f, "{path} has no such element."),
            (_, Some(found)) => write!(f, "{path} is {}, not {}.", words(found), words(wanted)),
            (Json::Int(_) | Json::Float(_), None) => {
                write!(f, "{path} is 0, not {}.", words(wanted))
            }
            (_, None) => write!(f, "{path} is not set."),
        }
    }
}

/// Where an object does not contain a pattern. Of a list, every element of the pattern must be
/// matched by some element; a `null` asks for absence.
pub(super) fn mismatch(pattern: &Json, object: &Json) -> Option<Mismatch> {
    below(pattern, Some(object), String::new())
}

fn below(pattern: &Json, object: Option<&Json>, path: String) -> Option<Mismatch> {
    let miss = |path| {
        Some(Mismatch {
            path,
            wanted: pattern.clone(),
            found: object.cloned().filter(|value| !value.is_null()),
        })
    };
    match (pattern, object) {
        (Json::Null, None | Some(Json::Null)) => None,
        (Json::Object(fields), object) if object.is_none_or(Json::is_object) => {
            fields.iter().find_map(|(key, value)| {
                let inner = object.and_then(|object| object.get(key));
                let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
                below(value, inner, path)
            })
        }
        (Json::Array(wanted), Some(Json::Array(items))) => {
            let matched = |want: &Json| items.iter().any(|item| mismatch(want, item).is_none());
            if wanted.iter().all(matched) { None } else { miss(path) }
        }
        (Json::Int(_) | Json::Float(_), Some(value)) if pattern.as_f64() == value.as_f64() => None,
        (pattern, Some(value)) if pattern == value => None,
        _ => miss(path),
    }
}

/// The scalars of a pattern with their paths.
pub(super) fn leaves(pattern: &Json) -> Vec<(String, String)> {
    let mut out = Vec::new();
    collect(pattern, String::new(), &mut out);
    out
}

fn collect(value: &Json, path: String, out: &mut Vec<(String, String)>) {
    match value {
        Json::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
                collect(value, path, out);
            }
        }
        Json::Array(items) if items.iter().any(Json::is_object) => {
            items.iter().for_each(|item| collect(item, path.clone(), out));
        }
        leaf => out.push((path, words(leaf))),
    }
}

/// A value as a sentence names it.
pub(super) fn words(value: &Json) -> String {
    match value {
        Json::Str(text) => text.to_string(),
        Json::Null => "not set".to_owned(),
        other => other.to_string(),
    }
}

/// A field of an object by a dotted path: in its status, its spec, its metadata, or from the top.
pub(super) fn lookup<'j>(object: &'j Json, path: &str) -> Option<&'j Json> {
    ["status", "spec", "metadata"]
        .iter()
        .filter_map(|part| object.get(part))
        .chain([object])
        .find_map(|start| follow(start, path))
}

fn follow<'j>(value: &'j Json, path: &str) -> Option<&'j Json> {
    path.split('.').try_fold(value, |value, part| {
        let (key, index) = match part.split_once('[') {
            Some((key, rest)) => (key, Some(rest.strip_suffix(']')?.parse::<usize>().ok()?)),
            None => (part, None),
        };
        let value = value.get(key)?;
        match index {
            Some(index) => value.items().get(index),
            None => Some(value),
        }
    })
}
