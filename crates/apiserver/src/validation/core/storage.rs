//! Persistent volumes and claims.
//!
//! Models `ValidatePersistentVolume` and `ValidatePersistentVolumeClaim`.
//!
//! Known deviations: none.

use api::core::v1::{
    PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeSpec,
};
use base::Str;

use super::{scheduling, volume, volume_remote};
use crate::validation::check::{Errors, json_map};
use crate::validation::path::Path;
use crate::validation::selector;

const MODES: &[&str] = &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/// A claim besides its metadata.
pub fn claim(e: &mut Errors, claim: &PersistentVolumeClaim) {
    claim_spec(e, &claim.spec, &Path::root("spec"));
}

/// What a claim asks for.
pub fn claim_spec(e: &mut Errors, spec: &PersistentVolumeClaimSpec, at: &Path) {
    selector::check_if(e, &at.child("selector"), spec.selector.as_deref());
    if spec.access_modes.is_empty() {
        e.required(&at.child("accessModes"), "at least 1 access mode is required");
    }
    modes(e, &spec.access_modes, &at.child("accessModes"));
    let storage = at.child("resources");
    let storage = storage.key("storage");
    match spec.resources.requests.get("storage") {
        None => e.required(&storage, ""),
        Some(amount) => e.positive_amount(&storage, amount),
    }
    if let Some(class) = spec.storage_class_name.as_ref().filter(|class| !class.is_empty()) {
        e.subdomain(&at.child("storageClassName"), class);
    }
    e.one_of_if(&at.child("volumeMode"), spec.volume_mode.as_ref(), &["Block", "Filesystem"]);
    source(e, spec, at);
    if let Some(class) = spec.volume_attributes_class_name.as_ref().filter(|c| !c.is_empty()) {
        e.subdomain(&at.child("volumeAttributesClassName"), class);
    }
}

fn source(e: &mut Errors, spec: &PersistentVolumeClaimSpec, at: &Path) {
    if let Some(source) = &spec.data_source {
        let at = at.child("dataSource");
        let group = source.api_group.as_deref().unwrap_or_default();
        reference(e, &source.name, &source.kind, group, &at);
    }
    let Some(source) = &spec.data_source_ref else { return };
    let at = at.child("dataSourceRef");
    let group = source.api_group.as_deref().unwrap_or_default();
    reference(e, &source.name, &source.kind, group, &at);
    if let Some(namespace) = source.namespace.as_ref().filter(|namespace| !namespace.is_empty()) {
        e.label_name(&at.child("namespace"), namespace);
        if spec.data_source.is_some() {
            let why = "may not be specified when dataSourceRef.namespace is specified";
            e.invalid(&at, &spec.data_source.as_ref().map_or(Str::new(), |s| s.name.clone()), why);
        }
    }
}

fn reference(e: &mut Errors, name: &str, kind: &str, group: &str, at: &Path) {
    if name.is_empty() {
        e.required(&at.child("name"), "");
    }
    if kind.is_empty() {
        e.required(&at.child("kind"), "");
    }
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        e.invalid(
            at,
            kind,
            "must be 'PersistentVolumeClaim' when referencing the default apiGroup",
        );
    }
    if !group.is_empty() {
        e.subdomain(&at.child("apiGroup"), group);
    }
}

fn modes(e: &mut Errors, modes: &[Str], at: &Path) {
    for mode in modes.iter().filter(|mode| !MODES.contains(&mode.as_str())) {
        e.unsupported(at, mode, MODES);
    }
    let alone = |mode: &&Str| mode.as_str() == "ReadWriteOncePod";
    if modes.iter().any(|mode| alone(&mode)) && !modes.iter().all(|mode| alone(&mode)) {
        e.forbidden(at, "may not use ReadWriteOncePod with other access modes");
    }
}

/// A volume besides its metadata.
pub fn volume(e: &mut Errors, volume: &PersistentVolume) {
    let (spec, at) = (&*volume.spec, Path::root("spec"));
    if spec.access_modes.is_empty() {
        e.required(&at.child("accessModes"), "");
    }
    modes(e, &spec.access_modes, &at.child("accessModes"));
    let capacity = at.child("capacity");
    if spec.capacity.is_empty() {
        e.required(&capacity, "");
    }
    if spec.capacity.len() != 1 || !spec.capacity.contains_key("storage") {
        e.unsupported(&capacity, &json_map(&spec.capacity), &["storage"]);
    }
    for (name, amount) in spec.capacity.iter() {
        if amount.sign() < 0 {
            e.invalid(&capacity.key(name), amount, "must be a valid resource quantity");
        }
        e.positive_amount(&capacity.key(name), amount);
    }
    let policy = &spec.persistent_volume_reclaim_policy;
    let policies = ["Delete", "Recycle", "Retain"];
    if !policy.is_empty() {
        e.one_of(&at.child("persistentVolumeReclaimPolicy"), policy, &policies);
    }
    node_affinity(e, spec, &at.child("nodeAffinity"));
    sources(e, spec, &at);
    if !spec.storage_class_name.is_empty() {
        e.subdomain(&at.child("storageClassName"), &spec.storage_class_name);
    }
    e.one_of_if(&at.child("volumeMode"), spec.volume_mode.as_ref(), &["Block", "Filesystem"]);
    if let Some(class) = spec.volume_attributes_class_name.as_ref() {
        let at = at.child("volumeAttributesClassName");
        if class.is_empty() {
            e.required(&at, "an empty string is disallowed");
        } else {
            e.subdomain(&at, class);
        }
        if spec.csi.is_none() {
            e.required(
                &Path::root("spec").child("csi"),
                "has to be specified when using volumeAttributesClassName",
            );
        }
    }
}

fn node_affinity(e: &mut Errors, spec: &PersistentVolumeSpec, at: &Path) {
    let Some(affinity) = &spec.node_affinity else { return };
    match &affinity.required {
        Some(required) => scheduling::node_selector(e, required, &at.child("required")),
        None => e.required(&at.child("required"), "must specify required node constraints"),
    }
}

fn sources(e: &mut Errors, spec: &PersistentVolumeSpec, at: &Path) {
    let mut count = volume::Count::new();
    if let Some(host) = &spec.host_path
        && count.is_first(e, &at.child("hostPath"))
    {
        volume::host_path(e, &host.path, host.type_.as_ref(), &at.child("hostPath"));
    }
    volume_remote::of_volume(e, spec, at, &mut count);
    if spec.local.is_some() && spec.node_affinity.is_none() {
        e.required(&at.child("nodeAffinity"), "Local volume requires node affinity");
    }
    if count.is_none() {
        e.required(at, "must specify a volume type");
    }
    let root =
        spec.host_path.as_ref().is_some_and(|host| host.path.trim_end_matches('/').is_empty());
    if root && spec.persistent_volume_reclaim_policy == "Recycle" {
        let why = "may not be 'recycle' for a hostPath mount of '/'";
        e.forbidden(&at.child("persistentVolumeReclaimPolicy"), why);
    }
}
