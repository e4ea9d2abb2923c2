//! Environment variables and references to fields.
//!
//! Models `ValidateEnv`, `ValidateEnvFrom` and the downward API.
//!
//! Known deviations: none.

use api::core::v1::{EnvFromSource, EnvVar, ObjectFieldSelector, ResourceFieldSelector};
use api::names;

use super::volume::local_path;
use crate::validation::check::Errors;
use crate::validation::path::Path;

const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Fields that a downward API volume may show as a whole.
pub const VOLUME_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
const KNOWN_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.host",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Variables.
pub fn vars(e: &mut Errors, vars: &[EnvVar], list: &Path) {
    for (i, var) in vars.iter().enumerate() {
        let at = list.index(i);
        if var.name.is_empty() {
            e.required(&at.child("name"), "");
        } else {
            e.complaints(&at.child("name"), &var.name, names::env_var_name(&var.name));
        }
        value_from(e, var, &at.child("valueFrom"));
    }
}

fn value_from(e: &mut Errors, var: &EnvVar, at: &Path) {
    let Some(from) = &var.value_from else { return };
    let mut sources = 0;
    if let Some(field) = &from.field_ref {
        sources += 1;
        field_ref(e, field, ENV_FIELDS, &at.child("fieldRef"));
    }
    if let Some(resource) = &from.resource_field_ref {
        sources += 1;
        resource_ref(e, resource, false, &at.child("resourceFieldRef"));
    }
    if let Some(key) = &from.config_map_key_ref {
        sources += 1;
        key_of(e, &key.name, &key.key, &at.child("configMapKeyRef"));
    }
    if let Some(key) = &from.secret_key_ref {
        sources += 1;
        key_of(e, &key.name, &key.key, &at.child("secretKeyRef"));
    }
    if let Some(key) = &from.file_key_ref {
        sources += 1;
        let at = at.child("fileKeyRef");
        if key.volume_name.is_empty() {
            e.required(&at.child("volumeName"), "");
        } else {
            e.label_name(&at.child("volumeName"), &key.volume_name);
        }
        if key.path.is_empty() {
            e.required(&at.child("path"), "");
        } else {
            local_path(e, &key.path, &at.child("path"));
        }
        if key.key.is_empty() {
            e.required(&at.child("key"), "");
        } else {
            e.complaints(&at.child("key"), &key.key, names::env_var_name(&key.key));
        }
    }
    if sources == 0 {
        let why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, \
                   `secretKeyRef` or `fileKeyRef`";
        e.invalid(at, "", why);
    } else if !var.value.is_empty() {
        e.invalid(at, "", "may not be specified when `value` is not empty");
    } else if sources > 1 {
        e.invalid(at, "", "may not have more than one field specified at a time");
    }
}

fn key_of(e: &mut Errors, name: &str, key: &str, at: &Path) {
    e.subdomain(&at.child("name"), name);
    if key.is_empty() {
        e.required(&at.child("key"), "");
    } else {
        e.complaints(&at.child("key"), key, names::config_map_key(key));
    }
}

/// A reference to a field of the pod.
pub fn field_ref(e: &mut Errors, field: &ObjectFieldSelector, allowed: &[&str], at: &Path) {
    let path = at.child("fieldPath");
    if field.api_version.is_empty() {
        e.required(&at.child("apiVersion"), "");
        return;
    }
    if field.field_path.is_empty() {
        e.required(&path, "");
        return;
    }
    let (name, subscript) = match field.field_path.strip_suffix("']").map(|p| p.split_once("['")) {
        Some(Some((name, subscript))) => (name, Some(subscript)),
        _ => (field.field_path.as_str(), None),
    };
    let problem = if field.api_version != "v1" {
        Some(format!("unsupported pod version: {}", field.api_version))
    } else if subscript.is_some() && !matches!(name, "metadata.annotations" | "metadata.labels") {
        Some(format!("field label does not support subscript: {}", field.field_path))
    } else if subscript.is_none() && !KNOWN_FIELDS.contains(&name) {
        Some(format!("field label not supported: {}", field.field_path))
    } else {
        None
    };
    if let Some(problem) = problem {
        e.invalid(&path, &field.field_path, &format!("error converting fieldPath: {problem}"));
        return;
    }
    match subscript {
        Some(key) if name == "metadata.annotations" => e.qualified(at, &key.to_lowercase()),
        Some(key) => e.qualified(at, key),
        None => {
            let name = if name == "spec.host" { "spec.nodeName" } else { name };
            if !allowed.contains(&name) {
                e.unsupported(&path, name, allowed);
            }
        }
    }
}

/// A reference to a resource of a container; in a volume the container is named.
pub fn resource_ref(e: &mut Errors, field: &ResourceFieldSelector, in_volume: bool, at: &Path) {
    let resource = field.resource.as_str();
    let huge = ["limits.hugepages-", "requests.hugepages-"];
    if in_volume && field.container_name.is_empty() {
        e.required(&at.child("containerName"), "");
    } else if resource.is_empty() {
        e.required(&at.child("resource"), "");
    } else if !RESOURCES.contains(&resource) && !huge.iter().any(|h| resource.starts_with(h)) {
        e.unsupported(&at.child("resource"), resource, RESOURCES);
    }
    if field.divisor.is_zero() {
        return;
    }
    let divisor = field.divisor.to_string();
    let sizes = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
    let (known, which) = match resource.split_once('.').map_or("", |(_, name)| name) {
        "cpu" => (matches!(divisor.as_str(), "1m" | "1"), "1m and 1 are supported with the cpu"),
        name if name == "memory" || name.starts_with("hugepages-") => (
            sizes.contains(&divisor.as_str()),
            "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the memory",
        ),
        "ephemeral-storage" => (
            sizes.contains(&divisor.as_str()),
            "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the local \
             ephemeral storage",
        ),
        _ => (true, ""),
    };
    if !known {
        let why = format!("only divisor's values {which} resource");
        e.invalid(&at.child("divisor"), resource, &why);
    }
}

/// Whole maps as variables.
pub fn sources(e: &mut Errors, sources: &[EnvFromSource], list: &Path) {
    for (i, source) in sources.iter().enumerate() {
        let at = list.index(i);
        if !source.prefix.is_empty() {
            e.complaints(&at.child("prefix"), &source.prefix, names::env_var_name(&source.prefix));
        }
        let maps = [
            ("configMapRef", source.config_map_ref.as_ref().map(|map| &map.name)),
            ("secretRef", source.secret_ref.as_ref().map(|map| &map.name)),
        ];
        let mut given = 0;
        for (name, map) in maps {
            let Some(map) = map else { continue };
            given += 1;
            if map.is_empty() {
                e.required(&at.child(name).child("name"), "");
            } else {
                e.subdomain(&at.child(name).child("name"), map);
            }
        }
        if given == 0 {
            e.invalid(&at, "", "must specify one of: `configMapRef` or `secretRef`");
        } else if given > 1 {
            e.invalid(&at, "", "may not have more than one field specified at a time");
        }
    }
}
