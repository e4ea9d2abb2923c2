//! What a pod's volumes hold.
//!
//! Stands for the kubelet's volume manager.
//!
//! Known deviations:
//! - Volumes are mounted in no time once they are attached; node plugins of CSI drivers are not asked.
//! - Claims and directories of the host are kept per node; what another pod writes meanwhile is not seen.

use base::BTreeSet;
use std::sync::Arc;

use api::core::v1::{
    ConfigMap, DownwardAPIVolumeFile, KeyToPath, PersistentVolumeClaim, Pod, Secret,
    Volume as Spec, VolumeProjection,
};
use api::object::Key;
use base::{List, Str};

use crate::env::{Source, field_value, resource_value, text};
use crate::refs::{Known, Name};
use crate::runtime::files::{Mount, Volume};
use crate::worker::container;

/// The contents of a pod's volumes, and the disk under each; no name where it goes with the pod.
pub(crate) type Contents = (Vec<Arc<Volume>>, Vec<Str>);

/// Whether a volume shows something that can change. The token and certificate that every pod gets do not.
pub(crate) fn follows(volume: &Spec) -> bool {
    let projected = volume.projected.is_some() && !volume.name.starts_with("kube-api-access-");
    volume.config_map.is_some()
        || volume.secret.is_some()
        || volume.downward_api.is_some()
        || projected
}

/// What a pod's volumes refer to.
pub(crate) fn references(pod: &Pod) -> BTreeSet<Name> {
    let mut out = BTreeSet::new();
    let key = |name: &Str| Key::new(pod.metadata.namespace.clone(), name.clone());
    for volume in &pod.spec.volumes {
        out.extend(volume.config_map.as_ref().map(|v| Name::ConfigMap(key(&v.name))));
        out.extend(volume.secret.as_ref().map(|v| Name::Secret(key(&v.secret_name))));
        out.extend(claim(pod, volume).map(|name| Name::Claim(key(&name))));
        for source in volume.projected.iter().flat_map(|v| v.sources.iter()) {
            out.extend(source.config_map.as_ref().map(|v| Name::ConfigMap(key(&v.name))));
            out.extend(source.secret.as_ref().map(|v| Name::Secret(key(&v.name))));
        }
    }
    out
}

/// The claim behind a volume.
pub(crate) fn claim(pod: &Pod, volume: &Spec) -> Option<Str> {
    if let Some(claim) = &volume.persistent_volume_claim {
        return Some(claim.claim_name.clone());
    }
    volume.ephemeral.as_ref().map(|_| format!("{}-{}", pod.metadata.name, volume.name).into())
}

/// The contents of all volumes and the disks they lie on; or the volumes that cannot be made, and why.
pub(crate) fn contents(source: &Source<'_>) -> Result<Contents, Vec<(Str, String)>> {
    let (mut volumes, mut disks, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for spec in &source.pod.spec.volumes {
        let mut volume = Volume::new();
        if let Err(why) = fill(source, spec, &mut volume) {
            failed.push((spec.name.clone(), why));
        }
        volumes.push(Arc::new(volume));
        disks.push(disk(source, spec));
    }
    if failed.is_empty() { Ok((volumes, disks)) } else { Err(failed) }
}

fn disk(source: &Source<'_>, spec: &Spec) -> Str {
    if let Some(host) = &spec.host_path {
        return format!("host:{}", host.path).into();
    }
    let Some(name) = claim(source.pod, spec) else { return Str::new() };
    let key = Key::new(source.pod.metadata.namespace.clone(), name);
    let volume = source.refs.object::<PersistentVolumeClaim>(&Name::Claim(key.clone()));
    let volume = volume.map(|claim| claim.spec.volume_name.clone()).unwrap_or_default();
    if volume.is_empty() { format!("claim:{key}").into() } else { volume }
}

fn fill(source: &Source<'_>, spec: &Spec, out: &mut Volume) -> Result<(), String> {
    let key = |name: &Str| Key::new(source.pod.metadata.namespace.clone(), name.clone());
    if let Some(v) = &spec.config_map {
        config_map(source, &Name::ConfigMap(key(&v.name)), &v.items, v.optional, out)?;
    }
    if let Some(v) = &spec.secret {
        secret(source, &Name::Secret(key(&v.secret_name)), &v.items, v.optional, out)?;
    }
    if let Some(v) = &spec.downward_api {
        downward(source, &v.items, out)?;
    }
    if let Some(name) = claim(source.pod, spec) {
        let name = Name::Claim(key(&name));
        match source.refs.get(&name) {
            Some(Known::Found(_)) => {}
            Some(Known::Failed(message)) => return Err(message.to_string()),
            _ => return Err(name.not_found()),
        }
    }
    for part in spec.projected.iter().flat_map(|v| v.sources.iter()) {
        projected(source, part, out)?;
    }
    Ok(())
}

fn projected(source: &Source<'_>, part: &VolumeProjection, out: &mut Volume) -> Result<(), String> {
    let key = |name: &Str| Key::new(source.pod.metadata.namespace.clone(), name.clone());
    if let Some(v) = &part.config_map {
        config_map(source, &Name::ConfigMap(key(&v.name)), &v.items, v.optional, out)?;
    }
    if let Some(v) = &part.secret {
        secret(source, &Name::Secret(key(&v.name)), &v.items, v.optional, out)?;
    }
    if let Some(v) = &part.downward_api {
        downward(source, &v.items, out)?;
    }
    if let Some(v) = &part.service_account_token {
        let (namespace, name) =
            (&source.pod.metadata.namespace, &source.pod.spec.service_account_name);
        let token = format!("token.of.system:serviceaccount:{namespace}:{name}");
        out.insert(v.path.clone(), token.into());
    }
    Ok(())
}

fn config_map(
    source: &Source<'_>,
    name: &Name,
    items: &List<KeyToPath>,
    optional: Option<bool>,
    out: &mut Volume,
) -> Result<(), String> {
    let Some(map) = found::<ConfigMap>(source, name, optional)? else { return Ok(()) };
    let mut all: Volume = map.data.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    all.extend(map.binary_data.iter().map(|(k, v)| (k.clone(), text(&v.0))));
    let missing = |key: &str| format!("configmap references non-existent config key: {key}");
    choose(all, items, optional, out, missing)
}

fn secret(
    source: &Source<'_>,
    name: &Name,
    items: &List<KeyToPath>,
    optional: Option<bool>,
    out: &mut Volume,
) -> Result<(), String> {
    let Some(secret) = found::<Secret>(source, name, optional)? else { return Ok(()) };
    let all = secret.data.iter().map(|(k, v)| (k.clone(), text(&v.0))).collect();
    let missing = |key: &str| format!("references non-existent secret key: {key}");
    choose(all, items, optional, out, missing)
}

fn found<'a, K: api::Kind>(
    source: &'a Source<'_>,
    name: &Name,
    optional: Option<bool>,
) -> Result<Option<&'a K>, String> {
    match source.refs.get(name) {
        Some(Known::Found(objects)) => Ok(objects.first().and_then(|object| object.get())),
        _ if optional == Some(true) => Ok(None),
        Some(Known::Failed(message)) => Err(message.to_string()),
        _ => Err(name.not_found()),
    }
}

