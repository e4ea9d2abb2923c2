//! Resource names and amounts: requests and limits of containers and pods.
//!
//! Models `ValidateResourceRequirements` and its helpers.
//!
//! Known deviations: none.

use api::Quantity;
use api::codec::Map;
use api::core::v1::{PodSpec, ResourceRequirements};
use api::names;
use base::Str;

use crate::validation::check::Errors;
use crate::validation::path::Path;

/// Whether the name belongs to Kubernetes itself.
pub fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn is_huge(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Whether it is the name of a resource that is not of the core: `example.com/gpu`.
pub fn is_extended(name: &str) -> bool {
    !is_native(name)
        && !name.starts_with("requests.")
        && names::qualified_name(&format!("requests.{name}")).is_empty()
}

fn may_overcommit(name: &str) -> bool {
    is_native(name) && !is_huge(name)
}

const WHOLE: &[&str] = &[
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

/// An amount of a resource: not negative, and whole where the resource cannot be shared.
pub fn amount(e: &mut Errors, name: &str, value: &Quantity, at: &Path) {
    e.amount(at, value);
    if (WHOLE.contains(&name) || is_extended(name)) && value.milli_value() % 1000 != 0 {
        e.invalid(at, value, "must be an integer");
    }
}

/// The name of a resource of any use.
pub fn name(e: &mut Errors, name: &str, at: &Path) -> bool {
    let before = e.len();
    e.qualified(at, name);
    if e.len() == before && !name.contains('/') && !is_standard(name) {
        e.invalid(at, name, "must be a standard resource type or fully qualified");
    }
    e.len() == before
}

fn is_standard(name: &str) -> bool {
    is_huge(name) || WHOLE.contains(&name) || STANDARD.contains(&name) || quota_huge(name)
}

fn quota_huge(name: &str) -> bool {
    name.strip_prefix("requests.").is_some_and(is_huge)
}

const STANDARD: &[&str] = &[
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "storage",
    "requests.storage",
];

fn container_name(e: &mut Errors, value: &str, at: &Path) {
    name(e, value, at);
    if !value.contains('/') {
        let standard = matches!(value, "cpu" | "memory" | "ephemeral-storage") || is_huge(value);
        if !standard {
            e.invalid(at, value, "must be a standard resource for containers");
        }
    } else if !is_native(value) && !is_extended(value) {
        e.invalid(at, value, "doesn't follow extended resource name standard");
    }
}

/// What a container asks for and what it may take.
pub fn of_container(e: &mut Errors, given: &ResourceRequirements, spec: &PodSpec, at: &Path) {
    requirements(e, given, container_name, at);
    for (i, claim) in given.claims.iter().enumerate() {
        let at = at.child("claims");
        let at = at.index(i);
        if claim.name.is_empty() {
            e.required(&at.child("name"), "");
        } else if !spec.resource_claims.iter().any(|known| known.name == claim.name) {
            e.not_found(&at, &claim.name);
        }
    }
}

/// What a pod as a whole asks for and may take.
pub fn of_pod(e: &mut Errors, spec: &PodSpec, given: &ResourceRequirements, at: &Path) {
    let rule = |e: &mut Errors, value: &str, at: &Path| {
        if name(e, value, at) && !matches!(value, "cpu" | "memory") && !is_huge(value) {
            e.unsupported(at, value, &["cpu", "hugepages-", "memory"]);
        }
    };
    requirements(e, given, rule, at);
    let mut sums: Map<Quantity> = Map::new();
    for (name, amount) in spec.containers.iter().flat_map(|c| c.resources.requests.iter()) {
        match sums.get_mut(name) {
            Some(sum) => sum.add(amount),
            None => drop(sums.insert(name.clone(), amount.clone())),
        }
    }
    for (name, whole) in given.requests.iter() {
        if let Some(sum) = sums.get(name)
            && sum > whole
        {
            let why =
                format!("must be greater than or equal to aggregate container requests of {sum}");
            e.invalid(&at.child("requests").key(name), whole, &why);
        }
    }
    for (i, container) in spec.containers.iter().enumerate() {
        for (name, limit) in container.resources.limits.iter() {
            if let Some(whole) = given.limits.get(name)
                && limit > whole
            {
                let why = format!("must be less than or equal to pod limits of {whole}");
                let list = Path::root("spec.containers");
                let container = list.index(i);
                let limits = container.child("resources.limits");
                e.invalid(&limits.key(name), limit, &why);
            }
        }
    }
}

/// What a pod takes beside its containers.
pub fn overhead(e: &mut Errors, overhead: &Map<Quantity>, at: &Path) {
    let given =
        ResourceRequirements { limits: overhead.clone(), ..ResourceRequirements::default() };
    requirements(e, &given, container_name, at);
}

fn requirements(
    e: &mut Errors,
    given: &ResourceRequirements,
    name_rule: impl Fn(&mut Errors, &str, &Path),
    at: &Path,
) {
    let (limits, requests) = (at.child("limits"), at.child("requests"));
    let basic = |name: &Str| matches!(name.as_str(), "cpu" | "memory");
    for (name, value) in given.limits.iter() {
        name_rule(e, name, &limits.key(name));
        amount(e, name, value, &limits.key(name));
        whole_pages(e, name, value, &limits.key(name));
    }
    for (name, value) in given.requests.iter() {
        name_rule(e, name, &requests.key(name));
        amount(e, name, value, &requests.key(name));
        match given.limits.get(name) {
            Some(limit) if value != limit && !may_overcommit(name) => {
                e.invalid(&requests, value, &format!("must be equal to {name} limit of {limit}"));
            }
            Some(limit) if value > limit => {
                let why = format!("must be less than or equal to {name} limit of {limit}");
                e.invalid(&requests, value, &why);
            }
            None if !may_overcommit(name) => {
                e.required(&limits, "Limit must be set for non overcommitable resources");
            }
            _ => {}
        }
        whole_pages(e, name, value, &requests.key(name));
    }
    let keys = || given.limits.keys().chain(given.requests.keys());
    if keys().any(|name| is_huge(name)) && !keys().any(basic) {
        e.forbidden(at, "HugePages require cpu or memory");
    }
}

/// Huge pages come in whole pages.
fn whole_pages(e: &mut Errors, name: &str, value: &Quantity, at: &Path) {
    let Some(size) = name.strip_prefix("hugepages-").and_then(|s| Quantity::parse(s).ok()) else {
        return;
    };
    if size.value() > 0 && value.value() % size.value() != 0 {
        let why = format!("{value} is not positive integer multiple of {name}");
        e.invalid(at, value, &why);
    }
}
