//! PodTopologySpread: keeps the pods of a group evenly spread over zones, nodes or other domains.
//!
//! Pods without constraints of their own are spread by the system defaults: over hostnames with a
//! skew of 3 and over zones with a skew of 5, as far as that costs nothing else.

use std::sync::Arc;

use api::Map;
use api::core::v1::TopologySpreadConstraint;
use api::node_fit::tolerates;
use api::selector::{Operator, Requirement, Selector};
use base::{HashMap, Str, lit};

use super::{Incoming, Plugin, Prepared, SCORE_MAX, Scope, State, Verdict, node};
use crate::cache::{Cache, ClassId, Move, NodeId};
use crate::plugins::node_affinity;
use crate::topology::Tally;

/// The plugin, with the constraints of pods that have none of their own.
pub struct PodTopologySpread {
    /// Label keys and skews; pods of Services and controllers are counted.
    pub defaults: Vec<(Str, i64)>,
}

impl Default for PodTopologySpread {
    /// The system defaults.
    fn default() -> PodTopologySpread {
        PodTopologySpread {
            defaults: vec![
                (lit!("kubernetes.io/hostname"), 3),
                (lit!("topology.kubernetes.io/zone"), 5),
            ],
        }
    }
}

/// What it says of a node that would make the spread too uneven.
pub const REASON: &str = "node(s) didn't match pod topology spread constraints";
/// What it says of a node without the label.
pub const REASON_NO_LABEL: &str =
    "node(s) didn't match pod topology spread constraints (missing required label)";

const HOSTNAME: &str = "kubernetes.io/hostname";

/// A constraint made ready.
#[derive(Clone, Debug)]
struct Constraint {
    max_skew: i64,
    topology_key: Str,
    selector: Selector,
    min_domains: i64,
    honor_affinity: bool,
    honor_taints: bool,
}

/// A constraint and the pods that it counts.
#[derive(Clone, Debug)]
struct Counter {
    constraint: Constraint,
    /// Pods on nodes that count, by domain.
    tally: Tally,
    /// Which nodes count: those where the pod itself could go, as far as the constraint wants that.
    counted: Vec<bool>,
    /// Which domains have such a node, and how many have.
    present: Vec<bool>,
    present_count: usize,
    /// Pods on each node; only where scores need them.
    per_node: Vec<i64>,
    /// 1 if the incoming pod counts too.
    own: i64,
    /// The least count of all domains; for filtering.
    least: i64,
    /// How much a count weighs; for scoring.
    weight: f64,
}

/// What is counted for a class of incoming pods, followed from cycle to cycle.
#[derive(Clone, Debug)]
pub struct SpreadState {
    topology: u64,
    seen: u64,
    source: Option<Arc<Selector>>,
    namespace: Str,
    hard: Vec<Counter>,
    soft: Vec<Counter>,
    /// The soft constraints are the defaults, for which nodes need not have all labels.
    lenient: bool,
    /// Which counters count the pods of a class, a bit for each, hard ones first.
    means: HashMap<ClassId, u64>,
    /// Nodes that lack a label of the soft constraints and score nothing.
    ignored: Vec<bool>,
}

