//! The external-provisioner: makes volumes for claims whose class names a CSI driver, and removes them.
//!
//! Known deviations:
//! - A claim without a selected node gets its volume in one of the driver's topologies, by the claim's name.
//! - Storage capacity is not published.

use std::sync::Arc;

use api::Quantity;
use api::core::v1::{
    CSIPersistentVolumeSource, Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm,
    PersistentVolume, PersistentVolumeClaim, VolumeNodeAffinity,
};
use api::object::{Key, Kind, KindInfo};
use api::storage::v1::{CSIDriver, CSINode, StorageClass, VolumeAttachment};
use base::{BTreeSet, Str, list, lit};
use client::cloud::{CloudAnswer, CloudRequest, DiskFacts, DiskSpec};
use client::{Cx, Delta, Enqueue, Note, Plan, Reconcile};

use super::{Driver, TAKES};
use crate::provisioning::{ASKED, PROVISIONED_BY, Wish, Work, is_reclaimable, wish};

/// Keeps a volume object until what it stands for is removed.
const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";
const GIB: i64 = 1 << 30;
const FS_TYPE: &str = "csi.storage.k8s.io/fstype";

/// The provisioner. Keys without a namespace are volumes, others claims.
#[derive(Clone, Default)]
pub struct CsiProvisioner {
    work: Work,
}

impl Reconcile for CsiProvisioner {
    fn name(&self) -> &'static str {
        "csi-provisioner"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![
            PersistentVolumeClaim::INFO,
            PersistentVolume::INFO,
            StorageClass::INFO,
            CSIDriver::INFO,
            CSINode::INFO,
            Node::INFO,
            VolumeAttachment::INFO,
        ]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<PersistentVolumeClaim>() || delta.is::<PersistentVolume>() {
            if delta.deleted() {
                self.work.forget(&delta.meta().uid);
            } else {
                queue.add(delta.key());
            }
        } else if let Some(old) = delta.before::<VolumeAttachment>().filter(|_| delta.deleted()) {
            queue.named("", old.spec.source.persistent_volume_name.clone().unwrap_or_default());
        } else if (delta.is::<StorageClass>() || delta.is::<CSIDriver>()) && delta.added() {
            let claims = cx.claims().all();
            let waiting = claims.filter(|claim| claim.spec.volume_name.is_empty());
            waiting.for_each(|claim| queue.of(&claim.metadata));
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        if key.namespace.is_empty() {
            return match cx.volumes().get(key) {
                Some(volume) => self.remove(cx, volume),
                None => Plan::settled(),
            };
        }
        match cx.claims().get(key) {
            Some(claim) => self.provide(cx, claim),
            None => Plan::settled(),
        }
    }

    fn answered(&mut self, cx: &Cx<'_>, key: &Key, answer: CloudAnswer) -> Plan {
        let mut plan = Plan::settled();
        match answer {
            CloudAnswer::Disk(facts) => {
                if let Some(claim) = cx.claims().get(key) {
                    hand_over(cx, claim, &facts, &mut plan);
                }
            }
            // The disk is gone.
            _ => {
                if let Some(volume) = cx.volumes().get(key) {
                    plan.delete(volume, Default::default());
                }
            }
        }
        plan
    }

    fn reset(&mut self) {
        self.work.clear();
    }
}

impl CsiProvisioner {
    fn provide(&mut self, cx: &Cx<'_>, claim: &PersistentVolumeClaim) -> Plan {
        let mut plan = Plan::settled();
        let name = claim.metadata.annotations.text(ASKED).unwrap_or("");
        let Some(driver) = Driver::named(cx, name) else { return plan };
        let Some(wish) = wish(cx, claim, name) else { return plan };
        if driver.is_of_cloud() {
            ask_for_disk(cx, &wish, driver, &mut plan);
            return plan;
        }
        let (is_new, wait) = self.work.left(cx.now, &claim.metadata.uid, TAKES);
        if is_new {
            wish.announce(&mut plan);
        }
        if let Some(wait) = wait {
            plan.again(wait);
            return plan;
        }
        match segment(cx, &wish, driver) {
            Ok(segment) => wish.fulfil(volume(&wish, driver, segment), &mut plan),
            Err(why) => nowhere(&wish, &why, &mut plan),
        }
        plan
    }

