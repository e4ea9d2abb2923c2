//! Names, labels and claims of a StatefulSet's pods.

use std::sync::Arc;

use api::apps::v1::StatefulSet;
use api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume,
};
use api::meta::v1::OwnerReference;
use api::object::Key;
use api::wire::Request;
use base::{List, Str};
use client::owner::owner_reference;
use client::{Note, Write};

use super::Look;
use crate::template;

/// The label with the name of a pod's revision.
pub const REVISION_LABEL: &str = "controller-revision-hash";
const NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
const INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

/// The ordinal of a pod of this name, if the set could have made it.
pub fn ordinal_in(set: &StatefulSet, name: &str) -> Option<i32> {
    let (parent, ordinal) = name.rsplit_once('-')?;
    if parent != set.metadata.name || ordinal.starts_with('+') {
        return None;
    }
    ordinal.parse().ok()
}

/// The name of the revision that a pod was made from.
pub fn revision_of(pod: &Pod) -> Option<&str> {
    pod.metadata.labels.text(REVISION_LABEL)
}

/// The pod of one ordinal.
pub fn pod(set: &StatefulSet, template: &PodTemplateSpec, revision: &Str, ordinal: i32) -> Pod {
    let mut pod = template::pod(template, set);
    let name: Str = format!("{}-{ordinal}", set.metadata.name).into();
    let meta = Arc::make_mut(&mut pod.metadata);
    meta.name = name.clone();
    meta.labels.insert(NAME_LABEL, name.clone());
    meta.labels.insert(INDEX_LABEL, ordinal.to_string().into());
    meta.labels.insert(REVISION_LABEL, revision.clone());
    let spec = pod.spec.edit();
    spec.hostname = name;
    spec.subdomain = set.spec.service_name.clone();
    let mut volumes: List<Volume> = set
        .spec
        .volume_claim_templates
        .iter()
        .map(|claim| Volume {
            name: claim.metadata.name.clone(),
            persistent_volume_claim: Some(Box::new(PersistentVolumeClaimVolumeSource {
                claim_name: claim_name(set, claim, ordinal),
                read_only: false,
            })),
            ..Volume::default()
        })
        .collect();
    let rest =
        spec.volumes.iter().filter(|volume| volumes.iter().all(|new| new.name != volume.name));
    let rest: Vec<Volume> = rest.cloned().collect();
    volumes.extend(rest);
    spec.volumes = volumes;
    pod
}

fn claim_name(set: &StatefulSet, claim: &PersistentVolumeClaim, ordinal: i32) -> Str {
    format!("{}-{}-{ordinal}", claim.metadata.name, set.metadata.name).into()
}

/// The claims of one ordinal.
pub fn claims(set: &StatefulSet, ordinal: i32) -> Vec<PersistentVolumeClaim> {
    let of = |template: &PersistentVolumeClaim| {
        let mut claim = template.clone();
        claim.status = Arc::default();
        let meta = Arc::make_mut(&mut claim.metadata);
        meta.name = claim_name(set, template, ordinal);
        meta.namespace = set.metadata.namespace.clone();
        for (key, value) in set.spec.selector.match_labels.iter() {
            meta.labels.insert(key.clone(), value.clone());
        }
        if deletes(set, |policy| &policy.when_deleted) {
            meta.owner_references.push(owner_reference(set));
        }
        claim
    };
    set.spec.volume_claim_templates.iter().map(of).collect()
}

fn deletes(
    set: &StatefulSet,
    when: impl Fn(&api::apps::v1::StatefulSetPersistentVolumeClaimRetentionPolicy) -> &Str,
) -> bool {
    let policy = set.spec.persistent_volume_claim_retention_policy.as_ref();
    policy.is_some_and(|policy| when(policy) == "Delete")
}

impl Look<'_> {
    /// Gives back to a pod the labels that make it a member of the set.
    pub(super) fn keep_identity(&mut self, pod: &Pod, ordinal: i32) {
        let (name, index) = (&pod.metadata.name, ordinal.to_string());
        let labels = &pod.metadata.labels;
        if labels.get(NAME_LABEL) == Some(name) && labels.text(INDEX_LABEL) == Some(&*index) {
            return;
        }
        let mut new = pod.clone();
        let meta = Arc::make_mut(&mut new.metadata);
        meta.labels.insert(NAME_LABEL, name.clone());
        meta.labels.insert(INDEX_LABEL, index.into());
        let set = &self.set.metadata.name;
        let mut write = Write::new(Request::update(new.into()));
        let message = format!("Update Pod {name} in StatefulSet {set} successful");
        write.said(Note::new(self.set, "Normal", "SuccessfulUpdate", message));
        let message = format!("Update Pod {name} in StatefulSet {set} failed error: {{error}}");
        write.or_said(Note::new(self.set, "Warning", "FailedUpdate", message));
        self.plan.batch(vec![write]);
    }

    /// Creates claims that a pending pod lacks, and keeps the owners of the others as the policy says.
    pub(super) fn keep_claims(&mut self, pod: &Pod, ordinal: i32) {
        for claim in claims(self.set, ordinal) {
            let known = self.cx.claims().get(&Key::of(&claim.metadata));
            match known {
                None if pod.status.phase == "Pending" => {
                    self.create_claim(claim, &pod.metadata.name)
                }
                None => {}
                Some(known) => {
                    let wanted = claim.metadata.owner_references.first().cloned();
                    self.own(known, wanted, &pod.metadata.uid);
                }
            }
        }
    }

    /// Hands the claims of a surplus pod to it, if they are to go with it.
    pub(super) fn release_claims(&mut self, pod: &Pod) {
        if !deletes(self.set, |policy| &policy.when_scaled) {
            return;
        }
        let Some(ordinal) = ordinal_in(self.set, &pod.metadata.name) else { return };
        for claim in claims(self.set, ordinal) {
            if let Some(known) = self.cx.claims().get(&Key::of(&claim.metadata)) {
                self.own(known, Some(owner_reference(pod)), &Str::new());
            }
        }
    }

    /// Makes `owner` the only one of set and pod that owns the claim.
    fn own(&mut self, claim: &PersistentVolumeClaim, owner: Option<OwnerReference>, pod_uid: &Str) {
        let ours =
            |known: &OwnerReference| known.uid == self.set.metadata.uid || known.uid == *pod_uid;
        let mut owners: List<OwnerReference> =
            claim.metadata.owner_references.iter().filter(|known| !ours(known)).cloned().collect();
        owners.extend(owner.filter(|owner| owners.iter().all(|known| known.uid != owner.uid)));
        if owners == claim.metadata.owner_references {
            return;
        }
        let mut new = claim.clone();
        Arc::make_mut(&mut new.metadata).owner_references = owners;
        self.plan.batch(vec![Write::new(Request::update(new.into()))]);
    }
}
