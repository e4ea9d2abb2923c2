//! One scheduling cycle: filter, score, choose.

use base::{Rng, Str};

use crate::cache::{Cache, NodeId};
use crate::decision::{Diagnosis, NodeReport};
use crate::memo::Memo;
use crate::plugins::{Incoming, Prepared, Scope, State, Verdict};
use crate::profile::Profile;

/// Below this many nodes all are looked at.
const SAMPLE_MIN: usize = 100;
/// The least share of nodes that is looked at, in per cent.
const SAMPLE_PERCENT_MIN: usize = 5;
/// Reports for the page are kept for clusters of at most so many nodes.
pub const REPORT_NODES_MAX: usize = 100;

/// Where the next search for nodes begins.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    next: usize,
}

/// The outcome of a cycle.
pub struct Outcome {
    /// The chosen node, or why there is none.
    pub chosen: Result<NodeId, Diagnosis>,
    /// What was found on each node, if that was wanted.
    pub reports: Vec<NodeReport>,
}

/// The plugins that filter for one pod, by place in the profile.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    /// Those that look at one node only.
    pub local: Vec<usize>,
    /// Those that look at the whole cluster.
    pub wide: Vec<usize>,
    /// The only nodes that can pass.
    pub only: Option<Vec<NodeId>>,
    /// Who said so.
    pub narrowed_by: Vec<&'static str>,
}

/// How many feasible nodes are enough in a cluster of `nodes`; a percentage of 0 lets the size
/// decide.
pub fn sample_size(nodes: usize, percentage: usize) -> usize {
    if nodes < SAMPLE_MIN || percentage >= 100 {
        return nodes;
    }
    let percent = match percentage {
        0 => 50usize.saturating_sub(nodes / 125).max(SAMPLE_PERCENT_MIN),
        given => given,
    };
    (nodes * percent / 100).max(SAMPLE_MIN)
}

/// Lets the plugins prepare; the error says which plugin found that no node will do, and why.
pub fn prepare(
    cache: &Cache,
    profile: &Profile,
    pod: &Incoming,
    state: &mut State,
) -> Result<Filters, (&'static str, Verdict)> {
    let mut filters = Filters::default();
    for (at, slot) in profile.slots.iter().enumerate().filter(|(_, slot)| slot.filters) {
        match slot.plugin.pre_filter(pod, cache, state) {
            Prepared::Skip => continue,
            Prepared::Run => {}
            Prepared::Only(ids) => {
                filters.narrowed_by.push(slot.plugin.name());
                filters.only = Some(match filters.only.take() {
                    None => ids,
                    Some(known) => known.into_iter().filter(|id| ids.contains(id)).collect(),
                });
            }
            Prepared::Reject(verdict) => return Err((slot.plugin.name(), verdict)),
        }
        match slot.plugin.scope() {
            Scope::Cluster => filters.wide.push(at),
            _ => filters.local.push(at),
        }
    }
    Ok(filters)
}

/// What a cycle works with.
pub struct Cycle<'a> {
    /// The cluster.
    pub cache: &'a mut Cache,
    /// The plugins.
    pub profile: &'a Profile,
    /// What is remembered for the pod's class.
    pub memo: &'a mut Memo,
    /// How many nodes are enough, in per cent; 0 lets the cluster's size decide.
    pub percentage: usize,
    /// Whether a report on each node is wanted.
    pub report: bool,
}

