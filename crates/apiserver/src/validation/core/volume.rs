//! Volumes of pods, of the sources that live in the cluster.
//!
//! Models `ValidateVolumes`.
//!
//! Known deviations:
//! - Two sources of a projected volume may write the same path.

use api::core::v1::{
    DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Volume, VolumeProjection,
};
use api::meta::v1::ObjectMeta;
use api::names;
use base::{HashMap, HashSet, Str};

use super::{env, storage, volume_remote};
use crate::validation::check::Errors;
use crate::validation::path::Path;

/// The volumes that are well-formed, by name.
pub type Volumes<'a> = HashMap<&'a Str, &'a Volume>;

/// What is said of a volume with two sources.
pub const ONE_TYPE: &str = "may not specify more than 1 volume type";

/// Checks the volumes and gives those that may be mounted.
pub fn volumes<'a>(
    e: &mut Errors,
    volumes: &'a [Volume],
    meta: Option<&ObjectMeta>,
    list: &Path,
) -> Volumes<'a> {
    let name_of = |volume: &Volume| meta.map(|meta| format!("{}-{}", meta.name, volume.name));
    let made: HashSet<String> = volumes
        .iter()
        .filter(|volume| volume.ephemeral.is_some())
        .filter_map(|volume| name_of(volume).filter(|_| !volume.name.is_empty()))
        .collect();
    let mut good = Volumes::default();
    for (i, volume) in volumes.iter().enumerate() {
        let at = list.index(i);
        let before = e.len();
        sources(e, volume, &at);
        if volume.name.is_empty() {
            e.required(&at.child("name"), "");
        } else {
            e.label_name(&at.child("name"), &volume.name);
        }
        if good.contains_key(&volume.name) {
            e.duplicate(&at.child("name"), &volume.name);
        }
        if e.len() == before {
            good.insert(&volume.name, volume);
        }
        if let Some(claim) = &volume.persistent_volume_claim
            && made.contains(claim.claim_name.as_str())
        {
            let why = "must not reference a PVC that gets created for an ephemeral volume";
            let at = at.child("persistentVolumeClaim");
            e.invalid(&at.child("claimName"), &claim.claim_name, why);
        }
    }
    good
}

/// Counts the sources of a volume and says so where there is more than one.
pub struct Count(usize);

impl Count {
    /// None yet.
    pub fn new() -> Count {
        Count(0)
    }

    /// Counts one more; false, and an error, if it is not the first.
    pub fn is_first(&mut self, e: &mut Errors, at: &Path) -> bool {
        self.0 += 1;
        if self.0 > 1 {
            e.forbidden(at, ONE_TYPE);
        }
        self.0 == 1
    }

    /// Whether there was none.
    pub fn is_none(&self) -> bool {
        self.0 == 0
    }
}

