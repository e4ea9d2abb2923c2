//! The scheduler on a fake API server: what it writes, says and waits for.

use api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod};
use api::object::Object;
use api::policy::v1::PodDisruptionBudget;
use api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass};
use api::wire;
use base::Duration;
use client::testing::{Bench, object};

use crate::Scheduler;
use crate::testing::{node, pod};

fn bench(nodes: &[&str], pods: &[&str]) -> Bench<Scheduler> {
    let nodes = nodes.iter().map(|text| Object::new(node(text)));
    let pods = pods.iter().map(|text| Object::new(pod(text)));
    let mut bench = Bench::new(Scheduler::new(1), nodes.chain(pods).collect::<Vec<_>>());
    bench.run(Duration::millis(100));
    bench
}

fn add(bench: &mut Bench<Scheduler>, text: &str) {
    bench.put(Object::new(pod(text)));
    bench.run(Duration::millis(100));
}

fn node_of(bench: &Bench<Scheduler>, name: &str) -> String {
    let pod = bench.api.get::<Pod>("default", name);
    pod.map(|pod| pod.spec.node_name.to_string()).unwrap_or_else(|| "gone".into())
}

/// `status reason: message` of PodScheduled.
fn condition(bench: &Bench<Scheduler>, name: &str) -> String {
    let pod = bench.api.get::<Pod>("default", name).expect("it exists");
    let found = pod.status.conditions.iter().find(|c| c.type_ == "PodScheduled");
    found.map(|c| format!("{} {}: {}", c.status, c.reason, c.message)).unwrap_or_default()
}

const HELPLESS: &str = "no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption \
                        is not helpful for scheduling.";
const NO_VICTIMS: &str = "no new claims to deallocate, preemption: 0/1 nodes are available: 1 No \
                          preemption victims found for incoming pod.";

#[test]
fn a_pod_is_bound_and_an_event_says_so() {
    let mut bench = bench(&["a cpu=4", "b cpu=1"], &["p cpu=2"]);
    assert_eq!(bench.take_log(), "+Pod/binding p");
    assert_eq!(bench.take_events(), "Normal Scheduled: Successfully assigned default/p to a");
    assert_eq!(node_of(&bench, "p"), "a");
}

#[test]
fn a_pod_that_fits_nowhere_gets_a_condition_and_an_event() {
    let mut bench = bench(&["a cpu=1"], &["p cpu=2"]);
    let text = format!("0/1 nodes are available: 1 Insufficient cpu. {HELPLESS}");
    assert_eq!(condition(&bench, "p"), format!("False Unschedulable: {text}"));
    assert_eq!(bench.take_events(), format!("Warning FailedScheduling: {text}"));
    let decision = bench.part.decision("default", "p").expect("it is kept");
    assert_eq!((decision.node.clone(), &*decision.message), (None, &*text));
    assert_eq!(decision.nodes[0].rejected.as_ref().expect("rejected").0, "NodeResourcesFit");
}

#[test]
fn without_nodes_there_is_nothing_to_preempt() {
    let bench = bench(&[], &["p"]);
    let expect = "False Unschedulable: no nodes available to schedule pods";
    assert_eq!(condition(&bench, "p"), expect);
}

#[test]
fn a_new_node_lets_waiting_pods_through() {
    let mut bench = bench(&["a cpu=1"], &["p cpu=2"]);
    bench.put(Object::new(node("b cpu=4")));
    bench.run(Duration::secs(2));
    assert_eq!(node_of(&bench, "p"), "b");
}

#[test]
fn room_that_a_finished_pod_leaves_is_used() {
    let mut bench = bench(&["a cpu=2"], &["x on=a cpu=2", "p cpu=2"]);
    assert_eq!(node_of(&bench, "p"), "");
    bench.edit::<Pod>("default", "x", |pod| {
        std::sync::Arc::make_mut(&mut pod.status).phase = "Succeeded".into();
    });
    bench.run(Duration::secs(2));
    assert_eq!(node_of(&bench, "p"), "a");
}

#[test]
fn company_that_arrives_lets_pods_through_that_look_for_it() {
    let near = r#"p | {"affinity":{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":
        [{"labelSelector":{"matchLabels":{"app":"db"}},"topologyKey":"kubernetes.io/hostname"}]}}}"#;
    let mut bench = bench(&["a cpu=4", "b cpu=4"], &[near]);
    assert_eq!(node_of(&bench, "p"), "");
    add(&mut bench, "db app=db");
    assert_eq!(node_of(&bench, "p"), node_of(&bench, "db"));
}