impl Cycle<'_> {
    /// Looks for the best node for a pod.
    pub fn run(&mut self, cursor: &mut Cursor, rng: &mut Rng, pod: &Incoming) -> Outcome {
        self.memo.fit(self.cache);
        self.memo.state.binding = None;
        self.memo.state.images.update(pod, self.cache);
        let total = self.cache.order.len();
        let mut diagnosis = Diagnosis { total, ..Diagnosis::default() };
        let filters = match prepare(self.cache, self.profile, pod, &mut self.memo.state) {
            Ok(filters) => filters,
            Err((plugin, verdict)) => {
                diagnosis.before_filtering = Some((plugin, verdict));
                return Outcome { chosen: Err(diagnosis), reports: Vec::new() };
            }
        };
        let feasible = self.feasible(cursor, pod, &filters, &mut diagnosis);
        let mut reports = if self.report { self.rejections(&diagnosis) } else { Vec::new() };
        let chosen = match feasible.len() {
            0 => {
                diagnosis.rejections = self.memo.rejections.clone();
                Err(diagnosis)
            }
            1 => {
                if self.report {
                    reports.push(self.blank(feasible[0]));
                }
                Ok(feasible[0])
            }
            _ => Ok(feasible[choose(&self.score(pod, &feasible, &mut reports), rng)]),
        };
        Outcome { chosen, reports }
    }

    /// The nodes that pass all filters, as many as are enough.
    fn feasible(
        &mut self,
        cursor: &mut Cursor,
        pod: &Incoming,
        filters: &Filters,
        diagnosis: &mut Diagnosis,
    ) -> Vec<NodeId> {
        if let Some(id) = self.cache.by_name.get(&pod.pod.status.nominated_node_name).copied()
            && self.cache.nodes[id as usize].node.is_some()
            && filters.only.as_ref().is_none_or(|only| only.contains(&id))
            && self.rejection(pod, id, filters) == 0
        {
            return vec![id];
        }
        let mut feasible = Vec::new();
        if let Some(only) = &filters.only {
            for id in only {
                match self.rejection(pod, *id, filters) {
                    0 => feasible.push(*id),
                    at => diagnosis.nodes.push((*id, at - 1)),
                }
            }
            diagnosis.narrowed_by = filters.narrowed_by.clone();
            return feasible;
        }
        let total = self.cache.order.len();
        let wanted = sample_size(total, self.percentage);
        let mut looked_at = 0;
        let mut at = if total > 0 { cursor.next % total } else { 0 };
        while looked_at < total && feasible.len() < wanted {
            let id = self.cache.order[at];
            looked_at += 1;
            at = if at + 1 == total { 0 } else { at + 1 };
            match self.rejection(pod, id, filters) {
                0 => feasible.push(id),
                at => diagnosis.nodes.push((id, at - 1)),
            }
        }
        cursor.next = at;
        feasible
    }

    /// The first rejection of a node: one more than its place among the memo's; 0 if there is none.
    ///
    /// Where pods of the same or a higher priority wait for room on the node, the pod must fit with
    /// and without them.
    fn rejection(&mut self, pod: &Incoming, id: NodeId, filters: &Filters) -> u16 {
        if !self.cache.nominees.is_empty() && self.cache.nominees.contains_key(&id) {
            let with = self.with_nominees(pod, id, filters);
            if with != 0 {
                return with;
            }
        }
        self.plain_rejection(pod, id, filters)
    }

    /// Why a pod cannot run on a node as the cache has it now, moves since [`prepare`] included.
    pub fn rejects(&mut self, pod: &Incoming, id: NodeId, filters: &Filters) -> Option<Verdict> {
        self.memo.state.follow(self.cache);
        match self.rejection(pod, id, filters) {
            0 => None,
            at => Some(self.memo.rejections[usize::from(at) - 1].1.clone()),
        }
    }

    fn plain_rejection(&mut self, pod: &Incoming, id: NodeId, filters: &Filters) -> u16 {
        let local = self.memo.look(self.cache, self.profile, &filters.local, pod, id);
        if local != 0 {
            return local;
        }
        for slot in &filters.wide {
            let plugin = &self.profile.slots[*slot].plugin;
            match plugin.filter(pod, self.cache, id, &self.memo.state) {
                Verdict::Pass => {}
                verdict => return self.memo.number((plugin.name(), verdict)),
            }
        }
        0
    }

    fn with_nominees(&mut self, pod: &Incoming, id: NodeId, filters: &Filters) -> u16 {
        let (priority, own) = (pod.priority(), &pod.key);
        let nominees: Vec<_> = self.cache.nominees[&id]
            .iter()
            .filter(|n| n.placed.priority >= priority && n.key != *own)
            .filter(|n| self.cache.node_of_pod(&n.key).is_none())
            .cloned()
            .collect();
        if nominees.is_empty() {
            return 0;
        }
        for nominee in &nominees {
            self.cache.put(nominee.key.clone(), id, nominee.placed.clone());
        }
        self.memo.state.follow(self.cache);
        let found = self.plain_rejection(pod, id, filters);
        for nominee in &nominees {
            self.cache.take(&nominee.key);
        }
        self.memo.state.follow(self.cache);
        found
    }

    /// Weighted sums for nodes that pass.
    fn score(
        &mut self,
        pod: &Incoming,
        nodes: &[NodeId],
        reports: &mut Vec<NodeReport>,
    ) -> Vec<i64> {
        let first = reports.len();
        if self.report {
            reports.extend(nodes.iter().map(|id| self.blank(*id)));
        }
        let mut totals = vec![0; nodes.len()];
        let mut scores = Vec::with_capacity(nodes.len());
        let mut place = 0;
        for slot in self.profile.slots.iter().filter(|slot| slot.weight > 0) {
            let plugin = &slot.plugin;
            let local = (plugin.scope() != Scope::Cluster).then_some(place);
            place += usize::from(local.is_some());
            if !plugin.pre_score(pod, self.cache, nodes, &mut self.memo.state) {
                continue;
            }
            let (cache, memo) = (&*self.cache, &*self.memo);
            scores.clear();
            match local {
                Some(place) => scores.extend(nodes.iter().map(|id| memo.score(*id, place))),
                None => {
                    scores.extend(nodes.iter().map(|id| plugin.score(pod, cache, *id, &memo.state)))
                }
            }
            let raw = if self.report { scores.clone() } else { Vec::new() };
            plugin.normalize(nodes, &mut scores, &memo.state);
            for (i, score) in scores.iter().enumerate() {
                totals[i] += score * slot.weight;
                if self.report {
                    let row = &mut reports[first + i];
                    row.scores.push((plugin.name(), raw[i], *score, slot.weight));
                    row.total = totals[i];
                }
            }
        }
        totals
    }

    fn blank(&self, id: NodeId) -> NodeReport {
        NodeReport { node: name_of(self.cache, id).clone(), ..NodeReport::default() }
    }

    fn rejections(&self, diagnosis: &Diagnosis) -> Vec<NodeReport> {
        let report = |(id, at): &(NodeId, u16)| {
            let (plugin, verdict) = &self.memo.rejections[usize::from(*at)];
            let rejected = Some((*plugin, verdict.reasons().to_vec()));
            NodeReport { rejected, ..self.blank(*id) }
        };
        diagnosis.nodes.iter().map(report).collect()
    }
}

