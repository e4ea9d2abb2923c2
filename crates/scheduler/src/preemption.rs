//! DefaultPreemption: makes room for a pod by taking away pods of lower priority.
//!
//! Models the PostFilter plugin. Known deviations:
//! - All nodes that might help are tried, not a sample of them.
//! - Extenders are not known.

use std::cmp::Reverse;

use api::core::v1::Pod;
use api::object::Key;
use api::policy::v1::PodDisruptionBudget;
use api::selector::Selector;
use base::Str;

use crate::cache::{Cache, NodeId, Placed};
use crate::cycle::first_rejection;
use crate::decision::{Diagnosis, summary};
use crate::plugins::{Incoming, PLUGINS, Plugin, State, Verdict};

/// A node that could take the pod, and what would have to go.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The node.
    pub node: NodeId,
    /// The victims, most important first.
    pub victims: Vec<(Key, Placed)>,
    /// How many of them a disruption budget protects.
    pub violations: usize,
}

/// What came of it.
pub enum Outcome {
    /// This node, once its victims are gone.
    Nominate(Candidate),
    /// Nothing; the second half of the FailedScheduling text.
    Nothing(String),
}

const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";
const NO_VICTIMS: &str = "No preemption victims found for incoming pod";

/// Looks for the node where taking pods away costs least.
pub fn run(
    cache: &mut Cache,
    pod: &Pod,
    incoming: &Incoming<'_>,
    diagnosis: &Diagnosis,
    budgets: &[&PodDisruptionBudget],
) -> Outcome {
    let nodes = cache.order.len();
    if pod.spec.preemption_policy.as_deref() == Some("Never") {
        return Outcome::Nothing("preemption: not eligible due to preemptionPolicy=Never.".into());
    }
    let priority = pod.spec.priority.unwrap_or(0);
    if waits_for_victims(cache, pod, priority) {
        return Outcome::Nothing(
            "preemption: not eligible due to a terminating pod on the nominated node.".into(),
        );
    }
    let mut candidates = Vec::new();
    let mut reasons: Vec<Str> = Vec::new();
    for (id, _, verdict) in &diagnosis.nodes {
        match verdict {
            Verdict::Unresolvable(_) => reasons.push(NOT_HELPFUL.into()),
            _ => match try_node(cache, incoming, *id, priority, budgets) {
                Ok(candidate) => candidates.push(candidate),
                Err(why) => reasons.extend(why),
            },
        }
    }
    match best(candidates) {
        Some(candidate) => Outcome::Nominate(candidate),
        None => Outcome::Nothing(format!("preemption: {}", summary(nodes, reasons.into_iter()))),
    }
}

/// Whether the pod already has a node where pods of lower priority are on their way out.
fn waits_for_victims(cache: &Cache, pod: &Pod, priority: i32) -> bool {
    let Some(id) = cache.by_name.get(&pod.status.nominated_node_name) else { return false };
    cache.nodes[*id as usize].pods.values().any(|p| p.terminating && p.priority < priority)
}

fn filters<'a>(cache: &Cache, pod: &Incoming<'_>, state: &mut State) -> Vec<&'a dyn Plugin> {
    PLUGINS.iter().copied().filter(|p| p.pre_filter(pod, cache, state)).collect()
}

/// Whether the pod fits on a node as the cache has it now; else the reasons.
fn fits(cache: &Cache, pod: &Incoming<'_>, id: NodeId) -> Result<(), Vec<Str>> {
    let mut state = State::default();
    let filters = filters(cache, pod, &mut state);
    match first_rejection(cache, pod, id, &filters, &state) {
        None => Ok(()),
        Some((_, verdict)) => Err(verdict.reasons().to_vec()),
    }
}

fn try_node(
    cache: &mut Cache,
    pod: &Incoming<'_>,
    id: NodeId,
    priority: i32,
    budgets: &[&PodDisruptionBudget],
) -> Result<Candidate, Vec<Str>> {
    let lower: Vec<Key> = cache.nodes[id as usize]
        .pods
        .iter()
        .filter(|(_, placed)| placed.priority < priority)
        .map(|(key, _)| key.clone())
        .collect();
    if lower.is_empty() {
        return Err(vec![NO_VICTIMS.into()]);
    }
    let mut out: Vec<(Key, Placed)> = Vec::new();
    for key in lower {
        if let Some((_, placed)) = cache.take(&key) {
            out.push((key, placed));
        }
    }
    if let Err(reasons) = fits(cache, pod, id) {
        for (key, placed) in out {
            cache.put(key, id, placed);
        }
        return Err(reasons);
    }
    // Give back as many as possible: first those that a budget protects, the most important first.
    out.sort_by_key(|(key, placed)| (Reverse(placed.priority), placed.start, key.clone()));
    let (protected, free) = split_by_budget(cache, out, budgets);
    let mut victims = Vec::new();
    let mut violations = 0;
    for (guarded, (key, placed)) in
        protected.into_iter().map(|v| (true, v)).chain(free.into_iter().map(|v| (false, v)))
    {
        cache.put(key.clone(), id, placed.clone());
        if fits(cache, pod, id).is_err() {
            cache.take(&key);
            violations += usize::from(guarded);
            victims.push((key, placed));
        }
    }
    for (key, placed) in &victims {
        cache.put(key.clone(), id, placed.clone());
    }
    victims.sort_by_key(|(key, placed)| (Reverse(placed.priority), placed.start, key.clone()));
    Ok(Candidate { node: id, victims, violations })
}

type Victims = Vec<(Key, Placed)>;

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

/// Fewest broken budgets, lowest highest priority, lowest sum of priorities, fewest victims, latest start.
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
