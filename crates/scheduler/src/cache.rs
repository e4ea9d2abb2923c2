//! The scheduler's picture of the cluster: nodes, and pods grouped into classes.
//!
//! Models the scheduler cache and its snapshot. Pods that share namespace, labels and spec form a class; what
//! looks for pods (spreading, pod affinity) matches classes and multiplies by their counts.

use std::sync::Arc;

use api::core::v1::{Namespace, Node, Pod, PodSpec};
use api::object::Key;
use api::{Map, PlacedSpec};
use base::{BTreeMap, BTreeSet, HashMap, Str};

use crate::needs::Needs;
use crate::resources::Resources;

/// The number of a node in [`Cache::nodes`].
pub type NodeId = u32;
/// The number of a class in [`Cache::classes`].
pub type ClassId = u32;

/// A node as the plugins see it.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// Its name.
    pub name: Str,
    /// The object; `None` while only pods of it are known.
    pub node: Option<Arc<Node>>,
    /// What its pods may use.
    pub allocatable: Resources,
    /// How many pods it takes.
    pub pods_max: i64,
    /// What its pods ask for.
    pub requested: Resources,
    /// CPU of its pods, with assumed values.
    pub assumed_cpu: i64,
    /// Memory of its pods, with assumed values.
    pub assumed_memory: i64,
    /// Its pods.
    pub pods: BTreeMap<Key, Placed>,
    /// Host ports in use, with how many pods use each.
    pub ports: BTreeMap<(Str, Str, i32), u32>,
    /// Sizes of its images by name.
    pub images: BTreeMap<Str, i64>,
}

/// A pod on a node.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its class.
    pub class: ClassId,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Its priority.
    pub priority: i32,
    /// Its uid.
    pub uid: Str,
    /// When it started, in microseconds; later for those that have not.
    pub start: i64,
}

/// Pods alike to the scheduler.
#[derive(Clone, Debug)]
pub struct Class {
    /// Their namespace.
    pub namespace: Str,
    /// Their labels.
    pub labels: Map<Str>,
    /// Their needs.
    pub needs: Arc<Needs>,
    /// How many there are on each node: all, and those not being deleted.
    pub on_node: BTreeMap<NodeId, (u32, u32)>,
}

/// Everything the plugins look at.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// The nodes. A removed node's place is taken by the next new one.
    pub nodes: Vec<NodeInfo>,
    /// Nodes by name.
    pub by_name: BTreeMap<Str, NodeId>,
    /// The classes.
    pub classes: Vec<Class>,
    /// Labels of namespaces.
    pub namespaces: BTreeMap<Str, Map<Str>>,
    /// The nodes that have objects, in the order in which they are tried: zone by zone in turn.
    pub order: Vec<NodeId>,
    /// Classes with required anti-affinity that have pods.
    pub anti_affine: BTreeSet<ClassId>,
    /// Classes with any pod affinity, required or preferred, that have pods.
    pub affine: BTreeSet<ClassId>,
    /// How many nodes hold an image.
    pub image_nodes: HashMap<Str, u32>,
    /// Changes with everything but [`Cache::place`] by the scheduler itself.
    pub version: u64,
    free: Vec<NodeId>,
    class_ids: HashMap<(Str, Map<Str>, usize), ClassId>,
    needs: HashMap<usize, Arc<Needs>>,
    where_is: HashMap<Key, NodeId>,
}

impl Cache {
    /// What a spec needs, worked out once.
    pub fn needs_of(&mut self, spec: &Arc<PodSpec>) -> Arc<Needs> {
        // The address identifies the spec as long as `Needs` keeps it alive.
        let address = Arc::as_ptr(spec) as usize;
        self.needs.entry(address).or_insert_with(|| Arc::new(Needs::of(spec))).clone()
    }

    /// The class of a pod.
    pub fn class_of(&mut self, namespace: &Str, labels: &Map<Str>, spec: &PlacedSpec) -> ClassId {
        let needs = self.needs_of(spec.shared());
        let address = Arc::as_ptr(&needs.spec) as usize;
        let key = (namespace.clone(), labels.clone(), address);
        if let Some(id) = self.class_ids.get(&key) {
            return *id;
        }
        let id = self.classes.len() as ClassId;
        let (namespace, labels) = (namespace.clone(), labels.clone());
        self.classes.push(Class { namespace, labels, needs, on_node: BTreeMap::new() });
        self.class_ids.insert(key, id);
        id
    }

