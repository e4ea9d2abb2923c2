//! The node lifecycle controller: notices nodes that are no longer heard of, taints them, and marks their pods.
//!
//! Known deviations:
//! - Nodes are looked at when their time is up, not every five seconds.

use std::sync::Arc;

use api::coordination::v1::Lease;
use api::core::v1::{Node, NodeCondition, ObjectReference, Pod, Taint};
use api::object::{Key, Kind, KindInfo};
use api::time::{MicroTime, Time};
use api::wire::time_of;
use base::{BTreeMap, Duration, Instant, Str, lit};
use client::{Cx, Delta, Enqueue, Note, Plan, Reconcile, Write};

use crate::taints::{NOT_READY, UNREACHABLE, UNSCHEDULABLE};

/// A node that has not been heard of for so long is taken to be unreachable.
pub const MONITOR_GRACE: Duration = Duration::secs(50);
/// Nodes are looked at so often, where nothing else calls for it.
const MONITOR_PERIOD: Duration = Duration::secs(5);
/// A node that never reported gets so long.
const STARTUP_GRACE: Duration = Duration::secs(60);
/// Between two NoExecute taints in one zone …
const EVICTION_PAUSE: Duration = Duration::secs(10);
/// … and where most of a large zone has failed.
const EVICTION_PAUSE_LARGE: Duration = Duration::secs(100);
/// A zone with more than this share of failed nodes is disrupted.
const UNHEALTHY_ZONE: f64 = 0.55;
/// A zone with more nodes than this is large.
const LARGE_ZONE: usize = 50;
const LEASE_NAMESPACE: &str = "kube-node-lease";

/// The conditions whose state is unknown once a node is silent, in the order in which they are written.
const CONDITIONS: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// The node lifecycle controller.
#[derive(Clone, Default)]
pub struct NodeLifecycle {
    health: BTreeMap<Str, Health>,
    zones: BTreeMap<Str, Zone>,
    /// What [`NodeLifecycle::is_all_lost`] said last.
    all_lost: bool,
}

/// What is known of a node's signs of life.
#[derive(Clone, Debug)]
struct Health {
    heard: Instant,
    heartbeat: Option<Time>,
    renewed: Option<MicroTime>,
    ready: bool,
    unknown: bool,
    zone: Str,
}

/// How many nodes of a zone are well, and when one may be emptied next.
#[derive(Clone, Debug, Default)]
struct Zone {
    ready: usize,
    failed: usize,
    next_eviction: Instant,
}

impl Reconcile for NodeLifecycle {
    fn name(&self) -> &'static str {
        "node-lifecycle-controller"
    }

    fn source(&self) -> &'static str {
        "node-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Node::INFO, Lease::INFO, Pod::INFO]
    }

    fn workers(&self) -> usize {
        8
    }

    fn reset(&mut self) {
        *self = NodeLifecycle::default();
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if let Some(lease) = delta.after::<Lease>() {
            if lease.metadata.namespace == LEASE_NAMESPACE {
                self.renewed(cx.now, lease);
            }
        } else if delta.is::<Node>() {
            match delta.after::<Node>() {
                Some(node) => self.observe(cx.now, node),
                None => self.forget(delta.meta().name.as_str()),
            }
            queue.add(delta.key());
            let lost = self.is_all_lost();
            let was_lost = std::mem::replace(&mut self.all_lost, lost);
            if was_lost != self.all_lost {
                let wait = if was_lost { MONITOR_PERIOD } else { Duration::ZERO };
                if was_lost {
                    self.begin_anew(cx.now);
                }
                cx.nodes().all().for_each(|node| queue.after(Key::of(&node.metadata), wait));
            }
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(node) = cx.nodes().get(key) else { return Plan::settled() };
        self.observe(cx.now, node);
        let mut plan = Plan::settled();
        let silent = self.silence(cx.now, node);
        let mut new = node.clone();
        if silent <= Duration::ZERO {
            declare_unknown(cx.now, &mut new);
            self.observe(cx.now, &new);
        } else {
            plan.again(silent);
        }
        let was_ready = is_ready(node);
        if new.status != node.status {
            plan.status(new.clone());
            if was_ready {
                let message = format!("Node {} status is now: NodeNotReady", node.metadata.name);
                plan.event(node, "Normal", "NodeNotReady", message);
            }
        }
        if !is_ready(&new) {
            mark_pods(cx, &new, &mut plan);
        }
        let wait = self.taint(cx.now, &mut new);
        if new.spec.taints != node.spec.taints {
            plan.update(new);
        }
        if let Some(wait) = wait {
            plan.again(wait);
        }
        plan
    }
}

impl NodeLifecycle {
    fn renewed(&mut self, now: Instant, lease: &Lease) {
        if let Some(health) = self.health.get_mut(&lease.metadata.name)
            && health.renewed != lease.spec.renew_time
        {
            health.renewed = lease.spec.renew_time;
            health.heard = now;
        }
    }

