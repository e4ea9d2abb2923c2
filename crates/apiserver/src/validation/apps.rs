//! `apps`: Deployments, ReplicaSets, StatefulSets, DaemonSets, ControllerRevisions.
//!
//! Models `pkg/apis/apps/validation` of Kubernetes.
//!
//! Known deviations: none.

use api::Object;
use api::apps::v1::*;
use api::core::v1::PodTemplateSpec;
use api::int_or_string::IntOrString;
use api::meta::v1::LabelSelector;

use super::check::{Errors, Raw, Shown, count_of};
use super::core::template::{
    is_empty, is_missing, matches, pod_template, runs_always, selector_of,
};
use super::path::Path;
use super::selector;

/// What is wrong with an object of the group besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    if let Some(deployment) = object.get::<Deployment>() {
        self::deployment(e, &deployment.spec);
    } else if let Some(set) = object.get::<ReplicaSet>() {
        replica_set(e, &set.spec);
    } else if let Some(set) = object.get::<StatefulSet>() {
        stateful_set(e, &set.spec);
    } else if let Some(set) = object.get::<DaemonSet>() {
        daemon_set(e, &set.spec);
    } else if let Some(revision) = object.get::<ControllerRevision>() {
        e.not_negative(&Path::root("revision"), revision.revision);
        if revision.data.is_null() {
            e.required(&Path::root("data"), "data is mandatory");
        }
    }
}

/// A selector that must be there and not be empty.
fn selector_given(e: &mut Errors, given: &LabelSelector, kind: &str, at: &Path) {
    let at = at.child("selector");
    if is_missing(given) {
        e.required(&at, "");
        return;
    }
    selector::check(e, &at, given);
    if is_empty(given) {
        let why = format!("empty selector is invalid for {kind}");
        e.invalid(&at, &selector::shown(given), &why);
    }
}

/// The template of a controller whose pods run for ever.
fn replicated(e: &mut Errors, given: &LabelSelector, template: &PodTemplateSpec, at: &Path) {
    match selector_of(given) {
        None => {
            e.invalid(&at.child("selector"), &selector::shown(given), "invalid label selector");
        }
        Some(selector) => {
            let at = at.child("template");
            matches(e, &selector, &template.metadata.labels, &at);
            pod_template(e, template, &at);
            runs_always(e, template, "ReplicaSet", &at);
        }
    }
}

fn deployment(e: &mut Errors, spec: &DeploymentSpec) {
    let at = Path::root("spec");
    e.not_negative_if(&at.child("replicas"), spec.replicas);
    selector_given(e, &spec.selector, "deployment", &at);
    replicated(e, &spec.selector, &spec.template, &at);
    strategy(e, &spec.strategy, &at.child("strategy"));
    e.not_negative(&at.child("minReadySeconds"), spec.min_ready_seconds.into());
    e.not_negative_if(&at.child("revisionHistoryLimit"), spec.revision_history_limit);
    if let Some(seconds) = spec.progress_deadline_seconds {
        let at = at.child("progressDeadlineSeconds");
        e.not_negative(&at, seconds.into());
        if seconds <= spec.min_ready_seconds {
            e.invalid(&at, &seconds, "must be greater than minReadySeconds");
        }
    }
}

fn strategy(e: &mut Errors, strategy: &DeploymentStrategy, at: &Path) {
    let update_at = at.child("rollingUpdate");
    match strategy.type_.as_str() {
        "Recreate" => {
            if strategy.rolling_update.is_some() {
                let why = "may not be specified when strategy `type` is 'Recreate'";
                e.forbidden(&update_at, why);
            }
        }
        "RollingUpdate" => {
            let Some(update) = &strategy.rolling_update else {
                e.required(&update_at, "this should be defaulted and never be nil");
                return;
            };
            let zero = IntOrString::Int(0);
            let unavailable = update.max_unavailable.as_ref().unwrap_or(&zero);
            let surge = update.max_surge.as_ref().unwrap_or(&zero);
            e.count_or_percent(&update_at.child("maxUnavailable"), unavailable);
            e.count_or_percent(&update_at.child("maxSurge"), surge);
            if count_of(unavailable) == 0 && count_of(surge) == 0 {
                let why = "may not be 0 when `maxSurge` is 0";
                e.invalid(&update_at.child("maxUnavailable"), unavailable, why);
            }
            e.at_most_all(&update_at.child("maxUnavailable"), unavailable);
        }
        _ => {
            let update = strategy.rolling_update.as_ref().map_or("null".into(), |update| {
                let (a, b) = (shown(&update.max_unavailable), shown(&update.max_surge));
                format!("{{\"MaxUnavailable\":{a},\"MaxSurge\":{b}}}")
            });
            let value = typed(&strategy.type_, &update);
            e.unsupported(at, &value, &["Recreate", "RollingUpdate"]);
        }
    }
}