#[test]
fn a_pod_that_comes_anew_under_the_same_name_is_scheduled_anew() {
    let mut bench = bench(&["a cpu=4"], &["p cpu=1"]);
    bench.remove::<Pod>("default", "p");
    add(&mut bench, "p cpu=2");
    assert_eq!(node_of(&bench, "p"), "a");
}

#[test]
fn pods_of_another_scheduler_are_left_alone() {
    let mut bench = bench(&["a cpu=4"], &[r#"p | {"schedulerName":"other"}"#]);
    assert_eq!((bench.take_log(), bench.take_events()), (String::new(), String::new()));
}

#[test]
fn a_gated_pod_waits_without_an_event() {
    let mut bench = bench(&["a cpu=4"], &[r#"p | {"schedulingGates":[{"name":"example.com/g"}]}"#]);
    assert_eq!((bench.take_log(), bench.take_events()), (String::new(), String::new()));
    bench.edit::<Pod>("default", "p", |pod| pod.spec.edit().scheduling_gates.clear());
    bench.run(Duration::secs(1));
    assert_eq!(node_of(&bench, "p"), "a");
}

#[test]
fn a_binding_that_fails_is_tried_again_after_a_second() {
    let mut bench = bench(&["a cpu=4"], &[]);
    bench.api.refuse("+Pod/binding", wire::failure(500, "InternalError", "no quorum"));
    add(&mut bench, "p");
    let why = r#"running Bind plugin "DefaultBinder": no quorum"#;
    assert_eq!(condition(&bench, "p"), format!("False SchedulerError: {why}"));
    bench.api.allow();
    bench.run(Duration::secs(2));
    assert_eq!(node_of(&bench, "p"), "a");
}

#[test]
fn pods_placed_at_the_same_moment_see_each_other() {
    let pods: Vec<String> = (0..5).map(|i| format!("p{i} cpu=1")).collect();
    let pods: Vec<&str> = pods.iter().map(String::as_str).collect();
    let bench = bench(&["a cpu=2", "b cpu=2"], &pods);
    let on = |node: &str| (0..5).filter(|i| node_of(&bench, &format!("p{i}")) == node).count();
    assert_eq!((on("a"), on("b"), on("")), (2, 2, 1));
}

#[test]
fn a_restart_forgets_everything_and_schedules_what_is_listed() {
    let mut bench = bench(&["a cpu=2"], &["x cpu=1"]);
    let mut out = client::Outbox::default();
    use client::Part as _;
    bench.part.handle(bench.now, client::Input::Start, &mut out);
    assert_eq!(bench.part.queue_lengths(), (0, 0, 0));
    assert!(bench.part.decision("default", "x").is_none());
    assert!(out.requests.is_empty() && bench.part.next_wake().is_none());
}

#[test]
fn a_pod_of_high_priority_takes_the_place_of_one_of_low_priority() {
    let mut bench = bench(&["a cpu=4"], &["low on=a cpu=3 priority=1"]);
    add(&mut bench, "vip cpu=2 priority=1000");
    let events = bench.take_events();
    assert!(
        events.contains("FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu."),
        "{events}"
    );
    assert!(!events.contains("preemption:"), "{events}");
    assert!(events.contains("Normal Preempted: Preempted by pod uid-vip on node a"), "{events}");
    let victim = bench.api.get::<Pod>("default", "low").expect("it gets its grace period");
    assert!(victim.metadata.deletion_timestamp.is_some());
    let condition = victim.status.conditions.last().expect("a condition");
    assert_eq!(
        (&*condition.type_, &*condition.reason, &*condition.message),
        (
            "DisruptionTarget",
            "PreemptionByScheduler",
            "default-scheduler: preempting to accommodate a higher priority pod"
        )
    );
    let vip = bench.api.get::<Pod>("default", "vip").expect("it is there");
    assert_eq!(vip.status.nominated_node_name, "a");
    bench.remove::<Pod>("default", "low");
    bench.run(Duration::secs(1));
    assert_eq!(node_of(&bench, "vip"), "a");
}

#[test]
fn room_made_for_a_pod_is_not_given_to_one_of_lower_priority() {
    let there = ["x on=a cpu=2 priority=1", "y on=a cpu=2 priority=1"];
    let mut bench = bench(&["a cpu=4"], &there);
    add(&mut bench, "vip cpu=4 priority=1000");
    bench.remove::<Pod>("default", "x");
    bench.run(Duration::secs(1));
    add(&mut bench, "small cpu=1 priority=5");
    bench.run(Duration::secs(15));
    assert_eq!((node_of(&bench, "vip"), node_of(&bench, "small")), (String::new(), String::new()));
    bench.remove::<Pod>("default", "y");
    bench.run(Duration::secs(15));
    assert_eq!((node_of(&bench, "vip"), node_of(&bench, "small")), ("a".into(), String::new()));
}

#[test]
fn a_pod_that_waits_for_its_victims_takes_no_others() {
    let there = ["x on=a cpu=4 priority=1", "z on=b cpu=4 priority=2"];
    let mut bench = bench(&["a cpu=4", "b cpu=4"], &there);
    add(&mut bench, "vip cpu=4 priority=1000");
    assert!(bench.take_log().contains("-Pod x"));
    bench.put(Object::new(node("c cpu=4 taint=own:NoSchedule")));
    bench.run(Duration::secs(15));
    let log = bench.take_log();
    assert!(!log.contains("-Pod"), "{log}");
    let text = condition(&bench, "vip");
    let expect = "preemption: not eligible due to a terminating pod on the nominated node.";
    assert!(text.ends_with(expect), "{text}");
}

#[test]
fn a_pod_that_must_not_preempt_says_so() {
    let mut bench = bench(&["a cpu=4"], &["low on=a cpu=3"]);
    add(&mut bench, r#"vip cpu=2 priority=1000 | {"preemptionPolicy":"Never"}"#);
    let expect = "False Unschedulable: 0/1 nodes are available: 1 Insufficient cpu. no new claims to \
                  deallocate, preemption: not eligible due to preemptionPolicy=Never.";
    assert_eq!(condition(&bench, "vip"), expect);
}

#[test]
fn pods_that_have_no_lower_neighbours_find_no_victims() {
    let bench = bench(&["a cpu=4"], &["x on=a cpu=3", "p cpu=2"]);
    let expect =
        format!("False Unschedulable: 0/1 nodes are available: 1 Insufficient cpu. {NO_VICTIMS}");
    assert_eq!(condition(&bench, "p"), expect);
}

#[test]
fn a_protected_pod_is_spared_if_another_node_will_do() {
    let budget: PodDisruptionBudget = object(
        r#"{"metadata":{"name":"b","namespace":"default"},
            "spec":{"selector":{"matchLabels":{"app":"db"}}},"status":{"disruptionsAllowed":0,
            "currentHealthy":1,"desiredHealthy":1,"expectedPods":1}}"#,
    );
    let mut bench = bench(
        &["a cpu=4", "b cpu=4"],
        &["db on=a cpu=4 app=db", "web on=b cpu=4 app=web priority=3"],
    );
    bench.put(Object::new(budget));
    add(&mut bench, "vip cpu=4 priority=1000");
    let vip = bench.api.get::<Pod>("default", "vip").expect("it is there");
    assert_eq!(
        vip.status.nominated_node_name, "b",
        "although its victim is the more important one"
    );
}

#[test]
fn the_fewest_and_least_important_victims_go() {
    let there = ["x on=a cpu=1 priority=1", "y on=a cpu=3 priority=2", "z on=b cpu=4 priority=9"];
    let mut bench = bench(&["a cpu=4", "b cpu=4"], &there);
    add(&mut bench, "vip cpu=1 priority=1000");
    let log = bench.take_log();
    assert!(log.contains("-Pod x") && !log.contains("-Pod y") && !log.contains("-Pod z"), "{log}");
}

/// A budget for pods labelled `app=db` that allows so many disruptions.
fn budget(allowed: i32) -> PodDisruptionBudget {
    object(&format!(
        r#"{{"metadata":{{"name":"b","namespace":"default"}},
            "spec":{{"selector":{{"matchLabels":{{"app":"db"}}}}}},
            "status":{{"disruptionsAllowed":{allowed}}}}}"#
    ))
}

/// Who goes and where room is made for a pod `vip` of priority 1000: `node: victim victim`.
fn check_preemption(nodes: &[&str], there: &[&str], allowed: i32, vip: &str, expect: &str) {
    let mut bench = bench(nodes, there);
    bench.put(Object::new(budget(allowed)));
    bench.take_log();
    add(&mut bench, &format!("vip {vip} priority=1000"));
    let log = bench.take_log();
    let mut gone: Vec<&str> = log.split("; ").filter_map(|l| l.strip_prefix("-Pod ")).collect();
    gone.sort_unstable();
    let vip = bench.api.get::<Pod>("default", "vip").expect("it is there");
    let node = &vip.status.nominated_node_name;
    assert_eq!(format!("{node}: {}", gone.join(" ")), expect, "{log}");
}

#[test]
fn on_a_node_the_pods_that_a_budget_protects_are_spared_before_more_important_ones() {
    let there = ["db on=a cpu=2 app=db priority=1", "web on=a cpu=2 app=web priority=9"];
    check_preemption(&["a cpu=4"], &there, 0, "cpu=2", "a: web");
    check_preemption(&["a cpu=4"], &there, 1, "cpu=2", "a: db");
}

#[test]
fn a_budget_protects_only_as_many_pods_as_it_must() {
    let there = [
        "x on=a cpu=1 app=db priority=1",
        "y on=a cpu=1 app=db priority=2",
        "web on=a cpu=1 app=web priority=3",
    ];
    // The budget allows the more important one to go, so that the other is the protected one.
    check_preemption(&["a cpu=3"], &there, 1, "cpu=1", "a: y");
    check_preemption(&["a cpu=3"], &there, 1, "cpu=2", "a: web y");
}

#[test]
fn a_budget_is_broken_when_nothing_else_works() {
    check_preemption(&["a cpu=4"], &["db on=a cpu=4 app=db"], 0, "cpu=4", "a: db");
    let there = ["db on=a cpu=2 app=db", "web on=a cpu=2 app=web"];
    check_preemption(&["a cpu=4"], &there, 0, "cpu=4", "a: db web");
}

#[test]
fn of_nodes_alike_in_their_highest_victim_the_one_with_the_lowest_sum_is_chosen() {
    let there = [
        "a1 on=a cpu=2 priority=9",
        "a2 on=a cpu=2 priority=5",
        "b1 on=b cpu=2 priority=9",
        "b2 on=b cpu=2 priority=4",
        "c1 on=c cpu=2 priority=9",
        "c2 on=c cpu=2 priority=6",
    ];
    check_preemption(&["a cpu=4", "b cpu=4", "c cpu=4"], &there, 0, "cpu=4", "b: b1 b2");
}

#[test]
fn a_node_with_fewer_victims_is_chosen_although_each_is_as_important() {
    let there =
        ["a1 on=a cpu=2 priority=5", "a2 on=a cpu=2 priority=5", "b1 on=b cpu=4 priority=5"];
    check_preemption(&["a cpu=4", "b cpu=4"], &there, 0, "cpu=4", "b: b1");
}

/// The lowest priority there is adds nothing to the sum, so that only the count tells the nodes apart.
#[test]
fn of_nodes_with_equal_sums_the_one_with_fewer_victims_is_chosen() {
    let lowest = i32::MIN;
    let there = [
        "a1 on=a cpu=2 priority=5".to_owned(),
        format!("a2 on=a cpu=2 priority={lowest}"),
        "b1 on=b cpu=4 priority=5".to_owned(),
        "c1 on=c cpu=2 priority=5".to_owned(),
        format!("c2 on=c cpu=2 priority={lowest}"),
    ];
    let there: Vec<&str> = there.iter().map(String::as_str).collect();
    check_preemption(&["a cpu=4", "b cpu=4", "c cpu=4"], &there, 0, "cpu=4", "b: b1");
}

#[test]
fn of_victims_alike_those_that_started_last_go() {
    for latest in ["a", "b", "c"] {
        let nodes = ["a cpu=4", "b cpu=4", "c cpu=4"];
        let mut bench = bench(&nodes, &[]);
        for name in ["a", "b", "c"] {
            let mut running = pod(&format!("on-{name} on={name} cpu=4 priority=5"));
            let hour = if name == latest { 9 } else { 8 };
            let started = object::<Pod>(&format!(
                r#"{{"status":{{"phase":"Running","startTime":"2026-01-01T0{hour}:00:00Z"}}}}"#
            ));
            running.status = started.status;
            bench.put(Object::new(running));
        }
        bench.run(Duration::millis(100));
        add(&mut bench, "vip cpu=4 priority=1000");
        let vip = bench.api.get::<Pod>("default", "vip").expect("it is there");
        assert_eq!(vip.status.nominated_node_name, latest);
    }
}

#[test]
fn a_pod_of_still_higher_priority_takes_room_that_was_being_made_for_another() {
    let mut bench = bench(&["a cpu=4"], &["low on=a cpu=4 priority=1"]);
    add(&mut bench, "vip cpu=4 priority=100");
    let nominated = |bench: &Bench<Scheduler>, name: &str| {
        let pod = bench.api.get::<Pod>("default", name).expect("it is there");
        pod.status.nominated_node_name.to_string()
    };
    assert_eq!(nominated(&bench, "vip"), "a");
    add(&mut bench, "king cpu=4 priority=1000");
    assert_eq!((nominated(&bench, "vip"), nominated(&bench, "king")), (String::new(), "a".into()));
    bench.remove::<Pod>("default", "low");
    bench.run(Duration::secs(15));
    assert_eq!((node_of(&bench, "vip"), node_of(&bench, "king")), (String::new(), "a".into()));
}

fn class(name: &str, mode: &str, provisioner: &str) -> StorageClass {
    object(&format!(
        r#"{{"metadata":{{"name":"{name}"}},"provisioner":"{provisioner}","volumeBindingMode":"{mode}"}}"#
    ))
}

fn claim(class: &str, more: &str) -> PersistentVolumeClaim {
    object(&format!(
        r#"{{"metadata":{{"name":"c","namespace":"default"{more}}},
            "spec":{{"accessModes":["ReadWriteOnce"],"storageClassName":"{class}",
            "resources":{{"requests":{{"storage":"1Gi"}}}}}}}}"#
    ))
}

