//! What `deployment` promises, as tests.

use api::core::v1::PodCondition;
use api::object::Object;
use base::list;
use client::Runner;
use client::testing::{Bench, caches, object};

use super::*;
use crate::replica_set::ReplicaSets;

fn deployment(replicas: i32, image: &str, more: &str) -> Deployment {
    object(&format!(
        r#"{{"metadata": {{"name": "web", "namespace": "d", "uid": "u", "generation": 1}}, "spec": {{
        "replicas": {replicas}, "selector": {{"matchLabels": {{"app": "web"}}}},
        "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
        "strategy": {{"type": "RollingUpdate", "rollingUpdate": {{"maxSurge": "25%", "maxUnavailable": "25%"}}}},
        "template": {{"metadata": {{"labels": {{"app": "web"}}}},
        "spec": {{"containers": [{{"name": "c", "image": "{image}"}}]}}}}{more}}}}}"#
    ))
}

type World = Bench<Runner>;

fn world(replicas: i32) -> World {
    let runner = Runner::new("kcm", vec![Box::new(Deployments), Box::new(ReplicaSets)]);
    Bench::new(runner, [Object::new(deployment(replicas, "v1", ""))])
}

/// Plays the kubelet until nothing changes: pods become ready, one after the other.
fn settle(world: &mut World) {
    for _ in 0..200 {
        let pods = world.api.all::<Pod>();
        let Some(pod) = pods.iter().find(|pod| !crate::pods::is_ready(pod)) else { return };
        world.edit::<Pod>("d", &pod.metadata.name, |pod| {
            let status = Arc::make_mut(&mut pod.status);
            status.phase = lit!("Running");
            status.conditions = list![PodCondition {
                type_: lit!("Ready"),
                status: lit!("True"),
                last_transition_time: Some(time_of(Instant::START)),
                ..PodCondition::default()
            }];
        });
        world.run(Duration::millis(100));
    }
    panic!("the rollout does not end");
}

fn edit(world: &mut World, change: impl FnOnce(&mut api::apps::v1::DeploymentSpec)) {
    let mut new = (*world.api.get::<Deployment>("d", "web").expect("it exists")).clone();
    change(Arc::make_mut(&mut new.spec));
    world.ask(&api::wire::Request::update(Object::new(new))).expect("it may");
}

/// The sets as `revision:replicas`, by revision, and the Deployment's conditions as `type=reason`.
fn describe(world: &World) -> String {
    let mut sets: Vec<_> = world
        .api
        .all::<ReplicaSet>()
        .iter()
        .map(|set| format!("{}:{}", annotations::revision(set), replicas(set)))
        .collect();
    sets.sort();
    let deployment = world.api.get::<Deployment>("d", "web").expect("it exists");
    let mut conditions: Vec<_> =
        deployment.status.conditions.iter().map(|c| format!("{}={}", c.type_, c.reason)).collect();
    conditions.sort();
    format!("{} {}", sets.join(" "), conditions.join(" "))
}

/// Scaling events with the set's name replaced by its order of appearance.
fn scalings(world: &mut World) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut out = Vec::new();
    for event in world.events.drain(..) {
        let Some((_, text)) = event.split_once("ScalingReplicaSet: ") else { continue };
        let text = text.trim_start_matches("(combined from similar events): ");
        let words: Vec<&str> = text.split(' ').collect();
        let name = words[4].to_string();
        let at = names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        out.push(format!("{} {}->{}", ["a", "b", "c"][at], words[6], words[8]));
    }
    out.join(", ")
}

const DONE: &str = "Available=MinimumReplicasAvailable Progressing=NewReplicaSetAvailable";

#[test]
fn a_new_deployment_creates_its_set_with_all_replicas() {
    let mut world = world(4);
    assert_eq!(scalings(&mut world), "a 0->4");
    let waiting = "Available=MinimumReplicasUnavailable Progressing=ReplicaSetUpdated";
    assert_eq!(describe(&world), format!("1:4 {waiting}"));
    settle(&mut world);
    assert_eq!(describe(&world), format!("1:4 {DONE}"));
    let stored = world.api.get::<Deployment>("d", "web").expect("it exists");
    assert_eq!(stored.metadata.annotations.text(annotations::REVISION), Some("1"));
    assert_eq!(stored.status.available_replicas, 4);
}

#[test]
fn a_rolling_update_goes_in_steps_as_recorded_from_a_real_cluster() {
    let mut world = world(4);
    settle(&mut world);
    world.events.clear();
    edit(&mut world, |spec| spec.template.spec.containers[0].image = lit!("v2"));
    settle(&mut world);
    assert_eq!(
        scalings(&mut world),
        "a 0->1, b 4->3, a 1->2, b 3->2, a 2->3, b 2->1, a 3->4, b 1->0"
    );
    assert_eq!(describe(&world), format!("1:0 2:4 {DONE}"));
}

