//! Claims, volumes, storage classes and CSI nodes, as the volume plugins look at them.
//!
//! Models the scheduler's volume binder. Known deviations:
//! - Storage capacity (CSIStorageCapacity) is not looked at.
//! - In-tree volumes are not translated to CSI.

use std::sync::Arc;

use api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, PodSpec, Volume};
use api::object::Key;
use api::selector::Selector;
use api::storage::v1::{CSINode, StorageClass};
use base::{BTreeMap, HashMap, Str};

use crate::plugins::node_affinity;

/// The node for which a claim's volume is to be provisioned.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// A claim's binding is complete.
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// A volume's claim was chosen by the control plane.
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";

/// What is known of volumes.
#[derive(Clone, Debug, Default)]
pub struct Volumes {
    /// Claims.
    pub claims: BTreeMap<Key, Arc<PersistentVolumeClaim>>,
    /// Volumes.
    pub volumes: BTreeMap<Str, Arc<PersistentVolume>>,
    /// Storage classes.
    pub classes: BTreeMap<Str, Arc<StorageClass>>,
    /// What CSI drivers say of each node.
    pub csi_nodes: HashMap<Str, Arc<CSINode>>,
    /// Volumes promised to claims, until the claim is seen bound or the promise is taken back.
    pub promised: BTreeMap<Str, Key>,
    /// Nodes promised to claims whose volumes are to be provisioned.
    pub chosen: BTreeMap<Key, Str>,
}

/// How a claim gets its volume once the node is chosen.
#[derive(Clone, Debug)]
pub enum Step {
    /// An existing volume.
    Bind(Key, Arc<PersistentVolume>),
    /// A new one, made for the node.
    Provision(Key),
}

/// Whether the scheduler has to look at a volume.
pub fn matters(volume: &Volume) -> bool {
    volume.persistent_volume_claim.is_some()
        || volume.ephemeral.is_some()
        || volume.gce_persistent_disk.is_some()
        || volume.aws_elastic_block_store.is_some()
        || volume.iscsi.is_some()
        || volume.rbd.is_some()
}

/// The claims of a pod; generic ephemeral volumes have claims named after pod and volume.
pub fn claims_of<'a>(pod: &'a Key, spec: &'a PodSpec) -> impl Iterator<Item = Key> + 'a {
    spec.volumes.iter().filter_map(move |volume| {
        let name = match (&volume.persistent_volume_claim, &volume.ephemeral) {
            (Some(claim), _) => claim.claim_name.clone(),
            (None, Some(_)) => format!("{}-{}", pod.name, volume.name).into(),
            (None, None) => return None,
        };
        Some(Key::new(pod.namespace.clone(), name))
    })
}

/// Whether a claim has its volume for good.
pub fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    !claim.spec.volume_name.is_empty() && claim.metadata.annotations.contains_key(BIND_COMPLETED)
}

/// Whether pods on a node can use a volume.
pub fn reaches(volume: &PersistentVolume, node: &Node) -> bool {
    let required = volume.spec.node_affinity.as_ref().and_then(|a| a.required.as_ref());
    required.is_none_or(|selector| {
        selector
            .node_selector_terms
            .iter()
            .any(|term| node_affinity::matches(term, &node.metadata.labels, &node.metadata.name))
    })
}

fn class_of(claim: &PersistentVolumeClaim) -> &str {
    claim.spec.storage_class_name.as_deref().unwrap_or("")
}