    fn observe(&mut self, now: Instant, node: &Node) {
        let heartbeat = condition(node, "Ready").and_then(|ready| ready.last_heartbeat_time);
        let unknown = condition(node, "Ready").is_some_and(|ready| ready.status == "Unknown");
        let zone = zone_of(node);
        let ready = is_ready(node);
        let name = &node.metadata.name;
        if let Some(old) = self.health.get(name) {
            if old.ready != ready || old.zone != zone {
                let (old_zone, old_ready) = (old.zone.clone(), old.ready);
                self.count(&old_zone, old_ready, false);
                self.count(&zone, ready, true);
            }
        } else {
            self.count(&zone, ready, true);
        }
        let born = node.metadata.creation_timestamp.map_or(now, Time::instant);
        let health = self.health.entry(name.clone()).or_insert_with(|| Health {
            heard: if heartbeat.is_some() { now } else { born },
            heartbeat,
            renewed: None,
            ready,
            unknown,
            zone: zone.clone(),
        });
        // What this controller writes itself, is no sign of life.
        if !unknown && (health.heartbeat != heartbeat || health.unknown) {
            health.heard = now;
        }
        health.unknown = unknown;
        health.heartbeat = heartbeat;
        health.ready = ready;
        health.zone = zone;
    }

    fn forget(&mut self, name: &str) {
        if let Some(health) = self.health.remove(name) {
            self.count(&health.zone, health.ready, false);
        }
    }

    fn count(&mut self, zone: &Str, ready: bool, add: bool) {
        let zone = self.zones.entry(zone.clone()).or_default();
        let count = if ready { &mut zone.ready } else { &mut zone.failed };
        *count = if add { *count + 1 } else { count.saturating_sub(1) };
    }

    /// Whether no zone has a node that is well: then it is the control plane that hears nothing.
    fn is_all_lost(&self) -> bool {
        self.zones.values().all(|zone| zone.ready == 0)
            && self.zones.values().any(|zone| zone.failed > 0)
    }

    /// After a time in which nobody was heard of, every node gets its full time to speak up.
    fn begin_anew(&mut self, now: Instant) {
        self.health.values_mut().for_each(|health| health.heard = now);
        self.zones.values_mut().for_each(|zone| zone.next_eviction = now);
    }

    /// How long the node may still be silent.
    fn silence(&self, now: Instant, node: &Node) -> Duration {
        let Some(health) = self.health.get(&node.metadata.name) else { return MONITOR_GRACE };
        let grace = if condition(node, "Ready").is_some() { MONITOR_GRACE } else { STARTUP_GRACE };
        health.heard + grace - now
    }

    /// Puts on the taints that the node's conditions ask for; may say when to look again.
    fn taint(&mut self, now: Instant, node: &mut Node) -> Option<Duration> {
        let ready = condition(node, "Ready").map(|ready| ready.status.clone());
        let wanted = match ready.as_deref() {
            Some("False") => Some(NOT_READY),
            Some("Unknown") => Some(UNREACHABLE),
            _ => None,
        };
        let spec = &node.spec;
        let given = |key: &str, effect: &str| {
            spec.taints.iter().any(|taint| taint.key == key && taint.effect == effect)
        };
        let mut taints: Vec<Taint> =
            spec.taints.iter().filter(|taint| !is_ours(taint)).cloned().collect();
        let mut put = |key: &str, effect: &str| {
            let known = spec.taints.iter().find(|taint| taint.key == key && taint.effect == effect);
            taints.push(known.cloned().unwrap_or_else(|| Taint {
                key: key.into(),
                effect: effect.into(),
                time_added: Some(time_of(now)),
                value: Str::new(),
            }));
        };
        for (type_, key) in PRESSURES {
            if condition(node, type_).is_some_and(|condition| condition.status == "True") {
                put(key, "NoSchedule");
            }
        }
        if spec.unschedulable {
            put(UNSCHEDULABLE, "NoSchedule");
        }
        let mut wait = None;
        if let Some(key) = wanted {
            put(key, "NoSchedule");
            if self.is_all_lost() {
                wait = Some(EVICTION_PAUSE);
            } else if given(NOT_READY, "NoExecute") || given(UNREACHABLE, "NoExecute") {
                put(key, "NoExecute");
            } else {
                match self.may_evict(now, &zone_of(node)) {
                    Ok(()) => put(key, "NoExecute"),
                    Err(later) => wait = Some(later),
                }
            }
        }
        if !same_taints(&taints, &spec.taints) {
            Arc::make_mut(&mut node.spec).taints = taints.into_iter().collect();
        }
        wait
    }

    /// Whether a node of the zone may be emptied now, or when to ask again.
    fn may_evict(&mut self, now: Instant, zone: &Str) -> Result<(), Duration> {
        let zone = self.zones.entry(zone.clone()).or_default();
        let all = zone.ready + zone.failed;
        let disrupted = zone.failed > 2 && zone.failed as f64 / all as f64 >= UNHEALTHY_ZONE;
        let pause = if disrupted && zone.ready > 0 && all <= LARGE_ZONE {
            return Err(EVICTION_PAUSE);
        } else if disrupted && zone.ready > 0 {
            EVICTION_PAUSE_LARGE
        } else {
            EVICTION_PAUSE
        };
        if now < zone.next_eviction {
            return Err(zone.next_eviction - now);
        }
        zone.next_eviction = now + pause;
        Ok(())
    }
}

