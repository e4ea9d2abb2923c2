//! Queueing hints: which changes may let which waiting pods through.
//!
//! Models the plugins' EventsToRegister and their hints. Known deviations:
//! - As observed on a real cluster, new taints or cordons of a node bring back pods that any plugin
//!   turned away, save those that lack a label for spreading; upstream's sources promise fewer
//!   retries.

use api::Map;
use api::core::v1::{Node, Pod};
use base::Str;

use crate::cache::NodeChange;
use crate::needs::{Needs, Term, Terms};
use crate::plugins::taint_toleration::tolerates;
use crate::plugins::{Plugins, node_affinity, set_of};
use crate::queue::Waiting;

/// A change that may make a pod schedulable.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// A node was added or changed.
    Node(&'a Node, NodeChange),
    /// A node went.
    NodeGone,
    /// A pod was placed on a node, or its labels changed there.
    PodPlaced(&'a Pod),
    /// A pod went from its node, with its pod affinity.
    PodGone(&'a Pod, &'a Terms),
    /// Claims, volumes, storage classes or CSI nodes changed.
    Volumes,
    /// Namespaces changed.
    Namespaces,
}

const VOLUME_PLUGINS: [&str; 4] =
    ["VolumeRestrictions", "NodeVolumeLimits", "VolumeBinding", "VolumeZone"];

impl Change<'_> {
    /// The plugins whose verdicts it may change.
    pub fn plugins(&self) -> Plugins {
        match self {
            Change::Node(_, change) if change.added || change.taints || change.labels => {
                Plugins::MAX
            }
            Change::Node(_, change) if change.allocatable => set_of(&["NodeResourcesFit"]),
            Change::Node(..) => 0,
            Change::NodeGone => set_of(&["PodTopologySpread"]),
            Change::PodPlaced(_) => set_of(&["InterPodAffinity", "PodTopologySpread"]),
            Change::PodGone(..) => set_of(&[
                "NodeResourcesFit",
                "NodePorts",
                "InterPodAffinity",
                "PodTopologySpread",
                "VolumeRestrictions",
                "NodeVolumeLimits",
            ]),
            Change::Volumes => set_of(&VOLUME_PLUGINS),
            Change::Namespaces => set_of(&["InterPodAffinity"]),
        }
    }

    /// Whether it may help a pod that some of these plugins turned away.
    pub fn may_help(&self, waiting: &Waiting) -> bool {
        let by = waiting.rejected_by & self.plugins();
        let Some(needs) = &waiting.needs else { return true };
        let by_any = |names: &[&str]| by & set_of(names) != 0;
        match self {
            Change::Node(node, change) => {
                let spread = set_of(&["PodTopologySpread"]);
                let labels = &node.metadata.labels;
                if by & !spread == 0 {
                    return (change.added || change.labels || change.taints)
                        && has_spread_labels(needs, labels);
                }
                let only_taints = by & !set_of(&["TaintToleration", "NodeUnschedulable"]) == 0;
                if only_taints {
                    return tolerated(needs, node);
                }
                let only_affinity = by & !set_of(&["NodeAffinity"]) == 0;
                if only_affinity && !change.taints {
                    return node_affinity::required(needs, labels, &node.metadata.name);
                }
                true
            }
            Change::PodPlaced(pod) => {
                (by_any(&["InterPodAffinity"]) && is_companion(waiting, needs, pod))
                    || (by_any(&["PodTopologySpread"]) && spread_means(waiting, pod))
            }
            Change::PodGone(pod, terms) => {
                by_any(&["NodeResourcesFit", "VolumeRestrictions", "NodeVolumeLimits"])
                    || (by_any(&["NodePorts"]) && shares_port(needs, pod))
                    || (by_any(&["InterPodAffinity"])
                        && affinity_between(waiting, needs, pod, terms))
                    || (by_any(&["PodTopologySpread"]) && spread_means(waiting, pod))
            }
            Change::NodeGone | Change::Volumes | Change::Namespaces => true,
        }
    }
}

fn has_spread_labels(needs: &Needs, labels: &Map<Str>) -> bool {
    let constraints = &needs.spec.topology_spread_constraints;
    constraints
        .iter()
        .filter(|c| c.when_unsatisfiable == "DoNotSchedule")
        .all(|c| labels.contains_key(&c.topology_key))
}

fn tolerated(needs: &Needs, node: &Node) -> bool {
    let hard = node.spec.taints.iter().filter(|t| t.effect != "PreferNoSchedule");
    let cordon = api::core::v1::Taint {
        key: base::lit!("node.kubernetes.io/unschedulable"),
        effect: base::lit!("NoSchedule"),
        ..Default::default()
    };
    let cordon = node.spec.unschedulable.then_some(&cordon);
    hard.chain(cordon).all(|taint| needs.tolerations().iter().any(|t| tolerates(t, taint)))
}

fn shares_port(needs: &Needs, pod: &Pod) -> bool {
    let ports = pod.spec.containers.iter().flat_map(|c| &c.ports);
    ports.filter(|p| p.host_port > 0).any(|p| needs.ports.iter().any(|own| own.2 == p.host_port))
}