    /// Removes what a volume stands for once its claim has given it up; then the volume may go.
    fn remove(&mut self, cx: &Cx<'_>, volume: &PersistentVolume) -> Plan {
        let mut plan = Plan::settled();
        let meta = &volume.metadata;
        let name = meta.annotations.text(PROVISIONED_BY).unwrap_or("");
        let Some(driver) = Driver::named(cx, name).filter(|_| is_reclaimable(volume, name)) else {
            return plan;
        };
        let dying = meta.deletion_timestamp.is_some();
        if dying && !meta.finalizers.iter().any(|known| known == FINALIZER) {
            return plan;
        }
        let mut attachments = cx.all::<VolumeAttachment>().all();
        let attached = attachments
            .find(|known| known.spec.source.persistent_volume_name.as_ref() == Some(&meta.name));
        if let Some(attachment) = attached {
            let (volume_name, node) = (&meta.name, &attachment.spec.node_name);
            let message =
                format!("persistentvolume {volume_name} is still attached to node {node}");
            plan.event(volume, "Warning", "VolumeFailedDelete", message);
            plan.again_with_backoff();
            return plan;
        }
        if driver.is_of_cloud() && !dying {
            give_back_disk(volume, &mut plan);
            return plan;
        }
        if let Some(wait) = self.work.left(cx.now, &meta.uid, TAKES).1 {
            plan.again(wait);
            return plan;
        }
        if !dying {
            plan.delete(volume, Default::default());
        } else {
            let mut new = volume.clone();
            Arc::make_mut(&mut new.metadata).finalizers.retain(|known| known != FINALIZER);
            plan.update(new);
        }
        plan
    }
}

fn nowhere(wish: &Wish<'_>, why: &str, plan: &mut Plan) {
    wish.fail(&format!("error generating accessibility requirements: {why}"), plan);
    plan.again_with_backoff();
}

/// Asks the cloud for a disk; see [`hand_over`].
fn ask_for_disk(cx: &Cx<'_>, wish: &Wish<'_>, driver: Driver<'_>, plan: &mut Plan) {
    let segment = match segment(cx, wish, driver) {
        Ok(segment) => segment,
        Err(why) => return nowhere(wish, &why, plan),
    };
    wish.announce(plan);
    let bytes = wish.claim.spec.resources.requests.get("storage").map_or(0, |size| size.value());
    let spec = DiskSpec {
        name: wish.volume_name(),
        gib: (bytes + GIB - 1).div_euclid(GIB).max(1),
        zone: segment.into_iter().next().map(|(_, zone)| zone).unwrap_or_default(),
        kind: wish.class.parameters.get("type").cloned().unwrap_or_default(),
    };
    let class = &wish.class.metadata.name;
    let text = format!("failed to provision volume with StorageClass {:?}: {{error}}", &**class);
    let failed = Note::new(wish.claim, "Warning", "ProvisioningFailed", text);
    plan.ask(CloudRequest::CreateDisk(Box::new(spec))).or_said(failed);
}

/// Makes the volume object of a cloud's disk.
fn hand_over(cx: &Cx<'_>, claim: &PersistentVolumeClaim, facts: &DiskFacts, plan: &mut Plan) {
    let name = claim.metadata.annotations.text(ASKED).unwrap_or("");
    let Some(driver) = Driver::named(cx, name) else { return };
    let Some(wish) = wish(cx, claim, name) else { return };
    let zone = (!facts.zone.is_empty()).then(|| facts.zone.clone());
    let segment = driver.topology().next().map(Str::from).zip(zone);
    let mut volume = volume(&wish, driver, segment.into_iter().collect());
    let spec = Arc::make_mut(&mut volume.spec);
    spec.capacity.insert("storage", Quantity::bytes(facts.gib * GIB));
    if let Some(csi) = &mut spec.csi {
        csi.volume_handle = facts.id.clone();
    }
    wish.fulfil(volume, plan);
}

/// Lets the cloud delete a volume's disk.
fn give_back_disk(volume: &PersistentVolume, plan: &mut Plan) {
    let Some(csi) = &volume.spec.csi else { return };
    let failed = Note::new(volume, "Warning", "VolumeFailedDelete", "{error}");
    plan.ask(CloudRequest::DeleteDisk(csi.volume_handle.clone())).or_said(failed);
}

/// Label values within which a volume can be used, by label.
type Segment = Vec<(Str, Str)>;

