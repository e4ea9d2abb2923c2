//! Growing and shrinking, on the fake API server.

use std::sync::Arc;

use super::*;
use crate::nodes::{TO_BE_DELETED, is_tainted};
use crate::testing::World;
use crate::{Change, Provider};
use client::testing::object;

/// Two settled nodes of 4 cores each; the group may have 2 to 6.
fn world() -> World {
    let mut world = World::new(Provider::Aws, 2);
    world.add_node(1, false);
    world.add_node(2, false);
    world.run(Duration::secs(90));
    world.bench.take_events();
    world
}

/// A pod of a ReplicaSet that asks for `cpu`; on a node if one is given, else unschedulable.
fn pod(name: &str, cpu: &str, node: &str, more: &str) -> Pod {
    let state = match node {
        "" => {
            r#""phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable"}]"#
        }
        _ => r#""phase": "Running""#,
    };
    object(&format!(
        r#"{{"metadata": {{"name": "{name}", "namespace": "d", "labels": {{"app": "web"}},
        "ownerReferences": [{{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "w",
        "controller": true}}]}}, "spec": {{"nodeName": "{node}", "containers": [{{"name": "c", "resources":
        {{"requests": {{"cpu": "{cpu}"}}}}}}]{more}}}, "status": {{{state}}}}}"#
    ))
}

fn size(world: &mut World) -> usize {
    let (_, reply) = world.cloud.handle(world.bench.now, CloudRequest::Groups);
    let Ok(CloudAnswer::Groups(groups)) = reply else { panic!("groups are listed") };
    groups[0].size
}

/// So many unschedulable pods of `cpu` each: the group's size a minute later, and the event of the first pod.
fn check_growth(count: usize, cpu: &str, more: &str, expect: usize, event: &str) {
    let mut world = world();
    for i in 0..count {
        world.bench.put(pod(&format!("web-{i}"), cpu, "", more));
    }
    world.run(Duration::secs(60));
    assert_eq!(size(&mut world), expect);
    let events = world.bench.take_events();
    let about_pods = events.split("; ").find(|event| event.contains("pod "));
    assert_eq!(about_pods.unwrap_or(""), event, "{events}");
}

#[test]
fn a_pod_that_fits_nowhere_gets_a_machine() {
    let mut world = world();
    world.bench.put(pod(
        "web-0",
        "3500m",
        "",
        r#", "nodeSelector": {"topology.kubernetes.io/region": "us-east-1"}"#,
    ));
    world.run(Duration::secs(12));
    assert_eq!(
        world.bench.take_events(),
        "Normal ScaledUpGroup: Scale-up: setting group eks-workers size to 3 instead of 2 (max: 6); \
         Normal ScaledUpGroup: Scale-up: group eks-workers size set to 3 instead of 2 (max: 6); \
         Normal TriggeredScaleUp: pod triggered scale-up: [{eks-workers 2->3 (max: 6)}]"
    );
    world.run(Duration::secs(70));
    let up = |change: &Change| matches!(change, Change::Up(machine) if machine.name == "node-3");
    assert!(world.changes.iter().any(up));
    assert_eq!(size(&mut world), 3, "a machine under way is enough");
}

#[test]
fn pods_share_new_machines() {
    let own = r#", "nodeSelector": {"node.kubernetes.io/instance-type": "c5.xlarge"}"#;
    let event = "Normal TriggeredScaleUp: pod triggered scale-up: [{eks-workers 2->4 (max: 6)}]";
    check_growth(4, "2", own, 4, event);
}

#[test]
fn a_group_does_not_grow_beyond_its_maximum() {
    let own = r#", "nodeSelector": {"node.kubernetes.io/instance-type": "c5.xlarge"}"#;
    let event = "Normal TriggeredScaleUp: pod triggered scale-up: [{eks-workers 2->6 (max: 6)}]";
    check_growth(9, "3", own, 6, event);
}

#[test]
fn a_pod_that_no_machine_helps_hears_why() {
    let event = "Normal NotTriggerScaleUp: pod didn't trigger scale-up: 1 Insufficient cpu";
    check_growth(1, "5", "", 2, event);
    let elsewhere = r#", "nodeSelector": {"disk": "ssd"}"#;
    let event = "Normal NotTriggerScaleUp: pod didn't trigger scale-up: 1 node(s) didn't match Pod's node \
                 affinity/selector";
    check_growth(1, "1", elsewhere, 2, event);
}

