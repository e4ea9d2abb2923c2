//! What a pod's spec means to the scheduler, worked out once for all pods that share the spec.

use std::sync::Arc;

use api::core::v1::{
    NodeSelectorTerm, PodAffinityTerm, PodSpec, PreferredSchedulingTerm, Toleration,
};
use api::selector::Selector;
use api::{Map, meta::v1::LabelSelector};
use base::Str;

use crate::resources::{Resources, of_pod};

/// The scheduling-relevant part of a pod's spec.
#[derive(Debug)]
pub struct Needs {
    /// The spec.
    pub spec: Arc<PodSpec>,
    /// What it asks for.
    pub requests: Resources,
    /// The same with assumed values where nothing is asked, for scoring.
    pub assumed: Resources,
    /// Host ports: protocol, host address, port.
    pub ports: Vec<(Str, Str, i32)>,
    /// Required pod affinity.
    pub affinity: Vec<Term>,
    /// Required pod anti-affinity.
    pub anti_affinity: Vec<Term>,
    /// Preferred pod affinity, and anti-affinity with negative weight.
    pub preferred: Vec<(i64, Term)>,
}

/// A pod affinity term with its selectors made ready.
#[derive(Debug, Clone)]
pub struct Term {
    /// Which pods.
    pub selector: Selector,
    /// In which namespaces by name; empty with no namespace selector means the pod's own.
    pub namespaces: Vec<Str>,
    /// In which namespaces by label.
    pub namespace_selector: Option<Selector>,
    /// What counts as the same place.
    pub topology_key: Str,
    /// Label keys whose values are taken from the incoming pod.
    pub match_keys: Vec<Str>,
    /// Label keys whose values must differ from the incoming pod's.
    pub mismatch_keys: Vec<Str>,
}

impl Needs {
    /// Works out the needs of a spec.
    pub fn of(spec: &Arc<PodSpec>) -> Needs {
        let mut ports = Vec::new();
        let sidecars =
            spec.init_containers.iter().filter(|c| c.restart_policy.as_deref() == Some("Always"));
        for port in sidecars.chain(&spec.containers).flat_map(|c| &c.ports) {
            if port.host_port > 0 {
                let or = |text: &Str, default: &str| {
                    if text.is_empty() { Str::from(default) } else { text.clone() }
                };
                ports.push((
                    or(&port.protocol, "TCP"),
                    or(&port.host_ip, "0.0.0.0"),
                    port.host_port,
                ));
            }
        }
        let pods = spec.affinity.as_ref().and_then(|a| a.pod_affinity.as_ref());
        let anti = spec.affinity.as_ref().and_then(|a| a.pod_anti_affinity.as_ref());
        let mut preferred = Vec::new();
        for (sign, list) in [
            (1, pods.map(|p| &p.preferred_during_scheduling_ignored_during_execution)),
            (-1, anti.map(|p| &p.preferred_during_scheduling_ignored_during_execution)),
        ] {
            for weighted in list.into_iter().flatten() {
                preferred.push((
                    sign * i64::from(weighted.weight),
                    Term::of(&weighted.pod_affinity_term),
                ));
            }
        }
        let terms = |list: Option<&base::List<PodAffinityTerm>>| {
            list.into_iter().flatten().map(Term::of).collect()
        };
        Needs {
            requests: of_pod(spec, false),
            assumed: of_pod(spec, true),
            ports,
            affinity: terms(pods.map(|p| &p.required_during_scheduling_ignored_during_execution)),
            anti_affinity: terms(
                anti.map(|p| &p.required_during_scheduling_ignored_during_execution),
            ),
            preferred,
            spec: spec.clone(),
        }
    }

    /// Required node affinity terms; `None` if any node will do.
    pub fn node_terms(&self) -> Option<&[NodeSelectorTerm]> {
        let affinity = self.spec.affinity.as_ref()?.node_affinity.as_ref()?;
        let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
        Some(&required.node_selector_terms)
    }

    /// Preferred node affinity terms.
    pub fn preferred_node_terms(&self) -> &[PreferredSchedulingTerm] {
        self.spec
            .affinity
            .as_ref()
            .and_then(|a| a.node_affinity.as_ref())
            .map_or(&[], |a| &a.preferred_during_scheduling_ignored_during_execution)
    }

    /// Tolerations.
    pub fn tolerations(&self) -> &[Toleration] {
        &self.spec.tolerations
    }

    /// Whether other pods of the same class can reuse a ranking of nodes: nothing that one of them does to a
    /// node changes how the others see any other node, save for spreading, which is followed.
    pub fn is_plain(&self) -> bool {
        self.ports.is_empty()
            && self.affinity.is_empty()
            && self.anti_affinity.is_empty()
            && self.preferred.is_empty()
            && self.spec.topology_spread_constraints.is_empty()
            && self.spec.resource_claims.is_empty()
            && !self.spec.volumes.iter().any(|v| {
                v.persistent_volume_claim.is_some()
                    || v.ephemeral.is_some()
                    || v.gce_persistent_disk.is_some()
                    || v.aws_elastic_block_store.is_some()
                    || v.iscsi.is_some()
                    || v.rbd.is_some()
            })
    }
}

impl Term {
    fn of(term: &PodAffinityTerm) -> Term {
        let selector = |s: &LabelSelector| Selector::of(s).unwrap_or_else(|_| Selector::nothing());
        Term {
            selector: term.label_selector.as_deref().map_or_else(Selector::nothing, selector),
            namespaces: term.namespaces.to_vec(),
            namespace_selector: term.namespace_selector.as_deref().map(selector),
            topology_key: term.topology_key.clone(),
            match_keys: term.match_label_keys.to_vec(),
            mismatch_keys: term.mismatch_label_keys.to_vec(),
        }
    }

    /// Whether the term of a pod in `owner_namespace` means a pod with these labels in `namespace`.
    pub fn matches(
        &self,
        owner_namespace: &str,
        namespace: &str,
        namespace_labels: Option<&Map<Str>>,
        labels: &Map<Str>,
    ) -> bool {
        let here = if self.namespaces.is_empty() && self.namespace_selector.is_none() {
            namespace == owner_namespace
        } else {
            self.namespaces.iter().any(|n| n == namespace)
                || self.namespace_selector.as_ref().is_some_and(|selector| {
                    selector.is_everything()
                        || namespace_labels
                            .is_some_and(|labels| selector.matches(|key| labels.text(key)))
                })
        };
        here && self.selector.matches(|key| labels.text(key))
    }
}