fn volume(name: &str, class: &str, size: &str, zone: &str) -> PersistentVolume {
    object(&format!(
        r#"{{"metadata":{{"name":"{name}"}},"spec":{{"capacity":{{"storage":"{size}"}},
            "accessModes":["ReadWriteOnce"],"storageClassName":"{class}",
            "nodeAffinity":{{"required":{{"nodeSelectorTerms":[{{"matchExpressions":[
            {{"key":"topology.kubernetes.io/zone","operator":"In","values":["{zone}"]}}]}}]}}}}}},
            "status":{{"phase":"Available"}}}}"#
    ))
}

const WITH_CLAIM: &str =
    r#"p | {"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}}]}"#;

#[test]
fn a_missing_claim_is_named() {
    let mut bench = bench(&["a cpu=4"], &[WITH_CLAIM]);
    // Nothing could be asked about making room: the second half says that its state is missing.
    let text = r#"0/1 nodes are available: persistentvolumeclaim "c" not found. not found"#;
    assert_eq!(condition(&bench, "p"), format!("False Unschedulable: {text}"));
    bench.put(Object::new(class("slow", "Immediate", "x")));
    bench.put(Object::new(claim("slow", "")));
    bench.run(Duration::secs(2));
    let text =
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found";
    assert_eq!(condition(&bench, "p"), format!("False Unschedulable: {text}"));
}

