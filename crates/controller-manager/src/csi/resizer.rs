//! The external-resizer, and the node's part in it: makes volumes as large as their claims ask, and gives them other
//! attributes.
//!
//! Known deviations:
//! - What a kubelet does (growing the file system) is done here, one second after a pod runs with the volume.

use std::sync::Arc;

use api::core::v1::{
    ModifyVolumeStatus, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimCondition,
    PersistentVolumeClaimStatus, Pod,
};
use api::object::{Key, Kind, KindInfo};
use api::quantity::Quantity;
use api::storage::v1::{CSIDriver, VolumeAttributesClass};
use api::wire::time_of;
use base::{Duration, List, Str, list, lit};
use client::cloud::{CloudAnswer, CloudRequest};
use client::{Cx, Delta, Enqueue, Note, Plan, Reconcile};

use super::{Driver, TAKES};
use crate::provisioning::Work;
use crate::volume_protection::claims_of;

const STORAGE: &str = "storage";
/// Growing a file system takes so long.
const GROWING: Duration = Duration::secs(1);

/// The resizer. Its keys are claims.
#[derive(Clone, Default)]
pub struct CsiResizer {
    growing: Work,
    modifying: Work,
    on_node: Work,
}

impl Reconcile for CsiResizer {
    fn name(&self) -> &'static str {
        "csi-resizer"
    }

    fn source(&self) -> &'static str {
        "external-resizer"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![
            PersistentVolumeClaim::INFO,
            PersistentVolume::INFO,
            Pod::INFO,
            CSIDriver::INFO,
            VolumeAttributesClass::INFO,
        ]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<PersistentVolumeClaim>() {
            queue.add(delta.key());
        } else if let Some(pod) = delta.after::<Pod>() {
            let ran = delta.before::<Pod>().is_some_and(|old| old.status.phase == "Running");
            if pod.status.phase == "Running" && !ran {
                let namespace = &pod.metadata.namespace;
                claims_of(pod).for_each(|name| queue.named(namespace.clone(), name));
            }
        } else if let Some(class) = delta.after::<VolumeAttributesClass>().filter(|_| delta.added())
        {
            let name = Some(&class.metadata.name);
            let claims = cx.claims().all();
            let wanting = |claim: &&PersistentVolumeClaim| {
                claim.spec.volume_attributes_class_name.as_ref() == name
            };
            claims.filter(wanting).for_each(|claim| queue.of(&claim.metadata));
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let plan = Plan::settled();
        let Some(claim) = cx.claims().get(key) else { return plan };
        if claim.status.phase != "Bound" || claim.metadata.deletion_timestamp.is_some() {
            return plan;
        }
        let Some(volume) = cx.volumes().named("", &claim.spec.volume_name) else { return plan };
        let driver = volume.spec.csi.as_ref().map(|csi| &csi.driver);
        if driver.is_none_or(|driver| Driver::named(cx, driver).is_none()) {
            return plan;
        }
        let mut look = Look::at(cx, claim, volume);
        self.resize(&mut look);
        self.modify(&mut look);
        look.end()
    }

    fn answered(&mut self, cx: &Cx<'_>, key: &Key, _: CloudAnswer) -> Plan {
        let Some(claim) = cx.claims().get(key) else { return Plan::settled() };
        let Some(volume) = cx.volumes().named("", &claim.spec.volume_name) else {
            return Plan::settled();
        };
        self.growing.forget(&claim.metadata.uid);
        let mut look = Look::at(cx, claim, volume);
        look.grown(&size(&claim.spec.resources.requests));
        look.end()
    }

    fn reset(&mut self) {
        *self = CsiResizer::default();
    }
}

/// One look at one claim.
struct Look<'a> {
    cx: &'a Cx<'a>,
    claim: &'a PersistentVolumeClaim,
    volume: &'a PersistentVolume,
    status: PersistentVolumeClaimStatus,
    plan: Plan,
}

