//! VolumeBinding: a pod's claims must have volumes, or be able to get them, on its node.
//!
//! Known deviations:
//! - It does not score nodes (upstream does only where storage capacity scoring is turned on).

use std::sync::Arc;

use api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api::object::Key;
use base::Str;

use super::{Incoming, Plugin, Prepared, Scope, State, Verdict, node};
use crate::cache::{Cache, NodeId};
use crate::volumes::{Lack, Step, claims_of, is_bound, reaches};

/// The plugin.
pub struct VolumeBinding;

/// A volume cannot be used from the node.
pub const REASON_NODE: &str = "node(s) didn't match PersistentVolume's node affinity";
/// There is no volume for a claim.
pub const REASON_BIND: &str = "node(s) didn't find available persistent volumes to bind";
/// A volume could be made, but not so large a one.
pub const REASON_SPACE: &str = "node(s) did not have enough free storage";
/// A claim's volume is gone.
pub const REASON_LOST: &str =
    "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";
/// A claim is bound without regard to pods, and is not bound yet.
pub const REASON_IMMEDIATE: &str = "pod has unbound immediate PersistentVolumeClaims";

/// What a pod's claims have and need.
#[derive(Clone, Debug, Default)]
pub struct BindingState {
    bound: Vec<Arc<PersistentVolume>>,
    lost: bool,
    waiting: Vec<(Key, Arc<PersistentVolumeClaim>)>,
}

impl Plugin for VolumeBinding {
    fn name(&self) -> &'static str {
        "VolumeBinding"
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn pre_filter(&self, pod: &Incoming, cache: &Cache, state: &mut State) -> Prepared {
        if !pod.needs.has_volumes {
            return Prepared::Skip;
        }
        match BindingState::new(pod, cache) {
            Ok(own) if own.bound.is_empty() && own.waiting.is_empty() && !own.lost => {
                Prepared::Skip
            }
            Ok(own) => {
                state.binding = Some(own);
                Prepared::Run
            }
            Err(why) => Prepared::Reject(Verdict::unresolvable(why)),
        }
    }

    fn filter(&self, _: &Incoming, cache: &Cache, id: NodeId, state: &State) -> Verdict {
        let (Some(own), Some(node)) = (&state.binding, &node(cache, id).node) else {
            return Verdict::Pass;
        };
        let mut reasons: Vec<Str> = Vec::new();
        if own.bound.iter().any(|volume| !reaches(volume, node)) {
            reasons.push(REASON_NODE.into());
        }
        if own.lost {
            reasons.push(REASON_LOST.into());
        }
        let mut taken: Vec<Str> = Vec::new();
        for (key, claim) in &own.waiting {
            match cache.volumes.step(key, claim, node, &taken) {
                Ok(Step::Bind(_, volume)) => taken.push(volume.metadata.name.clone()),
                Ok(Step::Provision(_)) => {}
                Err(lack) => {
                    reasons.push(match lack {
                        Lack::Volume => REASON_BIND.into(),
                        Lack::Space => REASON_SPACE.into(),
                    });
                    break;
                }
            }
        }
        if reasons.is_empty() { Verdict::Pass } else { Verdict::Unresolvable(reasons) }
    }
}

impl BindingState {
    fn new(pod: &Incoming, cache: &Cache) -> Result<BindingState, String> {
        let mut own = BindingState::default();
        let mut immediate = false;
        for key in claims_of(&pod.key, &pod.needs.spec) {
            let name = &key.name;
            let ephemeral =
                pod.needs.spec.volumes.iter().any(|v| {
                    v.ephemeral.is_some() && *name == format!("{}-{}", pod.key.name, v.name)
                });
            let Some(claim) = cache.volumes.claims.get(&key) else {
                return Err(if ephemeral {
                    format!(
                        "waiting for ephemeral volume controller to create the \
                         persistentvolumeclaim {name:?}"
                    )
                } else {
                    format!("persistentvolumeclaim {name:?} not found")
                });
            };
            if claim.metadata.deletion_timestamp.is_some() {
                return Err(format!("persistentvolumeclaim {name:?} is being deleted"));
            }
            let volume = &claim.spec.volume_name;
            if claim.status.phase == "Lost" {
                return Err(format!(
                    "persistentvolumeclaim {name:?} bound to non-existent persistentvolume {:?}",
                    volume.as_str()
                ));
            }
            let owner = claim.metadata.owner_references.iter();
            let mut owner = owner.filter(|o| o.controller == Some(true));
            if ephemeral && !owner.any(|o| o.uid == pod.pod.metadata.uid) {
                return Err(format!(
                    "PVC {key} was not created for pod {} (pod is not owner)",
                    pod.key
                ));
            }
            if is_bound(claim) {
                match cache.volumes.volumes.get(volume) {
                    Some(volume) => own.bound.push(volume.clone()),
                    None => own.lost = true,
                }
            } else if cache.volumes.waits_for_pod(claim) && volume.is_empty() {
                own.waiting.push((key, claim.clone()));
            } else {
                immediate = true;
            }
        }
        if immediate { Err(REASON_IMMEDIATE.into()) } else { Ok(own) }
    }
}

/// How the pod's claims get their volumes on a node, for those that have none yet.
///
/// One volume is promised to one claim: each step is kept in mind before the next is looked for.
pub fn steps(pod: &Incoming, cache: &mut Cache, id: NodeId) -> Vec<Step> {
    let Some(node) = node(cache, id).node.clone() else { return Vec::new() };
    let mut steps = Vec::new();
    for key in claims_of(&pod.key, &pod.needs.spec).collect::<Vec<_>>() {
        let Some(claim) = cache.volumes.claims.get(&key).cloned() else { continue };
        if is_bound(&claim) {
            continue;
        }
        if let Ok(step) = cache.volumes.step(&key, &claim, &node, &[]) {
            cache.volumes.promise(&step, &node.metadata.name);
            steps.push(step);
        }
    }
    steps
}
