//! Templates of pods and the controllers of the core group.
//!
//! Models `ValidatePodTemplateSpec` and `ValidateReplicationController`.
//!
//! Known deviations: none.

use api::codec::{Map, Value};
use api::core::v1::{PodTemplateSpec, ReplicationController};
use api::meta::v1::LabelSelector;
use api::selector::Selector;
use base::Str;

use super::pod;
use crate::validation::check::{Errors, json_map};
use crate::validation::path::Path;

/// A template.
pub fn pod_template(e: &mut Errors, template: &PodTemplateSpec, at: &Path) {
    let meta = &template.metadata;
    e.labels(&at.child("labels"), &meta.labels);
    e.annotations(&at.child("annotations"), &meta.annotations);
    let node = &template.spec.node_name;
    pod::annotations(e, meta, &template.spec, node, &at.child("annotations"));
    pod::spec(e, &template.spec, None, &at.child("spec"));
    if !template.spec.ephemeral_containers.is_empty() {
        let why = "ephemeral containers not allowed in pod template";
        e.forbidden(&at.child("spec").child("ephemeralContainers"), why);
    }
}

/// The pods of a template bear the labels that its controller selects.
pub fn matches(e: &mut Errors, selector: &Selector, labels: &Map<Str>, at: &Path) {
    if !selector.is_everything() && !selector.matches(|key| labels.text(key)) {
        let why = "`selector` does not match template `labels`";
        e.invalid(&at.child("metadata.labels"), &json_map(labels), why);
    }
}

/// The pods of a controller run for ever.
pub fn runs_always(e: &mut Errors, template: &PodTemplateSpec, kind: &str, at: &Path) {
    let at = at.child("spec");
    if template.spec.restart_policy != "Always" {
        e.unsupported(&at.child("restartPolicy"), &template.spec.restart_policy, &["Always"]);
    }
    if template.spec.active_deadline_seconds.is_some() {
        let why = format!("activeDeadlineSeconds in {kind} is not Supported");
        e.forbidden(&at.child("activeDeadlineSeconds"), &why);
    }
}

/// Whether a selector was left out. What was written, be it empty, selects something.
pub fn is_missing(selector: &LabelSelector) -> bool {
    is_empty(selector) && !selector.match_labels.was_given()
}

/// Whether a selector has no requirements.
pub fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.is_empty() && selector.match_expressions.is_empty()
}

/// The selector of a controller: none selects nothing, an empty one everything.
pub fn selector_of(selector: &LabelSelector) -> Option<Selector> {
    match is_missing(selector) {
        true => Selector::of_optional(None).ok(),
        false => Selector::of(selector).ok(),
    }
}

/// A replication controller besides its metadata.
pub fn replication_controller(e: &mut Errors, controller: &ReplicationController) {
    let (spec, at) = (&controller.spec, Path::root("spec"));
    e.not_negative(&at.child("minReadySeconds"), spec.min_ready_seconds.into());
    if spec.selector.is_empty() {
        e.required(&at.child("selector"), "");
    }
    e.not_negative_if(&at.child("replicas"), spec.replicas);
    let template = at.child("template");
    if spec.template.is_zero() {
        e.required(&template, "");
        return;
    }
    matches(
        e,
        &Selector::from_labels(spec.selector.iter()),
        &spec.template.metadata.labels,
        &template,
    );
    pod_template(e, &spec.template, &template);
    runs_always(e, &spec.template, "ReplicationController", &template);
}
