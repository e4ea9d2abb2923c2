//! DefaultPreemption: makes room for a pod by taking away pods of lower priority.
//!
//! Models the PostFilter plugin. Known deviations:
//! - Nodes are tried one after the other, not side by side.
//! - Extenders are not known.

use std::cmp::Reverse;

use api::object::Key;
use api::policy::v1::PodDisruptionBudget;
use api::selector::Selector;
use base::{BTreeMap, Str, lit};

use crate::cache::{Cache, NodeId, Placed};
use crate::cycle::{Cycle, Filters, prepare};
use crate::decision::{Diagnosis, summary};
use crate::plugins::{Incoming, Verdict};

/// A node that could take the pod, and what would have to go.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The node.
    pub node: NodeId,
    /// The victims, most important first.
    pub victims: Victims,
    /// How many of them a disruption budget protects.
    pub violations: usize,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// This node, once its victims are gone.
    Nominate(Candidate),
    /// Nothing; the second half of the FailedScheduling text.
    Nothing(String),
    /// Not tried: the pod was turned away before all plugins had prepared what the search needs.
    Unprepared,
    /// The pod waits for room that is being made already; with the text.
    Waits(String),
}

const NOT_HELPFUL: Str = lit!("Preemption is not helpful for scheduling");
const NO_VICTIMS: Str = lit!("No preemption victims found for incoming pod");
/// At least so many nodes are tried, if there are so many …
const TRIED_MIN: usize = 100;
/// … and at least such a share, in per cent.
const TRIED_PERCENT: usize = 10;

/// Looks for the node where taking pods away costs least.
pub fn run(
    cycle: &mut Cycle<'_>,
    pod: &Incoming,
    diagnosis: &Diagnosis,
    budgets: &[&PodDisruptionBudget],
) -> Outcome {
    if pod.pod.spec.preemption_policy.as_deref() == Some("Never") {
        return Outcome::Nothing("preemption: not eligible due to preemptionPolicy=Never.".into());
    }
    if waits_for_victims(cycle.cache, pod, diagnosis) {
        return Outcome::Waits(
            "preemption: not eligible due to a terminating pod on the nominated node.".into(),
        );
    }
    let may_help: Vec<NodeId> = diagnosis
        .nodes
        .iter()
        .filter(|(_, at)| matches!(diagnosis.verdict(*at), Verdict::Unschedulable(_)))
        .map(|(id, _)| *id)
        .collect();
    let mut reasons: BTreeMap<Str, usize> = BTreeMap::new();
    if diagnosis.total > may_help.len() {
        reasons.insert(NOT_HELPFUL, diagnosis.total - may_help.len());
    }
    let mut candidates: Vec<Candidate> = Vec::new();
    let anybody =
        cycle.cache.priorities.first_key_value().is_some_and(|(p, _)| *p < pod.priority());
    if !anybody {
        if !may_help.is_empty() {
            reasons.insert(NO_VICTIMS, may_help.len());
        }
    } else if let Ok(filters) = prepare(cycle.cache, cycle.profile, pod, &mut cycle.memo.state) {
        let enough = (may_help.len() * TRIED_PERCENT / 100).max(TRIED_MIN);
        // Where to begin differs from pod to pod, but uses up no chance: pods alike may share an
        // answer.
        let first =
            pod.key.name.bytes().fold(7usize, |n, byte| (n * 31 + usize::from(byte)) % 65_521);
        for i in 0..may_help.len() {
            match try_node(cycle, pod, may_help[(first + i) % may_help.len()], &filters, budgets) {
                Ok(candidate) => candidates.push(candidate),
                Err(why) => {
                    for reason in why {
                        *reasons.entry(reason).or_default() += 1;
                    }
                }
            }
            if candidates.len() >= enough && candidates.iter().any(|c| c.violations == 0) {
                break;
            }
        }
    }
    match best(candidates) {
        Some(candidate) => Outcome::Nominate(candidate),
        None => Outcome::Nothing(format!("preemption: {}", summary(diagnosis.total, reasons))),
    }
}

/// Whether the pod already has a node where pods of lower priority are on their way out.
fn waits_for_victims(cache: &Cache, pod: &Incoming, diagnosis: &Diagnosis) -> bool {
    let nominated = &pod.pod.status.nominated_node_name;
    let Some(id) = cache.by_name.get(nominated) else { return false };
    let hopeless = diagnosis.nodes.iter().any(|(other, at)| {
        other == id && matches!(diagnosis.verdict(*at), Verdict::Unresolvable(_))
    });
    let lower = |p: &Placed| p.preempted && p.priority < pod.priority();
    !hopeless && cache.nodes[*id as usize].pods.values().any(lower)
}

