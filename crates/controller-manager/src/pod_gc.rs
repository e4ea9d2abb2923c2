//! The pod garbage collector: removes pods that nobody will remove, such as those of nodes that are gone.

use std::sync::Arc;

use api::core::v1::{Node, Pod, PodCondition};
use api::meta::v1::DeleteOptions;
use api::object::{Key, Kind, KindInfo};
use api::wire::{Request, time_of};
use base::{BTreeMap, BTreeSet, Duration, Instant, Str, lit};
use client::{Cx, Delta, Enqueue, Plan, Reconcile, Write};

use crate::pods;
use crate::taints::OUT_OF_SERVICE;

/// Between two rounds.
const PERIOD: Duration = Duration::secs(20);
/// A node must be gone for so long.
const QUARANTINE: Duration = Duration::secs(40);
/// So many ended pods are kept.
const TERMINATED_MAX: usize = 12_500;

/// The pod garbage collector. Its one key stands for a round.
#[derive(Clone)]
pub struct PodGc {
    /// More ended pods than this are deleted, oldest first.
    terminated_max: usize,
    /// Ended pods by age.
    ended: BTreeSet<(Option<api::time::Time>, Key)>,
    /// Nodes that pods name but that are not there, and since when.
    missing: BTreeMap<Str, Instant>,
}

impl Default for PodGc {
    fn default() -> PodGc {
        PodGc::keeping(TERMINATED_MAX)
    }
}

impl Reconcile for PodGc {
    fn name(&self) -> &'static str {
        "pod-garbage-collector-controller"
    }

    fn source(&self) -> &'static str {
        "pod-garbage-collector"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Pod::INFO, Node::INFO]
    }

    fn reset(&mut self) {
        *self = PodGc::keeping(self.terminated_max);
    }

    fn on_start(&mut self, _: &Cx<'_>, queue: &mut Enqueue) {
        queue.named("", "round");
    }

    fn resync(&self) -> Option<Duration> {
        Some(PERIOD)
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, _: &mut Enqueue) {
        let entry = |pod: &Pod| (pod.metadata.creation_timestamp, Key::of(&pod.metadata));
        if let Some(pod) = delta.before::<Pod>().filter(|pod| pods::is_terminal(pod)) {
            self.ended.remove(&entry(pod));
        }
        if let Some(pod) = delta.after::<Pod>().filter(|pod| pods::is_terminal(pod)) {
            self.ended.insert(entry(pod));
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, _: &Key) -> Plan {
        let mut writes = Vec::new();
        let surplus = self.ended.len().saturating_sub(self.terminated_max);
        for (_, key) in self.ended.iter().take(surplus) {
            if let Some(pod) = cx.pods().get(key) {
                delete(cx.now, pod, None, &mut writes);
            }
        }
        self.orphans(cx, &mut writes);
        for pod in cx.pods().on_node("") {
            if pod.metadata.deletion_timestamp.is_some() {
                delete(cx.now, pod, None, &mut writes);
            }
        }
        for node in cx.nodes().all() {
            let out = node.spec.taints.iter().any(|taint| taint.key == OUT_OF_SERVICE);
            let ready = node
                .status
                .conditions
                .iter()
                .any(|condition| condition.type_ == "Ready" && condition.status == "True");
            if out && !ready {
                for pod in cx.pods().on_node(&node.metadata.name) {
                    if pods::is_terminating(pod) {
                        delete(cx.now, pod, None, &mut writes);
                    }
                }
            }
        }
        let mut plan = Plan::settled();
        plan.batch(writes);
        plan
    }
}

impl PodGc {
    /// One that keeps so many ended pods.
    pub fn keeping(terminated_max: usize) -> PodGc {
        PodGc { terminated_max, ended: BTreeSet::new(), missing: BTreeMap::new() }
    }

    /// Deletes the pods of nodes that have been gone for a while.
    fn orphans(&mut self, cx: &Cx<'_>, writes: &mut Vec<Write>) {
        let gone = |node: &&Str| cx.nodes().named("", node).is_none();
        let missing: Vec<Str> = cx.pods().nodes_with_pods().filter(gone).cloned().collect();
        self.missing.retain(|node, _| missing.contains(node));
        for node in missing {
            let since = *self.missing.entry(node.clone()).or_insert(cx.now);
            if cx.now - since < QUARANTINE {
                continue;
            }
            for pod in cx.pods().on_node(&node) {
                let why = "PodGC: node no longer exists";
                delete(cx.now, pod, Some(why), writes);
            }
        }
    }
}

