//! VolumeZone: a volume that lies in a zone is used only from nodes in the zone.

use api::core::v1::PersistentVolume;

use super::{Incoming, Plugin, Prepared, Scope, State, Verdict};
use crate::cache::{Cache, NodeId};
use crate::volumes::claims_of;

/// The plugin.
pub struct VolumeZone;

/// What it says of a node in another zone.
pub const REASON: &str = "node(s) had no available volume zone";

/// Zone labels of volumes, with the older names.
const KEYS: [&str; 4] = [
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
];

impl Plugin for VolumeZone {
    fn name(&self) -> &'static str {
        "VolumeZone"
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn pre_filter(&self, pod: &Incoming, cache: &Cache, _: &mut State) -> Prepared {
        let zoned = |v: &PersistentVolume| KEYS.iter().any(|k| v.metadata.labels.contains_key(k));
        if volumes(pod, cache).any(zoned) { Prepared::Run } else { Prepared::Skip }
    }

    fn filter(&self, pod: &Incoming, cache: &Cache, id: NodeId, _: &State) -> Verdict {
        let Some(labels) = cache.labels(id) else { return Verdict::Pass };
        if !KEYS.iter().any(|key| labels.contains_key(key)) {
            return Verdict::Pass;
        }
        for volume in volumes(pod, cache) {
            for key in KEYS {
                let Some(allowed) = volume.metadata.labels.text(key) else { continue };
                let own = labels.text(key).or_else(|| labels.text(&newer(key)));
                // Several zones are written with two underlines between them.
                if !own.is_some_and(|own| allowed.split("__").any(|zone| zone == own)) {
                    return Verdict::unresolvable(REASON);
                }
            }
        }
        Verdict::Pass
    }
}

fn newer(key: &str) -> String {
    key.replace("failure-domain.beta.kubernetes.io", "topology.kubernetes.io")
}

fn volumes<'a>(
    pod: &'a Incoming,
    cache: &'a Cache,
) -> impl Iterator<Item = &'a PersistentVolume> + 'a {
    claims_of(&pod.key, &pod.needs.spec).filter_map(|key| {
        let claim = cache.volumes.claims.get(&key)?;
        cache.volumes.volumes.get(&claim.spec.volume_name).map(|volume| &**volume)
    })
}
