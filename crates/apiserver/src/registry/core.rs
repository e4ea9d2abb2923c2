//! The core group, but for pods and services.

use std::sync::Arc;

use api::core::v1::*;
use api::object::{Kind, Object};
use api::wire::Subresource;
use base::{Str, lit};

use super::{Cx, Row};

/// The rows.
pub static ROWS: &[Row] = &[
    Row { verbs: &["create"], ..Row::new(Binding::INFO) },
    Row { verbs: &["get", "list"], ..Row::new(ComponentStatus::INFO) },
    Row::new(ConfigMap::INFO),
    Row { prefix: "services/endpoints", create_on_update: true, ..Row::new(Endpoints::INFO) },
    Row {
        create_on_update: true,
        selectable: EVENT_FIELDS,
        read: event_field,
        ..Row::new(Event::INFO)
    },
    Row { create_on_update: true, ..Row::new(LimitRange::INFO) },
    Row {
        subresources: &[Subresource::Status, Subresource::Finalize],
        prepare_create: namespace_create,
        prepare_update: namespace_update,
        selectable: &["status.phase", "name"],
        read: namespace_field,
        verbs: &["create", "delete", "get", "list", "patch", "update", "watch"],
        ..Row::new(Namespace::INFO)
    },
    Row {
        prefix: "minions",
        subresources: &[Subresource::Status],
        resets_status: false,
        selectable: &["spec.unschedulable"],
        read: node_field,
        ..Row::new(Node::INFO)
    },
    Row {
        subresources: &[Subresource::Status],
        returns_deleted: true,
        prepare_create: volume_create,
        prepare_update: volume_update,
        selectable: &["name"],
        read: name_field,
        ..Row::new(PersistentVolume::INFO)
    },
    Row {
        subresources: &[Subresource::Status],
        returns_deleted: true,
        prepare_create: claim_create,
        selectable: &["name"],
        read: name_field,
        ..Row::new(PersistentVolumeClaim::INFO)
    },
    Row {
        generation: true,
        create_on_update: true,
        returns_deleted: true,
        ..Row::new(PodTemplate::INFO)
    },
    Row {
        prefix: "controllers",
        subresources: &[Subresource::Status, Subresource::Scale],
        returns_deleted: true,
        orphans: true,
        selectable: &["status.replicas"],
        read: controller_field,
        ..Row::with_status(ReplicationController::INFO)
    },
    Row {
        subresources: &[Subresource::Status],
        returns_deleted: true,
        ..Row::new(ResourceQuota::INFO)
    },
    Row { selectable: &["type"], read: secret_field, ..Row::new(Secret::INFO) },
    Row {
        subresources: &[Subresource::Token],
        returns_deleted: true,
        ..Row::new(ServiceAccount::INFO)
    },
];

fn name_field(object: &Object, path: &str) -> Option<Str> {
    (path == "name").then(|| object.name().clone())
}

pub(super) const EVENT_FIELDS: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
];

pub(super) fn event_field(object: &Object, path: &str) -> Option<Str> {
    let event = object.get::<Event>()?;
    let about = &event.involved_object;
    // `events.k8s.io` has other words for the same fields.
    let path = match path.strip_prefix("regarding.") {
        Some(rest) => &format!("involvedObject.{rest}"),
        None if path == "reportingController" => "reportingComponent",
        None => path,
    };
    Some(match path {
        "involvedObject.kind" => about.kind.clone(),
        "involvedObject.namespace" => about.namespace.clone(),
        "involvedObject.name" => about.name.clone(),
        "involvedObject.uid" => about.uid.clone(),
        "involvedObject.apiVersion" => about.api_version.clone(),
        "involvedObject.resourceVersion" => about.resource_version.clone(),
        "involvedObject.fieldPath" => about.field_path.clone(),
        "reason" => event.reason.clone(),
        "reportingComponent" => event.reporting_component.clone(),
        "source" if event.source.component.is_empty() => event.reporting_component.clone(),
        "source" => event.source.component.clone(),
        "type" => event.type_.clone(),
        _ => return None,
    })
}

fn namespace_create(object: &mut Object, _: &Cx) {
    let Some(namespace) = object.edit_as::<Namespace>() else { return };
    let status = NamespaceStatus { phase: lit!("Active"), ..NamespaceStatus::default() };
    namespace.status = Arc::new(status);
    let kubernetes = lit!("kubernetes");
    if !namespace.spec.finalizers.contains(&kubernetes) {
        Arc::make_mut(&mut namespace.spec).finalizers.push(kubernetes);
    }
}

fn namespace_update(new: &mut Object, old: &Object, cx: &Cx) {
    let (Some(new), Some(old)) = (new.edit_as::<Namespace>(), old.get::<Namespace>()) else {
        return;
    };
    match cx.subresource {
        // Only the finalize call may change the spec's finalizers.
        Subresource::Finalize => new.status = old.status.clone(),
        _ => {
            Arc::make_mut(&mut new.spec).finalizers = old.spec.finalizers.clone();
        }
    }
}

fn namespace_field(object: &Object, path: &str) -> Option<Str> {
    match path {
        "status.phase" => Some(object.get::<Namespace>()?.status.phase.clone()),
        "name" => Some(object.name().clone()),
        _ => None,
    }
}

fn node_field(object: &Object, path: &str) -> Option<Str> {
    let node = object.get::<Node>()?;
    (path == "spec.unschedulable")
        .then(|| if node.spec.unschedulable { lit!("true") } else { lit!("false") })
}

fn volume_create(object: &mut Object, cx: &Cx) {
    let Some(volume) = object.edit_as::<PersistentVolume>() else { return };
    volume.status = Arc::new(PersistentVolumeStatus {
        phase: lit!("Pending"),
        last_phase_transition_time: Some(cx.now.into()),
        ..PersistentVolumeStatus::default()
    });
}

fn volume_update(new: &mut Object, old: &Object, cx: &Cx) {
    let (Some(new), Some(old)) = (new.edit_as::<PersistentVolume>(), old.get::<PersistentVolume>())
    else {
        return;
    };
    let moved = cx.subresource == Subresource::Status && new.status.phase != old.status.phase;
    let given = &new.status.last_phase_transition_time;
    if moved && (given.is_none() || *given == old.status.last_phase_transition_time) {
        Arc::make_mut(&mut new.status).last_phase_transition_time = Some(cx.now.into());
    }
}

fn claim_create(object: &mut Object, _: &Cx) {
    let Some(claim) = object.edit_as::<PersistentVolumeClaim>() else { return };
    claim.status = Arc::new(PersistentVolumeClaimStatus {
        phase: lit!("Pending"),
        ..PersistentVolumeClaimStatus::default()
    });
}

fn controller_field(object: &Object, path: &str) -> Option<Str> {
    let controller = object.get::<ReplicationController>()?;
    (path == "status.replicas").then(|| controller.status.replicas.to_string().into())
}

fn secret_field(object: &Object, path: &str) -> Option<Str> {
    (path == "type").then(|| object.get::<Secret>().map(|secret| secret.type_.clone()))?
}
