//! The default plugins, one file each, and what they have in common.
//!
//! Models the scheduling framework's extension points. Adding a plugin takes one file and one line in
//! [`PLUGINS`].

pub mod balanced_allocation;
pub mod image_locality;
pub mod inter_pod_affinity;
pub mod node_affinity;
pub mod node_name;
pub mod node_ports;
pub mod node_unschedulable;
pub mod resources_fit;
pub mod taint_toleration;
pub mod topology_spread;

use base::Str;

use crate::cache::{Cache, ClassId, NodeId, NodeInfo};
use crate::needs::Needs;

/// What a filter says of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The pod can run there.
    Pass,
    /// It cannot, but taking other pods away might help.
    Unschedulable(Vec<Str>),
    /// It cannot, whatever pods are taken away.
    Unresolvable(Vec<Str>),
}

impl Verdict {
    /// The reasons why it cannot; none if it can.
    pub fn reasons(&self) -> &[Str] {
        match self {
            Verdict::Pass => &[],
            Verdict::Unschedulable(reasons) | Verdict::Unresolvable(reasons) => reasons,
        }
    }

    /// One reason that taking pods away might remove.
    pub fn unschedulable(reason: impl Into<Str>) -> Verdict {
        Verdict::Unschedulable(vec![reason.into()])
    }

    /// One reason that stays whatever pods are taken away.
    pub fn unresolvable(reason: impl Into<Str>) -> Verdict {
        Verdict::Unresolvable(vec![reason.into()])
    }
}

/// The pod to be placed, as the plugins see it.
pub struct Incoming<'a> {
    /// Its class.
    pub class: ClassId,
    /// Its namespace.
    pub namespace: &'a Str,
    /// Its labels.
    pub labels: &'a api::Map<Str>,
    /// Its needs.
    pub needs: &'a Needs,
    /// What system-default spreading counts: the selectors of Services and controllers it belongs to.
    pub spread_selector: Option<&'a api::selector::Selector>,
}

/// What plugins worked out before looking at nodes; each has its own field.
#[derive(Default)]
pub struct State {
    /// Of [`topology_spread`], for filtering.
    pub spread_filter: Option<topology_spread::FilterState>,
    /// Of [`topology_spread`], for scoring.
    pub spread_score: Option<topology_spread::ScoreState>,
    /// Of [`inter_pod_affinity`], for filtering.
    pub affinity_filter: Option<inter_pod_affinity::FilterState>,
    /// Of [`inter_pod_affinity`], for scoring.
    pub affinity_score: Option<inter_pod_affinity::ScoreState>,
}

/// A plugin of the scheduler. All hooks are optional.
pub trait Plugin: Sync {
    /// The name in configuration and in diagnoses.
    fn name(&self) -> &'static str;

    /// Works out what filtering needs; false if the plugin has nothing to say about this pod.
    fn pre_filter(&self, _pod: &Incoming<'_>, _cache: &Cache, _state: &mut State) -> bool {
        false
    }

    /// Whether the pod can run on a node.
    fn filter(&self, _pod: &Incoming<'_>, _cache: &Cache, _id: NodeId, _state: &State) -> Verdict {
        Verdict::Pass
    }

    /// Works out what scoring needs on the feasible nodes; false if the plugin does not score this pod.
    fn pre_score(
        &self,
        _pod: &Incoming<'_>,
        _cache: &Cache,
        _nodes: &[NodeId],
        _state: &mut State,
    ) -> bool {
        false
    }

    /// How well a node fits.
    fn score(&self, _pod: &Incoming<'_>, _cache: &Cache, _id: NodeId, _state: &State) -> i64 {
        0
    }

    /// Brings the scores of all feasible nodes into 0..=100.
    fn normalize(&self, _cache: &Cache, _nodes: &[NodeId], _scores: &mut [i64], _state: &State) {}

    /// How much the score counts.
    fn weight(&self) -> i64 {
        1
    }
}

/// The best score.
pub const SCORE_MAX: i64 = 100;

/// The default profile, in upstream's order.
pub const PLUGINS: &[&dyn Plugin] = &[
    &node_unschedulable::NodeUnschedulable,
    &node_name::NodeName,
    &taint_toleration::TaintToleration,
    &node_affinity::NodeAffinity,
    &node_ports::NodePorts,
    &resources_fit::LEAST_ALLOCATED,
    &topology_spread::PodTopologySpread,
    &inter_pod_affinity::InterPodAffinity,
    &balanced_allocation::DEFAULT,
    &image_locality::ImageLocality,
];

/// Scales scores so that the largest becomes 100; `reverse` turns them around.
pub fn normalize_by_max(scores: &mut [i64], reverse: bool) {
    let max = scores.iter().copied().max().unwrap_or(0);
    for score in scores {
        if max == 0 {
            *score = if reverse { SCORE_MAX } else { 0 };
            continue;
        }
        *score = *score * SCORE_MAX / max;
        if reverse {
            *score = SCORE_MAX - *score;
        }
    }
}

/// A node's number as its entry.
pub fn node(cache: &Cache, id: NodeId) -> &NodeInfo {
    &cache.nodes[id as usize]
}
