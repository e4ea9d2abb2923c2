//! PodTopologySpread: keeps the pods of a group evenly spread over zones, nodes or other domains.
//!
//! Pods without constraints of their own are spread by the system defaults: over hostnames with a skew of 3
//! and over zones with a skew of 5, as far as that costs nothing else.

use api::Map;
use api::core::v1::TopologySpreadConstraint;
use api::selector::{Operator, Requirement, Selector};
use base::{BTreeMap, Str, lit};

use super::{Incoming, Plugin, SCORE_MAX, State, Verdict, node};
use crate::cache::{Cache, Class, NodeId};
use crate::plugins::{node_affinity, taint_toleration};

/// The plugin.
pub struct PodTopologySpread;

/// What it says of a node that would make the spread too uneven.
pub const REASON: &str = "node(s) didn't match pod topology spread constraints";
/// What it says of a node without the label.
pub const REASON_NO_LABEL: &str =
    "node(s) didn't match pod topology spread constraints (missing required label)";

const HOSTNAME: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// A constraint made ready.
#[derive(Clone, Debug)]
pub struct Constraint {
    max_skew: i64,
    topology_key: Str,
    selector: Selector,
    min_domains: i64,
    honor_affinity: bool,
    honor_taints: bool,
}

/// For filtering: how many pods are in each domain, for each hard constraint.
#[derive(Clone, Debug)]
pub struct FilterState {
    constraints: Vec<Constraint>,
    /// Domain to pods, for each constraint.
    domains: Vec<BTreeMap<Str, i64>>,
    namespace: Str,
    labels: Map<Str>,
}

/// For scoring: how many pods are in each domain, and how much each constraint counts.
#[derive(Clone, Debug)]
pub struct ScoreState {
    constraints: Vec<Constraint>,
    domains: Vec<BTreeMap<Str, i64>>,
    weights: Vec<f64>,
    /// Nodes that lack a label of the constraints and score nothing.
    ignored: Vec<NodeId>,
    /// The classes that each constraint's selector means.
    classes: Vec<Vec<u32>>,
}

impl Plugin for PodTopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn pre_filter(&self, pod: &Incoming<'_>, cache: &Cache, state: &mut State) -> bool {
        let constraints = own_constraints(pod, "DoNotSchedule");
        if constraints.is_empty() {
            return false;
        }
        state.spread_filter = Some(FilterState::new(pod, cache, constraints));
        true
    }

    fn filter(&self, _: &Incoming<'_>, cache: &Cache, id: NodeId, state: &State) -> Verdict {
        let Some(spread) = &state.spread_filter else { return Verdict::Pass };
        let Some(labels) = cache.labels(id) else { return Verdict::Pass };
        for (constraint, domains) in spread.constraints.iter().zip(&spread.domains) {
            let Some(domain) = labels.get(&constraint.topology_key) else {
                return Verdict::unresolvable(REASON_NO_LABEL);
            };
            let mut least = domains.values().copied().min().unwrap_or(i64::from(i32::MAX));
            if (domains.len() as i64) < constraint.min_domains {
                least = 0;
            }
            let own = i64::from(constraint.selector.matches(|key| spread.labels.text(key)));
            let here = domains.get(domain).copied().unwrap_or(0);
            if here + own - least > constraint.max_skew {
                return Verdict::unschedulable(REASON);
            }
        }
        Verdict::Pass
    }

    fn pre_score(
        &self,
        pod: &Incoming<'_>,
        cache: &Cache,
        nodes: &[NodeId],
        state: &mut State,
    ) -> bool {
        let mut constraints = own_constraints(pod, "ScheduleAnyway");
        let system = pod.needs.spec.topology_spread_constraints.is_empty();
        if system {
            constraints = pod.spread_selector.map(default_constraints).unwrap_or_default();
        }
        if constraints.is_empty() {
            return false;
        }
        state.spread_score = Some(ScoreState::new(pod, cache, nodes, constraints, !system));
        true
    }

    fn score(&self, pod: &Incoming<'_>, cache: &Cache, id: NodeId, state: &State) -> i64 {
        state.spread_score.as_ref().map_or(0, |spread| spread.score(pod, cache, id))
    }

    fn normalize(&self, _: &Cache, nodes: &[NodeId], scores: &mut [i64], state: &State) {
        if let Some(spread) = &state.spread_score {
            spread.normalize(nodes, scores);
        }
    }

    fn weight(&self) -> i64 {
        2
    }
}

