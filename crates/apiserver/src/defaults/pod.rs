//! Pods: what is filled in for pods and not for templates.
//!
//! Models `SetDefaults_Pod`.
//!
//! Known deviations:
//! - Limits on huge pages of a pod as a whole are not filled in from its containers.

use std::sync::Arc;

use api::Quantity;
use api::codec::Map;
use api::core::v1::{Container, Pod, PodSpec, ResourceRequirements};

use super::{missing, template};

/// Fills in what a pod leaves out.
pub fn pod(pod: &mut Pod) {
    let shared = pod.spec.shared();
    if Arc::strong_count(shared) == 1 {
        return fill(pod.spec.edit());
    }
    if template::looks_complete(shared) && shared.enable_service_links.is_some() {
        let mut copy = PodSpec::clone(shared);
        fill(&mut copy);
        if copy == **shared {
            return;
        }
    }
    fill(pod.spec.edit());
}

fn fill(spec: &mut PodSpec) {
    template::spec(spec);
    for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut()) {
        requests_from_limits(&mut container.resources);
    }
    pod_requests(spec);
    missing(&mut spec.enable_service_links, true);
    if spec.host_network {
        let containers = spec.containers.iter_mut().chain(spec.init_containers.iter_mut());
        for port in containers.flat_map(|container| container.ports.iter_mut()) {
            super::number(&mut port.host_port, port.container_port);
        }
    }
}

/// What is limited and not requested is requested up to the limit.
fn requests_from_limits(resources: &mut ResourceRequirements) {
    for (name, limit) in resources.limits.iter() {
        if !resources.requests.contains_key(name) {
            resources.requests.insert(name.clone(), limit.clone());
        }
    }
}

/// The requests of a pod as a whole: of its containers together, else its own limits.
fn pod_requests(spec: &mut PodSpec) {
    let sums = match &spec.resources {
        Some(own) if !own.limits.is_empty() => container_requests(spec),
        _ => return,
    };
    let Some(own) = &mut spec.resources else { return };
    let whole = |name: &str| matches!(name, "cpu" | "memory") || name.starts_with("hugepages-");
    for (name, amount) in sums.iter().filter(|(name, _)| matches!(name.as_str(), "cpu" | "memory"))
    {
        if !own.requests.contains_key(name) {
            own.requests.insert(name.clone(), amount.clone());
        }
    }
    for (name, limit) in own.limits.iter().filter(|(name, _)| whole(name)) {
        if !own.requests.contains_key(name) {
            own.requests.insert(name.clone(), limit.clone());
        }
    }
}

/// The sum over the containers, or what the most demanding init container needs, whichever is more.
fn container_requests(spec: &PodSpec) -> Map<Quantity> {
    let stays = |c: &&Container| c.restart_policy.as_deref() == Some("Always");
    let mut sum: Map<Quantity> = Map::new();
    for container in spec.containers.iter().chain(spec.init_containers.iter().filter(stays)) {
        add(&mut sum, &container.resources.requests);
    }
    let mut sidecars: Map<Quantity> = Map::new();
    for container in spec.init_containers.iter() {
        let mut needs = sidecars.clone();
        add(&mut needs, &container.resources.requests);
        if stays(&container) {
            sidecars = needs.clone();
        }
        for (name, amount) in needs.iter() {
            if sum.get(name).is_none_or(|sum| sum < amount) {
                sum.insert(name.clone(), amount.clone());
            }
        }
    }
    sum
}

fn add(sum: &mut Map<Quantity>, more: &Map<Quantity>) {
    for (name, amount) in more.iter() {
        match sum.get_mut(name) {
            Some(sum) => sum.add(amount),
            None => drop(sum.insert(name.clone(), amount.clone())),
        }
    }
}
