//! Services and what they take from the pools of addresses and ports.

use std::sync::Arc;

use api::core::v1::{LoadBalancerStatus, Service, ServiceSpec};
use api::object::{Kind, Object};
use api::wire::Subresource;
use base::{BTreeSet, Str, lit};

use super::{Cx, Row};
use crate::alloc;

/// The row.
pub static ROWS: &[Row] = &[Row {
    prefix: "services/specs",
    subresources: &[Subresource::Status],
    create_on_update: true,
    returns_deleted: true,
    prepare_update: drop_for_type,
    reserve: Some(alloc::reserve),
    release: Some(alloc::release),
    selectable: &["spec.clusterIP", "spec.type"],
    read,
    ..Row::new(Service::INFO)
}];

/// What the new type of a Service cannot have goes, where the client did not touch it.
///
/// What the client changed stays, for validation to refuse. Fields that no pool stands behind,
/// such as the selector or the source ranges, are left alone.
fn drop_for_type(new: &mut Object, old: &Object, cx: &Cx) {
    let Some(before) = old.get::<Service>().map(|old| old.spec.clone()) else { return };
    if cx.subresource != Subresource::None {
        return;
    }
    let Some(service) = new.get::<Service>() else { return };
    let mut spec = (*service.spec).clone();
    drop_addresses(&mut spec, &before);
    drop_ports(&mut spec, &before);
    let balanced = |spec: &ServiceSpec| spec.type_ == "LoadBalancer";
    if balanced(&before) && !balanced(&spec) {
        if spec.allocate_load_balancer_node_ports == before.allocate_load_balancer_node_ports {
            spec.allocate_load_balancer_node_ports = None;
        }
        if spec.load_balancer_class == before.load_balancer_class {
            spec.load_balancer_class = None;
        }
    }
    if is_reachable(&before)
        && !is_reachable(&spec)
        && spec.external_traffic_policy == before.external_traffic_policy
    {
        spec.external_traffic_policy = Str::new();
    }
    let stale = !balanced(&spec) && service.status.load_balancer != LoadBalancerStatus::default();
    if *service.spec == spec && !stale {
        return;
    }
    let Some(service) = new.edit_as::<Service>() else { return };
    service.spec = Arc::new(spec);
    if stale {
        Arc::make_mut(&mut service.status).load_balancer = LoadBalancerStatus::default();
    }
}

fn drop_addresses(spec: &mut ServiceSpec, before: &ServiceSpec) {
    if !alloc::needs_address(before) || alloc::needs_address(spec) {
        return;
    }
    if spec.cluster_ip == before.cluster_ip && spec.cluster_ips == before.cluster_ips {
        spec.cluster_ip = Str::new();
        spec.cluster_ips.clear();
    }
    if spec.ip_families == before.ip_families {
        spec.ip_families.clear();
    }
    if spec.ip_family_policy == before.ip_family_policy {
        spec.ip_family_policy = None;
    }
}

fn drop_ports(spec: &mut ServiceSpec, before: &ServiceSpec) {
    let may = |spec: &ServiceSpec| matches!(spec.type_.as_str(), "NodePort" | "LoadBalancer");
    let all = |spec: &ServiceSpec| -> BTreeSet<i32> {
        spec.ports.iter().map(|port| port.node_port).filter(|port| *port != 0).collect()
    };
    if may(before) && !may(spec) && all(spec) == all(before) {
        for port in spec.ports.iter_mut() {
            port.node_port = 0;
        }
    }
    if alloc::needs_health_port(before)
        && !alloc::needs_health_port(spec)
        && spec.health_check_node_port == before.health_check_node_port
    {
        spec.health_check_node_port = 0;
    }
}

/// Whether traffic from outside the cluster comes in.
fn is_reachable(spec: &ServiceSpec) -> bool {
    matches!(spec.type_.as_str(), "NodePort" | "LoadBalancer")
        || (spec.type_ == "ClusterIP" && !spec.external_ips.is_empty())
}

fn read(object: &Object, path: &str) -> Option<Str> {
    let service = object.get::<Service>()?;
    match path {
        "spec.clusterIP" => Some(service.spec.cluster_ip.clone()),
        "spec.type" if service.spec.type_.is_empty() => Some(lit!("ClusterIP")),
        "spec.type" => Some(service.spec.type_.clone()),
        _ => None,
    }
}
