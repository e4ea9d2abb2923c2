//! The attach/detach controller: lets volumes be attached to the nodes whose pods use them, and detached after.
//!
//! Known deviations:
//! - Only CSI volumes are attached; in-tree disks are not translated to them.
//! - A detachment that its driver refuses is waited for, not retried from the start.

use api::core::v1::{AttachedVolume, Node, PersistentVolume, Pod};
use api::json::Json;
use api::meta::v1::ObjectMeta;
use api::object::{Key, Kind, KindInfo};
use api::storage::v1::{CSIDriver, VolumeAttachment, VolumeAttachmentSource, VolumeAttachmentSpec};
use api::time::Time;
use api::wire::{Patch, Subresource};
use base::{BTreeMap, BTreeSet, Duration, HashMap, Instant, List, Str};
use client::{Cx, Delta, Enqueue, Note, Plan, Reconcile};
use sha2::{Digest, Sha256};
use std::sync::Arc;

use crate::pods;
use crate::taints::OUT_OF_SERVICE;
use crate::volume_protection::claims_of;

/// A node that does not unmount a volume gets so long before the volume is taken from it, if it is not ready.
const UNMOUNT_MAX: Duration = Duration::mins(6);
/// What is not in the caches yet is looked for again after this time.
const RECHECK: Duration = Duration::secs(2);

/// The attach/detach controller. Its keys are nodes.
#[derive(Clone, Default)]
pub struct AttachDetach {
    /// Attachments by node.
    of_node: BTreeMap<Str, BTreeSet<Str>>,
    /// Nodes that have or want a volume.
    of_volume: BTreeMap<Str, BTreeSet<Str>>,
    /// Since when an attachment is not wanted any more.
    unwanted: HashMap<Str, Instant>,
    /// Volumes and nodes of which it was told that another node has the volume.
    told: BTreeSet<(Str, Str)>,
    /// When drivers failed to attach, as far as it was told.
    failed: HashMap<Str, Option<Time>>,
}

impl Reconcile for AttachDetach {
    fn name(&self) -> &'static str {
        "attachdetach-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![
            Pod::INFO,
            Node::INFO,
            VolumeAttachment::INFO,
            CSIDriver::INFO,
            api::core::v1::PersistentVolumeClaim::INFO,
            PersistentVolume::INFO,
        ]
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if let Some(pod) = delta.of::<Pod>() {
            if pod.spec.node_name.is_empty() || claims_of(pod).next().is_none() {
                return;
            }
            let view = |pod: &Pod| (pod.spec.node_name.clone(), pods::is_terminal(pod));
            let same = delta.before::<Pod>().is_some_and(|old| view(old) == view(pod));
            if !same || delta.deleted() {
                queue.named("", pod.spec.node_name.clone());
            }
        } else if let Some(attachment) = delta.of::<VolumeAttachment>() {
            self.note(attachment, delta.deleted());
            queue.named("", attachment.spec.node_name.clone());
            if let Some(volume) = attachment.spec.source.persistent_volume_name.as_ref()
                && delta.deleted()
            {
                let waiting = self.of_volume.get(volume).into_iter().flatten();
                waiting.for_each(|node| queue.named("", node.clone()));
            }
        } else if let Some(node) = delta.of::<Node>()
            && self.of_node.contains_key(&node.metadata.name)
        {
            let view = |node: &Node| {
                let status = &node.status;
                (status.volumes_in_use.clone(), is_ready(node), is_out_of_service(node))
            };
            if delta.deleted() || delta.before::<Node>().is_none_or(|old| view(old) != view(node)) {
                queue.add(delta.key());
            }
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let node = &key.name;
        let mut wanted: BTreeMap<&Str, Wanted<'_>> = BTreeMap::new();
        let mut is_complete = true;
        for pod in cx.pods().on_node(node).filter(|pod| !pods::is_terminal(pod)) {
            for claim in claims_of(pod) {
                match volume_of(cx, &pod.metadata.namespace, &claim) {
                    Some(volume) if is_attachable(cx, volume) => {
                        let new = Wanted { volume, pods: Vec::new() };
                        wanted.entry(&volume.metadata.name).or_insert(new).pods.push(pod);
                    }
                    Some(_) => {}
                    None => {
                        is_complete = false;
                        plan.again(RECHECK);
                    }
                }
            }
        }
        let names = self.of_node.get(node).cloned().unwrap_or_default();
        let known: Vec<&VolumeAttachment> =
            names.iter().filter_map(|name| cx.all().named("", name)).collect();
        let mut attached = Vec::new();
        for wish in wanted.values() {
            let volume = &wish.volume.metadata.name;
            let of_volume = |known: &&&VolumeAttachment| volume_name(known) == Some(volume);
            match known.iter().find(of_volume) {
                Some(attachment) => self.keep(attachment, wish, &mut attached, &mut plan),
                None => self.attach(cx, node, wish, &mut plan),
            }
        }
        for attachment in &known {
            let is_wanted = volume_name(attachment).is_some_and(|name| wanted.contains_key(name));
            if is_wanted {
                continue;
            }
            if is_complete {
                self.detach(cx, attachment, &mut attached, &mut plan);
            } else if attachment.status.attached {
                // Perhaps a claim that is not seen yet is what it is for.
                let volume = volume_name(attachment).and_then(|name| cx.volumes().named("", name));
                attached.extend(volume.and_then(unique_name));
            }
        }
        self.report(cx, node, attached, &wanted, &mut plan);
        plan
    }

    fn reset(&mut self) {
        *self = AttachDetach::default();
    }
}

