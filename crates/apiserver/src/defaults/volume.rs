//! Volumes of pods.
//!
//! Models `SetDefaults_Volume` and the defaults of the volume sources.
//!
//! Known deviations: none.

use api::core::v1::{DownwardAPIVolumeFile, PersistentVolumeClaimSpec, Volume};
use base::{List, Str, lit};

use super::{amounts, image, missing, text};

const FILE_MODE: i32 = 0o644;

/// Fills in what a volume leaves out; a volume without a source is an empty directory.
pub fn volume(volume: &mut Volume) {
    if !has_source(volume) {
        volume.empty_dir = Some(Box::default());
    }
    if let Some(secret) = &mut volume.secret {
        missing(&mut secret.default_mode, FILE_MODE);
    }
    if let Some(map) = &mut volume.config_map {
        missing(&mut map.default_mode, FILE_MODE);
    }
    if let Some(downward) = &mut volume.downward_api {
        missing(&mut downward.default_mode, FILE_MODE);
        files(&mut downward.items);
    }
    if let Some(projected) = &mut volume.projected {
        missing(&mut projected.default_mode, FILE_MODE);
        for source in projected.sources.iter_mut() {
            if let Some(token) = &mut source.service_account_token {
                missing(&mut token.expiration_seconds, 60 * 60);
            }
            source.downward_api.iter_mut().for_each(|downward| files(&mut downward.items));
            if let Some(certificate) = &mut source.pod_certificate {
                missing(&mut certificate.max_expiration_seconds, 24 * 60 * 60);
            }
        }
    }
    if let Some(image) = &mut volume.image
        && image.pull_policy.is_empty()
    {
        image.pull_policy = image::pull_policy(&image.reference);
    }
    if let Some(ephemeral) = &mut volume.ephemeral
        && let Some(template) = &mut ephemeral.volume_claim_template
    {
        claim(&mut template.spec);
    }
    network(volume);
}

/// Sources that reach out to storage systems.
fn network(volume: &mut Volume) {
    if let Some(host) = &mut volume.host_path {
        missing(&mut host.type_, Str::new());
    }
    if let Some(iscsi) = &mut volume.iscsi {
        text(&mut iscsi.iscsi_interface, lit!("default"));
    }
    if let Some(rbd) = &mut volume.rbd {
        text(&mut rbd.pool, lit!("rbd"));
        text(&mut rbd.user, lit!("admin"));
        text(&mut rbd.keyring, lit!("/etc/ceph/keyring"));
    }
    if let Some(disk) = &mut volume.azure_disk {
        missing(&mut disk.caching_mode, lit!("ReadWrite"));
        missing(&mut disk.kind, lit!("Shared"));
        missing(&mut disk.fs_type, lit!("ext4"));
        missing(&mut disk.read_only, false);
    }
    if let Some(scale) = &mut volume.scale_io {
        text(&mut scale.storage_mode, lit!("ThinProvisioned"));
        text(&mut scale.fs_type, lit!("xfs"));
    }
}

/// What a claim leaves out, in a volume as on its own.
pub fn claim(spec: &mut PersistentVolumeClaimSpec) {
    missing(&mut spec.volume_mode, lit!("Filesystem"));
    amounts(&mut spec.resources.limits);
    amounts(&mut spec.resources.requests);
    // The old and the new field for the source of the data follow each other.
    let plain = spec.data_source_ref.as_ref().is_none_or(|source| source.namespace.is_none());
    if plain {
        if let (None, Some(source)) = (&spec.data_source_ref, &spec.data_source) {
            let mut reference = Box::<api::core::v1::TypedObjectReference>::default();
            reference.api_group = source.api_group.clone();
            reference.kind = source.kind.clone();
            reference.name = source.name.clone();
            spec.data_source_ref = Some(reference);
        } else if let (Some(reference), None) = (&spec.data_source_ref, &spec.data_source) {
            let mut source = Box::<api::core::v1::TypedLocalObjectReference>::default();
            source.api_group = reference.api_group.clone();
            source.kind = reference.kind.clone();
            source.name = reference.name.clone();
            spec.data_source = Some(source);
        }
    }
}

fn files(files: &mut List<DownwardAPIVolumeFile>) {
    for field in files.iter_mut().filter_map(|file| file.field_ref.as_deref_mut()) {
        text(&mut field.api_version, lit!("v1"));
    }
}

fn has_source(v: &Volume) -> bool {
    v.empty_dir.is_some()
        || v.config_map.is_some()
        || v.secret.is_some()
        || v.projected.is_some()
        || v.host_path.is_some()
        || v.persistent_volume_claim.is_some()
        || v.downward_api.is_some()
        || v.ephemeral.is_some()
        || v.csi.is_some()
        || v.nfs.is_some()
        || v.image.is_some()
        || v.aws_elastic_block_store.is_some()
        || v.azure_disk.is_some()
        || v.azure_file.is_some()
        || v.cephfs.is_some()
        || v.cinder.is_some()
        || v.fc.is_some()
        || v.flex_volume.is_some()
        || v.flocker.is_some()
        || v.gce_persistent_disk.is_some()
        || v.git_repo.is_some()
        || v.glusterfs.is_some()
        || v.iscsi.is_some()
        || v.photon_persistent_disk.is_some()
        || v.portworx_volume.is_some()
        || v.quobyte.is_some()
        || v.rbd.is_some()
        || v.scale_io.is_some()
        || v.storageos.is_some()
        || v.vsphere_volume.is_some()
}
