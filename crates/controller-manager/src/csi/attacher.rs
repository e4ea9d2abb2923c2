//! The external-attacher: attaches volumes to nodes as VolumeAttachments ask, and detaches them.

use std::sync::Arc;

use api::core::v1::PersistentVolume;
use api::object::{Key, Kind, KindInfo};
use api::storage::v1::{CSIDriver, VolumeAttachment, VolumeError};
use base::Str;
use client::cloud::{CloudAnswer, CloudError, CloudRequest};
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

use super::{ATTACHING, Driver};
use crate::provisioning::Work;

/// The attacher. Its keys are attachments, and volumes under the namespace [`VOLUME`].
#[derive(Clone, Default)]
pub struct CsiAttacher {
    attaching: Work,
    detaching: Work,
}

/// Marks keys of volumes: both kinds have no namespace.
const VOLUME: &str = "volume";

impl Reconcile for CsiAttacher {
    fn name(&self) -> &'static str {
        "csi-attacher"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![VolumeAttachment::INFO, PersistentVolume::INFO, CSIDriver::INFO]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<VolumeAttachment>() {
            queue.add(delta.key());
            if delta.deleted() {
                self.attaching.forget(&delta.meta().uid);
                self.detaching.forget(&delta.meta().uid);
                if let Some(old) = delta.before::<VolumeAttachment>() {
                    let volume = old.spec.source.persistent_volume_name.clone();
                    queue.named(VOLUME, volume.unwrap_or_default());
                }
            }
        } else if let Some(volume) = delta.after::<PersistentVolume>() {
            if volume.metadata.deletion_timestamp.is_some() && volume.spec.csi.is_some() {
                queue.named(VOLUME, volume.metadata.name.clone());
            }
        } else if delta.is::<CSIDriver>() && delta.added() {
            let all = cx.all::<VolumeAttachment>().all();
            all.for_each(|attachment| queue.of(&attachment.metadata));
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        if key.namespace == VOLUME {
            return release(cx, &key.name);
        }
        let Some(attachment) = cx.all::<VolumeAttachment>().get(key) else {
            return Plan::settled();
        };
        let Some(driver) = Driver::named(cx, &attachment.spec.attacher) else {
            return Plan::settled();
        };
        if attachment.metadata.deletion_timestamp.is_some() {
            self.detach(cx, attachment, driver)
        } else {
            self.attach(cx, attachment, driver)
        }
    }

    fn answered(&mut self, cx: &Cx<'_>, key: &Key, answer: CloudAnswer) -> Plan {
        let mut plan = Plan::settled();
        let Some(attachment) = cx.all::<VolumeAttachment>().get(key) else { return plan };
        let mut new = attachment.clone();
        let status = Arc::make_mut(&mut new.status);
        match answer {
            CloudAnswer::Disk(facts) => {
                status.attached = true;
                status.attach_error = None;
                status.attachment_metadata.insert("devicePath", facts.device.clone());
            }
            _ => status.attached = false,
        }
        plan.status(new);
        plan
    }

    fn refused(&mut self, cx: &Cx<'_>, key: &Key, error: &CloudError) -> Plan {
        let mut plan = Plan::settled();
        let Some(attachment) = cx.all::<VolumeAttachment>().get(key) else { return plan };
        let (message, time) = (error.message.clone(), Some(api::wire::time_of(cx.now)));
        let told = Some(Box::new(VolumeError { message, time, ..VolumeError::default() }));
        let mut new = attachment.clone();
        let status = Arc::make_mut(&mut new.status);
        match attachment.metadata.deletion_timestamp {
            None => status.attach_error = told,
            Some(_) => status.detach_error = told,
        }
        plan.status(new);
        plan
    }

    fn reset(&mut self) {
        *self = CsiAttacher::default();
    }
}

impl CsiAttacher {
    fn attach(&mut self, cx: &Cx<'_>, attachment: &VolumeAttachment, driver: Driver<'_>) -> Plan {
        let mut plan = Plan::settled();
        if attachment.status.attached {
            return plan;
        }
        let finalizer = finalizer(driver.name());
        let volume = attachment.spec.source.persistent_volume_name.as_deref().unwrap_or("");
        let Some(volume) = cx.volumes().named("", volume) else {
            plan.again_with_backoff();
            return plan;
        };
        if !volume.metadata.finalizers.contains(&finalizer) {
            let mut new = volume.clone();
            Arc::make_mut(&mut new.metadata).finalizers.push(finalizer.clone());
            plan.update(new);
        }
        let mut new = attachment.clone();
        if !attachment.metadata.finalizers.contains(&finalizer) {
            Arc::make_mut(&mut new.metadata).finalizers.push(finalizer);
            plan.update(new.clone());
        }
        if let (true, Some(csi)) = (driver.is_of_cloud(), &volume.spec.csi) {
            let (disk, node) = (csi.volume_handle.clone(), attachment.spec.node_name.clone());
            plan.ask(CloudRequest::AttachDisk { disk, node });
            return plan;
        }
        match self.attaching.left(cx.now, &attachment.metadata.uid, ATTACHING).1 {
            Some(wait) => plan.again(wait),
            None => {
                let status = Arc::make_mut(&mut new.status);
                status.attached = true;
                status.attach_error = None;
                plan.status(new);
            }
        }
        plan
    }