/// A volume that pods of a node need.
struct Wanted<'a> {
    volume: &'a PersistentVolume,
    pods: Vec<&'a Pod>,
}

impl AttachDetach {
    fn note(&mut self, attachment: &VolumeAttachment, gone: bool) {
        let (name, node) = (&attachment.metadata.name, &attachment.spec.node_name);
        let names = self.of_node.entry(node.clone()).or_default();
        if gone {
            names.remove(name);
            self.unwanted.remove(name);
            self.failed.remove(name);
            if names.is_empty() {
                self.of_node.remove(node);
            }
            return;
        }
        names.insert(name.clone());
        if let Some(volume) = volume_name(attachment) {
            self.of_volume.entry(volume.clone()).or_default().insert(node.clone());
        }
    }

    /// A wanted volume that has its attachment: it counts once the driver has attached it.
    fn keep(
        &mut self,
        attachment: &VolumeAttachment,
        wish: &Wanted<'_>,
        attached: &mut Vec<Str>,
        plan: &mut Plan,
    ) {
        let name = &attachment.metadata.name;
        self.unwanted.remove(name);
        if let Some(error) = &attachment.status.attach_error
            && !attachment.status.attached
            && self.failed.insert(name.clone(), error.time) != Some(error.time)
        {
            let volume = &wish.volume.metadata.name;
            let text = format!(
                "AttachVolume.Attach failed for volume {:?} : {}",
                &**volume, error.message
            );
            for pod in &wish.pods {
                plan.event(*pod, "Warning", "FailedAttachVolume", text.clone());
            }
        }
        if attachment.status.attached && attachment.metadata.deletion_timestamp.is_none() {
            attached.extend(unique_name(wish.volume));
        }
    }

    fn attach(&mut self, cx: &Cx<'_>, node: &Str, wish: &Wanted<'_>, plan: &mut Plan) {
        let Some(csi) = &wish.volume.spec.csi else { return };
        let volume = &wish.volume.metadata.name;
        self.of_volume.entry(volume.clone()).or_default().insert(node.clone());
        if is_exclusive(wish.volume) && self.is_elsewhere(cx, volume, node) {
            if self.told.insert((volume.clone(), node.clone())) {
                for pod in &wish.pods {
                    let message = multi_attach(cx, wish.volume, pod, node);
                    plan.event(*pod, "Warning", "FailedAttachVolume", message);
                }
            }
            return;
        }
        self.told.remove(&(volume.clone(), node.clone()));
        let source = VolumeAttachmentSource {
            persistent_volume_name: Some(volume.clone()),
            ..VolumeAttachmentSource::default()
        };
        let spec =
            VolumeAttachmentSpec { attacher: csi.driver.clone(), node_name: node.clone(), source };
        let name = attachment_name(&csi.volume_handle, &csi.driver, node);
        let attachment = VolumeAttachment {
            metadata: Arc::new(ObjectMeta { name, ..ObjectMeta::default() }),
            spec: Arc::new(spec),
            ..VolumeAttachment::default()
        };
        let failed = format!("AttachVolume.Attach failed for volume {:?} : {{error}}", &**volume);
        let write = plan.create(attachment);
        write.or_exists();
        if let Some(pod) = wish.pods.first() {
            write.or_said(Note::new(*pod, "Warning", "FailedAttachVolume", failed));
        }
    }

