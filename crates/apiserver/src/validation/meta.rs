//! Metadata: names, labels, annotations, owners and finalizers of every kind.
//!
//! Models `ValidateObjectMeta` and `ValidateObjectMetaUpdate`.
//!
//! Known deviations:
//! - Managed fields are not checked.

use api::Object;
use api::meta::v1::{ObjectMeta, OwnerReference};
use api::names;
use base::{List, Str};

use super::check::{Errors, Raw, json};
use super::path::Path;

/// What may be the names of a kind.
enum Names {
    Subdomain,
    /// The same; its length is counted in bytes.
    LongName,
    Label,
    PathSegment,
    Address,
    Event,
}

fn names_of(kind: &str, group: &str) -> Names {
    match (group, kind) {
        ("", "Namespace" | "Service") => Names::Label,
        ("rbac.authorization.k8s.io", _) | ("apiregistration.k8s.io", _) => Names::PathSegment,
        ("networking.k8s.io", "IPAddress") => Names::Address,
        ("", "ReplicationController") => Names::LongName,
        ("" | "events.k8s.io", "Event") => Names::Event,
        _ => Names::Subdomain,
    }
}

/// Metadata of a new object.
pub fn create(e: &mut Errors, object: &Object) {
    let info = object.info();
    if info.group.starts_with("auth") && info.group.ends_with("k8s.io") {
        return;
    }
    let (meta, at) = (object.meta(), Path::root("metadata"));
    let rule = names_of(info.kind, info.group);
    if !meta.generate_name.is_empty() {
        let name = &meta.generate_name;
        name_at(e, &at.child("generateName"), name, &rule, true);
    }
    if meta.name.is_empty() {
        e.required(&at.child("name"), "name or generateName is required");
    } else {
        name_at(e, &at.child("name"), &meta.name, &rule, false);
    }
    if info.namespaced {
        let at = at.child("namespace");
        if meta.namespace.is_empty() {
            e.required(&at, "");
        } else {
            e.label_name(&at, &meta.namespace);
        }
    } else if !meta.namespace.is_empty() {
        e.forbidden(&at.child("namespace"), "not allowed on this type");
    }
    e.not_negative(&at.child("generation"), meta.generation);
    common(e, object, &at);
}

fn name_at(e: &mut Errors, at: &Path, name: &str, rule: &Names, prefix: bool) {
    let masked = if prefix { names::mask_trailing_dash(name) } else { name.to_owned() };
    let complaints = match rule {
        Names::Subdomain => names::dns1123_subdomain(&masked),
        Names::LongName => {
            let complaints = names::dns1123_subdomain(&masked).into_iter();
            complaints.map(|text| text.replace("253 characters", "253 bytes")).collect()
        }
        Names::Label => names::dns1123_label(&masked),
        Names::PathSegment => names::path_segment(name, prefix),
        Names::Address if name.parse::<core::net::IpAddr>().is_err() => {
            vec![super::ip::ADDRESS.to_owned()]
        }
        Names::Event if prefix => Vec::new(),
        Names::Event => names::dns1123_subdomain(&masked),
        Names::Address => Vec::new(),
    };
    e.complaints(at, name, complaints);
}

fn common(e: &mut Errors, object: &Object, at: &Path) {
    let meta: &ObjectMeta = object.meta();
    e.labels(&at.child("labels"), &meta.labels);
    e.annotations(&at.child("annotations"), &meta.annotations);
    owners(e, &meta.owner_references, &at.child("ownerReferences"));
    finalizers(e, &meta.finalizers, &at.child("finalizers"));
    if is_of_core(object) {
        for (i, finalizer) in meta.finalizers.iter().enumerate() {
            finalizer_name(e, finalizer, &at.child("finalizers").index(i));
        }
    }
}

/// Whether kube-apiserver's own validation sees the kind, and not that of its extensions.
fn is_of_core(object: &Object) -> bool {
    let group = object.info().group;
    let extension =
        ["apiextensions.k8s.io", "apiregistration.k8s.io", "admissionregistration.k8s.io"];
    !extension.contains(&group) && api::KINDS.iter().any(|kind| kind.group == group)
}

