//! The taint eviction controller: deletes pods that do not tolerate their node's NoExecute taints (any longer).

use std::sync::Arc;

use api::core::v1::{Node, Pod, PodCondition};
use api::object::{Key, Kind, KindInfo};
use api::wire::time_of;
use base::{BTreeMap, Instant, lit};
use client::{Cx, Delta, Enqueue, Note, Plan, Reconcile};

use crate::taints::{Stay, stay};

/// The taint eviction controller.
#[derive(Clone, Default)]
pub struct TaintEviction {
    /// Since when a pod's days are counted.
    since: BTreeMap<Key, Instant>,
}

impl Reconcile for TaintEviction {
    fn name(&self) -> &'static str {
        "taint-eviction-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Pod::INFO, Node::INFO]
    }

    fn workers(&self) -> usize {
        8
    }

    fn reset(&mut self) {
        *self = TaintEviction::default();
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if let Some(node) = delta.of::<Node>() {
            let before = delta.before::<Node>();
            let drives =
                |node: &Node| node.spec.taints.iter().any(|taint| taint.effect == "NoExecute");
            let same = before.is_some_and(|old| old.spec.taints == node.spec.taints);
            if same || !drives(node) && !before.is_some_and(drives) {
                return;
            }
            for pod in cx.pods().on_node(&node.metadata.name) {
                queue.of(&pod.metadata);
            }
        } else if let Some(pod) = delta.of::<Pod>() {
            let same = delta.before::<Pod>().is_some_and(|old| {
                old.spec.node_name == pod.spec.node_name
                    && old.spec.tolerations == pod.spec.tolerations
            });
            if pod.spec.node_name.is_empty() || same && !delta.deleted() {
                return;
            }
            let node = cx.nodes().named("", &pod.spec.node_name);
            let tainted = node.is_some_and(|node| !node.spec.taints.is_empty());
            if tainted || self.since.contains_key(&delta.key()) {
                queue.add(delta.key());
            }
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let pod = cx.pods().get(key).filter(|pod| pod.metadata.deletion_timestamp.is_none());
        let Some(pod) = pod else {
            self.since.remove(key);
            return plan;
        };
        let node = cx.nodes().named("", &pod.spec.node_name);
        let taints = node.map(|node| &*node.spec.taints).unwrap_or_default();
        match stay(taints, &pod.spec.tolerations) {
            Stay::Forever => {
                if self.since.remove(key).is_some() {
                    let message = format!("Cancelling deletion of Pod {key}");
                    plan.event(pod, "Normal", "TaintManagerEviction", message);
                }
            }
            Stay::No => evict(cx.now, pod, &mut plan),
            Stay::For(span) => {
                let since = *self.since.entry(key.clone()).or_insert(cx.now);
                let left = since + span;
                if left <= cx.now {
                    evict(cx.now, pod, &mut plan)
                } else {
                    plan.again(left - cx.now)
                }
            }
        }
        plan
    }
}

fn evict(now: Instant, pod: &Pod, plan: &mut Plan) {
    let condition = PodCondition {
        type_: lit!("DisruptionTarget"),
        status: lit!("True"),
        reason: lit!("DeletionByTaintManager"),
        message: lit!("Taint manager: deleting due to NoExecute taint"),
        last_transition_time: Some(time_of(now)),
        observed_generation: pod.metadata.generation,
        ..PodCondition::default()
    };
    let message = format!("Marking for deletion Pod {}", Key::of(&pod.metadata));
    let mut note = Note::new(pod, "Normal", "TaintManagerEviction", message);
    note.about.resource_version = base::Str::new();
    plan.note(note);
    let mut new = pod.clone();
    let status = Arc::make_mut(&mut new.status);
    status.conditions.retain(|known| known.type_ != condition.type_);
    status.conditions.push(condition);
    plan.status(new);
    plan.delete(pod, Default::default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Duration;
    use client::Runner;
    use client::testing::{Bench, object};

    /// Taints the node of a pod that tolerates the taint for so many seconds, waits, and compares the writes.
    fn check(tolerates: Option<i64>, wait_s: i64, expect: &str) -> Bench<Runner> {
        let seconds = tolerates.map_or(String::new(), |s| format!(r#", "tolerationSeconds": {s}"#));
        let toleration = match tolerates {
            Some(0) => String::new(),
            _ => format!(r#"{{"key": "k", "operator": "Exists", "effect": "NoExecute"{seconds}}}"#),
        };
        let pod: Pod = object(&format!(
            r#"{{"metadata": {{"name": "p", "namespace": "d"}}, "spec": {{"nodeName": "n1",
            "containers": [], "tolerations": [{toleration}]}}}}"#
        ));
        let node: Node = object(r#"{"metadata": {"name": "n1"}}"#);
        let runner = Runner::new("kcm", vec![Box::new(TaintEviction::default())]);
        let mut bench = Bench::new(runner, [pod.into(), node.into()]);
        bench.edit::<Node>("", "n1", |node| {
            let taint = r#"[{"key": "k", "effect": "NoExecute"}]"#;
            let spec =
                format!(r#"{{"metadata": {{"name": "n1"}}, "spec": {{"taints": {taint}}}}}"#);
            node.spec = object::<Node>(&spec).spec;
        });
        bench.run(Duration::secs(wait_s));
        assert_eq!(bench.take_log(), expect);
        bench
    }

    #[test]
    fn an_intolerant_pod_goes_at_once() {
        let mut bench = check(Some(0), 0, "~Pod/status p; -Pod p");
        assert_eq!(
            bench.take_events(),
            "Normal TaintManagerEviction: Marking for deletion Pod d/p"
        );
    }

    #[test]
    fn a_pod_may_stay_as_long_as_it_tolerates_the_taint() {
        check(None, 10_000, "");
        check(Some(300), 299, "");
        check(Some(300), 300, "~Pod/status p; -Pod p");
    }

    #[test]
    fn the_end_of_the_taint_cancels_the_eviction() {
        let mut bench = check(Some(300), 100, "");
        bench.edit::<Node>("", "n1", |node| Arc::make_mut(&mut node.spec).taints.clear());
        bench.run(Duration::secs(1000));
        assert_eq!(bench.take_log(), "");
        assert_eq!(
            bench.take_events(),
            "Normal TaintManagerEviction: Cancelling deletion of Pod d/p"
        );
    }
}
