//! Whether a pod may run on this node after all.
//!
//! Stands for the kubelet's admission handlers.
//!
//! Known deviations:
//! - Extended resources, topology and sysctls are not checked.
//! - Critical pods do not push others out.

use api::core::v1::{Affinity, Node, NodeSelectorTerm, Pod, PodSpec};
use api::selector::{Operator, Requirement};
use base::Str;

use crate::kubelet::Kubelet;
use crate::resources;
use crate::worker::Stage;

/// Processor (thousandths) and memory (bytes) that a pod takes of its node.
pub(crate) fn takes(spec: &PodSpec) -> (i64, i64) {
    let requests = resources::of_pod(spec).requests;
    let of = |name: &str| requests.get(name);
    (of("cpu").map_or(0, |q| q.milli_value()), of("memory").map_or(0, |q| q.value()))
}

impl Kubelet {
    /// Why a pod cannot run here: reason and message.
    pub(crate) fn refusal(&self, pod: &Pod) -> Option<(&'static str, String)> {
        self.no_room(pod).or_else(|| self.not_for_us(pod)).or_else(|| self.ports_taken(pod))
    }

    fn no_room(&self, pod: &Pod) -> Option<(&'static str, String)> {
        let (cpu, memory) = takes(&pod.spec);
        let allocatable = self.config.allocatable();
        let have = |name: &str| allocatable.get(name);
        let (used_cpu, used_memory, used_pods) = self.agent.taken;
        let out = |what: &str, asked: i64, used: i64, have: i64| {
            format!(
                "Node didn't have enough resource: {what}, requested: {asked}, used: {used}, capacity: {have}"
            )
        };
        let pods = self.config.pods;
        if used_pods + 1 > pods {
            return Some(("OutOfpods", out("pods", 1, used_pods, pods)));
        }
        let all = have("cpu").map_or(0, |q| q.milli_value());
        if cpu > 0 && used_cpu + cpu > all {
            return Some(("OutOfcpu", out("cpu", cpu, used_cpu, all)));
        }
        let all = have("memory").map_or(0, |q| q.value());
        if memory > 0 && used_memory + memory > all {
            return Some(("OutOfmemory", out("memory", memory, used_memory, all)));
        }
        None
    }

    fn not_for_us(&self, pod: &Pod) -> Option<(&'static str, String)> {
        let node = self.agent.node.node.as_deref()?;
        if !fits_node(pod, node) {
            let why = "node(s) didn't match Pod's node affinity/selector";
            return Some(("NodeAffinity", format!("Predicate NodeAffinity failed: {why}")));
        }
        let taint = node.spec.taints.iter().find(|taint| {
            taint.effect == "NoExecute"
                && !pod.spec.tolerations.iter().any(|t| {
                    (t.effect.is_empty() || t.effect == taint.effect)
                        && (t.key == taint.key || t.key.is_empty() && t.operator == "Exists")
                        && (t.operator == "Exists" || t.value == taint.value)
                })
        })?;
        let _ = taint;
        let why = "node(s) had taints that the pod didn't tolerate";
        Some(("TaintToleration", format!("Predicate TaintToleration failed: {why}")))
    }

    fn ports_taken(&self, pod: &Pod) -> Option<(&'static str, String)> {
        let ports = |pod: &Pod| -> Vec<(i32, Str, Str)> {
            let own = pod.spec.containers.iter().flat_map(|c| c.ports.iter());
            own.filter(|p| p.host_port > 0)
                .map(|p| (p.host_port, p.protocol.clone(), p.host_ip.clone()))
                .collect()
        };
        let wanted = ports(pod);
        if wanted.is_empty() {
            return None;
        }
        let any = |ip: &Str| ip.is_empty() || ip == "0.0.0.0";
        let taken =
            self.agent.workers.values().filter(|w| w.stage == Stage::Syncing && !w.rejected);
        // The pod itself has a worker by now.
        let taken = taken.filter(|w| w.pod.metadata.uid != pod.metadata.uid);
        let clash = taken.flat_map(|worker| ports(&worker.pod)).any(|(port, protocol, ip)| {
            wanted
                .iter()
                .any(|w| w.0 == port && w.1 == protocol && (any(&w.2) || any(&ip) || w.2 == ip))
        });
        let why = "node(s) didn't have free ports for the requested pod ports";
        clash.then(|| ("NodePorts", format!("Predicate NodePorts failed: {why}")))
    }
}

/// Whether node selector and required node affinity of a pod let it be on a node.
fn fits_node(pod: &Pod, node: &Node) -> bool {
    let labels = &node.metadata.labels;
    let selected = pod.spec.node_selector.iter().all(|(k, v)| labels.get(k) == Some(v));
    let affinity = pod.spec.affinity.as_deref().and_then(required);
    selected && affinity.is_none_or(|terms| terms.iter().any(|term| term_fits(term, node)))
}

fn required(affinity: &Affinity) -> Option<&base::List<NodeSelectorTerm>> {
    let node = affinity.node_affinity.as_deref()?;
    let required = node.required_during_scheduling_ignored_during_execution.as_deref()?;
    Some(&required.node_selector_terms)
}

fn term_fits(term: &NodeSelectorTerm, node: &Node) -> bool {
    let holds = |key: &Str, operator: &str, values: &base::List<Str>, value: Option<&str>| {
        Operator::of_struct(operator)
            .and_then(|op| Requirement::new(key.clone(), op, values.iter().cloned().collect()).ok())
            .is_some_and(|requirement| requirement.matches(value))
    };
    let some = !term.match_expressions.is_empty() || !term.match_fields.is_empty();
    some && term
        .match_expressions
        .iter()
        .all(|e| holds(&e.key, &e.operator, &e.values, node.metadata.labels.text(&e.key)))
        && term.match_fields.iter().all(|e| {
            let value = (e.key == "metadata.name").then_some(node.metadata.name.as_str());
            holds(&e.key, &e.operator, &e.values, value)
        })
}
