//! Pods.

use std::sync::Arc;

use api::core::v1::{AppArmorProfile, Pod, PodStatus};
use api::object::{Kind, Object};
use api::wire::Subresource;
use base::{Str, lit};

use super::{Cx, Row};
use api::qos;

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
            last_transition_time: Some(cx.now.into()),
            ..Default::default()
        });
    }
    pod.status = Arc::new(status);
    settle_apparmor(pod);
}

const APPARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// The old annotations of AppArmor profiles become fields.
fn settle_apparmor(pod: &mut Pod) {
    let whole = pod.spec.security_context.as_deref();
    let annotated = pod.metadata.annotations.keys().any(|key| key.starts_with(APPARMOR));
    if !annotated || whole.is_some_and(|context| context.app_armor_profile.is_some()) {
        return;
    }
    let annotations = pod.metadata.annotations.clone();
    let spec = pod.spec.edit();
    for container in spec.containers.iter_mut().chain(&mut spec.init_containers) {
        let Some(text) = annotations.text(&format!("{APPARMOR}{}", container.name)) else {
            continue;
        };
        let (type_, local) = match text.strip_prefix("localhost/") {
            Some(name) => (lit!("Localhost"), Some(Str::from(name))),
            None if text == "runtime/default" => (lit!("RuntimeDefault"), None),
            None if text == "unconfined" => (lit!("Unconfined"), None),
            None => continue,
        };
        let context = container.security_context.get_or_insert_default();
        let profile = AppArmorProfile { type_, localhost_profile: local };
        if context.app_armor_profile.is_none() {
            context.app_armor_profile = Some(Box::new(profile));
        }
    }
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
