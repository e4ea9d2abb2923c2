//! A dynamic provisioner: rancher.io/local-path as small clusters have it, with directories on the nodes.
//!
//! It serves every StorageClass that names it; [`STORAGE_CLASS`] is the usual one. Like all external provisioners it
//! waits for the persistent volume controller to ask, by an annotation of the claim.
//!
//! Known deviations:
//! - It runs in the controller manager, not in a pod of its own, and makes no helper pods: a directory takes 2 s.
//! - Without a selected node the volume lies on the first node by name.

use std::sync::Arc;

use api::core::v1::{
    HostPathVolumeSource, Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm,
    PersistentVolume, PersistentVolumeClaim, VolumeNodeAffinity,
};
use api::object::{Key, Kind, KindInfo};
use api::storage::v1::StorageClass;
use base::{Duration, Str, list, lit};
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

use crate::provisioning::{Wish, Work, is_reclaimable, wish};

/// The name under which StorageClasses call it.
pub const NAME: &str = "rancher.io/local-path";

/// The default StorageClass of a small cluster, as a manifest.
pub const STORAGE_CLASS: &str = "\
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations:
    storageclass.kubernetes.io/is-default-class: \"true\"
provisioner: rancher.io/local-path
reclaimPolicy: Delete
volumeBindingMode: WaitForFirstConsumer
";

const PATH: &str = "/var/local-path-provisioner";
/// Making or removing a directory takes so long.
const TAKES: Duration = Duration::secs(2);

/// The provisioner. Keys without a namespace are volumes, others claims.
#[derive(Clone, Default)]
pub struct LocalPathProvisioner {
    work: Work,
}

impl Reconcile for LocalPathProvisioner {
    fn name(&self) -> &'static str {
        NAME
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![PersistentVolumeClaim::INFO, PersistentVolume::INFO, StorageClass::INFO, Node::INFO]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<PersistentVolumeClaim>() || delta.is::<PersistentVolume>() {
            if delta.deleted() {
                self.work.forget(&delta.meta().uid);
            } else {
                queue.add(delta.key());
            }
        } else if let Some(class) = delta.after::<StorageClass>().filter(|_| delta.added()) {
            let name = Some(&class.metadata.name);
            let claims = cx.claims().all();
            let asking = claims.filter(|claim| claim.spec.storage_class_name.as_ref() == name);
            asking.for_each(|claim| queue.of(&claim.metadata));
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        if key.namespace.is_empty() {
            return match cx.volumes().get(key) {
                Some(volume) => self.remove(cx, volume),
                None => Plan::settled(),
            };
        }
        match cx.claims().get(key) {
            Some(claim) => self.provide(cx, claim),
            None => Plan::settled(),
        }
    }

    fn reset(&mut self) {
        self.work.clear();
    }
}

impl LocalPathProvisioner {
    fn provide(&mut self, cx: &Cx<'_>, claim: &PersistentVolumeClaim) -> Plan {
        let mut plan = Plan::settled();
        let Some(wish) = wish(cx, claim, NAME) else { return plan };
        let first = || cx.nodes().all().next().map(|node| &node.metadata.name);
        let Some(node) = wish.node.or_else(first) else { return plan };
        let (is_new, wait) = self.work.left(cx.now, &claim.metadata.uid, TAKES);
        if is_new {
            wish.announce(&mut plan);
        }
        match wait {
            Some(wait) => plan.again(wait),
            None => wish.fulfil(volume(&wish, node), &mut plan),
        }
        plan
    }

    /// Removes a volume that was made here once its claim has given it up.
    fn remove(&mut self, cx: &Cx<'_>, volume: &PersistentVolume) -> Plan {
        let mut plan = Plan::settled();
        let meta = &volume.metadata;
        if !is_reclaimable(volume, NAME) || meta.deletion_timestamp.is_some() {
            return plan;
        }
        match self.work.left(cx.now, &meta.uid, TAKES).1 {
            Some(wait) => plan.again(wait),
            None => drop(plan.delete(volume, Default::default())),
        }
        plan
    }
}

