//! Volumes whose data lives in a storage system.
//!
//! Models the parts of `validateVolumeSource` and of the validation of persistent volumes that concern them.
//!
//! Known deviations:
//! - iSCSI names are checked for their beginning only.

use api::core::v1::{PersistentVolumeSpec, Volume};
use base::Str;

use super::volume::Count;
use crate::validation::check::Errors;
use crate::validation::path::Path;

/// Says which of some texts are missing.
fn required(e: &mut Errors, at: &Path, texts: &[(&str, &Str)]) {
    for (name, text) in texts {
        if text.is_empty() {
            e.required(&at.child(name), "");
        }
    }
}

fn partition(e: &mut Errors, partition: i32, at: &Path) {
    if !(0..=255).contains(&partition) {
        e.invalid(at, &partition, "must be between 1 and 255, inclusive");
    }
}

/// A network file system.
pub fn nfs(e: &mut Errors, server: &str, path: &str, at: &Path) {
    if server.is_empty() {
        e.required(&at.child("server"), "");
    }
    if path.is_empty() {
        e.required(&at.child("path"), "");
    }
    if !path.starts_with('/') {
        e.invalid(&at.child("path"), path, "must be an absolute path");
    }
}

fn iscsi(e: &mut Errors, portal: &str, iqn: &str, lun: i32, at: &Path) {
    if portal.is_empty() {
        e.required(&at.child("targetPortal"), "");
    }
    if iqn.is_empty() {
        e.required(&at.child("iqn"), "");
    } else if !["iqn", "eui", "naa"].iter().any(|start| iqn.starts_with(start)) {
        let why = "must be valid format starting with iqn, eui, or naa";
        e.invalid(&at.child("iqn"), iqn, why);
    }
    if !(0..=255).contains(&lun) {
        e.invalid(&at.child("lun"), &lun, "must be between 0 and 255, inclusive");
    }
}

fn fc(e: &mut Errors, names: &[Str], ids: &[Str], lun: Option<i32>, at: &Path) {
    if names.is_empty() && ids.is_empty() {
        let why = "must specify either targetWWNs or wwids, but not both";
        e.required(&at.child("targetWWNs"), why);
    }
    if !names.is_empty() && !ids.is_empty() {
        let value = crate::validation::check::json_list(names);
        let why = "targetWWNs and wwids can not be specified simultaneously";
        e.invalid(&at.child("targetWWNs"), &value, why);
    }
    if names.is_empty() {
        return;
    }
    match lun {
        None => e.required(&at.child("lun"), "lun is required if targetWWNs is specified"),
        Some(lun) if !(0..=255).contains(&lun) => {
            e.invalid(&at.child("lun"), &lun, "must be between 0 and 255, inclusive");
        }
        Some(_) => {}
    }
}

fn flocker(e: &mut Errors, name: &str, uuid: &str, at: &Path) {
    if name.is_empty() && uuid.is_empty() {
        e.required(at, "one of datasetName and datasetUUID is required");
    }
    if !name.is_empty() && !uuid.is_empty() {
        let why = "datasetName and datasetUUID can not be specified simultaneously";
        e.invalid(at, "resource", why);
    }
    if name.contains('/') {
        e.invalid(&at.child("datasetName"), name, "must not contain '/'");
    }
}

