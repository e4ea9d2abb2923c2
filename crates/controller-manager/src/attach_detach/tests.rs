//! What `attach_detach` promises, as tests.

use api::core::v1::{Event, NodeCondition, PersistentVolumeClaim, Taint};
use api::object::Object;
use api::storage::v1::VolumeError;
use base::{list, lit};
use client::Runner;
use client::testing::{Bench, object};

use super::*;

type World = Bench<Runner>;

/// A volume `v` of the claim `c` and the ready nodes `n1` and `n2`.
fn world(mode: &str, driver: &str) -> World {
    let volume: PersistentVolume = object(&format!(
        r#"{{"metadata": {{"name": "v"}}, "spec": {{"accessModes": ["{mode}"], "claimRef": {{"name": "c",
        "namespace": "d", "uid": "c"}}, "csi": {{"driver": "disk.example.com", "volumeHandle": "h"}}}}}}"#
    ));
    let claim: PersistentVolumeClaim = object(
        r#"{"metadata": {"name": "c", "namespace": "d", "uid": "c"}, "spec": {"volumeName": "v"},
        "status": {"phase": "Bound"}}"#,
    );
    let driver: CSIDriver =
        object(&format!(r#"{{"metadata": {{"name": "disk.example.com"}}, "spec": {{{driver}}}}}"#));
    let nodes = ["n1", "n2"].map(|name| {
        Object::new(object::<Node>(&format!(
            r#"{{"metadata": {{"name": "{name}"}}, "status": {{"conditions": [{{"type": "Ready", "status":
            "True"}}]}}}}"#
        )))
    });
    let all = [volume.into(), claim.into(), driver.into()].into_iter().chain(nodes);
    Bench::new(Runner::new("kcm", vec![Box::new(AttachDetach::default())]), all)
}

fn start(world: &mut World, name: &str, node: &str) {
    world.put(object::<Pod>(&format!(
        r#"{{"metadata": {{"name": "{name}", "namespace": "d"}}, "spec": {{"nodeName": "{node}", "containers": [],
        "volumes": [{{"name": "data", "persistentVolumeClaim": {{"claimName": "c"}}}}]}}}}"#
    )));
}

/// Plays the driver: what is to be attached is attached.
fn serve(world: &mut World) {
    for attachment in world.api.all::<VolumeAttachment>() {
        world.edit::<VolumeAttachment>("", &attachment.metadata.name, |attachment| {
            Arc::make_mut(&mut attachment.status).attached = true;
        });
    }
}

/// Plays the kubelet: the node says whether it has mounted the volume.
fn mount(world: &mut World, node: &str, is_mounted: bool) {
    world.edit::<Node>("", node, |node| {
        let names: &[Str] = &[lit!("kubernetes.io/csi/disk.example.com^h")];
        let names = if is_mounted { names.iter().cloned().collect() } else { List::default() };
        Arc::make_mut(&mut node.status).volumes_in_use = names;
    });
}

fn lose(world: &mut World, node: &str) {
    world.edit::<Node>("", node, |node| {
        let unknown = NodeCondition {
            type_: lit!("Ready"),
            status: lit!("Unknown"),
            ..NodeCondition::default()
        };
        Arc::make_mut(&mut node.status).conditions = list![unknown];
    });
}

/// Compares which nodes the volume is attached to: by attachments, and by what the nodes were told (`*`).
fn check(world: &World, expect: &str) {
    let attachments = world.api.all::<VolumeAttachment>();
    let row = |attachment: &Arc<VolumeAttachment>| {
        let node = &attachment.spec.node_name;
        let told = world.api.get::<Node>("", node);
        let told = told.is_some_and(|node| !node.status.volumes_attached.is_empty());
        format!("{node}{}", if told { "*" } else { "" })
    };
    let mut rows: Vec<String> = attachments.iter().map(row).collect();
    rows.sort();
    assert_eq!(rows.join(" "), expect);
}

/// A world in which the pod `p` uses the volume on `n1`.
fn used() -> World {
    let mut world = world("ReadWriteOnce", "");
    start(&mut world, "p", "n1");
    serve(&mut world);
    mount(&mut world, "n1", true);
    check(&world, "n1*");
    world.take_events();
    world
}

