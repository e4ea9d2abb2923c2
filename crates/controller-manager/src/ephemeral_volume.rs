//! The ephemeral volume controller: makes the claims of pods' generic ephemeral volumes.

use std::sync::Arc;

use api::core::v1::{PersistentVolumeClaim, Pod, Volume};
use api::meta::v1::ObjectMeta;
use api::object::{Key, Kind, KindInfo};
use base::{Str, list};
use client::owner::{controller_reference, is_controlled_by};
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

/// The ephemeral volume controller.
#[derive(Clone, Default)]
pub struct EphemeralVolumes;

impl Reconcile for EphemeralVolumes {
    fn name(&self) -> &'static str {
        "ephemeral-volume-controller"
    }

    fn source(&self) -> &'static str {
        "ephemeral_volume"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![Pod::INFO, PersistentVolumeClaim::INFO]
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if let Some(pod) = delta.after::<Pod>() {
            let has = || pod.spec.volumes.iter().any(|volume| volume.ephemeral.is_some());
            if delta.added() && has() {
                queue.add(delta.key());
            }
        } else if delta.is::<PersistentVolumeClaim>() && delta.deleted() {
            let owners = delta.meta().owner_references.iter();
            for owner in owners.filter(|owner| owner.kind == "Pod") {
                queue.named(delta.meta().namespace.clone(), owner.name.clone());
            }
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let pod = cx.pods().get(key).filter(|pod| pod.metadata.deletion_timestamp.is_none());
        let Some(pod) = pod else { return plan };
        for volume in &pod.spec.volumes {
            let Some(claim) = claim(pod, volume) else { continue };
            match cx.claims().get(&Key::of(&claim.metadata)) {
                None => drop(plan.create(claim)),
                Some(known) if is_controlled_by(&known.metadata, &pod.metadata) => {}
                Some(known) => {
                    let message = format!(
                        "PVC {:?} was not created for pod {:?} (pod is not owner)",
                        &*known.metadata.name, &*pod.metadata.name
                    );
                    plan.event(pod, "Warning", "ClaimConflict", message);
                    plan.again_with_backoff();
                }
            }
        }
        plan
    }
}

fn claim(pod: &Pod, volume: &Volume) -> Option<PersistentVolumeClaim> {
    let template = volume.ephemeral.as_ref()?.volume_claim_template.as_ref()?;
    let name: Str = format!("{}-{}", pod.metadata.name, volume.name).into();
    Some(PersistentVolumeClaim {
        metadata: Arc::new(ObjectMeta {
            name,
            namespace: pod.metadata.namespace.clone(),
            labels: template.metadata.labels.clone(),
            annotations: template.metadata.annotations.clone(),
            owner_references: list![controller_reference(pod)],
            ..ObjectMeta::default()
        }),
        spec: Arc::new(template.spec.clone()),
        ..PersistentVolumeClaim::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Runner;
    use client::testing::{Bench, object};

    fn pod() -> Pod {
        object(
            r#"{"metadata": {"name": "p", "namespace": "d", "uid": "p"}, "spec": {"containers": [], "volumes":
            [{"name": "tmp", "ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "fast"}}}}]}}"#,
        )
    }

    #[test]
    fn a_pod_gets_a_claim_that_it_owns() {
        let runner = Runner::new("kcm", vec![Box::new(EphemeralVolumes)]);
        let mut bench = Bench::new(runner, [pod().into()]);
        assert_eq!(bench.take_log(), "+PersistentVolumeClaim p-tmp");
        let claim = bench.api.get::<PersistentVolumeClaim>("d", "p-tmp").expect("it was made");
        assert_eq!(claim.metadata.owner_references[0].kind, "Pod");
        assert_eq!(claim.spec.storage_class_name.as_deref(), Some("fast"));
    }

    #[test]
    fn a_foreign_claim_of_the_name_is_left_alone() {
        let foreign: PersistentVolumeClaim =
            object(r#"{"metadata": {"name": "p-tmp", "namespace": "d"}}"#);
        let runner = Runner::new("kcm", vec![Box::new(EphemeralVolumes)]);
        let mut bench = Bench::new(runner, [pod().into(), foreign.into()]);
        assert_eq!(bench.take_log(), "");
        assert!(bench.take_events().contains("ClaimConflict"));
    }
}