impl Plugin for PodTopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn pre_filter(&self, pod: &Incoming, cache: &Cache, state: &mut State) -> Prepared {
        if !self.update(pod, cache, state) {
            return Prepared::Skip;
        }
        let Some(spread) = &mut state.spread else { return Prepared::Skip };
        if spread.hard.is_empty() {
            return Prepared::Skip;
        }
        spread.find_least();
        Prepared::Run
    }

    fn filter(&self, _: &Incoming, _: &Cache, id: NodeId, state: &State) -> Verdict {
        let Some(spread) = &state.spread else { return Verdict::Pass };
        for counter in &spread.hard {
            let Some(here) = counter.tally.at(id) else {
                return Verdict::unresolvable(REASON_NO_LABEL);
            };
            if here + counter.own - counter.least > counter.constraint.max_skew {
                return Verdict::unschedulable(REASON);
            }
        }
        Verdict::Pass
    }

    fn pre_score(
        &self,
        pod: &Incoming,
        cache: &Cache,
        nodes: &[NodeId],
        state: &mut State,
    ) -> bool {
        if !self.update(pod, cache, state) {
            return false;
        }
        let Some(spread) = &mut state.spread else { return false };
        if spread.soft.is_empty() {
            return false;
        }
        spread.weigh(nodes);
        true
    }

    fn score(&self, _: &Incoming, _: &Cache, id: NodeId, state: &State) -> i64 {
        let Some(spread) = &state.spread else { return 0 };
        if spread.ignored.get(id as usize) == Some(&true) {
            return 0;
        }
        let mut score = 0.0;
        for counter in &spread.soft {
            let Some(count) = counter.tally.at(id) else { continue };
            let count = if counter.per_node.is_empty() {
                count
            } else {
                counter.per_node.get(id as usize).copied().unwrap_or(0)
            };
            score += count as f64 * counter.weight + (counter.constraint.max_skew - 1) as f64;
        }
        score.round() as i64
    }

    fn normalize(&self, nodes: &[NodeId], scores: &mut [i64], state: &State) {
        let Some(spread) = &state.spread else { return };
        let ignored = |id: &NodeId| spread.ignored.get(*id as usize) == Some(&true);
        let counted =
            || nodes.iter().zip(scores.iter()).filter(|(id, _)| !ignored(id)).map(|(_, s)| *s);
        let (least, most) = (counted().min().unwrap_or(0), counted().max().unwrap_or(0));
        for (id, score) in nodes.iter().zip(scores.iter_mut()) {
            *score = match most {
                _ if ignored(id) => 0,
                0 => SCORE_MAX,
                _ => SCORE_MAX * (most + least - *score) / most,
            };
        }
    }
}

impl PodTopologySpread {
    /// Brings the state of a class up to date; false if there is nothing to count.
    fn update(&self, pod: &Incoming, cache: &Cache, state: &mut State) -> bool {
        let own = &pod.needs.spec.topology_spread_constraints;
        if own.is_empty() && (pod.spread.is_none() || self.defaults.is_empty()) {
            state.spread = None;
            return false;
        }
        let known = state.spread.as_mut().is_some_and(|spread| {
            spread.topology == cache.topology && spread.source == pod.spread && spread.follow(cache)
        });
        if !known {
            state.spread = Some(self.count(pod, cache));
        }
        true
    }

    fn count(&self, pod: &Incoming, cache: &Cache) -> SpreadState {
        let own = &pod.needs.spec.topology_spread_constraints;
        let of = |when: &str| -> Vec<Constraint> {
            let list = own.iter().filter(|c| c.when_unsatisfiable == when);
            list.map(|c| Constraint::of(c, pod.labels())).collect()
        };
        let (hard, mut soft) = (of("DoNotSchedule"), of("ScheduleAnyway"));
        if own.is_empty()
            && let Some(selector) = &pod.spread
        {
            let default = |(key, skew): &(Str, i64)| Constraint {
                max_skew: *skew,
                topology_key: key.clone(),
                selector: (**selector).clone(),
                min_domains: 1,
                honor_affinity: true,
                honor_taints: false,
            };
            soft = self.defaults.iter().map(default).collect();
        }
        let lenient = own.is_empty();
        let mut state = SpreadState {
            topology: cache.topology,
            seen: cache.moves_end(),
            source: pod.spread.clone(),
            namespace: pod.namespace().clone(),
            hard: counters(hard, pod, cache, true, false),
            soft: counters(soft, pod, cache, !lenient, true),
            lenient,
            means: HashMap::default(),
            ignored: Vec::new(),
        };
        for (id, class) in cache.classes.iter().enumerate() {
            if class.on_node.is_empty() {
                continue;
            }
            let means = state.meaning(cache, id as ClassId);
            for (node, (_, live)) in &class.on_node {
                state.add(means, *node, i64::from(*live));
            }
        }
        state
    }
}

