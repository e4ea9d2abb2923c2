//! What `daemon_set` promises, as tests.

use api::core::v1::PodCondition;
use base::list;
use client::Runner;
use client::testing::{Bench, object};

use super::*;

type World = Bench<Runner>;

fn node(name: &str, more: &str) -> Node {
    object(&format!(
        r#"{{"metadata": {{"name": "{name}", "labels": {{"kind": "{name}"}}}}{more}}}"#
    ))
}

fn world(nodes: &[&str], spec: &str) -> World {
    let set: DaemonSet = object(&format!(
        r#"{{"metadata": {{"name": "agent", "namespace": "d", "uid": "u", "generation": 1}}, "spec": {{
        "selector": {{"matchLabels": {{"app": "agent"}}}}, "template": {{"metadata": {{"labels":
        {{"app": "agent"}}}}, "spec": {{"containers": [{{"name": "c", "image": "v1"}}]{spec}}}}}}}}}"#
    ));
    let nodes = nodes.iter().map(|name| node(name, "").into());
    Bench::new(Runner::new("kcm", vec![Box::new(DaemonSets::default())]), nodes.chain([set.into()]))
}

/// Plays scheduler and kubelet: pods are bound to the node that they are meant for and become ready.
fn settle(world: &mut World) {
    for _ in 0..100 {
        let pods = world.api.all::<Pod>();
        let dying = pods.iter().find(|pod| pod.metadata.deletion_timestamp.is_some());
        if let Some(pod) = dying {
            world.remove::<Pod>("d", &pod.metadata.name);
            continue;
        }
        let Some(pod) = pods.iter().find(|pod| !pods::is_ready(pod)) else { return };
        world.edit::<Pod>("d", &pod.metadata.name, |pod| {
            pod.spec.node_name = node_of(pod);
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

/// The nodes with pods, `*` where the pod is of the newest template, and desired/available of the status.
fn describe(world: &World) -> String {
    let set = world.api.get::<DaemonSet>("d", "agent").expect("it exists");
    let history = world.api.all::<ControllerRevision>();
    let newest = history.iter().max_by_key(|revision| revision.revision).expect("there is one");
    let mut pods: Vec<String> = world
        .api
        .all::<Pod>()
        .iter()
        .map(|pod| {
            let new = pod.metadata.labels.get(HASH_LABEL) == newest.metadata.labels.get(HASH_LABEL);
            format!("{}{}", node_of(pod), if new { "*" } else { "" })
        })
        .collect();
    pods.sort();
    let status = &set.status;
    format!("{} {}/{}", pods.join(" "), status.desired_number_scheduled, status.number_available)
}

#[test]
fn every_node_gets_a_pod() {
    let mut world = world(&["a", "b"], "");
    settle(&mut world);
    assert_eq!(describe(&world), "a* b* 2/2");
    world.put(node("c", ""));
    settle(&mut world);
    assert_eq!(describe(&world), "a* b* c* 3/3");
}

#[test]
fn only_nodes_that_fit_get_one() {
    let mut world = world(&["a", "b"], r#", "nodeSelector": {"kind": "b"}"#);
    settle(&mut world);
    assert_eq!(describe(&world), "b* 1/1");
    world.edit::<Node>("", "b", |node| {
        drop(Arc::make_mut(&mut node.metadata).labels.remove("kind"))
    });
    settle(&mut world);
    assert_eq!(describe(&world), " 0/0");
}

#[test]
fn cordoned_nodes_get_one_and_tainted_nodes_do_not() {
    let taint = |key: &str| {
        format!(r#", "spec": {{"taints": [{{"key": "{key}", "effect": "NoSchedule"}}]}}"#)
    };
    let mut world = world(&[], "");
    world.put(node("a", &taint(UNSCHEDULABLE)));
    world.put(node("b", &taint("special")));
    settle(&mut world);
    assert_eq!(describe(&world), "a* 1/1");
}

#[test]
fn a_new_template_replaces_pods_node_by_node() {
    let mut world = world(&["a", "b"], "");
    settle(&mut world);
    world.edit::<DaemonSet>("d", "agent", |set| {
        Arc::make_mut(&mut set.spec).template.spec.containers[0].image = lit!("v2");
    });
    assert_eq!(
        world.api.all::<Pod>().iter().filter(|p| p.metadata.deletion_timestamp.is_some()).count(),
        1
    );
    settle(&mut world);
    assert_eq!(describe(&world), "a* b* 2/2");
}

#[test]
fn with_surge_the_new_pod_comes_first() {
    let mut world = world(&["a"], "");
    settle(&mut world);
    world.edit::<DaemonSet>("d", "agent", |set| {
        let spec = Arc::make_mut(&mut set.spec);
        spec.template.spec.containers[0].image = lit!("v2");
        spec.update_strategy.rolling_update =
            Some(Box::new(api::apps::v1::RollingUpdateDaemonSet {
                max_surge: Some(1.into()),
                max_unavailable: Some(0.into()),
            }));
    });
    assert_eq!(describe(&world), "a a* 1/1");
    settle(&mut world);
    assert_eq!(describe(&world), "a* 1/1");
}

#[test]
fn a_failed_pod_is_replaced() {
    let mut world = world(&["a"], "");
    settle(&mut world);
    let name = world.api.all::<Pod>()[0].metadata.name.clone();
    world.take_events();
    world.edit::<Pod>("d", &name, |pod| Arc::make_mut(&mut pod.status).phase = lit!("Failed"));
    let events = world.take_events();
    assert!(
        events
            .contains(&format!("Found failed daemon pod d/{name} on node a, will try to kill it")),
        "{events}"
    );
    settle(&mut world);
    assert_eq!(describe(&world), "a* 1/1");
}

#[test]
fn pods_that_keep_failing_are_replaced_more_and_more_slowly() {
    let mut world = world(&["a"], "");
    let mut replaced = Vec::new();
    for _ in 0..600 {
        if world.api.all::<Pod>().iter().all(|pod| pod.status.phase == "Failed") {
            world.run(Duration::millis(100));
            continue;
        }
        replaced.push((world.now - Instant::START).as_secs());
        settle(&mut world);
        let name = world.api.all::<Pod>()[0].metadata.name.clone();
        world.edit::<Pod>("d", &name, |pod| {
            pod.spec.node_name = Str::new();
            Arc::make_mut(&mut pod.status).phase = lit!("Failed");
        });
    }
    assert_eq!(replaced, [0, 0, 1, 3, 7, 15, 31]);
}

#[test]
fn the_pod_is_meant_for_its_node_and_tolerates_its_troubles() {
    let world = world(&["a"], "");
    let pod = &world.api.all::<Pod>()[0];
    assert_eq!(node_of(pod), "a");
    let keys: Vec<&str> = pod.spec.tolerations.iter().map(|known| &*known.key).collect();
    let expect = [
        "not-ready",
        "unreachable",
        "disk-pressure",
        "memory-pressure",
        "pid-pressure",
        "unschedulable",
    ];
    assert_eq!(keys, expect.map(|key| format!("node.kubernetes.io/{key}")));
}

#[test]
fn on_delete_waits_for_people() {
    let mut world = world(&["a"], "");
    settle(&mut world);
    world.edit::<DaemonSet>("d", "agent", |set| {
        let spec = Arc::make_mut(&mut set.spec);
        spec.update_strategy.type_ = lit!("OnDelete");
        spec.template.spec.containers[0].image = lit!("v2");
    });
    world.run(Duration::mins(5));
    assert_eq!(describe(&world), "a 1/1");
    let name = world.api.all::<Pod>()[0].metadata.name.clone();
    world.remove::<Pod>("d", &name);
    settle(&mut world);
    assert_eq!(describe(&world), "a* 1/1");
}

#[test]
fn revisions_beyond_the_limit_are_forgotten() {
    let mut world = world(&["a"], "");
    settle(&mut world);
    for image in ["v2", "v3", "v4"] {
        world.edit::<DaemonSet>("d", "agent", |set| {
            let spec = Arc::make_mut(&mut set.spec);
            spec.revision_history_limit = Some(1);
            spec.template.spec.containers[0].image = image.into();
        });
        settle(&mut world);
    }
    let mut left: Vec<i64> =
        world.api.all::<ControllerRevision>().iter().map(|known| known.revision).collect();
    left.sort_unstable();
    assert_eq!(left, [3, 4]);
}

/// Begins an update with this strategy on four settled nodes; how many pods are going, and how many there are.
fn begin_update(surge: &str, unavailable: &str) -> (usize, usize) {
    let mut world = world(&["a", "b", "c", "d"], "");
    settle(&mut world);
    let rolling: DaemonSet = object(&format!(
        r#"{{"metadata": {{}}, "spec": {{"selector": {{}}, "template": {{}}, "updateStrategy": {{"rollingUpdate":
        {{"maxSurge": {surge}, "maxUnavailable": {unavailable}}}}}}}}}"#
    ));
    world.edit::<DaemonSet>("d", "agent", |set| {
        let spec = Arc::make_mut(&mut set.spec);
        spec.template.spec.containers[0].image = lit!("v2");
        spec.update_strategy.rolling_update = rolling.spec.update_strategy.rolling_update.clone();
    });
    let pods = world.api.all::<Pod>();
    let going = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_some()).count();
    let all = pods.len();
    settle(&mut world);
    assert_eq!(describe(&world), "a* b* c* d* 4/4");
    (going, all)
}