fn sources(e: &mut Errors, volume: &Volume, at: &Path) {
    let mut count = Count::new();
    if let Some(dir) = &volume.empty_dir
        && count.is_first(e, &at.child("emptyDir"))
        && dir.size_limit.as_ref().is_some_and(|limit| limit.sign() < 0)
    {
        let why = "SizeLimit field must be a valid resource quantity";
        e.forbidden(&at.child("emptyDir").child("sizeLimit"), why);
    }
    if let Some(host) = &volume.host_path
        && count.is_first(e, &at.child("hostPath"))
    {
        host_path(e, &host.path, host.type_.as_ref(), &at.child("hostPath"));
    }
    if let Some(secret) = &volume.secret
        && count.is_first(e, &at.child("secret"))
    {
        let at = at.child("secret");
        if secret.secret_name.is_empty() {
            e.required(&at.child("secretName"), "");
        }
        mode(e, secret.default_mode, &at.child("defaultMode"));
        keys(e, &secret.items, &at.child("items"));
    }
    if let Some(claim) = &volume.persistent_volume_claim
        && count.is_first(e, &at.child("persistentVolumeClaim"))
        && claim.claim_name.is_empty()
    {
        e.required(&at.child("persistentVolumeClaim").child("claimName"), "");
    }
    volume_remote::of_pod(e, volume, at, &mut count);
    if let Some(downward) = &volume.downward_api
        && count.is_first(e, &at.child("downwarAPI"))
    {
        let at = at.child("downwardAPI");
        mode(e, downward.default_mode, &at.child("defaultMode"));
        downward.items.iter().for_each(|file| downward_file(e, file, &at));
    }
    if let Some(map) = &volume.config_map
        && count.is_first(e, &at.child("configMap"))
    {
        let at = at.child("configMap");
        if map.name.is_empty() {
            e.required(&at.child("name"), "");
        }
        mode(e, map.default_mode, &at.child("defaultMode"));
        keys(e, &map.items, &at.child("items"));
    }
    if let Some(source) = &volume.projected
        && count.is_first(e, &at.child("projected"))
    {
        projected(e, source, &at.child("projected"));
    }
    if let Some(csi) = &volume.csi
        && count.is_first(e, &at.child("csi"))
    {
        let at = at.child("csi");
        driver_name(e, &csi.driver, &at.child("driver"));
        if csi.node_publish_secret_ref.as_ref().is_some_and(|secret| secret.name.is_empty()) {
            e.required(&at.child("nodePublishSecretRef").child("name"), "");
        }
    }
    if let Some(ephemeral) = &volume.ephemeral
        && count.is_first(e, &at.child("ephemeral"))
    {
        let at = at.child("ephemeral");
        match &ephemeral.volume_claim_template {
            None => e.required(&at.child("volumeClaimTemplate"), ""),
            Some(template) => {
                let at = at.child("volumeClaimTemplate");
                e.labels(&at.child("metadata").child("labels"), &template.metadata.labels);
                let notes = &template.metadata.annotations;
                e.annotations(&at.child("metadata").child("annotations"), notes);
                storage::claim_spec(e, &template.spec, &at.child("spec"));
            }
        }
    }
    if let Some(image) = &volume.image
        && count.is_first(e, &at.child("image"))
    {
        let at = at.child("image");
        if image.reference.is_empty() {
            e.required(&at.child("reference"), "");
        }
        let policies = ["Always", "IfNotPresent", "Never"];
        e.one_of(&at.child("pullPolicy"), &image.pull_policy, &policies);
    }
    if count.is_none() {
        e.required(at, "must specify a volume type");
    }
}

/// A directory or file of the node.
pub fn host_path(e: &mut Errors, path: &str, kind: Option<&Str>, at: &Path) {
    if path.is_empty() {
        e.required(&at.child("path"), "");
        return;
    }
    backsteps(e, path, &at.child("path"));
    let kinds = [
        "",
        "BlockDevice",
        "CharDevice",
        "Directory",
        "DirectoryOrCreate",
        "File",
        "FileOrCreate",
        "Socket",
    ];
    e.one_of_if(&at.child("type"), kind, &kinds);
}

/// The name of a CSI driver.
pub fn driver_name(e: &mut Errors, name: &str, at: &Path) {
    if name.is_empty() {
        e.required(at, "");
    }
    if name.len() > 63 {
        e.too_long(at, 63);
    }
    for complaint in names::dns1123_subdomain(&name.to_lowercase()) {
        e.invalid(at, name, &complaint);
    }
}

/// The permissions of a file.
fn mode(e: &mut Errors, mode: Option<i32>, at: &Path) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        e.invalid(at, &mode, "must be a number between 0 and 0777 (octal), both inclusive");
    }
}

fn keys(e: &mut Errors, items: &[KeyToPath], list: &Path) {
    for (i, item) in items.iter().enumerate() {
        let at = list.index(i);
        if item.key.is_empty() {
            e.required(&at.child("key"), "");
        }
        if item.path.is_empty() {
            e.required(&at.child("path"), "");
        }
        local_path(e, &item.path, &at.child("path"));
        mode(e, item.mode, &at.child("mode"));
    }
}

