//! TaintToleration: a tainted node takes only pods that tolerate its taints.

use api::node_fit::tolerates;

use super::{Incoming, Plugin, Prepared, State, Verdict, node, normalize_by_max};
use crate::cache::{Cache, NodeId};

/// The plugin.
pub struct TaintToleration;

/// What it says of a node whose taints the pod does not tolerate.
pub const REASON: &str = "node(s) had untolerated taint(s)";

impl Plugin for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn pre_filter(&self, _: &Incoming, _: &Cache, _: &mut State) -> Prepared {
        Prepared::Run
    }

    fn filter(&self, pod: &Incoming, cache: &Cache, id: NodeId, _: &State) -> Verdict {
        let Some(node) = &node(cache, id).node else { return Verdict::Pass };
        let tolerations = pod.needs.tolerations();
        let untolerated = node.spec.taints.iter().any(|taint| {
            matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
                && !tolerations.iter().any(|t| tolerates(t, taint))
        });
        if untolerated { Verdict::unresolvable(REASON) } else { Verdict::Pass }
    }

    fn pre_score(&self, _: &Incoming, _: &Cache, _: &[NodeId], _: &mut State) -> bool {
        true
    }

    fn score(&self, pod: &Incoming, cache: &Cache, id: NodeId, _: &State) -> i64 {
        let Some(node) = &node(cache, id).node else { return 0 };
        let soft = || {
            pod.needs
                .tolerations()
                .iter()
                .filter(|t| t.effect.is_empty() || t.effect == "PreferNoSchedule")
        };
        node.spec
            .taints
            .iter()
            .filter(|taint| taint.effect == "PreferNoSchedule")
            .filter(|taint| !soft().any(|t| tolerates(t, taint)))
            .count() as i64
    }

    fn normalize(&self, _: &[NodeId], scores: &mut [i64], _: &State) {
        normalize_by_max(scores, true);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{scores, verdicts};

    const NODES: [&str; 4] = [
        "a",
        "b taint=team=x:NoSchedule",
        "c taint=gone:NoExecute",
        "d taint=old=1:PreferNoSchedule",
    ];

    fn check(tolerations: &str, expect: &str) {
        let pod = format!(r#"p | {{"tolerations":[{tolerations}]}}"#);
        let got = verdicts("TaintToleration", &NODES, &[], &pod);
        let short = got.replace("node(s) had untolerated taint(s)!", "no");
        assert_eq!(short, expect, "{tolerations}");
    }

    #[test]
    fn hard_taints_keep_pods_away_and_soft_ones_do_not() {
        check("", "a:ok b:no c:no d:ok");
    }

    #[test]
    fn a_toleration_needs_the_same_key_and_value() {
        check(r#"{"key":"team","value":"x"}"#, "a:ok b:ok c:no d:ok");
        check(r#"{"key":"team","value":"y"}"#, "a:ok b:no c:no d:ok");
    }

    #[test]
    fn exists_without_a_key_tolerates_everything() {
        check(r#"{"operator":"Exists"}"#, "a:ok b:ok c:ok d:ok");
    }

    #[test]
    fn a_toleration_of_one_effect_does_not_cover_another() {
        check(r#"{"operator":"Exists","effect":"NoSchedule"}"#, "a:ok b:ok c:no d:ok");
    }

    #[test]
    fn nodes_with_fewer_soft_taints_score_higher() {
        let nodes = [
            "a",
            "b taint=x:PreferNoSchedule",
            "c taint=x:PreferNoSchedule taint=y:PreferNoSchedule",
        ];
        assert_eq!(scores("TaintToleration", &nodes, &[], "p"), "a:100 b:50 c:0");
    }

    #[test]
    fn greater_than_compares_the_taint_with_the_toleration() {
        use super::tolerates;
        use api::core::v1::{Taint, Toleration};
        let taint =
            |value: &str| Taint { key: "n".into(), value: value.into(), ..Taint::default() };
        let over_5 = Toleration {
            key: "n".into(),
            operator: "Gt".into(),
            value: "5".into(),
            ..Toleration::default()
        };
        let answers = ["4", "5", "6", "x"].map(|value| tolerates(&over_5, &taint(value)));
        assert_eq!(answers, [false, false, true, false]);
    }
}