/// Deletes a pod for good; one that had not ended is declared failed first.
fn delete(now: Instant, pod: &Pod, why: Option<&'static str>, writes: &mut Vec<Write>) {
    if !pods::is_terminal(pod) {
        let mut new = pod.clone();
        let status = Arc::make_mut(&mut new.status);
        status.phase = lit!("Failed");
        if let Some(why) = why {
            status.conditions.retain(|condition| condition.type_ != "DisruptionTarget");
            status.conditions.push(PodCondition {
                type_: lit!("DisruptionTarget"),
                status: lit!("True"),
                reason: lit!("DeletionByPodGC"),
                message: why.into(),
                last_transition_time: Some(time_of(now)),
                observed_generation: pod.metadata.generation,
                ..PodCondition::default()
            });
        }
        let mut write = Write::new(Request::update_status(new.into()));
        write.or_failed();
        writes.push(write);
    }
    let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    let mut write = Write::delete(pod, options);
    write.or_failed();
    writes.push(write);
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Runner;
    use client::testing::{Bench, object};

    /// Runs so many seconds with one pod on node `n1` and compares the writes.
    fn check(pod: &str, with_node: bool, seconds: i64, expect: &str) {
        let pod: Pod = object(&format!(
            r#"{{"metadata": {{"name": "p", "namespace": "d"}}, "spec": {{{pod}}}}}"#
        ));
        let node = with_node.then(|| object::<Node>(r#"{"metadata": {"name": "n1"}}"#).into());
        let runner = Runner::new("kcm", vec![Box::new(PodGc::default())]);
        let mut bench = Bench::new(runner, [pod.into()].into_iter().chain(node));
        bench.run(Duration::secs(seconds));
        assert_eq!(bench.take_log(), expect);
    }

    const BOUND: &str = r#""containers": [], "nodeName": "n1""#;

    #[test]
    fn pods_of_nodes_that_are_gone_are_removed_after_a_while() {
        check(BOUND, false, 39, "");
        check(BOUND, false, 40, "~Pod/status p; -Pod p");
    }

    #[test]
    fn pods_of_present_nodes_and_waiting_pods_stay() {
        check(BOUND, true, 100, "");
        check(r#""containers": []"#, true, 100, "");
    }

    #[test]
    fn an_unbound_pod_that_is_being_deleted_is_removed() {
        let pod: Pod = object(
            r#"{"metadata": {"name": "p", "namespace": "d", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"containers": []}, "status": {"phase": "Pending"}}"#,
        );
        let runner = Runner::new("kcm", vec![Box::new(PodGc::default())]);
        let mut bench = Bench::new(runner, [pod.into()]);
        assert_eq!(bench.take_log(), "~Pod/status p; -Pod p");
    }

    #[test]
    fn of_too_many_ended_pods_the_oldest_go() {
        let pods = ["3", "1", "2"].map(|day| {
            let pod: Pod = object(&format!(
                r#"{{"metadata": {{"name": "p{day}", "namespace": "d", "creationTimestamp": "2025-12-0{day}T00:00:00Z"}},
                "spec": {{"containers": []}}, "status": {{"phase": "Succeeded"}}}}"#
            ));
            pod.into()
        });
        let runner = Runner::new("kcm", vec![Box::new(PodGc::keeping(1))]);
        let mut bench = Bench::new(runner, pods);
        assert_eq!(bench.take_log(), "-Pod p1; -Pod p2");
    }

    /// A pod that is being deleted on a node with this taint and state.
    fn check_out_of_service(taint: &str, ready: &str, expect: &str) {
        let pod: Pod = object(
            r#"{"metadata": {"name": "p", "namespace": "d", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"containers": [], "nodeName": "n1"}, "status": {"phase": "Running"}}"#,
        );
        let node: Node = object(&format!(
            r#"{{"metadata": {{"name": "n1"}}, "spec": {{"taints": [{{"key": "{taint}", "effect": "NoExecute"}}]}},
            "status": {{"conditions": [{{"type": "Ready", "status": "{ready}"}}]}}}}"#
        ));
        let runner = Runner::new("kcm", vec![Box::new(PodGc::default())]);
        let mut bench = Bench::new(runner, [pod.into(), node.into()]);
        bench.run(Duration::secs(100));
        let log = bench.take_log();
        assert_eq!(log.contains("-Pod p"), expect == "gone", "{log}");
    }

    #[test]
    fn pods_of_a_node_that_is_out_of_service_are_removed_at_once() {
        check_out_of_service(OUT_OF_SERVICE, "Unknown", "gone");
        check_out_of_service(OUT_OF_SERVICE, "True", "there");
        check_out_of_service("example.com/other", "Unknown", "there");
    }
}
