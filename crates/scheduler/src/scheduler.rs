//! The scheduler as a part of the cluster: what it watches and how it takes note of changes.

use std::collections::VecDeque;
use std::sync::Arc;

use api::apps::v1::{ReplicaSet, StatefulSet};
use api::core::v1::{
    Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, ReplicationController, Service,
};
use api::meta::v1::OwnerReference;
use api::object::{Key, Kind, Object};
use api::policy::v1::PodDisruptionBudget;
use api::selector::Selector;
use api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass};
use api::wire::{Cause, Interest, Request, Trigger, WatchEvent};
use base::{BTreeMap, HashMap, Instant, Rng, Str, lit};
use client::{Caches, Delta, Input, Outbox, Part, Recorder};

use crate::binding::{Asked, Pending};
use crate::cache::{Cache, ClassId};
use crate::candidate::Candidate;
use crate::cycle::Cursor;
use crate::decision::Decision;
use crate::hints::{Change, Offers};
use crate::memo::Memos;
use crate::profile::Config;
use crate::queue::Queue;

/// How many decisions are kept.
const DECISIONS_MAX: usize = 1_000;
/// How many of them keep what was found on each node.
const REPORTS_MAX: usize = 100;

/// kube-scheduler.
#[derive(Clone)]
pub struct Scheduler {
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) cache: Cache,
    pub(crate) caches: Caches,
    pub(crate) queue: Queue,
    pub(crate) cursor: Cursor,
    pub(crate) memos: Memos,
    pub(crate) recorders: BTreeMap<Str, Recorder>,
    pub(crate) busy_until: Instant,
    pub(crate) asking: BTreeMap<u64, Asked>,
    pub(crate) pending: BTreeMap<Key, Pending>,
    /// How often something changed that cycles look at and generations of nodes do not show.
    pub(crate) changes: u64,
    /// When pods give up on their volumes, in order; some of them may have them by now.
    pub(crate) deadlines: VecDeque<(Instant, Key)>,
    /// Claims changed since pods that wait for volumes were looked at.
    pub(crate) claims_changed: bool,
    pub(crate) candidate: Option<Candidate>,
    selectors: HashMap<(ClassId, Str), Option<Arc<Selector>>>,
    selectors_numbering: u64,
    listed: u32,
    asked: u64,
    decisions: BTreeMap<Key, Decision>,
    decided: VecDeque<Key>,
}

const KINDS: usize = 14;

fn kinds() -> [&'static api::KindInfo; KINDS] {
    [
        Namespace::INFO,
        Node::INFO,
        Service::INFO,
        ReplicaSet::INFO,
        StatefulSet::INFO,
        ReplicationController::INFO,
        PodDisruptionBudget::INFO,
        StorageClass::INFO,
        CSINode::INFO,
        CSIDriver::INFO,
        CSIStorageCapacity::INFO,
        PersistentVolume::INFO,
        PersistentVolumeClaim::INFO,
        Pod::INFO,
    ]
}

impl Scheduler {
    /// A scheduler whose choices among equals come from `seed`.
    pub fn new(seed: u64) -> Scheduler {
        Scheduler::with_config(seed, Config::default())
    }

    /// A scheduler with a configuration of its own.
    pub fn with_config(seed: u64, config: Config) -> Scheduler {
        Scheduler::from_parts(Rng::stream(seed, "kube-scheduler"), config)
    }

    fn from_parts(rng: Rng, config: Config) -> Scheduler {
        let recorder = |name: &Str| {
            let instance = format!("{name}-kube-scheduler");
            Recorder::with_series(name.clone(), instance, lit!("kube-scheduler"))
        };
        let names = config.profiles.iter().map(|profile| &profile.name);
        Scheduler {
            rng,
            recorders: names.map(|name| (name.clone(), recorder(name))).collect(),
            queue: Queue::new(config.backoff_first, config.backoff_max),
            config,
            cache: Cache::default(),
            caches: Caches::new(),
            cursor: Cursor::default(),
            memos: Memos::default(),
            busy_until: Instant::default(),
            asking: BTreeMap::new(),
            pending: BTreeMap::new(),
            changes: 0,
            deadlines: VecDeque::new(),
            claims_changed: false,
            candidate: None,
            selectors: HashMap::default(),
            selectors_numbering: 0,
            listed: 0,
            asked: 0,
            decisions: BTreeMap::new(),
            decided: VecDeque::new(),
        }
    }

    /// The last decision about a pod, if it is still kept.
    pub fn decision(&self, namespace: &str, name: &str) -> Option<&Decision> {
        self.decisions.get(&Key::new(namespace, name))
    }

    /// How many pods are active, in backoff, and unschedulable.
    pub fn queue_lengths(&self) -> (usize, usize, usize) {
        self.queue.lengths()
    }