fn bind_claim(bench: &mut Bench<Scheduler>, volume: &str) {
    bench.edit::<PersistentVolumeClaim>("default", "c", |claim| {
        std::sync::Arc::make_mut(&mut claim.spec).volume_name = volume.into();
        let meta = std::sync::Arc::make_mut(&mut claim.metadata);
        meta.annotations.insert("pv.kubernetes.io/bind-completed", "yes".into());
    });
    bench.run(Duration::millis(100));
}

#[test]
fn a_claim_that_waits_is_provisioned_for_the_chosen_node_before_the_pod_is_bound() {
    let mut bench = bench(&["a cpu=4"], &[]);
    bench.put(Object::new(class("local", "WaitForFirstConsumer", "example.com/disk")));
    bench.put(Object::new(claim("local", "")));
    add(&mut bench, WITH_CLAIM);
    assert_eq!(bench.take_log(), "~Pod/status p; ~PersistentVolumeClaim c");
    let waits = bench.api.get::<Pod>("default", "p").expect("it waits");
    assert_eq!(waits.status.nominated_node_name, "a");
    let chosen = bench.api.get::<PersistentVolumeClaim>("default", "c").expect("it is there");
    assert_eq!(chosen.metadata.annotations.text("volume.kubernetes.io/selected-node"), Some("a"));
    bind_claim(&mut bench, "pv-1");
    assert_eq!(bench.take_log(), "+Pod/binding p");
}

