//! JSON merge patch (RFC 7386), as `evanphx/json-patch` applies it, and how such patches are made.
//!
//! Known deviations: none.

use std::convert::Infallible;

use base::Str;

use super::PatchError;
use crate::json::Json;

/// Merges `patch` into `document`.
///
/// A patch that is a list takes the document's place; any other that is no object is refused.
pub fn apply(document: Json, patch: &Json) -> Result<Json, PatchError> {
    match patch {
        Json::Object(_) => Ok(merge(document, patch)),
        Json::Array(_) => {
            let mut list = patch.clone();
            prune(&mut list);
            Ok(list)
        }
        _ => Err(PatchError::BadRequest("Invalid JSON Patch".into())),
    }
}

fn merge(target: Json, patch: &Json) -> Json {
    let (Json::Object(_), Json::Object(changes)) = (&target, patch) else {
        let mut value = patch.clone();
        prune(&mut value);
        return value;
    };
    let mut target = target;
    let done: Result<(), Infallible> =
        target.change_each(changes.clone(), Str::clone, |target, key, change| {
            if change.is_null() {
                target.remove(&key);
                return Ok(());
            }
            let place = target.entry(&key);
            let old = std::mem::take(place);
            *place = merge(old, &change);
            Ok(())
        });
    match done {
        Ok(()) => target,
    }
}

/// Drops the fields that are null, however deep.
fn prune(value: &mut Json) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(prune),
        Json::Object(fields) => {
            fields.retain(|(_, value)| !value.is_null());
            fields.iter_mut().for_each(|(_, value)| prune(value));
        }
        _ => {}
    }
}

/// The merge patch that turns `original` into `modified`.
pub fn diff(original: &Json, modified: &Json) -> Json {
    let mut patch = Json::object();
    for (key, new) in modified.fields() {
        match original.get(key) {
            Some(old) if old == new => {}
            Some(old @ Json::Object(_)) if new.is_object() => {
                patch.set(key.clone(), diff(old, new))
            }
            _ => patch.set(key.clone(), new.clone()),
        }
    }
    for (key, _) in original.fields() {
        if modified.get(key).is_none() {
            patch.set(key.clone(), Json::Null);
        }
    }
    patch
}

/// The merge patch of `kubectl apply`: what `modified` changes in `current`, and what it drops of `original`.
pub fn three_way(original: &Json, modified: &Json, current: &Json) -> Json {
    let mut changes = diff(current, modified);
    keep(&mut changes, false);
    let mut deletions = diff(original, modified);
    keep(&mut deletions, true);
    combine(deletions, &changes)
}

/// Keeps only nulls, or only what is no null. Objects that become empty go.
fn keep(patch: &mut Json, nulls: bool) {
    let Json::Object(fields) = patch else { return };
    fields.retain_mut(|(_, value)| match value {
        Json::Null => nulls,
        Json::Object(inner) => {
            let was_empty = inner.is_empty();
            keep(value, nulls);
            !value.fields().is_empty() || (was_empty && !nulls)
        }
        _ => !nulls,
    });
}

/// One patch that does what both do; nulls stay.
fn combine(mut first: Json, second: &Json) -> Json {
    for (key, value) in second.fields() {
        match first.get_mut(key) {
            Some(old @ Json::Object(_)) if value.is_object() => {
                *old = combine(std::mem::take(old), value);
            }
            _ => first.set(key.clone(), value.clone()),
        }
    }
    first
}