fn counters(
    constraints: Vec<Constraint>,
    pod: &Incoming,
    cache: &Cache,
    all_labels: bool,
    for_scores: bool,
) -> Vec<Counter> {
    let domains: Vec<_> = constraints.iter().map(|c| cache.domains_of(&c.topology_key)).collect();
    let has_labels = |id: NodeId| !all_labels || domains.iter().all(|d| d.of(id).is_some());
    let counter = |(constraint, domains): (Constraint, &Arc<crate::topology::Domains>)| {
        let mut counted = vec![false; cache.nodes.len()];
        let mut present = vec![false; domains.count];
        for id in &cache.order {
            if has_labels(*id) && constraint.counts(pod, cache, *id) {
                counted[*id as usize] = true;
                if let Some(domain) = domains.of(*id) {
                    present[domain] = true;
                }
            }
        }
        let per_node = for_scores && constraint.topology_key == HOSTNAME;
        Counter {
            own: i64::from(constraint.selector.matches(|key| pod.labels().text(key))),
            tally: Tally::new(domains.clone()),
            counted,
            present_count: present.iter().filter(|p| **p).count(),
            present,
            per_node: if per_node { vec![0; cache.nodes.len()] } else { Vec::new() },
            least: 0,
            weight: 0.0,
            constraint,
        }
    };
    constraints.into_iter().zip(&domains).map(counter).collect()
}

impl Constraint {
    fn of(constraint: &TopologySpreadConstraint, labels: &Map<Str>) -> Constraint {
        let mut selector =
            constraint.label_selector.as_deref().map_or_else(Selector::nothing, |s| {
                Selector::of(s).unwrap_or_else(|_| Selector::nothing())
            });
        for key in &constraint.match_label_keys {
            if let Some(value) = labels.get(key)
                && let Ok(requirement) =
                    Requirement::new(key.clone(), Operator::In, vec![value.clone()])
            {
                selector = selector.and(requirement);
            }
        }
        Constraint {
            max_skew: i64::from(constraint.max_skew),
            topology_key: constraint.topology_key.clone(),
            selector,
            min_domains: constraint.min_domains.map_or(1, i64::from),
            honor_affinity: constraint.node_affinity_policy.as_deref() != Some("Ignore"),
            honor_taints: constraint.node_taints_policy.as_deref() == Some("Honor"),
        }
    }

    /// Whether a node's pods count: the pod itself must be able to go there.
    fn counts(&self, pod: &Incoming, cache: &Cache, id: NodeId) -> bool {
        let info = node(cache, id);
        let Some(object) = &info.node else { return false };
        if self.honor_affinity
            && !node_affinity::required(&pod.needs, &object.metadata.labels, &info.name)
        {
            return false;
        }
        let tolerated = || {
            object.spec.taints.iter().all(|taint| {
                !matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
                    || pod.needs.tolerations().iter().any(|t| tolerates(t, taint))
            })
        };
        !self.honor_taints || tolerated()
    }
}

impl SpreadState {
    /// Takes in what moved since; false if that is not known any more.
    pub fn follow(&mut self, cache: &Cache) -> bool {
        let Some(moves) = cache.moves_since(self.seen) else { return false };
        for Move { class, node, live, .. } in moves {
            if *live != 0 {
                let means = self.meaning(cache, *class);
                self.add(means, *node, *live);
            }
        }
        self.seen = cache.moves_end();
        self.find_least();
        true
    }

    fn meaning(&mut self, cache: &Cache, id: ClassId) -> u64 {
        if let Some(means) = self.means.get(&id) {
            return *means;
        }
        let class = &cache.classes[id as usize];
        let mut means = 0;
        if class.namespace == self.namespace {
            for (bit, counter) in self.hard.iter().chain(&self.soft).enumerate().take(64) {
                if counter.constraint.selector.matches(|key| class.labels.text(key)) {
                    means |= 1 << bit;
                }
            }
        }
        self.means.insert(id, means);
        means
    }

