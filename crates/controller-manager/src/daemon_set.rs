//! The DaemonSet controller: one pod on every node that fits.
//!
//! Known deviations:
//! - A revision whose name another's data holds is taken for its own.

use std::sync::Arc;

use api::apps::v1::{ControllerRevision, DaemonSet, DaemonSetStatus};
use api::codec::Value;
use api::core::v1::{Node, Pod, Toleration};
use api::hash::pod_template_hash;
use api::node_fit;
use api::object::{Key, Kind, KindInfo};
use api::selector::Selector;
use base::{BTreeMap, Duration, HashMap, Instant, Str, lit};
use client::owner::{controller_of, selects};
use client::{Cx, Delta, Enqueue, Note, Plan, Reconcile, Write};

use crate::taints::{NOT_READY, UNREACHABLE, UNSCHEDULABLE};
use crate::{claim, pods, revisions, template};

mod placement;
mod rollout;

use placement::node_of;

/// The label with the hash of a pod's template.
const HASH_LABEL: &str = "controller-revision-hash";
/// The older way to tell templates apart.
const GENERATION: &str = "deprecated.daemonset.template.generation";
const GENERATION_LABEL: &str = "pod-template-generation";
/// At most so many pods are created or deleted in one go.
const BURST_MAX: usize = 250;

/// The DaemonSet controller.
#[derive(Clone, Default)]
pub struct DaemonSets {
    /// When failed pods were last replaced, by set and node, and how long to wait before the next time.
    failures: HashMap<(Key, Str), Failures>,
}

/// Failed pods of one set on one node.
#[derive(Clone, Copy, Debug)]
struct Failures {
    last: Instant,
    wait: Duration,
}

/// How long the controller waits before it replaces a second failed pod; doubles up to the other.
const WAIT_FIRST: Duration = Duration::secs(1);
const WAIT_MAX: Duration = Duration::mins(15);

impl Reconcile for DaemonSets {
    fn name(&self) -> &'static str {
        "daemon-set-controller"
    }

    fn source(&self) -> &'static str {
        "daemonset-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![DaemonSet::INFO, Pod::INFO, Node::INFO, ControllerRevision::INFO]
    }

    fn workers(&self) -> usize {
        2
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<DaemonSet>() {
            queue.add(delta.key());
        } else if delta.is::<Pod>() {
            claim::owners_of::<DaemonSet>(cx, delta, queue, |set, meta| {
                Selector::of(&set.spec.selector).is_ok_and(|selector| selects(&selector, meta))
            });
        } else if delta.is::<Node>() {
            node_changed(cx, delta, queue);
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(set) = cx.daemon_sets().get(key) else { return Plan::settled() };
        let Ok(selector) = Selector::of(&set.spec.selector) else { return Plan::settled() };
        let mut plan = Plan::settled();
        if selector.is_everything() {
            let message =
                "This daemon set is selecting all pods. A non-empty selector is required.";
            plan.event(set, "Warning", "SelectingAll", message);
            return plan;
        }
        if set.metadata.deletion_timestamp.is_some() {
            return plan;
        }
        let claimed = claim::claim::<Pod>(cx, set, &selector);
        plan.batch(claimed.writes);
        let history = revisions::history(cx.revisions().owned_by(&set.metadata.uid));
        let hash = current_hash(set, &history, &mut plan);
        let failures = &mut self.failures;
        let nodes = cx.nodes().all().map(|node| (node, placement::verdict(set, node))).collect();
        let mut look = Look { cx: *cx, set, hash, nodes, by_node: BTreeMap::new(), plan, failures };
        for pod in claimed.owned {
            // An ended pod that is going leaves room at once.
            if pods::is_terminal(pod) && pod.metadata.deletion_timestamp.is_some() {
                continue;
            }
            look.by_node.entry(node_of(pod)).or_default().push(pod);
        }
        if look.manage() && set.spec.update_strategy.type_ != "OnDelete" {
            look.roll();
        }
        look.write_status();
        look.forget_history(&history);
        look.plan
    }

    fn reset(&mut self) {
        self.failures.clear();
    }
}

/// Only sets for which the change of a node matters look again.
fn node_changed(cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
    let (before, after) = (delta.before::<Node>(), delta.after::<Node>());
    if let (Some(old), Some(new)) = (before, after) {
        let same = old.metadata.labels == new.metadata.labels && old.spec.taints == new.spec.taints;
        if same {
            return;
        }
    }
    for set in cx.daemon_sets().all() {
        let before = before.map(|node| placement::verdict(set, node));
        let after = after.map(|node| placement::verdict(set, node));
        if before != after {
            queue.of(&set.metadata);
        }
    }
}

/// The hash of the present template's revision, which is created or brought forward if need be.
fn current_hash(set: &DaemonSet, history: &[&ControllerRevision], plan: &mut Plan) -> Str {
    let data = revisions::data(&set.spec.template);
    let next = history.last().map_or(0, |last| last.revision) + 1;
    if let Some(known) = history.iter().rev().find(|revision| revision.data == data) {
        if known.revision + 1 != next {
            let mut new = (**known).clone();
            new.revision = next;
            plan.update(new);
        }
        return known.metadata.labels.get(HASH_LABEL).cloned().unwrap_or_default();
    }
    let hash: Str =
        pod_template_hash(&set.spec.template.to_json(), set.status.collision_count).into();
    plan.create(revisions::new(set, &set.spec.template, next, HASH_LABEL, &hash)).or_exists();
    hash
}

