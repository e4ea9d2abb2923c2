//! ResourceQuota: counts what a namespace uses before letting it use more.
//!
//! Models the quota admission plugin. What is freed is counted by the quota controller; both count as [`quota`] does.
//!
//! Known deviations:
//! - Device claims are not counted.

use std::sync::Arc;

use api::Quantity;
use api::codec::Map;
use api::core::v1::*;
use api::object::{Kind, Object};
use api::quota;
use api::wire::Subresource;
use base::Str;

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
    let delta = minus(quota::usage(new), old.map(quota::usage).unwrap_or_default());
    let mut charged = Vec::new();
    for object in &quotas {
        let Some(quota) = object.get::<ResourceQuota>() else { continue };
        if !quota::is_in_scope(quota, new) {
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