    /// Whether another node has the volume.
    fn is_elsewhere(&self, cx: &Cx<'_>, volume: &Str, node: &Str) -> bool {
        self.of_volume.get(volume).into_iter().flatten().filter(|other| *other != node).any(
            |other| {
                let names = self.of_node.get(other).into_iter().flatten();
                let mut known =
                    names.filter_map(|name| cx.all::<VolumeAttachment>().named("", name));
                known.any(|known| volume_name(known) == Some(volume))
            },
        )
    }

    /// Takes a volume from a node that needs it no more, once the node has unmounted it.
    fn detach(
        &mut self,
        cx: &Cx<'_>,
        attachment: &VolumeAttachment,
        attached: &mut Vec<Str>,
        plan: &mut Plan,
    ) {
        if attachment.metadata.deletion_timestamp.is_some() {
            return;
        }
        let since = *self.unwanted.entry(attachment.metadata.name.clone()).or_insert(cx.now);
        let volume = volume_name(attachment).and_then(|name| cx.volumes().named("", name));
        let unique = volume.and_then(unique_name);
        let node = cx.nodes().named("", &attachment.spec.node_name);
        let in_use = node.is_some_and(|node| {
            unique.as_ref().is_some_and(|name| node.status.volumes_in_use.contains(name))
        });
        let lost = node.is_none_or(|node| !is_ready(node));
        let left = since + UNMOUNT_MAX - cx.now;
        let at_once = node.is_some_and(|node| lost && is_out_of_service(node));
        let waits = in_use || node.is_none();
        if waits && !at_once && !(lost && left <= Duration::ZERO) {
            // A node that is well unmounts it and says so.
            attached.extend(unique.filter(|_| attachment.status.attached));
            if lost {
                plan.again(left);
            }
            return;
        }
        plan.delete(attachment, Default::default());
    }

    /// Tells the node what is attached to it: what is to be detached goes from the list first.
    fn report(
        &self,
        cx: &Cx<'_>,
        node: &Str,
        mut attached: Vec<Str>,
        wanted: &BTreeMap<&Str, Wanted<'_>>,
        plan: &mut Plan,
    ) {
        let Some(node) = cx.nodes().named("", node) else { return };
        base::sort::naturally(&mut attached);
        attached.dedup();
        let known = &node.status.volumes_attached;
        if known.len() == attached.len() && known.iter().all(|v| attached.contains(&v.name)) {
            return;
        }
        for wish in wanted.values() {
            let Some(unique) = unique_name(wish.volume) else { continue };
            if attached.contains(&unique) && known.iter().all(|v| v.name != unique) {
                let volume = &wish.volume.metadata.name;
                let message = format!("AttachVolume.Attach succeeded for volume {:?} ", &**volume);
                for pod in &wish.pods {
                    plan.event(*pod, "Normal", "SuccessfulAttachVolume", message.clone());
                }
            }
        }
        let row = |name: Str| {
            let kept = known.iter().find(|v| v.name == name).cloned();
            kept.unwrap_or(AttachedVolume { name, device_path: Str::new() })
        };
        let rows: List<AttachedVolume> = attached.into_iter().map(row).collect();
        let mut first = Plan::settled();
        first.patch_of(node, Subresource::Status, Patch::Merge(attached_patch(&rows)));
        first.then(std::mem::take(plan));
        *plan = first;
    }
}