#[test]
fn going_back_makes_the_old_set_the_newest_revision() {
    let mut world = world(2);
    settle(&mut world);
    edit(&mut world, |spec| spec.template.spec.containers[0].image = lit!("v2"));
    settle(&mut world);
    edit(&mut world, |spec| spec.template.spec.containers[0].image = lit!("v1"));
    settle(&mut world);
    assert_eq!(describe(&world), format!("2:0 3:2 {DONE}"));
    let sets = world.api.all::<ReplicaSet>();
    let back = sets.iter().find(|set| replicas(set) == 2).expect("it came back");
    assert_eq!(back.metadata.annotations.text(annotations::HISTORY), Some("1"));
}

#[test]
fn recreate_waits_until_the_old_pods_are_gone() {
    let mut world = world(2);
    settle(&mut world);
    world.events.clear();
    edit(&mut world, |spec| {
        spec.strategy =
            api::apps::v1::DeploymentStrategy { type_: lit!("Recreate"), rolling_update: None };
        spec.template.spec.containers[0].image = lit!("v2");
    });
    settle(&mut world);
    assert_eq!(scalings(&mut world), "a 2->0, b 0->2");
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll() {
    let mut world = world(2);
    settle(&mut world);
    edit(&mut world, |spec| {
        spec.paused = true;
        spec.replicas = Some(3);
        spec.template.spec.containers[0].image = lit!("v2");
    });
    settle(&mut world);
    assert_eq!(
        describe(&world),
        "1:3 Available=MinimumReplicasAvailable Progressing=DeploymentPaused"
    );
    edit(&mut world, |spec| spec.paused = false);
    settle(&mut world);
    assert_eq!(describe(&world), format!("1:0 2:3 {DONE}"));
}

#[test]
fn a_rollout_that_stands_still_times_out() {
    let mut world = world(2);
    world.run(Duration::secs(605));
    assert_eq!(
        describe(&world),
        "1:2 Available=MinimumReplicasUnavailable Progressing=ProgressDeadlineExceeded"
    );
}

#[test]
fn old_sets_beyond_the_limit_are_deleted() {
    let mut world = world(1);
    edit(&mut world, |spec| spec.revision_history_limit = Some(1));
    settle(&mut world);
    for image in ["v2", "v3", "v4"] {
        edit(&mut world, |spec| spec.template.spec.containers[0].image = image.into());
        settle(&mut world);
    }
    assert_eq!(describe(&world), format!("3:0 4:1 {DONE}"));
}

/// Scales sets `size/max` (newest first; the first is the new one) to `want` and compares their sizes.
fn check(sets: &str, (want, surge): (i32, i32), expect: &str) {
    let mut deployment = deployment(want, "v0", "");
    let rolling = Arc::make_mut(&mut deployment.spec).strategy.rolling_update.as_mut();
    let rolling = rolling.expect("it rolls");
    rolling.max_surge = Some(surge.into());
    rolling.max_unavailable = Some(0.into());
    let caches = caches([]);
    let mut sets: Vec<ReplicaSet> = sets
        .split(' ')
        .enumerate()
        .map(|(i, text)| {
            let (size, max) = text.split_once('/').expect("size/max");
            let born = time_of(Instant::START - Duration::mins(i as i64));
            let mut set = ReplicaSet::default();
            let meta = Arc::make_mut(&mut set.metadata);
            meta.name = format!("s{i}").into();
            meta.creation_timestamp = Some(born);
            meta.annotations.insert(annotations::MAX, max.into());
            Arc::make_mut(&mut set.spec).replicas = size.parse().ok();
            set
        })
        .collect();
    let new = Some(sets.remove(0));
    let cx = Cx { now: Instant::START, caches: &caches, trigger: Default::default() };
    let mut rollout = Rollout {
        cx,
        deployment,
        sets: vec![],
        new,
        old: sets,
        plan: Plan::settled(),
        given_up: false,
    };
    rollout.old.reverse();
    rollout.scale();
    rollout.old.reverse();
    let sizes = rollout.new.iter().chain(&rollout.old).map(|set| replicas(set).to_string());
    assert_eq!(sizes.collect::<Vec<_>>().join(" "), expect);
}

#[test]
fn sets_grow_and_shrink_in_proportion_as_recorded() {
    check("2/5 3/5", (10, 0), "4 6");
    check("2/13 8/13 3/13", (8, 0), "1 5 2");
    check("1/3 1/3 1/3", (2, 0), "1 1 0");
    check("3/6 2/6 1/6", (0, 0), "0 0 0");
    check("0/6 0/6 0/6", (6, 0), "6 0 0");
    check("2/5 1/3 1/5", (5, 0), "2 2 1");
    check("6/12 6/12", (20, 2), "11 11");
    check("5/13 8/13", (50, 6), "22 34");
    check("2/3 1/3", (2, 1), "2 1");
}

#[test]
fn the_template_hash_is_that_of_a_real_cluster() {
    let web: Deployment = object(
        r#"{"metadata": {"name": "web", "namespace": "d", "uid": "u"}, "spec": {"replicas": 1, "selector":
        {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec":
        {"containers": [{"name": "nginx", "image": "nginx:1.26", "ports": [{"containerPort": 80, "protocol":
        "TCP"}], "resources": {}, "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy":
        "File", "imagePullPolicy": "IfNotPresent"}], "restartPolicy": "Always", "terminationGracePeriodSeconds":
        30, "dnsPolicy": "ClusterFirst", "securityContext": {}, "schedulerName": "default-scheduler"}}}}"#,
    );
    let runner = Runner::new("kcm", vec![Box::new(Deployments)]);
    let world = Bench::new(runner, [Object::new(web)]);
    assert_eq!(world.api.all::<ReplicaSet>()[0].metadata.name, "web-6b78dbb95b");
}

