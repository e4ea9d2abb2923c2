//! What `replica_set` promises, as tests.

use api::meta::v1::OwnerReference;
use api::object::Object;
use api::time::Time;
use base::{Duration, list};
use client::Runner;
use client::testing::{Bench, caches, object, print};

use super::*;

fn set(replicas: i32) -> ReplicaSet {
    object(&format!(
        r#"{{"metadata": {{"name": "web", "namespace": "d", "uid": "u", "generation": 1}}, "spec": {{
        "replicas": {replicas}, "selector": {{"matchLabels": {{"app": "web"}}}},
        "template": {{"metadata": {{"labels": {{"app": "web"}}}}, "spec": {{"containers": []}}}}}}}}"#
    ))
}

/// A pod from a sentence such as `a:ready,node=n1,cost=5,age=60,restarts=3,orphan,label=db,set=uid`.
fn pod(text: &str) -> Pod {
    let (name, words) = text.split_once(':').expect("name:words");
    let mut pod: Pod = object(&format!(
        r#"{{"metadata": {{"name": "{name}", "namespace": "d", "uid": "{name}", "labels": {{"app": "web"}}}},
        "spec": {{"containers": [], "nodeName": "n0"}}, "status": {{"phase": "Running"}}}}"#
    ));
    let meta = Arc::make_mut(&mut pod.metadata);
    let owner = OwnerReference {
        api_version: lit!("apps/v1"),
        kind: lit!("ReplicaSet"),
        name: lit!("web"),
        uid: lit!("u"),
        controller: Some(true),
        block_owner_deletion: Some(true),
    };
    meta.owner_references = list![owner];
    let mut age = 60;
    for word in words.split(',') {
        let (word, value) = word.split_once('=').unwrap_or((word, ""));
        match word {
            "pending" => Arc::make_mut(&mut pod.status).phase = lit!("Pending"),
            "failed" => Arc::make_mut(&mut pod.status).phase = lit!("Failed"),
            "orphan" => meta.owner_references.clear(),
            "label" => drop(meta.labels.insert("app", value.into())),
            "cost" => drop(
                meta.annotations.insert("controller.kubernetes.io/pod-deletion-cost", value.into()),
            ),
            "dying" => meta.deletion_timestamp = Some(Time::from(Instant::START)),
            "node" => pod.spec.node_name = value.into(),
            "age" => age = value.parse().expect("seconds"),
            "restarts" => {
                Arc::make_mut(&mut pod.status).container_statuses =
                    list![api::core::v1::ContainerStatus {
                        restart_count: value.parse().expect("a number"),
                        ..Default::default()
                    }];
            }
            "set" => meta.owner_references[0].uid = value.into(),
            "ready" => {}
            other => panic!("what is {other}?"),
        }
    }
    let born = Some(Time::from(Instant::START - Duration::secs(age)));
    meta.creation_timestamp = born;
    if words.contains("ready") {
        Arc::make_mut(&mut pod.status).conditions = list![api::core::v1::PodCondition {
            type_: lit!("Ready"),
            status: lit!("True"),
            last_transition_time: born,
            ..Default::default()
        }];
    }
    pod
}

fn world(replicas: i32, pods: &str) -> Vec<Object> {
    let pods = pods.split_whitespace().map(|text| Object::new(pod(text)));
    [Object::new(set(replicas))].into_iter().chain(pods).collect()
}

/// What the controller writes for a set that wants `replicas` and sees `pods`.
fn check(replicas: i32, pods: &str, expect: &str) {
    let caches = caches(world(replicas, pods));
    let cx = Cx { now: Instant::START, caches: &caches, trigger: Default::default() };
    let plan = ReplicaSets.reconcile(&cx, &Key::new("d", "web"));
    let status = plan.requests().find_map(|request| match &request.verb {
        Verb::Update(object) => object.get::<ReplicaSet>().map(|set| set.status.clone()),
        _ => None,
    });
    let status = status.expect("the status is always new here");
    let text = print(&plan);
    let writes = text.strip_suffix("~ReplicaSet/status web").expect("status comes last");
    let writes = writes.trim_end_matches("; ");
    let counts = format!(
        "replicas={} ready={} terminating={}",
        status.replicas,
        status.ready_replicas,
        status.terminating_replicas.unwrap_or(0)
    );
    assert_eq!(format!("{writes} | {counts}"), expect, "{replicas} of {pods}");
}

#[test]
fn creates_what_is_missing_in_growing_batches() {
    check(2, "a:ready", "+Pod web- | replicas=1 ready=1 terminating=0");
    check(3, "", "+Pod web-; +Pod web- +Pod web- | replicas=0 ready=0 terminating=0");
}

#[test]
fn is_content_with_the_right_number() {
    check(1, "a:ready", " | replicas=1 ready=1 terminating=0");
}

#[test]
fn pods_that_failed_or_are_going_do_not_count() {
    check(1, "a:failed b:ready,dying", "+Pod web- | replicas=0 ready=0 terminating=1");
}

