//! What `volume_binder` promises, as tests.

use api::core::v1::Event;
use client::Runner;
use client::testing::{Bench, object};

use super::*;

type World = Bench<Runner>;

fn volume(name: &str, size: &str, class: &str, more: &str) -> PersistentVolume {
    object(&format!(
        r#"{{"metadata": {{"name": "{name}", "uid": "{name}"}}, "spec": {{"capacity": {{"storage": "{size}"}},
        "accessModes": ["ReadWriteOnce"], "storageClassName": "{class}",
        "persistentVolumeReclaimPolicy": "Retain"{more}}}}}"#
    ))
}

fn claim(name: &str, size: &str, class: &str, more: &str) -> PersistentVolumeClaim {
    object(&format!(
        r#"{{"metadata": {{"name": "{name}", "namespace": "d", "uid": "{name}"}}, "spec": {{"resources":
        {{"requests": {{"storage": "{size}"}}}}, "accessModes": ["ReadWriteOnce"],
        "storageClassName": "{class}"{more}}}}}"#
    ))
}

fn world() -> World {
    Bench::new(Runner::new("kcm", vec![Box::new(VolumeBinder)]), [])
}

/// Every claim as `name=volume phase`, every volume as `name phase`.
fn describe(world: &World) -> String {
    let claims = world.api.all::<PersistentVolumeClaim>();
    let claims = claims.iter().map(|claim| {
        format!("{}={} {}", claim.metadata.name, claim.spec.volume_name, claim.status.phase)
    });
    let volumes = world.api.all::<PersistentVolume>();
    let volumes =
        volumes.iter().map(|volume| format!("{} {}", volume.metadata.name, volume.status.phase));
    claims.chain(volumes).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_claim_is_bound_in_four_writes() {
    let mut world = world();
    world.put(volume("v", "1Gi", "manual", ""));
    world.take_log();
    world.put(claim("c", "1Gi", "manual", ""));
    assert_eq!(
        world.take_log(),
        "~PersistentVolume v; ~PersistentVolume/status v; ~PersistentVolumeClaim c; \
         ~PersistentVolumeClaim/status c"
    );
    assert_eq!(describe(&world), "c=v Bound, v Bound");
    let stored = world.api.get::<PersistentVolumeClaim>("d", "c").expect("it exists");
    assert_eq!(stored.metadata.annotations.text(BOUND_BY_CONTROLLER), Some("yes"));
    assert_eq!(stored.status.capacity.len(), 1);
}

#[test]
fn the_smallest_volume_that_fits_is_taken() {
    let mut world = world();
    world.put(volume("big", "5Gi", "manual", ""));
    world.put(volume("mid", "2Gi", "manual", ""));
    world.put(volume("tiny", "1Gi", "manual", ""));
    world.put(volume("other", "2Gi", "fast", ""));
    world.put(claim("c", "1500Mi", "manual", ""));
    assert_eq!(
        describe(&world),
        "c=mid Bound, big Available, mid Bound, other Available, tiny Available"
    );
}

#[test]
fn a_claim_waits_for_a_volume_and_says_why() {
    let mut world = world();
    world.put(claim("c", "1Gi", "", ""));
    assert_eq!(describe(&world), "c= Pending");
    assert_eq!(
        world.take_events(),
        "Normal FailedBinding: no persistent volumes available for this claim and no storage class is set"
    );
    world.put(volume("v", "1Gi", "", ""));
    world.run(Duration::secs(1));
    assert_eq!(describe(&world), "c=v Bound, v Bound");
}

#[test]
fn a_class_may_wait_for_the_first_consumer() {
    let mut world = world();
    world.put(object::<StorageClass>(
        r#"{"metadata": {"name": "late"}, "provisioner": "disk.example", "volumeBindingMode": "WaitForFirstConsumer"}"#,
    ));
    world.put(claim("c", "1Gi", "late", ""));
    assert_eq!(
        world.take_events(),
        "Normal WaitForFirstConsumer: waiting for first consumer to be created before binding"
    );
    world.edit::<PersistentVolumeClaim>("d", "c", |claim| {
        let annotations = &mut Arc::make_mut(&mut claim.metadata).annotations;
        annotations.insert(SELECTED_NODE, lit!("n1"));
    });
    assert!(world.take_events().contains("external provisioner 'disk.example'"));
    let stored = world.api.get::<PersistentVolumeClaim>("d", "c").expect("it exists");
    assert_eq!(stored.metadata.annotations.text(PROVISIONER), Some("disk.example"));
    // The provisioner makes a volume for just this claim.
    let reference = r#", "claimRef": {"name": "c", "namespace": "d", "uid": "c"}"#;
    world.put(volume("made", "1Gi", "late", reference));
    assert_eq!(describe(&world), "c=made Bound, made Bound");
}

#[test]
fn a_volume_outlives_its_claim() {
    let mut world = world();
    world.put(volume("v", "1Gi", "manual", ""));
    world.put(claim("c", "1Gi", "manual", ""));
    world.remove::<PersistentVolumeClaim>("d", "c");
    assert_eq!(describe(&world), "v Released");
    world.put(claim("c2", "1Gi", "manual", ""));
    assert_eq!(describe(&world), "c2= Pending, v Released");
}

#[test]
fn a_claim_that_lost_its_volume_is_lost() {
    let mut world = world();
    world.put(volume("v", "1Gi", "manual", ""));
    world.put(claim("c", "1Gi", "manual", ""));
    world.take_events();
    world.remove::<PersistentVolume>("", "v");
    assert_eq!(describe(&world), "c=v Lost");
    assert!(world.take_events().starts_with("Warning ClaimLost"));
}

#[test]
fn a_claim_may_name_its_volume() {
    let mut world = world();
    world.put(volume("v", "1Gi", "manual", ""));
    world.put(claim("small", "2Gi", "manual", r#", "volumeName": "v""#));
    assert_eq!(describe(&world), "small=v Pending, v Available");
    world.put(claim("fits", "1Gi", "manual", r#", "volumeName": "v""#));
    assert_eq!(describe(&world), "fits=v Bound, small=v Pending, v Bound");
}

#[test]
fn a_volume_must_have_the_modes_and_labels_and_attributes_that_are_asked_for() {
    let mut world = world();
    world.put(volume("v", "1Gi", "manual", ""));
    world.put(claim("many", "1Gi", "manual", r#", "selector": {"matchLabels": {"disk": "ssd"}}"#));
    world.put(claim("gold", "1Gi", "manual", r#", "volumeAttributesClassName": "gold""#));
    let mut shared = claim("shared", "1Gi", "manual", "");
    Arc::make_mut(&mut shared.spec).access_modes.push(lit!("ReadWriteMany"));
    world.put(shared);
    assert_eq!(describe(&world), "gold= Pending, many= Pending, shared= Pending, v Available");
    world.put(volume("w", "1Gi", "manual", r#", "volumeAttributesClassName": "gold""#));
    world.run(Duration::secs(16));
    assert!(describe(&world).starts_with("gold=w Bound"), "{}", describe(&world));
    let bound = world.api.get::<PersistentVolumeClaim>("d", "gold").expect("it exists");
    assert_eq!(bound.status.current_volume_attributes_class_name.as_deref(), Some("gold"));
}

#[test]
fn a_recycled_volume_is_free_again() {
    let mut world = world();
    let mut recycled = volume("v", "1Gi", "manual", "");
    Arc::make_mut(&mut recycled.spec).persistent_volume_reclaim_policy = lit!("Recycle");
    world.put(recycled);
    world.put(claim("c", "1Gi", "manual", ""));
    world.remove::<PersistentVolumeClaim>("d", "c");
    world.run(Duration::mins(1));
    assert_eq!(describe(&world), "v Available");
    assert!(world.take_events().contains("Normal VolumeRecycled: Volume recycled"));
}

/// What becomes of a volume with reclaim policy Delete once its claim is gone: its phase and the events.
fn released(source: &str, annotations: &str) -> (String, String) {
    let mut world = world();
    let mut volume = volume("v", "1Gi", "manual", source);
    Arc::make_mut(&mut volume.spec).persistent_volume_reclaim_policy = lit!("Delete");
    if !annotations.is_empty() {
        let meta = Arc::make_mut(&mut volume.metadata);
        meta.annotations.insert(PROVISIONED_BY, annotations.into());
    }
    world.put(volume);
    world.put(claim("c", "1Gi", "manual", ""));
    assert_eq!(describe(&world), "c=v Bound, v Bound");
    world.take_events();
    world.remove::<PersistentVolumeClaim>("d", "c");
    world.run(Duration::mins(2));
    let events = world.take_events();
    let told = world.api.all::<Event>();
    let told = told.iter().filter(|event| event.reason == "VolumeFailedDelete");
    assert!(told.map(|event| event.count).sum::<i32>() <= 1, "it is said once");
    let message = world.api.get::<PersistentVolume>("", "v").map(|v| v.status.message.clone());
    if let Some(message) = message {
        assert_eq!(events.strip_prefix("Warning VolumeFailedDelete: ").unwrap_or(""), message);
    }
    (describe(&world), events)
}

#[test]
fn a_volume_that_nothing_can_remove_fails_and_says_so_once() {
    let plugin = |kind: &str| {
        format!(
            "Warning VolumeFailedDelete: error getting deleter volume plugin for volume \"v\": \
             no {kind} plugin matched"
        )
    };
    let failed = |events: String| (String::from("v Failed"), events);
    let nfs = r#", "nfs": {"server": "s", "path": "/"}"#;
    let csi = r#", "csi": {"driver": "disk.example", "volumeHandle": "h"}"#;
    let iscsi = r#", "iscsi": {"targetPortal": "p", "iqn": "i", "lun": 0}"#;
    assert_eq!(released(nfs, ""), failed(plugin("deletable volume")));
    assert_eq!(released(csi, ""), failed(plugin("deletable volume")));
    assert_eq!(released(iscsi, ""), failed(plugin("volume")));
    let why = "Warning VolumeFailedDelete: host_path deleter only supports /tmp/.+ but received \
               provided /data";
    assert_eq!(released(r#", "hostPath": {"path": "/data"}"#, ""), failed(why.into()));
}

#[test]
fn a_volume_is_removed_by_who_made_it_and_one_in_tmp_here() {
    let csi = r#", "csi": {"driver": "disk.example", "volumeHandle": "h"}"#;
    assert_eq!(released(csi, "disk.example"), ("v Released".into(), String::new()));
    assert_eq!(released(r#", "hostPath": {"path": "/tmp/a"}"#, ""), (String::new(), String::new()));
}

#[test]
fn a_block_volume_does_not_suit_a_claim_for_files() {
    let mut world = world();
    world.put(volume("raw", "1Gi", "manual", r#", "volumeMode": "Block""#));
    world.put(claim("files", "1Gi", "manual", ""));
    assert_eq!(describe(&world), "files= Pending, raw Available");
    world.put(claim("named", "1Gi", "manual", r#", "volumeName": "raw""#));
    assert!(world.take_events().contains(
        "Warning VolumeMismatch: Cannot bind to requested volume \"raw\": incompatible volumeMode"
    ));
    world.put(claim("block", "1Gi", "manual", r#", "volumeMode": "Block""#));
    assert!(describe(&world).starts_with("block=raw Bound"), "{}", describe(&world));
}

#[test]
fn a_selector_prefers_its_volume_to_a_smaller_one() {
    let mut world = world();
    world.put(volume("small", "1Gi", "manual", ""));
    let mut ssd = volume("ssd", "5Gi", "manual", "");
    Arc::make_mut(&mut ssd.metadata).labels.insert("disk", lit!("ssd"));
    world.put(ssd);
    world.put(claim("c", "1Gi", "manual", r#", "selector": {"matchLabels": {"disk": "ssd"}}"#));
    assert_eq!(describe(&world), "c=ssd Bound, small Available, ssd Bound");
}
