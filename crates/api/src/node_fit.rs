//! Whether a pod belongs on a node, by name, labels, affinity and taints.

use base::Str;

use crate::codec::Map;
use crate::core::v1::{
    Node, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration,
};

/// Whether the node's labels are those that the pod asks for.
pub fn fits_affinity(spec: &PodSpec, node: &Node) -> bool {
    let labels = &node.metadata.labels;
    if !spec.node_selector.iter().all(|(key, value)| labels.text(key) == Some(value)) {
        return false;
    }
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity
        .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    required.is_none_or(|selector| {
        let (labels, name) = (&node.metadata.labels, &node.metadata.name);
        selector.node_selector_terms.iter().any(|term| fits_term(term, labels, name))
    })
}

/// Whether the toleration accepts the taint. An empty key with `Exists` accepts all; `Gt` and `Lt` compare integers.
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let same = |given: &Str, asked: &Str| given.is_empty() || given == asked;
    if !same(&toleration.effect, &taint.effect) || !same(&toleration.key, &taint.key) {
        return false;
    }
    match &*toleration.operator {
        "" | "Equal" => toleration.value == taint.value,
        "Exists" => true,
        "Gt" | "Lt" => match (taint.value.parse::<i64>(), toleration.value.parse::<i64>()) {
            (Ok(taint), Ok(limit)) if toleration.operator == "Gt" => taint > limit,
            (Ok(taint), Ok(limit)) => taint < limit,
            _ => false,
        },
        _ => false,
    }
}

/// Whether all taints with one of these effects are tolerated.
pub fn tolerates_all(taints: &[Taint], tolerations: &[Toleration], effects: &[&str]) -> bool {
    taints
        .iter()
        .filter(|taint| effects.contains(&&*taint.effect))
        .all(|taint| tolerations.iter().any(|toleration| tolerates(toleration, taint)))
}

/// Whether a node with these labels and this name fits a node selector term. An empty term fits none.
pub fn fits_term(term: &NodeSelectorTerm, labels: &Map<Str>, name: &str) -> bool {
    let empty = term.match_expressions.is_empty() && term.match_fields.is_empty();
    let labels = |rule: &NodeSelectorRequirement| fits(rule, labels.text(&rule.key));
    let fields =
        |rule: &NodeSelectorRequirement| rule.key == "metadata.name" && fits(rule, Some(name));
    !empty && term.match_expressions.iter().all(labels) && term.match_fields.iter().all(fields)
}

fn fits(rule: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let among = |value: &str| rule.values.iter().any(|known| known == value);
    let compare = |greater: bool| {
        let limit = rule.values.first().and_then(|limit| limit.parse::<i64>().ok());
        match (value.and_then(|value| value.parse::<i64>().ok()), limit) {
            (Some(value), Some(limit)) if greater => value > limit,
            (Some(value), Some(limit)) => value < limit,
            _ => false,
        }
    };
    match &*rule.operator {
        "In" => value.is_some_and(among),
        "NotIn" => !value.is_some_and(among),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compare(true),
        "Lt" => compare(false),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decode, Json, Value};

    fn object<T: Value + Default>(json: &str) -> T {
        let (mut object, mut cx) = (T::default(), Decode::new());
        object.take(Json::parse(json.as_bytes()).expect("JSON"), &mut cx);
        assert!(cx.error.is_none() && cx.strict.is_empty(), "{:?} {:?}", cx.error, cx.strict);
        object
    }

    /// Whether a pod with this part of a spec fits the node `n1` with the labels `disk=ssd` and `cores=8`.
    fn check(spec: &str, expect: bool) {
        let pod: crate::core::v1::Pod =
            object(&format!(r#"{{"metadata": {{}}, "spec": {{"containers": [], {spec}}}}}"#));
        let node: Node =
            object(r#"{"metadata": {"name": "n1", "labels": {"disk": "ssd", "cores": "8"}}}"#);
        assert_eq!(fits_affinity(&pod.spec, &node), expect, "{spec}");
    }

    fn required(term: &str) -> String {
        format!(
            r#""affinity": {{"nodeAffinity": {{"requiredDuringSchedulingIgnoredDuringExecution":
            {{"nodeSelectorTerms": [{{{term}}}]}}}}}}"#
        )
    }

    #[test]
    fn labels_must_be_those_of_the_selector() {
        check(r#""nodeSelector": {"disk": "ssd"}"#, true);
        check(r#""nodeSelector": {"disk": "hdd"}"#, false);
    }

    #[test]
    fn one_term_with_all_its_rules_must_hold() {
        let rule = |rule: &str| required(&format!(r#""matchExpressions": [{{{rule}}}]"#));
        check(&rule(r#""key": "disk", "operator": "In", "values": ["ssd", "nvme"]"#), true);
        check(&rule(r#""key": "disk", "operator": "NotIn", "values": ["ssd"]"#), false);
        check(&rule(r#""key": "gpu", "operator": "DoesNotExist""#), true);
        check(&rule(r#""key": "cores", "operator": "Gt", "values": ["7"]"#), true);
        check(&rule(r#""key": "cores", "operator": "Lt", "values": ["8"]"#), false);
        check(&required(""), false);
    }

    #[test]
    fn the_node_may_be_meant_by_name() {
        let name = |name: &str| {
            required(&format!(
                r#""matchFields": [{{"key": "metadata.name", "operator": "In", "values": ["{name}"]}}]"#
            ))
        };
        check(&name("n1"), true);
        check(&name("n2"), false);
    }
}