#[test]
fn a_volume_is_attached_to_the_node_of_its_pod_and_the_node_is_told_once_it_is() {
    let mut world = world("ReadWriteOnce", "");
    start(&mut world, "p", "n1");
    check(&world, "n1");
    serve(&mut world);
    check(&world, "n1*");
    assert_eq!(
        world.take_events(),
        "Normal SuccessfulAttachVolume: AttachVolume.Attach succeeded for volume \"v\" "
    );
    let node = world.api.get::<Node>("", "n1").expect("it exists");
    assert_eq!(node.status.volumes_attached[0].name, "kubernetes.io/csi/disk.example.com^h");
    let name = &world.api.all::<VolumeAttachment>()[0].metadata.name;
    assert!(name.starts_with("csi-") && name.len() == 68, "{name}");
}

/// Plays a driver that cannot attach anything, and says so at this minute.
fn refuse(world: &mut World, minute: i64) {
    let name = world.api.all::<VolumeAttachment>()[0].metadata.name.clone();
    world.edit::<VolumeAttachment>("", &name, |attachment| {
        let time = Some(Time::from(Instant::START + Duration::mins(minute)));
        let error = VolumeError { message: lit!("no room"), time, ..VolumeError::default() };
        Arc::make_mut(&mut attachment.status).attach_error = Some(Box::new(error));
    });
}

#[test]
fn what_the_driver_could_not_attach_is_told_to_the_pods_once_a_failure() {
    let count = |world: &World| world.api.all::<Event>()[0].count;
    let mut world = world("ReadWriteOnce", "");
    start(&mut world, "p", "n1");
    refuse(&mut world, 1);
    assert_eq!(
        world.take_events(),
        "Warning FailedAttachVolume: AttachVolume.Attach failed for volume \"v\" : no room"
    );
    refuse(&mut world, 1);
    assert_eq!(count(&world), 1);
    refuse(&mut world, 2);
    assert_eq!(count(&world), 2);
}

#[test]
fn a_driver_may_need_no_attaching() {
    let mut world = world("ReadWriteOnce", r#""attachRequired": false"#);
    start(&mut world, "p", "n1");
    check(&world, "");
}

#[test]
fn a_volume_for_one_node_is_not_attached_to_a_second() {
    let mut world = used();
    start(&mut world, "q", "n2");
    check(&world, "n1*");
    assert_eq!(
        world.take_events(),
        "Warning FailedAttachVolume: Multi-Attach error for volume \"v\" Volume is already used by pod(s) p"
    );
    world.remove::<Pod>("d", "p");
    mount(&mut world, "n1", false);
    serve(&mut world);
    check(&world, "n2*");
}

#[test]
fn a_shared_volume_is_attached_to_every_node_that_needs_it() {
    let mut world = world("ReadWriteMany", "");
    start(&mut world, "p", "n1");
    start(&mut world, "q", "n2");
    serve(&mut world);
    check(&world, "n1* n2*");
}

#[test]
fn a_volume_is_detached_once_its_pod_is_gone_and_the_node_has_unmounted_it() {
    let mut world = used();
    world.remove::<Pod>("d", "p");
    world.run(Duration::mins(30));
    check(&world, "n1*");
    world.take_log();
    mount(&mut world, "n1", false);
    check(&world, "");
    let log = world.take_log();
    assert!(log.starts_with("~Node/status n1; -VolumeAttachment csi-"), "{log}");
}

#[test]
fn a_volume_is_taken_from_a_lost_node_after_six_minutes() {
    let mut world = used();
    world.remove::<Pod>("d", "p");
    lose(&mut world, "n1");
    world.run(Duration::secs(359));
    check(&world, "n1*");
    world.run(Duration::secs(2));
    check(&world, "");
}

#[test]
fn a_volume_is_taken_at_once_from_a_node_that_is_out_of_service() {
    let mut world = used();
    world.remove::<Pod>("d", "p");
    lose(&mut world, "n1");
    world.edit::<Node>("", "n1", |node| {
        let taint =
            Taint { key: OUT_OF_SERVICE.into(), effect: lit!("NoExecute"), ..Taint::default() };
        Arc::make_mut(&mut node.spec).taints = list![taint];
    });
    check(&world, "");
}

#[test]
fn a_volume_stays_while_another_pod_of_the_node_needs_it() {
    let mut world = used();
    start(&mut world, "q", "n1");
    world.remove::<Pod>("d", "p");
    world.run(Duration::mins(10));
    check(&world, "n1*");
}
