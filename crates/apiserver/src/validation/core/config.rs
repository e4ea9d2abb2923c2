//! Config maps, secrets, namespaces and service accounts.
//!
//! Models their validation in the core group.
//!
//! Known deviations:
//! - The contents of docker configurations are read as JSON, not by their fields.

use api::Object;
use api::core::v1::{ConfigMap, Namespace, Secret};
use api::{Json, names};

use crate::validation::check::Errors;
use crate::validation::meta;
use crate::validation::path::Path;

/// The most bytes that a config map or secret may hold.
const DATA_MAX: usize = 1024 * 1024;

/// What is wrong with an object of these kinds besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    if let Some(map) = object.get::<ConfigMap>() {
        config_map(e, map);
    } else if let Some(secret) = object.get::<Secret>() {
        self::secret(e, secret);
    } else if let Some(namespace) = object.get::<Namespace>() {
        for finalizer in namespace.spec.finalizers.iter() {
            let at = Path::root("spec.finalizers");
            e.qualified(&at, finalizer);
            meta::finalizer_name(e, finalizer, &at);
        }
    }
}

fn config_map(e: &mut Errors, map: &ConfigMap) {
    let mut size = 0;
    let (data, binary) = (Path::root("data"), Path::root("binaryData"));
    for (key, value) in map.data.iter() {
        e.complaints(&data.key(key), key, names::config_map_key(key));
        if map.binary_data.contains_key(key) {
            e.invalid(&data.key(key), key, "duplicate of key present in binaryData");
        }
        size += value.len();
    }
    for (key, value) in map.binary_data.iter() {
        e.complaints(&binary.key(key), key, names::config_map_key(key));
        size += value.0.len();
    }
    if size > DATA_MAX {
        e.too_long(&Path::root(""), DATA_MAX);
    }
}

fn secret(e: &mut Errors, secret: &Secret) {
    let data = Path::root("data");
    let mut size = 0;
    for (key, value) in secret.data.iter() {
        e.complaints(&data.key(key), key, names::config_map_key(key));
        size += value.0.len();
    }
    if size > DATA_MAX {
        e.too_long(&data, DATA_MAX);
    }
    let has = |key: &str| secret.data.contains_key(key);
    match secret.type_.as_str() {
        "kubernetes.io/service-account-token" => {
            let key = "kubernetes.io/service-account.name";
            if secret.metadata.annotations.text(key).is_none_or(str::is_empty) {
                e.required(&Path::root("metadata.annotations").key(key), "");
            }
        }
        "kubernetes.io/dockercfg" => docker(e, secret, ".dockercfg"),
        "kubernetes.io/dockerconfigjson" => docker(e, secret, ".dockerconfigjson"),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            e.required(&data.key("username"), "");
            e.required(&data.key("password"), "");
        }
        "kubernetes.io/ssh-auth"
            if secret.data.get("ssh-privatekey").is_none_or(|key| key.0.is_empty()) =>
        {
            e.required(&data.key("ssh-privatekey"), "");
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"].into_iter().filter(|key| !has(key)) {
                e.required(&data.key(key), "");
            }
        }
        _ => {}
    }
}

fn docker(e: &mut Errors, secret: &Secret, key: &str) {
    let data = Path::root("data");
    match secret.data.get(key) {
        None => e.required(&data.key(key), ""),
        Some(value) => {
            if let Err(problem) = Json::parse(&value.0) {
                let why = match value.0.is_empty() {
                    true => "unexpected end of JSON input".to_owned(),
                    false => problem.to_string(),
                };
                e.invalid(&data.key(key), "<secret contents redacted>", &why);
            }
        }
    }
}