    /// The node's number; a place is made for it if it is new.
    fn node_id(&mut self, name: &Str) -> NodeId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let info = NodeInfo {
            name: name.clone(),
            node: None,
            allocatable: Resources::default(),
            pods_max: 0,
            requested: Resources::default(),
            assumed_cpu: 0,
            assumed_memory: 0,
            pods: BTreeMap::new(),
            ports: BTreeMap::new(),
            images: BTreeMap::new(),
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.nodes[id as usize] = info;
                id
            }
            None => {
                self.nodes.push(info);
                (self.nodes.len() - 1) as NodeId
            }
        };
        self.by_name.insert(name.clone(), id);
        id
    }

    /// Adds or changes a node; true if that can matter to scheduling.
    pub fn set_node(&mut self, node: Arc<Node>) -> bool {
        let id = self.node_id(&node.metadata.name);
        let before = self.nodes[id as usize].node.clone();
        if let Some(before) = &before
            && before.spec == node.spec
            && before.metadata.labels == node.metadata.labels
            && before.status.allocatable == node.status.allocatable
            && before.status.images == node.status.images
        {
            self.nodes[id as usize].node = Some(node);
            return false;
        }
        self.version += 1;
        let old_images = std::mem::take(&mut self.nodes[id as usize].images);
        self.count_images(&old_images, -1);
        let mut images = BTreeMap::new();
        for image in &node.status.images {
            for name in &image.names {
                images.insert(name.clone(), image.size_bytes.unwrap_or(0));
            }
        }
        self.count_images(&images, 1);
        let zone_changed = before.as_ref().is_none_or(|old| zone_of(old) != zone_of(&node));
        let info = &mut self.nodes[id as usize];
        info.images = images;
        info.allocatable = Resources::of(&node.status.allocatable);
        info.pods_max = node.status.allocatable.get("pods").map_or(0, |q| q.value());
        info.node = Some(node);
        if zone_changed {
            self.reorder();
        }
        true
    }

    /// Removes a node. Pods that it still has stay known.
    pub fn remove_node(&mut self, name: &str) {
        let Some(id) = self.by_name.get(name).copied() else { return };
        self.version += 1;
        let images = std::mem::take(&mut self.nodes[id as usize].images);
        self.count_images(&images, -1);
        self.nodes[id as usize].node = None;
        self.forget_if_empty(id);
        self.reorder();
    }

    fn forget_if_empty(&mut self, id: NodeId) {
        let info = &self.nodes[id as usize];
        if info.node.is_none() && info.pods.is_empty() {
            let name = info.name.clone();
            self.by_name.remove(&name);
            self.free.push(id);
        }
    }

    fn count_images(&mut self, images: &BTreeMap<Str, i64>, by: i64) {
        for name in images.keys() {
            let count = self.image_nodes.entry(name.clone()).or_default();
            *count = (i64::from(*count) + by).max(0) as u32;
        }
    }

    fn reorder(&mut self) {
        let mut zones: BTreeMap<String, Vec<NodeId>> = BTreeMap::new();
        for id in self.by_name.values() {
            if let Some(node) = &self.nodes[*id as usize].node {
                zones.entry(zone_of(node)).or_default().push(*id);
            }
        }
        let longest = zones.values().map(Vec::len).max().unwrap_or(0);
        self.order = (0..longest)
            .flat_map(|i| zones.values().filter_map(move |ids| ids.get(i).copied()))
            .collect();
    }

    /// The node a known pod is on.
    pub fn node_of_pod(&self, key: &Key) -> Option<NodeId> {
        self.where_is.get(key).copied()
    }

    /// Puts a pod on a node, or notes what changed of it there. `own` says that the scheduler decided it.
    pub fn place(&mut self, pod: &Pod, node: &Str, own: bool) {
        let key = Key::of(&pod.metadata);
        let class = self.class_of(&pod.metadata.namespace, &pod.metadata.labels, &pod.spec);
        let terminating = pod.metadata.deletion_timestamp.is_some();
        let start = pod.status.start_time.map_or(i64::MAX, |t| t.instant().0);
        let id = self.node_id(node);
        if self.where_is.get(&key) == Some(&id)
            && let Some(known) = self.nodes[id as usize].pods.get_mut(&key)
            && known.class == class
            && known.terminating == terminating
            && known.uid == pod.metadata.uid
        {
            known.start = start;
            return;
        }
        self.remove_pod(&key);
        if !own {
            self.version += 1;
        }
        let (priority, uid) = (pod.spec.priority.unwrap_or(0), pod.metadata.uid.clone());
        self.put(key, id, Placed { class, terminating, priority, uid, start });
    }

    /// Takes a pod off its node; true if it was known.
    pub fn remove_pod(&mut self, key: &Key) -> bool {
        let Some((id, _)) = self.take(key) else { return false };
        self.version += 1;
        self.forget_if_empty(id);
        true
    }

    /// Puts a pod on a node, without a change of the version.
    pub fn put(&mut self, key: Key, id: NodeId, placed: Placed) {
        let class = &mut self.classes[placed.class as usize];
        let needs = class.needs.clone();
        let counts = class.on_node.entry(id).or_default();
        counts.0 += 1;
        counts.1 += u32::from(!placed.terminating);
        if !needs.anti_affinity.is_empty() {
            self.anti_affine.insert(placed.class);
        }
        if !(needs.anti_affinity.is_empty()
            && needs.affinity.is_empty()
            && needs.preferred.is_empty())
        {
            self.affine.insert(placed.class);
        }
        let info = &mut self.nodes[id as usize];
        info.requested.add(&needs.requests);
        info.assumed_cpu += needs.assumed.cpu;
        info.assumed_memory += needs.assumed.memory;
        for port in &needs.ports {
            *info.ports.entry(port.clone()).or_default() += 1;
        }
        info.pods.insert(key.clone(), placed);
        self.where_is.insert(key, id);
    }

    /// Takes a pod off its node, without a change of the version.
    pub fn take(&mut self, key: &Key) -> Option<(NodeId, Placed)> {
        let id = self.where_is.remove(key)?;
        let info = &mut self.nodes[id as usize];
        let placed = info.pods.remove(key)?;
        let class = &mut self.classes[placed.class as usize];
        let needs = class.needs.clone();
        info.requested.sub(&needs.requests);
        info.assumed_cpu -= needs.assumed.cpu;
        info.assumed_memory -= needs.assumed.memory;
        for port in &needs.ports {
            if let Some(users) = info.ports.get_mut(port) {
                *users -= 1;
            }
        }
        if !needs.ports.is_empty() {
            info.ports.retain(|_, users| *users > 0);
        }
        if let Some(counts) = class.on_node.get_mut(&id) {
            counts.0 -= 1;
            counts.1 -= u32::from(!placed.terminating);
            if counts.0 == 0 {
                class.on_node.remove(&id);
            }
        }
        if class.on_node.is_empty() {
            self.anti_affine.remove(&placed.class);
            self.affine.remove(&placed.class);
        }
        Some((id, placed))
    }

    /// Notes a namespace's labels.
    pub fn set_namespace(&mut self, namespace: &Namespace) {
        let labels = namespace.metadata.labels.clone();
        if self.namespaces.insert(namespace.metadata.name.clone(), labels.clone()).as_ref()
            != Some(&labels)
        {
            self.version += 1;
        }
    }

    /// Labels of a node; none while it has no object.
    pub fn labels(&self, id: NodeId) -> Option<&Map<Str>> {
        self.nodes[id as usize].node.as_ref().map(|node| &node.metadata.labels)
    }

    /// Forgets classes and needs that no pod has any more, once there are many of them.
    pub fn tidy(&mut self, in_use: impl Fn(ClassId) -> bool) {
        let empty = |(i, class): (usize, &Class)| class.on_node.is_empty() && !in_use(i as ClassId);
        if self.classes.len() < 4_096
            || self.classes.iter().enumerate().filter(|c| empty(*c)).count() * 2
                < self.classes.len()
        {
            return;
        }
        // Class numbers stay valid: only the way to find an empty class again is dropped, with its needs.
        let classes = &self.classes;
        self.class_ids.retain(|_, id| !empty((*id as usize, &classes[*id as usize])));
        let used: BTreeSet<usize> = self.class_ids.keys().map(|(_, _, address)| *address).collect();
        self.needs.retain(|address, _| used.contains(address));
    }
}

/// Region and zone of a node, as one word.
fn zone_of(node: &Node) -> String {
    let label = |key: &str| node.metadata.labels.text(key).unwrap_or("");
    format!("{}\0{}", label("topology.kubernetes.io/region"), label("topology.kubernetes.io/zone"))
}
