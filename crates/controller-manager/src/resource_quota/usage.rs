//! What one object uses, under the names that quotas have for it.

use api::Quantity;
use api::codec::Map;
use api::core::v1::{
    PersistentVolumeClaim, Pod, PodAffinityTerm, PodSpec, ResourceQuota, ResourceRequirements,
    Service,
};
use api::object::{Kind, KindInfo, Object};
use base::Str;

use crate::pods;

/// Whether objects of the kind can use something of this name.
pub fn concerns(name: &str, kind: &KindInfo) -> bool {
    if let Some(resource) = name.strip_prefix("count/") {
        return resource == kind.resource();
    }
    let is = |other: &KindInfo| kind == other;
    if name.ends_with("persistentvolumeclaims") || name.ends_with("requests.storage") {
        return is(PersistentVolumeClaim::INFO);
    }
    if name == "services" || name.starts_with("services.") {
        return is(Service::INFO);
    }
    let compute = matches!(name, "pods" | "cpu" | "memory" | "ephemeral-storage")
        || name.starts_with("requests.")
        || name.starts_with("limits.")
        || name.starts_with("hugepages-");
    if compute { is(Pod::INFO) } else { kind.group.is_empty() && name == kind.plural }
}

/// What the object uses.
pub fn of(object: &Object) -> Map<Quantity> {
    let info = object.info();
    let mut used = Map::new();
    used.insert(format!("count/{}", info.resource()), one());
    if let Some(pod) = object.get::<Pod>() {
        if !pods::is_terminal(pod) {
            used.insert("pods", one());
            of_pod(&pod.spec, &mut used);
        }
    } else if let Some(service) = object.get::<Service>() {
        used.insert("services", one());
        of_service(service, &mut used);
    } else if let Some(claim) = object.get::<PersistentVolumeClaim>() {
        used.insert("persistentvolumeclaims", one());
        let size = claim.spec.resources.requests.get("storage").cloned().unwrap_or_default();
        if let Some(class) = &claim.spec.storage_class_name {
            let prefix = format!("{class}.storageclass.storage.k8s.io/");
            used.insert(format!("{prefix}persistentvolumeclaims"), one());
            used.insert(format!("{prefix}requests.storage"), size.clone());
        }
        used.insert("requests.storage", size);
    } else if info.group.is_empty() {
        used.insert(info.plural, one());
    }
    used
}

fn one() -> Quantity {
    Quantity::units(1)
}

fn of_service(service: &Service, used: &mut Map<Quantity>) {
    let ports = Quantity::units(service.spec.ports.len() as i64);
    match &*service.spec.type_ {
        "NodePort" => drop(used.insert("services.nodeports", ports)),
        "LoadBalancer" => {
            used.insert("services.loadbalancers", one());
            if service.spec.allocate_load_balancer_node_ports != Some(false) {
                used.insert("services.nodeports", ports);
            }
        }
        _ => {}
    }
}

fn of_pod(spec: &PodSpec, used: &mut Map<Quantity>) {
    for (name, quantity) in total(spec, |own| &own.requests).iter() {
        used.insert(format!("requests.{name}"), quantity.clone());
        if matches!(&**name, "cpu" | "memory" | "ephemeral-storage")
            || name.starts_with("hugepages-")
        {
            used.insert(name.clone(), quantity.clone());
        }
    }
    for (name, quantity) in total(spec, |own| &own.limits).iter() {
        used.insert(format!("limits.{name}"), quantity.clone());
    }
}

/// What the pod takes at its busiest: all containers together, or an init container that needs more.
fn total(spec: &PodSpec, part: fn(&ResourceRequirements) -> &Map<Quantity>) -> Map<Quantity> {
    let mut sum = Map::new();
    for container in &spec.containers {
        add(&mut sum, part(&container.resources));
    }
    let (mut sidecars, mut peak) = (Map::new(), Map::new());
    for container in &spec.init_containers {
        let own = part(&container.resources);
        let mut together = sidecars.clone();
        add(&mut together, own);
        raise(&mut peak, &together);
        if container.restart_policy.as_deref() == Some("Always") {
            add(&mut sidecars, own);
            add(&mut sum, own);
        }
    }
    raise(&mut sum, &peak);
    if let Some(whole) = &spec.resources {
        for (name, quantity) in part(whole).iter() {
            sum.insert(name.clone(), quantity.clone());
        }
    }
    for (name, quantity) in spec.overhead.iter() {
        if let Some(known) = sum.get_mut(name) {
            known.add(quantity);
        }
    }
    sum
}

