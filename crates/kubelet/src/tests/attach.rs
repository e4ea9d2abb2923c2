//! Volumes that must be attached before a pod can have them.

use std::sync::Arc;

use api::core::v1::{AttachedVolume, Node};
use api::storage::v1::CSINode;

use super::bench::{Bench, pod};

const UNIQUE: &str = "kubernetes.io/csi/disk.example.com^h";

/// A pod whose claim has a CSI volume.
fn bench(driver: &str) -> Bench {
    let mut bench = Bench::new();
    bench.put(
        r#"{"kind":"PersistentVolume","metadata":{"name":"v"},"spec":{"csi":{"driver":"disk.example.com",
        "volumeHandle":"h"}}}"#,
    );
    bench.put(
        r#"{"kind":"PersistentVolumeClaim","metadata":{"name":"c","namespace":"default"},"spec":{"volumeName":"v"},
        "status":{"phase":"Bound"}}"#,
    );
    bench.put(&format!(
        r#"{{"kind":"CSIDriver","metadata":{{"name":"disk.example.com"}},"spec":{{{driver}}}}}"#
    ));
    let volumes = r#", "volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"c"}}]"#;
    bench.put(&pod("p", r#"{"name":"c","image":"nginx"}"#, volumes));
    bench
}

/// Plays the attach/detach controller.
fn attach(bench: &mut Bench) {
    bench.edit::<Node>("node-1", |node| {
        let volume = AttachedVolume { name: UNIQUE.into(), ..AttachedVolume::default() };
        Arc::make_mut(&mut node.status).volumes_attached = base::list![volume];
    });
}

/// Runs on; compares the pod's phase and what the node says to be in use.
fn check(bench: &mut Bench, seconds: f64, phase: &str, in_use: &[&str]) {
    bench.run(seconds);
    let node = bench.get::<Node>("node-1").expect("it is registered");
    let known: Vec<&str> = node.status.volumes_in_use.iter().map(|name| &**name).collect();
    assert_eq!((&*bench.pod("p").status.phase, &*known), (phase, in_use));
}

#[test]
fn a_pod_starts_once_its_volume_is_attached_and_the_node_has_claimed_it() {
    let mut bench = bench("");
    check(&mut bench, 11.0, "Pending", &[UNIQUE]);
    check(&mut bench, 60.0, "Pending", &[UNIQUE]);
    attach(&mut bench);
    check(&mut bench, 5.0, "Running", &[UNIQUE]);
}

#[test]
fn a_pod_that_waits_for_its_volume_for_long_says_so() {
    let mut bench = bench("");
    bench.run(300.0);
    let events = bench.events("p");
    let told = "FailedMount Unable to attach or mount volumes: unmounted volumes=[data], unattached \
                volumes=[data], failed to process volumes=[]: context deadline exceeded";
    assert!(events.iter().any(|event| event == told), "{events:?}");
    assert!(!events.iter().any(|event| event.contains("SetUp failed")), "{events:?}");
}

#[test]
fn a_volume_is_free_once_its_pod_has_ended() {
    let mut bench = bench("");
    attach(&mut bench);
    check(&mut bench, 20.0, "Running", &[UNIQUE]);
    bench.delete("p", 0);
    bench.run(20.0);
    let node = bench.get::<Node>("node-1").expect("it is registered");
    assert!(node.status.volumes_in_use.is_empty());
}

#[test]
fn a_volume_that_needs_no_attaching_is_mounted_at_once() {
    check(&mut bench(r#""attachRequired":false"#), 5.0, "Running", &[]);
}

#[test]
fn a_node_makes_its_csi_node() {
    let bench = Bench::new();
    let known = bench.get::<CSINode>("node-1").expect("it was made");
    assert_eq!(known.metadata.owner_references[0].kind, "Node");
    assert!(known.spec.drivers.is_empty());
}
