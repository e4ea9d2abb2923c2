//! The volume expand controller: tells who has to make a volume larger.
//!
//! All volumes that can grow belong to CSI drivers, so others do the work.

use api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api::object::{Key, Kind, KindInfo};
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

/// The volume expand controller.
#[derive(Clone, Default)]
pub struct VolumeExpand;

impl Reconcile for VolumeExpand {
    fn name(&self) -> &'static str {
        "persistentvolume-expander-controller"
    }

    fn source(&self) -> &'static str {
        "volume_expand"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![PersistentVolumeClaim::INFO, PersistentVolume::INFO]
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        let Some(claim) = delta.after::<PersistentVolumeClaim>() else { return };
        let before = delta.before::<PersistentVolumeClaim>();
        let grew = before.is_none_or(|old| wanted(claim) > wanted(old));
        if claim.status.phase == "Bound" && grew {
            queue.add(delta.key());
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(claim) = cx.claims().get(key) else { return plan };
        let has = claim.status.capacity.get("storage").cloned().unwrap_or_default();
        let is_there = cx.volumes().named("", &claim.spec.volume_name).is_some();
        if is_there && wanted(claim) > has {
            let message = "waiting for an external controller to expand this PVC";
            plan.event(claim, "Normal", "ExternalExpanding", message);
        }
        plan
    }
}

fn wanted(claim: &PersistentVolumeClaim) -> api::quantity::Quantity {
    claim.spec.resources.requests.get("storage").cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use client::Runner;
    use client::testing::{Bench, object};

    use super::*;

    /// A claim of 2Gi whose request becomes `wanted`; what is said then.
    fn check(wanted: &str, expect: &str) {
        let volume: PersistentVolume = object(r#"{"metadata": {"name": "v"}, "spec": {}}"#);
        let claim: PersistentVolumeClaim = object(
            r#"{"metadata": {"name": "c", "namespace": "d"}, "spec": {"volumeName": "v", "resources": {"requests":
            {"storage": "2Gi"}}}, "status": {"phase": "Bound", "capacity": {"storage": "2Gi"}}}"#,
        );
        let runner = Runner::new("kcm", vec![Box::new(VolumeExpand)]);
        let mut bench = Bench::new(runner, [volume.into(), claim.into()]);
        let wanted = api::quantity::Quantity::parse(wanted).expect("a quantity");
        bench.edit::<PersistentVolumeClaim>("d", "c", |claim| {
            Arc::make_mut(&mut claim.spec).resources.requests.insert("storage", wanted);
        });
        assert_eq!(bench.take_events(), expect);
    }

    #[test]
    fn a_claim_that_asks_for_more_is_left_to_its_driver() {
        check(
            "3Gi",
            "Normal ExternalExpanding: waiting for an external controller to expand this PVC",
        );
    }

    #[test]
    fn a_claim_that_has_what_it_asks_for_is_not_spoken_of() {
        check("2Gi", "");
        check("1Gi", "");
    }
}
