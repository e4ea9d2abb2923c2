//! What `kubectl describe` prints of each kind.
//!
//! Known deviations:
//! - Kinds without a file here print their fields generically, as upstream does for kinds it does not know.
//! - Of volumes, only the common sources have their own lines.

mod config;
mod container;
mod endpoint;
mod events;
mod generic;
mod ingress;
mod job;
mod namespace;
mod node;
mod pod;
mod policy;
mod replicated;
mod service;
mod sheet;
mod storage;
mod template;
mod volume;

use api::Json;

use crate::cx::Cx;
use crate::failure::Result;
use crate::resource::Kind;
use sheet::Sheet;

pub(crate) use events::interval;
pub(crate) use sheet::selector;

/// The description of one object; with its events where they are asked for.
pub(crate) fn of(cx: &mut Cx<'_>, kind: Kind, object: &Json, events: bool) -> Result<String> {
    let mut sheet = Sheet::default();
    match (kind.group, kind.kind) {
        ("", "Pod") => pod::describe(cx, object, &mut sheet),
        ("apps", "Deployment") => replicated::deployment(cx, object, &mut sheet)?,
        ("apps", "ReplicaSet") => replicated::replica_set(cx, object, &mut sheet, true)?,
        ("", "ReplicationController") => replicated::replica_set(cx, object, &mut sheet, false)?,
        ("apps", "StatefulSet") => replicated::stateful_set(cx, object, &mut sheet)?,
        ("apps", "DaemonSet") => replicated::daemon_set(cx, object, &mut sheet)?,
        ("", "Service") => service::describe(cx, object, &mut sheet)?,
        ("batch", "Job") => job::job(object, &mut sheet),
        ("batch", "CronJob") => job::cron_job(object, &mut sheet),
        ("", "ConfigMap") => config::config_map(object, &mut sheet),
        ("", "Secret") => config::secret(object, &mut sheet),
        ("", "ServiceAccount") => config::service_account(object, &mut sheet),
        ("", "Namespace") => namespace::describe(cx, object, &mut sheet)?,
        ("", "ResourceQuota") => namespace::quota(object, &mut sheet),
        ("", "LimitRange") => namespace::limit_range(object, &mut sheet),
        ("", "Endpoints") => endpoint::endpoints(object, &mut sheet),
        ("discovery.k8s.io", "EndpointSlice") => endpoint::slice(object, &mut sheet),
        ("networking.k8s.io", "Ingress") => ingress::describe(cx, object, &mut sheet),
        ("networking.k8s.io", "IngressClass") => ingress::class(object, &mut sheet),
        ("networking.k8s.io", "NetworkPolicy") => policy::network_policy(object, &mut sheet),
        ("", "PersistentVolume") => storage::persistent_volume(cx, object, &mut sheet),
        ("", "PersistentVolumeClaim") => storage::claim(cx, object, &mut sheet)?,
        ("storage.k8s.io", "StorageClass") => storage::class(object, &mut sheet),
        ("autoscaling", "HorizontalPodAutoscaler") => policy::autoscaler(object, &mut sheet),
        ("policy", "PodDisruptionBudget") => policy::disruption_budget(object, &mut sheet),
        ("scheduling.k8s.io", "PriorityClass") => policy::priority_class(object, &mut sheet),
        (_, "Role" | "ClusterRole") => policy::role(object, &mut sheet),
        (_, "RoleBinding" | "ClusterRoleBinding") => policy::binding(object, &mut sheet),
        ("", "Node") => node::describe(cx, object, &mut sheet)?,
        _ => generic::describe(object, &mut sheet),
    }
    let has_events = !matches!(
        kind.kind,
        "Secret"
            | "Namespace"
            | "ResourceQuota"
            | "LimitRange"
            | "NetworkPolicy"
            | "Role"
            | "ClusterRole"
            | "RoleBinding"
            | "ClusterRoleBinding"
    );
    if events && has_events {
        events::of(cx, object, &mut sheet)?;
    }
    Ok(sheet.finish())
}

/// A pod template with its tabs as they are, as `rollout history` prints it.
pub(crate) fn template_raw(template: &Json) -> String {
    let mut sheet = Sheet::default();
    template::describe(template, &mut sheet);
    sheet.raw()
}