#[test]
fn or_gets_the_smallest_volume_that_reaches_the_node() {
    let mut bench = bench(&["a cpu=4 zone=x", "b cpu=4 zone=y"], &[]);
    bench.put(Object::new(class("local", "WaitForFirstConsumer", "kubernetes.io/no-provisioner")));
    for (name, size, zone) in [("big", "9Gi", "y"), ("fit", "1Gi", "y"), ("tiny", "1Mi", "x")] {
        bench.put(Object::new(volume(name, "local", size, zone)));
    }
    bench.put(Object::new(claim("local", "")));
    add(&mut bench, WITH_CLAIM);
    let fit = bench.api.get::<PersistentVolume>("", "fit").expect("it is there");
    assert_eq!(fit.spec.claim_ref.as_ref().expect("claimed").name, "c");
    bind_claim(&mut bench, "fit");
    assert_eq!(node_of(&bench, "p"), "b");
}

#[test]
fn a_driver_that_tells_its_capacity_makes_volumes_only_where_they_fit() {
    let mut bench = bench(&["a cpu=4 zone=x"], &[]);
    bench.put(Object::new(class("local", "WaitForFirstConsumer", "example.com/disk")));
    bench.put(Object::new(object::<CSIDriver>(
        r#"{"metadata":{"name":"example.com/disk"},"spec":{"storageCapacity":true}}"#,
    )));
    bench.put(Object::new(claim("local", "")));
    add(&mut bench, WITH_CLAIM);
    let text = "0/1 nodes are available: 1 node(s) did not have enough free storage.";
    assert_eq!(condition(&bench, "p"), format!("False Unschedulable: {text} {HELPLESS}"));
    bench.take_log();
    let capacity = |name: &str, size: &str, zone: &str| {
        Object::new(object::<CSIStorageCapacity>(&format!(
            r#"{{"metadata":{{"name":"{name}","namespace":"kube-system"}},"storageClassName":"local",
            "capacity":"{size}","nodeTopology":{{"matchLabels":{{"topology.kubernetes.io/zone":"{zone}"}}}}}}"#
        )))
    };
    for (name, size, zone) in [("small", "1Mi", "x"), ("far", "100Gi", "y")] {
        bench.put(capacity(name, size, zone));
        bench.run(Duration::secs(11));
    }
    assert!(!bench.take_log().contains("~PersistentVolumeClaim"));
    bench.put(capacity("large", "100Gi", "x"));
    bench.run(Duration::secs(11));
    assert!(bench.take_log().contains("~PersistentVolumeClaim c"));
}