/// What a pod's volume says of a storage system.
pub fn of_pod(e: &mut Errors, v: &Volume, at: &Path, count: &mut Count) {
    macro_rules! source {
        ($field:ident, $name:literal, |$s:ident, $at:ident| $check:expr) => {
            if let Some($s) = &v.$field
                && count.is_first(e, &at.child($name))
            {
                let $at = &at.child($name);
                $check;
            }
        };
    }
    source!(git_repo, "gitRepo", |s, at| required(e, at, &[("repository", &s.repository)]));
    source!(gce_persistent_disk, "persistentDisk", |s, at| {
        required(e, at, &[("pdName", &s.pd_name)]);
        partition(e, s.partition, &at.child("partition"));
    });
    source!(aws_elastic_block_store, "awsElasticBlockStore", |s, at| {
        required(e, at, &[("volumeID", &s.volume_id)]);
        partition(e, s.partition, &at.child("partition"));
    });
    source!(nfs, "nfs", |s, at| nfs(e, &s.server, &s.path, at));
    source!(iscsi, "iscsi", |s, at| {
        iscsi(e, &s.target_portal, &s.iqn, s.lun, at);
        let chap = s.chap_auth_discovery == Some(true) || s.chap_auth_session == Some(true);
        if chap && s.secret_ref.is_none() {
            e.required(&at.child("secretRef"), "");
        }
    });
    source!(glusterfs, "glusterfs", |s, at| {
        required(e, at, &[("endpoints", &s.endpoints), ("path", &s.path)]);
    });
    source!(flocker, "flocker", |s, at| flocker(e, &s.dataset_name, &s.dataset_uuid, at));
    source!(rbd, "rbd", |s, at| {
        if s.monitors.is_empty() {
            e.required(&at.child("monitors"), "");
        }
        required(e, at, &[("image", &s.image)]);
    });
    source!(cinder, "cinder", |s, at| required(e, at, &[("volumeID", &s.volume_id)]));
    source!(cephfs, "cephFS", |s, at| {
        if s.monitors.is_empty() {
            e.required(&at.child("monitors"), "");
        }
    });
    source!(quobyte, "quobyte", |s, at| quobyte(e, &s.registry, &s.volume, at));
    source!(fc, "fc", |s, at| fc(e, &s.target_wwns, &s.wwids, s.lun, at));
    source!(flex_volume, "flexVolume", |s, at| required(e, at, &[("driver", &s.driver)]));
    source!(azure_file, "azureFile", |s, at| {
        required(e, at, &[("secretName", &s.secret_name), ("shareName", &s.share_name)]);
    });
    source!(vsphere_volume, "vsphereVolume", |s, at| {
        required(e, at, &[("volumePath", &s.volume_path)]);
    });
    source!(photon_persistent_disk, "photonPersistentDisk", |s, at| {
        required(e, at, &[("pdID", &s.pd_id)]);
    });
    source!(portworx_volume, "portworxVolume", |s, at| {
        required(e, at, &[("volumeID", &s.volume_id)]);
    });
    source!(azure_disk, "azureDisk", |s, at| {
        azure_disk(e, [&s.disk_name, &s.disk_uri], s.caching_mode.as_ref(), s.kind.as_ref(), at);
    });
    source!(storageos, "storageos", |s, at| {
        storageos(e, &s.volume_name, &s.volume_namespace, at);
    });
    source!(scale_io, "scaleIO", |s, at| {
        required(
            e,
            at,
            &[("gateway", &s.gateway), ("system", &s.system), ("volumeName", &s.volume_name)],
        );
    });
}

fn quobyte(e: &mut Errors, registry: &str, volume: &str, at: &Path) {
    let why = "must be a host:port pair or multiple pairs separated by commas";
    if registry.is_empty() {
        e.required(&at.child("registry"), why);
    } else {
        for _ in registry.split(',').filter(|pair| !pair.contains(':')) {
            e.invalid(&at.child("registry"), registry, why);
        }
    }
    if volume.is_empty() {
        e.required(&at.child("volume"), "");
    }
}

fn azure_disk(
    e: &mut Errors,
    [name, uri]: [&Str; 2],
    caching: Option<&Str>,
    kind: Option<&Str>,
    at: &Path,
) {
    required(e, at, &[("diskName", name), ("diskURI", uri)]);
    e.one_of_if(&at.child("cachingMode"), caching, &["None", "ReadOnly", "ReadWrite"]);
    e.one_of_if(&at.child("kind"), kind, &["Dedicated", "Managed", "Shared"]);
    let managed = kind.is_some_and(|kind| kind == "Managed");
    if !uri.is_empty() && managed && !uri.starts_with('/') {
        e.unsupported(&at.child("diskURI"), uri, &["/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"]);
    }
    if kind.is_some() && !managed && !uri.is_empty() && !uri.starts_with("https://") {
        e.unsupported(
            &at.child("diskURI"),
            uri,
            &["https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"],
        );
    }
}

fn storageos(e: &mut Errors, name: &Str, namespace: &Str, at: &Path) {
    if name.is_empty() {
        e.required(&at.child("volumeName"), "");
    } else {
        e.label_name(&at.child("volumeName"), name);
    }
    if !namespace.is_empty() {
        e.label_name(&at.child("volumeNamespace"), namespace);
    }
}

