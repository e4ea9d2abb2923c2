//! Pods.

use std::sync::Arc;

use api::core::v1::{Pod, PodStatus};
use api::object::{Kind, Object};
use api::wire::Subresource;
use base::{Str, lit};

use super::{Cx, Row};
use crate::qos;

/// The row.
pub static ROWS: &[Row] = &[Row {
    subresources: &[
        Subresource::Binding,
        Subresource::EphemeralContainers,
        Subresource::Eviction,
        Subresource::Log,
        Subresource::Resize,
        Subresource::Status,
    ],
    generation: true,
    returns_deleted: true,
    prepare_create,
    prepare_update,
    selectable: &[
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ],
    read,
    ..Row::new(Pod::INFO)
}];

fn prepare_create(object: &mut Object, cx: &Cx) {
    let Some(pod) = object.edit_as::<Pod>() else { return };
    let mut status = PodStatus {
        phase: lit!("Pending"),
        qos_class: qos::class_of(&pod.spec),
        ..PodStatus::default()
    };
    if !pod.spec.scheduling_gates.is_empty() {
        status.conditions.push(api::core::v1::PodCondition {
            type_: lit!("PodScheduled"),
            status: lit!("False"),
            reason: lit!("SchedulingGated"),
            message: lit!("Scheduling is blocked due to non-empty scheduling gates"),
            last_transition_time: None,
            ..Default::default()
        });
    }
    let _ = cx;
    pod.status = Arc::new(status);
}

fn prepare_update(new: &mut Object, old: &Object, cx: &Cx) {
    let (Some(pod), Some(old)) = (new.edit_as::<Pod>(), old.get::<Pod>()) else { return };
    if cx.subresource == Subresource::Status
        && pod.metadata.owner_references != old.metadata.owner_references
    {
        Arc::make_mut(&mut pod.metadata).owner_references = old.metadata.owner_references.clone();
    }
    if cx.subresource == Subresource::Status && pod.status.qos_class.is_empty() {
        Arc::make_mut(&mut pod.status).qos_class = old.status.qos_class.clone();
    }
}

fn read(object: &Object, path: &str) -> Option<Str> {
    let pod = object.get::<Pod>()?;
    Some(match path {
        "spec.nodeName" => pod.spec.node_name.clone(),
        "spec.restartPolicy" => pod.spec.restart_policy.clone(),
        "spec.schedulerName" => pod.spec.scheduler_name.clone(),
        "spec.serviceAccountName" => pod.spec.service_account_name.clone(),
        "spec.hostNetwork" if pod.spec.host_network => lit!("true"),
        "spec.hostNetwork" => lit!("false"),
        "status.phase" => pod.status.phase.clone(),
        "status.podIP" | "status.podIPs" => pod.status.pod_ip.clone(),
        "status.nominatedNodeName" => pod.status.nominated_node_name.clone(),
        _ => return None,
    })
}
