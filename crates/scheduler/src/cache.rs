//! The scheduler's picture of the cluster: nodes, and pods grouped into classes.
//!
//! Models the scheduler cache and its snapshot. Pods that share namespace, labels and spec form a
//! class; what looks for pods (spreading, pod affinity) matches classes and multiplies by their
//! counts. Whoever remembers something about nodes compares generations; whoever counts pods
//! follows the log of moves.

use std::cell::RefCell;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use api::core::v1::{Namespace, Node, Pod, PodSpec};
use api::object::Key;
use api::{Map, PlacedSpec};
use base::{BTreeMap, BTreeSet, HashMap, Str};

use crate::needs::{Needs, Terms};
use crate::nominees::Nominee;
use crate::topology::Domains;
use crate::volumes::{self, Volumes};
use client::resources::Resources;

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
    /// Whether it is being deleted to make room for another pod.
    pub preempted: bool,
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
    /// Their pod affinity.
    pub terms: Arc<Terms>,
    /// How many there are on each node: all, and those not being deleted.
    pub on_node: BTreeMap<NodeId, (u32, u32)>,
}

/// A pod came to a node or went from it.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// Its class.
    pub class: ClassId,
    /// The node.
    pub node: NodeId,
    /// 1 if it came, -1 if it went.
    pub all: i64,
    /// The same for pods that are not being deleted.
    pub live: i64,
}

/// Everything the plugins look at.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// The nodes. A removed node's place is taken by the next new one.
    pub nodes: Vec<NodeInfo>,
    /// A number for each node that is new whenever something of it or its pods changes.
    pub generations: Vec<u64>,
    /// Nodes by name.
    pub by_name: BTreeMap<Str, NodeId>,
    /// The classes.
    pub classes: Vec<Class>,
    /// Labels of namespaces.
    pub namespaces: BTreeMap<Str, Map<Str>>,
    /// The nodes that have objects, in the order in which they are tried: zone by zone in turn.
    /// Up to date after [`Cache::refresh`].
    pub order: Vec<NodeId>,
    /// Classes with required anti-affinity that have pods.
    pub anti_affine: BTreeSet<ClassId>,
    /// Classes with any pod affinity, required or preferred, that have pods.
    pub affine: BTreeSet<ClassId>,
    /// How many nodes hold an image.
    pub image_nodes: HashMap<Str, u32>,
    /// Changes with nodes' labels and taints, with nodes that come and go, and with labels of
    /// namespaces.
    pub topology: u64,
    /// Changes when classes are numbered anew.
    pub numbering: u64,
    /// Pods that wait for room, by node.
    pub nominees: BTreeMap<NodeId, Vec<Nominee>>,
    /// Claims, volumes and what belongs to them.
    pub volumes: Volumes,
    /// How many placed pods use a claim.
    pub claim_users: HashMap<Key, u32>,
    /// How many placed pods there are of each priority.
    pub priorities: BTreeMap<i32, u32>,
    pub(crate) domains: RefCell<HashMap<Str, Arc<Domains>>>,
    pub(crate) nominated: HashMap<Key, NodeId>,
    generation: u64,
    order_is_stale: bool,
    moves: Vec<Move>,
    moves_before: u64,
    free: Vec<NodeId>,
    class_ids: HashMap<u64, Vec<ClassId>>,
    needs: HashMap<usize, Arc<Needs>>,
    where_is: HashMap<Key, NodeId>,
    classes_max: usize,
}

/// So many moves are remembered.
const MOVES_MAX: usize = 1 << 16;
/// So many classes there may be before those without pods are forgotten.
const CLASSES_MAX: usize = 4_096;

/// What changed of a node, as far as it can matter to scheduling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeChange {
    /// It is new.
    pub added: bool,
    /// Labels.
    pub labels: bool,
    /// Taints, or whether it is cordoned.
    pub taints: bool,
    /// What it offers.
    pub allocatable: bool,
    /// Images.
    pub images: bool,
}