#[test]
fn a_profile_decides_how_its_pods_are_placed() {
    let config = r#"{"apiVersion":"kubescheduler.config.k8s.io/v1","kind":"KubeSchedulerConfiguration","profiles":[
        {"schedulerName":"default-scheduler"},
        {"schedulerName":"packer","plugins":{"postFilter":{"disabled":[{"name":"DefaultPreemption"}]}},
        "pluginConfig":[{"name":"NodeResourcesFit","args":{"scoringStrategy":{"type":"MostAllocated","resources":
        [{"name":"cpu","weight":1}]}}},{"name":"NodeAffinity","args":{"addedAffinity":
        {"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":
        [{"key":"pool","operator":"In","values":["packed"]}]}]}}}}]}]}"#;
    let config = api::Json::parse(config.as_bytes()).expect("JSON");
    let config = crate::profile::Config::from_json(&config).expect("sound");
    let nodes = ["a cpu=8 pool=packed", "b cpu=8 pool=packed", "c cpu=8"];
    let nodes = nodes.map(|text| Object::new(node(text)));
    let mut bench = Bench::new(Scheduler::with_config(1, config), nodes);
    add(&mut bench, "busy on=b cpu=4");
    for name in ["p", "q"] {
        add(&mut bench, &format!(r#"{name} cpu=1 | {{"schedulerName":"packer"}}"#));
        assert_eq!(node_of(&bench, name), "b");
    }
    add(&mut bench, "spread cpu=1");
    assert_ne!(node_of(&bench, "spread"), "b");
    add(&mut bench, r#"huge cpu=9 | {"schedulerName":"packer"}"#);
    let text = "0/3 nodes are available: 1 node(s) didn't match scheduler-enforced node affinity, 2 \
                Insufficient cpu. no new claims to deallocate";
    assert_eq!(condition(&bench, "huge"), format!("False Unschedulable: {text}"));
}

#[test]
fn without_such_a_volume_there_is_no_node() {
    let mut bench = bench(&["a cpu=4 zone=x"], &[]);
    bench.put(Object::new(class("local", "WaitForFirstConsumer", "kubernetes.io/no-provisioner")));
    bench.put(Object::new(volume("far", "local", "9Gi", "y")));
    bench.put(Object::new(claim("local", "")));
    add(&mut bench, WITH_CLAIM);
    let text =
        "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind.";
    assert_eq!(condition(&bench, "p"), format!("False Unschedulable: {text} {HELPLESS}"));
}

#[test]
fn a_pod_gives_up_on_volumes_after_ten_minutes() {
    let mut bench = bench(&["a cpu=4"], &[]);
    bench.put(Object::new(class("local", "WaitForFirstConsumer", "example.com/disk")));
    bench.put(Object::new(claim("local", "")));
    add(&mut bench, WITH_CLAIM);
    bench.run(Duration::mins(10));
    let text = condition(&bench, "p");
    assert!(text.starts_with("False SchedulerError: running PreBind plugin"), "{text}");
    let waits = bench.api.get::<Pod>("default", "p").expect("it waits");
    assert_eq!(waits.status.nominated_node_name, "");
}

fn bound(bench: &mut Bench<Scheduler>, more: &str) {
    bench.put(Object::new(class("disk", "Immediate", "example.com/disk")));
    let mut claim = claim("disk", r#","annotations":{"pv.kubernetes.io/bind-completed":"yes"}"#);
    std::sync::Arc::make_mut(&mut claim.spec).volume_name = "v".into();
    bench.put(Object::new(claim));
    bench.put(Object::new(object::<PersistentVolume>(&format!(
        r#"{{"metadata":{{"name":"v"{more}}},"spec":{{"csi":{{"driver":"example.com/disk","volumeHandle":"h"}},
            "capacity":{{"storage":"1Gi"}},"accessModes":["ReadWriteOnce"]}}}}"#
    ))));
}

