//! InterPodAffinity: pods that want to be near other pods, or away from them.

use api::Map;
use base::{BTreeMap, Str};

use super::{Incoming, Plugin, SCORE_MAX, State, Verdict};
use crate::cache::{Cache, Class, NodeId};
use crate::needs::Term;

/// The plugin.
pub struct InterPodAffinity;

/// A pod already there keeps this one away.
pub const REASON_EXISTING: &str = "node(s) didn't satisfy existing pods anti-affinity rules";
/// The pod's own affinity finds no companion.
pub const REASON_AFFINITY: &str = "node(s) didn't match pod affinity rules";
/// The pod's own anti-affinity finds somebody to avoid.
pub const REASON_ANTI: &str = "node(s) didn't match pod anti-affinity rules";

/// How much a required affinity of an existing pod counts in scoring.
const HARD_WEIGHT: i64 = 1;

/// `(topology key, domain)` to a count.
type Domains = BTreeMap<(Str, Str), i64>;

/// For filtering.
#[derive(Clone, Debug, Default)]
pub struct FilterState {
    existing_anti: Domains,
    affinity: Domains,
    anti: Domains,
    own_affinity: Vec<Term>,
    own_anti: Vec<Term>,
    namespace: Str,
    labels: Map<Str>,
}

/// For scoring: what each domain is worth.
#[derive(Clone, Debug, Default)]
pub struct ScoreState {
    worth: Domains,
}

/// A term of the incoming pod with `matchLabelKeys` and `mismatchLabelKeys` made part of its selector.
fn resolved(term: &Term, labels: &Map<Str>) -> Term {
    use api::selector::{Operator, Requirement};
    let mut term = term.clone();
    let keys = [
        (std::mem::take(&mut term.match_keys), Operator::In),
        (std::mem::take(&mut term.mismatch_keys), Operator::NotIn),
    ];
    for (keys, operator) in keys {
        for key in keys {
            if let Some(value) = labels.get(&key)
                && let Ok(requirement) = Requirement::new(key, operator, vec![value.clone()])
            {
                term.selector = term.selector.clone().and(requirement);
            }
        }
    }
    term
}

impl FilterState {
    fn new(pod: &Incoming<'_>, cache: &Cache) -> FilterState {
        let own =
            |terms: &[Term]| terms.iter().map(|t| resolved(t, pod.labels)).collect::<Vec<_>>();
        let mut state = FilterState {
            own_affinity: own(&pod.needs.affinity),
            own_anti: own(&pod.needs.anti_affinity),
            namespace: pod.namespace.clone(),
            labels: pod.labels.clone(),
            ..FilterState::default()
        };
        for id in &cache.anti_affine {
            let class = &cache.classes[*id as usize];
            for (node, (all, _)) in &class.on_node {
                state.count_existing(cache, class, *node, i64::from(*all));
            }
        }
        if !(state.own_affinity.is_empty() && state.own_anti.is_empty()) {
            for class in &cache.classes {
                for (node, (all, _)) in &class.on_node {
                    state.count_own(cache, class, *node, i64::from(*all));
                }
            }
        }
        state
    }

    fn count_existing(&mut self, cache: &Cache, class: &Class, node: NodeId, by: i64) {
        let space = cache.namespaces.get(&self.namespace);
        for term in &class.needs.anti_affinity {
            let term = resolved(term, &class.labels);
            if term.matches(&class.namespace, &self.namespace, space, &self.labels) {
                add(&mut self.existing_anti, cache, node, &term.topology_key, by);
            }
        }
    }

    fn count_own(&mut self, cache: &Cache, class: &Class, node: NodeId, by: i64) {
        let space = cache.namespaces.get(&class.namespace);
        let means =
            |term: &Term| term.matches(&self.namespace, &class.namespace, space, &class.labels);
        if !self.own_affinity.is_empty() && self.own_affinity.iter().all(means) {
            for term in &self.own_affinity {
                add(&mut self.affinity, cache, node, &term.topology_key, by);
            }
        }
        for term in self.own_anti.iter().filter(|t| means(t)) {
            add(&mut self.anti, cache, node, &term.topology_key, by);
        }
    }

    /// Takes a pod into account that was put on a node (`by` 1) or taken off (`by` -1) in thought.
    pub fn shift(&mut self, cache: &Cache, class: &Class, node: NodeId, by: i64) {
        self.count_existing(cache, class, node, by);
        self.count_own(cache, class, node, by);
    }

    fn is_idle(&self) -> bool {
        self.existing_anti.is_empty() && self.own_affinity.is_empty() && self.own_anti.is_empty()
    }

    fn affinity_holds(&self, pod: &Incoming<'_>, cache: &Cache, labels: &Map<Str>) -> bool {
        let mut companions = true;
        for term in &self.own_affinity {
            let Some(domain) = labels.get(&term.topology_key) else { return false };
            let key = (term.topology_key.clone(), domain.clone());
            companions &= self.affinity.get(&key).is_some_and(|count| *count > 0);
        }
        if companions {
            return true;
        }
        // The first of a group that wants company of its own kind may start anywhere.
        let space = cache.namespaces.get(pod.namespace);
        self.affinity.values().all(|count| *count == 0)
            && self
                .own_affinity
                .iter()
                .all(|t| t.matches(pod.namespace, pod.namespace, space, pod.labels))
    }
}