/// What a persistent volume says of a storage system.
pub fn of_volume(e: &mut Errors, v: &PersistentVolumeSpec, at: &Path, count: &mut Count) {
    macro_rules! source {
        ($field:ident, $name:literal, |$s:ident, $at:ident| $check:expr) => {
            if let Some($s) = &v.$field
                && count.is_first(e, &at.child($name))
            {
                let $at = &at.child($name);
                $check;
            }
        };
    }
    source!(gce_persistent_disk, "persistentDisk", |s, at| {
        required(e, at, &[("pdName", &s.pd_name)]);
        partition(e, s.partition, &at.child("partition"));
    });
    source!(aws_elastic_block_store, "awsElasticBlockStore", |s, at| {
        required(e, at, &[("volumeID", &s.volume_id)]);
        partition(e, s.partition, &at.child("partition"));
    });
    source!(glusterfs, "glusterfs", |s, at| {
        required(e, at, &[("endpoints", &s.endpoints), ("path", &s.path)]);
    });
    source!(flocker, "flocker", |s, at| flocker(e, &s.dataset_name, &s.dataset_uuid, at));
    source!(nfs, "nfs", |s, at| nfs(e, &s.server, &s.path, at));
    source!(rbd, "rbd", |s, at| {
        if s.monitors.is_empty() {
            e.required(&at.child("monitors"), "");
        }
        required(e, at, &[("image", &s.image)]);
    });
    source!(quobyte, "quobyte", |s, at| quobyte(e, &s.registry, &s.volume, at));
    source!(cephfs, "cephFS", |s, at| {
        if s.monitors.is_empty() {
            e.required(&at.child("monitors"), "");
        }
    });
    source!(iscsi, "iscsi", |s, at| iscsi(e, &s.target_portal, &s.iqn, s.lun, at));
    source!(cinder, "cinder", |s, at| required(e, at, &[("volumeID", &s.volume_id)]));
    source!(fc, "fc", |s, at| fc(e, &s.target_wwns, &s.wwids, s.lun, at));
    source!(flex_volume, "flexVolume", |s, at| required(e, at, &[("driver", &s.driver)]));
    source!(azure_file, "azureFile", |s, at| {
        required(e, at, &[("secretName", &s.secret_name), ("shareName", &s.share_name)]);
    });
    source!(vsphere_volume, "vsphereVolume", |s, at| {
        required(e, at, &[("volumePath", &s.volume_path)]);
    });
    source!(photon_persistent_disk, "photonPersistentDisk", |s, at| {
        required(e, at, &[("pdID", &s.pd_id)]);
    });
    source!(portworx_volume, "portworxVolume", |s, at| {
        required(e, at, &[("volumeID", &s.volume_id)]);
    });
    source!(azure_disk, "azureDisk", |s, at| {
        azure_disk(e, [&s.disk_name, &s.disk_uri], s.caching_mode.as_ref(), s.kind.as_ref(), at);
    });
    source!(scale_io, "scaleIO", |s, at| {
        required(
            e,
            at,
            &[("gateway", &s.gateway), ("system", &s.system), ("volumeName", &s.volume_name)],
        );
    });
    source!(local, "local", |s, at| {
        if s.path.is_empty() {
            e.required(&at.child("path"), "");
        } else {
            super::volume::backsteps(e, &s.path, &at.child("path"));
        }
    });
    source!(storageos, "storageos", |s, at| {
        storageos(e, &s.volume_name, &s.volume_namespace, at);
    });
    source!(csi, "csi", |s, at| {
        super::volume::driver_name(e, &s.driver, &at.child("driver"));
        required(e, at, &[("volumeHandle", &s.volume_handle)]);
        let secrets = [
            ("controllerPublishSecretRef", &s.controller_publish_secret_ref),
            ("controllerExpandSecretRef", &s.controller_expand_secret_ref),
            ("nodePublishSecretRef", &s.node_publish_secret_ref),
            ("nodeExpandSecretRef", &s.node_expand_secret_ref),
        ];
        for (name, secret) in secrets {
            let Some(secret) = secret else { continue };
            required(
                e,
                &at.child(name),
                &[("name", &secret.name), ("namespace", &secret.namespace)],
            );
        }
    });
}
