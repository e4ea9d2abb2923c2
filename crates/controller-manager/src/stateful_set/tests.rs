//! What `stateful_set` promises, as tests.

use api::core::v1::PodCondition;
use base::{Duration, Instant, list, lit};
use client::Runner;
use client::testing::{Bench, caches, object, print};

use super::*;

type World = Bench<Runner>;

fn world(spec: &str) -> World {
    let set: StatefulSet = object(&format!(
        r#"{{"metadata": {{"name": "db", "namespace": "d", "uid": "u", "generation": 1}}, "spec": {{
        "serviceName": "db", "selector": {{"matchLabels": {{"app": "db"}}}}, "template": {{"metadata":
        {{"labels": {{"app": "db"}}}}, "spec": {{"containers": [{{"name": "c", "image": "v1"}}]}}}},
        "volumeClaimTemplates": [{{"metadata": {{"name": "data"}}, "spec": {{}}}}], {spec}}}}}"#
    ));
    Bench::new(Runner::new("kcm", vec![Box::new(StatefulSets)]), [set.into()])
}

/// Plays the kubelet: pods that are not ready become so, one in each round.
fn settle(world: &mut World) {
    for _ in 0..100 {
        let pods = world.api.all::<Pod>();
        let Some(pod) = pods.iter().find(|pod| !pods::is_ready(pod)) else { return };
        world.edit::<Pod>("d", &pod.metadata.name, |pod| {
            let status = Arc::make_mut(&mut pod.status);
            status.phase = lit!("Running");
            let ready = PodCondition {
                type_: lit!("Ready"),
                status: lit!("True"),
                ..PodCondition::default()
            };
            status.conditions = list![ready];
        });
        world.run(Duration::millis(10));
    }
    panic!("it does not settle");
}

fn edit(world: &mut World, change: impl FnOnce(&mut api::apps::v1::StatefulSetSpec)) {
    world.edit::<StatefulSet>("d", "db", |set| {
        change(Arc::make_mut(&mut set.spec));
        Arc::make_mut(&mut set.metadata).generation += 1;
    });
}

/// The pods' names with `*` for those of the newest revision, and the claims' owners by kind.
fn describe(world: &World) -> String {
    let set = world.api.get::<StatefulSet>("d", "db").expect("it exists");
    let pods = world.api.all::<Pod>();
    let pods = pods.iter().map(|pod| {
        let new = identity::revision_of(pod) == Some(&*set.status.update_revision);
        format!("{}{}", pod.metadata.name, if new { "*" } else { "" })
    });
    let claims = world.api.all::<PersistentVolumeClaim>();
    let claims = claims.iter().map(|claim| {
        let owners: Vec<&str> =
            claim.metadata.owner_references.iter().map(|owner| &*owner.kind).collect();
        format!("{}[{}]", claim.metadata.name, owners.join(","))
    });
    pods.chain(claims).collect::<Vec<_>>().join(" ")
}