/// The best; one of the best by chance where there are several.
fn choose(totals: &[i64], rng: &mut Rng) -> usize {
    let best = totals.iter().copied().max().unwrap_or(0);
    let ties = totals.iter().filter(|total| **total == best).count();
    let pick = rng.below(ties as u64) as usize;
    let mut of_best = totals.iter().enumerate().filter(|(_, total)| **total == best);
    of_best.nth(pick).map_or(0, |(i, _)| i)
}

/// A node's name.
pub fn name_of(cache: &Cache, id: NodeId) -> &Str {
    &cache.nodes[id as usize].name
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::testing::{cluster, pod};
    use base::BTreeSet;

    #[test]
    fn the_larger_the_cluster_the_smaller_the_share_that_is_looked_at() {
        let sizes = [50, 100, 500, 1_000, 5_000, 10_000].map(|nodes| sample_size(nodes, 0));
        assert_eq!(sizes, [50, 100, 230, 420, 500, 500]);
    }

    #[test]
    fn a_given_share_holds_for_large_clusters_only() {
        assert_eq!([50, 1_000].map(|nodes| sample_size(nodes, 20)), [50, 200]);
    }

    /// Places pods one after the other and says where each went.
    fn place(nodes: usize, pods: usize) -> Vec<String> {
        let texts: Vec<String> =
            (0..nodes).map(|i| format!("n{i:03} cpu=100 memory=100Gi")).collect();
        let mut cache = cluster(&texts.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        let profile = Profile::standard("default-scheduler".into());
        let (mut memo, mut cursor, mut rng) = (Memo::default(), Cursor::default(), Rng::new(1));
        let place = |i: usize| {
            let pod = Arc::new(pod(&format!("p{i} cpu=1")));
            let incoming = Incoming::new(&mut cache, &pod, None);
            let (cache, memo, profile) = (&mut cache, &mut memo, &profile);
            let mut cycle = Cycle { cache, profile, memo, percentage: 0, report: false };
            let id = cycle.run(&mut cursor, &mut rng, &incoming).chosen.expect("room for all");
            let name = name_of(cycle.cache, id).clone();
            cycle.cache.place(&pod, &name);
            name.to_string()
        };
        (0..pods).map(place).collect()
    }

    #[test]
    fn equal_nodes_are_used_in_turn() {
        let used: BTreeSet<String> = place(20, 20).into_iter().collect();
        assert_eq!(used.len(), 20);
    }

    /// Of 300 nodes 144 are looked at: first 0 to 143, then 144 to 287, then the rest and 0 to 131.
    #[test]
    fn the_next_search_begins_where_the_last_one_ended() {
        let used = place(300, 3);
        let numbers: Vec<usize> = used.iter().map(|n| n[1..].parse().expect("a number")).collect();
        assert!(numbers[0] < 144, "{numbers:?}");
        assert!((144..288).contains(&numbers[1]), "{numbers:?}");
        assert!(!(132..288).contains(&numbers[2]), "{numbers:?}");
    }
}
