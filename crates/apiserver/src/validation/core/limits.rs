//! Limit ranges and quotas.
//!
//! Models `ValidateLimitRange` and `ValidateResourceQuota`.
//!
//! Known deviations: none.

use api::Quantity;
use api::codec::Map;
use api::core::v1::{LimitRange, LimitRangeItem, ResourceQuota, ScopedResourceSelectorRequirement};
use base::{HashSet, Str};

use super::resources;
use crate::validation::check::{Errors, json_list};
use crate::validation::path::Path;

const TYPES: &[&str] = &["Pod", "Container", "PersistentVolumeClaim"];

/// A limit range besides its metadata.
pub fn limit_range(e: &mut Errors, range: &LimitRange) {
    let list = Path::root("spec.limits");
    let mut seen = HashSet::default();
    for (i, item) in range.spec.limits.iter().enumerate() {
        let at = list.index(i);
        let kind = at.child("type");
        let before = e.len();
        e.qualified(&kind, &item.type_);
        if e.len() == before && !item.type_.contains('/') && !TYPES.contains(&item.type_.as_str()) {
            e.invalid(&kind, &item.type_, "must be a standard limit type or fully qualified");
        }
        if !seen.insert(&item.type_) {
            e.duplicate(&kind, &item.type_);
        }
        one_type(e, item, &at);
    }
}

fn one_type(e: &mut Errors, item: &LimitRangeItem, at: &Path) {
    let mut names: base::BTreeMap<&Str, ()> = base::BTreeMap::new();
    for (field, list) in [("max", &item.max), ("min", &item.min)] {
        for name in list.keys() {
            resource_name(e, &item.type_, name, &at.child(field).key(name));
            names.insert(name, ());
        }
    }
    if item.type_ == "Pod" {
        if !item.default_.is_empty() {
            e.forbidden(&at.child("default"), "may not be specified when `type` is 'Pod'");
        }
        if !item.default_request.is_empty() {
            e.forbidden(&at.child("defaultRequest"), "may not be specified when `type` is 'Pod'");
        }
    } else {
        for (field, list) in
            [("default", &item.default_), ("defaultRequest", &item.default_request)]
        {
            for name in list.keys() {
                resource_name(e, &item.type_, name, &at.child(field).key(name));
                names.insert(name, ());
            }
        }
    }
    if item.type_ == "PersistentVolumeClaim" {
        let given = item.min.contains_key("storage") || item.max.contains_key("storage");
        if !given {
            e.required(
                at,
                "either minimum or maximum storage value is required, but neither was provided",
            );
        }
    }
    for name in item.max_limit_request_ratio.keys() {
        resource_name(e, &item.type_, name, &at.child("maxLimitRequestRatio").key(name));
        names.insert(name, ());
    }
    for name in names.into_keys() {
        order(e, item, name, at);
    }
}

fn resource_name(e: &mut Errors, kind: &str, name: &str, at: &Path) {
    match kind {
        "Pod" | "Container" => {
            resources::name(e, name, at);
            let standard = matches!(name, "cpu" | "memory" | "ephemeral-storage")
                || name.starts_with("hugepages-");
            if !name.contains('/') && !standard {
                e.invalid(at, name, "must be a standard resource for containers");
            }
        }
        _ => drop(resources::name(e, name, at)),
    }
}

/// min ≤ defaultRequest ≤ default ≤ max.
fn order(e: &mut Errors, item: &LimitRangeItem, name: &Str, at: &Path) {
    let of = |list: &Map<Quantity>| list.get(name).cloned();
    let min = (of(&item.min), "min value");
    let max = (of(&item.max), "max value");
    let request = (of(&item.default_request), "default request value");
    let limit = (of(&item.default_), "default limit value");
    let default = (of(&item.default_), "default value");
    // The smaller, the greater, the field that is told, and whether it is the smaller that is shown.
    let rules = [
        (&min, &max, "min", true),
        (&min, &request, "defaultRequest", false),
        (&request, &max, "defaultRequest", true),
        (&request, &limit, "defaultRequest", true),
        (&min, &default, "default", true),
        (&default, &max, "default", false),
    ];
    for ((low, low_word), (high, high_word), field, shows_low) in rules {
        let (Some(low), Some(high)) = (low, high) else { continue };
        if low > high {
            let why = format!("{low_word} {low} is greater than {high_word} {high}");
            e.invalid(&at.child(field).key(name), if shows_low { low } else { high }, &why);
        }
    }
    let Some(ratio) = of(&item.max_limit_request_ratio) else { return };
    let at = at.child("maxLimitRequestRatio");
    if ratio < Quantity::units(1) {
        e.invalid(&at.key(name), &ratio, &format!("ratio {ratio} is less than 1"));
    }
    if let (Some(min), Some(max)) = (&min.0, &max.0) {
        let most = max.as_f64() / min.as_f64();
        if ratio.as_f64() > most {
            let why = format!("ratio {ratio} is greater than max/min = {most:.6}");
            e.invalid(&at.key(name), &ratio, &why);
        }
    }
}

