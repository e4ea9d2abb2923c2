//! NodeResourcesFit: a node must have what the pod asks for; the less it is used, the better.
//!
//! Known deviations:
//! - Resources that belong to a resource claim are not known.

use base::Str;

use super::{Incoming, Plugin, SCORE_MAX, State, Verdict, node};
use crate::cache::{Cache, NodeId, NodeInfo};

/// The plugin with its scoring strategy.
pub struct NodeResourcesFit {
    /// How the use of a node becomes a score.
    pub strategy: Strategy,
    /// Resources with their weights.
    pub resources: &'static [(&'static str, i64)],
}

/// How the use of a node becomes a score.
pub enum Strategy {
    /// The less is used, the better.
    LeastAllocated,
    /// The more is used, the better.
    MostAllocated,
    /// Points of use in per cent and score, joined by straight lines.
    RequestedToCapacityRatio(&'static [(i64, i64)]),
}

/// The default: CPU and memory, least allocated.
pub const LEAST_ALLOCATED: NodeResourcesFit = NodeResourcesFit {
    strategy: Strategy::LeastAllocated,
    resources: &[("cpu", 1), ("memory", 1)],
};

impl Plugin for NodeResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn pre_filter(&self, _: &Incoming<'_>, _: &Cache, _: &mut State) -> bool {
        true
    }

    fn filter(&self, pod: &Incoming<'_>, cache: &Cache, id: NodeId, _: &State) -> Verdict {
        insufficient(pod, node(cache, id))
    }

    fn pre_score(&self, _: &Incoming<'_>, _: &Cache, _: &[NodeId], _: &mut State) -> bool {
        true
    }

    fn score(&self, pod: &Incoming<'_>, cache: &Cache, id: NodeId, _: &State) -> i64 {
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
fn use_of(pod: &Incoming<'_>, info: &NodeInfo, name: &str) -> Option<(i64, i64)> {
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

/// Which resources a node has too little of.
///
/// What exceeds the node's whole capacity cannot be helped by taking pods away.
pub fn insufficient(pod: &Incoming<'_>, info: &NodeInfo) -> Verdict {
    let asked = &pod.needs.requests;
    let mut reasons: Vec<Str> = Vec::new();
    let mut hopeless = false;
    if info.pods.len() as i64 + 1 > info.pods_max {
        reasons.push("Too many pods".into());
        hopeless |= info.pods_max < 1;
    }
    let mut check = |name: &str, asked: i64, used: i64, capacity: i64| {
        if asked > 0 && asked > capacity - used {
            reasons.push(format!("Insufficient {name}").into());
            hopeless |= asked > capacity;
        }
    };
    let (used, capacity) = (&info.requested, &info.allocatable);
    check("cpu", asked.cpu, used.cpu, capacity.cpu);
    check("memory", asked.memory, used.memory, capacity.memory);
    check(
        "ephemeral-storage",
        asked.ephemeral_storage,
        used.ephemeral_storage,
        capacity.ephemeral_storage,
    );
    for (name, amount) in &asked.scalars {
        check(name, *amount, used.get(name), capacity.get(name));
    }
    match (reasons.is_empty(), hopeless) {
        (true, _) => Verdict::Pass,
        (false, true) => Verdict::Unresolvable(reasons),
        (false, false) => Verdict::Unschedulable(reasons),
    }
}
