//! `autoscaling`: horizontal pod autoscalers and scales.
//!
//! Models `pkg/apis/autoscaling/validation` of Kubernetes.
//!
//! Known deviations: none.

use api::Object;
use api::autoscaling::v2::*;
use api::autoscaling::{v1, v2};
use api::names;
use base::Str;

use super::check::{Errors, NOT_POSITIVE};
use super::path::Path;
use super::selector;

/// What is wrong with an object of the group besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    let at = Path::root("spec");
    if let Some(autoscaler) = object.get::<v2::HorizontalPodAutoscaler>() {
        let spec = &autoscaler.spec;
        replicas(e, spec.min_replicas, spec.max_replicas, &at);
        let target = &spec.scale_target_ref;
        let parts = [&target.kind, &target.name, &target.api_version];
        reference(e, parts, true, &at.child("scaleTargetRef"));
        metrics(e, spec, &at.child("metrics"));
        if let Some(behavior) = &spec.behavior {
            let at = at.child("behavior");
            rules(e, behavior.scale_up.as_deref(), &at.child("scaleUp"));
            rules(e, behavior.scale_down.as_deref(), &at.child("scaleDown"));
        }
    } else if let Some(autoscaler) = object.get::<v1::HorizontalPodAutoscaler>() {
        let spec = &autoscaler.spec;
        replicas(e, spec.min_replicas, spec.max_replicas, &at);
        let target = &spec.scale_target_ref;
        let parts = [&target.kind, &target.name, &target.api_version];
        reference(e, parts, true, &at.child("scaleTargetRef"));
        if let Some(percent) = spec.target_cpu_utilization_percentage.filter(|p| *p < 1) {
            let at = at.child("metrics");
            let at = at.index(0);
            let why = "must be greater than 0";
            e.invalid(&at.child("resource.target.averageUtilization"), &percent, why);
        }
    } else if let Some(scale) = object.get::<v1::Scale>() {
        e.not_negative(&at.child("replicas"), scale.spec.replicas.into());
    }
}

fn replicas(e: &mut Errors, min: Option<i32>, max: i32, at: &Path) {
    if let Some(min) = min.filter(|min| *min < 1) {
        e.invalid(&at.child("minReplicas"), &min, "must be greater than or equal to 1");
    }
    let at = at.child("maxReplicas");
    if max < 1 {
        e.required(&at, "must be set and greater than 0");
    }
    if min.is_some_and(|min| max < min) {
        e.invalid(&at, &max, "must be greater than or equal to `minReplicas`");
    }
}

fn reference(e: &mut Errors, [kind, name, version]: [&Str; 3], grouped: bool, at: &Path) {
    for (field, value) in [("kind", kind), ("name", name)] {
        if value.is_empty() {
            e.required(&at.child(field), "");
        } else {
            e.complaints(&at.child(field), value, names::path_segment(value, false));
        }
    }
    let at = at.child("apiVersion");
    if version.matches('/').count() > 1 {
        let why = format!("unexpected GroupVersion string: {version}");
        e.invalid(&at, version, &why);
    } else if grouped && version.split_once('/').is_none_or(|(group, _)| group.is_empty()) {
        e.invalid(&at, version, "apiVersion must specify API group");
    }
}

fn metrics(e: &mut Errors, spec: &HorizontalPodAutoscalerSpec, list: &Path) {
    let mut seen_object_or_external = false;
    for (i, metric) in spec.metrics.iter().enumerate() {
        self::metric(e, metric, &list.index(i));
        seen_object_or_external |= matches!(metric.type_.as_str(), "Object" | "External");
    }
    if spec.min_replicas == Some(0) && !seen_object_or_external {
        e.forbidden(list, "must specify at least one Object or External metric to support scaling to zero replicas");
    }
}

