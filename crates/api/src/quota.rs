//! What an object uses of a ResourceQuota, and which quotas are about it.
//!
//! Models the quota evaluators, which admission and the quota controller share.

use base::Str;

use crate::codec::Map;
use crate::core::v1::{
    PersistentVolumeClaim, Pod, PodAffinityTerm, PodSpec, ResourceQuota, ResourceRequirements,
    Service,
};
use crate::object::Object;
use crate::{Quantity, qos};

/// What one object uses, under every name that a quota can have for it. Pods that have ended use nothing but their
/// place.
pub fn usage(object: &Object) -> Map<Quantity> {
    let info = object.info();
    let mut used = Map::new();
    used.insert(format!("count/{}", info.resource()), one());
    if let Some(pod) = object.get::<Pod>() {
        if !matches!(&*pod.status.phase, "Succeeded" | "Failed") {
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
    let (requests, limits) = pod_totals(spec);
    for (name, quantity) in requests.iter() {
        used.insert(format!("requests.{name}"), quantity.clone());
        if matches!(&**name, "cpu" | "memory" | "ephemeral-storage")
            || name.starts_with("hugepages-")
        {
            used.insert(name.clone(), quantity.clone());
        }
    }
    for (name, quantity) in limits.iter() {
        used.insert(format!("limits.{name}"), quantity.clone());
    }
}

/// The requests and limits of a whole pod at its busiest: all containers together, or an init container with the
/// sidecars before it where that asks for more.
pub fn pod_totals(spec: &PodSpec) -> (Map<Quantity>, Map<Quantity>) {
    let (mut requests, mut limits) =
        (total(spec, |own| &own.requests), total(spec, |own| &own.limits));
    add(&mut requests, &spec.overhead);
    for (name, quantity) in spec.overhead.iter() {
        if let Some(limit) = limits.get_mut(name) {
            limit.add(quantity);
        }
    }
    (requests, limits)
}

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
            add(&mut sum, own);
            sidecars = together;
        }
    }
    raise(&mut sum, &peak);
    if let Some(whole) = &spec.resources {
        for (name, quantity) in part(whole).iter() {
            sum.insert(name.clone(), quantity.clone());
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
        "Terminating" => pod.spec.active_deadline_seconds.is_some_and(|seconds| seconds >= 0),
        "NotTerminating" => pod.spec.active_deadline_seconds.is_none(),
        "BestEffort" => qos::class_of(&pod.spec) == "BestEffort",
        "NotBestEffort" => qos::class_of(&pod.spec) != "BestEffort",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decode, Json, Kind};

    fn pod(spec: &str) -> Pod {
        let json = format!(r#"{{"metadata":{{"name":"p"}},"spec":{spec}}}"#);
        let json = Json::parse(json.as_bytes()).expect("JSON");
        let object = Object::decode(Pod::INFO, json, &mut Decode::new());
        object.get::<Pod>().expect("a pod").clone()
    }

    fn check(spec: &str, name: &str, expected: &str) {
        let used = usage(&pod(spec).into());
        assert_eq!(used.get(name).map(Quantity::to_string).as_deref(), Some(expected), "{name}");
    }

    #[test]
    fn a_pod_uses_what_its_containers_ask_for_together_and_what_running_it_takes() {
        let spec = r#"{"overhead": {"cpu": "10m", "memory": "1Mi"}, "containers": [
            {"name": "a", "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}}},
            {"name": "b", "resources": {"requests": {"cpu": "200m"}}}]}"#;
        check(spec, "pods", "1");
        check(spec, "cpu", "310m");
        check(spec, "requests.memory", "1Mi");
        check(spec, "limits.cpu", "1010m");
        assert!(!usage(&pod(spec).into()).contains_key("limits.memory"));
    }

    #[test]
    fn an_init_container_counts_with_the_sidecars_before_it() {
        let spec = r#"{"containers": [{"name": "a", "resources": {"requests": {"cpu": "1"}}}],
            "initContainers": [
            {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "2"}}},
            {"name": "i", "resources": {"requests": {"cpu": "5"}}}]}"#;
        check(spec, "requests.cpu", "7");
    }

    #[test]
    fn best_effort_is_what_asks_for_nothing_even_in_words() {
        let quota = |scope: &str| {
            let mut quota = ResourceQuota::default();
            std::sync::Arc::make_mut(&mut quota.spec).scopes.push(scope.into());
            quota
        };
        let zero = r#"{"containers": [{"name": "a", "resources": {"requests": {"cpu": "0"}}}]}"#;
        let some = r#"{"containers": [{"name": "a", "resources": {"requests": {"cpu": "1"}}}]}"#;
        for (spec, is_best_effort) in [(zero, true), (some, false)] {
            let object: Object = pod(spec).into();
            assert_eq!(is_in_scope(&quota("BestEffort"), &object), is_best_effort);
            assert_eq!(is_in_scope(&quota("NotBestEffort"), &object), !is_best_effort);
        }
    }
}