fn downward_file(e: &mut Errors, file: &DownwardAPIVolumeFile, at: &Path) {
    if file.path.is_empty() {
        e.required(&at.child("path"), "");
    }
    local_path(e, &file.path, &at.child("path"));
    match (&file.field_ref, &file.resource_field_ref) {
        (Some(field), other) => {
            env::field_ref(e, field, env::VOLUME_FIELDS, &at.child("fieldRef"));
            if other.is_some() {
                let why = "fieldRef and resourceFieldRef can not be specified simultaneously";
                e.invalid(at, "resource", why);
            }
        }
        (None, Some(resource)) => {
            env::resource_ref(e, resource, true, &at.child("resourceFieldRef"));
        }
        (None, None) => e.required(at, "one of fieldRef and resourceFieldRef is required"),
    }
    mode(e, file.mode, &at.child("mode"));
}

fn projected(e: &mut Errors, source: &ProjectedVolumeSource, at: &Path) {
    mode(e, source.default_mode, &at.child("defaultMode"));
    let list = at.child("sources");
    for (i, source) in source.sources.iter().enumerate() {
        projection(e, source, &list.index(i));
    }
}

fn projection(e: &mut Errors, source: &VolumeProjection, at: &Path) {
    let mut count = Count::new();
    if let Some(secret) = &source.secret
        && count.is_first(e, &at.child("secret"))
    {
        let at = at.child("secret");
        if secret.name.is_empty() {
            e.required(&at.child("name"), "");
        }
        keys(e, &secret.items, &at.child("items"));
    }
    if let Some(map) = &source.config_map
        && count.is_first(e, &at.child("configMap"))
    {
        let at = at.child("configMap");
        if map.name.is_empty() {
            e.required(&at.child("name"), "");
        }
        keys(e, &map.items, &at.child("items"));
    }
    if let Some(downward) = &source.downward_api
        && count.is_first(e, &at.child("downwardAPI"))
    {
        let at = at.child("downwardAPI");
        downward.items.iter().for_each(|file| downward_file(e, file, &at.child("items")));
    }
    if let Some(token) = &source.service_account_token
        && count.is_first(e, &at.child("serviceAccountToken"))
    {
        let at = at.child("serviceAccountToken");
        let seconds = token.expiration_seconds.unwrap_or_default();
        let expiry = at.child("expirationSeconds");
        if seconds < 10 * 60 {
            e.invalid(&expiry, &seconds, "may not specify a duration less than 10 minutes");
        }
        if seconds > 1 << 32 {
            e.invalid(&expiry, &seconds, "may not specify a duration larger than 2^32 seconds");
        }
        if token.path.is_empty() {
            e.required(&at.child("path"), "");
        } else {
            local_path(e, &token.path, &at.child("path"));
        }
    }
    if let Some(bundle) = &source.cluster_trust_bundle
        && count.is_first(e, &at.child("clusterTrustBundle"))
    {
        let at = at.child("clusterTrustBundle");
        if bundle.path.is_empty() {
            e.required(&at.child("path"), "");
        }
        local_path(e, &bundle.path, &at.child("path"));
    }
    if let Some(certificate) = &source.pod_certificate
        && count.is_first(e, &at.child("podCertificate"))
        && certificate.signer_name.is_empty()
    {
        e.required(&at.child("podCertificate").child("signerName"), "");
    }
    if count.is_none() {
        e.required(at, "must specify exactly one projected volume type");
    }
}

/// Whether no part of a path goes up.
pub fn no_backsteps(path: &str) -> bool {
    path.split('/').all(|part| part != "..")
}

/// Says so where a path goes up.
pub fn backsteps(e: &mut Errors, path: &str, at: &Path) {
    if !no_backsteps(path) {
        e.invalid(at, path, "must not contain '..'");
    }
}

/// A path below some directory.
pub fn relative_path(e: &mut Errors, path: &str, at: &Path) {
    if path.starts_with('/') {
        e.invalid(at, path, "must be a relative path");
    }
    backsteps(e, path, at);
}

/// A path below some directory whose first part does not begin with two dots.
pub fn local_path(e: &mut Errors, path: &str, at: &Path) {
    relative_path(e, path, at);
    if path.starts_with("..") && !path.starts_with("../") {
        e.invalid(at, path, "must not start with '..'");
    }
}
