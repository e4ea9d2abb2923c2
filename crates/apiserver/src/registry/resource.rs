//! `resource.k8s.io`: devices that pods claim.

use api::object::{Kind, KindInfo, Object};
use api::resource::v1::*;
use api::wire::Subresource;
use base::Str;

use super::Row;

const fn kept(info: &'static KindInfo) -> Row {
    Row { returns_deleted: true, ..Row::new(info) }
}

/// The rows.
pub static ROWS: &[Row] = &[
    Row { generation: true, ..kept(DeviceClass::INFO) },
    Row { subresources: &[Subresource::Status], ..kept(ResourceClaim::INFO) },
    kept(ResourceClaimTemplate::INFO),
    Row {
        generation: true,
        selectable: &["spec.driver", "spec.nodeName"],
        read,
        ..kept(ResourceSlice::INFO)
    },
];

fn read(object: &Object, path: &str) -> Option<Str> {
    let spec = &object.get::<ResourceSlice>()?.spec;
    match path {
        "spec.driver" => Some(spec.driver.clone()),
        "spec.nodeName" => Some(spec.node_name.clone().unwrap_or_default()),
        _ => None,
    }
}