#[test]
fn a_volume_in_a_zone_is_used_in_the_zone() {
    let mut bench = bench(&["a cpu=4 zone=x", "b cpu=1 zone=y"], &[]);
    bound(&mut bench, r#","labels":{"topology.kubernetes.io/zone":"y"}"#);
    add(&mut bench, WITH_CLAIM);
    assert_eq!(node_of(&bench, "p"), "b");
}

#[test]
fn a_node_attaches_only_so_many_volumes_of_a_driver() {
    let mut bench = bench(&["a cpu=4"], &[]);
    bound(&mut bench, "");
    bench.put(Object::new(object::<CSINode>(
        r#"{"metadata":{"name":"a"},"spec":{"drivers":[{"name":"example.com/disk","nodeID":"a",
            "allocatable":{"count":0}}]}}"#,
    )));
    add(&mut bench, WITH_CLAIM);
    let text = "0/1 nodes are available: 1 node(s) exceed max volume count.";
    assert_eq!(condition(&bench, "p"), format!("False Unschedulable: {text} {NO_VICTIMS}"));
}

#[test]
fn a_volume_that_pods_share_is_attached_once() {
    let mut bench = bench(&["a cpu=4"], &[]);
    bound(&mut bench, "");
    bench.put(Object::new(object::<CSINode>(
        r#"{"metadata":{"name":"a"},"spec":{"drivers":[{"name":"example.com/disk","nodeID":"a",
            "allocatable":{"count":1}}]}}"#,
    )));
    add(&mut bench, WITH_CLAIM);
    add(&mut bench, &WITH_CLAIM.replace("p |", "q |"));
    assert_eq!((node_of(&bench, "p"), node_of(&bench, "q")), ("a".into(), "a".into()));
}

#[test]
fn a_volume_may_lie_in_several_zones() {
    let mut bench = bench(&["a cpu=4 zone=x", "b cpu=1 zone=z"], &[]);
    bound(&mut bench, r#","labels":{"topology.kubernetes.io/zone":"y__z"}"#);
    add(&mut bench, WITH_CLAIM);
    assert_eq!(node_of(&bench, "p"), "b");
    add(&mut bench, &WITH_CLAIM.replace("p |", "q cpu=2 |"));
    let text =
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had no available volume zone.";
    assert!(condition(&bench, "q").contains(text), "{}", condition(&bench, "q"));
}

#[test]
fn a_claim_for_one_pod_alone_is_used_by_one_pod_alone() {
    let mut bench = bench(&["a cpu=4"], &[]);
    bound(&mut bench, "");
    bench.edit::<PersistentVolumeClaim>("default", "c", |claim| {
        let spec = std::sync::Arc::make_mut(&mut claim.spec);
        spec.access_modes = base::list!["ReadWriteOncePod".into()];
    });
    add(&mut bench, WITH_CLAIM);
    add(&mut bench, &WITH_CLAIM.replace("p |", "q |"));
    assert_eq!(node_of(&bench, "p"), "a");
    let text = "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same \
                name and ReadWriteOncePod access mode.";
    assert_eq!(condition(&bench, "q"), format!("False Unschedulable: {text} {NO_VICTIMS}"));
}

#[test]
fn a_daemons_pod_looks_only_at_its_node() {
    let spec = r#"{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":
        {"nodeSelectorTerms":[{"matchFields":[{"key":"metadata.name","operator":"In","values":["b"]}]}]}}}}"#;
    let bench = bench(&["a cpu=4", "b cpu=1", "c cpu=4"], &[&format!("p cpu=2 | {spec}")]);
    let text = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) \
                [NodeAffinity]. no new claims to deallocate, preemption: 0/3 nodes are available: 3 \
                Preemption is not helpful for scheduling.";
    assert_eq!(condition(&bench, "p"), format!("False Unschedulable: {text}"));
}

