//! `resource.k8s.io`: device classes, claims, their templates, and slices of devices.
//!
//! Models `pkg/apis/resource/validation` of Kubernetes.
//!
//! Known deviations:
//! - CEL expressions are checked for their length only.
//! - The request policies of capacities are not checked.

use api::resource::v1::*;
use api::{Json, Object, names};
use base::{HashSet, List, Str};

use super::check::{Errors, Raw, json};
use super::core::{resources, scheduling, volume};
use super::path::Path;

mod slice;

const LIST_MAX: usize = 32;
const TOLERATIONS_MAX: usize = 16;
const TEXT_MAX: usize = 10 * 1024;
const EFFECTS: &[&str] = &["NoExecute", "NoSchedule", "None"];

/// What is wrong with an object of the group besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    let at = Path::root("spec");
    if let Some(class) = object.get::<DeviceClass>() {
        self::class(e, &class.spec, &at);
    } else if let Some(claim) = object.get::<ResourceClaim>() {
        devices(e, &claim.spec.devices, &at.child("devices"));
    } else if let Some(template) = object.get::<ResourceClaimTemplate>() {
        let meta = &template.spec.metadata;
        e.labels(&at.child("metadata.labels"), &meta.labels);
        e.annotations(&at.child("metadata.annotations"), &meta.annotations);
        devices(e, &template.spec.spec.devices, &at.child("spec.devices"));
    } else if let Some(slice) = object.get::<ResourceSlice>() {
        slice::check(e, &slice.spec, &at);
    }
}

/// Checks each item of a list that may have `max` of them; names that come twice are told after all items.
fn each<T>(
    e: &mut Errors,
    list: &[T],
    max: usize,
    at: &Path,
    name: impl Fn(&T) -> Option<Str>,
    mut check: impl FnMut(&mut Errors, &T, &Path),
) {
    if list.len() > max {
        return e.too_many(at, list.len(), max);
    }
    for (i, item) in list.iter().enumerate() {
        check(e, item, &at.index(i));
    }
    let mut seen = HashSet::default();
    for (i, name) in list.iter().map(name).enumerate() {
        if let Some(name) = name
            && !seen.insert(name.clone())
        {
            e.duplicate(&at.index(i), &name);
        }
    }
}

fn class(e: &mut Errors, spec: &DeviceClassSpec, at: &Path) {
    selectors(e, &spec.selectors, &at.child("selectors"));
    each(
        e,
        &spec.config,
        LIST_MAX,
        &at.child("config"),
        |_| None,
        |e, config, at| {
            opaque(e, config.opaque.as_deref(), at);
        },
    );
    if let Some(name) = &spec.extended_resource_name
        && !resources::is_extended(name)
    {
        let why = "must be a valid extended resource name";
        e.invalid(&at.child("extendedResourceName"), name, why);
    }
}

fn selectors(e: &mut Errors, list: &List<DeviceSelector>, at: &Path) {
    each(
        e,
        list,
        LIST_MAX,
        at,
        |_| None,
        |e, selector, at| match &selector.cel {
            None => e.required(&at.child("cel"), ""),
            Some(cel) if cel.expression.len() > TEXT_MAX => {
                e.too_long(&at.child("cel.expression"), TEXT_MAX);
            }
            Some(_) => {}
        },
    );
}

fn opaque(e: &mut Errors, opaque: Option<&OpaqueDeviceConfiguration>, at: &Path) {
    let at = at.child("opaque");
    let Some(opaque) = opaque else { return e.required(&at, "") };
    volume::driver_name(e, &opaque.driver, &at.child("driver"));
    let at = at.child("parameters");
    match &opaque.parameters {
        Json::Null => e.required(&at, ""),
        Json::Object(_) if json(&opaque.parameters).0.len() > TEXT_MAX => {
            e.too_long(&at, TEXT_MAX);
        }
        Json::Object(_) => {}
        _ => e.invalid(&at, "<value omitted>", "must be a valid JSON object"),
    }
}