fn metric(e: &mut Errors, metric: &MetricSpec, at: &Path) {
    let types = ["ContainerResource", "External", "Object", "Pods", "Resource"];
    if metric.type_.is_empty() {
        e.required(&at.child("type"), "must specify a metric source type");
    } else {
        e.one_of_if(&at.child("type"), Some(&metric.type_), &types);
    }
    let given = [
        ("object", "Object", metric.object.is_some()),
        ("external", "External", metric.external.is_some()),
        ("pods", "Pods", metric.pods.is_some()),
        ("resource", "Resource", metric.resource.is_some()),
        ("containerResource", "ContainerResource", metric.container_resource.is_some()),
    ];
    if let Some(source) = &metric.object {
        let at = at.child("object");
        let about = &source.described_object;
        let parts = [&about.kind, &about.name, &about.api_version];
        reference(e, parts, false, &at.child("describedObject"));
        identifier(e, &source.metric, &at.child("metric"));
        target(e, &source.target, &at.child("target"));
        if source.target.value.is_none() && source.target.average_value.is_none() {
            let why = "must set either a target value for metric or a per-pod target";
            e.required(&at.child("target.averageValue"), why);
        }
    }
    if let Some(source) = &metric.external {
        let at = at.child("external");
        identifier(e, &source.metric, &at.child("metric"));
        target(e, &source.target, &at.child("target"));
        match (&source.target.value, &source.target.average_value) {
            (None, None) => {
                let why = "must set either a target value for metric or a per-pod target";
                e.required(&at.child("target.averageValue"), why);
            }
            (Some(_), Some(_)) => {
                let why = "may not set both a target value for metric and a per-pod target";
                e.forbidden(&at.child("target.value"), why);
            }
            _ => {}
        }
    }
    if let Some(source) = &metric.pods {
        let at = at.child("pods");
        identifier(e, &source.metric, &at.child("metric"));
        target(e, &source.target, &at.child("target"));
        if source.target.average_value.as_ref().is_none_or(|value| value.sign() != 1) {
            let why = "must specify a positive target averageValue";
            e.required(&at.child("target.averageValue"), why);
        }
    }
    if let Some(source) = &metric.resource {
        resource(e, &source.name, &source.target, &at.child("resource"));
    }
    if let Some(source) = &metric.container_resource {
        let at = at.child("containerResource");
        if source.container.is_empty() {
            e.required(&at.child("container"), "must specify a container");
        }
        resource(e, &source.name, &source.target, &at);
    }
    for (field, kind, is_given) in given {
        if metric.type_ == kind && !is_given {
            let why = "must populate information for the given metric source";
            e.required(&at.child(field), why);
        } else if metric.type_ != kind && is_given {
            let why = "must populate the given metric source only";
            e.forbidden(&at.child(field), why);
        }
    }
}

fn identifier(e: &mut Errors, metric: &MetricIdentifier, at: &Path) {
    let name = at.child("name");
    if metric.name.is_empty() {
        e.required(&name, "must specify a metric name");
    } else {
        e.complaints(&name, &metric.name, names::path_segment(&metric.name, false));
    }
    selector::check_if(e, &at.child("selector"), metric.selector.as_deref());
}

fn resource(e: &mut Errors, name: &str, given: &MetricTarget, at: &Path) {
    if name.is_empty() {
        e.required(&at.child("name"), "must specify a resource name");
    }
    target(e, given, &at.child("target"));
    match (given.average_utilization, &given.average_value) {
        (None, None) => {
            let why = "must set either a target raw value or a target utilization";
            e.required(&at.child("target.averageUtilization"), why);
        }
        (Some(_), Some(_)) => {
            let why = "may not set both a target raw value and a target utilization";
            e.forbidden(&at.child("target.averageValue"), why);
        }
        _ => {}
    }
}

fn target(e: &mut Errors, target: &MetricTarget, at: &Path) {
    if target.type_.is_empty() {
        e.required(&at.child("type"), "must specify a metric target type");
    }
    if !matches!(target.type_.as_str(), "Utilization" | "Value" | "AverageValue") {
        let why = "must be either Utilization, Value, or AverageValue";
        e.invalid(&at.child("type"), &target.type_, why);
    }
    if let Some(value) = target.value.as_ref().filter(|value| value.sign() != 1) {
        e.invalid(&at.child("value"), value, "must be positive");
    }
    if let Some(value) = target.average_value.as_ref().filter(|value| value.sign() != 1) {
        e.invalid(&at.child("averageValue"), value, "must be positive");
    }
    if let Some(percent) = target.average_utilization.filter(|percent| *percent < 1) {
        e.invalid(&at.child("averageUtilization"), &percent, "must be greater than 0");
    }
}

fn rules(e: &mut Errors, rules: Option<&HPAScalingRules>, at: &Path) {
    let Some(rules) = rules else { return };
    if let Some(seconds) = rules.stabilization_window_seconds {
        let at = at.child("stabilizationWindowSeconds");
        if seconds < 0 {
            e.invalid(&at, &seconds, "must be greater than or equal to zero");
        }
        if seconds > 3600 {
            e.invalid(&at, &seconds, "must be less than or equal to 3600");
        }
    }
    e.one_of_if(
        &at.child("selectPolicy"),
        rules.select_policy.as_ref(),
        &["Disabled", "Max", "Min"],
    );
    let list = at.child("policies");
    if rules.policies.is_empty() {
        e.required(&list, "must specify at least one Policy");
    }
    for (i, policy) in rules.policies.iter().enumerate() {
        let at = list.index(i);
        e.one_of_if(&at.child("type"), Some(&policy.type_), &["Percent", "Pods"]);
        if policy.value <= 0 {
            e.invalid(&at.child("value"), &policy.value, NOT_POSITIVE);
        }
        if policy.period_seconds <= 0 {
            e.invalid(&at.child("periodSeconds"), &policy.period_seconds, NOT_POSITIVE);
        }
        if policy.period_seconds > 1800 {
            let why = "must be less than or equal to 1800";
            e.invalid(&at.child("periodSeconds"), &policy.period_seconds, why);
        }
    }
}