impl CsiResizer {
    fn resize(&mut self, look: &mut Look<'_>) {
        let uid = &look.claim.metadata.uid;
        let wanted = size(&look.claim.spec.resources.requests);
        if wanted <= size(&look.status.capacity) {
            return;
        }
        if size(&look.volume.spec.capacity) < wanted {
            let (is_new, wait) = self.growing.left(look.cx.now, uid, TAKES);
            if is_new {
                look.begin(&wanted);
            } else if look.asks_cloud(&wanted) {
                return;
            }
            match wait {
                Some(wait) => look.plan.again(wait),
                None => {
                    self.growing.forget(uid);
                    look.grown(&wanted);
                }
            }
        } else if let Some(pod) = look.running_pod() {
            match self.on_node.left(look.cx.now, uid, GROWING).1 {
                Some(wait) => look.plan.again(wait),
                None => {
                    self.on_node.forget(uid);
                    look.finished_on(pod, &wanted);
                }
            }
        }
    }

    fn modify(&mut self, look: &mut Look<'_>) {
        let uid = &look.claim.metadata.uid;
        let wanted = look.claim.spec.volume_attributes_class_name.clone().unwrap_or_default();
        let current = look.status.current_volume_attributes_class_name.clone().unwrap_or_default();
        if wanted.is_empty() || wanted == current {
            return;
        }
        if look.cx.all::<VolumeAttributesClass>().named("", &wanted).is_none() {
            return look.set_modify("Pending", &wanted);
        }
        let name = look.claim.metadata.name.clone();
        let (is_new, wait) = self.modifying.left(look.cx.now, uid, TAKES);
        if is_new {
            let message = format!("external resizer is modifying volume {name} with vac {wanted}");
            look.plan.event(look.claim, "Normal", "VolumeModify", message);
        }
        if let Some(wait) = wait {
            look.plan.again(wait);
            return look.set_modify("InProgress", &wanted);
        }
        self.modifying.forget(uid);
        let mut new = look.volume.clone();
        Arc::make_mut(&mut new.spec).volume_attributes_class_name = Some(wanted.clone());
        look.plan.update(new);
        let message =
            format!("external resizer modified volume {name} with vac {wanted} successfully");
        look.plan.event(look.claim, "Normal", "VolumeModifySuccessful", message);
        look.status.current_volume_attributes_class_name = Some(wanted);
        look.status.modify_volume_status = None;
    }
}