fn owners(e: &mut Errors, owners: &[OwnerReference], at: &Path) {
    let mut controller: Option<&Str> = None;
    for owner in owners {
        let (group, version) =
            owner.api_version.split_once('/').unwrap_or(("", &owner.api_version));
        if version.is_empty() {
            e.invalid(&at.child("apiVersion"), &owner.api_version, "version must not be empty");
        }
        let parts = [("kind", &owner.kind), ("name", &owner.name), ("uid", &owner.uid)];
        for (name, value) in parts {
            if value.is_empty() {
                e.invalid(&at.child(name), value, "must not be empty");
            }
        }
        if group.is_empty() && version == "v1" && owner.kind == "Event" {
            let why = "/v1, Kind=Event is disallowed from being an owner";
            e.invalid(at, &json(owner), why);
        }
        if owner.controller == Some(true) {
            if let Some(first) = controller {
                let why = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in \
                     references for {first} and {}",
                    owner.name
                );
                let list: Vec<String> = owners.iter().map(|owner| json(owner).0).collect();
                e.invalid(at, &Raw(format!("[{}]", list.join(","))), &why);
            } else {
                controller = Some(&owner.name);
            }
        }
    }
}

fn finalizers(e: &mut Errors, finalizers: &List<Str>, at: &Path) {
    let has = |name: &str| finalizers.iter().any(|finalizer| finalizer == name);
    for finalizer in finalizers.iter() {
        e.qualified(at, finalizer);
    }
    if has("orphan") && has("foregroundDeletion") {
        let why = "finalizer orphan and foregroundDeletion cannot be both set";
        e.invalid(at, &super::check::json_list(finalizers), why);
    }
}

/// A finalizer is one of the well-known ones or has a domain.
pub fn finalizer_name(e: &mut Errors, finalizer: &str, at: &Path) {
    let known = ["kubernetes", "orphan", "foregroundDeletion"].contains(&finalizer);
    if !finalizer.contains('/') && !known {
        let why = "name is neither a standard finalizer name nor is it fully qualified";
        e.invalid(at, finalizer, why);
    }
}

/// Metadata of an object that replaces another.
pub fn update(e: &mut Errors, new: &Object, old: &Object) {
    let (meta, before, at) = (new.meta(), old.meta(), Path::root("metadata"));
    if std::sync::Arc::ptr_eq(meta, before) {
        return;
    }
    if before.deletion_timestamp.is_some() {
        let added: Vec<&Str> =
            meta.finalizers.iter().filter(|name| !before.finalizers.contains(name)).collect();
        if !added.is_empty() {
            let list: Vec<String> = added.iter().map(|name| api::selector::quote(name)).collect();
            let why = format!(
                "no new finalizers can be added if the object is being deleted, found new \
                 finalizers []string{{{}}}",
                list.join(", ")
            );
            e.forbidden(&at.child("finalizers"), &why);
        }
    }
    if meta.generation < before.generation {
        e.invalid(&at.child("generation"), &meta.generation, "must not be decremented");
    }
    e.immutable(&at.child("name"), &meta.name, &before.name);
    e.immutable(&at.child("namespace"), &meta.namespace, &before.namespace);
    e.immutable(&at.child("uid"), &meta.uid, &before.uid);
    let at_created = at.child("creationTimestamp");
    e.immutable(&at_created, &meta.creation_timestamp, &before.creation_timestamp);
    let at_deleted = at.child("deletionTimestamp");
    e.immutable(&at_deleted, &meta.deletion_timestamp, &before.deletion_timestamp);
    let at_grace = at.child("deletionGracePeriodSeconds");
    let grace = &before.deletion_grace_period_seconds;
    e.immutable(&at_grace, &meta.deletion_grace_period_seconds, grace);
    common(e, new, &at);
}