fn attached_patch(rows: &[AttachedVolume]) -> Json {
    let row = |volume: &AttachedVolume| {
        let mut row = Json::object();
        row.set("name", Json::Str(volume.name.clone()));
        row.set("devicePath", Json::Str(volume.device_path.clone()));
        row
    };
    let mut status = Json::object();
    let list = match rows.is_empty() {
        true => Json::Null,
        false => Json::Array(rows.iter().map(row).collect()),
    };
    status.set("volumesAttached", list);
    let mut body = Json::object();
    body.set("status", status);
    body
}

/// The volume of a bound claim.
fn volume_of<'a>(cx: &Cx<'a>, namespace: &Str, claim: &Str) -> Option<&'a PersistentVolume> {
    let claim = cx.claims().named(namespace, claim)?;
    let volume = cx.volumes().named("", &claim.spec.volume_name)?;
    let owner = volume.spec.claim_ref.as_ref()?;
    (claim.status.phase == "Bound" && owner.uid == claim.metadata.uid).then_some(volume)
}

/// Whether nodes must attach the volume before they can mount it.
fn is_attachable(cx: &Cx<'_>, volume: &PersistentVolume) -> bool {
    volume.spec.csi.as_ref().is_some_and(|csi| {
        let driver = cx.all::<CSIDriver>().named("", &csi.driver);
        driver.is_none_or(|driver| driver.spec.attach_required != Some(false))
    })
}

/// Whether only one node at a time may have the volume.
fn is_exclusive(volume: &PersistentVolume) -> bool {
    let modes = &volume.spec.access_modes;
    !modes.is_empty() && !modes.iter().any(|m| m == "ReadWriteMany" || m == "ReadOnlyMany")
}

fn volume_name(attachment: &VolumeAttachment) -> Option<&Str> {
    attachment.spec.source.persistent_volume_name.as_ref()
}

/// The name under which nodes speak of a volume: `kubernetes.io/csi/disk.example.com^vol-1`.
fn unique_name(volume: &PersistentVolume) -> Option<Str> {
    let csi = volume.spec.csi.as_ref()?;
    Some(format!("kubernetes.io/csi/{}^{}", csi.driver, csi.volume_handle).into())
}

fn attachment_name(handle: &str, driver: &str, node: &str) -> Str {
    let mut hash = Sha256::new();
    [handle, driver, node].iter().for_each(|part| hash.update(part));
    let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("csi-{digits}").into()
}

/// Why the volume cannot be attached here: who uses it elsewhere.
fn multi_attach(cx: &Cx<'_>, volume: &PersistentVolume, pod: &Pod, node: &Str) -> String {
    let name = &volume.metadata.name;
    let (mut near, mut far) = (Vec::new(), 0);
    if let Some(owner) = &volume.spec.claim_ref {
        let users = cx.pods().in_namespace(&owner.namespace).filter(|other| {
            !other.spec.node_name.is_empty()
                && other.spec.node_name != *node
                && !pods::is_terminal(other)
                && claims_of(other).any(|claim| claim == owner.name)
        });
        for user in users {
            if user.metadata.namespace == pod.metadata.namespace {
                near.push(user.metadata.name.as_str());
            } else {
                far += 1;
            }
        }
    }
    let why = match (near.is_empty(), far) {
        (true, 0) => "Volume is already exclusively attached to one node and can't be attached to \
                      another"
            .to_string(),
        (true, far) => format!("Volume is already used by {far} pod(s) in different namespaces"),
        (false, 0) => format!("Volume is already used by pod(s) {}", near.join(", ")),
        (false, far) => format!(
            "Volume is already used by pod(s) {} and {far} pod(s) in different namespaces",
            near.join(", ")
        ),
    };
    format!("Multi-Attach error for volume {:?} {why}", &**name)
}

fn is_ready(node: &Node) -> bool {
    node.status.conditions.iter().any(|known| known.type_ == "Ready" && known.status == "True")
}

fn is_out_of_service(node: &Node) -> bool {
    node.spec.taints.iter().any(|taint| taint.key == OUT_OF_SERVICE)
}

#[cfg(test)]
mod tests;
