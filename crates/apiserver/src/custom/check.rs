//! Pruning, defaulting and validation of custom objects by their schema.

use api::object::Object;
use api::{Decode, Json, Value as _};
use base::Str;

use super::{CustomKind, pattern};
use crate::errors::field_error;
use crate::validation::FieldError;

impl CustomKind {
    /// Takes out the fields that the schema does not have, and names them.
    pub(crate) fn prune(&self, json: &mut Json) -> Vec<String> {
        let mut unknown = Vec::new();
        prune(&self.schema, json, "", &mut unknown);
        unknown
    }

    /// Fills in the schema's defaults.
    pub(crate) fn default(&self, object: &mut Object) {
        let properties = self.schema.get("properties").map_or(&[][..], Json::fields);
        for (name, schema) in properties {
            if name == "metadata" {
                continue;
            }
            let Some(at) = object.resource().schema().index_of(name) else { continue };
            let old = object.resource().field(at).to_json();
            let mut new = old.clone();
            fill(schema, &mut new);
            if new != old {
                object.edit().field_mut(at).take(new, &mut Decode::new());
            }
        }
    }

    /// What is wrong with the object, its metadata aside.
    pub(crate) fn validate(&self, object: &Object) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        let required = self.schema.get("required").map_or(&[][..], Json::items);
        let json = object.to_json();
        for name in required.iter().filter_map(Json::as_str) {
            if json.get(name).is_none() {
                wrong.push(field_error("FieldValueRequired", name, "Required value"));
            }
        }
        let properties = self.schema.get("properties").map_or(&[][..], Json::fields);
        for (name, schema) in properties {
            if matches!(name.as_str(), "metadata" | "apiVersion" | "kind") {
                continue;
            }
            if let Some(value) = json.get(name) {
                check(schema, value, name, &mut wrong);
            }
        }
        wrong
    }
}

fn flag(schema: &Json, key: &str) -> bool {
    schema.get(key).and_then(Json::as_bool) == Some(true)
}

fn prune(schema: &Json, value: &mut Json, at: &str, unknown: &mut Vec<String>) {
    let open = flag(schema, "x-kubernetes-preserve-unknown-fields");
    match value {
        Json::Object(fields) => {
            let more = schema.get("additionalProperties");
            let whole = flag(schema, "x-kubernetes-embedded-resource") || at.is_empty();
            fields.retain_mut(|(name, below)| {
                let path = if at.is_empty() { name.to_string() } else { format!("{at}.{name}") };
                if whole && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                    return true;
                }
                let own = schema.get("properties").and_then(|all| all.get(name));
                match own.or(more.filter(|more| more.is_object())) {
                    Some(schema) => prune(schema, below, &path, unknown),
                    None if open || more.and_then(Json::as_bool) == Some(true) => {}
                    None => {
                        unknown.push(format!("unknown field {path:?}"));
                        return false;
                    }
                }
                true
            });
        }
        Json::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for (i, item) in items.iter_mut().enumerate() {
                    prune(schema, item, &format!("{at}[{i}]"), unknown);
                }
            }
        }
        _ => {}
    }
}

fn fill(schema: &Json, value: &mut Json) {
    let nullable = flag(schema, "nullable");
    if value.is_null()
        && !nullable
        && let Some(default) = schema.get("default")
    {
        *value = default.clone();
    }
    match value {
        Json::Object(_) => {
            let properties = schema.get("properties").map_or(&[][..], Json::fields);
            for (name, below) in properties {
                let mut inner = value.get(name).cloned().unwrap_or_default();
                let explicit = value.get(name).is_some() && flag(below, "nullable");
                if !explicit {
                    fill(below, &mut inner);
                }
                if !inner.is_null() {
                    value.set(name.clone(), inner);
                }
            }
            let more = schema.get("additionalProperties").filter(|more| more.is_object());
            if let Some(more) = more {
                value.fields_mut().iter_mut().for_each(|(_, below)| fill(more, below));
            }
        }
        Json::Array(items) => {
            if let Some(schema) = schema.get("items") {
                items.iter_mut().for_each(|item| fill(schema, item));
            }
        }
        _ => {}
    }
}

fn check(schema: &Json, value: &Json, at: &str, wrong: &mut Vec<FieldError>) {
    if value.is_null() && flag(schema, "nullable") {
        return;
    }
    if !check_type(schema, value, at, wrong) {
        return;
    }
    check_enum(schema, value, at, wrong);
    match value {
        Json::Int(_) | Json::Float(_) => check_number(schema, value, at, wrong),
        Json::Str(text) => check_text(schema, text, at, wrong),
        Json::Array(items) => {
            check_count(schema, items.len(), at, ["minItems", "maxItems"], "items", wrong);
            if let Some(schema) = schema.get("items") {
                for (i, item) in items.iter().enumerate() {
                    check(schema, item, &format!("{at}[{i}]"), wrong);
                }
            }
        }
        Json::Object(fields) => {
            let keys = ["minProperties", "maxProperties"];
            check_count(schema, fields.len(), at, keys, "properties", wrong);
            check_fields(schema, value, at, wrong);
        }
        _ => {}
    }
}