fn try_node(
    cycle: &mut Cycle<'_>,
    pod: &Incoming,
    id: NodeId,
    filters: &Filters,
    budgets: &[&PodDisruptionBudget],
) -> Result<Candidate, Vec<Str>> {
    let lower: Vec<Key> = cycle.cache.nodes[id as usize]
        .pods
        .iter()
        .filter(|(_, placed)| placed.priority < pod.priority())
        .map(|(key, _)| key.clone())
        .collect();
    if lower.is_empty() {
        return Err(vec![NO_VICTIMS]);
    }
    let mut out: Victims = Vec::new();
    for key in lower {
        if let Some((_, placed)) = cycle.cache.take(&key) {
            out.push((key, placed));
        }
    }
    if let Some(verdict) = cycle.rejects(pod, id, filters) {
        for (key, placed) in out {
            cycle.cache.put(key, id, placed);
        }
        cycle.memo.state.follow(cycle.cache);
        return Err(verdict.reasons().to_vec());
    }
    // Give back as many as possible: first those that a budget protects, the most important first.
    base::sort::by_key(&mut out, importance);
    let (protected, free) = split_by_budget(cycle.cache, out, budgets);
    let mut victims: Victims = Vec::new();
    let mut violations = 0;
    for (guarded, (key, placed)) in
        protected.into_iter().map(|v| (true, v)).chain(free.into_iter().map(|v| (false, v)))
    {
        cycle.cache.put(key.clone(), id, placed.clone());
        if cycle.rejects(pod, id, filters).is_some() {
            cycle.cache.take(&key);
            violations += usize::from(guarded);
            victims.push((key, placed));
        }
    }
    for (key, placed) in &victims {
        cycle.cache.put(key.clone(), id, placed.clone());
    }
    cycle.memo.state.follow(cycle.cache);
    base::sort::by_key(&mut victims, importance);
    Ok(Candidate { node: id, victims, violations })
}

/// Pods of high priority first, then those that have run longest.
fn importance((key, placed): &(Key, Placed)) -> (Reverse<i32>, i64, Key) {
    (Reverse(placed.priority), placed.start, key.clone())
}

/// Pods with what is known of them on their node.
pub type Victims = Vec<(Key, Placed)>;

fn split_by_budget(
    cache: &Cache,
    pods: Victims,
    budgets: &[&PodDisruptionBudget],
) -> (Victims, Victims) {
    let mut allowed: Vec<i32> =
        budgets.iter().map(|b| b.status.disruptions_allowed.unwrap_or(0)).collect();
    let mut protected = Vec::new();
    let mut free = Vec::new();
    for (key, placed) in pods {
        let labels = &cache.classes[placed.class as usize].labels;
        let mut guarded = false;
        for (budget, allowed) in budgets.iter().zip(&mut allowed) {
            let selector = budget.spec.selector.as_deref().map(Selector::of);
            let means = selector.is_some_and(|s| {
                s.is_ok_and(|s| !s.is_everything() && s.matches(|k| labels.text(k)))
            });
            if budget.metadata.namespace != key.namespace || labels.is_empty() || !means {
                continue;
            }
            if budget.status.disrupted_pods.contains_key(&key.name) {
                continue;
            }
            *allowed -= 1;
            guarded |= *allowed < 0;
        }
        if guarded { &mut protected } else { &mut free }.push((key, placed));
    }
    (protected, free)
}

/// Fewest broken budgets, lowest highest priority, lowest sum of priorities, fewest victims, latest
/// start.
fn best(candidates: Vec<Candidate>) -> Option<Candidate> {
    candidates.into_iter().min_by_key(|candidate| {
        let highest = candidate.victims.first().map_or(i32::MIN, |(_, p)| p.priority);
        let sum: i64 = candidate
            .victims
            .iter()
            .map(|(_, p)| i64::from(p.priority) + i64::from(i32::MAX) + 1)
            .sum();
        let earliest = candidate
            .victims
            .iter()
            .filter(|(_, p)| p.priority == highest)
            .map(|(_, p)| p.start)
            .min()
            .unwrap_or(i64::MAX);
        (candidate.violations, highest, sum, candidate.victims.len(), Reverse(earliest))
    })
}
