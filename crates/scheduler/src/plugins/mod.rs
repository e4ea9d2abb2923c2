//! The default plugins, one file each, and what they have in common.
//!
//! Models the scheduling framework's extension points. Adding a plugin takes one file and one line
//! in [`crate::profile::Profile::standard`].

pub mod balanced_allocation;
pub mod image_locality;
pub mod inter_pod_affinity;
pub mod node_affinity;
pub mod node_name;
pub mod node_ports;
pub mod node_unschedulable;
pub mod node_volume_limits;
pub mod resources_fit;
pub mod taint_toleration;
pub mod topology_spread;
pub mod volume_binding;
pub mod volume_restrictions;
pub mod volume_zone;

use std::sync::Arc;

use api::Map;
use api::core::v1::Pod;
use api::object::Key;
use api::selector::Selector;
use base::Str;

use crate::cache::{Cache, ClassId, NodeId, NodeInfo};
use crate::needs::{Needs, Terms};

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
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The pod.
    pub pod: Arc<Pod>,
    /// Its name.
    pub key: Key,
    /// Its class.
    pub class: ClassId,
    /// Its needs.
    pub needs: Arc<Needs>,
    /// Its pod affinity.
    pub terms: Arc<Terms>,
    /// What system-default spreading counts: the selectors of Services and controllers it belongs
    /// to.
    pub spread: Option<Arc<Selector>>,
}

impl Incoming {
    /// A pod with what the cache knows of its class.
    pub fn new(cache: &mut Cache, pod: &Arc<Pod>, spread: Option<Arc<Selector>>) -> Incoming {
        let class = cache.class_of(&pod.metadata.namespace, &pod.metadata.labels, &pod.spec);
        let known = &cache.classes[class as usize];
        Incoming {
            pod: pod.clone(),
            key: Key::of(&pod.metadata),
            class,
            needs: known.needs.clone(),
            terms: known.terms.clone(),
            spread,
        }
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Str {
        &self.pod.metadata.namespace
    }

    /// Its labels.
    pub fn labels(&self) -> &Map<Str> {
        &self.pod.metadata.labels
    }

    /// Its priority.
    pub fn priority(&self) -> i32 {
        self.pod.spec.priority.unwrap_or(0)
    }
}

/// What plugins remember of a class from cycle to cycle; each has its own field and keeps it up to
/// date.
#[derive(Clone, Default)]
pub struct State {
    /// Of [`topology_spread`].
    pub spread: Option<topology_spread::SpreadState>,
    /// Of [`inter_pod_affinity`].
    pub affinity: Option<inter_pod_affinity::AffinityState>,
    /// Of [`image_locality`].
    pub images: image_locality::ImageState,
    /// Of [`volume_binding`]; of one cycle only.
    pub binding: Option<volume_binding::BindingState>,
}

impl State {
    /// Follows moves that were logged since the states were brought up to date.
    pub fn follow(&mut self, cache: &Cache) {
        let end = cache.moves_end();
        if let Some(spread) = &mut self.spread {
            spread.follow(cache);
        }
        if let Some(affinity) = &mut self.affinity {
            affinity.follow(cache);
        }
        debug_assert_eq!(end, cache.moves_end());
    }
}

/// What a verdict or a score of a node depends on, besides the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Only on the node and its pods: it is remembered until the node's generation changes.
    Node,
    /// Also on how many nodes hold the pod's images.
    Images,
    /// On anything.
    Cluster,
}

/// What a plugin says before nodes are looked at.
#[derive(Clone, Debug)]
pub enum Prepared {
    /// It has nothing to say about this pod.
    Skip,
    /// It filters nodes.
    Run,
    /// It filters nodes, and only these can pass.
    Only(Vec<NodeId>),
    /// No node will do.
    Reject(Verdict),
}

/// A plugin of the scheduler. All hooks are optional.
pub trait Plugin: Send + Sync {
    /// The name in configuration and in diagnoses.
    fn name(&self) -> &'static str;

    /// What its verdicts and scores depend on.
    fn scope(&self) -> Scope {
        Scope::Node
    }

    /// Works out what filtering needs.
    fn pre_filter(&self, _pod: &Incoming, _cache: &Cache, _state: &mut State) -> Prepared {
        Prepared::Skip
    }

    /// Whether the pod can run on a node.
    fn filter(&self, _pod: &Incoming, _cache: &Cache, _id: NodeId, _state: &State) -> Verdict {
        Verdict::Pass
    }

    /// Works out what scoring needs on the feasible nodes; false if the plugin does not score this
    /// pod.
    fn pre_score(
        &self,
        _pod: &Incoming,
        _cache: &Cache,
        _nodes: &[NodeId],
        _state: &mut State,
    ) -> bool {
        false
    }

    /// How well a node fits.
    fn score(&self, _pod: &Incoming, _cache: &Cache, _id: NodeId, _state: &State) -> i64 {
        0
    }

    /// Brings the scores of all feasible nodes into 0..=100.
    fn normalize(&self, _nodes: &[NodeId], _scores: &mut [i64], _state: &State) {}
}

/// The best score.
pub const SCORE_MAX: i64 = 100;

/// A set of plugins, one bit each.
pub type Plugins = u32;

const NAMES: [&str; 14] = [
    "NodeUnschedulable",
    "NodeName",
    "TaintToleration",
    "NodeAffinity",
    "NodePorts",
    "NodeResourcesFit",
    "VolumeRestrictions",
    "NodeVolumeLimits",
    "VolumeBinding",
    "VolumeZone",
    "PodTopologySpread",
    "InterPodAffinity",
    "NodeResourcesBalancedAllocation",
    "ImageLocality",
];

/// The set of plugins with these names.
pub fn set_of(names: &[&str]) -> Plugins {
    names
        .iter()
        .map(|name| NAMES.iter().position(|known| known == name).map_or(0, |bit| 1 << bit))
        .sum()
}

/// The names of a set.
pub fn names_of(set: Plugins) -> impl Iterator<Item = &'static str> {
    NAMES.iter().enumerate().filter(move |(bit, _)| set & (1 << bit) != 0).map(|(_, name)| *name)
}

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
