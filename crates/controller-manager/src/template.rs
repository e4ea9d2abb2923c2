//! Pods made from a template.

use std::sync::Arc;

use api::core::v1::{Pod, PodTemplateSpec};
use api::meta::v1::ObjectMeta;
use api::object::Resource;
use api::placed::PlacedSpec;
use base::list;
use client::owner::controller_reference;

/// A pod of `owner` with a name yet to be generated. Clones share the spec.
pub fn pod(template: &PodTemplateSpec, owner: &dyn Resource) -> Pod {
    let meta = owner.meta();
    Pod {
        metadata: Arc::new(ObjectMeta {
            generate_name: format!("{}-", meta.name).into(),
            namespace: meta.namespace.clone(),
            labels: template.metadata.labels.clone(),
            annotations: template.metadata.annotations.clone(),
            finalizers: template.metadata.finalizers.clone(),
            owner_references: list![controller_reference(owner)],
            ..ObjectMeta::default()
        }),
        spec: PlacedSpec::new(Arc::new(template.spec.clone())),
        ..Pod::default()
    }
}