#[test]
fn pods_come_one_after_the_other() {
    let mut world = world(r#""replicas": 2"#);
    assert_eq!(world.take_log().matches("+Pod").count(), 1);
    settle(&mut world);
    assert_eq!(describe(&world), "db-0* db-1* data-db-0[] data-db-1[]");
    assert_eq!(
        world.take_events(),
        "Normal SuccessfulCreate: Create Claim data-db-0 Pod db-0 in StatefulSet db success; \
         Normal SuccessfulCreate: Create Pod db-0 in StatefulSet db successful; \
         Normal SuccessfulCreate: Create Claim data-db-1 Pod db-1 in StatefulSet db success; \
         Normal SuccessfulCreate: Create Pod db-1 in StatefulSet db successful"
    );
    let set = world.api.get::<StatefulSet>("d", "db").expect("it exists");
    assert_eq!((set.status.ready_replicas, set.status.available_replicas), (2, Some(2)));
}

#[test]
fn parallel_sets_create_all_pods_at_once() {
    let mut world = world(r#""replicas": 3, "podManagementPolicy": "Parallel""#);
    assert_eq!(world.take_log().matches("+Pod").count(), 3);
}

#[test]
fn a_shrinking_set_gives_up_the_highest_and_keeps_its_claims() {
    let mut world = world(r#""replicas": 3"#);
    settle(&mut world);
    world.take_log();
    edit(&mut world, |spec| spec.replicas = Some(1));
    let log = world.take_log();
    assert!(log.find("-Pod db-2") < log.find("-Pod db-1"), "{log}");
    assert_eq!(describe(&world), "db-0* data-db-0[] data-db-1[] data-db-2[]");
}

#[test]
fn a_rolling_update_replaces_pods_from_the_top() {
    let mut world = world(r#""replicas": 2, "updateStrategy": {"type": "RollingUpdate"}"#);
    settle(&mut world);
    world.take_log();
    edit(&mut world, |spec| spec.template.spec.containers[0].image = lit!("v2"));
    settle(&mut world);
    let log = world.take_log();
    assert!(log.find("-Pod db-1") < log.find("-Pod db-0"), "{log}");
    assert_eq!(describe(&world), "db-0* db-1* data-db-0[] data-db-1[]");
    let set = world.api.get::<StatefulSet>("d", "db").expect("it exists");
    assert_eq!(set.status.current_revision, set.status.update_revision);
    assert_eq!(world.api.all::<ControllerRevision>().len(), 2);
}

#[test]
fn pods_below_the_partition_keep_their_revision() {
    let strategy =
        r#""updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}"#;
    let mut world = world(&format!(r#""replicas": 2, {strategy}"#));
    settle(&mut world);
    edit(&mut world, |spec| spec.template.spec.containers[0].image = lit!("v2"));
    settle(&mut world);
    assert_eq!(describe(&world), "db-0 db-1* data-db-0[] data-db-1[]");
    world.remove::<Pod>("d", "db-0");
    settle(&mut world);
    assert_eq!(describe(&world), "db-0 db-1* data-db-0[] data-db-1[]");
}

#[test]
fn on_delete_waits_for_people() {
    let mut world = world(r#""replicas": 1, "updateStrategy": {"type": "OnDelete"}"#);
    settle(&mut world);
    edit(&mut world, |spec| spec.template.spec.containers[0].image = lit!("v2"));
    assert_eq!(describe(&world), "db-0 data-db-0[]");
    world.remove::<Pod>("d", "db-0");
    settle(&mut world);
    assert_eq!(describe(&world), "db-0* data-db-0[]");
}

#[test]
fn claims_may_go_with_the_set_or_with_their_pod() {
    let policy = r#""persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"}"#;
    let mut world = world(&format!(r#""replicas": 2, {policy}"#));
    settle(&mut world);
    edit(&mut world, |spec| spec.replicas = Some(1));
    assert_eq!(describe(&world), "db-0* data-db-0[StatefulSet] data-db-1[Pod]");
}

#[test]
fn a_failed_pod_is_made_anew() {
    let mut world = world(r#""replicas": 1"#);
    world.take_log();
    world.edit::<Pod>("d", "db-0", |pod| Arc::make_mut(&mut pod.status).phase = lit!("Failed"));
    assert!(world.take_log().contains("-Pod db-0; "));
    assert!(
        world
            .take_events()
            .contains("RecreatingFailedPod: StatefulSet d/db is recreating failed Pod db-0")
    );
    assert_eq!(world.now, Instant::START);
}

#[test]
fn a_pod_without_its_labels_gets_them_back() {
    let mut world = world(r#""replicas": 1"#);
    settle(&mut world);
    world.edit::<Pod>("d", "db-0", |pod| {
        drop(Arc::make_mut(&mut pod.metadata).labels.remove("apps.kubernetes.io/pod-index"));
    });
    let pod = world.api.get::<Pod>("d", "db-0").expect("it is there");
    assert_eq!(pod.metadata.labels.text("apps.kubernetes.io/pod-index"), Some("0"));
}

#[test]
fn the_status_counts_pods_once_they_are_seen() {
    let mut world = world(r#""replicas": 1"#);
    let log = world.take_log();
    assert!(log.ends_with("+Pod db-0; ~StatefulSet/status db; ~StatefulSet/status db"), "{log}");
    let set = world.api.get::<StatefulSet>("d", "db").expect("it is there");
    let status = &set.status;
    assert_eq!((status.replicas, status.ready_replicas, status.current_replicas), (1, 0, 1));
}

#[test]
fn a_broken_rollout_blocks_an_ordered_set_and_not_a_parallel_one() {
    let broken = |world: &mut World| {
        settle(world);
        edit(world, |spec| spec.template.spec.containers[0].image = lit!("broken"));
        edit(world, |spec| spec.template.spec.containers[0].image = lit!("v3"));
        world.take_log();
        world.run(Duration::secs(60));
        world.api.get::<Pod>("d", "db-1").expect("it is there").spec.containers[0].image.clone()
    };
    let strategy = r#""replicas": 2, "updateStrategy": {"type": "RollingUpdate"}"#;
    assert_eq!(broken(&mut world(strategy)), "broken");
    let parallel = format!(r#"{strategy}, "podManagementPolicy": "Parallel""#);
    assert_eq!(broken(&mut world(&parallel)), "v3");
}

#[test]
fn revision_names_are_those_of_a_real_cluster() {
    let template: PodTemplateSpec = {
        let set: StatefulSet = object(
            r#"{"metadata": {"name": "db"}, "spec": {"serviceName": "db", "selector": {}, "template":
            {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "pg", "image": "postgres:16",
            "ports": [{"name": "pg", "containerPort": 5432, "protocol": "TCP"}], "resources": {}, "volumeMounts":
            [{"name": "data", "mountPath": "/data"}], "readinessProbe": {"exec": {"command": ["true"]},
            "initialDelaySeconds": 1, "timeoutSeconds": 1, "periodSeconds": 1, "successThreshold": 1,
            "failureThreshold": 3}, "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy":
            "File", "imagePullPolicy": "IfNotPresent"}], "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "securityContext": {},
            "schedulerName": "default-scheduler"}}}}"#,
        );
        set.spec.template.clone()
    };
    assert_eq!(revisions::hash_of(&revisions::data(&template), 0), "866b7c58d9");
}

#[test]
fn ordinals_may_start_elsewhere() {
    let mut world = world(r#""replicas": 2, "ordinals": {"start": 5}"#);
    settle(&mut world);
    assert_eq!(describe(&world), "db-5* db-6* data-db-5[] data-db-6[]");
}

#[test]
fn a_rolling_update_may_take_several_pods_at_once() {
    let strategy =
        r#""updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}"#;
    let mut world = world(&format!(r#""replicas": 3, {strategy}"#));
    settle(&mut world);
    world.take_log();
    edit(&mut world, |spec| spec.template.spec.containers[0].image = lit!("v2"));
    let log = world.take_log();
    let (first, second) = (log.find("-Pod db-2"), log.find("-Pod db-1"));
    assert!(first.is_some() && first < second && !log.contains("-Pod db-0"), "{log}");
}

#[test]
fn revisions_beyond_the_limit_are_forgotten() {
    let mut world = world(
        r#""replicas": 1, "revisionHistoryLimit": 1, "updateStrategy": {"type": "RollingUpdate"}"#,
    );
    settle(&mut world);
    for image in ["v2", "v3", "v4"] {
        edit(&mut world, |spec| spec.template.spec.containers[0].image = image.into());
        settle(&mut world);
    }
    let mut left: Vec<i64> =
        world.api.all::<ControllerRevision>().iter().map(|known| known.revision).collect();
    left.sort_unstable();
    assert_eq!(left, [3, 4]);
}

#[test]
fn an_ordered_set_waits_for_a_pod_that_is_not_ready() {
    let mut world = world(r#""replicas": 3"#);
    world.take_log();
    world.run(Duration::mins(10));
    assert!(!world.take_log().contains("+Pod"));
    assert_eq!(describe(&world), "db-0* data-db-0[]");
}

/// Ends a pod that its node does not let go.
fn fail_and_hang(world: &mut World, name: &str) {
    world.edit::<Pod>("d", name, |pod| {
        pod.spec.node_name = lit!("dead");
        Arc::make_mut(&mut pod.status).phase = lit!("Failed");
    });
}

#[test]
fn a_failed_pod_that_hangs_holds_up_an_ordered_set_and_not_a_parallel_one() {
    let after = |policy: &str| {
        let mut world = world(&format!(r#""replicas": 4, "podManagementPolicy": "{policy}""#));
        settle(&mut world);
        fail_and_hang(&mut world, "db-0");
        world.take_log();
        world.remove::<Pod>("d", "db-1");
        edit(&mut world, |spec| spec.replicas = Some(3));
        let log = world.take_log();
        (log.contains("+Pod db-1"), log.contains("-Pod db-3"), log.contains("-Pod db-0"))
    };
    assert_eq!(after("Parallel"), (true, true, false));
    assert_eq!(after("OrderedReady"), (false, false, false));
}

#[test]
fn a_failed_pod_is_deleted_once_though_a_rollout_wants_it_gone_too() {
    let spec = r#""replicas": 2, "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"}"#;
    let mut world = world(spec);
    settle(&mut world);
    // The template changes, and the pod that a rollout would replace first fails, before the controller looks.
    let mut set = (*world.api.get::<StatefulSet>("d", "db").expect("it exists")).clone();
    Arc::make_mut(&mut set.spec).template.spec.containers[0].image = lit!("v2");
    let mut last = (*world.api.get::<Pod>("d", "db-1").expect("it exists")).clone();
    Arc::make_mut(&mut last.status).phase = lit!("Failed");
    let first = (*world.api.get::<Pod>("d", "db-0").expect("it exists")).clone();
    let history = world.api.all::<ControllerRevision>();
    let history = history.iter().map(|revision| (**revision).clone().into());
    let caches = caches([set.into(), first.into(), last.into()].into_iter().chain(history));
    let cx = Cx { now: world.now, caches: &caches, trigger: Default::default() };
    let text = print(&StatefulSets.reconcile(&cx, &Key::new("d", "db")));
    assert_eq!(text.matches("-Pod").count(), 1, "{text}");
    assert!(text.contains("-Pod db-1"), "{text}");
}

#[test]
fn a_pod_counts_as_available_only_after_its_minimum_and_the_next_one_waits_for_that() {
    let mut world = world(r#""replicas": 2, "minReadySeconds": 30"#);
    let now = world.now;
    world.edit::<Pod>("d", "db-0", |pod| {
        let status = Arc::make_mut(&mut pod.status);
        status.phase = lit!("Running");
        let ready = PodCondition {
            type_: lit!("Ready"),
            status: lit!("True"),
            last_transition_time: Some(now.into()),
            ..PodCondition::default()
        };
        status.conditions = list![ready];
    });
    let counts = |world: &World| {
        let set = world.api.get::<StatefulSet>("d", "db").expect("it exists");
        (set.status.ready_replicas, set.status.available_replicas, set.status.replicas)
    };
    world.run(Duration::secs(29));
    assert_eq!(counts(&world), (1, Some(0), 1));
    world.run(Duration::secs(2));
    assert_eq!(counts(&world), (1, Some(1), 2));
}
