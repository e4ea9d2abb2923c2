//! `apps`.

use api::apps::v1::*;
use api::object::{Kind, Object};
use api::wire::Subresource;
use base::Str;

use super::Row;

const SCALED: &[Subresource] = &[Subresource::Scale, Subresource::Status];

/// The rows.
pub static ROWS: &[Row] = &[
    Row::new(ControllerRevision::INFO),
    Row::with_status(DaemonSet::INFO),
    Row {
        subresources: SCALED,
        generation_annotations: true,
        ..Row::with_status(Deployment::INFO)
    },
    Row {
        subresources: SCALED,
        selectable: &["status.replicas"],
        read: replica_set_field,
        ..Row::with_status(ReplicaSet::INFO)
    },
    Row { subresources: SCALED, ..Row::with_status(StatefulSet::INFO) },
];

fn replica_set_field(object: &Object, path: &str) -> Option<Str> {
    let set = object.get::<ReplicaSet>()?;
    (path == "status.replicas").then(|| set.status.replicas.to_string().into())
}
