//! Documents as Go would print them, for the one message that shows a whole document: that of a JSON patch or merge
//! patch whose outcome is no object of the kind.
//!
//! Go writes a struct's fields in the order of their declaration and a map's by name. A patch takes the objects that
//! it passes through apart into maps; what it leaves alone stays as it was written.

use api::Json;
use api::schema::{Schema, Ty};
use api::wire::Patch;

/// The names of a struct's fields in the order of their declaration, by the name of its definition. The schema tables
/// do not tell it; whoever runs the server may know.
pub type FieldOrder = fn(definition: &str) -> Option<&'static [&'static str]>;

/// Puts the fields of a struct, and of all structs below, into their order.
pub(super) fn declared(json: &mut Json, schema: &'static Schema, order: FieldOrder) {
    if !json.is_object() {
        return;
    }
    for (name, value) in json.fields_mut() {
        if let Some(at) = schema.index_of(name) {
            below(value, &schema.fields[at].ty, order);
        }
    }
    if let Some(names) = order(schema.definition) {
        let place = |name: &str| names.iter().position(|known| *known == name);
        base::sort::by_key(json.fields_mut(), |(name, _)| place(name).unwrap_or(names.len()));
    }
}

fn below(json: &mut Json, ty: &Ty, order: FieldOrder) {
    match (ty, json) {
        (Ty::Struct(schema), json) => declared(json, schema, order),
        (Ty::List(ty), Json::Array(items)) => {
            items.iter_mut().for_each(|item| below(item, ty, order));
        }
        (Ty::Map(ty), Json::Object(fields)) => {
            fields.iter_mut().for_each(|(_, value)| below(value, ty, order));
        }
        _ => {}
    }
}

/// Puts the fields of the objects that the patch has taken apart into the order of their names.
pub(super) fn taken_apart(json: &mut Json, patch: &Patch) {
    match patch {
        Patch::Json(steps) => {
            for step in steps.items() {
                for path in ["path", "from"].iter().filter_map(|key| step.get(key)?.as_str()) {
                    passed(json, path);
                }
            }
        }
        Patch::Merge(body) => merged(json, body),
        _ => {}
    }
}

fn sort(json: &mut Json) {
    if json.is_object() {
        base::sort::by(json.fields_mut(), |a, b| a.0.cmp(&b.0));
    }
}

/// The objects on the way to the last word of a JSON pointer.
fn passed(json: &mut Json, path: &str) {
    sort(json);
    let Some((word, rest)) = path.strip_prefix('/').and_then(|path| path.split_once('/')) else {
        return;
    };
    let name = word.replace("~1", "/").replace("~0", "~");
    let next = match json {
        Json::Array(items) => name.parse().ok().and_then(|at: usize| items.get_mut(at)),
        json => json.get_mut(&name),
    };
    if let Some(next) = next {
        passed(next, &format!("/{rest}"));
    }
}

fn merged(json: &mut Json, body: &Json) {
    match (&mut *json, body) {
        (Json::Array(items), Json::Array(_)) => items.iter_mut().for_each(Json::sort_fields),
        (Json::Object(_), Json::Object(fields)) => {
            for (name, body) in fields {
                if let Some(value) = json.get_mut(name) {
                    merged(value, body);
                }
            }
            sort(json);
        }
        _ => {}
    }
}
