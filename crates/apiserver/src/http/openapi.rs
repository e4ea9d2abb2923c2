//! OpenAPI documents, made from the schema tables.
//!
//! Known deviations:
//! - Descriptions are missing but for those of our own; v2 has the definitions and no operations.

use std::fmt::Write as _;

use api::Json;
use api::schema::{Field, ListType, Schema, Ty};
use base::{BTreeMap, Str};

use super::{Content, openapi_texts as texts};
use crate::{ApiServer, registry};

/// `/openapi/v2`, `/openapi/v3` and the documents below it.
pub(super) fn answer(server: &ApiServer, path: &[&str]) -> Option<Content> {
    match path {
        ["v2"] => Some(Content::Json(version2(server))),
        ["v3"] => Some(Content::Json(index(server))),
        ["v3", rest @ ..] => {
            let (group, version) = match rest {
                ["api", version] => ("", *version),
                ["apis", group, version] => (*group, *version),
                _ => return None,
            };
            version3(server, group, version).map(Content::Json)
        }
        _ => None,
    }
}

fn object(fields: Vec<(&str, Json)>) -> Json {
    fields.into_iter().map(|(key, value)| (Str::from(key), value)).collect()
}

fn group_versions(server: &ApiServer) -> Vec<(&'static str, &'static str)> {
    let mut all: Vec<_> = server.all_rows().map(|row| (row.info.group, row.info.version)).collect();
    base::sort::naturally(&mut all);
    all.dedup();
    all
}

fn path_of(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// The documents there are, each with a hash that changes with its content.
fn index(server: &ApiServer) -> Json {
    let mut paths = Json::object();
    for (group, version) in group_versions(server) {
        let path = path_of(group, version);
        let mut content = path.clone();
        for row in server.custom_rows() {
            if let Some(custom) =
                row.custom.filter(|_| (row.info.group, row.info.version) == (group, version))
            {
                let _ = write!(content, " {} {}", row.info.kind, custom.schema);
            }
        }
        let url = format!("/openapi/v3/{path}?hash={}", digest(content.as_bytes()));
        paths.set(path, object(vec![("serverRelativeURL", url.into())]));
    }
    object(vec![("paths", paths)])
}

/// A hash by which clients see whether a document has changed (FNV-1a, forwards and turned).
pub(super) fn digest(content: &[u8]) -> String {
    let hash = content.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016X}{:016X}", hash.rotate_left(17))
}

fn info() -> Json {
    object(vec![("title", "Kubernetes".into()), ("version", "v1.36.2".into())])
}

fn version2(server: &ApiServer) -> Json {
    let mut found: BTreeMap<&'static str, &'static Schema> = BTreeMap::new();
    server.all_rows().for_each(|row| collect(row.info.schema, &mut found));
    let mut definitions = Json::object();
    for (name, schema) in &found {
        definitions.set(*name, definition(server, schema, "#/definitions/"));
    }
    object(vec![
        ("swagger", "2.0".into()),
        ("info", info()),
        ("paths", Json::object()),
        ("definitions", definitions),
    ])
}

fn version3(server: &ApiServer, group: &str, version: &str) -> Option<Json> {
    let rows: Vec<_> = server
        .all_rows()
        .filter(|row| row.info.group == group && row.info.version == version)
        .collect();
    if rows.is_empty() {
        return None;
    }
    let mut found: BTreeMap<&'static str, &'static Schema> = BTreeMap::new();
    let mut paths = Json::object();
    for row in rows {
        collect(row.info.schema, &mut found);
        let mut path = format!("/{}/", path_of(group, version));
        if row.info.namespaced {
            path.push_str("namespaces/{namespace}/");
        }
        let _ = write!(path, "{}", row.info.plural);
        let kind = object(vec![
            ("group", group.into()),
            ("version", version.into()),
            ("kind", row.info.kind.into()),
        ]);
        let reference = format!("#/components/schemas/{}", row.info.schema.definition);
        let schema = object(vec![("$ref", reference.into())]);
        paths.set(path.clone(), collection(row, &kind, &schema));
        paths.set(format!("{path}/{{name}}"), single(row, &kind, &schema));
    }
    let mut schemas = Json::object();
    for (name, schema) in &found {
        schemas.set(*name, definition(server, schema, "#/components/schemas/"));
    }
    Some(object(vec![
        ("openapi", "3.0.0".into()),
        ("info", info()),
        ("paths", paths),
        ("components", object(vec![("schemas", schemas)])),
    ]))
}

fn operation(action: &str, kind: &Json, parameters: &[&str], schema: &Json) -> Json {
    let parameters = parameters.iter().map(|name| {
        object(vec![
            ("name", (*name).into()),
            ("in", "query".into()),
            ("schema", object(vec![("type", "string".into()), ("uniqueItems", true.into())])),
        ])
    });
    let content = object(vec![("application/json", object(vec![("schema", schema.clone())]))]);
    let ok = object(vec![("description", "OK".into()), ("content", content)]);
    object(vec![
        ("parameters", Json::Array(parameters.collect())),
        ("responses", object(vec![("200", ok)])),
        ("x-kubernetes-action", action.into()),
        ("x-kubernetes-group-version-kind", kind.clone()),
    ])
}

const WRITE: &[&str] = &["dryRun", "fieldManager", "fieldValidation"];