impl NodeChange {
    /// Whether anything changed.
    pub fn any(self) -> bool {
        self != NodeChange::default()
    }
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
        let address = Arc::as_ptr(spec.shared()) as usize;
        let hash = self.class_ids.hasher().hash_one((address, namespace, labels));
        let classes = &self.classes;
        let is_it = |id: &&ClassId| {
            let class = &classes[**id as usize];
            Arc::as_ptr(&class.needs.spec) as usize == address
                && class.namespace == *namespace
                && class.labels == *labels
        };
        if let Some(id) = self.class_ids.get(&hash).and_then(|ids| ids.iter().find(is_it)) {
            return *id;
        }
        let needs = self.needs_of(spec.shared());
        let id = self.classes.len() as ClassId;
        let terms = needs.terms_for(labels);
        let (namespace, labels) = (namespace.clone(), labels.clone());
        self.classes.push(Class { namespace, labels, needs, terms, on_node: BTreeMap::new() });
        self.class_ids.entry(hash).or_default().push(id);
        id
    }

    /// A number that is new whenever anything of any node or its pods changes.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    fn touch(&mut self, id: NodeId) {
        self.generation += 1;
        self.generations[id as usize] = self.generation;
    }

    fn reshape(&mut self) {
        self.topology += 1;
        self.domains.borrow_mut().clear();
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
                self.generations.push(0);
                (self.nodes.len() - 1) as NodeId
            }
        };
        self.touch(id);
        self.by_name.insert(name.clone(), id);
        id
    }

    /// Adds or changes a node.
    pub fn set_node(&mut self, node: Arc<Node>) -> NodeChange {
        let id = self.node_id(&node.metadata.name);
        let before = self.nodes[id as usize].node.clone();
        let change = match &before {
            None => NodeChange {
                added: true,
                labels: true,
                taints: true,
                allocatable: true,
                images: true,
            },
            Some(old) => NodeChange {
                added: false,
                labels: old.metadata.labels != node.metadata.labels,
                taints: old.spec.taints != node.spec.taints
                    || old.spec.unschedulable != node.spec.unschedulable,
                allocatable: old.status.allocatable != node.status.allocatable,
                images: old.status.images != node.status.images,
            },
        };
        if change.images {
            let mut images = BTreeMap::new();
            for image in &node.status.images {
                for name in &image.names {
                    images.insert(name.clone(), image.size_bytes.unwrap_or(0));
                }
            }
            self.count_images(&images, 1);
            let old = std::mem::replace(&mut self.nodes[id as usize].images, images);
            self.count_images(&old, -1);
        }
        let info = &mut self.nodes[id as usize];
        if change.allocatable {
            info.allocatable = Resources::of(&node.status.allocatable);
            info.pods_max = node.status.allocatable.get("pods").map_or(0, |q| q.value());
        }
        self.order_is_stale |= before.as_ref().is_none_or(|old| zone_of(old) != zone_of(&node));
        info.node = Some(node);
        if change.any() {
            self.touch(id);
        }
        if change.labels || change.taints {
            self.reshape();
        }
        change
    }

    /// Removes a node. Pods that it still has stay known.
    pub fn remove_node(&mut self, name: &str) {
        let Some(id) = self.by_name.get(name).copied() else { return };
        let images = std::mem::take(&mut self.nodes[id as usize].images);
        self.count_images(&images, -1);
        self.nodes[id as usize].node = None;
        for nominee in self.nominees.remove(&id).unwrap_or_default() {
            self.nominated.remove(&nominee.key);
        }
        self.touch(id);
        self.reshape();
        self.order_is_stale = true;
        self.forget_if_empty(id);
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

    /// Brings the order of nodes up to date and forgets classes of which nothing is left. Class
    /// numbers that were asked for before are not valid any more where [`Cache::numbering`]
    /// changed.
    pub fn refresh(&mut self) {
        if std::mem::take(&mut self.order_is_stale) {
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
        if self.classes.len() >= self.classes_max.max(CLASSES_MAX) {
            self.compact();
            self.classes_max = self.classes.len() * 2;
        }
    }

    /// Numbers the classes anew, leaving out those without pods.
    pub(crate) fn compact(&mut self) {
        let mut used: BTreeSet<ClassId> =
            self.nominees.values().flatten().map(|nominee| nominee.placed.class).collect();
        used.extend(
            (0..self.classes.len() as u32)
                .filter(|id| !self.classes[*id as usize].on_node.is_empty()),
        );
        let new: HashMap<ClassId, ClassId> =
            used.iter().enumerate().map(|(new, old)| (*old, new as ClassId)).collect();
        let mut old = std::mem::take(&mut self.classes).into_iter().enumerate();
        old.by_ref().for_each(|(id, class)| {
            if used.contains(&(id as ClassId)) {
                self.classes.push(class);
            }
        });
        for placed in self.nodes.iter_mut().flat_map(|info| info.pods.values_mut()) {
            placed.class = new[&placed.class];
        }
        for nominee in self.nominees.values_mut().flatten() {
            nominee.placed.class = new[&nominee.placed.class];
        }
        for set in [&mut self.anti_affine, &mut self.affine] {
            *set = set.iter().map(|id| new[id]).collect();
        }
        self.class_ids.clear();
        for (id, class) in self.classes.iter().enumerate() {
            let address = Arc::as_ptr(&class.needs.spec) as usize;
            let hash = self.class_ids.hasher().hash_one((address, &class.namespace, &class.labels));
            self.class_ids.entry(hash).or_default().push(id as ClassId);
        }
        self.needs.clear();
        for class in &self.classes {
            self.needs.insert(Arc::as_ptr(&class.needs.spec) as usize, class.needs.clone());
        }
        self.moves_before += self.moves.len() as u64 + 1;
        self.moves.clear();
        self.numbering += 1;
    }

    /// The node a known pod is on.
    pub fn node_of_pod(&self, key: &Key) -> Option<NodeId> {
        self.where_is.get(key).copied()
    }

    /// Puts a pod on a node, or notes what changed of it there; true if it is new there or its
    /// class changed.
    pub fn place(&mut self, pod: &Pod, node: &Str) -> bool {
        let key = Key::of(&pod.metadata);
        let placed = self.as_placed(pod);
        let id = self.node_id(node);
        if self.where_is.get(&key) == Some(&id)
            && let Some(known) = self.nodes[id as usize].pods.get_mut(&key)
            && known.class == placed.class
            && known.terminating == placed.terminating
        {
            let (old, new) = (known.priority, placed.priority);
            *known = placed;
            if old != new {
                self.forget_priority(old);
                *self.priorities.entry(new).or_default() += 1;
            }
            return false;
        }
        let was = self.take(&key);
        if let Some((before, _)) = was
            && before != id
        {
            self.forget_if_empty(before);
        }
        let same = was.is_some_and(|(before, old)| before == id && old.class == placed.class);
        self.put(key, id, placed);
        !same
    }

    /// A pod as it is kept on a node.
    pub fn as_placed(&mut self, pod: &Pod) -> Placed {
        let terminating = pod.metadata.deletion_timestamp.is_some();
        let by_scheduler = |c: &api::core::v1::PodCondition| {
            c.type_ == "DisruptionTarget"
                && c.status == "True"
                && c.reason == "PreemptionByScheduler"
        };
        Placed {
            class: self.class_of(&pod.metadata.namespace, &pod.metadata.labels, &pod.spec),
            terminating,
            preempted: terminating && pod.status.conditions.iter().any(by_scheduler),
            priority: pod.spec.priority.unwrap_or(0),
            uid: pod.metadata.uid.clone(),
            start: pod.status.start_time.map_or(i64::MAX, |t| t.instant().0),
        }
    }

    /// Takes a pod off its node for good; says where and what it was.
    pub fn remove_pod(&mut self, key: &Key) -> Option<(NodeId, Placed)> {
        let (id, placed) = self.take(key)?;
        self.forget_if_empty(id);
        Some((id, placed))
    }

    /// Puts a pod on a node.
    pub fn put(&mut self, key: Key, id: NodeId, placed: Placed) {
        let class = &mut self.classes[placed.class as usize];
        let needs = class.needs.clone();
        let counts = class.on_node.entry(id).or_default();
        counts.0 += 1;
        counts.1 += u32::from(!placed.terminating);
        if needs.has_anti_affinity() {
            self.anti_affine.insert(placed.class);
        }
        if needs.has_pod_affinity() {
            self.affine.insert(placed.class);
        }
        let info = &mut self.nodes[id as usize];
        info.requested.add(&needs.requests);
        info.assumed_cpu += needs.assumed.cpu;
        info.assumed_memory += needs.assumed.memory;
        for port in &needs.ports {
            *info.ports.entry(port.clone()).or_default() += 1;
        }
        if needs.has_volumes {
            for claim in volumes::claims_of(&key, &needs.spec) {
                *self.claim_users.entry(claim).or_default() += 1;
            }
        }
        *self.priorities.entry(placed.priority).or_default() += 1;
        self.log(placed.class, id, 1, !placed.terminating);
        info_pods(&mut self.nodes, id).insert(key.clone(), placed);
        self.where_is.insert(key, id);
        self.touch(id);
    }

    /// Takes a pod off its node.
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
        if class.on_node.is_empty() && needs.has_pod_affinity() {
            self.anti_affine.remove(&placed.class);
            self.affine.remove(&placed.class);
        }
        if needs.has_volumes {
            for claim in volumes::claims_of(key, &needs.spec) {
                if let Some(users) = self.claim_users.get_mut(&claim) {
                    *users -= 1;
                    if *users == 0 {
                        self.claim_users.remove(&claim);
                    }
                }
            }
        }
        self.forget_priority(placed.priority);
        self.log(placed.class, id, -1, !placed.terminating);
        self.touch(id);
        Some((id, placed))
    }

    fn forget_priority(&mut self, priority: i32) {
        if let Some(count) = self.priorities.get_mut(&priority) {
            *count -= 1;
            if *count == 0 {
                self.priorities.remove(&priority);
            }
        }
    }

    fn log(&mut self, class: ClassId, node: NodeId, by: i64, live: bool) {
        if self.moves.len() >= MOVES_MAX {
            self.moves.drain(..MOVES_MAX / 2);
            self.moves_before += MOVES_MAX as u64 / 2;
        }
        self.moves.push(Move { class, node, all: by, live: by * i64::from(live) });
    }

    /// The number of the next move.
    pub fn moves_end(&self) -> u64 {
        self.moves_before + self.moves.len() as u64
    }

    /// The moves from number `seen` on; `None` if they are too many or not known any more.
    pub fn moves_since(&self, seen: u64) -> Option<&[Move]> {
        let at = seen.checked_sub(self.moves_before)? as usize;
        self.moves.get(at..).filter(|moves| moves.len() <= MOVES_MAX / 4)
    }

    /// Notes a namespace's labels; true if they are others than before.
    pub fn set_namespace(&mut self, namespace: &Namespace) -> bool {
        let labels = namespace.metadata.labels.clone();
        let name = namespace.metadata.name.clone();
        let changed = self.namespaces.insert(name, labels.clone()).as_ref() != Some(&labels);
        if changed {
            self.reshape();
        }
        changed
    }

    /// Forgets a namespace; true if it was known.
    pub fn remove_namespace(&mut self, name: &str) -> bool {
        let known = self.namespaces.remove(name).is_some();
        self.reshape();
        known
    }

    /// Labels of a node; none while it has no object.
    pub fn labels(&self, id: NodeId) -> Option<&Map<Str>> {
        self.nodes[id as usize].node.as_ref().map(|node| &node.metadata.labels)
    }
}

fn info_pods(nodes: &mut [NodeInfo], id: NodeId) -> &mut BTreeMap<Key, Placed> {
    &mut nodes[id as usize].pods
}

/// Region and zone of a node, as one word.
fn zone_of(node: &Node) -> String {
    let label = |key: &str| node.metadata.labels.text(key).unwrap_or("");
    format!("{}\0{}", label("topology.kubernetes.io/region"), label("topology.kubernetes.io/zone"))
}
