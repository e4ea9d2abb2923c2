//! Queueing hints: which changes may let which waiting pods through.
//!
//! Models the plugins' EventsToRegister and their hints. Known deviations:
//! - As observed on a real cluster, new taints or cordons of a node bring back pods that any plugin
//!   turned away, save those that lack a label for spreading; upstream's sources promise fewer
//!   retries.
//! - Coarser than upstream: a new node or new labels bring back all pods that InterPodAffinity
//!   turned away, whatever their topology keys; a new node, all that NodeVolumeLimits did; a pod
//!   with volumes that goes, all that VolumeRestrictions or NodeVolumeLimits did; volumes, storage
//!   classes, CSI nodes, drivers and capacities, all that their plugins did; a namespace's labels,
//!   all that InterPodAffinity did.

use api::Map;
use api::core::v1::{Node, Pod};
use api::node_fit::tolerates;
use api::object::Key;
use base::Str;
use client::resources::Resources;

use crate::cache::NodeChange;
use crate::needs::{Needs, Term, Terms};
use crate::plugins::{Plugins, node_affinity, set_of};
use crate::queue::Waiting;
use crate::volumes;

/// A change that may make a pod schedulable.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// A node was added or changed, with what it offers.
    Node(&'a Node, NodeChange, &'a Offers),
    /// A node went.
    NodeGone,
    /// A pod was placed on a node, or its labels changed there.
    PodPlaced(&'a Pod),
    /// A pod went from its node, with its pod affinity.
    PodGone(&'a Pod, &'a Terms),
    /// A claim was added or changed.
    Claim(&'a Key),
    /// Something else was added or changed that these volume plugins look at.
    Volumes(&'static [&'static str]),
    /// A namespace came, went, or has other labels.
    Namespaces,
}

/// What a node offers, and what it offered before it changed.
#[derive(Clone, Debug, Default)]
pub struct Offers {
    now: Offer,
    before: Option<Offer>,
}

#[derive(Clone, Debug, Default)]
struct Offer {
    resources: Resources,
    pods: i64,
}

impl Offers {
    /// The offers of a node as it is and as it was, if it was there.
    pub fn new(now: &Node, before: Option<&Node>) -> Offers {
        let offer = |node: &Node| Offer {
            resources: Resources::of(&node.status.allocatable),
            pods: node.status.allocatable.get("pods").map_or(0, |q| q.value()),
        };
        Offers { now: offer(now), before: before.map(offer) }
    }

    /// Whether the node, were it empty, has room for a pod, and more than before of what it asks
    /// for.
    fn help(&self, needs: &Needs) -> bool {
        let asked = &needs.requests;
        let (now, before) = (&self.now, self.before.as_ref());
        let scalars = asked.scalars.iter().map(|(name, amount)| (name.as_str(), *amount));
        let amounts = [
            ("cpu", asked.cpu),
            ("memory", asked.memory),
            ("ephemeral-storage", asked.ephemeral_storage),
        ];
        let asked = || amounts.into_iter().chain(scalars.clone()).filter(|(_, amount)| *amount > 0);
        let fits = now.pods >= 1 && asked().all(|(name, n)| n <= now.resources.get(name));
        let grew = |before: &Offer| {
            let more = |(name, _)| now.resources.get(name) > before.resources.get(name);
            now.pods > before.pods || asked().any(more)
        };
        fits && before.is_none_or(grew)
    }
}

const VOLUME_PLUGINS: [&str; 4] =
    ["VolumeRestrictions", "NodeVolumeLimits", "VolumeBinding", "VolumeZone"];

