//! Controller revisions: the history of templates that StatefulSets and DaemonSets keep.

use std::sync::Arc;

use api::apps::v1::ControllerRevision;
use api::codec::{Decode, Value};
use api::core::v1::PodTemplateSpec;
use api::hash::{controller_revision_data, controller_revision_hash};
use api::json::Json;
use api::meta::v1::ObjectMeta;
use api::object::Resource;
use base::list;
use client::owner::controller_reference;

/// The history entry for a template: its JSON as a patch that replaces the template.
pub fn data(template: &PodTemplateSpec) -> Json {
    controller_revision_data(&template.to_json())
}

/// The template that a history entry holds.
pub fn template(revision: &ControllerRevision) -> Option<PodTemplateSpec> {
    let mut json = revision.data.at(&["spec", "template"])?.clone();
    json.remove("$patch");
    let mut template = PodTemplateSpec::default();
    template.take(json, &mut Decode::new());
    Some(template)
}

/// The hash of a history entry.
pub fn hash_of(data: &Json, collisions: i32) -> String {
    let mut bytes = Vec::new();
    data.write(&mut bytes);
    controller_revision_hash(&bytes, Some(collisions))
}

/// The revisions that `owner` controls, oldest first.
pub fn history<'a>(
    revisions: impl Iterator<Item = &'a ControllerRevision>,
) -> Vec<&'a ControllerRevision> {
    let mut revisions: Vec<&ControllerRevision> = revisions.collect();
    base::sort::by(&mut revisions, |a, b| {
        let order = |r: &ControllerRevision| (r.revision, r.metadata.creation_timestamp);
        order(a).cmp(&order(b)).then_with(|| a.metadata.name.cmp(&b.metadata.name))
    });
    revisions
}

/// A new revision of `owner`, labelled with its hash under `label`.
pub fn new(
    owner: &dyn Resource,
    template: &PodTemplateSpec,
    number: i64,
    label: &'static str,
    hash: &str,
) -> ControllerRevision {
    let meta = owner.meta();
    let mut labels = template.metadata.labels.clone();
    labels.insert(label, hash.into());
    ControllerRevision {
        data: data(template),
        metadata: Arc::new(ObjectMeta {
            name: format!("{}-{hash}", meta.name).into(),
            namespace: meta.namespace.clone(),
            labels,
            annotations: meta.annotations.clone(),
            owner_references: list![controller_reference(owner)],
            ..ObjectMeta::default()
        }),
        revision: number,
    }
}

/// The oldest revisions beyond the limit that nothing uses.
pub fn surplus<'a>(
    history: &[&'a ControllerRevision],
    limit: Option<i32>,
    live: impl Fn(&ControllerRevision) -> bool,
) -> Vec<&'a ControllerRevision> {
    let limit = usize::try_from(limit.unwrap_or(10)).unwrap_or(0);
    let dead: Vec<&ControllerRevision> =
        history.iter().copied().filter(|revision| !live(revision)).collect();
    let surplus = dead.len().saturating_sub(limit);
    dead.into_iter().take(surplus).collect()
}