impl<'a> Look<'a> {
    fn at(
        cx: &'a Cx<'a>,
        claim: &'a PersistentVolumeClaim,
        volume: &'a PersistentVolume,
    ) -> Look<'a> {
        Look { cx, claim, volume, status: (*claim.status).clone(), plan: Plan::settled() }
    }

    fn end(mut self) -> Plan {
        if self.status != *self.claim.status {
            let status = Arc::new(self.status);
            self.plan.status(PersistentVolumeClaim { status, ..self.claim.clone() });
        }
        self.plan
    }

    /// Asks the cloud for a larger disk; false where the volume is none.
    fn asks_cloud(&mut self, wanted: &Quantity) -> bool {
        let Some(csi) = &self.volume.spec.csi else { return false };
        let driver = Driver::named(self.cx, &csi.driver);
        if !driver.is_some_and(|driver| driver.is_of_cloud()) {
            return false;
        }
        let text = format!(
            "resize volume {:?} by resizer {:?} failed: {{error}}",
            &*self.volume.metadata.name, &*csi.driver
        );
        let failed = Note::new(self.claim, "Warning", "VolumeResizeFailed", text);
        let (disk, gib) = (csi.volume_handle.clone(), (wanted.value() + (1 << 30) - 1) >> 30);
        self.plan.ask(CloudRequest::GrowDisk { disk, gib }).or_said(failed);
        true
    }

    fn begin(&mut self, wanted: &Quantity) {
        let message = format!("External resizer is resizing volume {}", self.volume.metadata.name);
        self.plan.event(self.claim, "Normal", "Resizing", message);
        self.status.allocated_resources.insert(STORAGE, wanted.clone());
        self.set_stage(Some("ControllerResizeInProgress"));
        self.status.conditions = self.with_condition("Resizing", "");
    }

    /// The volume is larger; what is on it is not yet.
    fn grown(&mut self, wanted: &Quantity) {
        let mut new = self.volume.clone();
        Arc::make_mut(&mut new.spec).capacity.insert(STORAGE, wanted.clone());
        self.plan.update(new);
        self.status.allocated_resources.insert(STORAGE, wanted.clone());
        if self.volume.spec.volume_mode.as_deref() == Some("Block") {
            self.plan.event(
                self.claim,
                "Normal",
                "VolumeResizeSuccessful",
                "Resize volume succeeded",
            );
            return self.complete(wanted);
        }
        self.set_stage(Some("NodeResizePending"));
        let message =
            "Waiting for user to (re-)start a pod to finish file system resize of volume on node.";
        self.status.conditions = self.with_condition("FileSystemResizePending", message);
        let message = "Require file system resize of volume on node";
        self.plan.event(self.claim, "Normal", "FileSystemResizeRequired", message);
    }

    fn finished_on(&mut self, pod: &Pod, wanted: &Quantity) {
        let volume = &self.volume.metadata.name;
        let message = format!(
            "MountVolume.NodeExpandVolume succeeded for volume {:?} {}",
            &**volume, pod.spec.node_name
        );
        for note in [
            Note::new(pod, "Normal", "FileSystemResizeSuccessful", message.clone()),
            Note::new(self.claim, "Normal", "FileSystemResizeSuccessful", message),
        ] {
            self.plan.note(note);
        }
        self.complete(wanted);
    }

    fn complete(&mut self, size: &Quantity) {
        self.status.capacity.insert(STORAGE, size.clone());
        self.set_stage(None);
        let ours = |type_: &Str| matches!(&**type_, "Resizing" | "FileSystemResizePending");
        self.status.conditions.retain(|known| !ours(&known.type_));
    }

    fn set_stage(&mut self, stage: Option<&'static str>) {
        match stage {
            Some(stage) => {
                self.status.allocated_resource_statuses.insert(STORAGE, stage.into());
            }
            None => drop(self.status.allocated_resource_statuses.remove(STORAGE)),
        }
    }

    /// The conditions with this one in place of those that tell of resizing.
    fn with_condition(
        &self,
        type_: &'static str,
        message: &'static str,
    ) -> List<PersistentVolumeClaimCondition> {
        let ours = |type_: &Str| matches!(&**type_, "Resizing" | "FileSystemResizePending");
        let others = self.status.conditions.iter().filter(|known| !ours(&known.type_));
        let new = PersistentVolumeClaimCondition {
            type_: type_.into(),
            status: lit!("True"),
            message: message.into(),
            last_transition_time: Some(time_of(self.cx.now)),
            ..PersistentVolumeClaimCondition::default()
        };
        others.cloned().chain(list![new].iter().cloned()).collect()
    }

    fn set_modify(&mut self, status: &'static str, target: &Str) {
        self.status.modify_volume_status = Some(Box::new(ModifyVolumeStatus {
            status: status.into(),
            target_volume_attributes_class_name: target.clone(),
        }));
    }

    /// A pod that runs with the claim.
    fn running_pod(&self) -> Option<&'a Pod> {
        let meta = &self.claim.metadata;
        self.cx.pods().in_namespace(&meta.namespace).find(|pod| {
            pod.status.phase == "Running" && claims_of(pod).any(|name| name == meta.name)
        })
    }
}

