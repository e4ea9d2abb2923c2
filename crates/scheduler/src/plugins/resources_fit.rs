//! NodeResourcesFit: a node must have what the pod asks for; the less it is used, the better.
//!
//! Known deviations:
//! - Resources that belong to a resource claim are not known.

use base::{Str, lit};

use super::{Incoming, Plugin, Prepared, SCORE_MAX, State, Verdict, node};
use crate::cache::{Cache, NodeId, NodeInfo};

/// The plugin with its scoring strategy.
pub struct NodeResourcesFit {
    /// How the use of a node becomes a score.
    pub strategy: Strategy,
    /// Resources with their weights.
    pub resources: Vec<(Str, i64)>,
    /// Extended resources that are not looked at when filtering.
    pub ignored: Vec<Str>,
    /// The same for all resources of a group, the part before the slash.
    pub ignored_groups: Vec<Str>,
}

/// How the use of a node becomes a score.
pub enum Strategy {
    /// The less is used, the better.
    LeastAllocated,
    /// The more is used, the better.
    MostAllocated,
    /// Points of use in per cent and score from 0 to 100, joined by straight lines.
    RequestedToCapacityRatio(Vec<(i64, i64)>),
}

impl Default for NodeResourcesFit {
    /// CPU and memory, least allocated.
    fn default() -> NodeResourcesFit {
        NodeResourcesFit {
            strategy: Strategy::LeastAllocated,
            resources: vec![(lit!("cpu"), 1), (lit!("memory"), 1)],
            ignored: Vec::new(),
            ignored_groups: Vec::new(),
        }
    }
}

impl Plugin for NodeResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn pre_filter(&self, _: &Incoming, _: &Cache, _: &mut State) -> Prepared {
        Prepared::Run
    }

    fn filter(&self, pod: &Incoming, cache: &Cache, id: NodeId, _: &State) -> Verdict {
        self.insufficient(pod, node(cache, id))
    }

    fn pre_score(&self, _: &Incoming, _: &Cache, _: &[NodeId], _: &mut State) -> bool {
        true
    }

    fn score(&self, pod: &Incoming, cache: &Cache, id: NodeId, _: &State) -> i64 {
        let info = node(cache, id);
        let uses = self.resources.iter().filter_map(|(name, weight)| {
            let (capacity, requested) = use_of(pod, info, name)?;
            Some((self.strategy.score(requested, capacity), *weight))
        });
        let ratio = matches!(self.strategy, Strategy::RequestedToCapacityRatio(_));
        let (mut sum, mut weights) = (0, 0);
        for (score, weight) in uses {
            if ratio && score <= 0 {
                continue;
            }
            sum += score * weight;
            weights += weight;
        }
        match weights {
            0 => 0,
            _ if ratio => (sum as f64 / weights as f64).round() as i64,
            _ => sum / weights,
        }
    }
}

impl Strategy {
    fn score(&self, requested: i64, capacity: i64) -> i64 {
        match self {
            _ if capacity == 0 && !matches!(self, Strategy::RequestedToCapacityRatio(_)) => 0,
            Strategy::LeastAllocated if requested > capacity => 0,
            Strategy::LeastAllocated => (capacity - requested) * SCORE_MAX / capacity,
            Strategy::MostAllocated => requested.min(capacity) * SCORE_MAX / capacity,
            Strategy::RequestedToCapacityRatio(shape) => {
                let used = if capacity == 0 || requested > capacity {
                    100
                } else {
                    requested * 100 / capacity
                };
                along(shape, used)
            }
        }
    }
}

/// The score at a use, between the points of a shape. Points are ordered by use.
fn along(shape: &[(i64, i64)], used: i64) -> i64 {
    for (i, (at, score)) in shape.iter().enumerate() {
        if used <= *at {
            let Some((before, low)) = i.checked_sub(1).map(|i| shape[i]) else { return *score };
            return low + (score - low) * (used - before) / (at - before);
        }
    }
    shape.last().map_or(0, |(_, score)| *score)
}

/// Capacity of a resource and its use once the pod is there; `None` if neither node nor pod has it.
fn use_of(pod: &Incoming, info: &NodeInfo, name: &str) -> Option<(i64, i64)> {
    let (capacity, used, asked) = match name {
        "cpu" => (info.allocatable.cpu, info.assumed_cpu, pod.needs.assumed.cpu),
        "memory" => (info.allocatable.memory, info.assumed_memory, pod.needs.assumed.memory),
        _ => {
            let asked = pod.needs.requests.get(name);
            let scalar = name != "ephemeral-storage";
            if scalar && asked == 0 {
                return None;
            }
            (info.allocatable.get(name), info.requested.get(name), asked)
        }
    };
    (capacity != 0).then_some((capacity, used + asked))
}

