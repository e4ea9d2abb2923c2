//! Label selectors.
//!
//! Models `ValidateLabelSelector`.
//!
//! Known deviations: none.

use api::meta::v1::{LabelSelector, LabelSelectorRequirement};
use api::names;

use super::check::{Errors, Raw, json};
use super::path::Path;

/// A selector, where there is one.
pub fn check_if(e: &mut Errors, at: &Path, selector: Option<&LabelSelector>) {
    if let Some(selector) = selector {
        check(e, at, selector);
    }
}

/// A selector.
pub fn check(e: &mut Errors, at: &Path, selector: &LabelSelector) {
    e.labels(&at.child("matchLabels"), &selector.match_labels);
    let at = at.child("matchExpressions");
    for (i, expression) in selector.match_expressions.iter().enumerate() {
        requirement(e, &at.index(i), expression);
    }
}

fn requirement(e: &mut Errors, at: &Path, one: &LabelSelectorRequirement) {
    let values = at.child("values");
    match one.operator.as_str() {
        "In" | "NotIn" if one.values.is_empty() => {
            e.required(&values, "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !one.values.is_empty() => {
            let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            e.forbidden(&values, why);
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => e.invalid(&at.child("operator"), other, "not a valid selector operator"),
    }
    e.qualified(&at.child("key"), &one.key);
    for (i, value) in one.values.iter().enumerate() {
        e.complaints(&values.index(i), value, names::label_value(value));
    }
}

/// A selector as errors show it: labels first.
pub fn shown(selector: &LabelSelector) -> Raw {
    let mut parts = Vec::new();
    if !selector.match_labels.is_empty() {
        parts.push(format!("\"matchLabels\":{}", json(&selector.match_labels).0));
    }
    if !selector.match_expressions.is_empty() {
        parts.push(format!("\"matchExpressions\":{}", json(&selector.match_expressions).0));
    }
    Raw(format!("{{{}}}", parts.join(",")))
}
