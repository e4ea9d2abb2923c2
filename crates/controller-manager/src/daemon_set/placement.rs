//! Which node a DaemonSet's pod is for, and whether the node should have one.

use api::apps::v1::DaemonSet;
use api::core::v1::{Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod};
use api::node_fit;
use base::{Str, list, lit};

use super::tolerated;

const NAME_FIELD: &str = "metadata.name";

/// Whether the node should run a pod of the set, and whether one that is there may stay.
pub fn verdict(set: &DaemonSet, node: &Node) -> (bool, bool) {
    let spec = &set.spec.template.spec;
    let named = spec.node_name.is_empty() || spec.node_name == node.metadata.name;
    if !named || !node_fit::fits_affinity(spec, node) {
        return (false, false);
    }
    if tolerated(set, node, &["NoSchedule", "NoExecute"]) {
        return (true, true);
    }
    (false, tolerated(set, node, &["NoExecute"]))
}

/// The pod, meant for one node: the scheduler binds it there.
pub fn bound_to(mut pod: Pod, node: &Str) -> Pod {
    let rule = NodeSelectorRequirement {
        key: NAME_FIELD.into(),
        operator: lit!("In"),
        values: list![node.clone()],
    };
    let affinity = pod.spec.edit().affinity.get_or_insert_default();
    let affinity = affinity.node_affinity.get_or_insert_default();
    let required = affinity
        .required_during_scheduling_ignored_during_execution
        .get_or_insert_with(|| Box::new(NodeSelector { node_selector_terms: list![] }));
    let term = NodeSelectorTerm { match_fields: list![rule], ..NodeSelectorTerm::default() };
    required.node_selector_terms = list![term];
    pod
}

/// The node that the pod runs on or is meant for; empty if it is meant for none.
pub fn node_of(pod: &Pod) -> Str {
    if !pod.spec.node_name.is_empty() {
        return pod.spec.node_name.clone();
    }
    let affinity = pod.spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity
        .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    let fields = required
        .into_iter()
        .flat_map(|selector| &selector.node_selector_terms)
        .flat_map(|term| &term.match_fields);
    let named = fields.into_iter().find(|rule| rule.key == NAME_FIELD && rule.values.len() == 1);
    named.map(|rule| rule.values[0].clone()).unwrap_or_default()
}