    /// A pod as the scheduler last saw it.
    pub(crate) fn known_pod(&self, namespace: &str, name: &str) -> Option<Arc<Pod>> {
        self.caches.all::<Pod>().arc(&Key::new(namespace, name))
    }

    fn restart(&mut self) {
        let (rng, asked) = (self.rng.clone(), self.asked);
        let candidate = self.candidate.as_ref().map(Candidate::anew);
        *self = Scheduler { asked, candidate, ..Scheduler::from_parts(rng, self.config.clone()) };
    }

    pub(crate) fn send(&mut self, out: &mut Outbox, asked: Asked, request: Request) {
        self.asked += 1;
        self.asking.insert(self.asked, asked);
        out.send(self.asked, request);
    }

    /// A request with the scheduler's name and the cause under which it is made for a pod.
    pub(crate) fn signed(&self, request: Request, pod: &Pod, trigger: Trigger) -> Request {
        let actor = self.name_for(pod);
        request.by(lit!("kube-scheduler"), Cause { actor, trigger })
    }

    /// The name of the profile that a pod is scheduled by.
    pub(crate) fn name_for(&self, pod: &Pod) -> Str {
        let profile = self.config.profile(&pod.spec.scheduler_name);
        profile.map(|profile| profile.name.clone()).unwrap_or_default()
    }

    pub(crate) fn is_synced(&self) -> bool {
        self.listed.count_ones() as usize == KINDS
    }

    fn delta(&mut self, now: Instant, delta: &Delta) {
        if !delta.is::<Pod>() {
            self.changes += 1;
        }
        if delta.is::<Pod>() {
            self.pod_changed(now, delta);
        } else if delta.is::<Node>() {
            self.node_changed(now, delta);
        } else if delta.is::<Namespace>() {
            let changed = match delta.after::<Namespace>() {
                Some(namespace) => self.cache.set_namespace(namespace),
                None => self.cache.remove_namespace(&delta.meta().name),
            };
            if changed {
                self.queue.changed(now, &Change::Namespaces);
            }
        } else if !delta.is::<PodDisruptionBudget>() && !self.volume_changed(now, delta) {
            self.owner_changed(delta);
        }
    }

    fn node_changed(&mut self, now: Instant, delta: &Delta) {
        let Some(node) = delta.new.as_ref().and_then(Object::arc::<Node>) else {
            self.cache.remove_node(&delta.meta().name);
            return self.queue.changed(now, &Change::NodeGone);
        };
        let known = self.cache.by_name.get(&node.metadata.name);
        let before = known.and_then(|id| self.cache.nodes[*id as usize].node.clone());
        let change = self.cache.set_node(node.clone());
        let offers = match change.allocatable {
            true => Offers::new(&node, before.as_deref()),
            false => Offers::default(),
        };
        if change.any() {
            self.queue.changed(now, &Change::Node(&node, change, &offers));
        }
    }

    /// Takes note of what volume plugins look at; false if it is something else.
    fn volume_changed(&mut self, now: Instant, delta: &Delta) -> bool {
        let (key, new) = (delta.key(), &delta.new);
        let volumes = &mut self.cache.volumes;
        let mut lookers: &[&str] = &["VolumeBinding"];
        if delta.is::<PersistentVolumeClaim>() {
            self.claims_changed = true;
            match new.as_ref().and_then(Object::arc) {
                Some(claim) => drop(volumes.claims.insert(key.clone(), claim)),
                None => drop(volumes.claims.remove(&key)),
            }
        } else if delta.is::<PersistentVolume>() {
            lookers = &["VolumeBinding", "VolumeZone"];
            match new.as_ref().and_then(Object::arc) {
                Some(volume) => drop(volumes.volumes.insert(key.name.clone(), volume)),
                None => drop(volumes.volumes.remove(&key.name)),
            }
        } else if delta.is::<StorageClass>() {
            lookers = &["VolumeBinding", "VolumeZone"];
            match new.as_ref().and_then(Object::arc) {
                Some(class) => drop(volumes.classes.insert(key.name.clone(), class)),
                None => drop(volumes.classes.remove(&key.name)),
            }
        } else if delta.is::<CSINode>() {
            lookers = &["VolumeBinding", "NodeVolumeLimits"];
            match new.as_ref().and_then(Object::arc) {
                Some(node) => drop(volumes.csi_nodes.insert(key.name.clone(), node)),
                None => drop(volumes.csi_nodes.remove(&key.name)),
            }
        } else if delta.is::<CSIDriver>() {
            match new.as_ref().and_then(Object::arc) {
                Some(driver) => drop(volumes.drivers.insert(key.name.clone(), driver)),
                None => drop(volumes.drivers.remove(&key.name)),
            }
        } else if delta.is::<CSIStorageCapacity>() {
            match new.as_ref().and_then(Object::arc) {
                Some(capacity) => drop(volumes.capacities.insert(key.clone(), capacity)),
                None => drop(volumes.capacities.remove(&key)),
            }
        } else {
            return false;
        }
        if new.is_some() {
            let claim = delta.is::<PersistentVolumeClaim>();
            let change = if claim { Change::Claim(&key) } else { Change::Volumes(lookers) };
            self.queue.changed(now, &change);
        }
        true
    }