fn own_constraints(pod: &Incoming<'_>, when: &str) -> Vec<Constraint> {
    let list = pod.needs.spec.topology_spread_constraints.iter();
    list.filter(|c| c.when_unsatisfiable == when).map(|c| Constraint::of(c, pod.labels)).collect()
}

fn default_constraints(selector: &Selector) -> Vec<Constraint> {
    let constraint = |max_skew, topology_key| Constraint {
        max_skew,
        topology_key,
        selector: selector.clone(),
        min_domains: 1,
        honor_affinity: true,
        honor_taints: false,
    };
    vec![
        constraint(3, lit!("kubernetes.io/hostname")),
        constraint(5, lit!("topology.kubernetes.io/zone")),
    ]
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
    fn counts(&self, pod: &Incoming<'_>, cache: &Cache, id: NodeId) -> bool {
        let info = node(cache, id);
        let Some(object) = &info.node else { return false };
        if self.honor_affinity
            && !node_affinity::required(pod.needs, &object.metadata.labels, &info.name)
        {
            return false;
        }
        let tolerated = || {
            object.spec.taints.iter().all(|taint| {
                !matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
                    || pod.needs.tolerations().iter().any(|t| taint_toleration::tolerates(t, taint))
            })
        };
        !self.honor_taints || tolerated()
    }

    /// The classes whose pods it counts, in the namespace of the incoming pod.
    fn classes(&self, namespace: &Str, cache: &Cache) -> Vec<u32> {
        let means = |class: &Class| {
            class.namespace == *namespace
                && !class.on_node.is_empty()
                && self.selector.matches(|key| class.labels.text(key))
        };
        let classes = cache.classes.iter().enumerate();
        classes.filter(|(_, class)| means(class)).map(|(i, _)| i as u32).collect()
    }
}

impl FilterState {
    fn new(pod: &Incoming<'_>, cache: &Cache, constraints: Vec<Constraint>) -> FilterState {
        let labelled = |id: NodeId| {
            cache.labels(id).is_some_and(|labels| {
                constraints.iter().all(|c| labels.contains_key(&c.topology_key))
            })
        };
        let nodes: Vec<NodeId> = cache.order.iter().copied().filter(|id| labelled(*id)).collect();
        let count = |constraint: &Constraint| {
            let mut domains: BTreeMap<Str, i64> = BTreeMap::new();
            let classes = constraint.classes(pod.namespace, cache);
            for id in &nodes {
                if !constraint.counts(pod, cache, *id) {
                    continue;
                }
                if let Some(domain) =
                    cache.labels(*id).and_then(|l| l.get(&constraint.topology_key))
                {
                    *domains.entry(domain.clone()).or_default() += count_on(cache, &classes, *id);
                }
            }
            domains
        };
        let domains = constraints.iter().map(count).collect();
        let (namespace, labels) = (pod.namespace.clone(), pod.labels.clone());
        FilterState { constraints, domains, namespace, labels }
    }

    /// Takes a pod into account that was put on a node (`by` 1) or taken off (`by` -1) in thought.
    pub fn shift(&mut self, cache: &Cache, class: &Class, id: NodeId, by: i64) {
        if class.namespace != self.namespace {
            return;
        }
        let Some(labels) = cache.labels(id) else { return };
        for (constraint, domains) in self.constraints.iter().zip(&mut self.domains) {
            if constraint.selector.matches(|key| class.labels.text(key))
                && let Some(domain) = labels.get(&constraint.topology_key)
                && let Some(count) = domains.get_mut(domain)
            {
                *count += by;
            }
        }
    }
}

/// How many pods of the classes are on a node, those being deleted left out.
fn count_on(cache: &Cache, classes: &[u32], id: NodeId) -> i64 {
    let on = |class: &u32| {
        cache.classes[*class as usize].on_node.get(&id).map_or(0, |(_, live)| i64::from(*live))
    };
    classes.iter().map(on).sum()
}

