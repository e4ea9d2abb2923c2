//! The devices that a driver has on a node or for several.

use api::names;
use api::resource::v1::*;

use super::super::check::{Errors, Raw, json};
use super::super::core::scheduling;
use super::super::path::Path;
use super::{EFFECTS, device_name, each, pool_name, volume};

const VALUE_MAX: usize = 64;
const ENTRIES_MAX: usize = 32;

/// What is wrong with a slice.
pub fn check(e: &mut Errors, spec: &ResourceSliceSpec, at: &Path) {
    volume::driver_name(e, &spec.driver, &at.child("driver"));
    pool(e, &spec.pool, &at.child("pool"));
    let mut set = Vec::new();
    nodes(e, spec.node_name.as_deref(), "must be either unset or set to a non-empty string", at)
        .then(|| set.push("`nodeName`"));
    if let Some(selector) = &spec.node_selector {
        set.push("`nodeSelector`");
        let at = at.child("nodeSelector");
        scheduling::node_selector(e, selector, &at);
        if selector.node_selector_terms.len() != 1 {
            let why = "must have exactly one node selector term";
            e.invalid(&at.child("nodeSelectorTerms"), &json(&selector.node_selector_terms), why);
        }
    }
    flag(e, spec.all_nodes, &at.child("allNodes")).then(|| set.push("`allNodes`"));
    let apart = spec.per_device_node_selection;
    flag(e, apart, &at.child("perDeviceNodeSelection"))
        .then(|| set.push("`perDeviceNodeSelection`"));
    let why = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is \
               required";
    match set.len() {
        0 => e.required(at, why),
        1 => {}
        _ => {
            let given = format!("{{{}}}", set.join(", "));
            e.invalid(at, &given[..], &format!("{why}, but multiple fields are set"));
        }
    }
    if !spec.shared_counters.is_empty() && !spec.devices.is_empty() {
        e.invalid(at, "", "only one of `sharedCounters` or `devices` is allowed");
    }
    let advanced = |device: &Device| {
        let lists = |a: &DeviceAttribute| {
            let empty = a.bools.is_empty() && a.ints.is_empty() && a.strings.is_empty();
            !(empty && a.versions.is_empty())
        };
        !device.taints.is_empty()
            || !device.consumes_counters.is_empty()
            || device.attributes.values().any(lists)
    };
    let max = if spec.devices.iter().any(advanced) { 64 } else { 128 };
    let name = |device: &Device| Some(device.name.clone());
    each(e, &spec.devices, max, &at.child("devices"), name, |e, device, at| {
        self::device(e, device, apart == Some(true), at);
    });
    let name = |set: &CounterSet| Some(set.name.clone());
    each(e, &spec.shared_counters, 8, &at.child("sharedCounters"), name, |e, set, at| {
        counters(e, "name", &set.name, &set.counters, at);
    });
}

fn pool(e: &mut Errors, pool: &ResourcePool, at: &Path) {
    pool_name(e, &pool.name, &at.child("name"));
    if pool.resource_slice_count <= 0 {
        let at = at.child("resourceSliceCount");
        e.invalid(&at, &pool.resource_slice_count, "must be greater than zero");
    }
    if pool.generation < 0 {
        let why = "must be greater than or equal to zero";
        e.invalid(&at.child("generation"), &pool.generation, why);
    }
}

/// Whether a node is named.
fn nodes(e: &mut Errors, name: Option<&str>, empty: &str, at: &Path) -> bool {
    match name {
        None => false,
        Some("") => {
            e.invalid(&at.child("nodeName"), "", empty);
            false
        }
        Some(name) => {
            e.subdomain(&at.child("nodeName"), name);
            true
        }
    }
}

/// Whether a flag is set; it may not be set to false.
fn flag(e: &mut Errors, flag: Option<bool>, at: &Path) -> bool {
    if flag == Some(false) {
        e.invalid(at, &false, "must be either unset or set to true");
    }
    flag == Some(true)
}

fn counters(e: &mut Errors, field: &str, name: &str, counters: &api::Map<Counter>, at: &Path) {
    match name {
        "" => e.required(&at.child(field), ""),
        name => e.label_name(&at.child(field), name),
    }
    let at = at.child("counters");
    match counters.len() {
        0 => e.required(&at, ""),
        n if n > ENTRIES_MAX => e.too_many(&at, n, ENTRIES_MAX),
        _ => counters.keys().for_each(|key| e.label_name(&at, key)),
    }
}

