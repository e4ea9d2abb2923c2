//! InterPodAffinity: pods that want to be near other pods, or away from them.

use base::{HashMap, Str};

use super::{Incoming, Plugin, Prepared, SCORE_MAX, Scope, State, Verdict};
use crate::cache::{Cache, ClassId, Move, NodeId};
use crate::needs::Terms;
use crate::topology::Tally;

/// The plugin.
pub struct InterPodAffinity {
    /// How much a required affinity of an existing pod counts in scoring.
    pub hard_weight: i64,
}

impl Default for InterPodAffinity {
    fn default() -> InterPodAffinity {
        InterPodAffinity { hard_weight: 1 }
    }
}

/// A pod already there keeps this one away.
pub const REASON_EXISTING: &str = "node(s) didn't satisfy existing pods anti-affinity rules";
/// The pod's own affinity finds no companion.
pub const REASON_AFFINITY: &str = "node(s) didn't match pod affinity rules";
/// The pod's own anti-affinity finds somebody to avoid.
pub const REASON_ANTI: &str = "node(s) didn't match pod anti-affinity rules";

/// What is counted for a class of incoming pods, followed from cycle to cycle.
#[derive(Clone, Debug)]
pub struct AffinityState {
    topology: u64,
    seen: u64,
    hard_weight: i64,
    namespace: Str,
    class: ClassId,
    terms: std::sync::Arc<Terms>,
    /// For each required affinity term: pods that all of them mean.
    affinity: Vec<Tally>,
    /// For each required anti-affinity term: pods that it means.
    anti: Vec<Tally>,
    /// Pods whose anti-affinity means the incoming pod, for each topology key.
    existing: Vec<Tally>,
    /// What each domain is worth to the pod, for each topology key.
    worth: Vec<Tally>,
    /// Pods that the affinity terms mean, wherever they are.
    companions: i64,
    /// The pod is one that its own affinity terms mean.
    own_kind: bool,
    /// What the pods of a class count for.
    relations: HashMap<ClassId, Relation>,
}

/// What the pods of one class count for.
#[derive(Clone, Debug, Default)]
struct Relation {
    companion: bool,
    avoided: Vec<usize>,
    avoids: Vec<usize>,
    worth: Vec<(usize, i64)>,
}

impl AffinityState {
    fn new(pod: &Incoming, cache: &Cache, hard_weight: i64) -> AffinityState {
        let tallies = |terms: &[crate::needs::Term]| -> Vec<Tally> {
            terms.iter().map(|t| Tally::new(cache.domains_of(&t.topology_key))).collect()
        };
        let namespace = pod.namespace().clone();
        let space = cache.namespaces.get(&namespace);
        let own_kind = pod
            .terms
            .affinity
            .iter()
            .all(|t| t.matches(&namespace, &namespace, space, pod.labels()));
        let mut state = AffinityState {
            topology: cache.topology,
            seen: cache.moves_end(),
            hard_weight,
            namespace,
            class: pod.class,
            affinity: tallies(&pod.terms.affinity),
            anti: tallies(&pod.terms.anti_affinity),
            terms: pod.terms.clone(),
            existing: Vec::new(),
            worth: Vec::new(),
            companions: 0,
            own_kind,
            relations: HashMap::default(),
        };
        let looks = !state.terms.is_empty();
        for (id, class) in cache.classes.iter().enumerate() {
            if class.on_node.is_empty() || !(looks || class.needs.has_pod_affinity()) {
                continue;
            }
            let relation = state.relation(cache, id as ClassId);
            for (node, (all, _)) in &class.on_node {
                state.add(&relation, *node, i64::from(*all));
            }
            state.relations.insert(id as ClassId, relation);
        }
        state
    }

