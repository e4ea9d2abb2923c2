//! NodeResourcesBalancedAllocation: prefers nodes whose resources end up evenly used.

use base::{Str, lit};

use super::{Incoming, Plugin, SCORE_MAX, State, node};
use crate::cache::{Cache, NodeId};

/// The plugin with the resources that it balances.
pub struct BalancedAllocation {
    /// Resources.
    pub resources: Vec<Str>,
}

impl Default for BalancedAllocation {
    /// CPU and memory.
    fn default() -> BalancedAllocation {
        BalancedAllocation { resources: vec![lit!("cpu"), lit!("memory")] }
    }
}

impl Plugin for BalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }

    fn pre_score(&self, pod: &Incoming, _: &Cache, _: &[NodeId], _: &mut State) -> bool {
        // A pod that asks for nothing changes no balance.
        self.resources.iter().any(|name| pod.needs.requests.get(name) > 0)
    }

    fn score(&self, pod: &Incoming, cache: &Cache, id: NodeId, _: &State) -> i64 {
        let info = node(cache, id);
        let uses = |with_pod: bool| -> [f64; 8] {
            let mut fractions = [-1.0; 8];
            for (slot, name) in fractions.iter_mut().zip(&self.resources) {
                let capacity = info.allocatable.get(name);
                let asked = pod.needs.requests.get(name);
                if capacity == 0
                    || (asked == 0
                        && !matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage"))
                {
                    continue;
                }
                let used = info.requested.get(name) + if with_pod { asked } else { 0 };
                *slot = (used as f64 / capacity as f64).min(1.0);
            }
            fractions
        };
        // Deviations lie in 0..=0.5: a node that becomes more balanced by the pod scores above 75,
        // a node that becomes less balanced below.
        let change = spread(&uses(false)) - spread(&uses(true));
        ((0.75 + change / 2.0) * SCORE_MAX as f64) as i64
    }
}

/// The standard deviation of the fractions that are there (not negative).
fn spread(fractions: &[f64]) -> f64 {
    let there = || fractions.iter().copied().filter(|f| *f >= 0.0);
    let count = there().count();
    if count < 2 {
        return 0.0;
    }
    if count == 2 {
        let (mut values, zero) = (there(), 0.0);
        let (a, b) = (values.next().unwrap_or(zero), values.next().unwrap_or(zero));
        return ((a - b) / 2.0).abs();
    }
    let mean = there().sum::<f64>() / count as f64;
    (there().map(|f| (f - mean) * (f - mean)).sum::<f64>() / count as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use crate::testing::scores;

    fn check(pods: &[&str], pod: &str, expect: &str) {
        let nodes = ["a cpu=4 memory=4Gi", "b cpu=4 memory=4Gi"];
        assert_eq!(scores("NodeResourcesBalancedAllocation", &nodes, pods, pod), expect);
    }

    #[test]
    fn a_balanced_pod_changes_no_balance() {
        check(&[], "p cpu=1 memory=1Gi", "a:75 b:75");
    }

    /// On `a` the fractions go from 0.5/0 to 0.5/0.5, on `b` from 0/0 to 0/0.5: deviations fall or
    /// rise by 0.25.
    #[test]
    fn a_node_that_becomes_more_even_scores_higher() {
        check(&["x on=a cpu=2"], "p memory=2Gi", "a:87 b:62");
    }

    #[test]
    fn a_pod_that_asks_for_nothing_is_not_scored() {
        check(&["x on=a cpu=2"], "p", "");
    }
}
