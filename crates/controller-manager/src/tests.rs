//! All controllers together, on the fake API server: what they do to one another.

use std::sync::Arc;

use api::apps::v1::{Deployment, ReplicaSet};
use api::coordination::v1::Lease;
use api::core::v1::{
    ConfigMap, Endpoints, Namespace, Node, Pod, PodCondition, Service, ServiceAccount,
};
use api::discovery::v1::EndpointSlice;
use api::meta::v1::DeleteOptions;
use api::object::{Key, Kind, Object};
use api::time::MicroTime;
use api::wire::{Request, time_of};
use base::{Duration, Instant, list, lit};
use client::Runner;
use client::testing::{Bench, object};

use crate::{Options, pods, runner};

type World = Bench<Runner>;

fn world() -> World {
    let namespace: Namespace = object(
        r#"{"metadata": {"name": "d"}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}"#,
    );
    let deployment: Deployment = object(
        r#"{"metadata": {"name": "web", "namespace": "d", "generation": 1}, "spec": {"replicas": 3,
        "selector": {"matchLabels": {"app": "web"}}, "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c"}]}}}}"#,
    );
    let service: Service = object(
        r#"{"metadata": {"name": "web", "namespace": "d"}, "spec": {"clusterIP": "10.96.0.9", "selector":
        {"app": "web"}, "ports": [{"port": 80}]}}"#,
    );
    let nodes = ["n1", "n2"].iter().flat_map(|name| {
        let node: Node = object(&format!(
            r#"{{"metadata": {{"name": "{name}"}}, "status": {{"conditions": [{{"type": "Ready",
            "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}}]}}}}"#
        ));
        let lease: Lease = object(&format!(
            r#"{{"metadata": {{"name": "{name}", "namespace": "kube-node-lease"}}}}"#
        ));
        [Object::new(node), Object::new(lease)]
    });
    let all = [namespace.into(), deployment.into(), service.into()].into_iter().chain(nodes);
    Bench::new(runner(&Options::default()), all)
}

/// Plays the scheduler and the kubelets of the living nodes for so many seconds.
fn run(world: &mut World, seconds: i64, alive: &[&str]) {
    for second in 0..seconds {
        world.run(Duration::secs(1));
        if second % 10 == 0 {
            beat(world, alive);
        }
        for pod in world.api.all::<Pod>() {
            let name = pod.metadata.name.clone();
            if world.api.get::<Pod>("d", &name).is_none() {
                continue;
            }
            let dying = pod.metadata.deletion_timestamp.is_some();
            if dying && alive.contains(&&*pod.spec.node_name) {
                world.remove::<Pod>("d", &name);
            } else if pods::is_active(&pod) && pod.spec.node_name.is_empty() {
                let place = alive[second as usize % alive.len()];
                world.edit::<Pod>("d", &name, |pod| start(pod, place));
            }
        }
    }
}

fn beat(world: &mut World, alive: &[&str]) {
    let now = world.now;
    for name in alive {
        world.edit::<Lease>("kube-node-lease", name, |lease| {
            Arc::make_mut(&mut lease.spec).renew_time = Some(MicroTime::from(now));
        });
    }
}

fn start(pod: &mut Pod, node: &str) {
    pod.spec.node_name = node.into();
    let status = Arc::make_mut(&mut pod.status);
    status.phase = lit!("Running");
    status.pod_ip = format!("10.244.0.{}", pod.metadata.name.len()).into();
    status.conditions = list![PodCondition {
        type_: lit!("Ready"),
        status: lit!("True"),
        last_transition_time: Some(time_of(Instant::START)),
        ..PodCondition::default()
    }];
}

fn count<K: Kind>(world: &World) -> usize {
    world.api.all::<K>().len()
}

#[test]
fn a_deployment_runs_and_its_service_finds_it() {
    let mut world = world();
    run(&mut world, 20, &["n1", "n2"]);
    assert_eq!((count::<ReplicaSet>(&world), count::<Pod>(&world)), (1, 3));
    let deployment = world.api.get::<Deployment>("d", "web").expect("it exists");
    assert_eq!(deployment.status.available_replicas, 3);
    let slices = world.api.all::<EndpointSlice>();
    assert_eq!(slices[0].endpoints.len(), 3);
    assert_eq!(world.api.all::<Endpoints>()[0].subsets[0].addresses.len(), 3);
    assert_eq!((count::<ServiceAccount>(&world), count::<ConfigMap>(&world)), (1, 1));
    let ranges: Vec<_> = world.api.all::<Node>().iter().map(|n| n.spec.pod_cidr.clone()).collect();
    assert_eq!(ranges, ["10.244.0.0/24", "10.244.1.0/24"]);
}

#[test]
fn a_settled_cluster_is_left_alone() {
    let mut world = world();
    run(&mut world, 60, &["n1", "n2"]);
    world.take_log();
    run(&mut world, 600, &["n1", "n2"]);
    assert_eq!(world.take_log(), "");
}

#[test]
fn the_pods_of_a_dead_node_come_up_elsewhere() {
    let mut world = world();
    run(&mut world, 20, &["n1", "n2"]);
    run(&mut world, 600, &["n2"]);
    let on = |node: &str| {
        let pods = world.api.all::<Pod>();
        pods.iter().filter(|pod| pods::is_active(pod) && pod.spec.node_name == node).count()
    };
    assert_eq!((on("n1"), on("n2")), (0, 3));
    assert_eq!(
        world.api.all::<EndpointSlice>()[0]
            .endpoints
            .iter()
            .filter(|e| e.conditions.ready == Some(true))
            .count(),
        3
    );
}

#[test]
fn a_deleted_deployment_takes_everything_with_it() {
    for policy in ["Background", "Foreground"] {
        let mut world = world();
        run(&mut world, 20, &["n1", "n2"]);
        let options =
            DeleteOptions { propagation_policy: Some(policy.into()), ..DeleteOptions::default() };
        world
            .ask(&Request::delete(Deployment::INFO, &Key::new("d", "web"), options))
            .expect("it may");
        run(&mut world, 20, &["n1", "n2"]);
        let left = (count::<Deployment>(&world), count::<ReplicaSet>(&world), count::<Pod>(&world));
        assert_eq!(left, (0, 0, 0), "{policy}");
    }
}

#[test]
fn a_deleted_namespace_is_emptied_and_goes() {
    let mut world = world();
    run(&mut world, 20, &["n1", "n2"]);
    let delete = Request::delete(Namespace::INFO, &Key::new("", "d"), DeleteOptions::default());
    world.ask(&delete).expect("it may");
    world.edit::<Namespace>("", "d", |namespace| {
        Arc::make_mut(&mut namespace.status).phase = lit!("Terminating");
    });
    run(&mut world, 120, &["n1", "n2"]);
    assert_eq!(count::<Namespace>(&world), 0);
    assert_eq!(
        (count::<Pod>(&world), count::<Service>(&world), count::<ServiceAccount>(&world)),
        (0, 0, 0)
    );
}
