//! OpenAPI definitions of custom kinds: the schema that their CustomResourceDefinition gives, made fit to publish.
//!
//! Models the OpenAPI builder of apiextensions-apiserver.

use api::Json;
use api::meta::v1::OBJECTMETA_TABLE;

use super::openapi_texts as texts;
use crate::custom::CustomKind;
use crate::registry::Row;

/// Formats that clients know; others are left out.
const FORMATS: &[&str] = &[
    "bsonobjectid",
    "byte",
    "cidr",
    "creditcard",
    "date",
    "date-time",
    "datetime",
    "double",
    "duration",
    "email",
    "float",
    "hexcolor",
    "hostname",
    "int-or-string",
    "int32",
    "int64",
    "ipv4",
    "ipv6",
    "isbn",
    "isbn10",
    "isbn13",
    "k8s-long-name",
    "k8s-short-name",
    "mac",
    "password",
    "rgbcolor",
    "ssn",
    "uri",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
];

fn flag(schema: &Json, key: &str) -> bool {
    schema.get(key).and_then(Json::as_bool) == Some(true)
}

fn object(fields: Vec<(&str, Json)>) -> Json {
    fields.into_iter().map(|(key, value)| (key.into(), value)).collect()
}

/// The definition of one version of a custom kind. `prefix` leads to the other definitions.
pub(super) fn definition(row: &Row, custom: &CustomKind, prefix: &str) -> Json {
    let old = !prefix.contains("components");
    let schema = &custom.schema;
    let open = flag(schema, "x-kubernetes-preserve-unknown-fields");
    let mut json = if !schema.is_object() || (old && open) {
        // Clients of the old form would refuse every field that is not listed.
        object(vec![("type", "object".into())])
    } else {
        let mut json = schema.clone();
        publish(&mut json, old);
        embed(&mut json, prefix);
        identify(&mut json, prefix);
        json
    };
    let kind = object(vec![
        ("group", row.info.group.into()),
        ("version", row.info.version.into()),
        ("kind", row.info.kind.into()),
    ]);
    json.set("x-kubernetes-group-version-kind", Json::Array(vec![kind]));
    if !row.selectable.is_empty() {
        let fields = row.selectable.iter().map(|path| object(vec![("fieldPath", (*path).into())]));
        json.set("x-kubernetes-selectable-fields", Json::Array(fields.collect()));
    }
    json
}

/// Adds what every object has.
fn identify(json: &mut Json, prefix: &str) {
    let reference = format!("{prefix}{}", OBJECTMETA_TABLE.definition);
    let reference = object(vec![("$ref", reference.into())]);
    let mut metadata = texts::described("metadata", "");
    metadata.set("allOf", Json::Array(vec![reference]));
    let properties = json.entry("properties");
    properties.set("apiVersion", texts::described("apiVersion", "string"));
    properties.set("kind", texts::described("kind", "string"));
    properties.set("metadata", metadata);
}

/// The same for the objects within the object.
fn embed(json: &mut Json, prefix: &str) {
    each_below(json, &mut |below| {
        embed(below, prefix);
        if flag(below, "x-kubernetes-embedded-resource") {
            identify(below, prefix);
        }
    });
}

/// Calls `visit` with every schema directly below.
fn each_below(json: &mut Json, visit: &mut dyn FnMut(&mut Json)) {
    if let Some(properties) = json.get_mut("properties").filter(|found| found.is_object()) {
        properties.fields_mut().iter_mut().for_each(|(_, below)| visit(below));
    }
    for key in ["items", "additionalProperties"] {
        if let Some(below) = json.get_mut(key).filter(|found| found.is_object()) {
            visit(below);
        }
    }
}

/// Takes out what the form cannot say; `old` is version 2.
fn publish(json: &mut Json, old: bool) {
    let format = json.get("format").and_then(Json::as_str).unwrap_or_default();
    if !format.is_empty() && FORMATS.binary_search(&format).is_err() {
        json.remove("format");
    }
    if old {
        for key in ["allOf", "anyOf", "oneOf", "not", "default"] {
            json.remove(key);
        }
        if flag(json, "nullable") {
            ["nullable", "type", "items", "properties"].iter().for_each(|key| {
                json.remove(key);
            });
        }
        if flag(json, "x-kubernetes-preserve-unknown-fields") {
            json.remove("items");
            json.remove("properties");
        }
        if flag(json, "x-kubernetes-int-or-string") {
            json.remove("type");
        }
    }
    each_below(json, &mut |below| publish(below, old));
}