fn device(e: &mut Errors, device: &Device, apart: bool, at: &Path) {
    e.label_name(&at.child("name"), &device.name);
    let entries = device.attributes.len() + device.capacity.len();
    if entries > ENTRIES_MAX {
        let why =
            format!("the total number of attributes and capacities must not exceed {ENTRIES_MAX}");
        e.invalid(at, &(entries as i64), &why);
    }
    let list = at.child("attributes");
    for (name, attribute) in device.attributes.iter() {
        let at = list.key(name);
        device_name(e, name, &at);
        self::attribute(e, attribute, &at);
    }
    let list = at.child("capacity");
    for (name, capacity) in device.capacity.iter() {
        let at = list.key(name);
        device_name(e, name, &at);
        if capacity.request_policy.is_some() && device.allow_multiple_allocations != Some(true) {
            e.forbidden(&at.child("requestPolicy"), "allowMultipleAllocations must be true");
        }
    }
    each(
        e,
        &device.taints,
        16,
        &at.child("taints"),
        |_| None,
        |e, taint, at| {
            e.qualified(&at.child("key"), &taint.key);
            e.complaints(&at.child("value"), &taint.value, names::label_value(&taint.value));
            e.one_of(&at.child("effect"), &taint.effect, EFFECTS);
        },
    );
    let name = |one: &DeviceCounterConsumption| Some(one.counter_set.clone());
    each(e, &device.consumes_counters, 2, &at.child("consumesCounters"), name, |e, one, at| {
        counters(e, "counterSet", &one.counter_set, &one.counters, at);
    });
    own_nodes(e, device, apart, at);
}

/// A device says where it is only in a slice that leaves it to its devices.
fn own_nodes(e: &mut Errors, device: &Device, apart: bool, at: &Path) {
    if !apart {
        if device.node_name.is_some()
            || device.node_selector.is_some()
            || device.all_nodes.is_some()
        {
            let why = "`nodeName`, `nodeSelector` and `allNodes` can only be set if \
                       `perDeviceNodeSelection` is set to true in the ResourceSlice spec";
            e.invalid(at, &Raw("null".into()), why);
        }
        return;
    }
    let mut set = Vec::new();
    nodes(e, device.node_name.as_deref(), "must not be empty", at).then(|| set.push("`nodeName`"));
    if let Some(selector) = &device.node_selector {
        set.push("`nodeSelector`");
        scheduling::node_selector(e, selector, &at.child("nodeSelector"));
    }
    flag(e, device.all_nodes, &at.child("allNodes")).then(|| set.push("`allNodes`"));
    let why = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when \
               `perDeviceNodeSelection` is set to true in the ResourceSlice spec";
    match set.len() {
        0 => e.required(at, why),
        1 => {}
        _ => e.invalid(at, &format!("{{{}}}", set.join(", "))[..], why),
    }
}

fn attribute(e: &mut Errors, given: &DeviceAttribute, at: &Path) {
    if given.string.as_ref().is_some_and(|text| text.len() > VALUE_MAX) {
        e.too_long(&at.child("string"), VALUE_MAX);
    }
    if let Some(version) = &given.version {
        let at = at.child("version");
        if !is_semver(version) {
            e.invalid(&at, version, "must be a string compatible with semver.org spec 2.0.0");
        }
        if version.len() > VALUE_MAX {
            e.too_long(&at, VALUE_MAX);
        }
    }
    let set = [
        given.bool.is_some(),
        given.int.is_some(),
        given.string.is_some(),
        given.version.is_some(),
        !given.bools.is_empty(),
        !given.ints.is_empty(),
        !given.strings.is_empty(),
        !given.versions.is_empty(),
    ];
    match set.iter().filter(|is_set| **is_set).count() {
        0 => e.invalid(at, "", "exactly one value must be specified"),
        1 => {}
        _ => e.invalid(at, &json(given), "exactly one value must be specified"),
    }
}

/// `1.2.3`, perhaps with `-pre.release` and `+build`.
fn is_semver(text: &str) -> bool {
    let (text, build) = text.split_once('+').map_or((text, None), |(t, build)| (t, Some(build)));
    let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
    let is_number = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits && (part == "0" || !part.starts_with('0'))
    };
    let is_word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_pre = |part: &str| {
        is_word(part) && (is_number(part) || !part.bytes().all(|b| b.is_ascii_digit()))
    };
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && pre.is_none_or(|pre| pre.split('.').all(is_pre))
        && build.is_none_or(|build| build.split('.').all(is_word))
}

#[cfg(test)]
mod tests {
    use super::is_semver;

    #[test]
    fn versions_have_three_numbers() {
        for good in ["1.2.3", "0.0.0-alpha.1", "1.0.0+build.5", "1.0.0--x+y"] {
            assert!(is_semver(good), "{good}");
        }
        for bad in ["1", "1.2", "01.2.3", "1.2.3-01", "1.2.3+", "1.2.x", ""] {
            assert!(!is_semver(bad), "{bad}");
        }
    }
}
