//! LimitRanger: default requests and limits, and the bounds that a namespace sets.
//!
//! Known deviations:
//! - A pod is checked when it is created, not when it is resized.

use std::sync::Arc;

use api::Quantity;
use api::codec::Map;
use api::core::v1::*;
use api::object::{Kind, Object};

use crate::ApiServer;
use crate::errors::{self, Refusal};
use crate::registry;

fn ranges(server: &ApiServer, namespace: &str) -> Vec<Arc<LimitRangeSpec>> {
    if !server.pods.has_limits() {
        return Vec::new();
    }
    let row = registry::of(LimitRange::INFO).expect("registered");
    let ranges = server.objects(row, namespace).filter_map(|object| object.get::<LimitRange>());
    ranges.map(|range| range.spec.clone()).collect()
}

/// Gives the containers of a pod the namespace's default requests and limits.
pub(super) fn admit_pod(server: &ApiServer, object: &mut Object) -> Result<(), Refusal> {
    let ranges = ranges(server, object.namespace());
    let Some(pod) = object.edit_as::<Pod>().filter(|_| !ranges.is_empty()) else { return Ok(()) };
    let (mut limits, mut requests) = (Map::new(), Map::new());
    for item in ranges.iter().flat_map(|range| &range.limits).filter(|i| i.type_ == "Container") {
        merge(&mut limits, &item.default_);
        merge(&mut requests, &item.default_request);
    }
    let mut notes = Vec::new();
    let spec = pod.spec.edit();
    for container in spec.containers.iter_mut() {
        fill(container, "container", &limits, &requests, &mut notes);
    }
    for container in spec.init_containers.iter_mut() {
        fill(container, "init container", &limits, &requests, &mut notes);
    }
    if !notes.is_empty() {
        let note = format!("LimitRanger plugin set: {}", notes.join("; "));
        let meta = Arc::make_mut(&mut pod.metadata);
        meta.annotations.insert("kubernetes.io/limit-ranger", note.into());
    }
    Ok(())
}

fn merge(into: &mut Map<Quantity>, from: &Map<Quantity>) {
    for (name, quantity) in from.iter() {
        into.insert(name.clone(), quantity.clone());
    }
}

fn fill(
    container: &mut Container,
    what: &str,
    limits: &Map<Quantity>,
    requests: &Map<Quantity>,
    notes: &mut Vec<String>,
) {
    let name = container.name.clone();
    let own = &mut container.resources;
    for (given, defaults, word) in
        [(&mut own.requests, requests, "request"), (&mut own.limits, limits, "limit")]
    {
        let missing: Vec<_> = defaults.iter().filter(|(key, _)| !given.contains_key(key)).collect();
        for (key, quantity) in &missing {
            given.insert((*key).clone(), (*quantity).clone());
        }
        if !missing.is_empty() {
            let keys: Vec<&str> = missing.iter().map(|(key, _)| key.as_str()).collect();
            notes.push(format!("{} {word} for {what} {name}", keys.join(", ")));
        }
    }
}

/// Refuses pods and claims outside the bounds.
pub(super) fn validate(server: &ApiServer, object: &Object) -> Result<(), Refusal> {
    let is_pod = object.get::<Pod>().is_some();
    if !is_pod && object.get::<PersistentVolumeClaim>().is_none() {
        return Ok(());
    }
    let mut wrong = Vec::new();
    for item in ranges(server, object.namespace()).iter().flat_map(|range| &range.limits) {
        if let Some(pod) = object.get::<Pod>() {
            match item.type_.as_str() {
                "Container" => {
                    let containers = pod.spec.containers.iter().chain(&pod.spec.init_containers);
                    for container in containers {
                        let own = &container.resources;
                        check(item, &own.requests, &own.limits, &mut wrong);
                    }
                }
                "Pod" => {
                    let (requests, limits) = api::quota::pod_totals(&pod.spec);
                    check(item, &requests, &limits, &mut wrong);
                }
                _ => {}
            }
        } else if let Some(claim) = object.get::<PersistentVolumeClaim>()
            && item.type_ == "PersistentVolumeClaim"
        {
            check_claim(item, claim, &mut wrong);
        }
    }
    match wrong.as_slice() {
        [] => Ok(()),
        [one] => Err(errors::forbidden(object.info(), object.name(), one)),
        many => {
            let list = format!("[{}]", many.join(", "));
            Err(errors::forbidden(object.info(), object.name(), &list))
        }
    }
}

fn check(
    item: &LimitRangeItem,
    requests: &Map<Quantity>,
    limits: &Map<Quantity>,
    wrong: &mut Vec<String>,
) {
    let what = &item.type_;
    for (name, min) in item.min.iter() {
        match (requests.get(name), limits.get(name)) {
            (None, _) => wrong.push(format!(
                "minimum {name} usage per {what} is {min}.  No request is specified"
            )),
            (Some(request), _) if request < min => wrong.push(format!(
                "minimum {name} usage per {what} is {min}, but request is {request}"
            )),
            (_, Some(limit)) if limit < min => wrong
                .push(format!("minimum {name} usage per {what} is {min}, but limit is {limit}")),
            _ => {}
        }
    }
    for (name, max) in item.max.iter() {
        match (requests.get(name), limits.get(name)) {
            (_, None) => wrong
                .push(format!("maximum {name} usage per {what} is {max}.  No limit is specified")),
            (_, Some(limit)) if limit > max => wrong
                .push(format!("maximum {name} usage per {what} is {max}, but limit is {limit}")),
            (Some(request), _) if request > max => wrong.push(format!(
                "maximum {name} usage per {what} is {max}, but request is {request}"
            )),
            _ => {}
        }
    }
    for (name, ratio) in item.max_limit_request_ratio.iter() {
        let (Some(request), Some(limit)) = (requests.get(name), limits.get(name)) else {
            wrong.push(format!(
                "{name} max limit to request ratio per {what} is {ratio}, but no request is specified or request is 0"
            ));
            continue;
        };
        let given = limit.as_f64() / request.as_f64().max(f64::MIN_POSITIVE);
        if given > ratio.as_f64() {
            wrong.push(format!(
                "{name} max limit to request ratio per {what} is {ratio}, but provided ratio is {given:.6}"
            ));
        }
    }
}

fn check_claim(item: &LimitRangeItem, claim: &PersistentVolumeClaim, wrong: &mut Vec<String>) {
    let requests = &claim.spec.resources.requests;
    for (name, min) in item.min.iter() {
        if let Some(request) = requests.get(name).filter(|request| *request < min) {
            wrong.push(format!(
                "minimum {name} usage per PersistentVolumeClaim is {min}, but request is {request}"
            ));
        }
    }
    for (name, max) in item.max.iter() {
        if let Some(request) = requests.get(name).filter(|request| *request > max) {
            wrong.push(format!(
                "maximum {name} usage per PersistentVolumeClaim is {max}, but request is {request}"
            ));
        }
    }
}