/// What is asked for.
fn devices(e: &mut Errors, claim: &DeviceClaim, at: &Path) {
    let list = at.child("requests");
    each(e, &claim.requests, LIST_MAX, &list, |r| Some(r.name.clone()), request);
    each(
        e,
        &claim.constraints,
        LIST_MAX,
        &at.child("constraints"),
        |_| None,
        |e, one, at| {
            references(e, &one.requests, claim, at);
            if let Some(name) = &one.match_attribute {
                full_name(e, name, &at.child("matchAttribute"));
            } else if let Some(name) = &one.distinct_attribute {
                full_name(e, name, &at.child("distinctAttribute"));
            } else {
                let why = "exactly one of \"matchAttribute\" or \"distinctAttribute\" is required, but \
                       multiple fields are set";
                e.required(at, why);
            }
        },
    );
    each(
        e,
        &claim.config,
        LIST_MAX,
        &at.child("config"),
        |_| None,
        |e, config, at| {
            references(e, &config.requests, claim, at);
            opaque(e, config.opaque.as_deref(), at);
        },
    );
}

fn request(e: &mut Errors, request: &DeviceRequest, at: &Path) {
    const ONE: &str = "exactly one of `exactly` or `firstAvailable` is required";
    e.label_name(&at.child("name"), &request.name);
    match (&request.exactly, request.first_available.is_empty()) {
        (None, true) => e.required(at, ONE),
        (Some(_), false) => {
            e.invalid(at, &Raw("null".into()), &format!("{ONE}, but multiple fields are set"));
        }
        (Some(exact), true) => {
            let at = at.child("exactly");
            class_name(e, &exact.device_class_name, &at.child("deviceClassName"));
            selectors(e, &exact.selectors, &at.child("selectors"));
            count(e, &exact.allocation_mode, exact.count, &at);
            tolerations(e, &exact.tolerations, &at.child("tolerations"));
        }
        (None, false) => {
            let (list, max) = (at.child("firstAvailable"), 8);
            let name = |one: &DeviceSubRequest| Some(one.name.clone());
            each(e, &request.first_available, max, &list, name, |e, one, at| {
                e.label_name(&at.child("name"), &one.name);
                class_name(e, &one.device_class_name, &at.child("deviceClassName"));
                selectors(e, &one.selectors, &at.child("selectors"));
                count(e, &one.allocation_mode, one.count, at);
                tolerations(e, &one.tolerations, &at.child("tolerations"));
            });
        }
    }
}

fn class_name(e: &mut Errors, name: &str, at: &Path) {
    match name {
        "" => e.required(at, ""),
        name => e.subdomain(at, name),
    }
}

fn count(e: &mut Errors, mode: &Str, count: i64, at: &Path) {
    match mode.as_str() {
        "All" if count != 0 => {
            let why = "must not be specified when allocationMode is 'All'";
            e.invalid(&at.child("count"), &count, why);
        }
        "ExactCount" if count <= 0 => {
            e.invalid(&at.child("count"), &count, "must be greater than zero");
        }
        "All" | "ExactCount" => {}
        _ => e.unsupported(&at.child("allocationMode"), mode, &["All", "ExactCount"]),
    }
}

fn tolerations(e: &mut Errors, list: &List<DeviceToleration>, at: &Path) {
    each(
        e,
        list,
        TOLERATIONS_MAX,
        at,
        |_| None,
        |e, one, at| {
            if !one.key.is_empty() {
                e.qualified(&at.child("key"), &one.key);
            }
            let value = at.child("value");
            match one.operator.as_str() {
                "Exists" if !one.value.is_empty() => {
                    e.invalid(&value, &one.value, "must be empty for operator `Exists`");
                }
                "Exists" => {}
                "Equal" => e.complaints(&value, &one.value, names::label_value(&one.value)),
                other => e.one_of(&at.child("operator"), other, &["Equal", "Exists"]),
            }
            if !one.effect.is_empty() {
                e.one_of(&at.child("effect"), &one.effect, EFFECTS);
            }
        },
    );
}

/// Names of requests: `request` or `request/subrequest`.
fn references(e: &mut Errors, list: &List<Str>, claim: &DeviceClaim, at: &Path) {
    let list_at = at.child("requests");
    each(
        e,
        list,
        LIST_MAX,
        &list_at,
        |name| Some(name.clone()),
        |e, name, at| {
            reference(e, name, claim, at);
        },
    );
}