    /// Services and controllers decide what system-default spreading counts.
    fn owner_changed(&mut self, delta: &Delta) {
        let same = match (&delta.old, &delta.new) {
            (Some(old), Some(new)) => {
                let both = (old.get::<Service>(), new.get::<Service>());
                let services =
                    matches!(both, (Some(a), Some(b)) if a.spec.selector == b.spec.selector);
                let both = (old.get::<ReplicaSet>(), new.get::<ReplicaSet>());
                let sets = matches!(both, (Some(a), Some(b)) if a.spec.selector == b.spec.selector);
                let both = (old.get::<StatefulSet>(), new.get::<StatefulSet>());
                services
                    || sets
                    || matches!(both, (Some(a), Some(b)) if a.spec.selector == b.spec.selector)
            }
            _ => false,
        };
        if !same {
            self.selectors.clear();
        }
    }

    fn pod_changed(&mut self, now: Instant, delta: &Delta) {
        let key = delta.key();
        let Some(pod) = delta.new.as_ref().and_then(Object::arc::<Pod>) else {
            self.decisions.remove(&key);
            return self.pod_gone(now, &key, delta.before::<Pod>());
        };
        if delta.before::<Pod>().is_some_and(|old| old.metadata.uid != pod.metadata.uid) {
            self.pod_gone(now, &key, delta.before::<Pod>());
        }
        let finished = matches!(pod.status.phase.as_str(), "Succeeded" | "Failed");
        if finished {
            return self.pod_gone(now, &key, Some(&pod));
        }
        if pod.spec.node_name.is_empty() {
            let mine = self.config.profile(&pod.spec.scheduler_name).is_some();
            if !mine || pod.metadata.deletion_timestamp.is_some() {
                return self.pod_gone(now, &key, Some(&pod));
            }
            if self.cache.node_of_pod(&key).is_none() {
                self.cache.nominate(&pod, &pod.status.nominated_node_name);
                self.queue.add(now, pod, Trigger::Revision(delta.revision));
            }
            return;
        }
        self.queue.remove(&key);
        self.pending.remove(&key);
        self.cache.withdraw(&key);
        let was_bound = delta.before::<Pod>().is_some_and(|old| !old.spec.node_name.is_empty());
        if self.cache.place(&pod, &pod.spec.node_name) || !was_bound {
            self.queue.changed(now, &Change::PodPlaced(&pod));
        }
    }

    /// The pod is deleted, finished, or not to be scheduled any more.
    fn pod_gone(&mut self, now: Instant, key: &Key, pod: Option<&Pod>) {
        self.queue.remove(key);
        self.cache.withdraw(key);
        if let Some(pending) = self.pending.remove(key) {
            pending.claims.iter().for_each(|claim| self.cache.volumes.forget_promises(claim));
        }
        self.leave_node(now, key, pod);
    }

    /// Takes a pod off its node, which may make room for others.
    pub(crate) fn leave_node(&mut self, now: Instant, key: &Key, pod: Option<&Pod>) {
        if let Some((_, placed)) = self.cache.remove_pod(key)
            && let Some(pod) = pod
        {
            let terms = self.cache.classes[placed.class as usize].terms.clone();
            self.queue.changed(now, &Change::PodGone(pod, &terms));
        }
    }

    pub(crate) fn keep(&mut self, key: &Key, decision: Decision) {
        if self.decisions.insert(key.clone(), decision).is_none() {
            self.decided.push_back(key.clone());
        }
        if let Some(at) = self.decided.len().checked_sub(REPORTS_MAX + 1)
            && let Some(old) = self.decisions.get_mut(&self.decided[at])
        {
            old.nodes = Vec::new();
        }
        while self.decided.len() > DECISIONS_MAX {
            if let Some(oldest) = self.decided.pop_front() {
                self.decisions.remove(&oldest);
            }
        }
    }

