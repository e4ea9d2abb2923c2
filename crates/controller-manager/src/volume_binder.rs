//! The persistent volume controller: binds claims to volumes, and frees volumes when their claim is gone.
//!
//! Known deviations:
//! - Volumes are not made here: that is left to external provisioners.
//! - A `hostPath` volume below `/tmp` is removed without its directory.
//! - The recycler frees a volume without a pod that scrubs it.

use std::sync::Arc;

use api::core::v1::{ObjectReference, PersistentVolume, PersistentVolumeClaim};
use api::object::{Key, Kind, KindInfo};
use api::storage::v1::StorageClass;
use api::wire::time_of;
use base::{Duration, Instant, Str, lit};
use client::owner::reference_to;
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

use crate::provisioning::PROVISIONED_BY;

mod claims;
mod matching;

const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const PROVISIONER_BETA: &str = "volume.beta.kubernetes.io/storage-provisioner";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const YES: Str = lit!("yes");
/// All claims and volumes that are not settled are looked at so often.
const PERIOD: Duration = Duration::secs(15);

/// The persistent volume controller. Keys without a namespace are volumes, others claims.
#[derive(Clone, Default)]
pub struct VolumeBinder;

impl Reconcile for VolumeBinder {
    fn name(&self) -> &'static str {
        "persistentvolume-binder-controller"
    }

    fn source(&self) -> &'static str {
        "persistentvolume-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![PersistentVolume::INFO, PersistentVolumeClaim::INFO, StorageClass::INFO]
    }

    fn workers(&self) -> usize {
        1
    }

    fn resync(&self) -> Option<Duration> {
        Some(PERIOD)
    }

    fn on_start(&mut self, cx: &Cx<'_>, queue: &mut Enqueue) {
        for claim in cx.claims().all().filter(|claim| claim.status.phase != "Bound") {
            queue.of(&claim.metadata);
        }
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if let Some(claim) = delta.of::<PersistentVolumeClaim>() {
            queue.add(delta.key());
            if !claim.spec.volume_name.is_empty() {
                queue.named("", claim.spec.volume_name.clone());
            }
        } else if let Some(volume) = delta.of::<PersistentVolume>() {
            queue.add(delta.key());
            if let Some(claim) = &volume.spec.claim_ref {
                queue.named(claim.namespace.clone(), claim.name.clone());
            } else if delta.added() {
                // A new volume may be what pending claims wait for.
                for claim in cx.claims().all().filter(|claim| claim.spec.volume_name.is_empty()) {
                    queue.of(&claim.metadata);
                }
            }
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        if !key.namespace.is_empty() {
            if let Some(claim) = cx.claims().get(key) {
                claims::sync(cx, claim, &mut plan);
            }
        } else if let Some(volume) = cx.volumes().get(key) {
            sync_volume(cx, volume, &mut plan);
        }
        plan
    }
}

fn sync_volume(cx: &Cx<'_>, volume: &PersistentVolume, plan: &mut Plan) {
    let Some(reference) = &volume.spec.claim_ref else {
        return set_phase(cx.now, volume.clone(), "Available", plan);
    };
    if reference.uid.is_empty() {
        return set_phase(cx.now, volume.clone(), "Available", plan);
    }
    let key = Key::new(reference.namespace.clone(), reference.name.clone());
    let claim = cx.claims().get(&key).filter(|claim| claim.metadata.uid == reference.uid);
    let Some(claim) = claim else { return release(cx, volume, plan) };
    if claim.spec.volume_name == volume.metadata.name {
        return set_phase(cx.now, volume.clone(), "Bound", plan);
    }
    // The claim went elsewhere; a claim without a volume will come here by itself.
    if !claim.spec.volume_name.is_empty()
        && volume.metadata.annotations.contains_key(BOUND_BY_CONTROLLER)
    {
        free(cx.now, volume, plan);
    }
}

/// The claim is gone: the volume keeps its data, or is freed, or waits for its provisioner to remove it.
fn release(cx: &Cx<'_>, volume: &PersistentVolume, plan: &mut Plan) {
    if volume.spec.persistent_volume_reclaim_policy == "Recycle"
        && volume.status.phase == "Released"
    {
        plan.event(volume, "Normal", "VolumeRecycled", "Volume recycled");
        return free(cx.now, volume, plan);
    }
    if !matches!(&*volume.status.phase, "Released" | "Failed") {
        return set_phase(cx.now, volume.clone(), "Released", plan);
    }
    if volume.spec.persistent_volume_reclaim_policy == "Delete"
        && volume.metadata.deletion_timestamp.is_none()
    {
        remove(cx.now, volume, plan);
    }
}

/// Removes a volume whose claim is gone; one that nothing can remove has failed, which is said once.
fn remove(now: Instant, volume: &PersistentVolume, plan: &mut Plan) {
    let why = match deletion(volume) {
        Deletion::Elsewhere => return,
        Deletion::Here => {
            plan.delete(volume, Default::default());
            return;
        }
        Deletion::Impossible(why) => why,
    };
    if volume.status.phase != "Failed" {
        plan.event(volume, "Warning", "VolumeFailedDelete", why.clone());
        set_phase_with(now, volume.clone(), "Failed", why.into(), plan);
    }
}

