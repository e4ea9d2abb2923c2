//! What `horizontal_pod_autoscaler` promises, as tests.

use client::Runner;
use client::testing::{Bench, object};

use super::*;

type World = Bench<Runner>;

/// A Deployment of two ready pods that ask for one core each, and an autoscaler that wants half of that used.
fn world(annotations: &str, spec: &str) -> World {
    let deployment: Deployment = object(&format!(
        r#"{{"metadata": {{"name": "web", "namespace": "d", "annotations": {{{annotations}}}}}, "spec": {{"replicas": 2,
        "selector": {{"matchLabels": {{"app": "web"}}}}, "template": {{}}}}, "status": {{"replicas": 2}}}}"#
    ));
    let scaler: HorizontalPodAutoscaler = object(&format!(
        r#"{{"metadata": {{"name": "web", "namespace": "d"}}, "spec": {{"minReplicas": 1, "maxReplicas": 10, "metrics":
        [{{"type": "Resource", "resource": {{"name": "cpu", "target": {{"type": "Utilization", "averageUtilization":
        50}}}}}}], "scaleTargetRef": {{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}} {spec}}}}}"#
    ));
    let pods = (0..2).map(|n| pod(n).into());
    let objects = [deployment.into(), scaler.into()];
    let runner = Runner::new("kcm", vec![Box::new(HorizontalPodAutoscalers::default())]);
    Bench::new(runner, objects.into_iter().chain(pods))
}

fn pod(n: i32) -> Pod {
    object(&format!(
        r#"{{"metadata": {{"name": "web-{n}", "namespace": "d", "labels": {{"app": "web"}}}}, "spec": {{"containers":
        [{{"name": "c", "resources": {{"requests": {{"cpu": "1"}}}}}}]}}, "status": {{"phase": "Running", "startTime":
        "2025-12-31T00:00:00Z", "conditions": [{{"type": "Ready", "status": "True", "lastTransitionTime":
        "2025-12-31T00:00:00Z"}}]}}}}"#
    ))
}

/// The asked-for replicas, the conditions and the events after some seconds.
fn check(annotations: &str, spec: &str, seconds: i64, expect: &str, events: &str) {
    let mut world = world(annotations, spec);
    world.run(Duration::secs(seconds));
    let scaler = world.api.get::<HorizontalPodAutoscaler>("d", "web").expect("it is there");
    let conditions: Vec<String> = scaler
        .status
        .conditions
        .iter()
        .map(|known| format!("{}={}:{}", known.type_, known.status, known.reason))
        .collect();
    let deployment = world.api.get::<Deployment>("d", "web").expect("it is there");
    let got = format!("{} {}", deployment.spec.replicas.unwrap_or(1), conditions.join(" "));
    assert_eq!(got, expect, "{annotations} {spec}");
    assert_eq!(world.take_events(), events, "{annotations} {spec}");
}

#[test]
fn load_above_the_target_makes_the_set_grow() {
    check(
        r#""load.orrery.dev/cpu": "2""#,
        "",
        16,
        "4 AbleToScale=True:SucceededRescale ScalingActive=True:ValidMetricFound \
         ScalingLimited=False:DesiredWithinRange",
        "Normal SuccessfulRescale: New size: 4; reason: cpu resource utilization (percentage of \
         request) above target",
    );
}

#[test]
fn nothing_happens_before_the_first_period_or_within_the_tolerance() {
    check(r#""load.orrery.dev/cpu": "2""#, "", 14, "2 ", "");
    check(
        r#""load.orrery.dev/cpu": "1050m""#,
        "",
        16,
        "2 AbleToScale=True:ReadyForNewScale ScalingActive=True:ValidMetricFound \
         ScalingLimited=False:DesiredWithinRange",
        "",
    );
}

#[test]
fn a_set_shrinks_only_when_the_load_stays_low() {
    let down = "Normal SuccessfulRescale: New size: 1; reason: All metrics below target";
    check(
        r#""load.orrery.dev/cpu": "200m""#,
        "",
        290,
        "2 AbleToScale=True:ScaleDownStabilized ScalingActive=True:ValidMetricFound \
         ScalingLimited=False:DesiredWithinRange",
        "",
    );
    let mut world = world(r#""load.orrery.dev/cpu": "200m""#, "");
    world.run(Duration::secs(330));
    assert_eq!(world.take_events(), down);
}

#[test]
fn growth_is_limited_by_speed_and_by_the_maximum() {
    check(
        r#""load.orrery.dev/cpu": "8""#,
        "",
        16,
        "4 AbleToScale=True:SucceededRescale ScalingActive=True:ValidMetricFound \
         ScalingLimited=True:ScaleUpLimit",
        "Normal SuccessfulRescale: New size: 4; reason: cpu resource utilization (percentage of \
         request) above target",
    );
}

#[test]
fn without_metrics_the_set_stays_and_says_why() {
    let why = "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from \
               resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)";
    check(
        "",
        "",
        16,
        "2 AbleToScale=True:SucceededGetScale ScalingActive=False:FailedGetResourceMetric",
        &format!(
            "Warning FailedGetResourceMetric: {why}; Warning FailedComputeMetricsReplicas: invalid metrics (1 invalid \
             out of 1), first error is: failed to get cpu resource metric value: {why}"
        ),
    );
}

#[test]
fn a_missing_target_is_told() {
    let mut world = world("", "");
    world.remove::<Deployment>("d", "web");
    world.run(Duration::secs(16));
    assert_eq!(world.take_events(), "Warning FailedGetScale: deployments.apps \"web\" not found");
}

#[test]
fn a_set_outside_the_bounds_is_brought_back() {
    let mut world = world(r#""load.orrery.dev/cpu": "2""#, "");
    world.edit::<Deployment>("d", "web", |set| Arc::make_mut(&mut set.spec).replicas = Some(20));
    world.run(Duration::secs(16));
    assert_eq!(
        world.take_events(),
        "Normal SuccessfulRescale: New size: 10; reason: Current number of replicas above Spec.MaxReplicas"
    );
}
