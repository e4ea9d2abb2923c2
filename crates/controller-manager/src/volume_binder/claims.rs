//! What becomes of a claim.

use std::sync::Arc;

use api::core::v1::PersistentVolumeClaim;
use api::storage::v1::StorageClass;
use base::Str;
use client::{Cx, Plan};

use super::{BIND_COMPLETED, PROVISIONER, PROVISIONER_BETA, SELECTED_NODE, bind, matching, means};

/// Binds a claim, or says why it waits.
pub(super) fn sync(cx: &Cx<'_>, claim: &PersistentVolumeClaim, plan: &mut Plan) {
    if claim.metadata.annotations.contains_key(BIND_COMPLETED) {
        return sync_bound(cx, claim, plan);
    }
    let name = &claim.spec.volume_name;
    if !name.is_empty() {
        return sync_wanted(cx, claim, name, plan);
    }
    let class = class_of(claim);
    let class = cx.all::<StorageClass>().named("", &class);
    let waits = class
        .is_some_and(|class| class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"))
        && !claim.metadata.annotations.contains_key(SELECTED_NODE);
    if let Some(volume) = matching::find(cx, claim, waits) {
        return bind(cx.now, volume, claim, plan);
    }
    if waits {
        let message = "waiting for first consumer to be created before binding";
        plan.event(claim, "Normal", "WaitForFirstConsumer", message);
    } else if class_of(claim).is_empty() {
        let message = "no persistent volumes available for this claim and no storage class is set";
        plan.event(claim, "Normal", "FailedBinding", message);
    } else {
        provision(claim, class, plan);
    }
    set_phase(claim, "Pending", plan);
}

/// The claim's class; empty if it wants none.
pub(super) fn class_of(claim: &PersistentVolumeClaim) -> Str {
    claim.spec.storage_class_name.clone().unwrap_or_default()
}

/// Asks the class's provisioner for a volume.
fn provision(claim: &PersistentVolumeClaim, class: Option<&StorageClass>, plan: &mut Plan) {
    let Some(class) = class else {
        let message = format!("storageclass.storage.k8s.io {:?} not found", &*class_of(claim));
        return plan.event(claim, "Warning", "ProvisioningFailed", message);
    };
    if class.provisioner == "kubernetes.io/no-provisioner" {
        let message = "no volume plugin matched name: kubernetes.io/no-provisioner";
        return plan.event(claim, "Warning", "ProvisioningFailed", message);
    }
    let message = format!(
        "Waiting for a volume to be created either by the external provisioner '{}' or manually by the system \
         administrator. If volume creation is delayed, please verify that the provisioner is running and \
         correctly registered.",
        class.provisioner
    );
    plan.event(claim, "Normal", "ExternalProvisioning", message);
    if claim.metadata.annotations.get(PROVISIONER) != Some(&class.provisioner) {
        let mut new = claim.clone();
        let annotations = &mut Arc::make_mut(&mut new.metadata).annotations;
        annotations.insert(PROVISIONER, class.provisioner.clone());
        annotations.insert(PROVISIONER_BETA, class.provisioner.clone());
        plan.update(new);
    }
}

/// A claim that names its volume.
fn sync_wanted(cx: &Cx<'_>, claim: &PersistentVolumeClaim, name: &str, plan: &mut Plan) {
    let Some(volume) = cx.volumes().named("", name) else {
        return set_phase(claim, "Pending", plan);
    };
    match &volume.spec.claim_ref {
        None => match matching::fits(claim, volume) {
            Ok(()) => bind(cx.now, volume, claim, plan),
            Err(why) => {
                let message = format!("Cannot bind to requested volume {name:?}: {why}");
                plan.event(claim, "Warning", "VolumeMismatch", message);
                set_phase(claim, "Pending", plan);
            }
        },
        Some(reference) if means(reference, claim) => bind(cx.now, volume, claim, plan),
        Some(_) => {
            let message = format!("volume {name:?} already bound to a different claim.");
            plan.event(claim, "Warning", "FailedBinding", message);
            set_phase(claim, "Pending", plan);
        }
    }
}

/// A claim that was bound: its volume may have gone, or may belong to another.
fn sync_bound(cx: &Cx<'_>, claim: &PersistentVolumeClaim, plan: &mut Plan) {
    let name = &claim.spec.volume_name;
    let lost = |plan: &mut Plan, reason: &'static str, message: &'static str| {
        if claim.status.phase != "Lost" {
            plan.event(claim, "Warning", reason, message);
        }
        set_phase(claim, "Lost", plan);
    };
    match cx.volumes().named("", name) {
        None => lost(
            plan,
            "ClaimLost",
            "Bound claim has lost its PersistentVolume. Data on the volume is lost!",
        ),
        Some(volume) => match &volume.spec.claim_ref {
            Some(reference) if !means(reference, claim) => lost(
                plan,
                "ClaimMisbound",
                "Two claims are bound to the same volume, this one is bound incorrectly",
            ),
            _ => bind(cx.now, volume, claim, plan),
        },
    }
}

fn set_phase(claim: &PersistentVolumeClaim, phase: &'static str, plan: &mut Plan) {
    if claim.status.phase == phase {
        return;
    }
    let mut new = claim.clone();
    let status = Arc::make_mut(&mut new.status);
    status.phase = phase.into();
    if phase == "Lost" {
        status.access_modes = Default::default();
        status.capacity = Default::default();
    }
    plan.status(new);
}
