//! StorageObjectInUseProtection: claims and volumes outlive their users.

use api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api::object::Object;
use base::lit;

/// Adds the protecting finalizer.
pub(super) fn admit(object: &mut Object) {
    let finalizer = if object.get::<PersistentVolumeClaim>().is_some() {
        lit!("kubernetes.io/pvc-protection")
    } else if object.get::<PersistentVolume>().is_some() {
        lit!("kubernetes.io/pv-protection")
    } else {
        return;
    };
    if !object.meta().finalizers.contains(&finalizer) {
        object.edit().meta_mut().finalizers.push(finalizer);
    }
}
