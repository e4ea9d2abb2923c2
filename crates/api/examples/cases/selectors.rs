//! Label and field selectors.

use crate::{Failure, same, text};
use api::Json;
use api::selector::{FieldSelector, Selector, SelectorError};
use base::Str;

/// Which of the recorded label sets match, as a list of `true` and `false`.
fn matches(case: &Json, labels: &str, ours: impl Fn(&Json) -> bool) -> (String, String) {
    let sets = case.get("matches").map_or(&[][..], Json::items);
    let expected: Vec<bool> =
        sets.iter().map(|s| s.get("match") == Some(&Json::Bool(true))).collect();
    let got: Vec<bool> = sets.iter().filter_map(|s| s.get(labels)).map(ours).collect();
    (format!("{expected:?}"), format!("{got:?}"))
}

fn check(
    case: &Json,
    selector: Result<Selector, SelectorError>,
    requirements: bool,
) -> Result<(), Failure> {
    let selector = match selector {
        Err(error) => return same(case, text(case, "error"), &error.0),
        Ok(_) if case.get("error").is_some() => return same(case, text(case, "error"), "no error"),
        Ok(selector) => selector,
    };
    same(case, text(case, "string"), &selector.to_string())?;
    let (expected, got) = matches(case, "labels", |labels| {
        selector.matches(|key| labels.get(key).and_then(Json::as_str))
    });
    same(case, &expected, &got)?;
    if case.get("format").is_some() {
        same(case, text(case, "format"), &selector.describe())?;
    }
    if !requirements {
        return Ok(());
    }
    let got: Json = selector
        .requirements()
        .iter()
        .map(|r| {
            let mut out = Json::object();
            out.set("key", r.key().clone());
            out.set("op", r.operator().name());
            out.set("values", r.values().iter().cloned().map(Json::from).collect::<Json>());
            out
        })
        .collect();
    let expected = case.get("requirements").cloned().unwrap_or_default().sorted();
    same(case, &expected.to_string(), &got.sorted().to_string())?;
    let empty = case.get("empty") == Some(&Json::Bool(true));
    same(case, &empty.to_string(), &selector.is_everything().to_string())
}

/// Text to requirements, canonical text and matches.
pub fn label_selector(case: &Json, _: &Json) -> Result<(), Failure> {
    check(case, Selector::parse(text(case, "in")), true)
}

/// A `LabelSelector` to canonical text and matches.
pub fn label_selector_struct(case: &Json, _: &Json) -> Result<(), Failure> {
    let Some(selector) = case.get("selector").filter(|s| s.is_object()) else {
        return check(case, Selector::of_optional(None), false);
    };
    let read = |value: &Json| Str::from(value.as_str().unwrap_or(""));
    let labels: Vec<(Str, Str)> = selector
        .get("matchLabels")
        .map_or(&[][..], Json::fields)
        .iter()
        .map(|(key, value)| (key.clone(), read(value)))
        .collect();
    let expressions = selector.get("matchExpressions").map_or(&[][..], Json::items);
    let keys: Vec<Str> = expressions.iter().map(|e| Str::from(text(e, "key"))).collect();
    let expressions = expressions.iter().zip(&keys).map(|(e, key)| {
        let values = e.get("values").map_or(&[][..], Json::items).iter().map(read).collect();
        (key, text(e, "operator"), values)
    });
    check(case, Selector::build(labels.iter().map(|(k, v)| (k, v)), expressions), false)
}

/// Text to canonical text and matches.
pub fn field_selector(case: &Json, _: &Json) -> Result<(), Failure> {
    let selector = match FieldSelector::parse(text(case, "in")) {
        Err(error) => return same(case, text(case, "error"), &error.0),
        Ok(_) if case.get("error").is_some() => return same(case, text(case, "error"), "no error"),
        Ok(selector) => selector,
    };
    same(case, text(case, "string"), &selector.to_string())?;
    let (expected, got) = matches(case, "fields", |fields| {
        selector.matches(|key| fields.get(key).and_then(Json::as_str).unwrap_or(""))
    });
    same(case, &expected, &got)
}
