//! What the scheduler decided and why, kept for whoever asks "why is this pod there, or pending?".

use base::{BTreeMap, BTreeSet, Instant, Str};

use crate::cache::{Cache, NodeId};
use crate::plugins::Verdict;

/// One decision about one pod.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// When.
    pub at: Instant,
    /// The chosen node; `None` if there was none.
    pub node: Option<Str>,
    /// The message, as the event says it.
    pub message: Str,
    /// What was found on each node, as far as it was kept.
    pub nodes: Vec<NodeReport>,
}

/// What was found on one node.
#[derive(Clone, Debug, Default)]
pub struct NodeReport {
    /// The node.
    pub node: Str,
    /// The filter that turned the pod away, with its reasons; `None` if none did.
    pub rejected: Option<(&'static str, Vec<Str>)>,
    /// Scores: plugin, raw, normalised, weight.
    pub scores: Vec<(&'static str, i64, i64, i64)>,
    /// The weighted sum.
    pub total: i64,
}

/// Why no node would do.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// The verdict of the filter that turned the pod away, for each node.
    pub nodes: Vec<(NodeId, &'static str, Verdict)>,
}

impl Diagnosis {
    /// The plugins that turned the pod away somewhere.
    pub fn plugins(&self) -> BTreeSet<&'static str> {
        self.nodes.iter().map(|(_, plugin, _)| *plugin).collect()
    }

    /// The first half of the FailedScheduling text: how many nodes for which reason.
    pub fn message(&self, cache: &Cache) -> String {
        let reasons =
            self.nodes.iter().flat_map(|(_, _, verdict)| verdict.reasons().iter().cloned());
        summary(cache.order.len(), reasons)
    }
}

/// `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s).`
pub fn summary(nodes: usize, reasons: impl Iterator<Item = Str>) -> String {
    let mut counts: BTreeMap<Str, usize> = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    if nodes == 0 {
        return "no nodes available to schedule pods".into();
    }
    let mut parts: Vec<String> =
        counts.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    parts.sort();
    format!("0/{nodes} nodes are available: {}.", parts.join(", "))
}
