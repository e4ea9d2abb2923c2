//! VolumeRestrictions: disks that one node may hold but once, and claims that one pod alone may
//! use.

use api::core::v1::Volume;
use base::Str;

use super::{Incoming, Plugin, Prepared, Scope, State, Verdict, node};
use crate::cache::{Cache, NodeId};
use crate::volumes::claims_of;

/// The plugin.
pub struct VolumeRestrictions;

/// What it says of a node that holds the disk for another pod.
pub const REASON_DISK: &str = "node(s) had no available disk";
/// What it says while another pod uses a claim of access mode ReadWriteOncePod.
pub const REASON_ONE_POD: &str = "node has pod using PersistentVolumeClaim with the same name and \
                                  ReadWriteOncePod access mode";

impl Plugin for VolumeRestrictions {
    fn name(&self) -> &'static str {
        "VolumeRestrictions"
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn pre_filter(&self, pod: &Incoming, _: &Cache, _: &mut State) -> Prepared {
        if pod.needs.has_volumes { Prepared::Run } else { Prepared::Skip }
    }

    fn filter(&self, pod: &Incoming, cache: &Cache, id: NodeId, _: &State) -> Verdict {
        for own in pod.needs.spec.volumes.iter().filter(|v| is_disk(v)) {
            let others = node(cache, id)
                .pods
                .values()
                .flat_map(|placed| &cache.classes[placed.class as usize].needs.spec.volumes);
            if others.into_iter().any(|other| conflict(own, other)) {
                return Verdict::unschedulable(REASON_DISK);
            }
        }
        let alone = claims_of(&pod.key, &pod.needs.spec).any(|key| {
            let claim = cache.volumes.claims.get(&key);
            claim.is_some_and(|c| c.spec.access_modes.iter().any(|m| m == "ReadWriteOncePod"))
                && cache.claim_users.contains_key(&key)
        });
        if alone { Verdict::unschedulable(REASON_ONE_POD) } else { Verdict::Pass }
    }
}

fn is_disk(volume: &Volume) -> bool {
    volume.gce_persistent_disk.is_some()
        || volume.aws_elastic_block_store.is_some()
        || volume.iscsi.is_some()
        || volume.rbd.is_some()
}

/// Whether two volumes are the same disk and one of them wants to write.
fn conflict(a: &Volume, b: &Volume) -> bool {
    if let (Some(a), Some(b)) = (&a.gce_persistent_disk, &b.gce_persistent_disk) {
        return a.pd_name == b.pd_name && !(a.read_only && b.read_only);
    }
    if let (Some(a), Some(b)) = (&a.aws_elastic_block_store, &b.aws_elastic_block_store) {
        return a.volume_id == b.volume_id;
    }
    if let (Some(a), Some(b)) = (&a.iscsi, &b.iscsi) {
        return a.iqn == b.iqn && !(a.read_only && b.read_only);
    }
    if let (Some(a), Some(b)) = (&a.rbd, &b.rbd) {
        let image = |pool: &Str, image: &Str| (pool.clone(), image.clone());
        return a.monitors.iter().any(|m| b.monitors.contains(m))
            && image(&a.pool, &a.image) == image(&b.pool, &b.image)
            && !(a.read_only && b.read_only);
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::testing::verdicts;

    fn check(there: &str, own: &str, expect: &str) {
        let pod = |volume: &str| format!(r#" | {{"volumes":[{{"name":"v",{volume}}}]}}"#);
        let there = format!("1 on=a{}", pod(there));
        let got = verdicts("VolumeRestrictions", &["a", "b"], &[&there], &format!("p{}", pod(own)));
        assert_eq!(got.replace("node(s) had no available disk", "held"), expect);
    }

    #[test]
    fn a_disk_is_on_a_node_once_if_anybody_writes() {
        let disk = |ro: bool| format!(r#""gcePersistentDisk":{{"pdName":"d","readOnly":{ro}}}"#);
        check(&disk(false), &disk(true), "a:held b:ok");
        check(&disk(true), &disk(true), "a:ok b:ok");
    }

    #[test]
    fn elastic_block_stores_are_never_shared() {
        let disk = r#""awsElasticBlockStore":{"volumeID":"d","readOnly":true}"#;
        check(disk, disk, "a:held b:ok");
    }

    #[test]
    fn images_of_one_pool_and_monitor_are_one_disk() {
        let disk =
            |image: &str| format!(r#""rbd":{{"monitors":["m","n"],"image":"{image}","pool":"p"}}"#);
        check(&disk("i"), &disk("i"), "a:held b:ok");
        check(&disk("i"), &disk("j"), "a:ok b:ok");
    }
}
