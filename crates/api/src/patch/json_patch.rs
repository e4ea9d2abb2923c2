//! JSON patch (RFC 6902) as `evanphx/json-patch` applies it for the API server.
//!
//! Known deviations:
//! - Two numbers written differently (`1.0`, `1.00`) are equal to `test`.

use super::PatchError;
use crate::json::Json;

/// The most operations that one patch may have.
pub const OPERATIONS_MAX: usize = 10_000;

/// The most bytes that all `copy` operations of one patch may add.
pub const COPY_BYTES_MAX: usize = 3 * 1024 * 1024;

const MISSING: &str = "missing value";
const INVALID_INDEX: &str = "invalid index referenced";

/// Applies the operations of `patch` in order. `document` is left alone where one fails.
pub fn apply(document: &Json, patch: &Json) -> Result<Json, PatchError> {
    let not_a = |value: &Json, ty| {
        let found = value.type_name();
        PatchError::BadRequest(format!(
            "json: cannot unmarshal {found} into Go value of type jsonpatch.{ty}"
        ))
    };
    let operations = patch.as_array().ok_or_else(|| not_a(patch, "Patch"))?;
    if operations.len() > OPERATIONS_MAX {
        let count = operations.len();
        return Err(PatchError::TooLarge(format!(
            "The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {count}"
        )));
    }
    if let Some(odd) = operations.iter().find(|op| !op.is_object() && !op.is_null()) {
        return Err(not_a(odd, "Operation"));
    }
    let mut run = Run { document: document.clone(), copied: 0 };
    for operation in operations {
        run.step(operation).map_err(PatchError::Unprocessable)?;
    }
    Ok(run.document)
}

struct Run {
    document: Json,
    copied: usize,
}

impl Run {
    fn step(&mut self, operation: &Json) -> Result<(), String> {
        match operation.get("op").and_then(Json::as_str).unwrap_or("unknown") {
            "add" => self.add(operation),
            "remove" => self.remove(operation),
            "replace" => self.replace(operation),
            "move" => self.relocate(operation),
            "copy" => self.copy(operation),
            "test" => self.test(operation),
            other => Err(format!("Unexpected kind: {other}")),
        }
    }

    fn add(&mut self, operation: &Json) -> Result<(), String> {
        let path = text(operation, "path")
            .map_err(|_| format!("add operation failed to decode path: {MISSING}"))?;
        let (parent, key) = self.parent(path).ok_or_else(|| {
            format!("add operation does not apply: doc is missing path: \"{path}\": {MISSING}")
        })?;
        insert(parent, &key, value(operation))
            .map_err(|e| format!("error in add for path: '{path}': {e}"))
    }

    fn remove(&mut self, operation: &Json) -> Result<(), String> {
        let path = text(operation, "path")
            .map_err(|_| format!("remove operation failed to decode path: {MISSING}"))?;
        let (parent, key) = self.parent(path).ok_or_else(|| {
            format!("remove operation does not apply: doc is missing path: \"{path}\": {MISSING}")
        })?;
        take(parent, &key)
            .map(|_| ())
            .map_err(|e| format!("error in remove for path: '{path}': {e}"))
    }

    fn replace(&mut self, operation: &Json) -> Result<(), String> {
        let path = text(operation, "path")
            .map_err(|e| format!("replace operation failed to decode path: {e}"))?;
        let value = value(operation);
        if path.is_empty() {
            if !matches!(value, Json::Array(_) | Json::Object(_)) {
                return Err("replace operation value must be object or array".into());
            }
            self.document = value;
            return Ok(());
        }
        let (parent, key) = self.parent(path).ok_or_else(|| {
            format!("replace operation does not apply: doc is missing path: {path}: {MISSING}")
        })?;
        let place = child(parent, &key).map_err(|_| {
            format!("replace operation does not apply: doc is missing key: {path}: {MISSING}")
        })?;
        *place = value;
        Ok(())
    }

    fn relocate(&mut self, operation: &Json) -> Result<(), String> {
        let from = text(operation, "from")
            .map_err(|e| format!("move operation failed to decode from: {e}"))?;
        let (parent, key) = self.parent(from).ok_or_else(|| {
            format!("move operation does not apply: doc is missing from path: {from}: {MISSING}")
        })?;
        let value = take_existing(parent, &key)
            .map_err(|e| format!("error in move for path: '{key}': {e}"))?;
        let path = text(operation, "path")
            .map_err(|e| format!("move operation failed to decode path: {e}"))?;
        let (parent, key) = self.parent(path).ok_or_else(|| {
            format!(
                "move operation does not apply: doc is missing destination path: {path}: {MISSING}"
            )
        })?;
        insert(parent, &key, value).map_err(|e| format!("error in move for path: '{path}': {e}"))
    }