    fn add(&mut self, means: u64, node: NodeId, by: i64) {
        if means == 0 {
            return;
        }
        for (bit, counter) in self.hard.iter_mut().chain(&mut self.soft).enumerate().take(64) {
            if means & (1 << bit) == 0 {
                continue;
            }
            if counter.counted.get(node as usize) == Some(&true) {
                counter.tally.add(node, by);
            }
            if let Some(count) = counter.per_node.get_mut(node as usize) {
                *count += by;
            }
        }
    }

    /// The least count of each hard constraint; zero while there are too few domains.
    fn find_least(&mut self) {
        for counter in &mut self.hard {
            let counts = counter.tally.counts.iter().zip(&counter.present);
            let least = counts.filter(|(_, present)| **present).map(|(count, _)| *count).min();
            let few = (counter.present_count as i64) < counter.constraint.min_domains;
            counter.least = if few { 0 } else { least.unwrap_or(i64::from(i32::MAX)) };
        }
    }

    /// How much each soft constraint weighs among the feasible nodes: the more domains, the more.
    fn weigh(&mut self, nodes: &[NodeId]) {
        self.ignored.clear();
        let mut ignored_count = 0;
        if !self.lenient {
            for id in nodes {
                if self.soft.iter().any(|counter| counter.tally.domains.of(*id).is_none()) {
                    self.ignored.resize(self.ignored.len().max(*id as usize + 1), false);
                    self.ignored[*id as usize] = true;
                    ignored_count += 1;
                }
            }
        }
        for counter in &mut self.soft {
            let domains = &counter.tally.domains;
            let size = if counter.constraint.topology_key == HOSTNAME {
                nodes.len() - ignored_count
            } else {
                // Nodes without the label are one domain together.
                let mut seen = vec![false; domains.count + 1];
                for id in nodes {
                    if self.ignored.get(*id as usize) != Some(&true) {
                        seen[domains.of(*id).unwrap_or(domains.count)] = true;
                    }
                }
                seen.iter().filter(|seen| **seen).count()
            };
            counter.weight = (size as f64 + 2.0).ln();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PodTopologySpread;
    use crate::plugins::Incoming;
    use crate::testing::{cluster, pod, scores, scores_for, verdicts};
    use api::selector::Selector;
    use std::sync::Arc;

    const NODES: [&str; 4] = ["a zone=x", "b zone=x", "c zone=y", "d"];

    fn constraint(key: &str, skew: i32, when: &str, more: &str) -> String {
        format!(
            r#"{{"maxSkew":{skew},"topologyKey":"{key}","whenUnsatisfiable":"{when}",
               "labelSelector":{{"matchLabels":{{"app":"w"}}}}{more}}}"#
        )
    }

