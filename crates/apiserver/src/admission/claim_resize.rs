//! PersistentVolumeClaimResize: only claims of classes that allow it may grow.

use api::core::v1::PersistentVolumeClaim;
use api::object::{Kind, Object};
use api::storage::v1::StorageClass;

use crate::ApiServer;
use crate::errors::{self, Refusal};
use crate::registry;

/// Refuses to grow a claim whose class does not allow it.
pub(super) fn validate(server: &ApiServer, old: &Object, new: &Object) -> Result<(), Refusal> {
    let claims = (old.get::<PersistentVolumeClaim>(), new.get::<PersistentVolumeClaim>());
    let (Some(old), Some(claim)) = claims else { return Ok(()) };
    let size = |claim: &PersistentVolumeClaim| {
        claim.spec.resources.requests.get("storage").cloned().unwrap_or_default()
    };
    if size(claim) <= size(old) {
        return Ok(());
    }
    let refuse = |why: &str| Err(errors::forbidden(PersistentVolumeClaim::INFO, new.name(), why));
    if old.status.phase != "Bound" {
        return refuse("Only bound persistent volume claims can be expanded");
    }
    let row = registry::of(StorageClass::INFO).expect("registered");
    let class = claim.spec.storage_class_name.as_deref().unwrap_or_default();
    let class = server.stored(row, "", class).and_then(|object| object.get::<StorageClass>());
    if class.is_some_and(|class| class.allow_volume_expansion == Some(true)) {
        return Ok(());
    }
    refuse(
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the \
         pvc must support resize",
    )
}