fn add(domains: &mut Domains, cache: &Cache, node: NodeId, topology_key: &Str, by: i64) {
    if let Some(domain) = cache.labels(node).and_then(|labels| labels.get(topology_key)) {
        let key = (topology_key.clone(), domain.clone());
        let count = domains.entry(key.clone()).or_default();
        *count += by;
        if *count == 0 {
            domains.remove(&key);
        }
    }
}

fn any_holds(domains: &Domains, labels: &Map<Str>) -> bool {
    if domains.is_empty() {
        return false;
    }
    labels.iter().any(|(key, value)| {
        domains.get(&(key.clone(), value.clone())).is_some_and(|count| *count > 0)
    })
}

impl Plugin for InterPodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn pre_filter(&self, pod: &Incoming<'_>, cache: &Cache, state: &mut State) -> bool {
        if cache.anti_affine.is_empty()
            && pod.needs.affinity.is_empty()
            && pod.needs.anti_affinity.is_empty()
        {
            return false;
        }
        let own = FilterState::new(pod, cache);
        let idle = own.is_idle();
        state.affinity_filter = Some(own);
        !idle
    }

    fn filter(&self, pod: &Incoming<'_>, cache: &Cache, id: NodeId, state: &State) -> Verdict {
        let Some(own) = &state.affinity_filter else { return Verdict::Pass };
        let Some(labels) = cache.labels(id) else { return Verdict::Pass };
        if !own.own_affinity.is_empty() && !own.affinity_holds(pod, cache, labels) {
            return Verdict::unresolvable(REASON_AFFINITY);
        }
        let avoided = own.own_anti.iter().any(|term| {
            labels.get(&term.topology_key).is_some_and(|domain| {
                let key = (term.topology_key.clone(), domain.clone());
                own.anti.get(&key).is_some_and(|count| *count > 0)
            })
        });
        if avoided {
            return Verdict::unschedulable(REASON_ANTI);
        }
        if any_holds(&own.existing_anti, labels) {
            return Verdict::unschedulable(REASON_EXISTING);
        }
        Verdict::Pass
    }

    fn pre_score(
        &self,
        pod: &Incoming<'_>,
        cache: &Cache,
        _: &[NodeId],
        state: &mut State,
    ) -> bool {
        if pod.needs.preferred.is_empty() && cache.affine.is_empty() {
            return false;
        }
        let mut worth = Domains::new();
        let own: Vec<(i64, Term)> =
            pod.needs.preferred.iter().map(|(w, t)| (*w, resolved(t, pod.labels))).collect();
        let here = cache.namespaces.get(pod.namespace);
        for (i, class) in cache.classes.iter().enumerate() {
            if class.on_node.is_empty() || (own.is_empty() && !cache.affine.contains(&(i as u32))) {
                continue;
            }
            let space = cache.namespaces.get(&class.namespace);
            let mut terms: Vec<(i64, Str)> = Vec::new();
            for (weight, term) in &own {
                if term.matches(pod.namespace, &class.namespace, space, &class.labels) {
                    terms.push((*weight, term.topology_key.clone()));
                }
            }
            let hard = class.needs.affinity.iter().map(|t| (HARD_WEIGHT, t));
            let soft = class.needs.preferred.iter().map(|(w, t)| (*w, t));
            for (weight, term) in hard.chain(soft) {
                let term = resolved(term, &class.labels);
                if term.matches(&class.namespace, pod.namespace, here, pod.labels) {
                    terms.push((weight, term.topology_key));
                }
            }
            if terms.is_empty() {
                continue;
            }
            for (node, (all, _)) in &class.on_node {
                for (weight, key) in &terms {
                    add(&mut worth, cache, *node, key, weight * i64::from(*all));
                }
            }
        }
        if worth.is_empty() {
            return false;
        }
        state.affinity_score = Some(ScoreState { worth });
        true
    }

    fn score(&self, _: &Incoming<'_>, cache: &Cache, id: NodeId, state: &State) -> i64 {
        let (Some(own), Some(labels)) = (&state.affinity_score, cache.labels(id)) else { return 0 };
        labels.iter().filter_map(|(key, value)| own.worth.get(&(key.clone(), value.clone()))).sum()
    }

    fn normalize(&self, _: &Cache, _: &[NodeId], scores: &mut [i64], _: &State) {
        let (least, most) =
            (scores.iter().copied().min().unwrap_or(0), scores.iter().copied().max().unwrap_or(0));
        for score in scores {
            *score = match most - least {
                0 => 0,
                span => (SCORE_MAX as f64 * ((*score - least) as f64 / span as f64)) as i64,
            };
        }
    }

    fn weight(&self) -> i64 {
        2
    }
}