/// Where the volume is to be: with the selected node, or in one of the places that class and driver allow.
fn segment(cx: &Cx<'_>, wish: &Wish<'_>, driver: Driver<'_>) -> Result<Segment, String> {
    if driver.topology().next().is_none() {
        return Ok(Segment::new());
    }
    if let Some(name) = wish.node {
        let node = cx.nodes().named("", name);
        let node = node.ok_or_else(|| format!("error getting node {name}: not found"))?;
        return segment_of(cx, node, driver)
            .ok_or_else(|| format!("no topology key found on CSINode {name}"));
    }
    let allowed = |segment: &Segment| {
        let terms = &wish.class.allowed_topologies;
        terms.is_empty()
            || terms.iter().any(|term| {
                term.match_label_expressions.iter().all(|rule| {
                    segment.iter().any(|(k, v)| *k == rule.key && rule.values.contains(v))
                })
            })
    };
    let segments: BTreeSet<Segment> =
        cx.nodes().all().filter_map(|node| segment_of(cx, node, driver)).filter(allowed).collect();
    let name = &wish.claim.metadata.name;
    let sum = name.bytes().fold(0usize, |n, byte| (n * 31 + usize::from(byte)) % 65_521);
    let chosen = segments.iter().nth(sum % segments.len().max(1));
    chosen.cloned().ok_or_else(|| "no available topology found".to_string())
}

/// The driver's segment of a node; `None` if the driver does not run there or a label is missing.
fn segment_of(cx: &Cx<'_>, node: &Node, driver: Driver<'_>) -> Option<Segment> {
    let known = cx.all::<CSINode>().named("", &node.metadata.name)?;
    let entry = known.spec.drivers.iter().find(|entry| entry.name == *driver.name())?;
    let value = |key: &Str| Some((key.clone(), node.metadata.labels.get(key)?.clone()));
    entry.topology_keys.iter().map(value).collect()
}

fn volume(wish: &Wish<'_>, driver: Driver<'_>, segment: Segment) -> PersistentVolume {
    let mut volume = wish.volume(driver.name());
    let meta = Arc::make_mut(&mut volume.metadata);
    for what in ["name", "namespace"] {
        let key = format!("volume.kubernetes.io/provisioner-deletion-secret-{what}");
        meta.annotations.insert(key, Str::new());
    }
    let spec = Arc::make_mut(&mut volume.spec);
    if spec.persistent_volume_reclaim_policy == "Delete" {
        meta.finalizers.push(FINALIZER.into());
    }
    let is_block = spec.volume_mode.as_deref() == Some("Block");
    let fs_type = wish.class.parameters.get(FS_TYPE).cloned().unwrap_or(lit!("ext4"));
    let mut attributes = api::Map::new();
    let identity = format!("1767225600000-8081-{}", driver.name());
    attributes.insert("storage.kubernetes.io/csiProvisionerIdentity", identity.into());
    spec.csi = Some(Box::new(CSIPersistentVolumeSource {
        driver: driver.name().clone(),
        volume_handle: meta.name.clone(),
        fs_type: if is_block { Str::new() } else { fs_type },
        volume_attributes: attributes,
        ..CSIPersistentVolumeSource::default()
    }));
    if !segment.is_empty() {
        let rule = |(key, value)| NodeSelectorRequirement {
            key,
            operator: lit!("In"),
            values: list![value],
        };
        let rules = segment.into_iter().map(rule).collect();
        let term = NodeSelectorTerm { match_expressions: rules, ..NodeSelectorTerm::default() };
        let required = Some(Box::new(NodeSelector { node_selector_terms: list![term] }));
        spec.node_affinity = Some(Box::new(VolumeNodeAffinity { required }));
    }
    volume
}

#[cfg(test)]
mod tests {
    use api::object::Object;
    use base::Duration;
    use client::Runner;
    use client::testing::{Bench, object};

    use super::*;
    use crate::csi::registrar::CsiRegistrar;
    use crate::volume_binder::VolumeBinder;
    use crate::volume_protection::VolumeProtection;

    type World = Bench<Runner>;

