//! The route controller: gives the provider's network a route to the pods of every node.
//!
//! Known deviations:
//! - Routes are made and deleted one after the other, where upstream has up to 200 requests under way.
//! - Packets in the model find their way without routes too.

use api::core::v1::Node;
use api::json::Json;
use api::object::{Key, Kind, KindInfo};
use api::wire::{Patch, Subresource};
use base::{BTreeMap, Duration, Str};
use client::cloud::{CloudAnswer, CloudRequest, Route};
use client::{Cx, Delta, Enqueue, Note, Plan, Reconcile};

use crate::nodes::condition;

/// The route controller. Its one key stands for a round.
#[derive(Clone, Default)]
pub struct Routes {
    /// This round's routes are made: what the provider lists now decides what nodes are told.
    made: bool,
}

/// Between two rounds.
const PERIOD: Duration = Duration::secs(10);
const CONDITION: &str = "NetworkUnavailable";

impl Reconcile for Routes {
    fn name(&self) -> &'static str {
        "route-controller"
    }

    fn source(&self) -> &'static str {
        "route_controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Node::INFO]
    }

    fn reset(&mut self) {
        self.made = false;
    }

    fn resync(&self) -> Option<Duration> {
        Some(PERIOD)
    }

    fn on_start(&mut self, _: &Cx<'_>, queue: &mut Enqueue) {
        queue.named("", "round");
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        let range = |node: Option<&Node>| node.map(|node| node.spec.pod_cidr.clone());
        if range(delta.before()) != range(delta.after()) {
            queue.named("", "round");
        }
    }

    fn reconcile(&mut self, _: &Cx<'_>, _: &Key) -> Plan {
        self.made = false;
        let mut plan = Plan::settled();
        plan.ask(CloudRequest::Routes);
        plan
    }

    fn answered(&mut self, cx: &Cx<'_>, _: &Key, answer: CloudAnswer) -> Plan {
        let CloudAnswer::Routes(routes) = answer else { return Plan::settled() };
        let known: BTreeMap<Str, Str> =
            routes.into_iter().map(|route| (route.destination, route.node)).collect();
        if !self.made {
            let plan = changes(cx, &known);
            if !plan.is_empty() {
                self.made = true;
                return plan;
            }
        }
        conditions(cx, &known)
    }
}

/// Makes what is missing, deletes what is left over, and looks at the outcome.
fn changes(cx: &Cx<'_>, known: &BTreeMap<Str, Str>) -> Plan {
    let mut plan = Plan::settled();
    for (destination, node) in known {
        let owner = cx.nodes().named("", node);
        if owner.is_none_or(|owner| owner.spec.pod_cidr != *destination) {
            let (destination, node) = (destination.clone(), node.clone());
            plan.ask(CloudRequest::DeleteRoute(Route { destination, node })).or_failed();
        }
    }
    for node in cx.nodes().all().filter(|node| !node.spec.pod_cidr.is_empty()) {
        let (destination, name) = (&node.spec.pod_cidr, &node.metadata.name);
        if known.get(destination) == Some(name) {
            continue;
        }
        let text = format!(
            "Could not create route {} {destination} for node {name} after {{took}}: {{error}}",
            node.metadata.uid
        );
        let route = Route { destination: destination.clone(), node: name.clone() };
        let failed = Note::new(node, "Warning", "FailedToCreateRoute", text);
        plan.ask(CloudRequest::CreateRoute(route)).or_said(failed).or_failed();
    }
    if !plan.is_empty() {
        plan.ask(CloudRequest::Routes);
    }
    plan
}

/// Tells nodes whether they have their routes.
fn conditions(cx: &Cx<'_>, known: &BTreeMap<Str, Str>) -> Plan {
    let mut plan = Plan::settled();
    for node in cx.nodes().all().filter(|node| !node.spec.pod_cidr.is_empty()) {
        let routed = known.get(&node.spec.pod_cidr) == Some(&node.metadata.name);
        let (status, reason, message) = match routed {
            true => ("False", "RouteCreated", "RouteController created a route"),
            false => ("True", "NoRouteCreated", "RouteController failed to create a route"),
        };
        if condition(node, CONDITION).is_some_and(|known| known.status == status) {
            continue;
        }
        let now = Json::str(api::time::Time::from(cx.now).to_string());
        let mut one = Json::object();
        for (field, text) in
            [("type", CONDITION), ("status", status), ("reason", reason), ("message", message)]
        {
            one.set(field, Json::str(text));
        }
        one.set("lastTransitionTime", now.clone());
        one.set("lastHeartbeatTime", now);
        let mut all = Json::object();
        all.set("conditions", Json::Array(vec![one]));
        let mut body = Json::object();
        body.set("status", all);
        plan.patch_of(node, Subresource::Status, Patch::Strategic(body));
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provider;
    use crate::testing::World;

    fn world() -> World {
        let mut world = World::new(Provider::Aws, 2);
        for number in [1, 2] {
            world.add_node(number, false);
            world.bench.edit::<Node>("", &format!("node-{number}"), |node| {
                let spec = std::sync::Arc::make_mut(&mut node.spec);
                spec.pod_cidr = format!("10.244.{number}.0/24").into();
            });
        }
        world
    }

    fn routes(world: &mut World) -> String {
        let (_, reply) = world.cloud.handle(world.bench.now, CloudRequest::Routes);
        let Ok(CloudAnswer::Routes(routes)) = reply else { panic!("routes are listed") };
        let shown = routes.iter().map(|route| format!("{}>{}", route.destination, route.node));
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_node_with_a_pod_range_gets_a_route_and_hears_of_it() {
        let mut world = world();
        world.run(Duration::secs(15));
        assert_eq!(routes(&mut world), "10.244.1.0/24>node-1 10.244.2.0/24>node-2");
        let node = world.node("node-2");
        let network = condition(&node, CONDITION).expect("it was told");
        assert_eq!((&*network.status, &*network.reason), ("False", "RouteCreated"));
    }

    #[test]
    fn the_route_of_a_node_that_is_gone_is_deleted() {
        let mut world = world();
        world.run(Duration::secs(15));
        world.bench.remove::<Node>("", "node-1");
        world.run(Duration::secs(15));
        assert_eq!(routes(&mut world), "10.244.2.0/24>node-2");
    }

    #[test]
    fn a_node_without_a_route_has_no_network_and_says_why() {
        let mut world = world();
        world.run(Duration::secs(15));
        world.bench.take_events();
        world.add_node(9, false);
        world.bench.edit::<Node>("", "node-9", |node| {
            std::sync::Arc::make_mut(&mut node.spec).pod_cidr = "10.244.9.0/24".into();
        });
        world.run(Duration::secs(15));
        let node = world.node("node-9");
        let network = condition(&node, CONDITION).expect("it was told");
        assert_eq!((&*network.status, &*network.reason), ("True", "NoRouteCreated"));
        let events = world.bench.take_events();
        assert!(events.contains("FailedToCreateRoute: Could not create route"), "{events}");
        assert!(events.contains("for node node-9 after "), "{events}");
    }
}