#[test]
fn an_update_may_take_several_nodes_at_once_by_number_or_share() {
    assert_eq!(begin_update("0", "2"), (2, 4));
    assert_eq!(begin_update("0", r#""75%""#), (3, 4));
    assert_eq!(begin_update("0", r#""30%""#), (2, 4), "a share is rounded up");
    assert_eq!(begin_update("2", "0"), (0, 6));
    assert_eq!(begin_update(r#""30%""#, "0"), (0, 6));
    assert_eq!(begin_update(r#""100%""#, "0"), (0, 8));
}

#[test]
fn an_update_goes_on_only_when_the_new_pod_has_been_ready_for_its_minimum() {
    let mut world = world(&["a", "b"], "");
    settle(&mut world);
    world.edit::<DaemonSet>("d", "agent", |set| {
        let spec = Arc::make_mut(&mut set.spec);
        spec.min_ready_seconds = 30;
        spec.template.spec.containers[0].image = lit!("v2");
    });
    // The first of the old pods goes and its successor becomes ready.
    let going = world.api.all::<Pod>();
    let going = going.iter().find(|pod| pod.metadata.deletion_timestamp.is_some());
    world.remove::<Pod>("d", &going.expect("one goes").metadata.name);
    let since = world.now;
    let pods = world.api.all::<Pod>();
    let new = pods.iter().find(|pod| !pods::is_ready(pod)).expect("one is new");
    world.edit::<Pod>("d", &new.metadata.name, |pod| {
        pod.spec.node_name = node_of(pod);
        let status = Arc::make_mut(&mut pod.status);
        status.phase = lit!("Running");
        let ready = PodCondition {
            type_: lit!("Ready"),
            status: lit!("True"),
            last_transition_time: Some(since.into()),
            ..PodCondition::default()
        };
        status.conditions = list![ready];
    });
    let going = |world: &World| {
        let pods = world.api.all::<Pod>();
        pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_some()).count()
    };
    world.run(Duration::secs(28));
    assert_eq!(going(&world), 0);
    world.run(Duration::secs(4));
    assert_eq!(going(&world), 1);
}

#[test]
fn a_node_without_its_network_gets_only_pods_that_use_the_nodes_own() {
    let taint = r#", "spec": {"taints": [{"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}]}"#;
    let pods = |spec: &str| {
        let mut world = world(&[], spec);
        world.put(node("a", taint));
        settle(&mut world);
        let pods = world.api.all::<Pod>();
        let tolerates = |pod: &Arc<Pod>| {
            let mut known = pod.spec.tolerations.iter();
            known.any(|known| known.key == "node.kubernetes.io/network-unavailable")
        };
        pods.iter().map(tolerates).collect::<Vec<bool>>()
    };
    assert_eq!(pods(r#", "hostNetwork": true"#), [true]);
    assert_eq!(pods(""), [] as [bool; 0]);
}
