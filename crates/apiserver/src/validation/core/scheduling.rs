//! Where pods may go: affinity, spreading, tolerations and taints.
//!
//! Models `validateAffinity`, `validateTopologySpreadConstraints` and `ValidateTolerations`.
//!
//! Known deviations: none.

use api::core::v1::{
    Affinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm, Toleration,
    TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use api::names;
use base::Str;

use crate::validation::check::{Errors, NOT_POSITIVE, json};
use crate::validation::path::Path;
use crate::validation::selector;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const BAD_OPERATOR: &str = "not a valid selector operator";
const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Which nodes a pod is drawn to, and which pods.
pub fn affinity(e: &mut Errors, affinity: &Affinity, at: &Path) {
    if let Some(nodes) = &affinity.node_affinity {
        let at = at.child("nodeAffinity");
        if let Some(required) = &nodes.required_during_scheduling_ignored_during_execution {
            node_selector(e, required, &at.child(REQUIRED));
        }
        let terms = &nodes.preferred_during_scheduling_ignored_during_execution;
        for (i, term) in terms.iter().enumerate() {
            let at = at.child(PREFERRED);
            let at = at.index(i);
            weight(e, term.weight, &at);
            node_term(e, &term.preference, &at.child("preference"), true);
        }
    }
    if let Some(pods) = &affinity.pod_affinity {
        let required = &pods.required_during_scheduling_ignored_during_execution;
        let preferred = &pods.preferred_during_scheduling_ignored_during_execution;
        pod_terms(e, required, preferred, &at.child("podAffinity"));
    }
    if let Some(pods) = &affinity.pod_anti_affinity {
        let required = &pods.required_during_scheduling_ignored_during_execution;
        let preferred = &pods.preferred_during_scheduling_ignored_during_execution;
        pod_terms(e, required, preferred, &at.child("podAntiAffinity"));
    }
}

fn weight(e: &mut Errors, weight: i32, at: &Path) {
    if !(1..=100).contains(&weight) {
        e.invalid(&at.child("weight"), &weight, "must be in the range 1-100");
    }
}

/// Terms of which a node must fulfil one.
pub fn node_selector(e: &mut Errors, selector: &NodeSelector, at: &Path) {
    let at = at.child("nodeSelectorTerms");
    if selector.node_selector_terms.is_empty() {
        e.required(&at, "must have at least one node selector term");
    }
    for (i, term) in selector.node_selector_terms.iter().enumerate() {
        node_term(e, term, &at.index(i), true);
    }
}

fn node_term(e: &mut Errors, term: &NodeSelectorTerm, at: &Path, values: bool) {
    for (i, one) in term.match_expressions.iter().enumerate() {
        node_requirement(e, one, &at.child("matchExpressions").index(i), values);
    }
    for (i, one) in term.match_fields.iter().enumerate() {
        let at = at.child("matchFields");
        let at = at.index(i);
        match one.operator.as_str() {
            "In" | "NotIn" if one.values.len() != 1 => {
                let why = "must be only one value when `operator` is 'In' or 'NotIn' for node \
                           field selector";
                e.required(&at.child("values"), why);
            }
            "In" | "NotIn" => {}
            other => e.invalid(&at.child("operator"), other, BAD_OPERATOR),
        }
        if one.key != "metadata.name" {
            e.invalid(&at.child("key"), &one.key, "not a valid field selector key");
            continue;
        }
        for (j, value) in one.values.iter().enumerate() {
            e.subdomain(&at.child("values").index(j), value);
        }
    }
}

fn node_requirement(e: &mut Errors, one: &NodeSelectorRequirement, at: &Path, check: bool) {
    let values = at.child("values");
    match one.operator.as_str() {
        "In" | "NotIn" if one.values.is_empty() => {
            e.required(&values, "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !one.values.is_empty() => {
            let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            e.forbidden(&values, why);
        }
        "Gt" | "Lt" if one.values.len() != 1 => {
            e.required(&values, "must be specified single value when `operator` is 'Lt' or 'Gt'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => e.invalid(&at.child("operator"), other, BAD_OPERATOR),
    }
    e.qualified(&at.child("key"), &one.key);
    for (i, value) in one.values.iter().enumerate().filter(|_| check) {
        e.complaints(&values.index(i), value, names::label_value(value));
    }
}

fn pod_terms(
    e: &mut Errors,
    required: &[PodAffinityTerm],
    preferred: &[WeightedPodAffinityTerm],
    at: &Path,
) {
    for (i, term) in required.iter().enumerate() {
        pod_term(e, term, &at.child(REQUIRED).index(i));
    }
    for (i, term) in preferred.iter().enumerate() {
        let at = at.child(PREFERRED);
        let at = at.index(i);
        weight(e, term.weight, &at);
        pod_term(e, &term.pod_affinity_term, &at.child("podAffinityTerm"));
    }
}

fn pod_term(e: &mut Errors, term: &PodAffinityTerm, at: &Path) {
    selector::check_if(e, &at.child("labelSelector"), term.label_selector.as_deref());
    selector::check_if(e, &at.child("namespaceSelector"), term.namespace_selector.as_deref());
    for namespace in term.namespaces.iter() {
        e.label_name(&at.child("namespace"), namespace);
    }
    for (name, keys) in [
        ("matchLabelKeys", &term.match_label_keys),
        ("mismatchLabelKeys", &term.mismatch_label_keys),
    ] {
        let list = at.child(name);
        if !keys.is_empty() && term.label_selector.is_none() {
            e.forbidden(&list, "must not be specified when labelSelector is not set");
        }
        for (i, key) in keys.iter().enumerate() {
            e.qualified(&list.index(i), key);
        }
    }
    if term.topology_key.is_empty() {
        e.required(&at.child("topologyKey"), "can not be empty");
    }
    e.qualified(&at.child("topologyKey"), &term.topology_key);
}

/// How evenly pods are spread.
pub fn spread(e: &mut Errors, constraints: &[TopologySpreadConstraint], list: &Path) {
    for (i, one) in constraints.iter().enumerate() {
        let at = list.index(i);
        if one.max_skew <= 0 {
            e.invalid(&at.child("maxSkew"), &one.max_skew, NOT_POSITIVE);
        }
        if one.topology_key.is_empty() {
            e.required(&at.child("topologyKey"), "can not be empty");
        } else {
            e.qualified(&at.child("topologyKey"), &one.topology_key);
        }
        let actions = ["DoNotSchedule", "ScheduleAnyway"];
        e.one_of_if(&at.child("whenUnsatisfiable"), Some(&one.when_unsatisfiable), &actions);
        let again = |other: &&TopologySpreadConstraint| {
            other.topology_key == one.topology_key
                && other.when_unsatisfiable == one.when_unsatisfiable
        };
        if constraints[i + 1..].iter().any(|other| again(&other)) {
            let pair = format!("{{{}, {}}}", one.topology_key, one.when_unsatisfiable);
            e.duplicate(&at.child("{topologyKey, whenUnsatisfiable}"), pair.as_str());
        }
        if let Some(domains) = one.min_domains {
            let at = at.child("minDomains");
            if domains <= 0 {
                e.invalid(&at, &domains, NOT_POSITIVE);
            }
            if one.when_unsatisfiable != "DoNotSchedule" {
                let why = format!(
                    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {}",
                    one.when_unsatisfiable
                );
                e.invalid(&at, &domains, &why);
            }
        }
        let policies = ["Honor", "Ignore"];
        e.one_of_if(&at.child("nodeAffinityPolicy"), one.node_affinity_policy.as_ref(), &policies);
        e.one_of_if(&at.child("nodeTaintsPolicy"), one.node_taints_policy.as_ref(), &policies);
        label_keys(e, one, &at.child("matchLabelKeys"));
        selector::check_if(e, &at.child("labelSelector"), one.label_selector.as_deref());
    }
}

fn label_keys(e: &mut Errors, one: &TopologySpreadConstraint, list: &Path) {
    if one.match_label_keys.is_empty() {
        return;
    }
    let Some(selector) = &one.label_selector else {
        e.forbidden(list, "must not be specified when labelSelector is not set");
        return;
    };
    for (i, key) in one.match_label_keys.iter().enumerate() {
        e.qualified(&list.index(i), key);
        let named = selector.match_labels.contains_key(key)
            || selector.match_expressions.iter().any(|expression| expression.key == *key);
        if named {
            let why = "exists in both matchLabelKeys and labelSelector";
            e.invalid(&list.index(i), key, why);
        }
    }
}

/// The taints that a pod bears.
pub fn tolerations(e: &mut Errors, tolerations: &[Toleration], list: &Path) {
    for (i, one) in tolerations.iter().enumerate() {
        let at = list.index(i);
        let operator = at.child("operator");
        if !one.key.is_empty() {
            e.qualified(&at.child("key"), &one.key);
        }
        if one.key.is_empty() && one.operator != "Exists" {
            let why = "operator must be Exists when `key` is empty, which means \"match all \
                       values and all keys\"";
            e.invalid(&operator, &one.operator, why);
        }
        if one.toleration_seconds.is_some() && one.effect != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            e.invalid(&at.child("effect"), &one.effect, why);
        }
        match one.operator.as_str() {
            "Equal" | "" => {
                let complaints = names::label_value(&one.value);
                if !complaints.is_empty() {
                    e.invalid(&operator, &one.value, &complaints.join(";"));
                }
            }
            "Exists" if !one.value.is_empty() => {
                let why = "value must be empty when `operator` is 'Exists'";
                e.invalid(&operator, &json(one), why);
            }
            "Exists" => {}
            other => e.unsupported(&operator, other, &["Equal", "Exists"]),
        }
        if !one.effect.is_empty() && !EFFECTS.contains(&one.effect.as_str()) {
            e.unsupported(&at.child("effect"), &one.effect, EFFECTS);
        }
    }
}

/// What a taint does to pods.
pub fn effect(e: &mut Errors, effect: &Str, at: &Path) {
    e.one_of(at, effect, EFFECTS);
}
