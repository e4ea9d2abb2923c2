//! ResourceQuota: counts what a namespace uses before letting it use more.
//!
//! Models the quota admission plugin and its evaluators. What is freed is counted by the quota controller.
//!
//! Known deviations:
//! - Device claims are not counted.

use std::sync::Arc;

use api::Quantity;
use api::codec::Map;
use api::core::v1::*;
use api::object::{Kind, Object};
use api::wire::Subresource;
use base::{List, Str};

use crate::errors::{self, Refusal};
use crate::registry::{self, Row};
use crate::{ApiServer, Write};

/// Charges the quotas of the namespace with what `new` uses more than `old`, or refuses.
pub(super) fn charge(
    server: &mut ApiServer,
    write: &Write,
    row: &'static Row,
    old: Option<&Object>,
    new: &Object,
) -> Result<(), Refusal> {
    if !server.pods.has_quotas()
        || !row.info.namespaced
        || matches!(row.info.kind, "Event" | "Lease" | "ResourceQuota")
    {
        return Ok(());
    }
    let quota_row = registry::of(ResourceQuota::INFO).expect("registered");
    let mut quotas = server.objects(quota_row, new.namespace()).peekable();
    if quotas.peek().is_none() || (old.is_some() && !changes_use(new)) {
        return Ok(());
    }
    let quotas: Vec<Object> = quotas.cloned().collect();
    let delta = minus(usage(row, new), old.map(|old| usage(row, old)).unwrap_or_default());
    let mut charged = Vec::new();
    for object in &quotas {
        let Some(quota) = object.get::<ResourceQuota>() else { continue };
        if !in_scope(quota, new) {
            continue;
        }
        check_specified(row, quota, new)?;
        let touched: Vec<_> =
            delta.iter().filter(|(name, _)| quota.status.hard.contains_key(name)).collect();
        if touched.is_empty() {
            continue;
        }
        charged.push((object.clone(), check_room(row, quota, new, &touched)?));
    }
    if write.dry_run {
        return Ok(());
    }
    for (object, used) in charged {
        let mut new = object.clone();
        if let Some(quota) = new.edit_as::<ResourceQuota>() {
            Arc::make_mut(&mut quota.status).used = used;
        }
        let sub = Write { subresource: Subresource::Status, verb: "status", ..write.clone() };
        server.put(&sub, quota_row, Some(&object), new)?;
    }
    Ok(())
}

/// What the quota's use would be; refuses if it is more than the quota has.
fn check_room(
    row: &Row,
    quota: &ResourceQuota,
    new: &Object,
    touched: &[(&Str, &Quantity)],
) -> Result<Map<Quantity>, Refusal> {
    let mut used = quota.status.used.clone();
    let mut over: Vec<(&Str, &Quantity)> = Vec::new();
    for (name, more) in touched {
        let mut sum = used.get(name).cloned().unwrap_or_default();
        sum.add(more);
        let hard = quota.status.hard.get(name);
        if more.sign() > 0 && hard.is_some_and(|hard| sum > *hard) {
            over.push((name, more));
        }
        used.insert((*name).clone(), sum);
    }
    if over.is_empty() {
        return Ok(used);
    }
    let list = |value: &dyn Fn(&str) -> String| {
        over.iter().map(|(n, _)| format!("{n}={}", value(n))).collect::<Vec<_>>().join(",")
    };
    let of = |map: &Map<Quantity>, name: &str| {
        map.get(name).map(|q| q.to_string()).unwrap_or_else(|| "0".into())
    };
    let why = format!(
        "exceeded quota: {}, requested: {}, used: {}, limited: {}",
        quota.metadata.name,
        over.iter().map(|(n, q)| format!("{n}={q}")).collect::<Vec<_>>().join(","),
        list(&|name| of(&quota.status.used, name)),
        list(&|name| of(&quota.status.hard, name)),
    );
    Err(errors::forbidden(row.info, new.name(), &why))
}