#[test]
fn at_the_maximum_pods_hear_so() {
    let mut world = world();
    let own = r#", "nodeSelector": {"node.kubernetes.io/instance-type": "c5.xlarge"}"#;
    for i in 0..5 {
        world.bench.put(pod(&format!("web-{i}"), "3", "", own));
    }
    world.run(Duration::secs(120));
    let events = world.bench.take_events();
    let text =
        "Normal NotTriggerScaleUp: pod didn't trigger scale-up: 1 max node group size reached";
    assert_eq!(events.matches(text).count(), 1, "once for the fifth pod: {events}");
}

#[test]
fn pods_that_refuse_to_share_a_node_get_a_machine_each() {
    let alone = r#", "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
        [{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}}]}}"#;
    let event = "Normal TriggeredScaleUp: pod triggered scale-up: [{eks-workers 2->5 (max: 6)}]";
    check_growth(3, "100m", alone, 5, event);
}

#[test]
fn a_pod_for_which_a_node_has_room_by_now_is_left_to_the_scheduler() {
    check_growth(1, "1", "", 2, "");
}

#[test]
fn a_cloud_that_does_not_answer_is_asked_again() {
    let mut world = world();
    world.cloud.set_reachable(false);
    world.bench.put(pod(
        "web-0",
        "3500m",
        "",
        r#", "nodeSelector": {"topology.kubernetes.io/region": "us-east-1"}"#,
    ));
    world.run(Duration::secs(60));
    assert_eq!(world.bench.take_events(), "");
    world.cloud.set_reachable(true);
    world.run(Duration::secs(30));
    assert_eq!(size(&mut world), 3);
}

