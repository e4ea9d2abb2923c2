//! Objects as rows of a `meta.k8s.io/v1` table, which is what `kubectl get` shows.
//!
//! Models the printers of the API server: one function for each kind gives the cells under the columns of
//! [`columns`].
//!
//! Known deviations:
//! - Columns have no descriptions.

mod cluster;
mod columns;
mod config;
mod format;
mod network;
mod pod;
mod resource;
mod storage;
mod workload;

use api::Json;
use api::object::{KindInfo, Object};
use base::Instant;

use crate::http::metadata_only;
use crate::registry;
pub(crate) use format::between;

/// What a row carries of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Include {
    None,
    #[default]
    Metadata,
    Object,
}

/// What cells are made from.
pub(crate) struct Cx {
    pub now: Instant,
}

/// The table of some objects of one kind.
pub(crate) fn of(
    now: Instant,
    kind: &'static KindInfo,
    items: &[Object],
    meta: Json,
    include: Include,
    with_columns: bool,
) -> Json {
    let cx = Cx { now };
    let custom = registry::of(kind).and_then(|row| row.custom);
    let definitions: Vec<Json> = match custom {
        Some(custom) => {
            let name = define("Name", "string", "name", "", 0);
            let more = custom.columns.iter().map(|column| {
                define(
                    &column.name,
                    &column.ty,
                    &column.format,
                    &column.description,
                    column.priority,
                )
            });
            std::iter::once(name).chain(more).collect()
        }
        None => columns::of(kind.kind)
            .map(|column| define(column.name, column.ty, column.format, "", column.priority))
            .collect(),
    };
    let rows = items.iter().map(|object| row(&cx, object, include));
    let mut table = Json::object();
    table.set("kind", "Table");
    table.set("apiVersion", "meta.k8s.io/v1");
    table.set("metadata", meta);
    let definitions = if with_columns { definitions } else { Vec::new() };
    table.set("columnDefinitions", Json::Array(definitions));
    table.set("rows", Json::Array(rows.collect()));
    table
}

fn define(name: &str, ty: &str, format: &str, description: &str, priority: i64) -> Json {
    let mut json = Json::object();
    json.set("name", name);
    json.set("type", ty);
    json.set("format", format);
    json.set("description", description);
    json.set("priority", priority);
    json
}

fn row(cx: &Cx, object: &Object, include: Include) -> Json {
    let mut row = Json::object();
    row.set("cells", Json::Array(cells(cx, object)));
    match include {
        Include::None => row.set("object", Json::Null),
        Include::Metadata => row.set("object", metadata_only(object)),
        Include::Object => row.set("object", object.to_json()),
    }
    row
}

/// The cells of one object, one for each column of its kind.
pub(crate) fn cells(cx: &Cx, object: &Object) -> Vec<Json> {
    if let Some(custom) = registry::of(object.info()).and_then(|row| row.custom) {
        return custom.cells(cx.now, object);
    }
    let stored = registry::of(object.info()).and_then(|row| row.stored.as_ref());
    let object = &stored.map_or_else(|| object.clone(), |stored| (stored.to)(object, stored.info));
    let made = pod::cells(cx, object)
        .or_else(|| workload::cells(cx, object))
        .or_else(|| network::cells(cx, object))
        .or_else(|| storage::cells(cx, object))
        .or_else(|| config::cells(cx, object))
        .or_else(|| resource::cells(cx, object))
        .or_else(|| cluster::cells(cx, object));
    made.unwrap_or_else(|| vec![format::name(object), format::created(object)])
}
