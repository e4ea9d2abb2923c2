//! What a pod asks for as a whole.

use api::core::v1::{Container, PodSpec, ResourceRequirements};
use api::{Map, Quantity};

use crate::worker::is_sidecar;

/// Requests and limits of the whole pod, as the pod's status shows them.
pub(crate) fn of_pod(spec: &PodSpec) -> ResourceRequirements {
    let own = spec.resources.as_deref();
    let mut requests = total(spec, |c| &c.resources.requests);
    let mut limits = total(spec, |c| &c.resources.limits);
    if let Some(own) = own {
        own.requests.iter().for_each(|(name, q)| drop(requests.insert(name.clone(), q.clone())));
        own.limits.iter().for_each(|(name, q)| drop(limits.insert(name.clone(), q.clone())));
    }
    for (name, amount) in spec.overhead.iter() {
        add(&mut requests, name, amount);
        if limits.contains_key(name) {
            add(&mut limits, name, amount);
        }
    }
    ResourceRequirements { requests, limits, ..ResourceRequirements::default() }
}

/// The sum over the containers that run together, or the largest init container where that is more.
fn total(spec: &PodSpec, of: impl Fn(&Container) -> &Map<Quantity>) -> Map<Quantity> {
    let mut sum = Map::new();
    for container in &spec.containers {
        of(container).iter().for_each(|(name, amount)| add(&mut sum, name, amount));
    }
    let mut sidecars: Map<Quantity> = Map::new();
    let mut peak: Map<Quantity> = Map::new();
    for container in &spec.init_containers {
        let mut here = sidecars.clone();
        of(container).iter().for_each(|(name, amount)| add(&mut here, name, amount));
        if is_sidecar(container) {
            sidecars = here.clone();
            of(container).iter().for_each(|(name, amount)| add(&mut sum, name, amount));
        }
        raise(&mut peak, &here);
    }
    raise(&mut sum, &peak);
    sum
}

fn add(sum: &mut Map<Quantity>, name: &str, amount: &Quantity) {
    match sum.get_mut(name) {
        Some(have) => have.add(amount),
        None => drop(sum.insert(name, amount.clone())),
    }
}

fn raise(sum: &mut Map<Quantity>, other: &Map<Quantity>) {
    for (name, amount) in other.iter() {
        if sum.get(name).is_none_or(|have| have < amount) {
            sum.insert(name.clone(), amount.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::core::v1::Pod;

    fn container(cpu: i64, sidecar: bool) -> Container {
        let mut container = Container::default();
        container.resources.requests.insert("cpu", Quantity::millis(cpu));
        container.restart_policy = sidecar.then(|| "Always".into());
        container
    }

    fn check(inits: &[(i64, bool)], mains: &[i64], want: &str) {
        let mut pod = Pod::default();
        let spec = pod.spec.edit();
        spec.init_containers = inits.iter().map(|(cpu, side)| container(*cpu, *side)).collect();
        spec.containers = mains.iter().map(|cpu| container(*cpu, false)).collect();
        assert_eq!(of_pod(&pod.spec).requests.get("cpu").unwrap().to_string(), want);
    }

    #[test]
    fn containers_add_up() {
        check(&[], &[100, 250], "350m");
    }

    #[test]
    fn the_largest_init_container_counts_where_it_is_more() {
        check(&[(500, false), (200, false)], &[100], "500m");
        check(&[(50, false)], &[100], "100m");
    }

    #[test]
    fn a_sidecar_counts_beside_what_comes_after_it() {
        check(&[(100, true), (500, false)], &[200], "600m");
        check(&[(500, false), (100, true)], &[200], "500m");
        check(&[(100, true)], &[200], "300m");
    }
}
