//! Schema tables from the OpenAPI schema of a definition.

use api::Json;
use api::meta::v1::OBJECTMETA_TABLE;
use api::schema::{Field, ListType, Schema, Ty, field};

use super::leak;

/// The table of a kind: `metadata` and the top-level fields of its schema.
pub(super) fn of(group: &str, version: &str, kind: &str, schema: &Json) -> &'static Schema {
    let mut reversed: Vec<&str> = group.split('.').collect();
    reversed.reverse();
    let definition = format!("{}.{version}.{kind}", reversed.join("."));
    let mut fields = fields(schema, &definition);
    fields.retain(|field| !matches!(field.name, "metadata" | "apiVersion" | "kind"));
    fields.push(field("metadata", Ty::Struct(&OBJECTMETA_TABLE)).emit());
    build(&format!("{version}.{kind}"), &definition, fields)
}

fn build(go: &str, definition: &str, mut fields: Vec<Field>) -> &'static Schema {
    base::sort::by_key(&mut fields, |field| field.name);
    let fields = Box::leak(fields.into_boxed_slice());
    Box::leak(Box::new(Schema { go: leak(go), definition: leak(definition), fields }))
}

fn fields(schema: &Json, definition: &str) -> Vec<Field> {
    let properties = schema.get("properties").map_or(&[][..], Json::fields);
    let required = schema.get("required").map_or(&[][..], Json::items);
    properties
        .iter()
        .map(|(name, property)| {
            let text = |key: &str| property.get(key).and_then(Json::as_str).unwrap_or_default();
            let inner = format!("{definition}.{name}");
            let mut own = field(leak(name), ty(property, &inner));
            own.required = required.iter().any(|key| key.as_str() == Some(name));
            own.atomic = text("x-kubernetes-map-type") == "atomic";
            own.list = match text("x-kubernetes-list-type") {
                "map" => ListType::Map,
                "set" => ListType::Set,
                _ => ListType::Atomic,
            };
            let keys = property.get("x-kubernetes-list-map-keys").map_or(&[][..], Json::items);
            let keys: Vec<&'static str> = keys.iter().filter_map(Json::as_str).map(leak).collect();
            own.keys = Box::leak(keys.into_boxed_slice());
            own
        })
        .chain(is_open(schema).then(|| field("", Ty::Open)))
        .collect()
}

fn is_open(schema: &Json) -> bool {
    flag(schema, "x-kubernetes-preserve-unknown-fields")
        || schema.get("additionalProperties").and_then(Json::as_bool) == Some(true)
}

fn flag(schema: &Json, key: &str) -> bool {
    schema.get(key).and_then(Json::as_bool) == Some(true)
}

fn ty(schema: &Json, definition: &str) -> Ty {
    if flag(schema, "x-kubernetes-int-or-string") {
        return Ty::IntOrString;
    }
    match schema.get("type").and_then(Json::as_str) {
        Some("object") => {
            let more = schema.get("additionalProperties").filter(|more| more.is_object());
            if let Some(more) = more {
                return Ty::Map(Box::leak(Box::new(ty(more, definition))));
            }
            let mut own = fields(schema, definition);
            if own.iter().all(|field| field.name.is_empty()) {
                return Ty::Open;
            }
            if flag(schema, "x-kubernetes-embedded-resource") {
                own.retain(|field| !matches!(field.name, "apiVersion" | "kind" | "metadata"));
                own.extend(["apiVersion", "kind"].map(|name| field(name, Ty::Str)));
                own.push(field("metadata", Ty::Struct(&OBJECTMETA_TABLE)));
            }
            let name = definition.rsplit('.').next().unwrap_or(definition);
            Ty::Struct(build(name, definition, own))
        }
        Some("array") => {
            let item = schema.get("items").map_or(Ty::Open, |items| ty(items, definition));
            Ty::List(Box::leak(Box::new(item)))
        }
        Some("string") => Ty::Str,
        Some("integer") => Ty::Int64,
        Some("number") => Ty::Float,
        Some("boolean") => Ty::Bool,
        _ => Ty::Open,
    }
}
