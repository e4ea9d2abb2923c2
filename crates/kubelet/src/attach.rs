//! Volumes that must be attached to the node before pods can mount them, and the node's CSINode.
//!
//! Stands for what the kubelet's volume manager says of attachable volumes, and for its CSI plugin.
//!
//! Known deviations:
//! - Drivers enter themselves into the CSINode; the kubelet only makes it.

use base::BTreeSet;
use std::sync::Arc;

use api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use api::meta::v1::{ObjectMeta, OwnerReference};
use api::object::{Key, Object};
use api::storage::v1::{CSIDriver, CSINode};
use api::wire::{Reply, Request};
use base::{List, Str};

use crate::kubelet::{Ask, Kubelet};
use crate::refs::{Name, References};
use crate::volumes::claim;
use crate::worker::{Job, Stage};

/// Plugins of the kubelet that hand their volumes to CSI drivers.
const MIGRATED: &str = "kubernetes.io/aws-ebs,kubernetes.io/azure-disk,kubernetes.io/azure-file,\
                        kubernetes.io/cinder,kubernetes.io/gce-pd,kubernetes.io/portworx-volume,\
                        kubernetes.io/vsphere-volume";

/// What must be read once a pod's claims are known: their volumes, and then the volumes' drivers.
pub(crate) fn deeper(pod: &Pod, refs: &References) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    for (_, volume) in volumes_of(pod, refs) {
        if let Some(csi) = refs.object(&volume).and_then(|v: &PersistentVolume| v.spec.csi.as_ref())
        {
            names.insert(Name::Driver(csi.driver.clone()));
        }
        names.insert(volume);
    }
    names
}

/// A pod's volumes that stand for claims which have a volume, each with that volume.
fn volumes_of<'a>(
    pod: &'a Pod,
    refs: &'a References,
) -> impl Iterator<Item = (&'a Str, Name)> + 'a {
    pod.spec.volumes.iter().filter_map(|spec| {
        let key = Key::new(pod.metadata.namespace.clone(), claim(pod, spec)?);
        let claim = refs.object::<PersistentVolumeClaim>(&Name::Claim(key))?;
        let name = &claim.spec.volume_name;
        (!name.is_empty()).then(|| (&spec.name, Name::Volume(name.clone())))
    })
}

/// Those of a pod's volumes that must be attached: their names in the pod and in the node's status.
fn attachable<'a>(pod: &'a Pod, refs: &'a References) -> impl Iterator<Item = (&'a Str, Str)> + 'a {
    volumes_of(pod, refs).filter_map(|(name, volume)| {
        let csi = refs.object::<PersistentVolume>(&volume)?.spec.csi.as_ref()?;
        let driver = refs.object::<CSIDriver>(&Name::Driver(csi.driver.clone()));
        let attach = driver.is_none_or(|driver| driver.spec.attach_required != Some(false));
        let unique = format!("kubernetes.io/csi/{}^{}", csi.driver, csi.volume_handle);
        attach.then(|| (name, unique.into()))
    })
}

impl Kubelet {
    /// Those of a pod's volumes that the node has not been told to be attached.
    pub(crate) fn unattached(&self, uid: &Str) -> Vec<Str> {
        let Some(worker) = self.agent.workers.get(uid) else { return Vec::new() };
        let status = self.agent.node.node.as_ref().map(|node| &node.status);
        let usable = |unique: &Str| {
            status.is_some_and(|status| {
                status.volumes_in_use.contains(unique)
                    && status.volumes_attached.iter().any(|volume| volume.name == *unique)
            })
        };
        attachable(&worker.pod, &self.agent.refs)
            .filter(|(_, unique)| !usable(unique))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// What the node's status says to be in use: what pods have mounted or wait to mount.
    pub(crate) fn volumes_in_use(&self) -> List<Str> {
        let workers = self.agent.workers.values();
        let living = workers.filter(|worker| worker.stage != Stage::Finished);
        let all: BTreeSet<Str> = living
            .flat_map(|worker| attachable(&worker.pod, &self.agent.refs))
            .map(|(_, unique)| unique)
            .collect();
        all.into_iter().collect()
    }

    /// Lets the node's status say what is in use, if a pod that comes or goes makes a difference.
    pub(crate) fn use_changed(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get(uid) else { return };
        if attachable(&worker.pod, &self.agent.refs).next().is_some() {
            let known = self.agent.node.node.as_ref().map(|node| &node.status.volumes_in_use);
            if known != Some(&self.volumes_in_use()) {
                self.node_changed();
            }
        }
    }

    /// The node's status changed: pods may have what they wait for.
    pub(crate) fn attachments_changed(&mut self) {
        let waiting = self.agent.workers.iter().filter(|(_, worker)| worker.job == Job::Mounting);
        let uids: Vec<Str> = waiting
            .filter(|(uid, worker)| {
                attachable(&worker.pod, &self.agent.refs).next().is_some()
                    && self.unattached(uid).is_empty()
            })
            .map(|(uid, _)| uid.clone())
            .collect();
        uids.iter().for_each(|uid| self.job_done(uid));
    }

    /// Makes the node's CSINode, unless it is there.
    pub(crate) fn make_csi_node(&mut self) {
        let Some(node) = self.agent.node.node.clone().filter(|_| !self.agent.csi_node) else {
            return;
        };
        let owner = OwnerReference {
            api_version: base::lit!("v1"),
            kind: base::lit!("Node"),
            name: node.metadata.name.clone(),
            uid: node.metadata.uid.clone(),
            ..OwnerReference::default()
        };
        let mut annotations = api::Map::new();
        annotations.insert("storage.alpha.kubernetes.io/migrated-plugins", Str::from(MIGRATED));
        let object = CSINode {
            metadata: Arc::new(ObjectMeta {
                name: node.metadata.name.clone(),
                annotations,
                owner_references: base::list![owner],
                ..ObjectMeta::default()
            }),
            ..CSINode::default()
        };
        self.ask(Ask::CsiNode, Request::create(Object::new(object)));
    }

    pub(crate) fn csi_node_answered(&mut self, reply: &Reply) {
        // Anything else is tried again with the next renewal of the lease.
        self.agent.csi_node = match reply {
            Ok(_) => true,
            Err(status) => status.reason == "AlreadyExists",
        };
    }
}
