//! What controllers read from and write to metadata: owners and references.

use api::core::v1::ObjectReference;
use api::meta::v1::{ObjectMeta, OwnerReference};
use api::object::Resource;
use api::selector::Selector;

/// The owner that controls the object, if it has one.
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().find(|owner| owner.controller == Some(true))
}

/// Whether `owner` controls the object.
pub fn is_controlled_by(meta: &ObjectMeta, owner: &ObjectMeta) -> bool {
    controller_of(meta).is_some_and(|reference| reference.uid == owner.uid)
}

/// Whether the labels of an object are selected.
pub fn selects(selector: &Selector, meta: &ObjectMeta) -> bool {
    selector.matches(|label| meta.labels.text(label))
}

/// The reference that makes `owner` the controller of an object, and its deletion wait for it.
pub fn controller_reference(owner: &dyn Resource) -> OwnerReference {
    OwnerReference {
        block_owner_deletion: Some(true),
        controller: Some(true),
        ..owner_reference(owner)
    }
}

/// A plain reference to an owner.
pub fn owner_reference(owner: &dyn Resource) -> OwnerReference {
    let (info, meta) = (owner.info(), owner.meta());
    OwnerReference {
        api_version: info.api_version().into(),
        kind: info.kind.into(),
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        ..OwnerReference::default()
    }
}

/// A reference to the object, as events hold it.
pub fn reference_to(object: &dyn Resource) -> ObjectReference {
    let (info, meta) = (object.info(), object.meta());
    ObjectReference {
        api_version: info.api_version().into(),
        kind: info.kind.into(),
        name: meta.name.clone(),
        namespace: meta.namespace.clone(),
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        ..ObjectReference::default()
    }
}
