//! `storage.k8s.io`.

use api::object::{Kind, KindInfo};
use api::storage::v1::*;
use api::wire::Subresource;

use super::Row;

const fn kept(info: &'static KindInfo) -> Row {
    Row { returns_deleted: true, ..Row::new(info) }
}

/// The rows.
pub static ROWS: &[Row] = &[
    Row { generation: true, unconditional: false, ..kept(CSIDriver::INFO) },
    Row { unconditional: false, ..kept(CSINode::INFO) },
    Row { unconditional: false, ..kept(CSIStorageCapacity::INFO) },
    kept(StorageClass::INFO),
    Row {
        subresources: &[Subresource::Status],
        unconditional: false,
        ..kept(VolumeAttachment::INFO)
    },
    kept(VolumeAttributesClass::INFO),
];