#[test]
fn what_would_be_decided_can_be_asked_for() {
    let mut bench = bench(&["a cpu=1", "b cpu=1"], &["p cpu=2"]);
    let now = bench.now;
    let told = bench.part.explain(now, "default", "p").expect("it waits");
    let why: Vec<_> = told.nodes.iter().map(|r| r.rejected.clone().expect("rejected").1).collect();
    assert_eq!(why, [["Insufficient cpu"], ["Insufficient cpu"]]);
    bench.edit::<Node>("", "b", |node| *node = crate::testing::node("b cpu=4"));
    bench.run(Duration::secs(2));
    let told = bench.part.explain(now, "default", "p").expect("it is kept");
    assert_eq!(told.node.as_deref(), Some("b"));
}

/// NodeResourcesFit of `a`: (4000 - 1000) / 4000 = 75 and (8192 - 200) / 8192 = 97, together 86. The
/// raw score of a taint is how many are not tolerated, the normalised one is the better the fewer.
#[test]
fn every_score_of_a_placed_pod_is_kept() {
    let nodes = ["a cpu=4 memory=8Gi", "b cpu=8 memory=8Gi taint=x:PreferNoSchedule"];
    let bench = bench(&nodes, &["p cpu=1"]);
    let decision = bench.part.decision("default", "p").expect("it is kept");
    assert_eq!(decision.node.as_deref(), Some("a"));
    let mut reports = decision.nodes.clone();
    reports.sort_by(|one, other| one.node.cmp(&other.node));
    let shown = reports.iter().map(|report| (&*report.node, &*report.scores, report.total));
    let expect: [(&str, &[_], i64); 2] = [
        (
            "a",
            &[
                ("TaintToleration", 0, 100, 3),
                ("NodeResourcesFit", 86, 86, 1),
                ("NodeResourcesBalancedAllocation", 68, 68, 1),
                ("ImageLocality", 0, 0, 1),
            ],
            454,
        ),
        (
            "b",
            &[
                ("TaintToleration", 1, 0, 3),
                ("NodeResourcesFit", 92, 92, 1),
                ("NodeResourcesBalancedAllocation", 71, 71, 1),
                ("ImageLocality", 0, 0, 1),
            ],
            163,
        ),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expect);
}

/// Pods `p0`, `p1` and so on: how many decisions are kept, and how many of them with reports.
fn kept(nodes: usize, pods: usize) -> (usize, usize) {
    let nodes: Vec<String> = (0..nodes).map(|i| format!("n{i} cpu=9000 pods=9000")).collect();
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    let mut bench = bench(&nodes, &[]);
    for i in 0..pods {
        bench.put(Object::new(pod(&format!("p{i} cpu=1"))));
    }
    bench.run(Duration::secs(10));
    let last = bench.part.decision("default", &format!("p{}", pods - 1));
    assert!(last.is_some_and(|decision| decision.node.is_some()), "the last one is kept");
    let found = (0..pods).filter_map(|i| bench.part.decision("default", &format!("p{i}")));
    let found: Vec<bool> = found.map(|decision| !decision.nodes.is_empty()).collect();
    (found.len(), found.iter().filter(|has_reports| **has_reports).count())
}

#[test]
fn a_thousand_decisions_are_kept_and_a_hundred_with_what_was_found_on_each_node() {
    assert_eq!(kept(2, 1_010), (1_000, 100));
}

#[test]
fn of_more_than_a_hundred_nodes_there_are_no_reports() {
    assert_eq!(kept(100, 3), (3, 3));
    assert_eq!(kept(101, 3), (3, 0));
}
