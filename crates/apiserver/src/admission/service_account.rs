//! ServiceAccount: every pod runs as one, and gets its token mounted.
//!
//! Known deviations:
//! - The five characters after `kube-api-access-` come from the spec and not from chance, so that equal specs
//!   stay equal.

use api::core::v1::*;
use api::object::{Kind, Object};
use base::{List, Rng, Str, list, lit};

use crate::ApiServer;
use crate::errors::{self, Refusal};
use crate::registry;

const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME_PREFIX: &str = "kube-api-access-";

/// Sets the pod's service account, its token volume and its pull secrets.
pub(super) fn admit(server: &ApiServer, object: &mut Object) -> Result<(), Refusal> {
    let Some(pod) = object.get::<Pod>() else { return Ok(()) };
    if pod.metadata.annotations.contains_key("kubernetes.io/config.mirror") {
        return Ok(());
    }
    let account_name = match pod.spec.service_account_name.as_str() {
        "" => lit!("default"),
        _ => pod.spec.service_account_name.clone(),
    };
    let namespace = pod.metadata.namespace.clone();
    let row = registry::of(ServiceAccount::INFO).expect("registered");
    let stored = server.stored(row, &namespace, &account_name).cloned();
    let Some(account) = stored.as_ref().and_then(|object| object.get::<ServiceAccount>()) else {
        let why = format!(
            "error looking up service account {namespace}/{account_name}: serviceaccount {account_name:?} not found"
        );
        return Err(errors::forbidden(Pod::INFO, object.name(), &why));
    };
    let Some(pod) = object.edit_as::<Pod>() else { return Ok(()) };
    let spec = pod.spec.edit();
    spec.service_account_name = account_name.clone();
    spec.service_account = account_name;
    let automount =
        spec.automount_service_account_token.or(account.automount_service_account_token);
    if automount != Some(false) {
        mount_token(spec);
    }
    if spec.image_pull_secrets.is_empty() {
        spec.image_pull_secrets = account.image_pull_secrets.clone();
    }
    Ok(())
}

fn mount_token(spec: &mut PodSpec) {
    let present = spec.volumes.iter().find(|volume| volume.name.starts_with(VOLUME_PREFIX));
    let (name, is_new) = match present {
        Some(volume) => (volume.name.clone(), false),
        None => (Str::from(format!("{VOLUME_PREFIX}{}", suffix_of(spec))), true),
    };
    let lacks = |container: &Container| {
        !container.volume_mounts.iter().any(|mount| mount.mount_path == MOUNT_PATH)
    };
    let mut mounted = false;
    for container in spec.init_containers.iter_mut().chain(&mut spec.containers) {
        if lacks(container) {
            container.volume_mounts.push(VolumeMount {
                name: name.clone(),
                read_only: true,
                mount_path: MOUNT_PATH.into(),
                ..VolumeMount::default()
            });
            mounted = true;
        }
    }
    if mounted && is_new {
        spec.volumes.push(token_volume(name));
    }
}

fn suffix_of(spec: &PodSpec) -> String {
    let mut text = Vec::new();
    api::codec::put_record(spec, &mut text);
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    Rng::new(text.iter().fold(0xcbf2_9ce4_8422_2325, fold)).suffix(5)
}

fn token_volume(name: Str) -> Volume {
    let token = VolumeProjection {
        service_account_token: Some(Box::new(ServiceAccountTokenProjection {
            expiration_seconds: Some(3607),
            path: lit!("token"),
            ..ServiceAccountTokenProjection::default()
        })),
        ..VolumeProjection::default()
    };
    let authority = VolumeProjection {
        config_map: Some(Box::new(ConfigMapProjection {
            name: lit!("kube-root-ca.crt"),
            items: list![KeyToPath { key: lit!("ca.crt"), path: lit!("ca.crt"), mode: None }],
            optional: None,
        })),
        ..VolumeProjection::default()
    };
    let field_ref =
        ObjectFieldSelector { api_version: lit!("v1"), field_path: lit!("metadata.namespace") };
    let namespace = VolumeProjection {
        downward_api: Some(Box::new(DownwardAPIProjection {
            items: list![DownwardAPIVolumeFile {
                path: lit!("namespace"),
                field_ref: Some(Box::new(field_ref)),
                ..DownwardAPIVolumeFile::default()
            }],
        })),
        ..VolumeProjection::default()
    };
    let mut sources = List::new();
    sources.extend([token, authority, namespace]);
    let projected = ProjectedVolumeSource { default_mode: Some(0o644), sources };
    Volume { name, projected: Some(Box::new(projected)), ..Volume::default() }
}