    fn spreading(list: &[String]) -> String {
        format!(r#"p app=w | {{"topologySpreadConstraints":[{}]}}"#, list.join(","))
    }

    fn check(pods: &[&str], constraints: &[String], expect: &str) {
        let got = verdicts("PodTopologySpread", &NODES, pods, &spreading(constraints));
        let short = got
            .replace("node(s) didn't match pod topology spread constraints", "uneven")
            .replace("uneven (missing required label)!", "unlabelled");
        assert_eq!(short, expect);
    }

    fn by_zone(skew: i32, more: &str) -> String {
        constraint("topology.kubernetes.io/zone", skew, "DoNotSchedule", more)
    }

    #[test]
    fn no_zone_gets_more_than_the_skew_ahead() {
        check(&["1 on=a app=w"], &[by_zone(1, "")], "a:uneven b:uneven c:ok d:unlabelled");
        check(&["1 on=a app=w"], &[by_zone(2, "")], "a:ok b:ok c:ok d:unlabelled");
    }

    #[test]
    fn other_pods_and_other_namespaces_do_not_count() {
        let pods = ["1 on=a app=v", "2 on=a app=w ns=other"];
        check(&pods, &[by_zone(1, "")], "a:ok b:ok c:ok d:unlabelled");
    }

    #[test]
    fn with_fewer_domains_than_wanted_the_least_is_zero() {
        let pods = ["1 on=a app=w", "2 on=c app=w"];
        check(&pods, &[by_zone(1, "")], "a:ok b:ok c:ok d:unlabelled");
        let three = [by_zone(1, r#","minDomains":3"#)];
        check(&pods, &three, "a:uneven b:uneven c:uneven d:unlabelled");
    }

    #[test]
    fn every_constraint_must_hold() {
        let both = [by_zone(1, ""), constraint("kubernetes.io/hostname", 1, "DoNotSchedule", "")];
        let pods = ["1 on=a app=w", "2 on=c app=w"];
        check(&pods, &both, "a:uneven b:ok c:uneven d:unlabelled");
    }

    #[test]
    fn label_keys_to_match_part_the_pods_by_the_incoming_pods_value() {
        let pods = ["1 on=a app=w rev=1"];
        let text = spreading(&[by_zone(1, r#","matchLabelKeys":["rev"]"#)]);
        let got = verdicts(
            "PodTopologySpread",
            &NODES[..3],
            &pods,
            &text.replace("p app", "p rev=2 app"),
        );
        assert_eq!(got, "a:ok b:ok c:ok");
    }

    /// A pod that wants zone `x` or `y`, in three zones of which `z` is outside and `t` is tainted.
    fn check_policies(more: &str, expect: &str) {
        let nodes = [
            "a zone=x pool=in",
            "b zone=y pool=in",
            "o zone=z",
            "t zone=t pool=in taint=k:NoSchedule",
        ];
        let pods = ["1 on=a app=w", "2 on=b app=w"];
        let text = format!(
            r#"p app=w | {{"nodeSelector":{{"pool":"in"}},"topologySpreadConstraints":[{}]}}"#,
            by_zone(1, more)
        );
        let got = verdicts("PodTopologySpread", &nodes, &pods, &text);
        let short = got.replace("node(s) didn't match pod topology spread constraints", "uneven");
        assert_eq!(short, expect, "{more}");
    }

    #[test]
    fn policies_say_which_nodes_make_domains() {
        // The tainted node's zone counts as an empty one, unless taints are honoured; one outside does not, unless
        // the node selector is ignored.
        check_policies("", "a:uneven b:uneven o:ok t:ok");
        check_policies(r#","nodeTaintsPolicy":"Honor""#, "a:ok b:ok o:ok t:ok");
        let all = r#","nodeTaintsPolicy":"Honor","nodeAffinityPolicy":"Ignore""#;
        check_policies(all, "a:uneven b:uneven o:ok t:ok");
    }

    #[test]
    fn soft_constraints_filter_nothing_and_score_the_emptier_zone_higher() {
        let soft = [constraint("topology.kubernetes.io/zone", 1, "ScheduleAnyway", "")];
        let pods = ["1 on=a app=w", "2 on=b app=w"];
        check(&pods, &soft, "a:ok b:ok c:ok d:ok");
        let got = scores("PodTopologySpread", &NODES[..3], &pods, &spreading(&soft));
        assert_eq!(got, "a:0 b:0 c:100");
    }

    #[test]
    fn nodes_without_the_label_score_nothing() {
        let soft = [constraint("topology.kubernetes.io/zone", 1, "ScheduleAnyway", "")];
        let got = scores("PodTopologySpread", &NODES, &["1 on=a app=w"], &spreading(&soft));
        assert!(got.ends_with("d:0"), "{got}");
    }

    fn defaults(selector: Option<&str>) -> String {
        let mut cache = cluster(&NODES, &["1 on=a app=w"]);
        let spread = selector.map(|text| Arc::new(Selector::parse(text).expect("a selector")));
        let incoming = Incoming::new(&mut cache, &Arc::new(pod("p app=w")), spread);
        scores_for(&PodTopologySpread::default(), &cache, &incoming)
    }

    /// Raw: 9 for `a` (a pod on itself, one in its zone), 8 for `b`, 6 for `c`, 2 for `d`, which
    /// has no zone.
    #[test]
    fn pods_of_a_service_are_spread_by_default() {
        assert_eq!(defaults(Some("app=w")), "a:22 b:33 c:55 d:100");
    }

    #[test]
    fn pods_of_nothing_are_not() {
        assert_eq!(defaults(None), "");
    }
}