    fn detach(&mut self, cx: &Cx<'_>, attachment: &VolumeAttachment, driver: Driver<'_>) -> Plan {
        let mut plan = Plan::settled();
        let finalizer = finalizer(driver.name());
        if !attachment.metadata.finalizers.contains(&finalizer) {
            return plan;
        }
        if attachment.status.attached
            && let Some(disk) = disk_of(cx, attachment, driver)
        {
            let node = attachment.spec.node_name.clone();
            plan.ask(CloudRequest::DetachDisk { disk, node });
            return plan;
        }
        if let Some(wait) = self.detaching.left(cx.now, &attachment.metadata.uid, ATTACHING).1 {
            plan.again(wait);
            return plan;
        }
        let mut new = attachment.clone();
        if attachment.status.attached {
            Arc::make_mut(&mut new.status).attached = false;
            plan.status(new);
        } else {
            Arc::make_mut(&mut new.metadata).finalizers.retain(|known| *known != finalizer);
            plan.update(new);
        }
        plan
    }
}

/// The cloud's disk that is attached, if it is one.
fn disk_of(cx: &Cx<'_>, attachment: &VolumeAttachment, driver: Driver<'_>) -> Option<Str> {
    let name = attachment.spec.source.persistent_volume_name.as_deref().unwrap_or("");
    let volume = cx.volumes().named("", name).filter(|_| driver.is_of_cloud())?;
    Some(volume.spec.csi.as_ref()?.volume_handle.clone())
}

/// Lets a volume go that is being deleted and is not attached anywhere any more.
fn release(cx: &Cx<'_>, name: &str) -> Plan {
    let mut plan = Plan::settled();
    let Some(volume) = cx.volumes().named("", name) else { return plan };
    let Some(csi) = &volume.spec.csi else { return plan };
    let finalizer = finalizer(&csi.driver);
    let dying = volume.metadata.deletion_timestamp.is_some();
    let ours = Driver::named(cx, &csi.driver).is_some();
    if ours && dying && volume.metadata.finalizers.contains(&finalizer) && !is_attached(cx, name) {
        let mut new = volume.clone();
        Arc::make_mut(&mut new.metadata).finalizers.retain(|known| *known != finalizer);
        plan.update(new);
    }
    plan
}

/// Whether some node has the volume, or is to have it.
fn is_attached(cx: &Cx<'_>, volume: &str) -> bool {
    cx.all::<VolumeAttachment>()
        .all()
        .any(|known| known.spec.source.persistent_volume_name.as_deref() == Some(volume))
}

/// `external-attacher/disk-example-com`
fn finalizer(driver: &str) -> Str {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("external-attacher/{}", driver.chars().map(plain).collect::<String>()).into()
}

#[cfg(test)]
mod tests {
    use api::object::Object;
    use base::Duration;
    use client::Runner;
    use client::testing::{Bench, object};

    use super::*;

    type World = Bench<Runner>;

    fn world(driver: &str) -> World {
        let driver: CSIDriver = object(&format!(r#"{{"metadata": {{"name": "{driver}"}}}}"#));
        let volume: PersistentVolume = object(
            r#"{"metadata": {"name": "v"}, "spec": {"csi": {"driver": "disk.example.com", "volumeHandle": "h"}}}"#,
        );
        let attachment: VolumeAttachment = object(
            r#"{"metadata": {"name": "a"}, "spec": {"attacher": "disk.example.com", "nodeName": "n1",
            "source": {"persistentVolumeName": "v"}}}"#,
        );
        let all: [Object; 3] = [driver.into(), volume.into(), attachment.into()];
        Bench::new(Runner::new("csi", vec![Box::new(CsiAttacher::default())]), all)
    }

    /// Runs for so many seconds and compares the writes.
    fn check(world: &mut World, seconds: i64, expect: &str) {
        world.run(Duration::secs(seconds));
        assert_eq!(world.take_log(), expect);
    }

    #[test]
    fn a_volume_is_attached_after_a_while_and_held_meanwhile() {
        let mut world = world("disk.example.com");
        check(&mut world, 0, "~PersistentVolume v; ~VolumeAttachment a");
        check(&mut world, 2, "~VolumeAttachment/status a");
        let known = world.api.get::<VolumeAttachment>("", "a").expect("it exists");
        assert!(known.status.attached);
        assert_eq!(known.metadata.finalizers[0], "external-attacher/disk-example-com");
    }

    #[test]
    fn an_attachment_goes_once_the_volume_is_detached() {
        let mut world = world("disk.example.com");
        world.run(Duration::secs(5));
        world.take_log();
        let request = client::plan::delete(
            &*world.api.get::<VolumeAttachment>("", "a").expect("it exists"),
            Default::default(),
        );
        world.ask(&request).expect("it may");
        check(&mut world, 2, "~VolumeAttachment/status a; ~VolumeAttachment a");
        assert!(world.api.get::<VolumeAttachment>("", "a").is_none());
    }

    #[test]
    fn a_driver_that_is_not_installed_attaches_nothing() {
        check(&mut world("other.example.com"), 100, "");
    }
}