    /// A driver whose volumes stay in their zone, a node in each of two zones, and a claim.
    fn world(mode: &str, annotations: &str, class_more: &str) -> World {
        let driver: CSIDriver = object(
            r#"{"metadata": {"name": "disk.example.com", "annotations":
            {"csi.orrery.dev/topology-keys": "zone", "csi.orrery.dev/volumes-per-node": "8"}}}"#,
        );
        let class: StorageClass = object(&format!(
            r#"{{"metadata": {{"name": "fast"}}, "provisioner": "disk.example.com", "reclaimPolicy": "Delete",
            "volumeBindingMode": "{mode}"{class_more}}}"#
        ));
        let claim: PersistentVolumeClaim = object(&format!(
            r#"{{"metadata": {{"name": "data", "namespace": "d", "annotations": {{{annotations}}}}}, "spec":
            {{"storageClassName": "fast", "accessModes": ["ReadWriteOnce"], "resources": {{"requests": {{"storage":
            "1Gi"}}}}}}}}"#
        ));
        let nodes = [("n1", "a"), ("n2", "b")].into_iter().flat_map(|(name, zone)| {
            let node: Node = object(&format!(
                r#"{{"metadata": {{"name": "{name}", "labels": {{"zone": "{zone}"}}}}}}"#
            ));
            let csi: CSINode = object(&format!(
                r#"{{"metadata": {{"name": "{name}"}}, "spec": {{"drivers": []}}}}"#
            ));
            [Object::new(node), Object::new(csi)]
        });
        let runner = Runner::new(
            "kcm",
            vec![
                Box::new(VolumeBinder),
                Box::new(VolumeProtection),
                Box::new(CsiRegistrar),
                Box::<CsiProvisioner>::default(),
            ],
        );
        let all = [driver.into(), class.into(), claim.into()];
        Bench::new(runner, all.into_iter().chain(nodes))
    }

    /// The claim's phase after a minute, and where its volume can be used.
    fn check(mode: &str, annotations: &str, class_more: &str, expect: &str) -> World {
        let mut world = world(mode, annotations, class_more);
        world.run(Duration::mins(1));
        let claim = world.api.get::<PersistentVolumeClaim>("d", "data").expect("it exists");
        let volumes = world.api.all::<PersistentVolume>();
        let place = |volume: &Arc<PersistentVolume>| {
            let affinity = volume.spec.node_affinity.clone().and_then(|affinity| affinity.required);
            let rule = affinity.map(|r| r.node_selector_terms[0].match_expressions[0].clone())?;
            Some(format!("{}={}", rule.key, rule.values[0]))
        };
        let places: Vec<String> = volumes.iter().filter_map(place).collect();
        assert_eq!(format!("{} {}", claim.status.phase, places.join(" ")).trim_end(), expect);
        world
    }

    const SELECTED: &str = r#""volume.kubernetes.io/selected-node": "n2""#;

    #[test]
    fn a_volume_lies_in_the_zone_of_the_selected_node() {
        let mut world = check("WaitForFirstConsumer", SELECTED, "", "Bound zone=b");
        let volume = &world.api.all::<PersistentVolume>()[0];
        let csi = volume.spec.csi.as_ref().expect("it is a CSI volume");
        assert_eq!((&*csi.driver, &*csi.fs_type), ("disk.example.com", "ext4"));
        let events = world.take_events();
        for said in
            ["ExternalProvisioning", "Provisioning:", "Successfully provisioned volume pvc-"]
        {
            assert!(events.contains(said), "{events}");
        }
    }

    #[test]
    fn without_a_node_class_and_driver_decide_where_it_lies() {
        let only = r#", "allowedTopologies": [{"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]}]"#;
        check("Immediate", "", only, "Bound zone=a");
        check("WaitForFirstConsumer", "", "", "Pending");
    }

    #[test]
    fn a_place_that_the_driver_does_not_know_is_told() {
        let none = r#", "allowedTopologies": [{"matchLabelExpressions": [{"key": "zone", "values": ["z"]}]}]"#;
        let mut world = check("Immediate", "", none, "Pending");
        let events = world.take_events();
        let told = "Warning ProvisioningFailed: failed to provision volume with StorageClass \"fast\": \
                    error generating accessibility requirements: no available topology found";
        assert!(events.contains(told), "{events}");
    }

    #[test]
    fn a_node_tells_which_drivers_it_has_and_how_much_they_attach() {
        let world = check("WaitForFirstConsumer", "", "", "Pending");
        let known = world.api.get::<CSINode>("", "n1").expect("it exists");
        let entry = &known.spec.drivers[0];
        let count = entry.allocatable.as_ref().and_then(|allocatable| allocatable.count);
        assert_eq!((&*entry.name, &*entry.node_id, count), ("disk.example.com", "n1", Some(8)));
    }

    #[test]
    fn the_volume_goes_after_its_claim_once_it_is_detached() {
        let mut world = check("Immediate", "", "", "Bound zone=a");
        let name = world.api.all::<PersistentVolume>()[0].metadata.name.clone();
        world.put(object::<VolumeAttachment>(&format!(
            r#"{{"metadata": {{"name": "a"}}, "spec": {{"attacher": "disk.example.com", "nodeName": "n2",
            "source": {{"persistentVolumeName": "{name}"}}}}}}"#
        )));
        world.take_events();
        world.remove::<PersistentVolumeClaim>("d", "data");
        world.run(Duration::secs(30));
        assert_eq!(world.api.all::<PersistentVolume>().len(), 1);
        let told = format!("persistentvolume {name} is still attached to node n2");
        assert!(world.take_events().contains(&told));
        world.remove::<VolumeAttachment>("", "a");
        world.run(Duration::mins(30));
        assert!(world.api.all::<PersistentVolume>().is_empty());
    }
}