    fn copy(&mut self, operation: &Json) -> Result<(), String> {
        let from = text(operation, "from")
            .map_err(|e| format!("copy operation failed to decode from: {e}"))?;
        let (parent, key) = self.parent(from).ok_or_else(|| {
            format!("copy operation does not apply: doc is missing from path: {from}: {MISSING}")
        })?;
        let value = child(parent, &key)
            .map_err(|e| format!("error in copy for from: '{from}': {e}"))?
            .clone();
        let path = text(operation, "path")
            .map_err(|_| format!("copy operation failed to decode path: {MISSING}"))?;
        let mut bytes = Vec::new();
        value.write(&mut bytes);
        let copied = self.copied + bytes.len();
        let (parent, key) = self.parent(path).ok_or_else(|| {
            format!(
                "copy operation does not apply: doc is missing destination path: {path}: {MISSING}"
            )
        })?;
        if copied > COPY_BYTES_MAX {
            return Err(format!(
                "Unable to complete the copy, the accumulated size increase of copy is {copied}, \
                 exceeding the limit {COPY_BYTES_MAX}"
            ));
        }
        insert(parent, &key, value)
            .map_err(|e| format!("error while adding value during copy: {e}"))?;
        self.copied = copied;
        Ok(())
    }

    fn test(&mut self, operation: &Json) -> Result<(), String> {
        let path = text(operation, "path")
            .map_err(|e| format!("test operation failed to decode path: {e}"))?;
        let expected = value(operation);
        let failed = || format!("testing value {path} failed: test failed");
        if path.is_empty() {
            return if self.document == expected { Ok(()) } else { Err(failed()) };
        }
        let (parent, key) = self.parent(path).ok_or_else(|| {
            format!("test operation does not apply: is missing path: {path}: {MISSING}")
        })?;
        let found = match child(parent, &key) {
            Ok(found) => found,
            Err(e) if e.ends_with(MISSING) => &mut Json::Null,
            Err(e) => return Err(format!("error in test for path: '{path}': {e}")),
        };
        if *found == expected { Ok(()) } else { Err(failed()) }
    }

    /// The list or object that a path points into, and the last part of the path.
    fn parent(&mut self, path: &str) -> Option<(&mut Json, String)> {
        let mut parts: Vec<String> =
            path.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
        let key = parts.pop()?;
        if parts.is_empty() {
            return None;
        }
        let mut place = &mut self.document;
        for part in &parts[1..] {
            place = child(place, part).ok()?;
        }
        matches!(place, Json::Array(_) | Json::Object(_)).then_some((place, key))
    }
}

fn text<'a>(operation: &'a Json, field: &str) -> Result<&'a str, String> {
    match operation.get(field) {
        Some(Json::Str(text)) => Ok(text),
        None | Some(Json::Null) if field == "from" => {
            Err(format!("operation, missing from field: {MISSING}"))
        }
        None | Some(Json::Null) => Err(format!("operation missing {field} field: {MISSING}")),
        Some(other) => {
            let found = other.type_name();
            Err(format!("json: cannot unmarshal {found} into Go value of type string"))
        }
    }
}

fn value(operation: &Json) -> Json {
    operation.get("value").cloned().unwrap_or_default()
}

/// The position that `key` names in a list of `len`. Negative positions count from the end.
fn position(key: &str, len: usize) -> Result<usize, String> {
    let index: i64 =
        key.parse().map_err(|_| format!("strconv.Atoi: parsing {key:?}: invalid syntax"))?;
    let from_start = if index < 0 { index + len as i64 } else { index };
    match usize::try_from(from_start) {
        Ok(at) if at < len => Ok(at),
        _ => Err(format!("Unable to access invalid index: {index}: {INVALID_INDEX}")),
    }
}

fn child<'a>(parent: &'a mut Json, key: &str) -> Result<&'a mut Json, String> {
    match parent {
        Json::Array(items) => {
            let at = position(key, items.len())?;
            Ok(&mut items[at])
        }
        other => other
            .get_mut(key)
            .ok_or_else(|| format!("unable to get nonexistent key: {key}: {MISSING}")),
    }
}

fn insert(parent: &mut Json, key: &str, value: Json) -> Result<(), String> {
    match parent {
        Json::Array(items) if key == "-" => items.push(value),
        Json::Array(items) => {
            let at = position(key, items.len() + 1).map_err(|e| {
                let number = key.parse::<i64>().is_ok();
                if number { e } else { format!("value was not a proper array index: '{key}': {e}") }
            })?;
            items.insert(at, value);
        }
        object => object.set(key, value),
    }
    Ok(())
}

fn take(parent: &mut Json, key: &str) -> Result<Json, String> {
    match parent {
        Json::Array(items) => {
            let at = position(key, items.len())?;
            Ok(items.remove(at))
        }
        object => object
            .remove(key)
            .ok_or_else(|| format!("Unable to remove nonexistent key: {key}: {MISSING}")),
    }
}

/// Like [`take`], with the complaint of reading where there is nothing.
fn take_existing(parent: &mut Json, key: &str) -> Result<Json, String> {
    child(parent, key)?;
    take(parent, key)
}
