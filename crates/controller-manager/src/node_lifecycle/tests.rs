//! What `node_lifecycle` promises, as tests.

use client::Runner;
use client::testing::{Bench, object};

use super::*;

fn node(name: &str) -> Node {
    object(&format!(
        r#"{{"metadata": {{"name": "{name}", "uid": "{name}", "creationTimestamp": "2026-01-01T00:00:00Z"}},
        "status": {{"conditions": [{{"type": "Ready", "status": "True", "reason": "KubeletReady",
        "lastHeartbeatTime": "2026-01-01T00:00:00Z"}}]}}}}"#
    ))
}

fn lease(name: &str) -> Lease {
    object(&format!(r#"{{"metadata": {{"name": "{name}", "namespace": "kube-node-lease"}}}}"#))
}

fn bench(nodes: &[&str]) -> Bench<Runner> {
    let runner = Runner::new("kcm", vec![Box::new(NodeLifecycle::default())]);
    let pod: Pod = object(
        r#"{"metadata": {"name": "p", "namespace": "d"}, "spec": {"nodeName": "n1", "containers": []},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}"#,
    );
    let objects = nodes.iter().flat_map(|name| [node(name).into(), lease(name).into()]);
    Bench::new(runner, objects.chain([pod.into()]))
}

/// Lets time pass in steps of ten seconds while the leases of these nodes are renewed.
fn run(bench: &mut Bench<Runner>, seconds: i64, alive: &[&str]) {
    for _ in 0..seconds / 10 {
        bench.run(Duration::secs(10));
        let now = bench.now;
        for name in alive {
            bench.edit::<Lease>("kube-node-lease", name, |lease| {
                Arc::make_mut(&mut lease.spec).renew_time = Some(MicroTime::from(now));
            });
        }
    }
}

/// The Ready status of a node and its taints, as `key:effect` without the domain.
fn describe(bench: &Bench<Runner>, name: &str) -> String {
    let node = bench.api.get::<Node>("", name).expect("it exists");
    let ready = condition(&node, "Ready").expect("it has the condition");
    let mut text = format!("{} {}", ready.status, ready.reason);
    for taint in &node.spec.taints {
        let key = taint.key.rsplit('/').next().expect("a key");
        text.push_str(&format!(" {key}:{}", taint.effect));
    }
    text
}

#[test]
fn a_node_that_renews_its_lease_stays_ready() {
    let mut bench = bench(&["n1", "n2"]);
    run(&mut bench, 300, &["n1", "n2"]);
    assert_eq!(describe(&bench, "n1"), "True KubeletReady");
    assert_eq!(bench.take_log(), "");
}

#[test]
fn a_silent_node_is_unknown_tainted_and_its_pods_are_not_ready() {
    let mut bench = bench(&["n1", "n2", "n3"]);
    run(&mut bench, 40, &["n2", "n3"]);
    assert_eq!(describe(&bench, "n1"), "True KubeletReady");
    run(&mut bench, 20, &["n2", "n3"]);
    assert_eq!(
        describe(&bench, "n1"),
        "Unknown NodeStatusUnknown unreachable:NoSchedule unreachable:NoExecute"
    );
    assert_eq!(describe(&bench, "n2"), "True KubeletReady");
    let pod = bench.api.get::<Pod>("d", "p").expect("it exists");
    assert!(!crate::pods::is_ready(&pod));
    assert_eq!(
        bench.take_events(),
        "Normal NodeNotReady: Node n1 status is now: NodeNotReady; Warning NodeNotReady: Node is not ready"
    );
}

#[test]
fn where_all_nodes_are_silent_none_is_emptied() {
    let mut bench = bench(&["n1"]);
    run(&mut bench, 300, &[]);
    assert_eq!(describe(&bench, "n1"), "Unknown NodeStatusUnknown unreachable:NoSchedule");
}

#[test]
fn a_node_that_comes_back_loses_its_taints() {
    let mut bench = bench(&["n1", "n2"]);
    run(&mut bench, 100, &["n2"]);
    bench.edit::<Node>("", "n1", |known| known.status = node("n1").status);
    assert_eq!(describe(&bench, "n1"), "True KubeletReady");
}

#[test]
fn a_cordoned_node_is_tainted() {
    let mut bench = bench(&["n1"]);
    bench.edit::<Node>("", "n1", |node| Arc::make_mut(&mut node.spec).unschedulable = true);
    assert_eq!(describe(&bench, "n1"), "True KubeletReady unschedulable:NoSchedule");
    bench.edit::<Node>("", "n1", |node| Arc::make_mut(&mut node.spec).unschedulable = false);
    assert_eq!(describe(&bench, "n1"), "True KubeletReady");
}

#[test]
fn where_all_nodes_fall_silent_evictions_are_taken_back() {
    let mut bench = bench(&["n1", "n2"]);
    run(&mut bench, 100, &["n2"]);
    let emptied = "Unknown NodeStatusUnknown unreachable:NoSchedule unreachable:NoExecute";
    assert_eq!(describe(&bench, "n1"), emptied);
    run(&mut bench, 100, &[]);
    assert_eq!(describe(&bench, "n1"), "Unknown NodeStatusUnknown unreachable:NoSchedule");
    bench.edit::<Node>("", "n2", |known| known.status = node("n2").status);
    run(&mut bench, 30, &["n2"]);
    assert_eq!(describe(&bench, "n1"), emptied);
}

/// How many of `failed` out of `all` nodes are emptied so many seconds after they fell silent.
fn check_rate(all: usize, failed: usize, seconds: i64, expect: std::ops::RangeInclusive<usize>) {
    let names: Vec<String> = (1..=all).map(|n| format!("n{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bench = bench(&names);
    run(&mut bench, 60 + seconds, &names[failed..]);
    let emptied = bench.api.all::<Node>();
    let emptied =
        emptied.iter().filter(|node| node.spec.taints.iter().any(|t| t.effect == "NoExecute"));
    let count = emptied.count();
    assert!(expect.contains(&count), "{count} of {failed}/{all} after {seconds} s");
}

#[test]
fn nodes_are_emptied_one_every_ten_seconds() {
    check_rate(10, 5, 0, 1..=2);
    check_rate(10, 5, 20, 3..=4);
    check_rate(10, 5, 60, 5..=5);
}

#[test]
fn in_a_small_zone_where_most_nodes_fail_no_more_are_emptied() {
    check_rate(4, 2, 120, 2..=2);
    check_rate(4, 3, 600, 0..=1);
}

#[test]
fn in_a_large_zone_where_most_nodes_fail_one_is_emptied_every_hundred_seconds() {
    check_rate(51, 30, 60, 1..=2);
    check_rate(51, 30, 250, 3..=4);
}

#[test]
fn nodes_are_told_of_as_they_come_and_go() {
    let runner = Runner::new("kcm", vec![Box::new(NodeAnnouncer::default())]);
    let mut bench = Bench::new(runner, []);
    bench.put(node("n1"));
    assert_eq!(
        bench.take_events(),
        "Normal RegisteredNode: Node n1 event: Registered Node n1 in Controller"
    );
    bench.remove::<Node>("", "n1");
    assert_eq!(
        bench.take_events(),
        "Normal RemovingNode: Node n1 event: Removing Node n1 from Controller"
    );
}

/// How many nodes of zones `FAILED/ALL` are emptied so many seconds after the failed ones fell silent.
fn check_zones(zones: &[(usize, usize)], seconds: i64, expect: &[std::ops::RangeInclusive<usize>]) {
    let name = |zone: usize, n: usize| format!("z{zone}-{n}");
    let mut bench = bench(&[]);
    let mut alive = Vec::new();
    for (zone, (failed, all)) in zones.iter().enumerate() {
        for n in 0..*all {
            let mut node = node(&name(zone, n));
            let labels = &mut Arc::make_mut(&mut node.metadata).labels;
            labels.insert("topology.kubernetes.io/zone", format!("z{zone}").into());
            bench.put(lease(&name(zone, n)));
            bench.put(node);
            if n >= *failed {
                alive.push(name(zone, n));
            }
        }
    }
    let alive: Vec<&str> = alive.iter().map(String::as_str).collect();
    run(&mut bench, 60 + seconds, &alive);
    for (zone, expect) in expect.iter().enumerate() {
        let nodes = bench.api.all::<Node>();
        let nodes =
            nodes.iter().filter(|node| node.metadata.name.starts_with(&format!("z{zone}-")));
        let emptied = nodes.filter(|node| node.spec.taints.iter().any(|t| t.effect == "NoExecute"));
        let count = emptied.count();
        assert!(expect.contains(&count), "{count} in zone {zone} of {zones:?} after {seconds} s");
    }
}

#[test]
fn each_zone_is_emptied_at_its_own_pace() {
    check_zones(&[(3, 8), (3, 8)], 0, &[1..=2, 1..=2]);
    check_zones(&[(3, 8), (3, 8)], 40, &[3..=3, 3..=3]);
}

#[test]
fn a_zone_that_is_lost_altogether_is_emptied_while_another_is_well() {
    check_zones(&[(3, 3), (0, 3)], 60, &[3..=3, 0..=0]);
}

#[test]
fn a_small_zone_in_trouble_rests_while_another_is_emptied() {
    check_zones(&[(3, 4), (3, 8)], 600, &[0..=1, 3..=3]);
}