    /// What system-default spreading counts for a pod, pods that its Services and its controller
    /// select; and the name under which pods of one class with the same answer go.
    pub(crate) fn spread_selector(
        &mut self,
        class: ClassId,
        pod: &Pod,
    ) -> (Option<Arc<Selector>>, Str) {
        if !pod.spec.topology_spread_constraints.is_empty() {
            return (None, Str::new());
        }
        let owners = pod.metadata.owner_references.iter();
        let owner = owners.into_iter().find(|o| {
            o.controller == Some(true)
                && matches!(&*o.kind, "ReplicaSet" | "StatefulSet" | "ReplicationController")
        });
        if self.selectors_numbering != self.cache.numbering {
            self.selectors.clear();
            self.selectors_numbering = self.cache.numbering;
        }
        let by = (class, owner.map(|o| o.uid.clone()).unwrap_or_default());
        if let Some(known) = self.selectors.get(&by) {
            return (known.clone(), by.1);
        }
        let found = self.find_selector(pod, owner).map(Arc::new);
        self.selectors.insert(by.clone(), found.clone());
        (found, by.1)
    }

    fn find_selector(&self, pod: &Pod, owner: Option<&OwnerReference>) -> Option<Selector> {
        let (namespace, labels) = (&pod.metadata.namespace, &pod.metadata.labels);
        let mut equal: BTreeMap<Str, Str> = BTreeMap::new();
        for service in self.caches.all::<Service>().in_namespace(namespace) {
            let selector = &service.spec.selector;
            if !selector.is_empty() && selector.iter().all(|(k, v)| labels.text(k) == Some(v)) {
                equal.extend(selector.iter().map(|(k, v)| (k.clone(), v.clone())));
            }
        }
        let mut more = None;
        if let Some(owner) = owner {
            let key = Key::new(namespace.clone(), owner.name.clone());
            if owner.kind == "ReplicationController" {
                let set = self.caches.all::<ReplicationController>().get(&key);
                let selector = set.map(|s| s.spec.selector.clone()).unwrap_or_default();
                equal.extend(selector.iter().map(|(k, v)| (k.clone(), v.clone())));
            } else if owner.kind == "ReplicaSet" {
                let set = self.caches.all::<ReplicaSet>().get(&key);
                more = set.and_then(|s| s.spec.selector.as_selector());
            } else {
                let set = self.caches.all::<StatefulSet>().get(&key);
                more = set.and_then(|s| s.spec.selector.as_selector());
            }
        }
        let mut selector = Selector::from_labels(equal.iter());
        for requirement in more.iter().flat_map(|s| s.requirements()) {
            selector = selector.and(requirement.clone());
        }
        (!selector.requirements().is_empty()).then_some(selector)
    }

    fn take_list(&mut self, now: Instant, watch: usize, objects: Vec<Object>, revision: i64) {
        for delta in self.caches.listed(kinds()[watch], objects, revision) {
            self.delta(now, &delta);
        }
        self.listed |= 1 << watch;
    }

    fn take_events(&mut self, now: Instant, watch: usize, events: Vec<WatchEvent>) {
        for event in events {
            if let Some(delta) = self.caches.watched(kinds()[watch], event) {
                self.delta(now, &delta);
            }
        }
    }
}

impl Part for Scheduler {
    fn name(&self) -> &str {
        "kube-scheduler"
    }

    fn interests(&self) -> Vec<Interest> {
        kinds().iter().map(|kind| Interest::all(kind)).collect()
    }

    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        let exited = self.candidate.as_ref().is_some_and(Candidate::has_exited);
        if exited && !matches!(input, Input::Start) {
            return;
        }
        match input {
            Input::Start => self.restart(),
            Input::Listed { watch, objects, revision } => {
                self.take_list(now, watch, objects, revision)
            }
            Input::Watch { watch, events } => self.take_events(now, watch, events),
            Input::Reply(id, reply) => self.reply(now, id, reply, out),
            Input::Called(..) | Input::Cloud(..) | Input::Wake => {}
        }
        if self.elect(now, out) {
            self.work(now, out);
        }
    }

    fn shut_down(&mut self, now: Instant, out: &mut Outbox) {
        self.resign(now, out);
    }

    fn next_wake(&self) -> Option<Instant> {
        let election = self.candidate.as_ref().and_then(Candidate::next_wake);
        if !self.is_synced() || self.candidate.as_ref().is_some_and(|c| !c.leads()) {
            return election;
        }
        let busy = self.queue.has_work().then_some(self.busy_until);
        let volumes = self.deadlines.front().map(|(at, _)| *at);
        [busy, volumes, self.queue.next_wake(), election].into_iter().flatten().min()
    }
}

/// A selector that may be absent.
trait AsSelector {
    fn as_selector(&self) -> Option<Selector>;
}

impl AsSelector for Option<Box<api::meta::v1::LabelSelector>> {
    fn as_selector(&self) -> Option<Selector> {
        self.as_deref().and_then(|s| Selector::of(s).ok())
    }
}

impl AsSelector for api::meta::v1::LabelSelector {
    fn as_selector(&self) -> Option<Selector> {
        Selector::of(self).ok()
    }
}