/// Whether hard spreading of the waiting pod counts the other one.
fn spread_means(waiting: &Waiting, other: &Pod) -> bool {
    waiting.pod.metadata.namespace == other.metadata.namespace
        && waiting.pod.spec.topology_spread_constraints.iter().any(|c| {
            let selector = c.label_selector.as_deref().map(api::selector::Selector::of);
            selector
                .is_some_and(|s| s.is_ok_and(|s| s.matches(|key| other.metadata.labels.text(key))))
        })
}

/// Whether all affinity terms of the waiting pod mean the other one.
fn is_companion(waiting: &Waiting, needs: &Needs, other: &Pod) -> bool {
    let terms = needs.terms_for(&waiting.pod.metadata.labels);
    !terms.affinity.is_empty() && terms.affinity.iter().all(|t| means(t, &waiting.pod, other))
}

/// Whether anti-affinity of one of the two means the other.
fn affinity_between(waiting: &Waiting, needs: &Needs, other: &Pod, others: &Terms) -> bool {
    let own = needs.terms_for(&waiting.pod.metadata.labels);
    own.anti_affinity.iter().any(|term| means(term, &waiting.pod, other))
        || others.anti_affinity.iter().any(|term| means(term, other, &waiting.pod))
}

/// Whether a term of `owner` means `pod`. Namespaces by label are taken to match: the cycle looks
/// closer.
fn means(term: &Term, owner: &Pod, pod: &Pod) -> bool {
    let (namespace, labels) = (&pod.metadata.namespace, &pod.metadata.labels);
    if term.namespace_selector.is_some() {
        return term.selector.matches(|key| labels.text(key));
    }
    term.matches(&owner.metadata.namespace, namespace, None, labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Queue;
    use crate::testing::{node, pod};
    use api::wire::Trigger;
    use base::Instant;
    use std::sync::Arc;

    /// Whether a change lets a pod be tried again that a plugin turned away.
    fn check(text: &str, by: &str, change: &Change<'_>, expect: bool) {
        let mut queue = Queue::default();
        let pod = Arc::new(pod(text));
        queue.add(Instant::START, pod.clone(), Trigger::Timer);
        let (key, _) = queue.pop().expect("active");
        let needs = Some(Arc::new(Needs::of(pod.spec.shared())));
        queue.turn_away(Instant::START, &key, set_of(&[by]), needs);
        queue.changed(Instant::START, change);
        assert_eq!(queue.lengths().2 == 0, expect, "{text} after {by}");
    }

    const ADDED: NodeChange =
        NodeChange { added: true, labels: true, taints: true, allocatable: true, images: true };

    #[test]
    fn a_new_node_helps_only_pods_that_it_takes() {
        let (open, closed) = (node("a disk=ssd"), node("b taint=x:NoSchedule"));
        check("p", "TaintToleration", &Change::Node(&open, ADDED), true);
        check("p", "TaintToleration", &Change::Node(&closed, ADDED), false);
        check("p", "NodeResourcesFit", &Change::Node(&open, ADDED), true);
    }

    #[test]
    fn new_labels_help_pods_that_select_them() {
        let labels = NodeChange { labels: true, ..NodeChange::default() };
        let selective = r#"p | {"nodeSelector":{"disk":"ssd"}}"#;
        check(selective, "NodeAffinity", &Change::Node(&node("a disk=ssd"), labels), true);
        check(selective, "NodeAffinity", &Change::Node(&node("a disk=hdd"), labels), false);
    }

    #[test]
    fn images_help_nobody() {
        let images = NodeChange { images: true, ..NodeChange::default() };
        check("p", "NodeResourcesFit", &Change::Node(&node("a"), images), false);
    }

    #[test]
    fn a_pod_that_goes_helps_where_its_port_or_its_room_was_wanted() {
        let gone = pod("x on=a port=80");
        check("p port=80", "NodePorts", &Change::PodGone(&gone, &Terms::default()), true);
        check("p port=81", "NodePorts", &Change::PodGone(&gone, &Terms::default()), false);
        check("p cpu=1", "NodeResourcesFit", &Change::PodGone(&gone, &Terms::default()), true);
        check("p", "NodeAffinity", &Change::PodGone(&gone, &Terms::default()), false);
    }

    #[test]
    fn a_placed_pod_helps_those_that_look_for_its_company() {
        let near = r#"p | {"affinity":{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":
            [{"labelSelector":{"matchLabels":{"app":"db"}},"topologyKey":"zone"}]}}}"#;
        check(near, "InterPodAffinity", &Change::PodPlaced(&pod("x on=a app=db")), true);
        check(near, "InterPodAffinity", &Change::PodPlaced(&pod("x on=a app=web")), false);
        check(near, "InterPodAffinity", &Change::PodPlaced(&pod("x on=a app=db ns=other")), false);
    }

    #[test]
    fn volumes_help_those_that_wait_for_volumes() {
        check("p", "VolumeBinding", &Change::Volumes, true);
        check("p", "NodeResourcesFit", &Change::Volumes, false);
    }
}