fn add(sum: &mut Map<Quantity>, more: &Map<Quantity>) {
    for (name, quantity) in more.iter() {
        match sum.get_mut(name) {
            Some(known) => known.add(quantity),
            None => drop(sum.insert(name.clone(), quantity.clone())),
        }
    }
}

fn raise(sum: &mut Map<Quantity>, other: &Map<Quantity>) {
    for (name, quantity) in other.iter() {
        if sum.get(name).is_none_or(|known| known < quantity) {
            sum.insert(name.clone(), quantity.clone());
        }
    }
}

/// Whether the quota's scopes cover the object: a pod, or a claim by its class of attributes.
pub fn is_in_scope(quota: &ResourceQuota, object: &Object) -> bool {
    let selector = quota.spec.scope_selector.as_deref();
    let terms = selector.map(|selector| &*selector.match_expressions).unwrap_or_default();
    if quota.spec.scopes.is_empty() && terms.is_empty() {
        return true;
    }
    if let Some(claim) = object.get::<PersistentVolumeClaim>() {
        let is_ours = |scope: &str| scope == "VolumeAttributesClass";
        return quota
            .spec
            .scopes
            .iter()
            .all(|scope| is_ours(scope) && means_attributes(claim, "Exists", &[]))
            && terms.iter().all(|term| {
                is_ours(&term.scope_name) && means_attributes(claim, &term.operator, &term.values)
            });
    }
    let Some(pod) = object.get::<Pod>() else { return false };
    let class: &Str = &pod.spec.priority_class_name;
    let holds = |scope: &str| match scope {
        "Terminating" => pod.spec.active_deadline_seconds.is_some(),
        "NotTerminating" => pod.spec.active_deadline_seconds.is_none(),
        "BestEffort" => is_best_effort(&pod.spec),
        "NotBestEffort" => !is_best_effort(&pod.spec),
        "PriorityClass" => !class.is_empty(),
        "CrossNamespacePodAffinity" => crosses_namespaces(&pod.spec),
        _ => false,
    };
    quota.spec.scopes.iter().all(|scope| holds(scope))
        && terms.iter().all(|term| match (&*term.scope_name, &*term.operator) {
            ("PriorityClass", "In") => term.values.contains(class),
            ("PriorityClass", "NotIn") => !term.values.contains(class),
            (scope, "DoesNotExist") => !holds(scope),
            (scope, _) => holds(scope),
        })
}

/// Whether a claim has, wants or is being given a class of volume attributes that the term means.
fn means_attributes(claim: &PersistentVolumeClaim, operator: &str, values: &[Str]) -> bool {
    let status = &claim.status;
    let target = status.modify_volume_status.iter();
    let target = target.map(|modify| &modify.target_volume_attributes_class_name);
    let current = status.current_volume_attributes_class_name.iter();
    let mut names = claim
        .spec
        .volume_attributes_class_name
        .iter()
        .chain(current)
        .chain(target)
        .filter(|name| !name.is_empty());
    match operator {
        "In" => names.any(|name| values.contains(name)),
        "NotIn" => !names.any(|name| values.contains(name)),
        "DoesNotExist" => names.next().is_none(),
        _ => names.next().is_some(),
    }
}

/// Whether pod affinity of the pod looks into other namespaces.
fn crosses_namespaces(spec: &PodSpec) -> bool {
    let crosses =
        |term: &PodAffinityTerm| !term.namespaces.is_empty() || term.namespace_selector.is_some();
    let Some(affinity) = &spec.affinity else { return false };
    affinity.pod_affinity.iter().any(|near| {
        near.required_during_scheduling_ignored_during_execution.iter().any(crosses)
            || near
                .preferred_during_scheduling_ignored_during_execution
                .iter()
                .any(|weighted| crosses(&weighted.pod_affinity_term))
    }) || affinity.pod_anti_affinity.iter().any(|away| {
        away.required_during_scheduling_ignored_during_execution.iter().any(crosses)
            || away
                .preferred_during_scheduling_ignored_during_execution
                .iter()
                .any(|weighted| crosses(&weighted.pod_affinity_term))
    })
}

fn is_best_effort(spec: &PodSpec) -> bool {
    let none = |own: &ResourceRequirements| {
        let named = |map: &Map<Quantity>| map.contains_key("cpu") || map.contains_key("memory");
        !named(&own.requests) && !named(&own.limits)
    };
    spec.containers.iter().chain(&spec.init_containers).all(|container| none(&container.resources))
        && spec.resources.as_deref().is_none_or(none)
}
