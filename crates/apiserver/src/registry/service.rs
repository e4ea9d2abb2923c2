//! Services and what they take from the pools of addresses and ports.

use api::core::v1::Service;
use api::object::{Kind, Object};
use api::wire::Subresource;
use base::{Str, lit};

use super::Row;
use crate::alloc;

/// The row.
pub static ROWS: &[Row] = &[Row {
    prefix: "services/specs",
    subresources: &[Subresource::Status],
    create_on_update: true,
    returns_deleted: true,
    reserve: Some(alloc::reserve),
    release: Some(alloc::release),
    selectable: &["spec.clusterIP", "spec.type"],
    read,
    ..Row::new(Service::INFO)
}];

fn read(object: &Object, path: &str) -> Option<Str> {
    let service = object.get::<Service>()?;
    match path {
        "spec.clusterIP" => Some(service.spec.cluster_ip.clone()),
        "spec.type" if service.spec.type_.is_empty() => Some(lit!("ClusterIP")),
        "spec.type" => Some(service.spec.type_.clone()),
        _ => None,
    }
}
