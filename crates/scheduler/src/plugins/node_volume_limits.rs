//! NodeVolumeLimits: a node attaches only so many volumes of a CSI driver.

use api::object::Key;
use base::{BTreeMap, BTreeSet, Str};

use super::{Incoming, Plugin, Prepared, Scope, State, Verdict, node};
use crate::cache::{Cache, NodeId};
use crate::volumes::claims_of;

/// The plugin.
pub struct NodeVolumeLimits;

/// What it says of a node that cannot attach more.
pub const REASON: &str = "node(s) exceed max volume count";

impl Plugin for NodeVolumeLimits {
    fn name(&self) -> &'static str {
        "NodeVolumeLimits"
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn pre_filter(&self, pod: &Incoming, _: &Cache, _: &mut State) -> Prepared {
        let any = claims_of(&pod.key, &pod.needs.spec).next().is_some();
        if any { Prepared::Run } else { Prepared::Skip }
    }

    fn filter(&self, pod: &Incoming, cache: &Cache, id: NodeId, _: &State) -> Verdict {
        let info = node(cache, id);
        let Some(csi) = cache.volumes.csi_nodes.get(&info.name) else { return Verdict::Pass };
        let limits: BTreeMap<&Str, i32> = csi
            .spec
            .drivers
            .iter()
            .filter_map(|d| Some((&d.name, d.allocatable.as_ref()?.count?)))
            .collect();
        if limits.is_empty() {
            return Verdict::Pass;
        }
        let volumes = |claims: &mut dyn Iterator<Item = Key>| -> BTreeSet<(Str, Str)> {
            claims.filter_map(|claim| cache.volumes.attachment(&claim)).collect()
        };
        let there: BTreeSet<(Str, Str)> = info
            .pods
            .iter()
            .flat_map(|(key, placed)| {
                let needs = &cache.classes[placed.class as usize].needs;
                volumes(&mut claims_of(key, &needs.spec))
            })
            .collect();
        let new = volumes(&mut claims_of(&pod.key, &pod.needs.spec));
        let count = |set: &BTreeSet<(Str, Str)>, driver: &Str| {
            set.iter().filter(|(d, _)| d == driver).count() as i32
        };
        let more: BTreeSet<(Str, Str)> = new.difference(&there).cloned().collect();
        let full = limits.iter().any(|(driver, limit)| {
            let extra = count(&more, driver);
            extra > 0 && count(&there, driver) + extra > *limit
        });
        if full { Verdict::unschedulable(REASON) } else { Verdict::Pass }
    }
}
