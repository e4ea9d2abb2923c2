//! Answers as documents: objects, lists, tables, metadata only.

use api::Json;
use api::object::{KindInfo, Object};
use api::wire::{Answer, ObjectList};
use base::{Instant, Str};

use super::negotiate::Format;
use super::query::Query;
use super::{Content, List, status_json};
use crate::table;

/// What a successful answer is written as.
pub(super) fn answer(
    now: Instant,
    kind: &'static KindInfo,
    answer: &Answer,
    format: Format,
    query: &Query,
) -> Content {
    match answer {
        Answer::Status(status) => Content::Json(status_json(status)),
        Answer::Object(object, _) => match format {
            Format::Whole => Content::Object(object.clone()),
            Format::Metadata => Content::Json(metadata_only(object)),
            Format::Table => {
                let items = std::slice::from_ref(object);
                let meta = list_meta(&object.meta().resource_version, "", None);
                Content::Json(table::of(now, object.info(), items, meta, include(query), true))
            }
        },
        Answer::List(list) => list_of(now, kind, list, format, query),
    }
}

fn list_of(
    now: Instant,
    kind: &'static KindInfo,
    list: &ObjectList,
    format: Format,
    query: &Query,
) -> Content {
    let revision = list.revision.to_string();
    let metadata = list_meta(&revision, &list.continue_token, list.remaining);
    match format {
        Format::Table => {
            Content::Json(table::of(now, kind, &list.items, metadata, include(query), true))
        }
        Format::Whole => Content::List(List {
            kind: format!("{}List", kind.kind),
            api_version: kind.api_version(),
            metadata,
            items: list.items.clone(),
            // The list says once what its items are, but for custom kinds.
            kind_in_items: crate::registry::of(kind).is_some_and(|row| row.custom.is_some()),
        }),
        Format::Metadata => {
            let items: Vec<Json> = list.items.iter().map(metadata_only).collect();
            let kind = "PartialObjectMetadataList";
            Content::Json(list_document(kind, "meta.k8s.io/v1", metadata, items))
        }
    }
}

/// A list as a JSON tree.
pub(super) fn list_document(
    kind: &str,
    api_version: &str,
    metadata: Json,
    items: Vec<Json>,
) -> Json {
    let mut json = Json::object();
    json.set("kind", kind);
    json.set("apiVersion", api_version);
    json.set("metadata", metadata);
    json.set("items", Json::Array(items));
    json
}

pub(super) fn include(query: &Query) -> table::Include {
    match query.text("includeObject") {
        "None" => table::Include::None,
        "Object" => table::Include::Object,
        _ => table::Include::Metadata,
    }
}

fn list_meta(revision: &str, token: &str, remaining: Option<i64>) -> Json {
    let mut meta = Json::object();
    // What is not stored has no revision.
    if !matches!(revision, "" | "0") {
        meta.set("resourceVersion", revision);
    }
    if !token.is_empty() {
        meta.set("continue", token);
    }
    if let Some(remaining) = remaining {
        meta.set("remainingItemCount", remaining);
    }
    meta
}

/// An object of which only the metadata is shown.
pub(crate) fn metadata_only(object: &Object) -> Json {
    let mut json = Json::object();
    json.set("kind", "PartialObjectMetadata");
    json.set("apiVersion", Str::from("meta.k8s.io/v1"));
    json.set("metadata", api::Value::to_json(&**object.meta()));
    json
}
