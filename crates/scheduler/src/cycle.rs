//! One scheduling cycle: filter, score, choose.

use base::{Rng, Str};

use crate::cache::{Cache, ClassId, NodeId};
use crate::decision::{Diagnosis, NodeReport};
use crate::plugins::topology_spread::ScoreState;
use crate::plugins::{Incoming, PLUGINS, Plugin, State, Verdict};

/// Below this many nodes all are looked at.
const SAMPLE_MIN: usize = 100;
/// The least share of nodes that is looked at, in per cent.
const SAMPLE_PERCENT_MIN: usize = 5;
/// Reports for the page are kept for clusters of at most so many nodes.
const REPORT_NODES_MAX: usize = 100;

/// A ranking of nodes that the next pod of the same class can use, as long as only own choices changed it.
#[derive(Clone, Debug)]
pub struct Ranking {
    class: ClassId,
    version: u64,
    /// Feasible nodes.
    nodes: Vec<NodeId>,
    /// Weighted scores without spreading.
    base: Vec<i64>,
    /// Raw spreading scores, with what they are made from.
    spread: Option<(ScoreState, Vec<i64>)>,
    /// How many more pods may use it before other nodes get their turn.
    left: usize,
}

/// Where the next search for nodes begins.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    next: usize,
}

/// The outcome of a cycle.
pub struct Outcome {
    /// The chosen node, or why there is none.
    pub chosen: Result<NodeId, Diagnosis>,
    /// For the page; empty in large clusters.
    pub reports: Vec<NodeReport>,
    /// For the next pod of the class.
    pub ranking: Option<Ranking>,
}

/// How many feasible nodes are enough in a cluster of `nodes`.
pub fn sample_size(nodes: usize) -> usize {
    if nodes < SAMPLE_MIN {
        return nodes;
    }
    let percent = 50usize.saturating_sub(nodes / 125).max(SAMPLE_PERCENT_MIN);
    (nodes * percent / 100).max(SAMPLE_MIN)
}

/// Looks for the best node for a pod.
pub fn run(cache: &Cache, cursor: &mut Cursor, rng: &mut Rng, pod: &Incoming<'_>) -> Outcome {
    let mut state = State::default();
    let filters: Vec<&dyn Plugin> =
        PLUGINS.iter().copied().filter(|p| p.pre_filter(pod, cache, &mut state)).collect();
    let total = cache.order.len();
    let wanted = sample_size(total);
    let mut feasible = Vec::new();
    let mut diagnosis = Diagnosis::default();
    let mut looked_at = 0;
    while looked_at < total && feasible.len() < wanted {
        let id = cache.order[(cursor.next + looked_at) % total];
        looked_at += 1;
        match first_rejection(cache, pod, id, &filters, &state) {
            None => feasible.push(id),
            Some((plugin, verdict)) => diagnosis.nodes.push((id, plugin, verdict)),
        }
    }
    if total > 0 {
        cursor.next = (cursor.next + looked_at) % total;
    }
    let report = total <= REPORT_NODES_MAX;
    let mut reports = if report { rejections(cache, &diagnosis) } else { Vec::new() };
    if feasible.is_empty() {
        return Outcome { chosen: Err(diagnosis), reports, ranking: None };
    }
    let scored = score(cache, pod, &feasible, &mut state, report, &mut reports);
    let chosen = choose(&scored.totals, rng);
    let ranking = rankable(cache, pod).then(|| Ranking {
        class: pod.class,
        version: cache.version,
        left: feasible.len(),
        base: scored.base,
        spread: state.spread_score.take().map(|spread| (spread, scored.spread)),
        nodes: feasible.clone(),
    });
    Outcome { chosen: Ok(feasible[chosen]), reports, ranking }
}

/// The filter that turns the pod away from a node, if any does.
pub fn first_rejection(
    cache: &Cache,
    pod: &Incoming<'_>,
    id: NodeId,
    filters: &[&dyn Plugin],
    state: &State,
) -> Option<(&'static str, Verdict)> {
    filters.iter().find_map(|plugin| match plugin.filter(pod, cache, id, state) {
        Verdict::Pass => None,
        verdict => Some((plugin.name(), verdict)),
    })
}

/// Whether placing pods of this class changes nothing for the class but the chosen node and the spreading.
fn rankable(cache: &Cache, pod: &Incoming<'_>) -> bool {
    pod.needs.is_plain() && cache.affine.is_empty()
}

struct Scored {
    totals: Vec<i64>,
    base: Vec<i64>,
    spread: Vec<i64>,
}

fn score(
    cache: &Cache,
    pod: &Incoming<'_>,
    nodes: &[NodeId],
    state: &mut State,
    report: bool,
    reports: &mut Vec<NodeReport>,
) -> Scored {
    let first = reports.len();
    if report {
        reports.extend(nodes.iter().map(|id| NodeReport {
            node: cache.nodes[*id as usize].name.clone(),
            ..NodeReport::default()
        }));
    }
    let mut totals = vec![0; nodes.len()];
    let mut scored = Scored { totals: Vec::new(), base: vec![0; nodes.len()], spread: Vec::new() };
    for plugin in PLUGINS {
        if !plugin.pre_score(pod, cache, nodes, state) {
            continue;
        }
        let raw: Vec<i64> = nodes.iter().map(|id| plugin.score(pod, cache, *id, state)).collect();
        let mut normal = raw.clone();
        plugin.normalize(cache, nodes, &mut normal, state);
        let spreads = plugin.name() == "PodTopologySpread";
        for (i, value) in normal.iter().enumerate() {
            let weighted = value * plugin.weight();
            totals[i] += weighted;
            if !spreads {
                scored.base[i] += weighted;
            }
            if report {
                let row = &mut reports[first + i];
                row.scores.push((plugin.name(), raw[i], *value, plugin.weight()));
                row.total += weighted;
            }
        }
        if spreads {
            scored.spread = raw;
        }
    }
    scored.totals = totals;
    scored
}

