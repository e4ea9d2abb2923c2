//! `storage.k8s.io`: storage classes and CSI drivers.
//!
//! Models the defaults of `storage/v1`.
//!
//! Known deviations: none.

use api::Object;
use api::storage::v1::{CSIDriver, StorageClass};
use base::{list, lit};

use super::{by_kind, missing, part};

/// Fills in what an object of the group leaves out.
pub fn apply(object: &mut Object) {
    by_kind!(object, StorageClass => class, CSIDriver => driver);
}

fn class(class: &mut StorageClass) {
    missing(&mut class.reclaim_policy, lit!("Delete"));
    missing(&mut class.volume_binding_mode, lit!("Immediate"));
}

fn driver(driver: &mut CSIDriver) {
    part(&mut driver.spec, |spec| {
        missing(&mut spec.attach_required, true);
        missing(&mut spec.pod_info_on_mount, false);
        missing(&mut spec.storage_capacity, false);
        missing(&mut spec.fs_group_policy, lit!("ReadWriteOnceWithFSType"));
        missing(&mut spec.requires_republish, false);
        missing(&mut spec.se_linux_mount, false);
        if spec.volume_lifecycle_modes.is_empty() {
            spec.volume_lifecycle_modes = list![lit!("Persistent")];
        }
    });
}
