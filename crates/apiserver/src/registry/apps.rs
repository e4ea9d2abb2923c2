//! `apps`.

use std::sync::Arc;

use api::apps::v1::*;
use api::object::{Kind, Object};
use api::wire::Subresource;
use base::{Str, lit};

use super::{Cx, Row};

const SCALED: &[Subresource] = &[Subresource::Scale, Subresource::Status];

/// The rows.
pub static ROWS: &[Row] = &[
    Row::new(ControllerRevision::INFO),
    Row {
        settle: daemon_set_settle,
        prepare_create: daemon_set_create,
        prepare_update: daemon_set_update,
        ..Row::with_status(DaemonSet::INFO)
    },
    Row {
        subresources: SCALED,
        generation_annotations: true,
        ..Row::with_status(Deployment::INFO)
    },
    Row {
        subresources: SCALED,
        selectable: &["status.replicas"],
        read: replica_set_field,
        ..Row::with_status(ReplicaSet::INFO)
    },
    Row {
        subresources: SCALED,
        prepare_create: stateful_set_create,
        prepare_update: |new, old, _| drop_max_unavailable(new, Some(old)),
        ..Row::with_status(StatefulSet::INFO)
    },
];

/// Where the old counter of template changes is still kept.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

fn daemon_set_settle(object: &mut Object) {
    if !object.meta().annotations.contains_key(TEMPLATE_GENERATION) {
        object.edit().meta_mut().annotations.insert(TEMPLATE_GENERATION, lit!("0"));
    }
}

fn daemon_set_create(object: &mut Object, _: &Cx) {
    object.edit().meta_mut().annotations.insert(TEMPLATE_GENERATION, lit!("1"));
}

fn daemon_set_update(new: &mut Object, old: &Object, _: &Cx) {
    let (Some(set), Some(before)) = (new.get::<DaemonSet>(), old.get::<DaemonSet>()) else {
        return;
    };
    let count = before.metadata.annotations.text(TEMPLATE_GENERATION);
    let mut count: i64 = count.and_then(|text| text.parse().ok()).unwrap_or(1);
    count += i64::from(set.spec.template != before.spec.template);
    if set.metadata.annotations.text(TEMPLATE_GENERATION) != Some(&*count.to_string()) {
        let annotations = &mut new.edit().meta_mut().annotations;
        annotations.insert(TEMPLATE_GENERATION, Str::from(count.to_string()));
    }
}

fn stateful_set_create(object: &mut Object, _: &Cx) {
    if let Some(set) = object.edit_as::<StatefulSet>() {
        Arc::make_mut(&mut set.status).available_replicas = Some(0);
    }
    drop_max_unavailable(object, None);
}

/// v1.36 leaves the feature gate of `maxUnavailable` off: the field is dropped unless the set has it already.
fn drop_max_unavailable(new: &mut Object, old: Option<&Object>) {
    let has = |set: &StatefulSet| {
        let update = set.spec.update_strategy.rolling_update.as_ref();
        update.is_some_and(|update| update.max_unavailable.is_some())
    };
    if old.and_then(|old| old.get::<StatefulSet>()).is_some_and(has)
        || !new.get::<StatefulSet>().is_some_and(has)
    {
        return;
    }
    if let Some(set) = new.edit_as::<StatefulSet>() {
        let update = &mut Arc::make_mut(&mut set.spec).update_strategy.rolling_update;
        update.get_or_insert_default().max_unavailable = None;
    }
}

fn replica_set_field(object: &Object, path: &str) -> Option<Str> {
    let set = object.get::<ReplicaSet>()?;
    (path == "status.replicas").then(|| set.status.replicas.to_string().into())
}