    /// What the pods of a class mean to the incoming pod, and it to them.
    fn relation(&mut self, cache: &Cache, id: ClassId) -> Relation {
        let class = &cache.classes[id as usize];
        let own = &cache.classes[self.class as usize];
        let there = cache.namespaces.get(&class.namespace);
        let here = cache.namespaces.get(&self.namespace);
        let terms = self.terms.clone();
        let means = |term: &crate::needs::Term| {
            term.matches(&self.namespace, &class.namespace, there, &class.labels)
        };
        let meant = |term: &&crate::needs::Term| {
            term.matches(&class.namespace, &self.namespace, here, &own.labels)
        };
        let companion = !terms.affinity.is_empty() && terms.affinity.iter().all(means);
        let avoided = terms.anti_affinity.iter().enumerate();
        let avoided = avoided.filter(|(_, term)| means(term)).map(|(at, _)| at).collect();
        let avoids: Vec<Str> = class
            .terms
            .anti_affinity
            .iter()
            .filter(meant)
            .map(|term| term.topology_key.clone())
            .collect();
        let mut worth: Vec<(Str, i64)> = Vec::new();
        for (weight, term) in terms.preferred.iter().filter(|(_, term)| means(term)) {
            worth.push((term.topology_key.clone(), *weight));
        }
        let hard = class.terms.affinity.iter().map(|term| (self.hard_weight, term));
        let soft = class.terms.preferred.iter().map(|(weight, term)| (*weight, term));
        for (weight, term) in hard.chain(soft).filter(|(_, term)| meant(term)) {
            worth.push((term.topology_key.clone(), weight));
        }
        Relation {
            companion,
            avoided,
            avoids: avoids.iter().map(|key| tally_of(&mut self.existing, cache, key)).collect(),
            worth: worth
                .iter()
                .map(|(key, weight)| (tally_of(&mut self.worth, cache, key), *weight))
                .collect(),
        }
    }

    fn add(&mut self, relation: &Relation, node: NodeId, by: i64) {
        if relation.companion {
            for tally in &mut self.affinity {
                tally.add(node, by);
            }
            if self.affinity.iter().any(|tally| tally.domains.of(node).is_some()) {
                self.companions += by;
            }
        }
        for at in &relation.avoided {
            self.anti[*at].add(node, by);
        }
        for at in &relation.avoids {
            self.existing[*at].add(node, by);
        }
        for (at, weight) in &relation.worth {
            self.worth[*at].add(node, weight * by);
        }
    }

    /// Takes in what moved since; false if that is not known any more.
    pub fn follow(&mut self, cache: &Cache) -> bool {
        let Some(moves) = cache.moves_since(self.seen) else { return false };
        for Move { class, node, all, .. } in moves {
            let relation = match self.relations.remove(class) {
                Some(known) => known,
                None => self.relation(cache, *class),
            };
            self.add(&relation, *node, *all);
            self.relations.insert(*class, relation);
        }
        self.seen = cache.moves_end();
        true
    }

    fn affinity_holds(&self, id: NodeId) -> bool {
        if self.affinity.iter().any(|tally| tally.domains.of(id).is_none()) {
            return false;
        }
        // The first of a group that wants company of its own kind may start anywhere.
        self.affinity.iter().all(|tally| tally.is_positive(id))
            || (self.companions == 0 && self.own_kind)
    }
}

/// The place of the tally for a topology key; one is made if there is none.
fn tally_of(tallies: &mut Vec<Tally>, cache: &Cache, key: &Str) -> usize {
    if let Some(at) = tallies.iter().position(|tally| tally.domains.key == *key) {
        return at;
    }
    tallies.push(Tally::new(cache.domains_of(key)));
    tallies.len() - 1
}

impl InterPodAffinity {
    /// Brings the state of a class up to date; false if no pod affinity matters to it.
    fn update(&self, pod: &Incoming, cache: &Cache, state: &mut State) -> bool {
        if cache.affine.is_empty() && pod.terms.is_empty() {
            state.affinity = None;
            return false;
        }
        let known = state
            .affinity
            .as_mut()
            .is_some_and(|own| own.topology == cache.topology && own.follow(cache));
        if !known {
            state.affinity = Some(AffinityState::new(pod, cache, self.hard_weight));
        }
        true
    }
}

