//! What `endpoint_slice` promises, as tests.

use std::sync::Arc;

use api::object::Object;
use client::Runner;
use client::testing::{Bench, object};

use super::*;

fn service(more: &str) -> Service {
    object(&format!(
        r#"{{"metadata": {{"name": "web", "namespace": "d", "uid": "s"}}, "spec": {{"clusterIP": "10.96.0.9",
        "selector": {{"app": "web"}}, "ports": [{{"name": "http", "port": 80, "targetPort": "web"}}]{more}}}}}"#
    ))
}

fn node() -> Node {
    object(r#"{"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "z1"}}}"#)
}

/// A pod such as `1:ready`, `2:unready`, `3:ready,dying`, `4:done`; its number is its address and name.
fn pod(text: &str) -> Pod {
    let (number, words) = text.split_once(':').expect("number:words");
    let ready = if words.contains("unready") { "False" } else { "True" };
    let phase = if words.contains("done") { "Succeeded" } else { "Running" };
    let number: u32 = number.parse().expect("a number");
    let dying = if words.contains("dying") {
        r#", "deletionTimestamp": "2026-01-01T00:00:00Z""#
    } else {
        ""
    };
    let port = if words.contains("8443") { 8443 } else { 8080 };
    object(&format!(
        r#"{{"metadata": {{"name": "p{number:03}", "namespace": "d", "uid": "p{number:03}",
        "labels": {{"app": "web"}}{dying}}}, "spec": {{"nodeName": "n1", "containers": [{{"name": "c",
        "ports": [{{"name": "web", "containerPort": {port}}}]}}]}}, "status": {{"phase": "{phase}",
        "podIP": "10.0.{}.{}", "conditions": [{{"type": "Ready", "status": "{ready}",
        "lastTransitionTime": "2026-01-01T00:00:00Z"}}]}}}}"#,
        number / 250,
        number % 250 + 1
    ))
}

fn bench(pods: &[String]) -> Bench<Runner> {
    let pods = pods.iter().map(|text| Object::new(pod(text)));
    let all = pods.chain([Object::new(service("")), Object::new(node())]);
    Bench::new(Runner::new("kcm", vec![Box::new(EndpointSlices::default())]), all)
}

/// Every slice as `port[endpoints]`: `+` ready, `~` serving while it terminates, `-` not ready.
fn describe(bench: &Bench<Runner>) -> String {
    let slices = bench.api.all::<EndpointSlice>();
    let slices = slices.iter().map(|slice| {
        let endpoints = slice.endpoints.iter().map(|endpoint| {
            let conditions = &endpoint.conditions;
            let sign = match (conditions.ready, conditions.serving) {
                (Some(true), _) => '+',
                (_, Some(true)) => '~',
                _ => '-',
            };
            format!("{sign}{}", endpoint.target_ref.as_ref().expect("a pod").name)
        });
        let ports: Vec<String> =
            slice.ports.iter().map(|port| port.port.unwrap_or(0).to_string()).collect();
        format!("{}[{}]", ports.join(","), endpoints.collect::<Vec<_>>().join(" "))
    });
    slices.collect::<Vec<_>>().join(" ")
}

fn check(pods: &str, expect: &str) {
    let pods: Vec<String> = pods.split_whitespace().map(String::from).collect();
    assert_eq!(describe(&bench(&pods)), expect, "{pods:?}");
}

#[test]
fn pods_show_with_their_conditions() {
    check("1:ready 2:unready 3:ready,dying 4:done", "8080[+p001 -p002 ~p003]");
}

#[test]
fn a_service_without_pods_has_one_empty_slice() {
    check("", "[]");
}

#[test]
fn named_ports_may_differ_from_pod_to_pod() {
    check("1:ready 2:ready,8443", "8080[+p001] 8443[+p002]");
}

#[test]
fn a_slice_holds_a_hundred_endpoints() {
    let pods: Vec<String> = (0..250).map(|n| format!("{n}:ready")).collect();
    let bench = bench(&pods);
    let sizes: Vec<usize> =
        bench.api.all::<EndpointSlice>().iter().map(|slice| slice.endpoints.len()).collect();
    assert_eq!(sizes, [100, 100, 50]);
}

#[test]
fn one_change_writes_one_slice() {
    let pods: Vec<String> = (0..150).map(|n| format!("{n}:ready")).collect();
    let mut bench = bench(&pods);
    bench.take_log();
    bench.put(pod("3:unready"));
    assert_eq!(bench.take_log().matches("~EndpointSlice").count(), 1);
    bench.put(pod("200:ready"));
    assert_eq!(bench.take_log().matches("~EndpointSlice").count(), 1);
    bench.remove::<Pod>("d", "p200");
    assert_eq!(bench.take_log().matches("~EndpointSlice").count(), 1);
}

