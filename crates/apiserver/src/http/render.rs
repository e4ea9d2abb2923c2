//! Answers as documents: objects, lists, tables, metadata only.

use api::Json;
use api::object::{KindInfo, Object};
use api::wire::{Answer, ObjectList};
use base::{Instant, Str};

use super::negotiate::Format;
use super::query::Query;
use super::{Content, status_json};
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
            Format::Whole => Content::Json(object.to_json()),
            Format::Metadata => Content::Json(metadata_only(object)),
            Format::Table => {
                let items = std::slice::from_ref(object);
                let meta = list_meta(&object.meta().resource_version, "", None);
                Content::Json(table::of(now, object.info(), items, meta, include(query), true))
            }
        },
        Answer::List(list) => Content::Json(list_of(now, kind, list, format, query)),
    }
}

fn list_of(
    now: Instant,
    kind: &'static KindInfo,
    list: &ObjectList,
    format: Format,
    query: &Query,
) -> Json {
    let revision = list.revision.to_string();
    let meta = list_meta(&revision, &list.continue_token, list.remaining);
    let (list_kind, api_version, items) = match format {
        Format::Table => {
            return table::of(now, kind, &list.items, meta, include(query), true);
        }
        Format::Whole => {
            let custom = crate::registry::of(kind).is_some_and(|row| row.custom.is_some());
            let items = list.items.iter().map(|object| {
                let mut item = object.to_json();
                // The list says once what its items are, but for custom kinds.
                if !custom {
                    item.remove("kind");
                    item.remove("apiVersion");
                }
                item
            });
            (format!("{}List", kind.kind), kind.api_version(), items.collect())
        }
        Format::Metadata => {
            let items: Vec<Json> = list.items.iter().map(metadata_only).collect();
            ("PartialObjectMetadataList".to_string(), "meta.k8s.io/v1".to_string(), items)
        }
    };
    let mut json = Json::object();
    json.set("kind", list_kind);
    json.set("apiVersion", api_version);
    json.set("metadata", meta);
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
    meta.set("resourceVersion", revision);
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
