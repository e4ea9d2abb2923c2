//! What the scheduler decided and why, kept for whoever asks "why is this pod there, or pending?".
//!
//! The newest decision is kept for each of the last 1,000 pods to be tried for the first time, and
//! of those for the last 100 with reports on nodes. In clusters of more than 100 nodes there are no
//! reports on decisions; of pods that wait they can still be asked for, by
//! [`Scheduler::explain`](crate::Scheduler::explain).

use base::{BTreeMap, Instant, Str};

use crate::cache::NodeId;
use crate::plugins::{Plugins, Verdict, set_of};

/// One decision about one pod.
#[derive(Clone, Debug, Default, PartialEq)]
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
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// How many nodes there are.
    pub total: usize,
    /// For each node that was looked at, the place of its verdict in `rejections`.
    pub nodes: Vec<(NodeId, u16)>,
    /// The different verdicts, with who gave them.
    pub rejections: Vec<(&'static str, Verdict)>,
    /// A verdict on all nodes, given before they were looked at.
    pub before_filtering: Option<(&'static str, Verdict)>,
    /// Who allowed only the nodes that were looked at; empty if nobody did.
    pub narrowed_by: Vec<&'static str>,
}

impl Diagnosis {
    /// The plugins that turned the pod away somewhere.
    pub fn plugins(&self) -> Plugins {
        let mut set = set_of(&self.narrowed_by);
        if let Some((plugin, _)) = &self.before_filtering {
            set |= set_of(&[plugin]);
        }
        let mut seen = vec![false; self.rejections.len()];
        for (_, at) in &self.nodes {
            seen[usize::from(*at)] = true;
        }
        for ((plugin, _), _) in self.rejections.iter().zip(&seen).filter(|(_, seen)| **seen) {
            set |= set_of(&[plugin]);
        }
        set
    }

    /// The verdict on a node that was looked at.
    pub fn verdict(&self, at: u16) -> &Verdict {
        &self.rejections[usize::from(at)].1
    }

    /// The first half of the FailedScheduling text: how many nodes for which reason.
    pub fn message(&self) -> String {
        if self.total == 0 {
            return "no nodes available to schedule pods".into();
        }
        if let Some((_, verdict)) = &self.before_filtering {
            return format!(
                "0/{} nodes are available: {}.",
                self.total,
                verdict.reasons().join(", ")
            );
        }
        let mut times = vec![0; self.rejections.len()];
        for (_, at) in &self.nodes {
            times[usize::from(*at)] += 1;
        }
        let mut counts: BTreeMap<Str, usize> = BTreeMap::new();
        for ((_, verdict), times) in self.rejections.iter().zip(times).filter(|(_, n)| *n > 0) {
            for reason in verdict.reasons() {
                *counts.entry(reason.clone()).or_default() += times;
            }
        }
        let absent = self.total - self.nodes.len();
        if absent > 0 && !self.narrowed_by.is_empty() {
            let text = format!("node(s) didn't satisfy plugin(s) [{}]", self.narrowed_by.join(" "));
            counts.insert(text.into(), absent);
        }
        summary(self.total, counts)
    }
}

/// `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s).`
pub fn summary(nodes: usize, counts: BTreeMap<Str, usize>) -> String {
    let mut parts: Vec<String> =
        counts.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    base::sort::naturally(&mut parts);
    format!("0/{nodes} nodes are available: {}.", parts.join(", "))
}