/// Who removes a volume.
enum Deletion {
    /// The external provisioner that made it.
    Elsewhere,
    /// This controller.
    Here,
    /// Nobody, with the reason.
    Impossible(String),
}

/// Only what a provisioner made, and what lies in a host's `/tmp`, can be removed.
fn deletion(volume: &PersistentVolume) -> Deletion {
    if volume.metadata.annotations.text(PROVISIONED_BY).is_some_and(|name| !name.is_empty()) {
        return Deletion::Elsewhere;
    }
    let (spec, name) = (&volume.spec, &volume.metadata.name);
    if let Some(source) = &spec.host_path {
        let path = &source.path;
        return match path.split_once("/tmp/") {
            Some((_, rest)) if !rest.is_empty() => Deletion::Here,
            _ => Deletion::Impossible(format!(
                "host_path deleter only supports /tmp/.+ but received provided {path}"
            )),
        };
    }
    let known = spec.nfs.is_some() || spec.local.is_some() || spec.csi.is_some();
    let kind = if known { "deletable volume" } else { "volume" };
    Deletion::Impossible(format!(
        "error getting deleter volume plugin for volume {:?}: no {kind} plugin matched",
        &**name
    ))
}

/// Takes the claim from a volume.
fn free(now: Instant, volume: &PersistentVolume, plan: &mut Plan) {
    let mut new = volume.clone();
    let by_controller = volume.metadata.annotations.contains_key(BOUND_BY_CONTROLLER);
    Arc::make_mut(&mut new.metadata).annotations.remove(BOUND_BY_CONTROLLER);
    let spec = Arc::make_mut(&mut new.spec);
    match &mut spec.claim_ref {
        // Made for this claim by a person: the name stays.
        Some(reference) if !by_controller => {
            reference.uid = Str::new();
            reference.resource_version = Str::new();
        }
        reference => *reference = None,
    }
    plan.update(new.clone());
    set_phase(now, new, "Available", plan);
}

fn set_phase(now: Instant, volume: PersistentVolume, phase: &'static str, plan: &mut Plan) {
    set_phase_with(now, volume, phase, Str::new(), plan);
}

fn set_phase_with(
    now: Instant,
    mut volume: PersistentVolume,
    phase: &'static str,
    message: Str,
    plan: &mut Plan,
) {
    if volume.status.phase == phase {
        return;
    }
    let status = Arc::make_mut(&mut volume.status);
    status.phase = phase.into();
    status.message = message;
    status.last_phase_transition_time = Some(time_of(now));
    plan.status(volume);
}

/// Binds a claim to a volume: the volume first, for if the controller dies in between, the next look goes on.
fn bind(now: Instant, volume: &PersistentVolume, claim: &PersistentVolumeClaim, plan: &mut Plan) {
    let mut volume = volume.clone();
    let known = volume.spec.claim_ref.as_deref();
    if known.is_none_or(|known| known.uid != claim.metadata.uid) {
        if known.is_none() {
            Arc::make_mut(&mut volume.metadata).annotations.insert(BOUND_BY_CONTROLLER, YES);
        }
        Arc::make_mut(&mut volume.spec).claim_ref = Some(Box::new(reference_to(claim)));
        plan.update(volume.clone());
    }
    set_phase(now, volume.clone(), "Bound", plan);
    let mut claim = claim.clone();
    let completed = claim.metadata.annotations.contains_key(BIND_COMPLETED);
    if claim.spec.volume_name.is_empty() || !completed {
        let annotations = &mut Arc::make_mut(&mut claim.metadata).annotations;
        annotations.insert(BIND_COMPLETED, YES);
        if claim.spec.volume_name.is_empty() {
            annotations.insert(BOUND_BY_CONTROLLER, YES);
            Arc::make_mut(&mut claim.spec).volume_name = volume.metadata.name.clone();
        }
        plan.update(claim.clone());
    }
    let mut status = (*claim.status).clone();
    if status.phase != "Bound" {
        status.capacity = volume.spec.capacity.clone();
        status.current_volume_attributes_class_name =
            volume.spec.volume_attributes_class_name.clone();
    }
    status.phase = lit!("Bound");
    status.access_modes = volume.spec.access_modes.clone();
    if *claim.status != status {
        claim.status = Arc::new(status);
        plan.status(claim);
    }
}

/// Whether the reference means this very claim, or its name before it existed.
fn means(reference: &ObjectReference, claim: &PersistentVolumeClaim) -> bool {
    reference.name == claim.metadata.name
        && reference.namespace == claim.metadata.namespace
        && (reference.uid.is_empty() || reference.uid == claim.metadata.uid)
}

#[cfg(test)]
mod tests;
