//! The quality-of-service class of a pod.

use base::{Str, lit};

use crate::Quantity;
use crate::core::v1::{Container, PodSpec, ResourceRequirements};

/// `Guaranteed`, `Burstable` or `BestEffort`, by the requests and limits of cpu and memory.
///
/// Resources of the whole pod, where given, decide alone.
pub fn class_of(spec: &PodSpec) -> Str {
    if let Some(pod) = &spec.resources
        && (!pod.requests.is_empty() || !pod.limits.is_empty())
    {
        return of_parts([&**pod].into_iter());
    }
    let containers = spec.containers.iter().chain(&spec.init_containers);
    of_parts(containers.map(|container: &Container| &container.resources))
}

fn of_parts<'a>(parts: impl Iterator<Item = &'a ResourceRequirements>) -> Str {
    let given = |quantity: Option<&Quantity>| quantity.is_some_and(|q| !q.is_zero());
    let (mut any, mut guaranteed) = (false, true);
    for resources in parts {
        for name in ["cpu", "memory"] {
            let (request, limit) = (resources.requests.get(name), resources.limits.get(name));
            any |= given(request) || given(limit);
            guaranteed &= given(limit) && request.is_none_or(|request| Some(request) == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => lit!("BestEffort"),
        (true, true) => lit!("Guaranteed"),
        (true, false) => lit!("Burstable"),
    }
}