const SCOPES: &[&str] = &[
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
];

/// A quota besides its metadata.
pub fn quota(e: &mut Errors, quota: &ResourceQuota) {
    let (spec, at) = (&quota.spec, Path::root("spec"));
    let hard = at.child("hard");
    for (name, value) in spec.hard.iter() {
        let at = hard.key(name);
        quota_name(e, name, &at);
        resources::amount(e, name, value, &at);
    }
    scopes(e, quota, &at.child("scopes"));
    let Some(selector) = &spec.scope_selector else { return };
    let list = at.child("scopeSelector").child("matchExpressions").text();
    for (i, one) in selector.match_expressions.iter().enumerate() {
        scope(e, one, &Path::root(&list).index(i));
    }
}

fn quota_name(e: &mut Errors, name: &str, at: &Path) {
    let before = e.len();
    e.qualified(at, name);
    if e.len() > before {
        return;
    }
    let counted = name.strip_prefix("count/").is_some();
    let huge = name.strip_prefix("requests.").unwrap_or(name).starts_with("hugepages-");
    let known = QUOTA.contains(&name) || huge || counted;
    if !name.contains('/') && !known {
        e.invalid(at, name, "must be a standard resource for quota");
    }
}

const QUOTA: &[&str] = &[
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];

fn scopes(e: &mut Errors, quota: &ResourceQuota, at: &Path) {
    let scopes = &quota.spec.scopes;
    for scope in scopes.iter() {
        if !SCOPES.contains(&scope.as_str()) {
            e.invalid(at, &json_list(scopes), "unsupported scope");
        }
        let fits = |name: &Str| match scope.as_str() {
            "BestEffort" => name == "pods",
            _ => {
                matches!(name.as_str(), "pods")
                    || ["cpu", "memory", "requests.", "limits.", "ephemeral"]
                        .iter()
                        .any(|start| name.starts_with(start))
            }
        };
        for _ in quota.spec.hard.keys().filter(|name| !name.contains('/') && !fits(name)) {
            let why = "unsupported scope applied to resource";
            e.invalid(at, &json_list(scopes), why);
        }
    }
    let both = |a: &str, b: &str| {
        scopes.iter().any(|scope| scope == a) && scopes.iter().any(|scope| scope == b)
    };
    if both("BestEffort", "NotBestEffort") || both("Terminating", "NotTerminating") {
        e.invalid(at, &json_list(scopes), "conflicting scopes");
    }
}

fn scope(e: &mut Errors, one: &ScopedResourceSelectorRequirement, at: &Path) {
    if !SCOPES.contains(&one.scope_name.as_str()) {
        e.invalid(&at.child("scopeName"), &one.scope_name, "unsupported scope");
    }
    let valued = matches!(one.scope_name.as_str(), "PriorityClass" | "VolumeAttributesClass");
    if !valued && one.operator != "Exists" {
        let why = "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, \
                   ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
                   ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
        e.invalid(&at.child("operator"), &one.operator, why);
    }
    match one.operator.as_str() {
        "In" | "NotIn" if one.values.is_empty() => {
            let why =
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
            e.required(&at.child("values"), why);
        }
        "Exists" | "DoesNotExist" if !one.values.is_empty() => {
            let why =
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
            e.invalid(&at.child("values"), &json_list(&one.values), why);
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => e.invalid(&at.child("operator"), other, "not a valid selector operator"),
    }
}
