//! The node-driver-registrar: tells in each node's CSINode which drivers run on it.
//!
//! Known deviations:
//! - The kubelet does not write the entry itself.

use std::sync::Arc;

use api::core::v1::Node;
use api::object::{Key, Kind, KindInfo};
use api::storage::v1::{CSIDriver, CSINode, CSINodeDriver, VolumeNodeResources};
use base::List;
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

use super::Driver;

/// The registrar. Its keys are nodes.
#[derive(Clone, Default)]
pub struct CsiRegistrar;

impl Reconcile for CsiRegistrar {
    fn name(&self) -> &'static str {
        "csi-node-driver-registrar"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![CSIDriver::INFO, CSINode::INFO, Node::INFO]
    }

    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if delta.is::<CSINode>() {
            queue.add(delta.key());
        } else if delta.is::<CSIDriver>() {
            cx.all::<CSINode>().all().for_each(|node| queue.of(&node.metadata));
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(known) = cx.all::<CSINode>().get(key) else { return plan };
        let entry = |driver: Driver<'_>| CSINodeDriver {
            name: driver.name().clone(),
            node_id: key.name.clone(),
            topology_keys: driver.topology().map(Into::into).collect(),
            allocatable: driver
                .volumes_max()
                .map(|count| Box::new(VolumeNodeResources { count: Some(count) })),
        };
        let ours: List<CSINodeDriver> = Driver::all(cx).map(entry).collect();
        // Entries of drivers that are not modelled here stay; those of drivers that are gone do not.
        let others = known.spec.drivers.iter().filter(|driver| {
            ours.iter().all(|own| own.name != driver.name)
                && cx.all::<CSIDriver>().named("", &driver.name).is_some()
        });
        let drivers: List<CSINodeDriver> = others.cloned().chain(ours.iter().cloned()).collect();
        if drivers != known.spec.drivers {
            let mut new = known.clone();
            Arc::make_mut(&mut new.spec).drivers = drivers;
            plan.update(new);
        }
        plan
    }
}