impl Change<'_> {
    /// The plugins whose verdicts it may change.
    pub fn plugins(&self) -> Plugins {
        match self {
            Change::Node(_, change, _) if change.added || change.taints || change.labels => {
                Plugins::MAX
            }
            Change::Node(_, change, _) if change.allocatable => set_of(&["NodeResourcesFit"]),
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
            Change::Claim(_) => set_of(&VOLUME_PLUGINS),
            Change::Volumes(plugins) => set_of(plugins),
            Change::Namespaces => set_of(&["InterPodAffinity"]),
        }
    }

    /// Whether it may help a pod that some of these plugins turned away.
    pub fn may_help(&self, waiting: &Waiting) -> bool {
        let by = waiting.rejected_by & self.plugins();
        let Some(needs) = &waiting.needs else { return true };
        let by_any = |names: &[&str]| by & set_of(names) != 0;
        match self {
            Change::Node(node, change, offers) => node_may_help(by, needs, node, *change, offers),
            Change::PodPlaced(pod) => {
                (by_any(&["InterPodAffinity"]) && is_companion(waiting, needs, pod))
                    || (by_any(&["PodTopologySpread"]) && spread_means(waiting, pod))
            }
            Change::PodGone(pod, terms) => {
                by_any(&["NodeResourcesFit"])
                    || (by_any(&["VolumeRestrictions", "NodeVolumeLimits"])
                        && pod.spec.volumes.iter().any(volumes::matters))
                    || (by_any(&["NodePorts"]) && shares_port(needs, pod))
                    || (by_any(&["InterPodAffinity"])
                        && affinity_between(waiting, needs, pod, terms))
                    || (by_any(&["PodTopologySpread"]) && spread_means(waiting, pod))
            }
            Change::Claim(claim) => {
                let own = Key::of(&waiting.pod.metadata);
                volumes::claims_of(&own, &needs.spec).any(|key| key == **claim)
            }
            Change::NodeGone | Change::Volumes(_) | Change::Namespaces => true,
        }
    }
}