impl ScoreState {
    fn new(
        pod: &Incoming<'_>,
        cache: &Cache,
        nodes: &[NodeId],
        constraints: Vec<Constraint>,
        all_labels: bool,
    ) -> ScoreState {
        let labelled = |id: NodeId| {
            cache.labels(id).is_some_and(|labels| {
                constraints.iter().all(|c| labels.contains_key(&c.topology_key))
            })
        };
        let mut ignored = Vec::new();
        let mut domains = vec![BTreeMap::<Str, i64>::new(); constraints.len()];
        for id in nodes {
            if all_labels && !labelled(*id) {
                ignored.push(*id);
                continue;
            }
            for (constraint, domains) in constraints.iter().zip(&mut domains) {
                if constraint.topology_key != HOSTNAME {
                    let domain = cache.labels(*id).and_then(|l| l.get(&constraint.topology_key));
                    domains.entry(domain.cloned().unwrap_or_default()).or_insert(0);
                }
            }
        }
        let size = |(constraint, domains): (&Constraint, &BTreeMap<Str, i64>)| match &*constraint
            .topology_key
        {
            HOSTNAME => nodes.len() - ignored.len(),
            _ => domains.len(),
        };
        let weights = constraints
            .iter()
            .zip(&domains)
            .map(size)
            .map(|size| (size as f64 + 2.0).ln())
            .collect();
        let classes: Vec<Vec<u32>> =
            constraints.iter().map(|c| c.classes(pod.namespace, cache)).collect();
        for ((constraint, domains), classes) in constraints.iter().zip(&mut domains).zip(&classes) {
            if constraint.topology_key == HOSTNAME || classes.is_empty() {
                continue;
            }
            for id in &cache.order {
                if (all_labels && !labelled(*id)) || !constraint.counts(pod, cache, *id) {
                    continue;
                }
                let domain = cache.labels(*id).and_then(|l| l.get(&constraint.topology_key));
                if let Some(count) = domain.and_then(|domain| domains.get_mut(domain)) {
                    *count += count_on(cache, classes, *id);
                }
            }
        }
        ScoreState { constraints, domains, weights, ignored, classes }
    }

    /// The raw score: the more pods there are in the node's domains, the higher and the worse.
    pub fn score(&self, _: &Incoming<'_>, cache: &Cache, id: NodeId) -> i64 {
        let Some(labels) = cache.labels(id) else { return 0 };
        if self.ignored.contains(&id) {
            return 0;
        }
        let mut score = 0.0;
        for (i, constraint) in self.constraints.iter().enumerate() {
            let Some(domain) = labels.get(&constraint.topology_key) else { continue };
            let count = match &*constraint.topology_key {
                HOSTNAME => count_on(cache, &self.classes[i], id),
                _ => self.domains[i].get(domain).copied().unwrap_or(0),
            };
            score += count as f64 * self.weights[i] + (constraint.max_skew - 1) as f64;
        }
        score.round() as i64
    }

    /// Turns raw scores around and into 0..=100.
    pub fn normalize(&self, nodes: &[NodeId], scores: &mut [i64]) {
        let ignored = |id: &NodeId| self.ignored.contains(id);
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

    /// Takes into account that a pod of `class` was put on a node, and says whether other nodes are affected.
    pub fn placed(&mut self, cache: &Cache, class: u32, id: NodeId) -> bool {
        let mut others = false;
        for (i, constraint) in self.constraints.iter().enumerate() {
            let means = self.classes[i].contains(&class) || {
                let class = &cache.classes[class as usize];
                constraint.selector.matches(|key| class.labels.text(key))
            };
            if !means {
                continue;
            }
            if !self.classes[i].contains(&class) {
                self.classes[i].push(class);
            }
            if constraint.topology_key == HOSTNAME {
                continue;
            }
            let domain = cache.labels(id).and_then(|l| l.get(&constraint.topology_key));
            if let Some(count) = domain.and_then(|domain| self.domains[i].get_mut(domain)) {
                *count += 1;
                others = true;
            }
        }
        others
    }
}

/// Label keys of the system defaults, hostname first.
pub const DEFAULT_KEYS: [&str; 2] = [HOSTNAME, ZONE];
