//! Protection of storage in use: claims stay while pods use them, volumes while claims are bound to them, classes of
//! attributes while volumes have them.

use std::sync::Arc;

use api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use api::object::{Key, Kind, KindInfo, Object, Resource};
use api::storage::v1::VolumeAttributesClass;
use base::Str;
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

use crate::pods;

const CLAIM_FINALIZER: &str = "kubernetes.io/pvc-protection";
const CLASS_FINALIZER: &str = "kubernetes.io/vac-protection";
const VOLUME_FINALIZER: &str = "kubernetes.io/pv-protection";

/// The controller that protects claims.
#[derive(Clone, Default)]
pub struct ClaimProtection;

impl Reconcile for ClaimProtection {
    fn name(&self) -> &'static str {
        "persistentvolumeclaim-protection-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![PersistentVolumeClaim::INFO, Pod::INFO]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<PersistentVolumeClaim>() {
            return queue.add(delta.key());
        }
        let Some(pod) = delta.of::<Pod>() else { return };
        if !delta.deleted() && !pods::is_terminal(pod) {
            return;
        }
        for name in claims_of(pod) {
            let key = Key::new(pod.metadata.namespace.clone(), name);
            let known = cx.claims().get(&key);
            if known.is_some_and(|claim| claim.metadata.deletion_timestamp.is_some()) {
                queue.add(key);
            }
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(claim) = cx.claims().get(key) else { return Plan::settled() };
        let used = || {
            cx.pods().in_namespace(&key.namespace).any(|pod| {
                !pod.spec.node_name.is_empty()
                    && !pods::is_terminal(pod)
                    && claims_of(pod).any(|name| name == key.name)
            })
        };
        protect(claim, CLAIM_FINALIZER, used)
    }
}

/// The names of the claims that a pod mounts, those of its ephemeral volumes included.
pub(crate) fn claims_of(pod: &Pod) -> impl Iterator<Item = Str> {
    pod.spec.volumes.iter().filter_map(|volume| {
        if let Some(claim) = &volume.persistent_volume_claim {
            return Some(claim.claim_name.clone());
        }
        volume.ephemeral.as_ref()?;
        Some(format!("{}-{}", pod.metadata.name, volume.name).into())
    })
}

/// The controller that protects volumes.
#[derive(Clone, Default)]
pub struct VolumeProtection;

impl Reconcile for VolumeProtection {
    fn name(&self) -> &'static str {
        "persistentvolume-protection-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![PersistentVolume::INFO]
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        queue.add(delta.key());
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(volume) = cx.volumes().get(key) else { return Plan::settled() };
        protect(volume, VOLUME_FINALIZER, || volume.status.phase == "Bound")
    }
}

/// The controller that protects classes of volume attributes.
#[derive(Clone, Default)]
pub struct AttributesClassProtection;

impl Reconcile for AttributesClassProtection {
    fn name(&self) -> &'static str {
        "volumeattributesclass-protection-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![VolumeAttributesClass::INFO, PersistentVolume::INFO, PersistentVolumeClaim::INFO]
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<VolumeAttributesClass>() {
            return queue.add(delta.key());
        }
        // Whoever had the class or has it: it may be free now.
        for object in [&delta.old, &delta.new].into_iter().flatten() {
            if let Some(claim) = object.get::<PersistentVolumeClaim>() {
                classes_of(claim).for_each(|name| queue.named("", name.clone()));
            } else if let Some(volume) = object.get::<PersistentVolume>() {
                let name = volume.spec.volume_attributes_class_name.iter();
                name.for_each(|name| queue.named("", name.clone()));
            }
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let Some(class) = cx.all::<VolumeAttributesClass>().get(key) else {
            return Plan::settled();
        };
        let used = || {
            let of_volume = |volume: &PersistentVolume| {
                volume.spec.volume_attributes_class_name.as_ref() == Some(&key.name)
            };
            cx.volumes().all().any(of_volume)
                || cx.claims().all().any(|claim| classes_of(claim).any(|name| *name == key.name))
        };
        protect(class, CLASS_FINALIZER, used)
    }
}

