//! NodeAffinity: node selectors and node affinity, required and preferred.

use api::Map;
use api::core::v1::{NodeAffinity as NodeAffinityRules, NodeSelectorTerm, PreferredSchedulingTerm};
use api::node_fit::fits_term;
use base::{BTreeSet, Str};

use super::{Incoming, Plugin, Prepared, State, Verdict, node, normalize_by_max};
use crate::cache::{Cache, NodeId};

/// The plugin.
#[derive(Clone, Debug, Default)]
pub struct NodeAffinity {
    /// What every pod of the profile asks for besides its own.
    pub added: Option<NodeAffinityRules>,
}

/// What it says of a node that is not selected.
pub const REASON: &str = "node(s) didn't match Pod's node affinity/selector";
/// What it says of a node that the scheduler's configuration leaves out.
pub const REASON_ADDED: &str = "node(s) didn't match scheduler-enforced node affinity";

impl Plugin for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn pre_filter(&self, pod: &Incoming, cache: &Cache, _: &mut State) -> Prepared {
        let asks = !pod.needs.spec.node_selector.is_empty() || pod.needs.node_terms().is_some();
        if !asks && self.added_terms().is_none() {
            return Prepared::Skip;
        }
        match pod.needs.node_terms().and_then(named) {
            None => Prepared::Run,
            Some(names) => {
                let known = |name: &Str| cache.by_name.get(name).copied();
                let exists = |id: &NodeId| cache.nodes[*id as usize].node.is_some();
                Prepared::Only(names.iter().filter_map(known).filter(exists).collect())
            }
        }
    }

    fn filter(&self, pod: &Incoming, cache: &Cache, id: NodeId, _: &State) -> Verdict {
        let info = node(cache, id);
        let Some(node) = &info.node else { return Verdict::unresolvable(REASON) };
        let labels = &node.metadata.labels;
        let fits = |term: &NodeSelectorTerm| fits_term(term, labels, &info.name);
        if self.added_terms().is_some_and(|terms| !terms.iter().any(fits)) {
            return Verdict::unresolvable(REASON_ADDED);
        }
        if required(&pod.needs, labels, &info.name) {
            return Verdict::Pass;
        }
        Verdict::unresolvable(REASON)
    }

    fn pre_score(&self, pod: &Incoming, _: &Cache, _: &[NodeId], _: &mut State) -> bool {
        !pod.needs.preferred_node_terms().is_empty() || !self.added_preferences().is_empty()
    }

    fn score(&self, pod: &Incoming, cache: &Cache, id: NodeId, _: &State) -> i64 {
        let info = node(cache, id);
        let Some(node) = &info.node else { return 0 };
        pod.needs
            .preferred_node_terms()
            .iter()
            .chain(self.added_preferences())
            .filter(|term| term.weight != 0)
            .filter(|term| fits_term(&term.preference, &node.metadata.labels, &info.name))
            .map(|term| i64::from(term.weight))
            .sum()
    }

    fn normalize(&self, _: &[NodeId], scores: &mut [i64], _: &State) {
        normalize_by_max(scores, false);
    }
}

impl NodeAffinity {
    fn added_terms(&self) -> Option<&[NodeSelectorTerm]> {
        let required =
            self.added.as_ref()?.required_during_scheduling_ignored_during_execution.as_ref()?;
        Some(&required.node_selector_terms)
    }

    fn added_preferences(&self) -> &[PreferredSchedulingTerm] {
        match &self.added {
            Some(added) => &added.preferred_during_scheduling_ignored_during_execution,
            None => &[],
        }
    }
}

/// Whether a node has what the pod's node selector and required node affinity ask for.
pub fn required(needs: &crate::needs::Needs, labels: &Map<Str>, name: &str) -> bool {
    needs.spec.node_selector.iter().all(|(key, value)| labels.text(key) == Some(value))
        && needs
            .node_terms()
            .is_none_or(|terms| terms.iter().any(|term| fits_term(term, labels, name)))
}

/// The names of the only nodes that can fit, where every term names its nodes.
fn named(terms: &[NodeSelectorTerm]) -> Option<BTreeSet<Str>> {
    let mut all = BTreeSet::new();
    for term in terms {
        let mut fields =
            term.match_fields.iter().filter(|r| r.key == "metadata.name" && r.operator == "In");
        let mut names: BTreeSet<Str> = fields.next()?.values.iter().cloned().collect();
        for other in fields {
            names.retain(|name| other.values.contains(name));
        }
        all.extend(names);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use crate::testing::{scores, verdicts};

    const NODES: [&str; 3] = ["a disk=ssd cores=8", "b disk=hdd cores=16", "c"];

    fn check(spec: &str, expect: &str) {
        let got = verdicts("NodeAffinity", &NODES, &[], &format!("p | {spec}"));
        let short = got.replace("node(s) didn't match Pod's node affinity/selector!", "no");
        assert_eq!(short, expect, "{spec}");
    }

    fn required(terms: &str) -> String {
        format!(
            r#"{{"affinity":{{"nodeAffinity":{{"requiredDuringSchedulingIgnoredDuringExecution":
               {{"nodeSelectorTerms":[{terms}]}}}}}}}}"#
        )
    }

    #[test]
    fn a_node_selector_wants_all_its_labels() {
        check(r#"{"nodeSelector":{"disk":"ssd"}}"#, "a:ok b:no c:no");
        check(r#"{"nodeSelector":{"disk":"ssd","cores":"16"}}"#, "a:no b:no c:no");
    }

    #[test]
    fn one_of_the_required_terms_is_enough() {
        let ssd = r#"{"matchExpressions":[{"key":"disk","operator":"In","values":["ssd"]}]}"#;
        let big = r#"{"matchExpressions":[{"key":"cores","operator":"Gt","values":["10"]}]}"#;
        check(&required(ssd), "a:ok b:no c:no");
        check(&required(&format!("{ssd},{big}")), "a:ok b:ok c:no");
    }

    #[test]
    fn all_expressions_of_a_term_must_hold_and_a_missing_label_is_not_in() {
        let term = r#"{"matchExpressions":[{"key":"disk","operator":"NotIn","values":["ssd"]},
                       {"key":"cores","operator":"DoesNotExist"}]}"#;
        check(&required(term), "a:no b:no c:ok");
    }

    #[test]
    fn an_empty_term_fits_no_node() {
        check(&required("{}"), "a:no b:no c:no");
    }

    #[test]
    fn terms_that_name_nodes_leave_only_those_to_look_at() {
        let term =
            r#"{"matchFields":[{"key":"metadata.name","operator":"In","values":["b","x"]}]}"#;
        check(&required(term), "a:- b:ok c:-");
    }

    #[test]
    fn preferred_terms_add_up_to_the_score() {
        let term = |weight: i32, key: &str, value: &str| {
            format!(
                r#"{{"weight":{weight},"preference":{{"matchExpressions":[
                   {{"key":"{key}","operator":"In","values":["{value}"]}}]}}}}"#
            )
        };
        let list =
            [term(3, "disk", "ssd"), term(1, "cores", "8"), term(2, "disk", "hdd")].join(",");
        let pod = format!(
            r#"p | {{"affinity":{{"nodeAffinity":
               {{"preferredDuringSchedulingIgnoredDuringExecution":[{list}]}}}}}}"#
        );
        assert_eq!(scores("NodeAffinity", &NODES, &[], &pod), "a:100 b:50 c:0");
    }
}
