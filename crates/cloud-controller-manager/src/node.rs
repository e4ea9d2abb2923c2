//! The cloud node controller: tells new nodes what their machines are, and keeps their addresses and labels.
//!
//! Known deviations:
//! - Machines are asked about one by one, and 30 nodes are in work at once; upstream's default is one.

use std::sync::Arc;

use api::core::v1::Node;
use api::object::{Key, Kind, KindInfo};
use base::{Duration, Str};
use client::cloud::{CloudAnswer, CloudRequest, MachineFacts};
use client::{Cx, Delta, Enqueue, Note, Plan, Reconcile};

use crate::nodes::{UNINITIALIZED, is_tainted, untainted};

/// The cloud node controller.
#[derive(Clone)]
pub struct CloudNodes;

/// Between two looks at all addresses and labels of the provider's own.
const PERIOD: Duration = Duration::mins(5);
/// Labels of the same meaning: of each pair the first, which is deprecated, is the one that counts.
const PAIRS: [(&str, &str); 3] = [
    ("beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"),
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
];

impl Reconcile for CloudNodes {
    fn name(&self) -> &'static str {
        "cloud-node-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Node::INFO]
    }

    fn workers(&self) -> usize {
        30
    }

    fn resync(&self) -> Option<Duration> {
        Some(PERIOD)
    }

    fn on_start(&mut self, cx: &Cx<'_>, queue: &mut Enqueue) {
        cx.nodes().all().for_each(|node| queue.of(&node.metadata));
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        let asks = |node: &Node| is_tainted(node, UNINITIALIZED) || !strays(node).is_empty();
        if delta.after::<Node>().is_some_and(asks) {
            queue.add(delta.key());
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(node) = cx.nodes().get(key) else { return plan };
        let strays = strays(node);
        if is_tainted(node, UNINITIALIZED) || strays.is_empty() {
            plan.ask(machine_of(node));
        } else {
            plan.update(labelled(node, strays));
        }
        plan
    }

    fn answered(&mut self, cx: &Cx<'_>, key: &Key, answer: CloudAnswer) -> Plan {
        let Some(node) = cx.nodes().get(key) else { return Plan::settled() };
        let CloudAnswer::Machine(facts) = answer else { return Plan::settled() };
        match (facts, is_tainted(node, UNINITIALIZED)) {
            (Some(facts), true) => initialize(node, &facts),
            (Some(facts), false) => refresh(node, &facts),
            // The machine may be too new for the provider's lists.
            (None, true) => Plan::retry(),
            (None, false) => Plan::settled(),
        }
    }
}

/// The question about a node's machine.
pub(crate) fn machine_of(node: &Node) -> CloudRequest {
    let (provider_id, node) = (node.spec.provider_id.clone(), node.metadata.name.clone());
    CloudRequest::Machine { provider_id, node }
}

fn initialize(node: &Node, facts: &MachineFacts) -> Plan {
    let mut new = untainted(node, UNINITIALIZED);
    let spec = Arc::make_mut(&mut new.spec);
    if spec.provider_id.is_empty() {
        spec.provider_id = facts.provider_id.clone();
    }
    let labels = &mut Arc::make_mut(&mut new.metadata).labels;
    let values = [&facts.instance_type, &facts.zone, &facts.region];
    for ((beta, stable), value) in PAIRS.into_iter().zip(values).filter(|(_, v)| !v.is_empty()) {
        labels.insert(beta, value.clone());
        labels.insert(stable, value.clone());
    }
    for (label, value) in facts.labels.iter() {
        labels.insert(label.clone(), value.clone());
    }
    let mut plan = Plan::settled();
    plan.update(new.clone());
    let synced = Note::new(node, "Normal", "Synced", "Node synced successfully");
    plan.status(with_addresses(&new, facts)).said(synced);
    plan
}

/// Labels that contradict the deprecated labels of the same meaning, or are missing beside them, with what they
/// should say.
fn strays(node: &Node) -> Vec<(Str, Str)> {
    let labels = &node.metadata.labels;
    let stray = |(beta, stable): (&'static str, &'static str)| {
        let value = labels.get(beta)?;
        (labels.get(stable) != Some(value)).then(|| (stable.into(), value.clone()))
    };
    PAIRS.into_iter().filter_map(stray).collect()
}

fn labelled(node: &Node, labels: Vec<(Str, Str)>) -> Node {
    let mut new = node.clone();
    let known = &mut Arc::make_mut(&mut new.metadata).labels;
    labels.into_iter().for_each(|(label, value)| {
        known.insert(label, value);
    });
    new
}

/// Restores the addresses and the provider's own labels; type, zone and region are told only once.
fn refresh(node: &Node, facts: &MachineFacts) -> Plan {
    let mut plan = Plan::settled();
    if !facts.addresses.is_empty() && *node.status.addresses != *facts.addresses {
        plan.status(with_addresses(node, facts));
    }
    let labels = &node.metadata.labels;
    let strays = facts.labels.iter().filter(|(label, value)| labels.get(label) != Some(*value));
    let strays: Vec<(Str, Str)> =
        strays.map(|(label, value)| (label.clone(), value.clone())).collect();
    if !strays.is_empty() {
        plan.update(labelled(node, strays));
    }
    plan
}