/// The classes of attributes that a claim has, wants or is being given.
fn classes_of(claim: &PersistentVolumeClaim) -> impl Iterator<Item = &Str> {
    let (spec, status) = (&claim.spec, &claim.status);
    let target = status.modify_volume_status.iter();
    let target = target.map(|modify| &modify.target_volume_attributes_class_name);
    let current = status.current_volume_attributes_class_name.iter();
    spec.volume_attributes_class_name.iter().chain(current).chain(target)
}

/// Gives the finalizer to a living object and takes it from a dying one that is not used.
fn protect<K: Kind>(object: &K, finalizer: &'static str, used: impl Fn() -> bool) -> Plan {
    let mut plan = Plan::settled();
    let meta = object.meta();
    let has = meta.finalizers.iter().any(|known| known == finalizer);
    let dying = meta.deletion_timestamp.is_some();
    if dying == has && !(dying && used()) {
        let mut new = object.clone();
        let finalizers = &mut Resource::meta_mut(&mut new).finalizers;
        if dying {
            finalizers.retain(|known| known != finalizer);
        } else {
            finalizers.push(finalizer.into());
        }
        plan.update(Object::from(Arc::new(new)));
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Runner;
    use client::testing::{Bench, object};

    #[test]
    fn a_claim_stays_while_a_pod_uses_it() {
        let claim: PersistentVolumeClaim =
            object(r#"{"metadata": {"name": "c", "namespace": "d"}}"#);
        let pod: Pod = object(
            r#"{"metadata": {"name": "p", "namespace": "d"}, "spec": {"containers": [], "nodeName": "n",
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}}"#,
        );
        let runner = Runner::new("kcm", vec![Box::new(ClaimProtection)]);
        let mut bench = Bench::new(runner, [claim.into(), pod.into()]);
        assert_eq!(bench.take_log(), "~PersistentVolumeClaim c", "it gets the finalizer");
        let key = Key::new("d", "c");
        let delete =
            api::wire::Request::delete(PersistentVolumeClaim::INFO, &key, Default::default());
        bench.ask(&delete).expect("it may");
        assert_eq!(bench.take_log(), "");
        bench.remove::<Pod>("d", "p");
        assert_eq!(bench.take_log(), "~PersistentVolumeClaim c");
        assert!(bench.api.get::<PersistentVolumeClaim>("d", "c").is_none());
    }

    #[test]
    fn a_bound_volume_stays() {
        let volume = |phase: &str| {
            object::<PersistentVolume>(&format!(
                r#"{{"metadata": {{"name": "v", "deletionTimestamp": "2026-01-01T00:00:00Z",
                "finalizers": ["kubernetes.io/pv-protection"]}}, "spec": {{}}, "status": {{"phase": "{phase}"}}}}"#
            ))
        };
        let runner = Runner::new("kcm", vec![Box::new(VolumeProtection)]);
        let mut bench = Bench::new(runner, [volume("Bound").into()]);
        assert_eq!(bench.take_log(), "");
        bench.put(volume("Released"));
        assert_eq!(bench.take_log(), "~PersistentVolume v");
    }

    #[test]
    fn a_class_of_attributes_stays_while_a_volume_has_it() {
        let class: VolumeAttributesClass = object(
            r#"{"metadata": {"name": "gold", "finalizers": ["kubernetes.io/vac-protection"], "deletionTimestamp":
            "2026-01-01T00:00:00Z"}, "driverName": "disk.example.com"}"#,
        );
        let volume: PersistentVolume =
            object(r#"{"metadata": {"name": "v"}, "spec": {"volumeAttributesClassName": "gold"}}"#);
        let runner = client::Runner::new("kcm", vec![Box::new(AttributesClassProtection)]);
        let mut bench = client::testing::Bench::new(runner, [class.into(), volume.into()]);
        assert!(bench.api.get::<VolumeAttributesClass>("", "gold").is_some());
        bench.remove::<PersistentVolume>("", "v");
        assert!(bench.api.get::<VolumeAttributesClass>("", "gold").is_none());
    }
}
