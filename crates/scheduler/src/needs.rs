//! What a pod's spec means to the scheduler, worked out once for all pods that share the spec.

use std::sync::Arc;

use api::core::v1::{
    NodeSelectorTerm, PodAffinityTerm, PodSpec, PreferredSchedulingTerm, Toleration,
};
use api::selector::{Operator, Requirement, Selector};
use api::{Map, meta::v1::LabelSelector};
use base::Str;

use crate::plugins::image_locality;
use crate::volumes;
use client::resources::{Resources, of_pod};

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
    /// Names of its images, with a tag.
    pub images: Vec<Str>,
    /// Whether it uses volumes that the scheduler has to look at.
    pub has_volumes: bool,
    terms: Arc<Terms>,
}

/// Pod affinity of a class.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Required pod affinity.
    pub affinity: Vec<Term>,
    /// Required pod anti-affinity.
    pub anti_affinity: Vec<Term>,
    /// Preferred pod affinity, and anti-affinity with negative weight.
    pub preferred: Vec<(i64, Term)>,
}

impl Terms {
    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.affinity.is_empty() && self.anti_affinity.is_empty() && self.preferred.is_empty()
    }
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
        let terms = Terms {
            affinity: terms(pods.map(|p| &p.required_during_scheduling_ignored_during_execution)),
            anti_affinity: terms(
                anti.map(|p| &p.required_during_scheduling_ignored_during_execution),
            ),
            preferred,
        };
        let containers = spec.init_containers.iter().chain(&spec.containers);
        Needs {
            requests: of_pod(spec, false),
            assumed: of_pod(spec, true),
            ports,
            images: containers.map(|c| image_locality::with_tag(&c.image).into()).collect(),
            has_volumes: spec.volumes.iter().any(volumes::matters),
            terms: Arc::new(terms),
            spec: spec.clone(),
        }
    }

    /// Whether there is any pod affinity, required or preferred.
    pub fn has_pod_affinity(&self) -> bool {
        !self.terms.is_empty()
    }

    /// Whether there is required pod anti-affinity.
    pub fn has_anti_affinity(&self) -> bool {
        !self.terms.anti_affinity.is_empty()
    }

    /// The pod affinity of pods with these labels: label keys to match are filled in.
    pub fn terms_for(&self, labels: &Map<Str>) -> Arc<Terms> {
        let keyed = |term: &Term| !(term.match_keys.is_empty() && term.mismatch_keys.is_empty());
        let own = &self.terms;
        let any_keyed = own.affinity.iter().chain(&own.anti_affinity).any(keyed)
            || own.preferred.iter().any(|(_, term)| keyed(term));
        if !any_keyed {
            return own.clone();
        }
        let all = |terms: &[Term]| terms.iter().map(|t| t.resolved(labels)).collect();
        Arc::new(Terms {
            affinity: all(&own.affinity),
            anti_affinity: all(&own.anti_affinity),
            preferred: own.preferred.iter().map(|(w, t)| (*w, t.resolved(labels))).collect(),
        })
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

    /// With `matchLabelKeys` and `mismatchLabelKeys` made part of the selector.
    fn resolved(&self, labels: &Map<Str>) -> Term {
        let mut term = self.clone();
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
