//! What a node, or a machine that is yet to come, has room for.

use std::borrow::Cow;
use std::sync::Arc;

use api::Quantity;
use api::apps::v1::DaemonSet;
use api::core::v1::{Node, Pod, PodAffinityTerm, PodSpec};
use api::node_fit::{fits_affinity, tolerates_all};
use api::selector::Selector;
use base::Str;
use client::Cx;
use client::cloud::GroupFacts;
use client::resources::{Resources, of_pod};

use super::has_ended;

/// Taints that go by themselves while a node comes up.
const STARTUP_TAINTS: [&str; 4] = [
    crate::nodes::UNINITIALIZED,
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/network-unavailable",
];
/// Effects of taints that keep pods away.
const EFFECTS: [&str; 2] = ["NoSchedule", "NoExecute"];
const HOSTNAME: &str = "kubernetes.io/hostname";

/// What is left of a node.
#[derive(Clone)]
pub(super) struct Room<'a> {
    node: Cow<'a, Node>,
    free: Resources,
    pods_left: i64,
    pods: Vec<&'a Pod>,
}

impl<'a> Room<'a> {
    /// What is left of a node of the cluster, as if it had come up.
    pub fn of(cx: &Cx<'a>, node: &'a Node) -> Room<'a> {
        let mut node = Cow::Borrowed(node);
        let starts = |key: &Str| STARTUP_TAINTS.contains(&key.as_str());
        if node.spec.taints.iter().any(|taint| starts(&taint.key)) {
            let spec = Arc::make_mut(&mut node.to_mut().spec);
            spec.taints = spec.taints.iter().filter(|taint| !starts(&taint.key)).cloned().collect();
        }
        let mut room = Room::empty(node);
        let name = room.node.metadata.name.clone();
        for pod in cx.pods().on_node(&name).filter(|pod| !has_ended(pod)) {
            room.take(pod);
        }
        room
    }

    /// What a new machine of the group offers, with the pods of DaemonSets on it.
    pub fn new_machine(cx: &Cx<'a>, group: &GroupFacts) -> Room<'a> {
        let mut node = Node::default();
        let labels = &mut Arc::make_mut(&mut node.metadata).labels;
        *labels = group.labels.clone();
        labels.insert(HOSTNAME, Str::from("template"));
        labels.insert("kubernetes.io/os", Str::from("linux"));
        labels.insert("kubernetes.io/arch", Str::from("amd64"));
        Arc::make_mut(&mut node.spec).taints = group.taints.clone();
        let allocatable = &mut Arc::make_mut(&mut node.status).allocatable;
        allocatable.insert("cpu", Quantity::millis(group.cpu_milli));
        allocatable.insert("memory", Quantity::bytes(group.memory));
        allocatable.insert("pods", Quantity::units(group.pods));
        let mut room = Room::empty(Cow::Owned(node));
        for set in cx.all::<DaemonSet>().all() {
            let spec: &PodSpec = &set.spec.template.spec;
            let taints = &room.node.spec.taints;
            if fits_affinity(spec, &room.node) && tolerates_all(taints, &spec.tolerations, &EFFECTS)
            {
                room.free.sub(&of_pod(spec, false));
                room.pods_left -= 1;
            }
        }
        room
    }

    fn empty(node: Cow<'a, Node>) -> Room<'a> {
        let allocatable = &node.status.allocatable;
        let free = Resources::of(allocatable);
        let pods_left = allocatable.get("pods").map_or(0, Quantity::value);
        Room { node, free, pods_left, pods: Vec::new() }
    }

    /// Gives the pod its place.
    pub fn take(&mut self, pod: &'a Pod) {
        self.free.sub(&of_pod(&pod.spec, false));
        self.pods_left -= 1;
        self.pods.push(pod);
    }

    /// Gives the pod a place if there is room for it.
    pub fn takes(&mut self, pod: &'a Pod) -> bool {
        let fits = self.refusals(pod).is_empty();
        if fits {
            self.take(pod);
        }
        fits
    }

    /// Undoes what was last taken.
    pub fn give_back(&mut self) {
        if let Some(pod) = self.pods.pop() {
            self.free.add(&of_pod(&pod.spec, false));
            self.pods_left += 1;
        }
    }

    /// Why the pod does not fit, in the scheduler's words.
    pub fn refusals(&self, pod: &Pod) -> Vec<String> {
        let own = |text: &str| vec![text.to_owned()];
        let spec = &pod.spec;
        if self.node.spec.unschedulable {
            return own("node(s) were unschedulable");
        }
        if !tolerates_all(&self.node.spec.taints, &spec.tolerations, &EFFECTS) {
            return own("node(s) had untolerated taint(s)");
        }
        if !fits_affinity(spec, &self.node) {
            return own("node(s) didn't match Pod's node affinity/selector");
        }
        if self.ports_clash(pod) {
            return own("node(s) didn't have free ports for the requested pod ports");
        }
        let short = self.shortages(pod);
        if !short.is_empty() {
            return short;
        }
        if self.is_unevenly_spread(pod) {
            return own("node(s) didn't match pod topology spread constraints");
        }
        if self.pods.iter().any(|other| avoids(pod, other)) {
            return own("node(s) didn't match pod anti-affinity rules");
        }
        if self.pods.iter().any(|other| avoids(other, pod)) {
            return own("node(s) didn't satisfy existing pods anti-affinity rules");
        }
        Vec::new()
    }

    fn shortages(&self, pod: &Pod) -> Vec<String> {
        let mut short = Vec::new();
        if self.pods_left < 1 {
            short.push("Too many pods".to_owned());
        }
        let needs = of_pod(&pod.spec, false);
        let named = ["cpu", "memory", "ephemeral-storage"].into_iter();
        for name in named.chain(needs.scalars.keys().map(Str::as_str)) {
            let storage = name == "ephemeral-storage";
            let unknown = storage && !self.node.status.allocatable.contains_key(name);
            if needs.get(name) > 0 && needs.get(name) > self.free.get(name) && !unknown {
                short.push(format!("Insufficient {name}"));
            }
        }
        short
    }

    fn ports_clash(&self, pod: &Pod) -> bool {
        let wanted: Vec<_> = host_ports(pod).collect();
        !wanted.is_empty()
            && self.pods.iter().any(|other| host_ports(other).any(|port| wanted.contains(&port)))
    }

    /// Whether the node would have more pods of a kind than a hard constraint allows where some node has none.
    fn is_unevenly_spread(&self, pod: &Pod) -> bool {
        pod.spec.topology_spread_constraints.iter().any(|rule| {
            let hard = rule.when_unsatisfiable == "DoNotSchedule" && rule.topology_key == HOSTNAME;
            let Ok(selector) = Selector::of_optional(rule.label_selector.as_deref()) else {
                return false;
            };
            let meant = |other: &&&Pod| {
                other.metadata.namespace == pod.metadata.namespace
                    && client::owner::selects(&selector, &other.metadata)
            };
            hard && self.pods.iter().filter(meant).count() as i32 >= rule.max_skew
        })
    }
}

/// Whether the pod must fit in by more than its node alone.
pub(super) fn is_choosy(pod: &Pod) -> bool {
    let affinity = pod.spec.affinity.as_deref();
    affinity.is_some_and(|a| a.pod_affinity.is_some() || a.pod_anti_affinity.is_some())
        || !pod.spec.topology_spread_constraints.is_empty()
        || pod.spec.volumes.iter().any(|volume| volume.persistent_volume_claim.is_some())
}

fn host_ports(pod: &Pod) -> impl Iterator<Item = (i32, &Str)> {
    let ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
    ports.filter(|port| port.host_port != 0).map(|port| (port.host_port, &port.protocol))
}

/// Whether the pod refuses to share a node with another one.
fn avoids(pod: &Pod, other: &Pod) -> bool {
    let affinity = pod.spec.affinity.as_ref().and_then(|a| a.pod_anti_affinity.as_ref());
    let terms = affinity.map(|a| &a.required_during_scheduling_ignored_during_execution);
    terms.into_iter().flatten().any(|term| term.topology_key == HOSTNAME && means(term, pod, other))
}

fn means(term: &PodAffinityTerm, pod: &Pod, other: &Pod) -> bool {
    let namespace = &other.metadata.namespace;
    let here = match (term.namespaces.is_empty(), &term.namespace_selector) {
        (true, None) => *namespace == pod.metadata.namespace,
        (false, None) => term.namespaces.contains(namespace),
        (_, Some(_)) => true,
    };
    let selector = Selector::of_optional(term.label_selector.as_deref());
    here && selector.is_ok_and(|selector| client::owner::selects(&selector, &other.metadata))
}
