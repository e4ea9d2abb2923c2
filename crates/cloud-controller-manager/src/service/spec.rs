//! What a Service asks of its load balancer.

use std::sync::Arc;

use api::core::v1::Service;
use base::Str;
use client::cloud::{BalancerPort, BalancerSpec};

/// The name of a Service's load balancer, as cloud providers take it: from the Service's uid, 32 characters at most.
pub(super) fn name(service: &Service) -> Str {
    let digits = service.metadata.uid.chars().filter(|c| *c != '-');
    std::iter::once('a').chain(digits).take(32).collect::<String>().into()
}

pub(super) fn of(service: &Service, nodes: Arc<[Str]>) -> BalancerSpec {
    let (meta, spec) = (&service.metadata, &service.spec);
    let number = |port: i32| u16::try_from(port).unwrap_or(0);
    let ports = spec.ports.iter().map(|port| BalancerPort {
        port: number(port.port),
        node_port: number(port.node_port),
        protocol: port.protocol.clone(),
    });
    let local = spec.external_traffic_policy == "Local";
    BalancerSpec {
        name: name(service),
        service: format!("{}/{}", meta.namespace, meta.name).into(),
        address: spec.load_balancer_ip.clone(),
        ports: ports.collect(),
        nodes,
        health_port: if local { number(spec.health_check_node_port) } else { 0 },
        ranges: spec.load_balancer_source_ranges.iter().cloned().collect(),
        sticky: spec.session_affinity == "ClientIP",
        annotations: meta.annotations.clone(),
    }
}
