//! Which volume suits a claim: the smallest that is large enough.

use api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api::quantity::Quantity;
use api::selector::Selector;
use client::Cx;
use client::owner::selects;

use super::claims::class_of;

/// The volume for a claim. One that was made for it comes first; with `only_reserved` no other is given.
pub(super) fn find<'a>(
    cx: &Cx<'a>,
    claim: &PersistentVolumeClaim,
    only_reserved: bool,
) -> Option<&'a PersistentVolume> {
    let mut best: Option<&PersistentVolume> = None;
    for volume in cx.volumes().all() {
        if let Some(reference) = &volume.spec.claim_ref {
            let ours = super::means(reference, claim);
            if ours && (reference.uid == claim.metadata.uid || fits(claim, volume).is_ok()) {
                return Some(volume);
            }
            continue;
        }
        let usable = matches!(&*volume.status.phase, "Available" | "Pending" | "")
            && volume.metadata.deletion_timestamp.is_none();
        if only_reserved || !usable || fits(claim, volume).is_err() || !is_selected(claim, volume) {
            continue;
        }
        if best.is_none_or(|best| capacity(volume) < capacity(best)) {
            best = Some(volume);
        }
    }
    best
}

/// Whether the volume is what the claim asks for; else why not.
pub(super) fn fits(
    claim: &PersistentVolumeClaim,
    volume: &PersistentVolume,
) -> Result<(), &'static str> {
    let asked = claim.spec.resources.requests.get("storage").cloned().unwrap_or_default();
    let mode = |mode: &Option<base::Str>| mode.clone().unwrap_or(base::lit!("Filesystem"));
    if capacity(volume) < asked {
        Err("requested PV is too small")
    } else if volume.spec.storage_class_name != class_of(claim) {
        Err("storageClassName does not match")
    } else if attributes(&claim.spec.volume_attributes_class_name)
        != attributes(&volume.spec.volume_attributes_class_name)
    {
        Err("volumeAttributesClassName does not match")
    } else if mode(&claim.spec.volume_mode) != mode(&volume.spec.volume_mode) {
        Err("incompatible volumeMode")
    } else if !claim.spec.access_modes.iter().all(|mode| volume.spec.access_modes.contains(mode)) {
        Err("incompatible accessMode")
    } else {
        Ok(())
    }
}

fn attributes(class: &Option<base::Str>) -> &str {
    class.as_deref().unwrap_or("")
}

fn is_selected(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> bool {
    claim.spec.selector.as_ref().is_none_or(|selector| {
        Selector::of(selector).is_ok_and(|selector| selects(&selector, &volume.metadata))
    })
}

fn capacity(volume: &PersistentVolume) -> Quantity {
    volume.spec.capacity.get("storage").cloned().unwrap_or_default()
}
