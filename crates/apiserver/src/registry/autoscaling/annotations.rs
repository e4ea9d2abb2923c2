//! What `v2` says of an autoscaler and `v1` has no fields for: annotations of the object as `v1` shows it, so that
//! nothing is lost where somebody reads and writes it there.
//!
//! Models the conversion of `autoscaling/v1`. Metrics are written as they were in the first alpha version, behaviour
//! under Go's names.

use std::sync::Arc;

use api::autoscaling::v2;
use api::codec::Decode;
use api::{Json, Value};
use base::{List, Str, lit};

const METRICS: Str = lit!("autoscaling.alpha.kubernetes.io/metrics");
const CURRENT: Str = lit!("autoscaling.alpha.kubernetes.io/current-metrics");
const BEHAVIOR: Str = lit!("autoscaling.alpha.kubernetes.io/behavior");
const CONDITIONS: Str = lit!("autoscaling.alpha.kubernetes.io/conditions");

/// The fields of a source of metrics in the alpha version and where they lie in `v2`. A `~` stands for `target` in a
/// specification and for `current` in a status.
type Source = (&'static str, &'static [(&'static str, &'static [&'static str])]);

const SOURCES: &[Source] = &[
    (
        "object",
        &[
            ("target", &["describedObject"]),
            ("metricName", &["metric", "name"]),
            ("~Value", &["~", "value"]),
            ("selector", &["metric", "selector"]),
            ("averageValue", &["~", "averageValue"]),
        ],
    ),
    (
        "pods",
        &[
            ("metricName", &["metric", "name"]),
            ("~AverageValue", &["~", "averageValue"]),
            ("selector", &["metric", "selector"]),
        ],
    ),
    (
        "resource",
        &[
            ("name", &["name"]),
            ("~AverageUtilization", &["~", "averageUtilization"]),
            ("~AverageValue", &["~", "averageValue"]),
        ],
    ),
    (
        "containerResource",
        &[
            ("name", &["name"]),
            ("~AverageUtilization", &["~", "averageUtilization"]),
            ("~AverageValue", &["~", "averageValue"]),
            ("container", &["container"]),
        ],
    ),
    (
        "external",
        &[
            ("metricName", &["metric", "name"]),
            ("metricSelector", &["metric", "selector"]),
            ("~Value", &["~", "value"]),
            ("~AverageValue", &["~", "averageValue"]),
        ],
    ),
];

/// Go's names of the fields of a behaviour, where they are not those of `v2` with a capital.
const RULES: [(&str, &str); 4] = [
    ("StabilizationWindowSeconds", "stabilizationWindowSeconds"),
    ("SelectPolicy", "selectPolicy"),
    ("Policies", "policies"),
    ("Tolerance", "tolerance"),
];
const POLICY: [(&str, &str); 3] =
    [("Type", "type"), ("Value", "value"), ("PeriodSeconds", "periodSeconds")];

/// Adds what `v1` has no fields for; `is_plain` tells the metrics that it has one for.
pub(super) fn add(
    hpa: &v2::HorizontalPodAutoscaler,
    meta: &mut api::meta::v1::ObjectMeta,
    is_plain: impl Fn(&v2::MetricSpec) -> bool,
) {
    let (spec, status) = (&hpa.spec, &hpa.status);
    let mut note = |key: &Str, json: Json| {
        meta.annotations.insert(key.clone(), Str::from(json.to_string()));
    };
    let others = spec.metrics.iter().filter(|metric| !is_plain(metric));
    let others: Vec<Json> = others.map(|m| to_alpha(&m.to_json(), "target")).collect();
    if !others.is_empty() {
        note(&METRICS, Json::Array(others));
    }
    if !status.current_metrics.is_empty() {
        let all = status.current_metrics.iter().map(|m| to_alpha(&m.to_json(), "current"));
        note(&CURRENT, Json::Array(all.collect()));
    }
    if let Some(behavior) = &spec.behavior {
        note(&BEHAVIOR, to_go(&behavior.to_json()));
    }
    if !status.conditions.is_empty() {
        note(&CONDITIONS, status.conditions.to_json());
    }
}

/// Takes the annotations off again and what they say over. One that cannot be read is dropped, as upstream does.
pub(super) fn take(hpa: &mut v2::HorizontalPodAutoscaler) {
    let meta = Arc::make_mut(&mut hpa.metadata);
    let mut noted = |key: &Str| {
        let text = meta.annotations.remove(key)?;
        Json::parse(text.as_bytes()).ok()
    };
    let (metrics, current) = (noted(&METRICS), noted(&CURRENT));
    let (behavior, conditions) = (noted(&BEHAVIOR), noted(&CONDITIONS));
    let spec = Arc::make_mut(&mut hpa.spec);
    if let Some(mut others) = metrics.and_then(|list| read::<v2::MetricSpec>(&list, "target")) {
        others.extend(std::mem::take(&mut spec.metrics));
        spec.metrics = others;
    }
    if let Some(behavior) = behavior.and_then(|json| decoded(from_go(&json))) {
        spec.behavior = Some(Box::new(behavior));
    }
    let status = Arc::make_mut(&mut hpa.status);
    if let Some(current) = current.and_then(|list| read(&list, "current")) {
        status.current_metrics = current;
    }
    if let Some(conditions) = conditions.and_then(decoded) {
        status.conditions = conditions;
    }
}

fn decoded<T: Value + Default>(json: Json) -> Option<T> {
    let (mut value, mut cx) = (T::default(), Decode::new());
    value.take(json, &mut cx);
    cx.error.is_none().then_some(value)
}

fn read<T: Value + Default>(list: &Json, what: &str) -> Option<List<T>> {
    list.items().iter().map(|metric| decoded(from_alpha(metric, what))).collect()
}

fn is_zero(json: Option<&Json>) -> bool {
    json.and_then(Json::as_str) == Some("0")
}

fn to_alpha(metric: &Json, what: &str) -> Json {
    let mut out = Json::object();
    out.set("type", metric.get("type").cloned().unwrap_or_default());
    for (part, fields) in SOURCES {
        let Some(source) = metric.get(part).filter(|source| source.is_object()) else { continue };
        let mut alpha = Json::object();
        for (name, path) in *fields {
            let path: Vec<&str> =
                path.iter().map(|step| if *step == "~" { what } else { *step }).collect();
            match source.at(&path).filter(|value| !value.is_null()) {
                Some(value) if *name == "target" => alpha.set(*name, reference(value)),
                Some(value) => alpha.set(name.replace('~', what), value.clone()),
                // Objects had to have a value.
                None if *part == "object" && *name == "~Value" => {
                    alpha.set(name.replace('~', what), "0");
                }
                None => {}
            }
        }
        out.set(*part, alpha);
    }
    out
}

/// A reference with its fields in Go's order.
fn reference(json: &Json) -> Json {
    let mut out = Json::object();
    for name in ["kind", "name", "apiVersion"] {
        if let Some(value) = json.get(name) {
            out.set(name, value.clone());
        }
    }
    out
}

fn from_alpha(metric: &Json, what: &str) -> Json {
    let mut out = Json::object();
    out.set("type", metric.get("type").cloned().unwrap_or_default());
    for (part, fields) in SOURCES {
        let Some(alpha) = metric.get(part).filter(|source| source.is_object()) else { continue };
        let mut source = Json::object();
        for (name, path) in *fields {
            let Some(value) = alpha.get(&name.replace('~', what)) else { continue };
            let by_average = *part == "object" && alpha.get("averageValue").is_some();
            if by_average && *name == "~Value" && is_zero(Some(value)) {
                continue;
            }
            match path {
                [one] => source.set(*one, value.clone()),
                [first, second] => {
                    let first = if *first == "~" { what } else { first };
                    source.entry(first).set(*second, value.clone());
                }
                _ => {}
            }
        }
        if what == "target" {
            let target = source.entry("target");
            let kind = match () {
                () if target.get("averageUtilization").is_some() => "Utilization",
                () if target.get("averageValue").is_some() => "AverageValue",
                () => "Value",
            };
            target.set("type", kind);
        }
        out.set(*part, source);
    }
    out
}

fn to_go(behavior: &Json) -> Json {
    let named = |json: &Json, names: &[(&str, &str)]| {
        let mut out = Json::object();
        for (go, name) in names {
            out.set(*go, json.get(name).cloned().unwrap_or_default());
        }
        out
    };
    let mut out = Json::object();
    for (go, name) in [("ScaleUp", "scaleUp"), ("ScaleDown", "scaleDown")] {
        let rules = behavior.get(name).filter(|rules| rules.is_object()).map(|rules| {
            let mut rules = named(rules, &RULES);
            let policies = rules.get("Policies").map_or(&[][..], Json::items);
            let policies = policies.iter().map(|policy| named(policy, &POLICY)).collect();
            rules.set("Policies", Json::Array(policies));
            rules
        });
        out.set(go, rules.unwrap_or_default());
    }
    out
}

/// Go reads names in any case: the first letter decides nothing.
fn from_go(json: &Json) -> Json {
    match json {
        Json::Object(fields) => {
            let small = |name: &str| {
                let mut letters = name.chars();
                let first = letters.next().map(|letter| letter.to_ascii_lowercase());
                first.into_iter().chain(letters).collect::<String>()
            };
            let mut out = Json::object();
            fields.iter().for_each(|(name, value)| out.set(small(name), from_go(value)));
            out
        }
        Json::Array(items) => Json::Array(items.iter().map(from_go).collect()),
        plain => plain.clone(),
    }
}
