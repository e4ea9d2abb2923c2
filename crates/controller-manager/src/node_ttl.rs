//! The TTL controller: tells kubelets how long they may keep what they have read, by the size of the cluster.

use api::core::v1::Node;
use api::json::Json;
use api::object::{Key, Kind, KindInfo};
use api::wire::{Patch, Subresource};
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

const ANNOTATION: &str = "node.alpha.kubernetes.io/ttl";

/// Up to so many nodes (growing), down to so many (shrinking), the kubelets keep things so many seconds.
const STEPS: [(usize, usize, u32); 6] = [
    (100, 0, 0),
    (500, 90, 15),
    (1000, 450, 30),
    (2000, 900, 60),
    (10_000, 1800, 300),
    (usize::MAX, 9000, 600),
];

/// The TTL controller.
#[derive(Clone, Default)]
pub struct NodeTtl {
    step: usize,
}

impl Reconcile for NodeTtl {
    fn name(&self) -> &'static str {
        "ttl-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Node::INFO]
    }

    fn reset(&mut self) {
        self.step = 0;
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if !delta.deleted() {
            queue.add(delta.key());
        }
        let count = cx.caches.count(Node::INFO);
        let before = self.step;
        while count > STEPS[self.step].0 {
            self.step += 1;
        }
        while count < STEPS[self.step].1 {
            self.step -= 1;
        }
        if self.step != before {
            cx.nodes().all().for_each(|node| queue.of(&node.metadata));
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(node) = cx.nodes().get(key) else { return plan };
        let ttl = STEPS[self.step].2.to_string();
        if node.metadata.annotations.text(ANNOTATION) == Some(&ttl) {
            return plan;
        }
        let mut annotations = Json::object();
        annotations.set(ANNOTATION, Json::str(ttl));
        let mut meta = Json::object();
        meta.set("annotations", annotations);
        let mut body = Json::object();
        body.set("metadata", meta);
        plan.patch_of(node, Subresource::None, Patch::Strategic(body));
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Runner;
    use client::testing::{Bench, object};

    /// The values on the nodes of a cluster that grows to `max` and shrinks to `end` nodes.
    fn check(max: usize, end: usize, expect: &str) {
        let runner = Runner::new("kcm", vec![Box::new(NodeTtl::default())]);
        let node = |i: usize| object::<Node>(&format!(r#"{{"metadata": {{"name": "n{i}"}}}}"#));
        let mut bench = Bench::new(runner, (0..max).map(|i| node(i).into()));
        for i in end..max {
            bench.remove::<Node>("", &format!("n{i}"));
        }
        bench.run(base::Duration::secs(1));
        for node in bench.api.all::<Node>() {
            assert_eq!(node.metadata.annotations.text(ANNOTATION), Some(expect));
        }
    }

    #[test]
    fn large_clusters_read_less_often() {
        check(1, 1, "0");
        check(101, 101, "15");
    }

    #[test]
    fn a_shrinking_cluster_keeps_its_step_for_a_while() {
        check(101, 95, "15");
        check(101, 80, "0");
    }
}
