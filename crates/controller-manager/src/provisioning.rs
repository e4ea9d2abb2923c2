//! What external provisioners have in common: when they are asked, what they say, and what a volume has from its claim.

use std::sync::Arc;

use api::core::v1::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec};
use api::meta::v1::ObjectMeta;
use api::object::Key;
use api::storage::v1::StorageClass;
use base::{Duration, HashMap, Instant, Str, lit};
use client::owner::reference_to;
use client::{Cx, Note, Plan};

/// The annotation by which the persistent volume controller asks a provisioner.
pub const ASKED: &str = "volume.kubernetes.io/storage-provisioner";
/// The annotation in which the scheduler names the node of the claim's first pod.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// The annotation of a volume that names its provisioner.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// Work that takes a while, by the uid of what it is for.
#[derive(Clone, Debug, Default)]
pub struct Work {
    begun: HashMap<Str, Instant>,
}

impl Work {
    /// Begins the work if need be and then says so; and how long it still takes.
    pub fn left(&mut self, now: Instant, uid: &Str, takes: Duration) -> (bool, Option<Duration>) {
        let is_new = !self.begun.contains_key(uid);
        let end = *self.begun.entry(uid.clone()).or_insert(now) + takes;
        (is_new, (end > now).then(|| end - now))
    }

    /// The work is done, or of no use any more.
    pub fn forget(&mut self, uid: &str) {
        self.begun.remove(uid);
    }

    /// Forgets all work.
    pub fn clear(&mut self) {
        self.begun.clear();
    }
}

/// A volume that a provisioner is to make.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// For which claim.
    pub claim: &'a PersistentVolumeClaim,
    /// Of which class.
    pub class: &'a StorageClass,
    /// For pods on which node; `None` if that does not matter.
    pub node: Option<&'a Str>,
}

/// What a claim asks a provisioner for, if it asks now.
pub fn wish<'a>(
    cx: &Cx<'a>,
    claim: &'a PersistentVolumeClaim,
    provisioner: &str,
) -> Option<Wish<'a>> {
    let meta = &claim.metadata;
    let is_asked = meta.annotations.text(ASKED) == Some(provisioner);
    if !is_asked || !claim.spec.volume_name.is_empty() || meta.deletion_timestamp.is_some() {
        return None;
    }
    let class = claim.spec.storage_class_name.as_deref().unwrap_or("");
    let class = cx.all::<StorageClass>().named("", class)?;
    let node = meta.annotations.get(SELECTED_NODE);
    let waits = class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer");
    let wish = Wish { claim, class, node };
    (node.is_some() || !waits).then_some(wish).filter(|wish| {
        let known = cx.volumes().named("", &wish.volume_name());
        known.is_none()
    })
}

impl Wish<'_> {
    /// The name of the volume.
    pub fn volume_name(&self) -> Str {
        format!("pvc-{}", self.claim.metadata.uid).into()
    }

    /// Says that the work begins.
    pub fn announce(&self, plan: &mut Plan) {
        let key = Key::of(&self.claim.metadata);
        let message = format!("External provisioner is provisioning volume for claim \"{key}\"");
        plan.event(self.claim, "Normal", "Provisioning", message);
    }

    /// Says that the work failed.
    pub fn fail(&self, why: &str, plan: &mut Plan) {
        let class = &self.class.metadata.name;
        let message = format!("failed to provision volume with StorageClass {:?}: {why}", &**class);
        plan.event(self.claim, "Warning", "ProvisioningFailed", message);
    }

    /// Hands the volume over.
    pub fn fulfil(&self, volume: PersistentVolume, plan: &mut Plan) {
        let class = &self.class.metadata.name;
        let done = format!("Successfully provisioned volume {}", volume.metadata.name);
        let failed =
            format!("failed to provision volume with StorageClass {:?}: {{error}}", &**class);
        let write = plan.create(volume);
        write.or_exists();
        write.said(Note::new(self.claim, "Normal", "ProvisioningSucceeded", done));
        write.or_said(Note::new(self.claim, "Warning", "ProvisioningFailed", failed));
    }

    /// The volume as far as claim and class say how it is; what holds the data is still missing.
    pub fn volume(&self, provisioner: &Str) -> PersistentVolume {
        let (claim, class) = (self.claim, self.class);
        let mut annotations = api::Map::new();
        annotations.insert(PROVISIONED_BY, provisioner.clone());
        let mut capacity = api::Map::new();
        let asked = claim.spec.resources.requests.get("storage");
        capacity.insert("storage", asked.cloned().unwrap_or_default());
        let policy = class.reclaim_policy.clone().unwrap_or(lit!("Delete"));
        let name = self.volume_name();
        PersistentVolume {
            metadata: Arc::new(ObjectMeta { name, annotations, ..ObjectMeta::default() }),
            spec: Arc::new(PersistentVolumeSpec {
                access_modes: claim.spec.access_modes.clone(),
                capacity,
                claim_ref: Some(Box::new(reference_to(claim))),
                mount_options: class.mount_options.clone(),
                persistent_volume_reclaim_policy: policy,
                storage_class_name: class.metadata.name.clone(),
                volume_mode: claim.spec.volume_mode.clone(),
                volume_attributes_class_name: claim.spec.volume_attributes_class_name.clone(),
                ..PersistentVolumeSpec::default()
            }),
            ..PersistentVolume::default()
        }
    }
}

/// Whether a volume was made by the provisioner, and its claim has given it up for good.
pub fn is_reclaimable(volume: &PersistentVolume, provisioner: &str) -> bool {
    volume.metadata.annotations.text(PROVISIONED_BY) == Some(provisioner)
        && volume.status.phase == "Released"
        && volume.spec.persistent_volume_reclaim_policy == "Delete"
}