impl Plugin for InterPodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn pre_filter(&self, pod: &Incoming, cache: &Cache, state: &mut State) -> Prepared {
        if !self.update(pod, cache, state) {
            return Prepared::Skip;
        }
        let idle = state.affinity.as_ref().is_none_or(|own| {
            own.affinity.is_empty()
                && own.anti.is_empty()
                && own.existing.iter().all(|tally| tally.counts.iter().all(|count| *count == 0))
        });
        if idle { Prepared::Skip } else { Prepared::Run }
    }

    fn filter(&self, _: &Incoming, _: &Cache, id: NodeId, state: &State) -> Verdict {
        let Some(own) = &state.affinity else { return Verdict::Pass };
        if !own.affinity.is_empty() && !own.affinity_holds(id) {
            return Verdict::unresolvable(REASON_AFFINITY);
        }
        if own.anti.iter().any(|tally| tally.is_positive(id)) {
            return Verdict::unschedulable(REASON_ANTI);
        }
        if own.existing.iter().any(|tally| tally.is_positive(id)) {
            return Verdict::unschedulable(REASON_EXISTING);
        }
        Verdict::Pass
    }

    fn pre_score(&self, pod: &Incoming, cache: &Cache, _: &[NodeId], state: &mut State) -> bool {
        self.update(pod, cache, state)
            && state.affinity.as_ref().is_some_and(|own| {
                own.worth.iter().any(|tally| tally.counts.iter().any(|worth| *worth != 0))
            })
    }

    fn score(&self, _: &Incoming, _: &Cache, id: NodeId, state: &State) -> i64 {
        let Some(own) = &state.affinity else { return 0 };
        own.worth.iter().filter_map(|tally| tally.at(id)).sum()
    }

    fn normalize(&self, _: &[NodeId], scores: &mut [i64], _: &State) {
        let (least, most) =
            (scores.iter().copied().min().unwrap_or(0), scores.iter().copied().max().unwrap_or(0));
        for score in scores {
            *score = match most - least {
                0 => 0,
                span => (SCORE_MAX as f64 * ((*score - least) as f64 / span as f64)) as i64,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{cluster, scores, verdicts, verdicts_in};

    const NODES: [&str; 3] = ["a zone=x", "b zone=x", "c zone=y"];

    fn term(app: &str, key: &str, more: &str) -> String {
        format!(
            r#"{{"labelSelector":{{"matchLabels":{{"app":"{app}"}}}},"topologyKey":"{key}"{more}}}"#
        )
    }

    fn zone(app: &str) -> String {
        term(app, "topology.kubernetes.io/zone", "")
    }

    /// A spec with a required term of `podAffinity` or `podAntiAffinity`.
    fn required(which: &str, terms: &[String]) -> String {
        format!(
            r#"{{"affinity":{{"{which}":{{"requiredDuringSchedulingIgnoredDuringExecution":[{}]}}}}}}"#,
            terms.join(",")
        )
    }

    fn short(got: &str) -> String {
        got.replace("node(s) didn't match pod affinity rules!", "alone")
            .replace("node(s) didn't match pod anti-affinity rules", "avoided")
            .replace("node(s) didn't satisfy existing pods anti-affinity rules", "unwelcome")
    }

    fn check(pods: &[&str], pod: &str, expect: &str) {
        assert_eq!(short(&verdicts("InterPodAffinity", &NODES, pods, pod)), expect);
    }

    #[test]
    fn affinity_wants_company_in_the_same_domain() {
        let near_db = format!("p app=web | {}", required("podAffinity", &[zone("db")]));
        check(&["1 on=a app=db"], &near_db, "a:ok b:ok c:alone");
        check(&[], &near_db, "a:alone b:alone c:alone");
    }

    #[test]
    fn the_first_of_a_group_may_start_anywhere() {
        let near_own = format!("p app=web | {}", required("podAffinity", &[zone("web")]));
        check(&[], &near_own, "a:ok b:ok c:ok");
        check(&["1 on=c app=web"], &near_own, "a:alone b:alone c:ok");
    }

    #[test]
    fn one_companion_must_be_what_all_terms_mean() {
        let both = required("podAffinity", &[zone("db"), zone("cache")]);
        check(
            &["1 on=a app=db", "2 on=a app=cache"],
            &format!("p | {both}"),
            "a:alone b:alone c:alone",
        );
    }

    #[test]
    fn anti_affinity_keeps_away_from_the_domain() {
        let apart = format!("p app=web | {}", required("podAntiAffinity", &[zone("web")]));
        check(&["1 on=a app=web"], &apart, "a:avoided b:avoided c:ok");
        check(&["1 on=a app=web ns=other"], &apart, "a:ok b:ok c:ok");
    }

    #[test]
    fn pods_that_are_there_keep_others_away() {
        let there = format!("1 on=c app=db | {}", required("podAntiAffinity", &[zone("web")]));
        check(&[&there], "p app=web", "a:ok b:ok c:unwelcome");
        check(&[&there], "p app=db", "a:ok b:ok c:ok");
    }

    #[test]
    fn namespaces_by_label() {
        let more = r#","namespaceSelector":{"matchLabels":{"team":"red"}}"#;
        let terms = [term("web", "topology.kubernetes.io/zone", more)];
        let mut cache = cluster(&NODES, &["1 on=a app=web ns=red", "2 on=c app=web ns=blue"]);
        for name in ["red", "blue"] {
            let mut namespace = api::core::v1::Namespace::default();
            let meta = std::sync::Arc::make_mut(&mut namespace.metadata);
            meta.name = name.into();
            meta.labels.insert("team", name.into());
            cache.set_namespace(&namespace);
        }
        let pod = format!("p | {}", required("podAntiAffinity", &terms));
        let got = verdicts_in("InterPodAffinity", &mut cache, &pod);
        assert_eq!(short(&got), "a:avoided b:avoided c:ok");
    }

    #[test]
    fn label_keys_part_the_pods_by_the_incoming_pods_value() {
        let pods = ["1 on=a app=web rev=1", "2 on=c app=web rev=2"];
        let check = |keys: &str, expect: &str| {
            let terms = [term("web", "topology.kubernetes.io/zone", keys)];
            let pod = format!("p app=web rev=2 | {}", required("podAntiAffinity", &terms));
            assert_eq!(short(&verdicts("InterPodAffinity", &NODES, &pods, &pod)), expect, "{keys}");
        };
        check("", "a:avoided b:avoided c:avoided");
        check(r#","matchLabelKeys":["rev"]"#, "a:ok b:ok c:avoided");
        check(r#","mismatchLabelKeys":["rev"]"#, "a:avoided b:avoided c:ok");
    }

    fn preferring(which: &str, weight: i32, app: &str) -> String {
        format!(
            r#"{{"affinity":{{"{which}":{{"preferredDuringSchedulingIgnoredDuringExecution":[
               {{"weight":{weight},"podAffinityTerm":{}}}]}}}}}}"#,
            zone(app)
        )
    }

    #[test]
    fn preferred_company_scores_and_preferred_distance_costs() {
        let pods = ["1 on=a app=db"];
        let near = format!("p | {}", preferring("podAffinity", 10, "db"));
        assert_eq!(scores("InterPodAffinity", &NODES, &pods, &near), "a:100 b:100 c:0");
        let apart = format!("p | {}", preferring("podAntiAffinity", 10, "db"));
        assert_eq!(scores("InterPodAffinity", &NODES, &pods, &apart), "a:0 b:0 c:100");
    }

    #[test]
    fn what_existing_pods_prefer_or_require_counts_too() {
        let soft = format!("1 on=a app=db | {}", preferring("podAffinity", 4, "web"));
        let hard = format!("2 on=c app=db | {}", required("podAffinity", &[zone("web")]));
        let got = scores("InterPodAffinity", &NODES, &[&soft, &hard], "p app=web");
        assert_eq!(
            got, "a:100 b:100 c:0",
            "a preference of 4 outweighs a requirement, which counts 1"
        );
    }

    #[test]
    fn without_any_affinity_nothing_is_scored() {
        assert_eq!(scores("InterPodAffinity", &NODES, &["1 on=a app=db"], "p app=web"), "");
    }
}