fn reference(e: &mut Errors, name: &str, claim: &DeviceClaim, at: &Path) {
    let words: Vec<&str> = name.split('/').collect();
    if words.len() <= 2 {
        words.iter().for_each(|word| e.label_name(at, word));
    }
    let known = claim.requests.iter().any(|request| match words.as_slice() {
        [one] => request.name == *one,
        [one, inner] => {
            request.name == *one && request.first_available.iter().any(|sub| sub.name == *inner)
        }
        _ => false,
    });
    if !known {
        let why = "must be the name of a request in the claim or the name of a request and a \
                   subrequest separated by '/'";
        e.invalid(at, name, why);
    }
}

/// `name` or `domain/name`.
fn device_name(e: &mut Errors, name: &str, at: &Path) {
    let identifier = |e: &mut Errors, id: &str| {
        if id.len() > 32 {
            e.too_long(at, 32);
        }
        e.complaints(at, id, names::c_identifier(id));
    };
    match name.split('/').collect::<Vec<_>>().as_slice() {
        [id] => identifier(e, id),
        [domain, id] => {
            match *domain {
                "" => e.invalid(at, "", "the domain must not be empty"),
                domain => volume::driver_name(e, domain, at),
            }
            match *id {
                "" => e.invalid(at, "", "the name must not be empty"),
                id => identifier(e, id),
            }
        }
        _ => e.invalid(at, name, "must not contain more than one slash"),
    }
}

fn full_name(e: &mut Errors, name: &str, at: &Path) {
    device_name(e, name, at);
    if !name.contains('/') {
        let why = "a fully qualified name must be a domain and a name separated by a slash";
        e.invalid(at, name, why);
    }
}

fn pool_name(e: &mut Errors, name: &str, at: &Path) {
    match name {
        "" => return e.required(at, ""),
        name if name.len() > 253 => e.too_long(at, 253),
        _ => {}
    }
    name.split('/').for_each(|part| e.subdomain(at, part));
}

/// What a claim's status may not say.
pub fn status(e: &mut Errors, new: &ResourceClaim, old: &ResourceClaim) {
    let (status, at) = (&new.status, Path::root("status"));
    let list = at.child("reservedFor");
    each(
        e,
        &status.reserved_for,
        256,
        &list,
        |user| Some(user.uid.clone()),
        |e, user, at| {
            for (name, value) in
                [("resource", &user.resource), ("name", &user.name), ("uid", &user.uid)]
            {
                if value.is_empty() {
                    e.required(&at.child(name), "");
                }
            }
        },
    );
    if !status.reserved_for.is_empty() && status.allocation.is_none() {
        e.forbidden(&list, "may not be specified when `allocated` is not set");
    } else if new.metadata.deletion_timestamp.is_some()
        && status.reserved_for.iter().any(|user| !old.status.reserved_for.contains(user))
    {
        let why = "new entries may not be added while `deallocationRequested` or \
                   `deletionTimestamp` are set";
        e.forbidden(&list, why);
    }
    let at = at.child("allocation");
    match (&status.allocation, &old.status.allocation) {
        (Some(now), Some(before)) => e.immutable(&at, &**now, &**before),
        (Some(now), None) => allocation(e, now, &new.spec.devices, &at),
        _ => {}
    }
}

fn allocation(e: &mut Errors, given: &AllocationResult, claim: &DeviceClaim, at: &Path) {
    let list = at.child("devices.results");
    each(
        e,
        &given.devices.results,
        LIST_MAX,
        &list,
        |_| None,
        |e, result, at| {
            reference(e, &result.request, claim, &at.child("request"));
            volume::driver_name(e, &result.driver, &at.child("driver"));
            pool_name(e, &result.pool, &at.child("pool"));
            e.label_name(&at.child("device"), &result.device);
            tolerations(e, &result.tolerations, &at.child("tolerations"));
        },
    );
    let list = at.child("devices.config");
    each(
        e,
        &given.devices.config,
        2 * LIST_MAX,
        &list,
        |_| None,
        |e, config, at| {
            e.one_of(&at.child("source"), &config.source, &["FromClaim", "FromClass"]);
            references(e, &config.requests, claim, at);
            opaque(e, config.opaque.as_deref(), at);
        },
    );
    if let Some(selector) = &given.node_selector {
        scheduling::node_selector(e, selector, &at.child("nodeSelector"));
    }
}