#[test]
fn gives_up_unready_pods_first() {
    check(1, "a:ready b:pending", "-Pod b | replicas=2 ready=1 terminating=0");
}

#[test]
fn gives_up_unbound_pods_before_all_others() {
    check(1, "a:pending b:pending,node=", "-Pod b | replicas=2 ready=0 terminating=0");
}

#[test]
fn gives_up_cheap_pods_before_costly_ones() {
    check(1, "a:ready,cost=-1 b:ready,cost=-5", "-Pod b | replicas=2 ready=2 terminating=0");
}

#[test]
fn gives_up_pods_of_crowded_nodes_first() {
    check(
        2,
        "a:ready,node=n1 b:ready,node=n2 c:ready,node=n2",
        "-Pod b | replicas=3 ready=3 terminating=0",
    );
}

#[test]
fn gives_up_young_pods_before_much_older_ones() {
    check(1, "a:ready,age=4000 b:ready,age=10", "-Pod b | replicas=2 ready=2 terminating=0");
}

#[test]
fn adopts_matching_orphans_and_releases_strangers() {
    check(1, "a:ready,orphan", "~Pod a | replicas=1 ready=1 terminating=0");
    check(1, "a:ready,label=db", "~Pod a; +Pod web- | replicas=0 ready=0 terminating=0");
}

#[test]
fn a_bench_run_creates_pods_and_says_so() {
    let mut bench = Bench::new(Runner::new("kcm", vec![Box::new(ReplicaSets)]), world(2, ""));
    assert_eq!(
        bench.take_log(),
        "+Pod web-; +Pod web-; ~ReplicaSet/status web; ~ReplicaSet/status web"
    );
    assert_eq!(
        bench.take_events(),
        "Normal SuccessfulCreate: Created pod: web-2; Normal SuccessfulCreate: Created pod: web-3"
    );
}

#[test]
fn a_refused_pod_shows_as_condition_and_event() {
    let mut bench = Bench::new(Runner::new("kcm", vec![Box::new(ReplicaSets)]), world(0, ""));
    bench.api.refuse("+Pod", api::wire::failure(403, "Forbidden", "pods are forbidden: quota"));
    bench.take_log();
    bench.put(set(5));
    assert_eq!(
        bench.take_events(),
        "Warning FailedCreate: Error creating: pods are forbidden: quota"
    );
    let stored = bench.api.get::<ReplicaSet>("d", "web").expect("it is there");
    let condition = &stored.status.conditions[0];
    assert_eq!((&*condition.type_, &*condition.reason), ("ReplicaFailure", "FailedCreate"));
    bench.api.allow();
    bench.run(Duration::secs(1));
    let stored = bench.api.get::<ReplicaSet>("d", "web").expect("it is there");
    assert_eq!((stored.status.replicas, stored.status.conditions.len()), (5, 0));
}

#[test]
fn no_more_than_five_hundred_pods_are_made_at_once() {
    let caches = caches(world(700, ""));
    let cx = Cx { now: Instant::START, caches: &caches, trigger: Default::default() };
    let plan = ReplicaSets.reconcile(&cx, &Key::new("d", "web"));
    assert_eq!(print(&plan).matches("+Pod").count(), 500);
}

#[test]
fn gives_up_often_restarted_pods_before_others_of_their_age() {
    check(1, "a:ready,restarts=1 b:ready,restarts=7", "-Pod b | replicas=2 ready=2 terminating=0");
    check(
        1,
        "a:ready,restarts=7,age=4000 b:ready,age=10",
        "-Pod b | replicas=2 ready=2 terminating=0",
    );
}

#[test]
fn pods_of_a_deployments_other_sets_crowd_a_node_too() {
    let deleted = |owned: bool| {
        let owned_set = |name: &str, uid: &str| {
            let mut set = set(1);
            let meta = Arc::make_mut(&mut set.metadata);
            (meta.name, meta.uid) = (name.into(), uid.into());
            if owned {
                meta.owner_references = list![OwnerReference {
                    api_version: lit!("apps/v1"),
                    kind: lit!("Deployment"),
                    name: lit!("web"),
                    uid: lit!("deployment"),
                    controller: Some(true),
                    ..OwnerReference::default()
                }];
            }
            Object::new(set)
        };
        let pods =
            "a:ready,node=n1 b:ready,node=n2 c:ready,node=n2,set=old d:ready,node=n2,set=old";
        let pods = pods.split_whitespace().map(|text| Object::new(pod(text)));
        let caches = caches(pods.chain([owned_set("web", "u"), owned_set("old", "old")]));
        let cx = Cx { now: Instant::START, caches: &caches, trigger: Default::default() };
        print(&ReplicaSets.reconcile(&cx, &Key::new("d", "web")))
    };
    assert!(deleted(true).starts_with("-Pod b"), "{}", deleted(true));
    assert!(deleted(false).starts_with("-Pod a"), "{}", deleted(false));
}