impl Volumes {
    /// Whether the claim's volume is chosen only when its pod gets a node.
    pub fn waits_for_pod(&self, claim: &PersistentVolumeClaim) -> bool {
        let class = self.classes.get(class_of(claim));
        class.is_some_and(|c| c.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"))
    }

    /// How the claim would get a volume on a node, those in `taken` left out; `None` if it cannot.
    pub fn step(
        &self,
        key: &Key,
        claim: &PersistentVolumeClaim,
        node: &Node,
        taken: &[Str],
    ) -> Option<Step> {
        let selected = claim.metadata.annotations.text(SELECTED_NODE);
        let selected = selected.or_else(|| self.chosen.get(key).map(|node| &**node));
        if let Some(selected) = selected {
            return (selected == node.metadata.name).then(|| Step::Provision(key.clone()));
        }
        if let Some(volume) = self.match_for(key, claim, node, taken) {
            return Some(Step::Bind(key.clone(), volume));
        }
        self.can_provision(claim, node).then(|| Step::Provision(key.clone()))
    }

    /// The smallest free volume that the claim can have on the node.
    fn match_for(
        &self,
        key: &Key,
        claim: &PersistentVolumeClaim,
        node: &Node,
        taken: &[Str],
    ) -> Option<Arc<PersistentVolume>> {
        let wanted = claim.spec.resources.requests.get("storage").map_or(0, |q| q.value());
        let selector = claim.spec.selector.as_deref().map(Selector::of).transpose().ok()?;
        let size = |volume: &PersistentVolume| {
            volume.spec.capacity.get("storage").map_or(0, |q| q.value())
        };
        let mode = |mode: &Option<Str>| mode.clone().unwrap_or("Filesystem".into());
        let fits = |volume: &&Arc<PersistentVolume>| {
            let spec = &volume.spec;
            let owner = spec.claim_ref.as_ref();
            let own = owner.is_some_and(|r| {
                r.name == key.name
                    && r.namespace == key.namespace
                    && (r.uid.is_empty() || r.uid == claim.metadata.uid)
            });
            let promised = self.promised.get(&volume.metadata.name);
            (owner.is_none() || own)
                && promised.is_none_or(|to| to == key)
                && !taken.contains(&volume.metadata.name)
                && volume.metadata.deletion_timestamp.is_none()
                && (own || matches!(volume.status.phase.as_str(), "" | "Available"))
                && spec.storage_class_name == class_of(claim)
                && mode(&spec.volume_mode) == mode(&claim.spec.volume_mode)
                && claim.spec.access_modes.iter().all(|m| spec.access_modes.contains(m))
                && size(volume) >= wanted
                && selector
                    .as_ref()
                    .is_none_or(|selector| selector.matches(|key| volume.metadata.labels.text(key)))
                && reaches(volume, node)
        };
        let mut found: Vec<&Arc<PersistentVolume>> = self.volumes.values().filter(fits).collect();
        found.sort_by_key(|volume| (volume.spec.claim_ref.is_none(), size(volume)));
        found.first().map(|volume| (*volume).clone())
    }

    fn can_provision(&self, claim: &PersistentVolumeClaim, node: &Node) -> bool {
        let Some(class) = self.classes.get(class_of(claim)) else { return false };
        if class.provisioner.is_empty() || class.provisioner == "kubernetes.io/no-provisioner" {
            return false;
        }
        let labels = &node.metadata.labels;
        class.allowed_topologies.is_empty()
            || class.allowed_topologies.iter().any(|term| {
                term.match_label_expressions.iter().all(|expression| {
                    labels.get(&expression.key).is_some_and(|v| expression.values.contains(v))
                })
            })
    }

    /// What attaching a claim's volume would use up: CSI driver and volume.
    pub fn attachment(&self, key: &Key) -> Option<(Str, Str)> {
        let claim = self.claims.get(key)?;
        if let Some(volume) = self.volumes.get(&claim.spec.volume_name) {
            let csi = volume.spec.csi.as_ref()?;
            return Some((csi.driver.clone(), csi.volume_handle.clone()));
        }
        let class = self.classes.get(class_of(claim))?;
        Some((class.provisioner.clone(), key.to_string().into()))
    }

    /// Keeps a promise in mind.
    pub fn promise(&mut self, step: &Step, node: &Str) {
        match step {
            Step::Bind(claim, volume) => {
                self.promised.insert(volume.metadata.name.clone(), claim.clone());
            }
            Step::Provision(claim) => {
                self.chosen.insert(claim.clone(), node.clone());
            }
        }
    }

    /// Takes the promises to a claim back, or forgets them because they were kept.
    pub fn forget_promises(&mut self, claim: &Key) {
        self.promised.retain(|_, to| to != claim);
        self.chosen.remove(claim);
    }
}
