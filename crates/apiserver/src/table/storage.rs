//! Volumes, claims and classes.

use api::Json;
use api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api::object::Object;
use api::storage::v1::*;
use base::{List, Str};

use super::Cx;
use super::format::*;

const CLASS_BETA: &str = "volume.beta.kubernetes.io/storage-class";

/// The cells of a storage object.
pub(super) fn cells(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    let phase = |phase: &Str| match object.meta().deletion_timestamp {
        Some(_) => "Terminating".into(),
        None => Json::Str(phase.clone()),
    };
    let annotated = || object.meta().annotations.text(CLASS_BETA).unwrap_or_default().to_string();
    if let Some(claim) = object.get::<PersistentVolumeClaim>() {
        let (spec, status) = (&claim.spec, &claim.status);
        let bound = !spec.volume_name.is_empty();
        let size = status.capacity.get("storage").filter(|_| bound);
        let class = match annotated() {
            text if text.is_empty() => {
                spec.storage_class_name.as_deref().unwrap_or_default().to_string()
            }
            text => text,
        };
        return Some(vec![
            name(object),
            phase(&status.phase),
            Json::Str(spec.volume_name.clone()),
            size.map(ToString::to_string).unwrap_or_default().into(),
            if bound { modes(&status.access_modes) } else { "".into() },
            class.into(),
            or(spec.volume_attributes_class_name.as_deref().unwrap_or_default(), "<unset>"),
            age(cx, object),
            or(spec.volume_mode.as_deref().unwrap_or_default(), "<unset>"),
        ]);
    }
    if let Some(volume) = object.get::<PersistentVolume>() {
        let (spec, status) = (&volume.spec, &volume.status);
        let claim = spec.claim_ref.as_deref();
        let class = match annotated() {
            text if text.is_empty() => spec.storage_class_name.to_string(),
            text => text,
        };
        let size = spec.capacity.get("storage").map(ToString::to_string).unwrap_or_default();
        return Some(vec![
            name(object),
            size.into(),
            modes(&spec.access_modes),
            Json::Str(spec.persistent_volume_reclaim_policy.clone()),
            phase(&status.phase),
            claim.map(|c| format!("{}/{}", c.namespace, c.name)).unwrap_or_default().into(),
            class.into(),
            or(spec.volume_attributes_class_name.as_deref().unwrap_or_default(), "<unset>"),
            Json::Str(status.reason.clone()),
            age(cx, object),
            or(spec.volume_mode.as_deref().unwrap_or_default(), "<unset>"),
        ]);
    }
    classes(cx, object).or_else(|| drivers(cx, object))
}

fn modes(modes: &List<Str>) -> Json {
    let word = |mode: &str| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        _ => "",
    };
    let words: Vec<&str> = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]
        .into_iter()
        .filter(|mode| modes.iter().any(|own| own == mode))
        .map(word)
        .collect();
    words.join(",").into()
}

fn classes(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    let is_default = |keys: [&str; 2]| {
        keys.iter().any(|key| object.meta().annotations.text(key) == Some("true"))
    };
    if let Some(class) = object.get::<StorageClass>() {
        let default = is_default([
            "storageclass.kubernetes.io/is-default-class",
            "storageclass.beta.kubernetes.io/is-default-class",
        ]);
        let shown = if default {
            format!("{} (default)", object.name())
        } else {
            object.name().to_string()
        };
        return Some(vec![
            shown.into(),
            Json::Str(class.provisioner.clone()),
            or(class.reclaim_policy.as_deref().unwrap_or_default(), "Delete"),
            or(class.volume_binding_mode.as_deref().unwrap_or_default(), "Immediate"),
            class.allow_volume_expansion.unwrap_or(false).into(),
            age(cx, object),
        ]);
    }
    let class = object.get::<VolumeAttributesClass>()?;
    Some(vec![name(object), Json::Str(class.driver_name.clone()), age(cx, object)])
}

fn drivers(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    if let Some(node) = object.get::<CSINode>() {
        return Some(vec![name(object), (node.spec.drivers.len() as i64).into(), age(cx, object)]);
    }
    if let Some(attachment) = object.get::<VolumeAttachment>() {
        let volume = attachment.spec.source.persistent_volume_name.as_deref().unwrap_or_default();
        return Some(vec![
            name(object),
            Json::Str(attachment.spec.attacher.clone()),
            volume.into(),
            Json::Str(attachment.spec.node_name.clone()),
            attachment.status.attached.into(),
            age(cx, object),
        ]);
    }
    let driver = object.get::<CSIDriver>()?;
    let spec = &driver.spec;
    let audiences: Vec<&str> = spec.token_requests.iter().map(|t| t.audience.as_str()).collect();
    let modes = join(spec.volume_lifecycle_modes.iter());
    Some(vec![
        name(object),
        spec.attach_required.unwrap_or(true).into(),
        spec.pod_info_on_mount.unwrap_or(false).into(),
        spec.storage_capacity.unwrap_or(false).into(),
        or(&audiences.join(","), "<unset>"),
        spec.requires_republish.unwrap_or(false).into(),
        or(&modes, "<none>"),
        age(cx, object),
    ])
}