#[test]
fn the_empty_slice_takes_the_first_endpoints() {
    let mut bench = bench(&[]);
    assert_eq!(bench.take_log(), "+EndpointSlice web-");
    bench.put(pod("1:ready"));
    assert_eq!(bench.take_log(), "~EndpointSlice web-3");
    assert_eq!(describe(&bench), "8080[+p001]");
    bench.remove::<Pod>("d", "p001");
    assert_eq!(describe(&bench), "[]");
    let slice = bench.api.get::<EndpointSlice>("d", "web-3").expect("it is still the same");
    assert_eq!(slice.metadata.labels.text(SERVICE_NAME), Some("web"));
}

/// The hints for the endpoint of one pod, as `zone:z1 node:n1`.
fn check_hints(wish: &'static str, pod: &str, expect: &str) {
    let mut bench = bench(&[pod.into()]);
    bench.edit::<Service>("d", "web", |service| {
        let wish = Some(wish.into()).filter(|wish: &Str| !wish.is_empty());
        Arc::make_mut(&mut service.spec).traffic_distribution = wish;
    });
    let slice = &bench.api.all::<EndpointSlice>()[0];
    let hints = slice.endpoints[0].hints.iter();
    let words: Vec<String> = hints
        .flat_map(|hints| {
            let zones = hints.for_zones.iter().map(|zone| format!("zone:{}", zone.name));
            zones.chain(hints.for_nodes.iter().map(|node| format!("node:{}", node.name)))
        })
        .collect();
    assert_eq!(words.join(" "), expect, "{wish} {pod}");
}

#[test]
fn every_wish_has_its_hints() {
    check_hints("PreferClose", "1:ready", "zone:z1");
    check_hints("PreferSameZone", "1:ready", "zone:z1");
    check_hints("PreferSameNode", "1:ready", "zone:z1 node:n1");
    check_hints("", "1:ready", "");
    check_hints("PreferSameZone", "1:unready", "");
}

#[test]
fn hints_follow_the_wish_for_close_traffic() {
    let mut bench = bench(&["1:ready".into()]);
    bench.edit::<Service>("d", "web", |service| {
        Arc::make_mut(&mut service.spec).traffic_distribution = Some(lit!("PreferSameZone"));
    });
    let slice = &bench.api.all::<EndpointSlice>()[0];
    let hints = slice.endpoints[0].hints.as_ref().expect("there are hints");
    assert_eq!(hints.for_zones[0].name, "z1");
    assert_eq!(slice.endpoints[0].zone.as_deref(), Some("z1"));
}

/// Nodes such as `a1=z1:4` (name, zone, cores; `-` for none), and pods such as `1@a1`, ready, or `2@a1!`, not ready, of a
/// Service that asks for topology-aware routing.
fn zoned(nodes: &str, pods: &str) -> Bench<Runner> {
    let mut bench = bench(&[]);
    bench.remove::<Node>("", "n1");
    for text in nodes.split_whitespace() {
        let (name, rest) = text.split_once('=').expect("name=zone:cores");
        let (zone, cores) = rest.split_once(':').expect("zone:cores");
        let label = match zone {
            "-" => String::new(),
            zone => format!(r#""topology.kubernetes.io/zone": "{zone}""#),
        };
        let node: Node = object(&format!(
            r#"{{"metadata": {{"name": "{name}", "labels": {{{label}}}}}, "status": {{"allocatable": {{"cpu": "{cores}"}},
            "conditions": [{{"type": "Ready", "status": "True"}}]}}}}"#
        ));
        bench.put(node);
    }
    for text in pods.split_whitespace() {
        let (number, node) = text.split_once('@').expect("number@node");
        let ready = if node.ends_with('!') { "unready" } else { "ready" };
        let mut pod = pod(&format!("{number}:{ready}"));
        pod.spec.node_name = node.trim_end_matches('!').into();
        bench.put(pod);
    }
    bench.take_events();
    bench.edit::<Service>("d", "web", |service| {
        let annotations = &mut Arc::make_mut(&mut service.metadata).annotations;
        annotations.insert("service.kubernetes.io/topology-mode", "Auto".into());
    });
    bench
}

/// The zones for which endpoints are, in the order of their pods; `-` for none.
fn zones(bench: &Bench<Runner>) -> String {
    let slices = bench.api.all::<EndpointSlice>();
    let zone = |endpoint: &Endpoint| match &endpoint.hints {
        Some(hints) => hints.for_zones.iter().map(|zone| zone.name.as_str()).collect(),
        None => "-".to_owned(),
    };
    let zones = slices.iter().flat_map(|slice| slice.endpoints.iter().map(zone));
    zones.collect::<Vec<_>>().join(" ")
}

