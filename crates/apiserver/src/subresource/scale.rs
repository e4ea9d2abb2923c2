//! scale: the number of replicas, alike for all kinds that have one.

use std::sync::Arc;

use api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use api::autoscaling::v1::{Scale, ScaleSpec, ScaleStatus};
use api::codec::Decode;
use api::core::v1::ReplicationController;
use api::meta::v1::ObjectMeta;
use api::object::{Kind, Object};
use api::selector::Selector;
use api::wire::{Answer, MODIFIED, Patch, Reply, Subresource, conflict, not_found};
use base::Str;

use crate::errors::{self, Refusal, field_error};
use crate::registry::{self, Row};
use crate::verbs;
use crate::{ApiServer, Write};

/// Reads the scale.
pub(super) fn get(server: &ApiServer, row: &Row, namespace: &str, name: &str) -> Reply {
    let object = server.stored(row, namespace, name).ok_or_else(|| not_found(row.info, name))?;
    Ok(Answer::Object(Object::new(scale_of(object)), false))
}

/// Sets the number of replicas.
pub(super) fn update(
    server: &mut ApiServer,
    write: &mut Write,
    row: &'static Row,
    namespace: &str,
    name: &str,
    wanted: &Object,
) -> Reply {
    let Some(scale) = wanted.get::<Scale>() else {
        return Err(errors::bad_request("expected input object type to be Scale"));
    };
    let Some(old) = server.stored(row, namespace, name).cloned() else {
        return Err(not_found(row.info, name));
    };
    if !scale.metadata.name.is_empty() && scale.metadata.name != name {
        return Err(errors::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({name})",
            scale.metadata.name
        )));
    }
    check(name, scale)?;
    let version = &scale.metadata.resource_version;
    if !version.is_empty() && *version != old.meta().resource_version {
        return Err(conflict(row.info, name, MODIFIED));
    }
    let mut new = old.clone();
    match row.custom {
        Some(custom) => custom.set_replicas(&mut new, scale.spec.replicas),
        None => set_replicas(&mut new, scale.spec.replicas),
    }
    let inner = &mut Write { subresource: Subresource::None, ..write.clone() };
    let stored = server.replace(inner, row, old, new)?;
    Ok(Answer::Object(Object::new(scale_of(&stored)), false))
}

/// Patches the scale as if it were an object of its own.
pub(super) fn patch(
    server: &mut ApiServer,
    write: &mut Write,
    row: &'static Row,
    namespace: &str,
    name: &str,
    patch: Patch,
) -> Reply {
    let old = server.stored(row, namespace, name).ok_or_else(|| not_found(row.info, name))?;
    let shown = Object::new(scale_of(old)).to_json();
    let changed = match patch {
        Patch::Apply { body, .. } => api::patch::merge::apply(shown, &body)
            .map_err(|e| errors::bad_request(e.to_string()))?,
        other => verbs::patched(Scale::INFO, &shown, other)?,
    };
    let mut cx = Decode::new();
    let scale = Object::decode(Scale::INFO, changed, &mut cx);
    if let Some(error) = cx.error {
        return Err(errors::bad_request(error));
    }
    update(server, write, row, namespace, name, &scale)
}

fn check(name: &str, scale: &Scale) -> Result<(), Refusal> {
    if scale.spec.replicas >= 0 {
        return Ok(());
    }
    let text =
        format!("Invalid value: {}: must be greater than or equal to 0", scale.spec.replicas);
    let error = field_error("FieldValueInvalid", "spec.replicas", text);
    Err(errors::invalid(Scale::INFO, name, &[error]))
}

fn set_replicas(object: &mut Object, replicas: i32) {
    if let Some(deployment) = object.edit_as::<Deployment>() {
        Arc::make_mut(&mut deployment.spec).replicas = Some(replicas);
    } else if let Some(set) = object.edit_as::<ReplicaSet>() {
        Arc::make_mut(&mut set.spec).replicas = Some(replicas);
    } else if let Some(set) = object.edit_as::<StatefulSet>() {
        Arc::make_mut(&mut set.spec).replicas = Some(replicas);
    } else if let Some(controller) = object.edit_as::<ReplicationController>() {
        Arc::make_mut(&mut controller.spec).replicas = Some(replicas);
    }
}

/// The scale of an object that has one.
pub(crate) fn scale_of(object: &Object) -> Scale {
    let text = |selector: &api::meta::v1::LabelSelector| {
        Str::from(Selector::of(selector).unwrap_or_default().to_string())
    };
    let (wanted, now, selector) = if let Some(deployment) = object.get::<Deployment>() {
        let selector = text(&deployment.spec.selector);
        (deployment.spec.replicas, deployment.status.replicas, selector)
    } else if let Some(set) = object.get::<ReplicaSet>() {
        (set.spec.replicas, set.status.replicas, text(&set.spec.selector))
    } else if let Some(set) = object.get::<StatefulSet>() {
        (set.spec.replicas, set.status.replicas, text(&set.spec.selector))
    } else if let Some(controller) = object.get::<ReplicationController>() {
        let labels = Selector::from_labels(controller.spec.selector.iter());
        (controller.spec.replicas, controller.status.replicas, labels.to_string().into())
    } else {
        let custom = registry::of(object.info()).and_then(|row| row.custom);
        let found = custom.and_then(|custom| custom.scale_of(object));
        let (wanted, now, selector) = found.unwrap_or_default();
        (Some(wanted), now, Str::from(selector))
    };
    let meta = object.meta();
    Scale {
        metadata: Arc::new(ObjectMeta {
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            uid: meta.uid.clone(),
            resource_version: meta.resource_version.clone(),
            creation_timestamp: meta.creation_timestamp,
            ..ObjectMeta::default()
        }),
        spec: Arc::new(ScaleSpec { replicas: wanted.unwrap_or(0) }),
        status: Arc::new(ScaleStatus { replicas: now, selector }),
    }
}