/// Conditions that keep new pods away, with their taints.
const PRESSURES: [(&str, &str); 4] = [
    ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "node.kubernetes.io/pid-pressure"),
    ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
];

/// Whether this controller alone decides about the taint.
fn is_ours(taint: &Taint) -> bool {
    let pressure = PRESSURES.iter().any(|(_, key)| taint.key == *key);
    match &*taint.effect {
        "NoSchedule" => pressure || [NOT_READY, UNREACHABLE, UNSCHEDULABLE].contains(&&*taint.key),
        "NoExecute" => [NOT_READY, UNREACHABLE].contains(&&*taint.key),
        _ => false,
    }
}

fn same_taints(a: &[Taint], b: &[Taint]) -> bool {
    a.len() == b.len() && a.iter().all(|taint| b.contains(taint))
}

fn zone_of(node: &Node) -> Str {
    let label = |key| node.metadata.labels.text(key).unwrap_or("");
    format!("{}:{}", label("topology.kubernetes.io/region"), label("topology.kubernetes.io/zone"))
        .into()
}

fn condition<'a>(node: &'a Node, type_: &str) -> Option<&'a NodeCondition> {
    node.status.conditions.iter().find(|condition| condition.type_ == type_)
}

fn is_ready(node: &Node) -> bool {
    condition(node, "Ready").is_some_and(|ready| ready.status == "True")
}

/// Sets the conditions of a silent node to Unknown.
fn declare_unknown(now: Instant, node: &mut Node) {
    let born = node.metadata.creation_timestamp;
    let mut conditions = node.status.conditions.clone();
    let mut changed = false;
    for type_ in CONDITIONS {
        match conditions.iter_mut().find(|condition| condition.type_ == type_) {
            Some(known) if known.status != "Unknown" => {
                known.status = lit!("Unknown");
                known.reason = lit!("NodeStatusUnknown");
                known.message = lit!("Kubelet stopped posting node status.");
                known.last_transition_time = Some(time_of(now));
                changed = true;
            }
            Some(_) => {}
            None => {
                conditions.push(NodeCondition {
                    type_: type_.into(),
                    status: lit!("Unknown"),
                    reason: lit!("NodeStatusNeverUpdated"),
                    message: lit!("Kubelet never posted node status."),
                    last_heartbeat_time: born,
                    last_transition_time: Some(time_of(now)),
                });
                changed = true;
            }
        }
    }
    if changed {
        Arc::make_mut(&mut node.status).conditions = conditions;
    }
}

/// Marks the pods of a node that is not ready as not ready.
fn mark_pods(cx: &Cx<'_>, node: &Node, plan: &mut Plan) {
    let mut writes = Vec::new();
    for pod in cx.pods().on_node(&node.metadata.name) {
        if !crate::pods::is_ready(pod) {
            continue;
        }
        let mut new: Pod = pod.clone();
        let status = Arc::make_mut(&mut new.status);
        if let Some(ready) =
            status.conditions.iter_mut().find(|condition| condition.type_ == "Ready")
        {
            ready.status = lit!("False");
            ready.last_transition_time = Some(time_of(cx.now));
        }
        plan.event(pod, "Warning", "NodeNotReady", "Node is not ready");
        let mut write = Write::new(api::wire::Request::update_status(new.into()));
        write.or_failed();
        writes.push(write);
    }
    plan.batch(writes);
}

/// Tells of nodes that come and go.
#[derive(Clone, Default)]
pub struct NodeAnnouncer {
    /// Nodes that have just gone, with their UIDs.
    gone: BTreeMap<Str, Str>,
}

impl Reconcile for NodeAnnouncer {
    fn name(&self) -> &'static str {
        "node-announcer"
    }

    fn source(&self) -> &'static str {
        "node-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Node::INFO]
    }

    fn reset(&mut self) {
        self.gone.clear();
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.deleted() {
            let meta = delta.meta();
            self.gone.insert(meta.name.clone(), meta.uid.clone());
        }
        if delta.added() || delta.deleted() {
            queue.add(delta.key());
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        if let Some(uid) = self.gone.remove(&key.name) {
            plan.note(farewell(&key.name, uid));
        }
        if let Some(node) = cx.nodes().get(key) {
            let name = &node.metadata.name;
            let message = format!("Node {name} event: Registered Node {name} in Controller");
            let mut note = Note::new(node, "Normal", "RegisteredNode", message);
            note.about.resource_version = Str::new();
            plan.note(note);
        }
        plan
    }
}

fn farewell(name: &Str, uid: Str) -> Note {
    Note {
        about: ObjectReference {
            api_version: lit!("v1"),
            kind: lit!("Node"),
            name: name.clone(),
            uid,
            ..ObjectReference::default()
        },
        type_: lit!("Normal"),
        reason: lit!("RemovingNode"),
        message: format!("Node {name} event: Removing Node {name} from Controller").into(),
    }
}

#[cfg(test)]
mod tests;