fn collection(row: &registry::Row, kind: &Json, schema: &Json) -> Json {
    let mut path = Json::object();
    if row.verbs.contains(&"list") {
        path.set("get", operation("list", kind, &["labelSelector", "fieldSelector"], schema));
    }
    if row.verbs.contains(&"create") {
        path.set("post", operation("post", kind, WRITE, schema));
    }
    path
}

fn single(row: &registry::Row, kind: &Json, schema: &Json) -> Json {
    let mut path = Json::object();
    if row.verbs.contains(&"get") {
        path.set("get", operation("get", kind, &[], schema));
    }
    if row.verbs.contains(&"update") {
        path.set("put", operation("put", kind, WRITE, schema));
    }
    if row.verbs.contains(&"patch") {
        let force = &["dryRun", "fieldManager", "fieldValidation", "force"];
        path.set("patch", operation("patch", kind, force, schema));
    }
    if row.verbs.contains(&"delete") {
        path.set("delete", operation("delete", kind, &["dryRun"], schema));
    }
    path
}

/// All structs that a schema reaches.
fn collect(schema: &'static Schema, found: &mut BTreeMap<&'static str, &'static Schema>) {
    if found.insert(schema.definition, schema).is_some() {
        return;
    }
    for field in schema.fields {
        let mut ty = &field.ty;
        while let Ty::List(inner) | Ty::Map(inner) = ty {
            ty = inner;
        }
        if let Ty::Struct(inner) = ty {
            collect(inner, found);
        }
    }
}

fn definition(server: &ApiServer, schema: &Schema, prefix: &str) -> Json {
    let row = server.all_rows().find(|row| row.info.schema.definition == schema.definition);
    if let Some((row, custom)) = row.and_then(|row| Some((row, row.custom?))) {
        return super::openapi_custom::definition(row, custom, prefix);
    }
    let mut properties = Json::object();
    let mut required = Vec::new();
    if row.is_some() {
        properties.set("apiVersion", texts::described("apiVersion", "string"));
        properties.set("kind", texts::described("kind", "string"));
    }
    for field in schema.fields {
        let mut own = property(field, prefix);
        if let Some(text) = texts::of(schema.definition, field.name) {
            own.set("description", text);
        }
        properties.set(field.name, own);
        if field.required {
            required.push(Json::from(field.name));
        }
    }
    let mut json = object(vec![("type", "object".into())]);
    if !required.is_empty() {
        json.set("required", Json::Array(required));
    }
    json.set("properties", properties);
    if let Some(row) = row {
        let kind = object(vec![
            ("group", row.info.group.into()),
            ("version", row.info.version.into()),
            ("kind", row.info.kind.into()),
        ]);
        json.set("x-kubernetes-group-version-kind", Json::Array(vec![kind]));
    }
    json
}

fn property(field: &Field, prefix: &str) -> Json {
    let mut json = ty(&field.ty, prefix, field.atomic);
    if matches!(field.ty, Ty::List(_)) {
        let list = match field.list {
            ListType::Atomic => "atomic",
            ListType::Set => "set",
            ListType::Map => "map",
        };
        json.set("x-kubernetes-list-type", list);
        if !field.keys.is_empty() {
            let keys = field.keys.iter().map(|key| Json::from(*key)).collect::<Vec<_>>();
            json.set("x-kubernetes-list-map-keys", Json::Array(keys));
        }
    }
    if field.atomic {
        json.set("x-kubernetes-map-type", "atomic");
    }
    let strategy = match (field.merge, field.retain_keys) {
        (true, true) => "merge,retainKeys",
        (true, false) => "merge",
        (false, true) => "retainKeys",
        (false, false) => "",
    };
    if !strategy.is_empty() {
        json.set("x-kubernetes-patch-strategy", strategy);
    }
    if !field.patch_key.is_empty() {
        json.set("x-kubernetes-patch-merge-key", field.patch_key);
    }
    json
}

fn ty(ty_of: &Ty, prefix: &str, wrap: bool) -> Json {
    let named = |name: &str, format: &str| {
        let mut json = object(vec![("type", name.into())]);
        if !format.is_empty() {
            json.set("format", format);
        }
        json
    };
    match ty_of {
        Ty::Bool => named("boolean", ""),
        Ty::Int32 => named("integer", "int32"),
        Ty::Int64 => named("integer", "int64"),
        Ty::Float => named("number", "double"),
        Ty::Str | Ty::Quantity => named("string", ""),
        Ty::Bytes => named("string", "byte"),
        Ty::Time | Ty::MicroTime => named("string", "date-time"),
        Ty::IntOrString => named("string", "int-or-string"),
        Ty::Any | Ty::Open | Ty::Fields => named("object", ""),
        Ty::Struct(schema) => {
            let reference = object(vec![("$ref", format!("{prefix}{}", schema.definition).into())]);
            match prefix.contains("components") || wrap {
                true => object(vec![("allOf", Json::Array(vec![reference]))]),
                false => reference,
            }
        }
        Ty::List(item) => {
            let mut json = named("array", "");
            json.set("items", ty(item, prefix, false));
            json
        }
        Ty::Map(item) => {
            let mut json = named("object", "");
            json.set("additionalProperties", ty(item, prefix, false));
            json
        }
    }
}