impl NodeResourcesFit {
    /// Which resources a node has too little of.
    ///
    /// What exceeds the node's whole capacity cannot be helped by taking pods away.
    fn insufficient(&self, pod: &Incoming, info: &NodeInfo) -> Verdict {
        let asked = &pod.needs.requests;
        let (used, capacity) = (&info.requested, &info.allocatable);
        let pods = info.pods.len() as i64 + 1;
        let short = |asked: i64, used: i64, has: i64| asked > 0 && asked > has - used;
        let fits = pods <= info.pods_max
            && !short(asked.cpu, used.cpu, capacity.cpu)
            && !short(asked.memory, used.memory, capacity.memory)
            && asked.scalars.is_empty()
            && asked.ephemeral_storage == 0;
        if fits {
            return Verdict::Pass;
        }
        let mut reasons: Vec<Str> = Vec::new();
        let mut hopeless = false;
        if pods > info.pods_max {
            reasons.push(lit!("Too many pods"));
            hopeless |= info.pods_max < 1;
        }
        let mut check = |name: &str, asked: i64| {
            let has = capacity.get(name);
            if short(asked, used.get(name), has) {
                reasons.push(format!("Insufficient {name}").into());
                hopeless |= asked > has;
            }
        };
        check("cpu", asked.cpu);
        check("memory", asked.memory);
        check("ephemeral-storage", asked.ephemeral_storage);
        for (name, amount) in &asked.scalars {
            if !self.ignores(name) {
                check(name, *amount);
            }
        }
        match (reasons.is_empty(), hopeless) {
            (true, _) => Verdict::Pass,
            (false, true) => Verdict::Unresolvable(reasons),
            (false, false) => Verdict::Unschedulable(reasons),
        }
    }

    fn ignores(&self, name: &Str) -> bool {
        let group = name.split_once('/').map(|(group, _)| group);
        self.ignored.contains(name)
            || group.is_some_and(|group| self.ignored_groups.iter().any(|g| g == group))
    }
}

#[cfg(test)]
mod tests {
    use super::{NodeResourcesFit, Strategy};
    use crate::testing::{cluster, scores, scores_by, verdicts};

    fn check(pods: &[&str], pod: &str, expect: &str) {
        let nodes = ["a cpu=4 memory=8Gi pods=3 gpu/x=1", "b cpu=1 memory=8Gi"];
        assert_eq!(verdicts("NodeResourcesFit", &nodes, pods, pod), expect);
    }

    #[test]
    fn what_other_pods_asked_for_is_not_there_any_more() {
        check(&["x on=a cpu=3"], "p cpu=1", "a:ok b:ok");
        check(&["x on=a cpu=3500m"], "p cpu=1", "a:Insufficient cpu b:ok");
    }

    #[test]
    fn more_than_the_node_has_cannot_be_helped_by_taking_pods_away() {
        check(&[], "p cpu=2", "a:ok b:Insufficient cpu!");
    }

    #[test]
    fn every_resource_that_is_short_is_named() {
        let expect =
            "a:Insufficient cpu+Insufficient memory! b:Insufficient cpu+Insufficient memory!";
        check(&[], "p cpu=16 memory=64Gi", expect);
    }

    #[test]
    fn a_node_takes_only_so_many_pods() {
        check(&["x on=a", "y on=a", "z on=a"], "p", "a:Too many pods b:ok");
    }

    #[test]
    fn extended_resources_count_in_whole_units() {
        check(&[], "p gpu/x=1", "a:ok b:Insufficient gpu/x!");
        check(&["x on=a gpu/x=1"], "p gpu/x=1", "a:Insufficient gpu/x b:Insufficient gpu/x!");
    }

    #[test]
    fn ignored_resources_are_not_looked_at() {
        use crate::cache::Cache;
        use crate::plugins::{Incoming, Plugin as _, State, Verdict};
        let plugin =
            NodeResourcesFit { ignored_groups: vec!["gpu".into()], ..NodeResourcesFit::default() };
        let mut cache: Cache = cluster(&["b cpu=1"], &[]);
        let pod = std::sync::Arc::new(crate::testing::pod("p gpu/x=1"));
        let incoming = Incoming::new(&mut cache, &pod, None);
        assert_eq!(plugin.filter(&incoming, &cache, 0, &State::default()), Verdict::Pass);
    }

    /// CPU: (4000 - 1000 - 1000) / 4000 = 50; memory: (8 - 0.2 - 1) / 8 GiB = 85; together 67.
    #[test]
    fn the_less_is_used_the_higher_the_score() {
        let nodes = ["a cpu=4 memory=8Gi", "b cpu=8 memory=8Gi"];
        let got = scores("NodeResourcesFit", &nodes, &["x on=a cpu=1"], "p cpu=1 memory=1Gi");
        assert_eq!(got, "a:67 b:87");
    }

    fn strategy(strategy: Strategy, expect: &str) {
        let plugin = NodeResourcesFit {
            strategy,
            resources: vec![("cpu".into(), 1)],
            ..NodeResourcesFit::default()
        };
        let mut cache = cluster(&["a cpu=4", "b cpu=8"], &["x on=a cpu=1"]);
        assert_eq!(scores_by(&plugin, &mut cache, "p cpu=1"), expect);
    }

    #[test]
    fn or_the_more_is_used_if_so_configured() {
        strategy(Strategy::MostAllocated, "a:50 b:12");
    }

    #[test]
    fn or_along_a_shape() {
        let shape = vec![(0, 0), (50, 100), (100, 0)];
        strategy(Strategy::RequestedToCapacityRatio(shape), "a:100 b:24");
    }
}