/// Whether a new or changed node may help a pod that the plugins `by` turned away.
fn node_may_help(
    by: Plugins,
    needs: &Needs,
    node: &Node,
    change: NodeChange,
    offers: &Offers,
) -> bool {
    let (spread, fit) = (set_of(&["PodTopologySpread"]), set_of(&["NodeResourcesFit"]));
    let (taints, affinity) =
        (set_of(&["TaintToleration", "NodeUnschedulable"]), set_of(&["NodeAffinity"]));
    let labels = &node.metadata.labels;
    let tainted_anew = change.taints && !change.added;
    if tainted_anew && by & !spread != 0 {
        return by & !taints != 0 || tolerated(needs, node);
    }
    let (shown_anew, offers_anew) =
        (change.added || change.labels, change.added || change.allocatable);
    let others = by & !(spread | fit | taints | affinity);
    let seeing_labels = others & set_of(&["InterPodAffinity", "VolumeBinding", "VolumeZone"]);
    (others != 0 && change.added)
        || (seeing_labels != 0 && shown_anew)
        || (by & spread != 0 && (shown_anew || tainted_anew) && has_spread_labels(needs, labels))
        || (by & affinity != 0
            && shown_anew
            && node_affinity::required(needs, labels, &node.metadata.name))
        || (by & taints != 0 && change.added && tolerated(needs, node))
        || (by & fit != 0 && offers_anew && offers.help(needs))
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

    /// Whether a node that comes or changes lets a pod be tried again.
    fn check_node(pod: &str, by: &str, before: &str, after: &str, expect: bool) {
        let after = node(after);
        let before = (!before.is_empty()).then(|| node(before));
        let mut cache = crate::cache::Cache::default();
        if let Some(node) = &before {
            cache.set_node(Arc::new(node.clone()));
        }
        let change = cache.set_node(Arc::new(after.clone()));
        let offers = Offers::new(&after, before.as_ref());
        check(pod, by, &Change::Node(&after, change, &offers), expect);
    }

    #[test]
    fn a_new_node_helps_only_pods_that_it_takes() {
        check_node("p", "TaintToleration", "", "a disk=ssd", true);
        check_node("p", "TaintToleration", "", "b taint=x:NoSchedule", false);
    }

    #[test]
    fn a_new_node_helps_pods_that_would_fit_if_it_were_empty() {
        check_node("p cpu=2", "NodeResourcesFit", "", "a cpu=2", true);
        check_node("p cpu=2", "NodeResourcesFit", "", "a cpu=1", false);
        check_node("p cpu=2", "NodeResourcesFit", "", "a cpu=4 pods=0", false);
        check_node("p cpu=1 gpu/x=1", "NodeResourcesFit", "", "a cpu=4", false);
        check_node("p cpu=1 gpu/x=1", "NodeResourcesFit", "", "a cpu=4 gpu/x=1", true);
    }

    #[test]
    fn a_node_that_offers_more_helps_pods_that_ask_for_that() {
        let fit = "NodeResourcesFit";
        check_node("p cpu=2", fit, "a cpu=2 memory=1Gi", "a cpu=4 memory=1Gi", true);
        check_node("p cpu=2", fit, "a cpu=2 memory=1Gi", "a cpu=2 memory=4Gi", false);
        check_node("p cpu=2", fit, "a cpu=4", "a cpu=3", false);
        check_node("p cpu=2", fit, "a cpu=4 pods=1", "a cpu=4 pods=2", true);
        check_node("p cpu=8", fit, "a cpu=2", "a cpu=4", false);
    }

    #[test]
    fn new_labels_help_pods_that_select_them_and_not_those_that_lack_room() {
        let selective = r#"p | {"nodeSelector":{"disk":"ssd"}}"#;
        check_node(selective, "NodeAffinity", "a", "a disk=ssd", true);
        check_node(selective, "NodeAffinity", "a", "a disk=hdd", false);
        check_node("p cpu=1", "NodeResourcesFit", "a cpu=4", "a cpu=4 disk=ssd", false);
        check_node("p", "TaintToleration", "a", "a disk=ssd", false);
    }

    #[test]
    fn new_labels_help_those_that_look_for_volumes_or_company_and_not_those_that_want_a_port() {
        for by in ["InterPodAffinity", "VolumeBinding", "VolumeZone"] {
            check_node("p", by, "a", "a zone=x", true);
        }
        for by in ["NodePorts", "VolumeRestrictions", "NodeVolumeLimits"] {
            check_node("p", by, "a", "a zone=x", false);
            check_node("p", by, "", "a zone=x", true);
        }
    }

    #[test]
    fn a_taint_that_goes_helps_all_but_those_that_do_not_tolerate_the_rest() {
        let before = "a cpu=1 taint=x:NoSchedule taint=y:NoSchedule";
        check_node("p", "TaintToleration", before, "a cpu=1", true);
        check_node("p", "TaintToleration", before, "a cpu=1 taint=y:NoSchedule", false);
        check_node("p cpu=2", "NodeResourcesFit", before, "a cpu=1", true);
    }

    #[test]
    fn images_help_nobody() {
        check_node("p", "NodeResourcesFit", "a", "a image=nginx:1=5", false);
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
    fn a_pod_with_volumes_that_goes_helps_those_that_lacked_room_for_theirs() {
        let gone = |text: &str| {
            let gone = pod(text);
            let change = Change::PodGone(&gone, &Terms::default());
            let expect = text.contains("volumes");
            check("p", "NodeVolumeLimits", &change, expect);
            check("p", "VolumeRestrictions", &change, expect);
        };
        gone(r#"x on=a | {"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}}]}"#);
        gone("x on=a");
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
    fn a_claim_helps_the_pods_that_use_it() {
        let pod = r#"p | {"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}},
            {"name":"own","ephemeral":{"volumeClaimTemplate":{"spec":{}}}}]}"#;
        let claim = |namespace: &str, name: &str, expect: bool| {
            let key = Key::new(namespace, name);
            check(pod, "VolumeBinding", &Change::Claim(&key), expect);
        };
        claim("default", "c", true);
        claim("default", "p-own", true);
        claim("default", "other", false);
        claim("kube-system", "c", false);
    }

    #[test]
    fn volumes_help_those_that_wait_for_volumes() {
        let change = Change::Volumes(&["VolumeBinding", "VolumeZone"]);
        check("p", "VolumeBinding", &change, true);
        check("p", "NodeVolumeLimits", &change, false);
        check("p", "NodeResourcesFit", &change, false);
    }
}