/// One look at one set.
struct Look<'a> {
    cx: Cx<'a>,
    set: &'a DaemonSet,
    hash: Str,
    /// All nodes: whether one should run a pod, and whether one that is there may stay.
    nodes: Vec<(&'a Node, (bool, bool))>,
    by_node: BTreeMap<Str, Vec<&'a Pod>>,
    plan: Plan,
    failures: &'a mut HashMap<(Key, Str), Failures>,
}

impl<'a> Look<'a> {
    /// Creates and deletes pods so that every node has what it should; true if nothing was to be done.
    fn manage(&mut self) -> bool {
        let mut missing = Vec::new();
        let mut surplus: Vec<&Pod> = Vec::new();
        let nodes = std::mem::take(&mut self.nodes);
        for &(node, (should_run, may_stay)) in &nodes {
            let pods = self.by_node.get(&node.metadata.name).cloned().unwrap_or_default();
            if !may_stay {
                surplus.extend(pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()));
            } else if pods.is_empty() {
                if should_run {
                    missing.push(node.metadata.name.clone());
                }
            } else {
                self.tidy(&node.metadata.name, pods, &mut surplus);
            }
        }
        self.nodes = nodes;
        for (name, pods) in &self.by_node {
            let gone = !name.is_empty() && self.cx.nodes().named("", name).is_none();
            // Pods that were never bound to a node that is gone; bound ones are left to the pod collector.
            if gone {
                surplus.extend(pods.iter().filter(|pod| pod.spec.node_name.is_empty()));
            }
        }
        let settled = missing.is_empty() && surplus.is_empty();
        self.create(&missing);
        self.delete(surplus);
        settled
    }

    /// Of several pods on a node one stays; ended ones go.
    fn tidy(&mut self, node: &Str, pods: Vec<&'a Pod>, surplus: &mut Vec<&'a Pod>) {
        let mut running = Vec::new();
        for pod in pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
            let name = Key::of(&pod.metadata);
            if pod.status.phase == "Failed" {
                if let Some(wait) = self.must_wait(node) {
                    self.plan.again(wait);
                    continue;
                }
                let message =
                    format!("Found failed daemon pod {name} on node {node}, will try to kill it");
                self.plan.event(self.set, "Warning", "FailedDaemonPod", message);
                surplus.push(pod);
            } else if pod.status.phase == "Succeeded" {
                let message = format!(
                    "Found succeeded daemon pod {name} on node {node}, will try to delete it"
                );
                self.plan.event(self.set, "Normal", "SucceededDaemonPod", message);
                surplus.push(pod);
            } else {
                running.push(pod);
            }
        }
        if running.len() < 2 {
            return;
        }
        base::sort::by_key(&mut running, |pod| {
            let bound = !pod.spec.node_name.is_empty();
            (!bound, pod.metadata.creation_timestamp, pod.metadata.name.clone())
        });
        if rollout::fenceposts(self.set, 100).0 == 0 {
            return surplus.extend(running.into_iter().skip(1));
        }
        let (new, old): (Vec<&Pod>, Vec<&Pod>) =
            running.into_iter().partition(|pod| self.is_current(pod));
        if let (Some(new), Some(old)) = (new.first(), old.first())
            && (!pods::is_ready(old) || self.is_available(new))
        {
            surplus.push(old);
        }
        surplus.extend(new.into_iter().skip(1).chain(old.into_iter().skip(1)));
    }

    /// How long a failed pod of this node stays, if another was replaced a short time ago; else notes that it is
    /// replaced now.
    fn must_wait(&mut self, node: &Str) -> Option<Duration> {
        let now = self.cx.now;
        let key = (Key::of(&self.set.metadata), node.clone());
        let known = self.failures.get(&key).copied();
        let wait = match known.filter(|known| known.last + WAIT_MAX * 2 >= now) {
            Some(known) if known.last + known.wait > now => {
                return Some(known.last + known.wait - now);
            }
            Some(known) => (known.wait * 2).min(WAIT_MAX),
            None => WAIT_FIRST,
        };
        self.failures.insert(key, Failures { last: now, wait });
        None
    }

    fn create(&mut self, nodes: &[Str]) {
        let template = self.template();
        let writes = nodes.iter().take(BURST_MAX).map(|node| {
            let mut write = Write::create(placement::bound_to(template.clone(), node));
            write.said(Note::new(self.set, "Normal", "SuccessfulCreate", "Created pod: {name}"));
            write.or_said(Note::new(
                self.set,
                "Warning",
                "FailedCreate",
                "Error creating: {error}",
            ));
            write
        });
        let writes = writes.collect();
        self.plan.slow_start(writes);
    }

    fn delete(&mut self, pods: Vec<&Pod>) {
        let writes = pods.into_iter().take(BURST_MAX).map(|pod| {
            let mut write = Write::delete(pod, Default::default());
            let message = format!("Deleted pod: {}", pod.metadata.name);
            write.said(Note::new(self.set, "Normal", "SuccessfulDelete", message));
            write.or_said(Note::new(
                self.set,
                "Warning",
                "FailedDelete",
                "Error deleting: {error}",
            ));
            write
        });
        let writes = writes.collect();
        self.plan.batch(writes);
    }

    /// The pod for any node.
    fn template(&self) -> Pod {
        let mut pod = template::pod(&self.set.spec.template, self.set);
        let meta = Arc::make_mut(&mut pod.metadata);
        meta.labels.insert(HASH_LABEL, self.hash.clone());
        if let Some(generation) = self.set.metadata.annotations.get(GENERATION) {
            meta.labels.insert(GENERATION_LABEL, generation.clone());
        }
        let host_network = pod.spec.host_network;
        let spec = pod.spec.edit();
        for (key, effect) in TOLERATED {
            if key == "node.kubernetes.io/network-unavailable" && !host_network {
                continue;
            }
            let toleration = Toleration {
                key: key.into(),
                effect: effect.into(),
                operator: lit!("Exists"),
                ..Toleration::default()
            };
            if !spec.tolerations.contains(&toleration) {
                spec.tolerations.push(toleration);
            }
        }
        pod
    }

    /// Whether the pod is of the present template.
    fn is_current(&self, pod: &Pod) -> bool {
        let labels = &pod.metadata.labels;
        let generation = self.set.metadata.annotations.get(GENERATION);
        labels.get(HASH_LABEL) == Some(&self.hash)
            || generation.is_some() && labels.get(GENERATION_LABEL) == generation
    }

    fn is_available(&self, pod: &Pod) -> bool {
        pods::is_available(pod, self.set.spec.min_ready_seconds, self.cx.now)
    }

    fn write_status(&mut self) {
        let mut status = DaemonSetStatus {
            observed_generation: self.set.metadata.generation,
            collision_count: self.set.status.collision_count,
            conditions: self.set.status.conditions.clone(),
            ..DaemonSetStatus::default()
        };
        for &(node, (should_run, _)) in &self.nodes {
            let pods = self.by_node.get(&node.metadata.name);
            let first = pods.and_then(|pods| {
                pods.iter().min_by_key(|pod| (pod.metadata.creation_timestamp, &pod.metadata.name))
            });
            if !should_run {
                status.number_misscheduled += i32::from(first.is_some());
                continue;
            }
            status.desired_number_scheduled += 1;
            let Some(pod) = first else { continue };
            status.current_number_scheduled += 1;
            if pods::is_ready(pod) {
                status.number_ready += 1;
                if self.is_available(pod) {
                    status.number_available += 1;
                } else if let Some(wait) =
                    pods::available_in(pod, self.set.spec.min_ready_seconds, self.cx.now)
                {
                    self.plan.again(wait);
                }
            }
            status.updated_number_scheduled += i32::from(self.is_current(pod));
        }
        status.number_unavailable = status.desired_number_scheduled - status.number_available;
        if *self.set.status != status {
            let mut new = self.set.clone();
            new.status = Arc::new(status);
            self.plan.status(new);
        }
    }

    fn forget_history(&mut self, history: &[&ControllerRevision]) {
        let hashes: HashMap<&Str, ()> = self
            .by_node
            .values()
            .flatten()
            .filter_map(|pod| Some((pod.metadata.labels.get(HASH_LABEL)?, ())))
            .collect();
        let live = |revision: &ControllerRevision| {
            let hash = revision.metadata.labels.get(HASH_LABEL);
            hash.is_some_and(|hash| *hash == self.hash || hashes.contains_key(hash))
        };
        let surplus = revisions::surplus(history, self.set.spec.revision_history_limit, live);
        let writes =
            surplus.into_iter().map(|revision| Write::delete(revision, Default::default()));
        self.plan.batch(writes.collect());
    }
}

/// What the pods of a DaemonSet tolerate in any case.
const TOLERATED: [(&str, &str); 7] = [
    (NOT_READY, "NoExecute"),
    (UNREACHABLE, "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    (UNSCHEDULABLE, "NoSchedule"),
    ("node.kubernetes.io/network-unavailable", "NoSchedule"),
];

/// Whether a DaemonSet controls the pod.
pub fn owns(pod: &Pod) -> bool {
    controller_of(&pod.metadata).is_some_and(|owner| owner.kind == "DaemonSet")
}

/// Whether the tolerations of the set's pods accept the node's taints with these effects.
fn tolerated(set: &DaemonSet, node: &Node, effects: &[&str]) -> bool {
    let spec = &set.spec.template.spec;
    let rest = node.spec.taints.iter().filter(|taint| {
        let always =
            TOLERATED.iter().any(|(key, effect)| taint.key == *key && taint.effect == *effect);
        !always || taint.key == "node.kubernetes.io/network-unavailable" && !spec.host_network
    });
    let rest: Vec<_> = rest.cloned().collect();
    node_fit::tolerates_all(&rest, &spec.tolerations, effects)
}

#[cfg(test)]
mod tests;
