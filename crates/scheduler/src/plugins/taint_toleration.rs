//! TaintToleration: a tainted node takes only pods that tolerate its taints.

use api::core::v1::{Taint, Toleration};

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

/// Whether a toleration covers a taint. An empty key with `Exists` covers all; `Gt` and `Lt` compare integers.
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    if !toleration.effect.is_empty() && toleration.effect != taint.effect {
        return false;
    }
    if !toleration.key.is_empty() && toleration.key != taint.key {
        return false;
    }
    match toleration.operator.as_str() {
        "" | "Equal" => toleration.value == taint.value,
        "Exists" => true,
        operator @ ("Gt" | "Lt") => {
            match (taint.value.parse::<i64>(), toleration.value.parse::<i64>()) {
                (Ok(taint), Ok(bound)) if operator == "Gt" => taint > bound,
                (Ok(taint), Ok(bound)) => taint < bound,
                _ => false,
            }
        }
        _ => false,
    }
}