const ON: &str =
    "Normal TopologyAwareHintsEnabled: Topology Aware Hints has been enabled, addressType: IPv4";

/// The zones for which endpoints are, and what the Service is told; `why` is a reason without a family.
fn check_zones(nodes: &str, pods: &str, expect: &str, why: &str) {
    let mut bench = zoned(nodes, pods);
    assert_eq!(zones(&bench), expect, "{nodes}; {pods}");
    let off = format!("Warning TopologyAwareHintsDisabled: {why}, addressType: IPv4");
    assert_eq!(bench.take_events(), if why.is_empty() { ON } else { &off });
}

#[test]
fn endpoints_serve_their_own_zones_where_that_fits_the_zones_shares_of_cpu() {
    check_zones("a=z1:4 b=z2:4", "1@a 2@b", "z1 z2", "");
    check_zones("a=z1:4 b=z2:4", "1@a 2@b 3@a 4@b 5@a!", "z1 z2 z1 z2 -", "");
}

#[test]
fn a_zone_with_too_many_endpoints_gives_some_to_a_zone_with_too_few() {
    check_zones("a=z1:4 b=z2:4", "1@a 2@a 3@a 4@b", "z2 z1 z1 z2", "");
    check_zones("a=z1:8 b=z2:4", "1@b 2@b 3@b 4@b 5@b 6@b", "z1 z1 z1 z1 z2 z2", "");
}

#[test]
fn without_enough_to_go_by_no_endpoint_is_for_a_zone() {
    let why =
        "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes";
    check_zones("a=z1:4 b=-:4", "1@a 2@a", "- -", why);
    check_zones("a=z1:4 b=z2:0", "1@a 2@a", "- -", why);
    check_zones("a=z1:4 b=z1:4", "1@a 2@b", "- -", "Nodes only ready in one zone");
    let why = "Insufficient number of endpoints (2 endpoints, 3 zones)";
    check_zones("a=z1:4 b=z2:4 c=z3:4", "1@a 2@b", "- -", why);
    let why = "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold \
               (3 endpoints, 2 zones)";
    check_zones("a=z1:4 b=z2:4", "1@a 2@b 3@a", "- - -", why);
}

#[test]
fn the_annotation_counts_before_the_wish_for_close_traffic() {
    let mut bench = zoned("a=z1:4 b=z2:4", "1@a 2@a 3@a 4@a");
    bench.edit::<Service>("d", "web", |service| {
        Arc::make_mut(&mut service.spec).traffic_distribution = Some(lit!("PreferSameZone"));
    });
    assert_eq!(zones(&bench), "z2 z2 z1 z1");
    bench.take_events();
    bench.edit::<Service>("d", "web", |service| {
        Arc::make_mut(&mut service.metadata).annotations = Default::default();
    });
    assert_eq!(zones(&bench), "z1 z1 z1 z1");
    let off = "Warning TopologyAwareHintsDisabled: Topology Aware Hints has been disabled, addressType: IPv4";
    assert_eq!(bench.take_events(), off);
}

#[test]
fn hints_follow_nodes_that_come_and_go() {
    let mut bench = zoned("a=z1:4 b=z2:4", "1@a 2@a 3@b 4@b");
    assert_eq!(zones(&bench), "z1 z1 z2 z2");
    assert_eq!(bench.take_events(), ON);
    bench.edit::<Node>("", "b", |node| {
        Arc::make_mut(&mut node.status).conditions = Default::default();
    });
    assert_eq!(zones(&bench), "- - - -");
    let off = "Warning TopologyAwareHintsDisabled: Nodes only ready in one zone, addressType: IPv4";
    assert_eq!(bench.take_events(), off);
}

#[test]
fn a_service_may_publish_pods_that_are_not_ready_or_are_going() {
    let mut bench = bench(&["1:ready".into(), "2:unready".into(), "3:ready,dying".into()]);
    bench.edit::<Service>("d", "web", |service| {
        Arc::make_mut(&mut service.spec).publish_not_ready_addresses = true;
    });
    assert_eq!(describe(&bench), "8080[+p001 +p002 +p003]");
    let slices = bench.api.all::<EndpointSlice>();
    let conditions: Vec<_> = slices[0]
        .endpoints
        .iter()
        .map(|endpoint| (endpoint.conditions.serving, endpoint.conditions.terminating))
        .collect();
    let expect = [(true, false), (false, false), (true, true)];
    assert_eq!(conditions, expect.map(|(serving, going)| (Some(serving), Some(going))));
}