fn with_addresses(node: &Node, facts: &MachineFacts) -> Node {
    let mut new = node.clone();
    Arc::make_mut(&mut new.status).addresses = facts.addresses.iter().cloned().collect();
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provider;
    use crate::testing::World;

    /// A new node of the provider's, and what its labels, addresses and events are a second later.
    fn check(provider: Provider, labels: &str, addresses: &str) -> World {
        let mut world = World::new(provider, 1);
        world.add_node(1, true);
        world.run(Duration::secs(1));
        let node = world.node("node-1");
        assert!(node.spec.taints.is_empty());
        let shown: Vec<String> =
            node.metadata.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(shown.join(" "), labels);
        let shown: Vec<&str> = node.status.addresses.iter().map(|a| &*a.type_).collect();
        assert_eq!(shown.join(" "), addresses);
        assert_eq!(world.bench.take_events(), "Normal Synced: Node synced successfully");
        world
    }

    #[test]
    fn a_new_node_on_aws_learns_its_type_zone_region_and_addresses() {
        let world = check(
            Provider::Aws,
            "beta.kubernetes.io/instance-type=c5.xlarge \
             failure-domain.beta.kubernetes.io/region=us-east-1 \
             failure-domain.beta.kubernetes.io/zone=us-east-1a \
             node.kubernetes.io/instance-type=c5.xlarge topology.k8s.aws/zone-id=use1-az1 \
             topology.kubernetes.io/region=us-east-1 topology.kubernetes.io/zone=us-east-1a",
            "InternalIP ExternalIP InternalDNS Hostname ExternalDNS",
        );
        let id = &world.node("node-1").spec.provider_id;
        assert!(id.starts_with("aws:///us-east-1a/i-0") && id.len() == 37, "{id}");
    }

    #[test]
    fn a_new_node_on_digitalocean_has_a_region_and_no_zone() {
        let world = check(
            Provider::DigitalOcean,
            "beta.kubernetes.io/instance-type=s-4vcpu-8gb \
             failure-domain.beta.kubernetes.io/region=nyc3 \
             node.kubernetes.io/instance-type=s-4vcpu-8gb topology.kubernetes.io/region=nyc3",
            "Hostname InternalIP ExternalIP",
        );
        assert!(world.node("node-1").spec.provider_id.starts_with("digitalocean://"));
    }

    #[test]
    fn a_node_stays_uninitialized_while_the_cloud_does_not_answer() {
        let mut world = World::new(Provider::Aws, 1);
        world.cloud.set_reachable(false);
        world.add_node(1, true);
        world.run(Duration::secs(60));
        assert!(is_tainted(&world.node("node-1"), UNINITIALIZED));
        world.cloud.set_reachable(true);
        world.run(Duration::secs(60));
        assert!(!is_tainted(&world.node("node-1"), UNINITIALIZED));
    }

    #[test]
    fn addresses_that_somebody_changed_are_put_right_within_five_minutes() {
        let mut world = World::new(Provider::Aws, 1);
        world.add_node(1, true);
        world.run(Duration::secs(1));
        world.bench.edit::<Node>("", "node-1", |node| {
            Arc::make_mut(&mut node.status).addresses = Default::default();
        });
        world.run(Duration::mins(5));
        assert_eq!(world.node("node-1").status.addresses.len(), 5);
    }

    fn labelled_world(edit: impl Fn(&mut api::Map<Str>)) -> World {
        let mut world = World::new(Provider::Aws, 1);
        world.add_node(1, true);
        world.run(Duration::secs(1));
        world.bench.edit::<Node>("", "node-1", |node| {
            edit(&mut Arc::make_mut(&mut node.metadata).labels);
        });
        world.run(Duration::secs(1));
        world
    }

    fn label(world: &World, name: &str) -> String {
        world.node("node-1").metadata.labels.text(name).unwrap_or("-").to_owned()
    }

    #[test]
    fn labels_that_contradict_their_deprecated_forms_are_put_right_at_once() {
        let world = labelled_world(|labels| {
            labels.insert("topology.kubernetes.io/zone", "elsewhere".into());
            labels.insert("topology.kubernetes.io/region", "elsewhere".into());
            labels.remove("node.kubernetes.io/instance-type");
        });
        assert_eq!(label(&world, "topology.kubernetes.io/zone"), "us-east-1a");
        assert_eq!(label(&world, "topology.kubernetes.io/region"), "us-east-1");
        assert_eq!(label(&world, "node.kubernetes.io/instance-type"), "c5.xlarge");
    }

    #[test]
    fn the_deprecated_form_of_a_label_is_what_counts() {
        let mut world = labelled_world(|labels| {
            labels.insert("failure-domain.beta.kubernetes.io/zone", "elsewhere".into());
            labels.remove("beta.kubernetes.io/instance-type");
        });
        world.run(Duration::mins(10));
        assert_eq!(label(&world, "topology.kubernetes.io/zone"), "elsewhere");
        assert_eq!(label(&world, "node.kubernetes.io/instance-type"), "c5.xlarge");
        assert_eq!(label(&world, "beta.kubernetes.io/instance-type"), "-", "it is told only once");
    }

    #[test]
    fn labels_of_the_providers_own_are_put_right_within_five_minutes() {
        let zone_id = "topology.k8s.aws/zone-id";
        let mut world = labelled_world(|labels| {
            labels.insert(zone_id, "elsewhere".into());
        });
        assert_eq!(label(&world, zone_id), "elsewhere");
        world.run(Duration::mins(5));
        assert_eq!(label(&world, zone_id), "use1-az1");
    }
}
