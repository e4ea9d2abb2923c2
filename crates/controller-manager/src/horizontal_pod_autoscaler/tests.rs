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

/// Replaces the metrics of the autoscaler, runs it once, and compares the asked-for replicas and the event's reason.
fn check_metric(metric: &str, more: &[Object], expect: &str) {
    let mut world = world(r#""load.orrery.dev/requests": "300""#, "");
    more.iter().for_each(|object| world.put(object.clone()));
    let spec: HorizontalPodAutoscaler = object(&format!(
        r#"{{"metadata": {{}}, "spec": {{"maxReplicas": 10, "scaleTargetRef": {{"kind": "", "name": ""}}, "metrics":
        [{metric}]}}}}"#
    ));
    world.edit::<HorizontalPodAutoscaler>("d", "web", |scaler| {
        Arc::make_mut(&mut scaler.spec).metrics = spec.spec.metrics.clone();
    });
    world.run(Duration::secs(20));
    let wanted = world.api.get::<Deployment>("d", "web").expect("it is there").spec.replicas;
    let events = world.take_events();
    let event = events.split("; Warning FailedCompute").next().unwrap_or("");
    let why = event.split_once("reason: ").map_or(event, |(_, why)| why);
    assert_eq!(format!("{} {why}", wanted.unwrap_or(1)), expect);
}

#[test]
fn pods_may_have_metrics_of_their_own() {
    let metric = |value: u32| {
        format!(
            r#"{{"type": "Pods", "pods": {{"metric": {{"name": "requests"}}, "target": {{"type": "AverageValue",
            "averageValue": "{value}"}}}}}}"#
        )
    };
    check_metric(&metric(100), &[], "3 pods metric requests above target");
    check_metric(&metric(150), &[], "2 ");
}

#[test]
fn another_object_may_tell_the_load() {
    let service: Service = object(
        r#"{"metadata": {"name": "web", "namespace": "d", "annotations": {"metrics.orrery.dev/queue": "20"}},
        "spec": {}}"#,
    );
    let metric = |target: &str| {
        format!(
            r#"{{"type": "Object", "object": {{"describedObject": {{"apiVersion": "v1", "kind": "Service", "name":
            "web"}}, "metric": {{"name": "queue"}}, "target": {target}}}}}"#
        )
    };
    let service = [Object::new(service)];
    let value = metric(r#"{"type": "Value", "value": "10"}"#);
    check_metric(&value, &service, "4 Service metric queue above target");
    let share = metric(r#"{"type": "AverageValue", "averageValue": "5"}"#);
    check_metric(&share, &service, "4 Service metric queue above target");
    let why = "Warning FailedGetObjectMetric: unable to get metric queue: Service on d web/unable to fetch \
               metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered";
    check_metric(&value, &[], &format!("2 {why}"));
}

#[test]
fn what_is_outside_may_tell_the_load() {
    let namespace: Namespace = object(
        r#"{"metadata": {"name": "d", "annotations": {"metrics.orrery.dev/messages": "90"}}, "spec": {}}"#,
    );
    let metric = r#"{"type": "External", "external": {"metric": {"name": "messages"}, "target": {"type":
        "AverageValue", "averageValue": "30"}}}"#;
    check_metric(metric, &[Object::new(namespace)], "3 external metric messages(nil) above target");
}

#[test]
fn a_container_may_be_looked_at_alone() {
    let metric = r#"{"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "target":
        {"type": "Utilization", "averageUtilization": 50}}}"#;
    let mut busy = pod(0);
    Arc::make_mut(&mut busy.metadata).annotations.insert("metrics.orrery.dev/cpu", "1".into());
    let mut busier = pod(1);
    Arc::make_mut(&mut busier.metadata).annotations.insert("metrics.orrery.dev/cpu", "2".into());
    let reason = "cpu container resource utilization (percentage of request) above target";
    check_metric(metric, &[Object::new(busy), Object::new(busier)], &format!("4 {reason}"));
}

