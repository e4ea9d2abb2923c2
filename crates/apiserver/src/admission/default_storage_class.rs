//! DefaultStorageClass: claims that name no class get the default one.

use std::sync::Arc;

use api::core::v1::PersistentVolumeClaim;
use api::object::{Kind, Object};
use api::storage::v1::StorageClass;

use crate::ApiServer;
use crate::registry;

const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
const DEFAULT_BETA: &str = "storageclass.beta.kubernetes.io/is-default-class";
const CLASS_BETA: &str = "volume.beta.kubernetes.io/storage-class";

/// Sets the class of a new claim. Of several defaults the newest counts, then the first by name.
pub(super) fn admit(server: &ApiServer, object: &mut Object) {
    let Some(claim) = object.get::<PersistentVolumeClaim>() else { return };
    if claim.spec.storage_class_name.is_some()
        || claim.metadata.annotations.contains_key(CLASS_BETA)
        || !claim.metadata.uid.is_empty()
    {
        return;
    }
    let row = registry::of(StorageClass::INFO).expect("registered");
    let is_default = |class: &&StorageClass| {
        let notes = &class.metadata.annotations;
        [DEFAULT, DEFAULT_BETA].iter().any(|key| notes.text(key) == Some("true"))
    };
    let best = server
        .objects(row, "")
        .filter_map(|object| object.get::<StorageClass>())
        .filter(is_default)
        .min_by_key(|class| {
            let age = class.metadata.creation_timestamp.map(|at| -at.unix_seconds());
            (age, class.metadata.name.clone())
        });
    let Some(name) = best.map(|class| class.metadata.name.clone()) else { return };
    if let Some(claim) = object.edit_as::<PersistentVolumeClaim>() {
        Arc::make_mut(&mut claim.spec).storage_class_name = Some(name);
    }
}