fn check_fields(schema: &Json, value: &Json, at: &str, wrong: &mut Vec<FieldError>) {
    let required = schema.get("required").map_or(&[][..], Json::items);
    for name in required.iter().filter_map(Json::as_str) {
        if value.get(name).is_none() {
            let path = format!("{at}.{name}");
            wrong.push(field_error("FieldValueRequired", &path, "Required value"));
        }
    }
    let more = schema.get("additionalProperties").filter(|more| more.is_object());
    for (name, below) in value.fields() {
        let own = schema.get("properties").and_then(|all| all.get(name));
        if let Some(schema) = own.or(more) {
            let path = match own {
                Some(_) => format!("{at}.{name}"),
                None => format!("{at}[{name}]"),
            };
            check(schema, below, &path, wrong);
        }
    }
}

fn check_type(schema: &Json, value: &Json, at: &str, wrong: &mut Vec<FieldError>) -> bool {
    let is_whole = |n: f64| n.fract() == 0.0;
    if flag(schema, "x-kubernetes-int-or-string") {
        return matches!(value, Json::Int(_) | Json::Str(_));
    }
    let Some(wanted) = schema.get("type").and_then(Json::as_str) else { return true };
    let (given, fits) = match value {
        Json::Null => ("null", false),
        Json::Bool(_) => ("boolean", wanted == "boolean"),
        Json::Int(_) => ("integer", matches!(wanted, "integer" | "number")),
        Json::Float(n) => ("number", wanted == "number" || (wanted == "integer" && is_whole(*n))),
        Json::Str(_) => ("string", wanted == "string"),
        Json::Array(_) => ("array", wanted == "array"),
        Json::Object(_) => ("object", wanted == "object"),
    };
    if !fits {
        let text =
            format!("Invalid value: {given:?}: {at} in body must be of type {wanted}: {given:?}");
        wrong.push(field_error("FieldValueTypeInvalid", at, text));
    }
    fits
}

fn check_enum(schema: &Json, value: &Json, at: &str, wrong: &mut Vec<FieldError>) {
    let Some(allowed) = schema.get("enum").map(Json::items) else { return };
    if !allowed.contains(value) {
        let list = allowed.iter().map(Json::to_string).collect::<Vec<_>>().join(", ");
        let text = format!("Unsupported value: {value}: supported values: {list}");
        wrong.push(field_error("FieldValueNotSupported", at, text));
    }
}

fn check_number(schema: &Json, value: &Json, at: &str, wrong: &mut Vec<FieldError>) {
    let number = value.as_f64().unwrap_or(0.0);
    let limit = |key: &str| schema.get(key).and_then(Json::as_f64);
    let (low_out, high_out) = (flag(schema, "exclusiveMinimum"), flag(schema, "exclusiveMaximum"));
    let mut refuse = |why: String| {
        let text = format!("Invalid value: {value}: {at} in body {why}");
        wrong.push(field_error("FieldValueInvalid", at, text));
    };
    if let Some(low) = limit("minimum").filter(|l| number < *l || (low_out && number == *l)) {
        let word = if low_out { "greater than" } else { "greater than or equal to" };
        refuse(format!("should be {word} {low}"));
    }
    if let Some(high) = limit("maximum").filter(|h| number > *h || (high_out && number == *h)) {
        let word = if high_out { "less than" } else { "less than or equal to" };
        refuse(format!("should be {word} {high}"));
    }
    if let Some(step) = limit("multipleOf").filter(|step| (number / step).fract() != 0.0) {
        refuse(format!("should be a multiple of {step}"));
    }
}

fn check_text(schema: &Json, text: &Str, at: &str, wrong: &mut Vec<FieldError>) {
    let len = text.chars().count() as i64;
    let limit = |key: &str| schema.get(key).and_then(Json::as_i64);
    let quoted = crate::go_quoted(text);
    if let Some(max) = limit("maxLength").filter(|max| len > *max) {
        let note = format!("Too long: may not be more than {max} bytes");
        wrong.push(field_error("FieldValueTooLong", at, note));
    }
    if let Some(min) = limit("minLength").filter(|min| len < *min) {
        let note =
            format!("Invalid value: {quoted}: {at} in body should be at least {min} chars long");
        wrong.push(field_error("FieldValueInvalid", at, note));
    }
    let Some(source) = schema.get("pattern").and_then(Json::as_str).filter(|s| !s.is_empty())
    else {
        return;
    };
    if pattern::matches(source, text) == Some(false) {
        let note = format!("Invalid value: {quoted}: {at} in body should match '{source}'");
        wrong.push(field_error("FieldValueInvalid", at, note));
    }
}

fn check_count(
    schema: &Json,
    count: usize,
    at: &str,
    [min, max]: [&str; 2],
    what: &str,
    wrong: &mut Vec<FieldError>,
) {
    let limit = |key: &str| schema.get(key).and_then(Json::as_i64);
    let count = count as i64;
    if let Some(max) = limit(max).filter(|max| count > *max) {
        let text = format!("Too many: {count}: must have at most {max} items");
        wrong.push(field_error("FieldValueTooMany", at, text));
    }
    if let Some(min) = limit(min).filter(|min| count < *min) {
        let text =
            format!("Invalid value: {count}: {at} in body should have at least {min} {what}");
        wrong.push(field_error("FieldValueInvalid", at, text));
    }
}
