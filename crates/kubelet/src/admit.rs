//! Whether a pod may run on this node after all.
//!
//! Stands for the kubelet's admission handlers.
//!
//! Known deviations:
//! - Extended resources, topology and sysctls are not checked.
//! - Critical pods do not push others out.

use api::core::v1::{Pod, PodSpec};
use api::node_fit::{fits_affinity, tolerates_all};
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
        if !fits_affinity(&pod.spec, node) {
            let why = "node(s) didn't match Pod's node affinity/selector";
            return Some(("NodeAffinity", format!("Predicate NodeAffinity failed: {why}")));
        }
        if tolerates_all(&node.spec.taints, &pod.spec.tolerations, &["NoExecute"]) {
            return None;
        }
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