#[test]
fn the_tolerance_may_be_given() {
    let behavior = r#", "behavior": {"scaleUp": {"tolerance": "0.01", "selectPolicy": "Max",
        "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]}}"#;
    let mut world = world(r#""load.orrery.dev/cpu": "1050m""#, behavior);
    world.run(Duration::secs(16));
    let wanted = world.api.get::<Deployment>("d", "web").expect("it is there").spec.replicas;
    assert_eq!(wanted, Some(3));
}

#[test]
fn two_autoscalers_for_the_same_pods_do_nothing() {
    let mut world = world(r#""load.orrery.dev/cpu": "2""#, "");
    let mut other =
        (*world.api.get::<HorizontalPodAutoscaler>("d", "web").expect("it is there")).clone();
    let meta = Arc::make_mut(&mut other.metadata);
    (meta.name, meta.uid) = ("also".into(), "other".into());
    world.put(other);
    world.run(Duration::secs(16));
    let events = world.take_events();
    let text = "pods by selector app=web are controlled by multiple HPAs: [d/also d/web]";
    assert!(events.contains(&format!("Warning AmbiguousSelector: {text}")), "{events}");
    let wanted = world.api.get::<Deployment>("d", "web").expect("it is there").spec.replicas;
    assert_eq!(wanted, Some(2));
}

const REQUESTS: &str = r#"{"type": "Pods", "pods": {"metric": {"name": "requests"}, "target": {"type": "AverageValue",
    "averageValue": "100"}}}"#;
const QUEUE: &str = r#"{"type": "Object", "object": {"describedObject": {"apiVersion": "v1", "kind": "Service", "name":
    "web"}, "metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "5"}}}"#;

#[test]
fn of_several_metrics_the_one_that_wants_most_wins() {
    let service: Service = object(
        r#"{"metadata": {"name": "web", "namespace": "d", "annotations": {"metrics.orrery.dev/queue": "20"}},
        "spec": {}}"#,
    );
    let service = [Object::new(service)];
    let expect = "4 Service metric queue above target";
    check_metric(&format!("{REQUESTS}, {QUEUE}"), &service, expect);
    check_metric(&format!("{QUEUE}, {REQUESTS}"), &service, expect);
}

#[test]
fn a_metric_that_is_not_known_keeps_a_set_from_shrinking_and_not_from_growing() {
    check_metric(&format!("{QUEUE}, {REQUESTS}"), &[], "3 pods metric requests above target");
    let low = REQUESTS.replace("100", "400");
    let wanted = |metrics: &str| {
        let at_once = r#", "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0,
            "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}}"#;
        let mut world = world(r#""load.orrery.dev/requests": "300""#, at_once);
        let spec: HorizontalPodAutoscaler = object(&format!(
            r#"{{"metadata": {{}}, "spec": {{"maxReplicas": 10, "scaleTargetRef": {{"kind": "", "name": ""}},
            "metrics": [{metrics}]}}}}"#
        ));
        world.edit::<HorizontalPodAutoscaler>("d", "web", |scaler| {
            Arc::make_mut(&mut scaler.spec).metrics = spec.spec.metrics.clone();
        });
        world.run(Duration::secs(20));
        let events = world.take_events();
        let wanted = world.api.get::<Deployment>("d", "web").expect("it is there").spec.replicas;
        (wanted, events.contains("invalid metrics (1 invalid out of 2)"))
    };
    assert_eq!(wanted(&low), (Some(1), false));
    assert_eq!(wanted(&format!("{low}, {QUEUE}")), (Some(2), true));
}

#[test]
fn what_is_outside_may_have_a_value_for_all_pods_together() {
    let namespace: Namespace = object(
        r#"{"metadata": {"name": "d", "annotations": {"metrics.orrery.dev/messages": "90"}}, "spec": {}}"#,
    );
    let metric = r#"{"type": "External", "external": {"metric": {"name": "messages"}, "target": {"type":
        "Value", "value": "60"}}}"#;
    check_metric(metric, &[Object::new(namespace)], "3 external metric messages(nil) above target");
}

#[test]
fn containers_of_a_pod_have_equal_shares_of_its_use() {
    let metric = r#"{"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "target":
        {"type": "Utilization", "averageUtilization": 50}}}"#;
    let pair = |n: i32| {
        let mut pod = pod(n);
        let mut side = pod.spec.containers[0].clone();
        side.name = "side".into();
        pod.spec.edit().containers.push(side);
        Arc::make_mut(&mut pod.metadata)
            .annotations
            .insert("metrics.orrery.dev/cpu", "1500m".into());
        Object::new(pod)
    };
    let reason = "cpu container resource utilization (percentage of request) above target";
    check_metric(metric, &[pair(0), pair(1)], &format!("3 {reason}"));
}