fn volume(wish: &Wish<'_>, node: &Str) -> PersistentVolume {
    let meta = &wish.claim.metadata;
    let mut volume = wish.volume(&NAME.into());
    let path = format!("{PATH}/{}_{}_{}", volume.metadata.name, meta.namespace, meta.name);
    let annotations = &mut Arc::make_mut(&mut volume.metadata).annotations;
    annotations.insert("local.path.provisioner/selected-node", node.clone());
    let rule = NodeSelectorRequirement {
        key: lit!("kubernetes.io/hostname"),
        operator: lit!("In"),
        values: list![node.clone()],
    };
    let term = NodeSelectorTerm { match_expressions: list![rule], ..Default::default() };
    let required = NodeSelector { node_selector_terms: list![term] };
    let spec = Arc::make_mut(&mut volume.spec);
    spec.host_path = Some(Box::new(HostPathVolumeSource {
        path: path.into(),
        type_: Some(lit!("DirectoryOrCreate")),
    }));
    spec.node_affinity = Some(Box::new(VolumeNodeAffinity { required: Some(Box::new(required)) }));
    volume
}

#[cfg(test)]
mod tests {
    use client::Runner;
    use client::testing::{Bench, object};

    use super::*;

    type World = Bench<Runner>;

    fn world(mode: &str, annotations: &str) -> World {
        let class: StorageClass = object(&format!(
            r#"{{"metadata": {{"name": "standard"}}, "provisioner": "{NAME}", "volumeBindingMode": "{mode}"}}"#
        ));
        let claim: PersistentVolumeClaim = object(&format!(
            r#"{{"metadata": {{"name": "data", "namespace": "d", "annotations": {{{annotations}}}}}, "spec":
            {{"storageClassName": "standard", "accessModes": ["ReadWriteOnce"], "resources": {{"requests": {{"storage":
            "1Gi"}}}}}}}}"#
        ));
        let node: Node = object(r#"{"metadata": {"name": "node-1"}}"#);
        let runner = Runner::new(
            "kcm",
            vec![
                Box::new(crate::volume_binder::VolumeBinder),
                Box::<LocalPathProvisioner>::default(),
            ],
        );
        Bench::new(runner, [class.into(), claim.into(), node.into()])
    }

    /// The volume's path and node and the claim's phase after 30 seconds; `-` for no volume.
    fn check(mode: &str, annotations: &str, expect: &str) {
        let mut world = world(mode, annotations);
        world.run(Duration::secs(30));
        let claim = world.api.get::<PersistentVolumeClaim>("d", "data").expect("it is there");
        let volumes = world.api.all::<PersistentVolume>();
        let volume = volumes.first().map(|volume| {
            let path = volume.spec.host_path.as_ref().map(|host| host.path.clone());
            let node = volume.metadata.annotations.text("local.path.provisioner/selected-node");
            format!("{} on {}", path.unwrap_or_default(), node.unwrap_or(""))
        });
        let got = format!("{} {}", volume.as_deref().unwrap_or("-"), claim.status.phase);
        assert_eq!(got, expect, "{mode} {annotations}");
    }

    const SELECTED: &str = r#""volume.kubernetes.io/selected-node": "node-2""#;

    #[test]
    fn a_claim_gets_a_directory_on_the_node_of_its_pod() {
        let path = "/var/local-path-provisioner/pvc-uid-2_d_data";
        check("WaitForFirstConsumer", SELECTED, &format!("{path} on node-2 Bound"));
        check("Immediate", "", &format!("{path} on node-1 Bound"));
    }

    #[test]
    fn a_claim_that_waits_for_its_pod_gets_nothing_yet() {
        check("WaitForFirstConsumer", "", "- Pending");
    }

    #[test]
    fn provisioning_is_told_and_takes_a_while() {
        let mut world = world("Immediate", "");
        world.run(Duration::secs(1));
        assert!(world.api.all::<PersistentVolume>().is_empty());
        world.run(Duration::secs(5));
        let events = world.take_events();
        let begun =
            "Provisioning: External provisioner is provisioning volume for claim \"d/data\"";
        let done = "ProvisioningSucceeded: Successfully provisioned volume pvc-uid-2";
        assert!(events.find(begun) < events.find(done) && events.contains(begun), "{events}");
    }

    #[test]
    fn the_volume_goes_after_its_claim() {
        let mut world = world("Immediate", "");
        world.run(Duration::secs(30));
        world.remove::<PersistentVolumeClaim>("d", "data");
        world.run(Duration::secs(30));
        assert!(
            world
                .api
                .all::<PersistentVolume>()
                .iter()
                .all(|volume| { volume.metadata.deletion_timestamp.is_some() })
        );
    }
}