fn size(resources: &api::Map<Quantity>) -> Quantity {
    resources.get(STORAGE).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use client::Runner;
    use client::testing::{Bench, object};

    use super::*;

    type World = Bench<Runner>;

    fn world(mode: &str) -> World {
        let driver: CSIDriver = object(r#"{"metadata": {"name": "disk.example.com"}}"#);
        let volume: PersistentVolume = object(&format!(
            r#"{{"metadata": {{"name": "v"}}, "spec": {{"capacity": {{"storage": "1Gi"}}, "volumeMode": "{mode}",
            "csi": {{"driver": "disk.example.com", "volumeHandle": "h"}}}}}}"#
        ));
        let claim: PersistentVolumeClaim = object(
            r#"{"metadata": {"name": "c", "namespace": "d"}, "spec": {"volumeName": "v", "resources": {"requests":
            {"storage": "1Gi"}}}, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}"#,
        );
        let runner = Runner::new("csi", vec![Box::new(CsiResizer::default())]);
        let all = [driver.into(), volume.into(), claim.into()];
        Bench::new(runner, all)
    }

    fn ask(world: &mut World, wanted: &str) {
        let wanted = Quantity::parse(wanted).expect("a quantity");
        world.edit::<PersistentVolumeClaim>("d", "c", |claim| {
            Arc::make_mut(&mut claim.spec).resources.requests.insert(STORAGE, wanted);
        });
    }

    fn start_pod(world: &mut World) {
        world.put(object::<Pod>(
            r#"{"metadata": {"name": "p", "namespace": "d"}, "spec": {"nodeName": "n1", "containers": [], "volumes":
            [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]}, "status": {"phase": "Running"}}"#,
        ));
    }

    /// Runs for so many seconds; compares the volume's and the claim's size, the stage and the conditions.
    fn check(world: &mut World, seconds: i64, expect: &str) {
        world.run(Duration::secs(seconds));
        let volume = world.api.get::<PersistentVolume>("", "v").expect("it exists");
        let claim = world.api.get::<PersistentVolumeClaim>("d", "c").expect("it exists");
        let status = &claim.status;
        let stage = status.allocated_resource_statuses.text(STORAGE).unwrap_or("-");
        let conditions: Vec<&str> = status.conditions.iter().map(|known| &*known.type_).collect();
        let got = format!(
            "{} {} {stage} {}",
            size(&volume.spec.capacity),
            size(&status.capacity),
            conditions.join(" ")
        );
        assert_eq!(got.trim_end(), expect);
    }

    #[test]
    fn a_volume_grows_first_and_its_file_system_when_a_pod_runs() {
        let mut world = world("Filesystem");
        ask(&mut world, "2Gi");
        check(&mut world, 0, "1Gi 1Gi ControllerResizeInProgress Resizing");
        check(&mut world, 3, "2Gi 1Gi NodeResizePending FileSystemResizePending");
        check(&mut world, 100, "2Gi 1Gi NodeResizePending FileSystemResizePending");
        start_pod(&mut world);
        check(&mut world, 3, "2Gi 2Gi -");
        let events = world.take_events();
        for said in [
            "Resizing: External resizer is resizing volume v",
            "FileSystemResizeRequired: Require file system resize of volume on node",
            "FileSystemResizeSuccessful: MountVolume.NodeExpandVolume succeeded for volume \"v\" n1",
        ] {
            assert!(events.contains(said), "{events}");
        }
    }

    #[test]
    fn a_volume_in_use_grows_without_a_restart() {
        let mut world = world("Filesystem");
        start_pod(&mut world);
        ask(&mut world, "2Gi");
        check(&mut world, 10, "2Gi 2Gi -");
        ask(&mut world, "3Gi");
        check(&mut world, 10, "3Gi 3Gi -");
    }

    #[test]
    fn a_block_volume_needs_no_file_system() {
        let mut world = world("Block");
        ask(&mut world, "2Gi");
        check(&mut world, 10, "2Gi 2Gi -");
        assert!(world.take_events().contains("VolumeResizeSuccessful: Resize volume succeeded"));
    }

    #[test]
    fn a_volume_gets_the_attributes_of_its_claims_class_once_there_is_one() {
        let mut world = world("Filesystem");
        world.edit::<PersistentVolumeClaim>("d", "c", |claim| {
            Arc::make_mut(&mut claim.spec).volume_attributes_class_name = Some(lit!("gold"));
        });
        let status = |world: &World| {
            let claim = world.api.get::<PersistentVolumeClaim>("d", "c").expect("it exists");
            let modify = claim.status.modify_volume_status.as_ref().map(|m| m.status.to_string());
            let current = claim.status.current_volume_attributes_class_name.clone();
            format!("{} {}", modify.unwrap_or("-".into()), current.unwrap_or(lit!("-")))
        };
        world.run(Duration::secs(5));
        assert_eq!(status(&world), "Pending -");
        world.put(object::<VolumeAttributesClass>(
            r#"{"metadata": {"name": "gold"}, "driverName": "disk.example.com", "parameters": {"iops": "9000"}}"#,
        ));
        world.run(Duration::secs(1));
        assert_eq!(status(&world), "InProgress -");
        world.run(Duration::secs(5));
        assert_eq!(status(&world), "- gold");
        let volume = world.api.get::<PersistentVolume>("", "v").expect("it exists");
        assert_eq!(volume.spec.volume_attributes_class_name.as_deref(), Some("gold"));
        assert!(world.take_events().contains("VolumeModifySuccessful"));
    }
}