/// A world of one node of 4 cores and 8 GiB, with groups beside it: `big` of 16 cores and 32 GiB, `memory` of 4 cores and
/// 32 GiB for pods that tolerate it, `far` like the first in another zone; each may have two machines.
fn grouped() -> World {
    let mut world = World::new(Provider::Aws, 1);
    let group = |text: &str| {
        let given = api::Json::parse(text.as_bytes()).expect("it is JSON");
        crate::NodeGroup::from_json(&given, Provider::Aws).expect("it is a group")
    };
    let groups = vec![
        group(r#"{"name": "big", "type": "c5.4xlarge", "max": 2}"#),
        group(
            r#"{"name": "memory", "type": "r5.xlarge", "max": 2, "labels": {"for": "memory"},
            "taints": [{"key": "only", "value": "memory", "effect": "NoSchedule"}]}"#,
        ),
        group(r#"{"name": "far", "zones": ["us-east-1c"], "max": 2}"#),
    ];
    world.cloud = Cloud::new(Setup { machines: 1, min: 1, max: 3, groups, ..setup() });
    world.add_node(1, false);
    world.bench.put(pod("keeper", "3", "node-1", ""));
    world.run(Duration::secs(90));
    world.bench.take_events();
    world
}

/// Unschedulable pods: which groups grow for them within 15 seconds, as `group 0->1`.
fn check_choice(pods: Vec<Pod>, expect: &str) -> World {
    let mut world = grouped();
    pods.into_iter().for_each(|pod| world.bench.put(pod));
    world.run(Duration::secs(15));
    let events = world.bench.take_events();
    let about = events.split("; ").filter_map(|event| event.split_once("scale-up: [{"));
    let mut grown: Vec<&str> =
        about.filter_map(|(_, text)| Some(text.split_once(" (max")?.0)).collect();
    grown.dedup();
    assert_eq!(grown.join(", "), expect, "{events}");
    world
}

fn pods(count: usize, cpu: &str, more: &str) -> Vec<Pod> {
    (0..count).map(|i| pod(&format!("web-{i}"), cpu, "", more)).collect()
}

#[test]
fn of_groups_that_would_help_the_one_grows_that_is_left_least_idle() {
    check_choice(pods(1, "3500m", ""), "eks-workers 1->2");
    check_choice(pods(2, "3500m", ""), "eks-workers 1->3");
    check_choice(pods(1, "15", ""), "big 0->1");
}

#[test]
fn pods_that_the_grown_group_does_not_help_get_the_next_one() {
    let mut all = pods(1, "3500m", "");
    all.push(pod("huge", "15", "", ""));
    check_choice(all, "eks-workers 1->2, big 0->1");
}

#[test]
fn a_group_with_taints_grows_for_pods_that_tolerate_them() {
    let there = r#", "nodeSelector": {"for": "memory"}"#;
    check_choice(pods(1, "1", there), "");
    let tolerant = r#", "nodeSelector": {"for": "memory"}, "tolerations": [{"key": "only", "operator": "Exists"}]"#;
    check_choice(pods(1, "1", tolerant), "memory 0->1");
}

#[test]
fn a_pod_that_asks_for_a_zone_gets_a_group_that_lies_there() {
    let zone = r#", "nodeSelector": {"topology.kubernetes.io/zone": "us-east-1c"}"#;
    let world = check_choice(pods(1, "1", zone), "far 0->1");
    let zones: Vec<&str> = world.cloud.machines().map(|machine| &*machine.zone).collect();
    assert_eq!(zones, ["us-east-1a", "us-east-1c"]);
}

#[test]
fn where_all_machines_lie_in_one_zone_a_pod_may_ask_for_it() {
    for (zones, expect) in [(vec!["us-east-1b"], 3), (vec!["us-east-1a", "us-east-1b"], 2)] {
        let mut world = world();
        let zones = zones.into_iter().map(base::Str::from).collect();
        world.cloud = Cloud::new(Setup { zones, ..setup() });
        let own = r#", "nodeSelector": {"topology.kubernetes.io/zone": "us-east-1b"}"#;
        world.bench.put(pod("web-0", "1", "", own));
        world.run(Duration::secs(15));
        assert_eq!(size(&mut world), expect);
    }
}

#[test]
fn a_pod_that_no_group_helps_hears_how_many_have_which_reason() {
    let mut world = grouped();
    world.bench.put(pod("web-0", "17", "", ""));
    world.run(Duration::secs(15));
    assert_eq!(
        world.bench.take_events(),
        "Normal NotTriggerScaleUp: pod didn't trigger scale-up: 1 node(s) had untolerated taint(s), \
         3 Insufficient cpu"
    );
}

#[test]
fn each_group_shrinks_to_a_minimum_of_its_own() {
    let mut world = check_choice(pods(1, "15", ""), "big 0->1");
    world.bench.remove::<Pod>("d", "web-0");
    world.run(Duration::secs(70));
    let up = |change: &Change| matches!(change, Change::Up(machine) if machine.type_.name == "c5.4xlarge");
    assert!(world.changes.iter().any(up));
    world.add_node(2, false);
    world.run(Duration::mins(22));
    let gone: Vec<&Change> =
        world.changes.iter().filter(|change| matches!(change, Change::Gone(_))).collect();
    assert!(matches!(gone[..], [Change::Gone(node)] if node == "node-2"), "{gone:?}");
}

/// Two nodes where one would do, `pods` on the second; its fate after so many minutes.
fn check_shrinking(pods: Vec<Pod>, minutes: i64, gone: bool) -> World {
    let mut world = World::new(Provider::Aws, 2);
    world.cloud = Cloud::new(Setup { min: 1, ..setup() });
    world.add_node(1, false);
    world.add_node(2, false);
    world.bench.put(pod("keeper", "3", "node-1", ""));
    pods.into_iter().for_each(|pod| world.bench.put(pod));
    world.run(Duration::mins(minutes));
    let terminated =
        world.changes.iter().any(|c| matches!(c, Change::Gone(node) if node == "node-2"));
    assert_eq!(terminated, gone);
    world
}

use crate::{Cloud, Setup};

fn setup() -> Setup {
    Setup {
        provider: Provider::Aws,
        seed: 7,
        machines: 2,
        min: 2,
        max: 6,
        cpu_milli: 4_000,
        memory: 8 << 30,
        pods: 110,
        zones: Vec::new(),
        groups: Vec::new(),
        node_ip: |number| [10, 0, 0, number as u8].into(),
    }
}

#[test]
fn an_idle_machine_is_removed_after_ten_minutes() {
    check_shrinking(vec![], 9, false);
    let mut world = check_shrinking(vec![], 12, true);
    let events = world.bench.take_events();
    for said in [
        "Normal ScaleDownEmpty: Scale-down: removing empty node \"node-2\"",
        "Normal ScaleDown: marked the node as toBeDeleted/unschedulable",
        "Normal ScaleDown: node removed by cluster autoscaler",
        "Normal ScaleDownEmpty: Scale-down: empty node node-2 removed",
    ] {
        assert!(events.contains(said), "{said} in {events}");
    }
}

#[test]
fn the_pods_of_a_hardly_used_machine_are_evicted_first() {
    let mut world = check_shrinking(vec![pod("web", "500m", "node-2", "")], 11, false);
    let events = world.bench.take_events();
    assert!(events.contains("Normal ScaleDown: deleting pod for node scale down"), "{events}");
    assert!(events.contains(
        "Scale-down: removing node node-2, utilization: {0.125 0 0 0 cpu 0.125}, pods to reschedule: web"
    ));
    assert!(is_tainted(&world.node("node-2"), TO_BE_DELETED));
    world.bench.remove::<Pod>("d", "web");
    world.run(Duration::mins(2));
    let events = world.bench.take_events();
    assert!(
        events.contains("Normal ScaleDown: Scale-down: node node-2 removed with drain"),
        "{events}"
    );
}

#[test]
fn a_machine_that_is_half_used_stays() {
    check_shrinking(vec![pod("web", "2", "node-2", "")], 20, false);
}

#[test]
fn a_machine_stays_whose_pods_have_room_nowhere_else() {
    check_shrinking(vec![pod("web", "1500m", "node-2", "")], 20, false);
}

#[test]
fn a_machine_never_goes_below_the_minimum() {
    let mut world = world();
    world.run(Duration::mins(20));
    assert_eq!(size(&mut world), 2);
}

#[test]
fn a_pod_that_is_not_safe_to_evict_keeps_its_machine() {
    let mut stays = pod("web", "100m", "node-2", "");
    let key = "cluster-autoscaler.kubernetes.io/safe-to-evict";
    Arc::make_mut(&mut stays.metadata).annotations.insert(key, "false".into());
    check_shrinking(vec![stays], 20, false);
}

#[test]
fn a_pod_of_nobody_keeps_its_machine_unless_it_is_safe_to_evict() {
    let mut own = pod("web", "100m", "node-2", "");
    let meta = Arc::make_mut(&mut own.metadata);
    meta.owner_references = Default::default();
    let world = check_shrinking(vec![own.clone()], 11, false);
    assert!(!is_tainted(&world.node("node-2"), TO_BE_DELETED));
    let key = "cluster-autoscaler.kubernetes.io/safe-to-evict";
    Arc::make_mut(&mut own.metadata).annotations.insert(key, "true".into());
    let world = check_shrinking(vec![own], 11, false);
    assert!(is_tainted(&world.node("node-2"), TO_BE_DELETED));
}

#[test]
fn pods_with_local_storage_and_of_the_system_keep_their_machine() {
    let scratch = r#", "volumes": [{"name": "scratch", "emptyDir": {}}]"#;
    let world = check_shrinking(vec![pod("web", "100m", "node-2", scratch)], 11, false);
    assert!(!is_tainted(&world.node("node-2"), TO_BE_DELETED));
    let mut system = pod("dns", "100m", "node-2", "");
    Arc::make_mut(&mut system.metadata).namespace = "kube-system".into();
    let world = check_shrinking(vec![system], 11, false);
    assert!(!is_tainted(&world.node("node-2"), TO_BE_DELETED));
}

#[test]
fn pods_of_daemon_sets_go_with_their_machine() {
    let mut daemon = pod("log", "100m", "node-2", "");
    let owners = &mut Arc::make_mut(&mut daemon.metadata).owner_references;
    owners[0].kind = "DaemonSet".into();
    check_shrinking(vec![daemon], 12, true);
}

#[test]
fn a_disruption_budget_without_room_keeps_the_machine() {
    let mut world = check_shrinking(vec![pod("web", "100m", "node-2", "")], 5, false);
    let budget: PodDisruptionBudget = object(
        r#"{"metadata": {"name": "web", "namespace": "d"}, "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {"disruptionsAllowed": 0}}"#,
    );
    world.bench.put(budget);
    world.run(Duration::mins(20));
    assert!(!is_tainted(&world.node("node-2"), TO_BE_DELETED));
}

#[test]
fn a_node_may_ask_to_be_left_alone() {
    let mut world = check_shrinking(vec![], 5, false);
    world.bench.edit::<Node>("", "node-2", |node| {
        let key = "cluster-autoscaler.kubernetes.io/scale-down-disabled";
        Arc::make_mut(&mut node.metadata).annotations.insert(key, "true".into());
    });
    world.run(Duration::mins(20));
    assert!(!is_tainted(&world.node("node-2"), TO_BE_DELETED));
}

/// Two nodes in full use, and a pod that only a third machine helps.
fn full_world() -> World {
    let mut world = world();
    world.bench.put(pod("keeper-1", "3", "node-1", ""));
    world.bench.put(pod("keeper-2", "3", "node-2", ""));
    world.bench.put(pod("web-0", "3", "", ""));
    world
}

#[test]
fn a_machine_that_never_becomes_a_node_is_given_back_after_fifteen_minutes() {
    let mut world = full_world();
    world.run(Duration::mins(15));
    assert_eq!(size(&mut world), 3);
    world.bench.take_events();
    world.run(Duration::secs(40));
    assert_eq!(size(&mut world), 2);
    let events = world.bench.take_events();
    let late =
        "Warning ScaleUpTimedOut: Nodes added to group eks-workers failed to register within 15m";
    assert!(events.contains(late), "{events}");
    assert!(
        events.contains("Normal DeleteUnregistered: Removed unregistered node node-3"),
        "{events}"
    );
    let why =
        "Normal NotTriggerScaleUp: pod didn't trigger scale-up: 1 in backoff after failed scale-up";
    assert!(events.contains(why), "{events}");
}

#[test]
fn a_group_whose_growth_failed_rests_for_five_minutes_and_then_for_ten() {
    let mut world = full_world();
    let tries = |world: &mut World| {
        let before = world.cloud.machines().map(|machine| machine.number).max();
        let mut tens = 0;
        while world.cloud.machines().map(|machine| machine.number).max() <= before {
            world.run(Duration::secs(10));
            tens += 1;
            assert!(tens < 600, "it never grows again");
        }
        tens / 6
    };
    tries(&mut world);
    assert_eq!(tries(&mut world), 20, "15 minutes of waiting and 5 of rest");
    assert_eq!(tries(&mut world), 25, "15 minutes of waiting and 10 of rest");
}

#[test]
fn a_machine_that_becomes_a_node_late_ends_the_groups_rest() {
    let mut world = full_world();
    world.run(Duration::mins(14));
    world.add_node(3, false);
    world.bench.take_events();
    world.run(Duration::mins(3));
    let events = world.bench.take_events();
    assert!(!events.contains("ScaleUpTimedOut"), "{events}");
    assert!(!events.contains("DeleteUnregistered"), "{events}");
}

#[test]
fn a_machine_that_is_no_node_stays_where_the_group_would_go_below_its_minimum() {
    let mut world = world();
    world.bench.remove::<Node>("", "node-2");
    world.run(Duration::mins(17));
    assert_eq!(size(&mut world), 2);
    world.bench.put(pod("keeper-1", "3", "node-1", ""));
    world.bench.put(pod("web-0", "3", "", ""));
    world.run(Duration::secs(15));
    let events = world.bench.take_events();
    assert!(events.contains("TriggeredScaleUp"), "nobody counts on it either: {events}");
    assert!(
        events.contains("DeleteUnregistered: Removed unregistered node node-2"),
        "there is one more now: {events}"
    );
}

#[test]
fn a_cloud_that_refuses_to_grow_a_group_is_not_asked_again_for_five_minutes() {
    let mut world = full_world();
    // The list of groups is answered, the request to grow is not.
    while !world.bench.take_events().contains("size to 3 instead of 2") {
        world.run(Duration::millis(10));
    }
    world.cloud.set_reachable(false);
    world.run(Duration::secs(15));
    world.cloud.set_reachable(true);
    let events = world.bench.take_events();
    assert!(
        events.contains("FailedToScaleUpGroup: Scale-up failed for group eks-workers"),
        "{events}"
    );
    world.run(Duration::mins(4));
    assert_eq!(size(&mut world), 2);
    world.run(Duration::mins(1));
    assert_eq!(size(&mut world), 3);
}

#[test]
fn a_restarted_autoscaler_waits_anew_and_has_forgotten_that_it_grew_the_group() {
    let mut world = full_world();
    world.run(Duration::mins(10));
    world.bench.restart();
    world.bench.take_events();
    world.run(Duration::mins(14));
    assert_eq!(size(&mut world), 3);
    world.run(Duration::mins(2));
    let events = world.bench.take_events();
    assert!(events.contains("DeleteUnregistered: Removed unregistered node node-3"), "{events}");
    assert!(!events.contains("ScaleUpTimedOut"), "{events}");
}