/// How many pods a rolling update of ten may have too many and too few.
fn check_fenceposts(surge: &str, unavailable: &str, expect: (i32, i32)) {
    let mut deployment = deployment(10, "v1", "");
    let rolling: api::apps::v1::Deployment = object(&format!(
        r#"{{"metadata": {{}}, "spec": {{"selector": {{}}, "template": {{}}, "strategy": {{"rollingUpdate":
        {{"maxSurge": {surge}, "maxUnavailable": {unavailable}}}}}}}}}"#
    ));
    Arc::make_mut(&mut deployment.spec).strategy.rolling_update =
        rolling.spec.strategy.rolling_update.clone();
    assert_eq!(scale::fenceposts(&deployment), expect, "{surge} {unavailable}");
}

#[test]
fn surge_rounds_up_and_shortfall_down_and_they_are_never_both_nothing() {
    check_fenceposts(r#""25%""#, r#""25%""#, (3, 2));
    check_fenceposts("1", "0", (1, 0));
    check_fenceposts("0", r#""5%""#, (0, 1));
    check_fenceposts(r#""100%""#, r#""100%""#, (10, 10));
}

#[test]
fn pods_must_have_been_ready_for_a_while_to_be_available() {
    let mut world = world(1);
    edit(&mut world, |spec| spec.min_ready_seconds = 30);
    world.edit::<Deployment>("d", "web", |_| {});
    settle(&mut world);
    let available = |world: &World| {
        let known = world.api.get::<Deployment>("d", "web").expect("it exists");
        (known.status.ready_replicas, known.status.available_replicas)
    };
    assert_eq!(available(&world), (1, 0));
    world.run(Duration::secs(31));
    assert_eq!(available(&world), (1, 1));
}

#[test]
fn pods_that_are_going_are_counted_apart() {
    let mut world = world(2);
    settle(&mut world);
    let name = world.api.all::<api::core::v1::Pod>()[0].metadata.name.clone();
    world.edit::<api::core::v1::Pod>("d", &name, |pod| {
        pod.spec.node_name = lit!("n1");
        Arc::make_mut(&mut pod.metadata).deletion_timestamp = Some(time_of(Instant::START));
    });
    let known = world.api.get::<Deployment>("d", "web").expect("it exists");
    assert_eq!((known.status.replicas, known.status.terminating_replicas), (2, Some(1)));
}

#[test]
fn where_another_set_has_the_name_the_hash_is_made_anew() {
    let taken = world(1).api.all::<ReplicaSet>()[0].metadata.name.clone();
    let stranger: ReplicaSet = object(&format!(
        r#"{{"metadata": {{"name": "{taken}", "namespace": "d", "uid": "stranger"}}, "spec": {{"replicas": 0,
        "selector": {{"matchLabels": {{"app": "other"}}}}, "template": {{"metadata": {{"labels": {{"app": "other"}}}},
        "spec": {{"containers": []}}}}}}}}"#
    ));
    let runner = Runner::new("kcm", vec![Box::new(Deployments), Box::new(ReplicaSets)]);
    let objects = [Object::new(deployment(1, "v1", "")), Object::new(stranger)];
    let mut world = Bench::new(runner, objects);
    settle(&mut world);
    let known = world.api.get::<Deployment>("d", "web").expect("it exists");
    assert_eq!((known.status.collision_count, known.status.available_replicas), (Some(1), 1));
    let sets = world.api.all::<ReplicaSet>();
    let ours: Vec<_> = sets.iter().filter(|set| set.metadata.name != taken).collect();
    assert_eq!((sets.len(), ours.len()), (2, 1));
}

#[test]
fn a_set_that_may_not_be_created_shows_as_condition_and_event() {
    let mut world = world(1);
    settle(&mut world);
    world.api.refuse("+ReplicaSet", api::wire::failure(403, "Forbidden", "sets are forbidden"));
    world.events.clear();
    edit(&mut world, |spec| spec.template.spec.containers[0].image = lit!("v2"));
    let events = world.take_events();
    let start = "Warning ReplicaSetCreateError: Failed to create new replica set \"web-";
    assert!(events.starts_with(start) && events.contains(": sets are forbidden"), "{events}");
    assert_eq!(
        describe(&world),
        "1:1 Available=MinimumReplicasAvailable Progressing=ReplicaSetCreateError"
    );
    let known = world.api.get::<Deployment>("d", "web").expect("it exists");
    let progressing = condition(&known, "Progressing").expect("it is there");
    assert_eq!(&*progressing.status, "False");
    world.api.allow();
    world.run(Duration::mins(1));
    settle(&mut world);
    assert_eq!(describe(&world), format!("1:0 2:1 {DONE}"));
}