fn typed(kind: &str, update: &str) -> Raw {
    Raw(format!("{{\"Type\":{},\"RollingUpdate\":{update}}}", kind.show()))
}

fn shown(value: &Option<IntOrString>) -> String {
    value.as_ref().map_or("0".into(), Shown::show)
}

fn replica_set(e: &mut Errors, spec: &ReplicaSetSpec) {
    let at = Path::root("spec");
    e.not_negative_if(&at.child("replicas"), spec.replicas);
    e.not_negative(&at.child("minReadySeconds"), spec.min_ready_seconds.into());
    selector_given(e, &spec.selector, "deployment", &at);
    replicated(e, &spec.selector, &spec.template, &at);
}

fn daemon_set(e: &mut Errors, spec: &DaemonSetSpec) {
    let at = Path::root("spec");
    let template = at.child("template");
    if !is_missing(&spec.selector) {
        selector::check(e, &at.child("selector"), &spec.selector);
    }
    if let Some(selector) = selector_of(&spec.selector) {
        matches(e, &selector, &spec.template.metadata.labels, &template);
    }
    if !is_missing(&spec.selector) && is_empty(&spec.selector) {
        let why = "empty selector is invalid for daemonset";
        e.invalid(&at.child("selector"), &selector::shown(&spec.selector), why);
    }
    pod_template(e, &spec.template, &template);
    runs_always(e, &spec.template, "DaemonSet", &template);
    e.not_negative(&at.child("minReadySeconds"), spec.min_ready_seconds.into());
    daemon_strategy(e, &spec.update_strategy, &at.child("updateStrategy"));
    e.not_negative_if(&at.child("revisionHistoryLimit"), spec.revision_history_limit);
}

fn daemon_strategy(e: &mut Errors, strategy: &DaemonSetUpdateStrategy, at: &Path) {
    match strategy.type_.as_str() {
        "OnDelete" => {}
        "RollingUpdate" => {
            let at = at.child("rollingUpdate");
            let Some(update) = &strategy.rolling_update else {
                e.required(&at, "");
                return;
            };
            let zero = IntOrString::Int(0);
            let unavailable = update.max_unavailable.as_ref().unwrap_or(&zero);
            let surge = update.max_surge.as_ref().unwrap_or(&zero);
            e.count_or_percent(&at.child("maxUnavailable"), unavailable);
            e.count_or_percent(&at.child("maxSurge"), surge);
            e.at_most_all(&at.child("maxUnavailable"), unavailable);
            e.at_most_all(&at.child("maxSurge"), surge);
            match (count_of(unavailable) != 0, count_of(surge) != 0) {
                (true, true) => {
                    let why = "may not be set when maxUnavailable is non-zero";
                    e.invalid(&at.child("maxSurge"), surge, why);
                }
                (false, false) => {
                    e.required(&at.child("maxUnavailable"), "cannot be 0 when maxSurge is 0");
                }
                _ => {}
            }
        }
        _ => {
            let update = strategy.rolling_update.as_ref().map_or("null".into(), |update| {
                let (a, b) = (shown(&update.max_unavailable), shown(&update.max_surge));
                format!("{{\"MaxUnavailable\":{a},\"MaxSurge\":{b}}}")
            });
            let value = typed(&strategy.type_, &update);
            e.unsupported(at, &value, &["RollingUpdate", "OnDelete"]);
        }
    }
}