/// The best; one of the best by chance where there are several.
fn choose(totals: &[i64], rng: &mut Rng) -> usize {
    let best = totals.iter().copied().max().unwrap_or(0);
    let ties = totals.iter().filter(|total| **total == best).count();
    let pick = rng.below(ties as u64) as usize;
    let mut of_best = totals.iter().enumerate().filter(|(_, total)| **total == best);
    of_best.nth(pick).map_or(0, |(i, _)| i)
}

fn rejections(cache: &Cache, diagnosis: &Diagnosis) -> Vec<NodeReport> {
    let report = |(id, plugin, verdict): &(NodeId, &'static str, Verdict)| NodeReport {
        node: cache.nodes[*id as usize].name.clone(),
        rejected: Some((plugin, verdict.reasons().to_vec())),
        ..NodeReport::default()
    };
    diagnosis.nodes.iter().map(report).collect()
}

impl Ranking {
    /// Whether the ranking still holds for a pod.
    pub fn fits(&self, cache: &Cache, pod: &Incoming<'_>) -> bool {
        self.class == pod.class
            && self.version == cache.version
            && self.left > 0
            && rankable(cache, pod)
    }

    /// Takes into account that a pod of the class was put on `id`.
    pub fn placed(&mut self, cache: &Cache, pod: &Incoming<'_>, id: NodeId) {
        self.left = self.left.saturating_sub(1);
        self.version = cache.version;
        let Some(at) = self.nodes.iter().position(|other| *other == id) else { return };
        let mut state = State::default();
        let filters: Vec<&dyn Plugin> =
            PLUGINS.iter().copied().filter(|p| p.pre_filter(pod, cache, &mut state)).collect();
        if first_rejection(cache, pod, id, &filters, &state).is_some() {
            self.nodes.swap_remove(at);
            self.base.swap_remove(at);
            if let Some((spread, raw)) = &mut self.spread {
                raw.swap_remove(at);
                spread.placed(cache, self.class, id);
            }
            self.refresh_spread(cache, pod);
            return;
        }
        self.base[at] = self.rescore(cache, pod, at);
        let others = match &mut self.spread {
            Some((spread, raw)) => {
                let others = spread.placed(cache, self.class, id);
                raw[at] = spread.score(pod, cache, id);
                others
            }
            None => false,
        };
        if others {
            self.refresh_spread(cache, pod);
        }
    }

    /// The node's weighted scores without spreading. Scores that compare nodes (taints, node affinity) do not
    /// depend on pods, so their part is what it was.
    fn rescore(&self, cache: &Cache, pod: &Incoming<'_>, at: usize) -> i64 {
        let id = self.nodes[at];
        let state = State::default();
        let own = |plugin: &dyn Plugin| plugin.score(pod, cache, id, &state) * plugin.weight();
        let fixed: i64 = self.fixed(cache, pod, at);
        fixed
            + PLUGINS.iter().filter(|p| is_of_node_use(p.name(), pod)).map(|p| own(*p)).sum::<i64>()
    }

    fn fixed(&self, cache: &Cache, pod: &Incoming<'_>, at: usize) -> i64 {
        let mut state = State::default();
        let mut fixed = 0;
        for plugin in PLUGINS {
            let compares = matches!(plugin.name(), "TaintToleration" | "NodeAffinity");
            if !compares || !plugin.pre_score(pod, cache, &self.nodes, &mut state) {
                continue;
            }
            let mut scores: Vec<i64> =
                self.nodes.iter().map(|id| plugin.score(pod, cache, *id, &state)).collect();
            plugin.normalize(cache, &self.nodes, &mut scores, &state);
            fixed += scores[at] * plugin.weight();
        }
        fixed
    }

    fn refresh_spread(&mut self, cache: &Cache, pod: &Incoming<'_>) {
        if let Some((spread, raw)) = &mut self.spread {
            *raw = self.nodes.iter().map(|id| spread.score(pod, cache, *id)).collect();
        }
    }

    /// The best node, if any is left.
    pub fn best(&self, rng: &mut Rng) -> Option<NodeId> {
        if self.nodes.is_empty() {
            return None;
        }
        let mut totals = self.base.clone();
        if let Some((spread, raw)) = &self.spread {
            let mut normal = raw.clone();
            spread.normalize(&self.nodes, &mut normal);
            for (total, score) in totals.iter_mut().zip(normal) {
                *total += score * 2;
            }
        }
        Some(self.nodes[choose(&totals, rng)])
    }
}

/// Whether a plugin scores a node by what runs on it or lies on it.
fn is_of_node_use(plugin: &str, pod: &Incoming<'_>) -> bool {
    match plugin {
        "NodeResourcesFit" | "ImageLocality" => true,
        "NodeResourcesBalancedAllocation" => {
            pod.needs.requests.cpu > 0 || pod.needs.requests.memory > 0
        }
        _ => false,
    }
}

/// A node's name.
pub fn name_of(cache: &Cache, id: NodeId) -> &Str {
    &cache.nodes[id as usize].name
}
