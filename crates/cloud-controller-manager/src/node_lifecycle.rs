//! The cloud node lifecycle controller: removes nodes whose machines are gone, and taints those that are stopped.
//!
//! Known deviations:
//! - Only nodes that are not ready are looked at; upstream walks all of them every five seconds to find these.

use api::core::v1::{Node, ObjectReference};
use api::meta::v1::DeleteOptions;
use api::object::{Key, Kind, KindInfo};
use base::{Duration, Str, lit};
use client::cloud::CloudAnswer;
use client::{Cx, Delta, Enqueue, Note, Plan, Reconcile};

use crate::node::machine_of;
use crate::nodes::{SHUTDOWN, condition, is_ready, is_tainted, tainted, untainted};

/// The cloud node lifecycle controller.
#[derive(Clone)]
pub struct CloudNodeLifecycle;

/// Between two looks at a node that is not ready.
const PERIOD: Duration = Duration::secs(5);

impl Reconcile for CloudNodeLifecycle {
    fn name(&self) -> &'static str {
        "cloud-node-lifecycle-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Node::INFO]
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        let status = |node: &Node| condition(node, "Ready").map(|ready| ready.status.clone());
        let Some(node) = delta.after::<Node>() else { return };
        let before = delta.before::<Node>();
        if before.is_none_or(|before| status(before) != status(node)) {
            queue.add(delta.key());
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(node) = cx.nodes().get(key) else { return plan };
        if !is_ready(node) {
            plan.again(PERIOD);
            plan.ask(machine_of(node));
        } else if is_tainted(node, SHUTDOWN) {
            plan.update(untainted(node, SHUTDOWN));
        }
        plan
    }

    fn answered(&mut self, cx: &Cx<'_>, key: &Key, answer: CloudAnswer) -> Plan {
        let mut plan = Plan::settled();
        let CloudAnswer::Machine(facts) = answer else { return plan };
        let Some(node) = cx.nodes().get(key).filter(|node| !is_ready(node)) else { return plan };
        match facts {
            None => {
                plan.note(farewell(node));
                plan.delete(node, DeleteOptions::default());
            }
            Some(facts) if facts.stopped && !is_tainted(node, SHUTDOWN) => {
                plan.update(tainted(node, SHUTDOWN, Str::new(), Some(cx.now.into())));
            }
            Some(_) => {}
        }
        plan
    }
}

fn farewell(node: &Node) -> Note {
    let name = &node.metadata.name;
    Note {
        about: ObjectReference {
            kind: lit!("Node"),
            name: name.clone(),
            uid: node.metadata.uid.clone(),
            ..ObjectReference::default()
        },
        type_: lit!("Normal"),
        reason: lit!("DeletingNode"),
        message: format!("Deleting node {name} because it does not exist in the cloud provider")
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provider;
    use crate::testing::World;

    /// Two settled nodes of which the first has just fallen silent.
    fn silent() -> World {
        let mut world = World::new(Provider::Aws, 2);
        world.add_node(1, false);
        world.add_node(2, false);
        world.run(Duration::secs(2));
        world.bench.take_events();
        world
    }

    #[test]
    fn a_node_whose_machine_is_gone_is_deleted() {
        let mut world = silent();
        world.cloud.end(world.bench.now, "node-1");
        world.run(Duration::secs(60));
        world.set_ready("node-1", "Unknown");
        world.run(Duration::secs(6));
        assert!(world.bench.api.get::<Node>("", "node-1").is_none());
        assert!(world.bench.api.get::<Node>("", "node-2").is_some());
        assert_eq!(
            world.bench.take_events(),
            "Normal DeletingNode: Deleting node node-1 because it does not exist in the cloud provider"
        );
    }

    #[test]
    fn a_node_that_still_reports_is_not_deleted_whatever_the_provider_says() {
        let mut world = silent();
        world.cloud.end(world.bench.now, "node-1");
        world.run(Duration::secs(60));
        assert!(world.bench.api.get::<Node>("", "node-1").is_some());
    }

    #[test]
    fn a_node_whose_machine_is_stopped_has_the_shutdown_taint_until_it_is_ready_again() {
        let mut world = silent();
        world.cloud.stop(world.bench.now, "node-1");
        world.run(Duration::secs(60));
        world.set_ready("node-1", "Unknown");
        world.run(Duration::secs(6));
        assert!(is_tainted(&world.node("node-1"), SHUTDOWN));
        world.set_ready("node-1", "True");
        world.run(Duration::secs(6));
        assert!(!is_tainted(&world.node("node-1"), SHUTDOWN));
    }

    #[test]
    fn a_node_that_is_not_ready_on_a_running_machine_is_left_alone() {
        let mut world = silent();
        world.set_ready("node-1", "False");
        world.run(Duration::secs(60));
        assert!(world.node("node-1").spec.taints.is_empty());
    }

    #[test]
    fn nothing_is_deleted_while_the_cloud_does_not_answer() {
        let mut world = silent();
        world.cloud.end(world.bench.now, "node-1");
        world.run(Duration::secs(60));
        world.cloud.set_reachable(false);
        world.set_ready("node-1", "Unknown");
        world.run(Duration::mins(5));
        assert!(world.bench.api.get::<Node>("", "node-1").is_some());
    }
}