fn stateful_set(e: &mut Errors, spec: &StatefulSetSpec) {
    let at = Path::root("spec");
    match spec.pod_management_policy.as_str() {
        "" => e.required(&at.child("podManagementPolicy"), ""),
        "OrderedReady" | "Parallel" => {}
        other => {
            let why = "must be 'OrderedReady' or 'Parallel'";
            e.invalid(&at.child("podManagementPolicy"), other, why);
        }
    }
    stateful_strategy(e, &spec.update_strategy, &at.child("updateStrategy"));
    if let Some(policy) = &spec.persistent_volume_claim_retention_policy {
        let at = at.child("persistentVolumeClaimRetentionPolicy");
        for (name, value) in
            [("whenDeleted", &policy.when_deleted), ("whenScaled", &policy.when_scaled)]
        {
            e.one_of_if(&at.child(name), Some(value), &["Retain", "Delete"]);
        }
    }
    e.not_negative_if(&at.child("replicas"), spec.replicas);
    e.not_negative(&at.child("minReadySeconds"), spec.min_ready_seconds.into());
    if let Some(ordinals) = &spec.ordinals {
        e.not_negative(&at.child("ordinals.start"), ordinals.start.into());
    }
    if !spec.service_name.is_empty() {
        e.label_name(&at.child("serviceName"), &spec.service_name);
    }
    selector_given(e, &spec.selector, "statefulset", &at);
    let template = at.child("template");
    match selector_of(&spec.selector) {
        None => e.invalid(&at.child("selector"), &selector::shown(&spec.selector), ""),
        Some(selector) => {
            matches(e, &selector, &spec.template.metadata.labels, &template);
            pod_template(e, &with_claims(spec), &template);
        }
    }
    runs_always(e, &spec.template, "StatefulSet", &template);
    e.not_negative_if(&at.child("revisionHistoryLimit"), spec.revision_history_limit);
}

/// The template with a volume for each claim, as the pods will have it.
fn with_claims(spec: &StatefulSetSpec) -> PodTemplateSpec {
    let mut template = spec.template.clone();
    for claim in spec.volume_claim_templates.iter() {
        let name = claim.metadata.name.clone();
        template.spec.volumes.retain(|volume| volume.name != name);
        let source = api::core::v1::PersistentVolumeClaimVolumeSource {
            claim_name: name.clone(),
            read_only: false,
        };
        template.spec.volumes.push(api::core::v1::Volume {
            name,
            persistent_volume_claim: Some(Box::new(source)),
            ..api::core::v1::Volume::default()
        });
    }
    template
}

fn stateful_strategy(e: &mut Errors, strategy: &StatefulSetUpdateStrategy, at: &Path) {
    let update_at = at.child("rollingUpdate");
    let shown_update = strategy.rolling_update.as_ref().map_or("null".into(), |update| {
        let partition = update.partition.map_or("0".into(), |partition| partition.to_string());
        let most = update.max_unavailable.as_ref().map_or("null".into(), Shown::show);
        format!("{{\"Partition\":{partition},\"MaxUnavailable\":{most}}}")
    });
    match strategy.type_.as_str() {
        "" => e.required(at, ""),
        "OnDelete" => {
            if strategy.rolling_update.is_some() {
                let why = "only allowed for updateStrategy 'RollingUpdate'";
                e.invalid(&update_at, &Raw(shown_update), why);
            }
        }
        "RollingUpdate" => {
            let Some(update) = &strategy.rolling_update else { return };
            e.not_negative_if(&update_at.child("partition"), update.partition);
            if let Some(most) = &update.max_unavailable {
                let at = update_at.child("maxUnavailable");
                e.count_or_percent(&at, most);
                if count_of(most) == 0 {
                    e.invalid(&at, most, "cannot be 0");
                }
                e.at_most_all(&at, most);
            }
        }
        other => {
            let value = typed(other, &shown_update);
            e.invalid(at, &value, "must be 'RollingUpdate' or 'OnDelete'");
        }
    }
}
