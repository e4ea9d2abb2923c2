//! Claims, volumes, storage classes and CSI nodes, as the volume plugins look at them.
//!
//! Models the scheduler's volume binder. Known deviations:
//! - In-tree volumes are not translated to CSI.

use std::sync::Arc;

use api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, PodSpec, Volume};
use api::node_fit::fits_term;
use api::object::Key;
use api::selector::Selector;
use api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass};
use base::{BTreeMap, HashMap, Str};

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
    /// CSI drivers.
    pub drivers: BTreeMap<Str, Arc<CSIDriver>>,
    /// How much CSI drivers can still make, and where.
    pub capacities: BTreeMap<Key, Arc<CSIStorageCapacity>>,
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

/// Why a claim gets no volume on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// There is none, and none can be made.
    Volume,
    /// It could be made, but its driver has no room for it there.
    Space,
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
            .any(|term| fits_term(term, &node.metadata.labels, &node.metadata.name))
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

    /// How the claim would get a volume on a node, those in `taken` left out; or why it cannot.
    pub fn step(
        &self,
        key: &Key,
        claim: &PersistentVolumeClaim,
        node: &Node,
        taken: &[Str],
    ) -> Result<Step, Lack> {
        let selected = claim.metadata.annotations.text(SELECTED_NODE);
        let selected = selected.or_else(|| self.chosen.get(key).map(|node| &**node));
        if let Some(selected) = selected {
            let here = selected == node.metadata.name;
            return if here { Ok(Step::Provision(key.clone())) } else { Err(Lack::Volume) };
        }
        if let Some(volume) = self.match_for(key, claim, node, taken) {
            return Ok(Step::Bind(key.clone(), volume));
        }
        if !self.can_provision(claim, node) {
            return Err(Lack::Volume);
        }
        if !self.has_space(claim, node) {
            return Err(Lack::Space);
        }
        Ok(Step::Provision(key.clone()))
    }

    /// Whether the claim's driver can make so large a volume for the node, as far as it publishes that.
    fn has_space(&self, claim: &PersistentVolumeClaim, node: &Node) -> bool {
        let class = class_of(claim);
        let driver = self.classes.get(class).and_then(|class| self.drivers.get(&class.provisioner));
        if driver.is_none_or(|driver| driver.spec.storage_capacity != Some(true)) {
            return true;
        }
        let wanted = claim.spec.resources.requests.get("storage").map_or(0, |q| q.value());
        let labels = &node.metadata.labels;
        self.capacities.values().filter(|known| known.storage_class_name == class).any(|known| {
            let largest = known.maximum_volume_size.as_ref().or(known.capacity.as_ref());
            let reaches = known.node_topology.as_deref().is_some_and(|topology| {
                Selector::of(topology).is_ok_and(|s| s.matches(|key| labels.text(key)))
            });
            reaches && largest.is_some_and(|largest| largest.value() >= wanted)
        })
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
        base::sort::by_key(&mut found, |volume| (volume.spec.claim_ref.is_none(), size(volume)));
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