fn choose(
    all: Volume,
    items: &List<KeyToPath>,
    optional: Option<bool>,
    out: &mut Volume,
    missing: impl Fn(&str) -> String,
) -> Result<(), String> {
    if items.is_empty() {
        out.extend(all);
        return Ok(());
    }
    for item in items {
        match all.get(&item.key) {
            Some(value) => drop(out.insert(item.path.clone(), value.clone())),
            None if optional == Some(true) => {}
            None => return Err(missing(&item.key)),
        }
    }
    Ok(())
}

fn downward(
    source: &Source<'_>,
    items: &List<DownwardAPIVolumeFile>,
    out: &mut Volume,
) -> Result<(), String> {
    for item in items {
        let value = if let Some(field) = &item.field_ref {
            field_value(source, &field.field_path)?
        } else if let Some(field) = &item.resource_field_ref {
            resource_value(source, container(source.pod, 0), field)?
        } else {
            continue;
        };
        out.insert(item.path.clone(), value);
    }
    Ok(())
}

/// Why a container's mounts cannot be made: paths below volumes that lead out of them, or name missing variables.
pub(crate) fn check_mounts(
    pod: &Pod,
    index: usize,
    env: &crate::runtime::shell::vm::Env,
) -> Result<(), String> {
    for mount in container(pod, index).volume_mounts.iter() {
        let missing = std::cell::RefCell::new(Vec::new());
        let path = match mount.sub_path_expr.is_empty() {
            true => mount.sub_path.to_string(),
            false => api::expansion::expand(&mount.sub_path_expr, |name| {
                let found = env.get(name).map(Str::as_str);
                if found.is_none() {
                    missing.borrow_mut().push(name.to_string());
                }
                found
            }),
        };
        let missing = missing.into_inner();
        if !missing.is_empty() {
            return Err(format!("missing value for {:?}", missing.join(", ")));
        }
        if path.starts_with('/') {
            return Err(format!("error SubPath `{path}` must not be an absolute path"));
        }
        if path.split('/').any(|part| part == "..") {
            return Err(format!("unable to provision SubPath `{path}`: must not contain '..'"));
        }
    }
    Ok(())
}

/// The mounts of a container.
pub(crate) fn mounts(pod: &Pod, index: usize, env: &crate::runtime::shell::vm::Env) -> Vec<Mount> {
    let place = |name: &Str| pod.spec.volumes.iter().position(|volume| volume.name == *name);
    let mount = |m: &api::core::v1::VolumeMount| {
        let expanded =
            api::expansion::expand(&m.sub_path_expr, |name| env.get(name).map(Str::as_str));
        let sub_path = if expanded.is_empty() { m.sub_path.clone() } else { expanded.into() };
        let volume = place(&m.name)?;
        let spec = &pod.spec.volumes[volume];
        let fixed = spec.config_map.is_some()
            || spec.secret.is_some()
            || spec.projected.is_some()
            || spec.downward_api.is_some();
        Some(Mount {
            path: m.mount_path.trim_end_matches('/').into(),
            volume,
            sub_path,
            read_only: m.read_only || fixed,
        })
    };
    container(pod, index).volume_mounts.iter().filter_map(mount).collect()
}