/// A quota for cpu or memory wants every container to say how much it takes.
fn check_specified(row: &Row, quota: &ResourceQuota, new: &Object) -> Result<(), Refusal> {
    let Some(pod) = new.get::<Pod>() else { return Ok(()) };
    let mut missing: Vec<(Str, Vec<Str>)> = Vec::new();
    for (name, _) in quota.status.hard.iter() {
        let (resource, is_limit) = match name.as_str() {
            "cpu" | "requests.cpu" => ("cpu", false),
            "memory" | "requests.memory" => ("memory", false),
            "limits.cpu" => ("cpu", true),
            "limits.memory" => ("memory", true),
            _ => continue,
        };
        let whole = pod.spec.resources.as_deref();
        let has = |own: &ResourceRequirements| match is_limit {
            true => own.limits.contains_key(resource),
            false => own.requests.contains_key(resource),
        };
        if whole.is_some_and(has) {
            continue;
        }
        let containers = pod.spec.containers.iter().chain(&pod.spec.init_containers);
        let lacking = containers.filter(|container| !has(&container.resources));
        let names: Vec<Str> = lacking.map(|container| container.name.clone()).collect();
        if !names.is_empty() {
            missing.push((name.clone(), names));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let parts = missing.iter().map(|(resource, names)| {
        format!("{resource} for: {}", names.iter().map(Str::as_str).collect::<Vec<_>>().join(","))
    });
    let why = format!(
        "failed quota: {}: must specify {}",
        quota.metadata.name,
        parts.collect::<Vec<_>>().join("; ")
    );
    Err(errors::forbidden(row.info, new.name(), &why))
}

fn changes_use(new: &Object) -> bool {
    new.get::<Service>().is_some() || new.get::<PersistentVolumeClaim>().is_some()
}

fn minus(mut a: Map<Quantity>, b: Map<Quantity>) -> Map<Quantity> {
    for (name, quantity) in b.iter() {
        let mut left = a.get(name).cloned().unwrap_or_default();
        left.sub(quantity);
        a.insert(name.clone(), left);
    }
    a.retain(|_, quantity| !quantity.is_zero());
    a
}

/// What one object uses, under every name that a quota can have for it.
pub fn usage(row: &Row, object: &Object) -> Map<Quantity> {
    let one = Quantity::units(1);
    let mut used = Map::new();
    used.insert(format!("count/{}", row.info.resource()), one.clone());
    if let Some(pod) = object.get::<Pod>() {
        if matches!(pod.status.phase.as_str(), "Succeeded" | "Failed") {
            return used;
        }
        used.insert("pods", one);
        let (requests, limits) = pod_totals(&pod.spec);
        for (name, quantity) in requests.iter() {
            used.insert(format!("requests.{name}"), quantity.clone());
            if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
                used.insert(name.clone(), quantity.clone());
            }
        }
        for (name, quantity) in limits.iter() {
            used.insert(format!("limits.{name}"), quantity.clone());
        }
    } else if let Some(service) = object.get::<Service>() {
        used.insert("services", one.clone());
        let ports = Quantity::units(service.spec.ports.len() as i64);
        match service.spec.type_.as_str() {
            "NodePort" => {
                used.insert("services.nodeports", ports);
            }
            "LoadBalancer" => {
                used.insert("services.loadbalancers", one);
                if service.spec.allocate_load_balancer_node_ports != Some(false) {
                    used.insert("services.nodeports", ports);
                }
            }
            _ => {}
        }
    } else if let Some(claim) = object.get::<PersistentVolumeClaim>() {
        used.insert("persistentvolumeclaims", one.clone());
        let size = claim.spec.resources.requests.get("storage").cloned().unwrap_or_default();
        if let Some(class) = &claim.spec.storage_class_name {
            let prefix = format!("{class}.storageclass.storage.k8s.io/");
            used.insert(format!("{prefix}persistentvolumeclaims"), one);
            used.insert(format!("{prefix}requests.storage"), size.clone());
        }
        used.insert("requests.storage", size);
    } else if row.info.group.is_empty() {
        used.insert(row.info.plural, one);
    }
    used
}

/// The requests and limits of a whole pod: the containers together, or an init container where that asks for more.
pub(super) fn pod_totals(spec: &PodSpec) -> (Map<Quantity>, Map<Quantity>) {
    let total = |part: fn(&ResourceRequirements) -> &Map<Quantity>| {
        let mut sum: Map<Quantity> = Map::new();
        for container in &spec.containers {
            add_all(&mut sum, part(&container.resources));
        }
        let (mut sidecars, mut peak): (Map<Quantity>, Map<Quantity>) = (Map::new(), Map::new());
        for container in &spec.init_containers {
            let own = part(&container.resources);
            if container.restart_policy.as_deref() == Some("Always") {
                add_all(&mut sum, own);
                add_all(&mut sidecars, own);
                raise_all(&mut peak, &sidecars);
            } else {
                let mut together = sidecars.clone();
                add_all(&mut together, own);
                raise_all(&mut peak, &together);
            }
        }
        raise_all(&mut sum, &peak);
        if let Some(whole) = &spec.resources {
            for (name, quantity) in part(whole).iter() {
                sum.insert(name.clone(), quantity.clone());
            }
        }
        sum
    };
    let (mut requests, mut limits) = (total(|own| &own.requests), total(|own| &own.limits));
    add_all(&mut requests, &spec.overhead);
    for (name, quantity) in spec.overhead.iter() {
        if let Some(limit) = limits.get_mut(name) {
            limit.add(quantity);
        }
    }
    (requests, limits)
}

fn add_all(sum: &mut Map<Quantity>, more: &Map<Quantity>) {
    for (name, quantity) in more.iter() {
        match sum.get_mut(name) {
            Some(own) => own.add(quantity),
            None => {
                sum.insert(name.clone(), quantity.clone());
            }
        }
    }
}

fn raise_all(sum: &mut Map<Quantity>, other: &Map<Quantity>) {
    for (name, quantity) in other.iter() {
        if sum.get(name).is_none_or(|own| own < quantity) {
            sum.insert(name.clone(), quantity.clone());
        }
    }
}

/// Whether the quota's scopes cover the object: a pod, or a claim by its class of attributes.
pub fn in_scope(quota: &ResourceQuota, object: &Object) -> bool {
    let none = List::new();
    let expressions =
        quota.spec.scope_selector.as_deref().map_or(&none, |selector| &selector.match_expressions);
    if quota.spec.scopes.is_empty() && expressions.is_empty() {
        return true;
    }
    if let Some(claim) = object.get::<PersistentVolumeClaim>() {
        let is_ours = |scope: &str| scope == "VolumeAttributesClass";
        return quota
            .spec
            .scopes
            .iter()
            .all(|scope| is_ours(scope) && means_attributes(claim, "Exists", &[]))
            && expressions.iter().all(|term| {
                is_ours(&term.scope_name) && means_attributes(claim, &term.operator, &term.values)
            });
    }
    let Some(pod) = object.get::<Pod>() else { return false };
    let holds = |scope: &str| match scope {
        "Terminating" => pod.spec.active_deadline_seconds.is_some_and(|seconds| seconds >= 0),
        "NotTerminating" => pod.spec.active_deadline_seconds.is_none(),
        "BestEffort" => crate::qos::class_of(&pod.spec) == "BestEffort",
        "NotBestEffort" => crate::qos::class_of(&pod.spec) != "BestEffort",
        "PriorityClass" => !pod.spec.priority_class_name.is_empty(),
        "CrossNamespacePodAffinity" => crosses_namespaces(&pod.spec),
        _ => false,
    };
    let class = &pod.spec.priority_class_name;
    quota.spec.scopes.iter().all(|scope| holds(scope))
        && expressions.iter().all(|term| match (term.scope_name.as_str(), &*term.operator) {
            ("PriorityClass", "In") => term.values.contains(class),
            ("PriorityClass", "NotIn") => !term.values.contains(class),
            ("PriorityClass", "DoesNotExist") => class.is_empty(),
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
