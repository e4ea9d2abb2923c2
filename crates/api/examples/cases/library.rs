//! Quantities, percentages, names, expansion, hashes.

use crate::{Failure, same, text};
use api::int_or_string::IntOrString;
use api::names::{self, Complaints};
use api::quantity::Quantity;
use api::{Json, expansion, hash};

/// Text to canonical form, values and format.
pub fn quantity_parse(case: &Json, _: &Json) -> Result<(), Failure> {
    let got = match Quantity::parse(text(case, "in")) {
        Err(error) => format!("error {error}"),
        Ok(q) => {
            let exact = q.as_i64().map(|n| n.to_string()).unwrap_or_default();
            let format = format!("{:?}", q.format());
            format!("{q} {format} [{exact}] {} {} {}", q.milli_value(), q.value(), q.sign())
        }
    };
    let expected = if case.get("ok") == Some(&Json::Bool(true)) {
        let sign = case.get("sign").and_then(Json::as_i64).unwrap_or(0);
        let field = |name| text(case, name);
        let (canonical, format) = (field("canonical"), field("format"));
        let (exact, milli, value) = (field("int64"), field("milliValue"), field("value"));
        format!("{canonical} {format} [{exact}] {milli} {value} {sign}")
    } else {
        format!("error {}", text(case, "error"))
    };
    same(case, &expected, &got)
}

/// Sum, difference and order of two quantities.
pub fn quantity_arith(case: &Json, _: &Json) -> Result<(), Failure> {
    let read = |name| Quantity::parse(text(case, name)).unwrap_or_default();
    let (a, b) = (read("a"), read("b"));
    let (mut sum, mut difference) = (a.clone(), a.clone());
    sum.add(&b);
    difference.sub(&b);
    let expected_order = case.get("cmp").and_then(Json::as_i64).unwrap_or(9);
    let expected = format!("{} {} {expected_order}", text(case, "add"), text(case, "sub"));
    same(case, &expected, &format!("{sum} {difference} {}", a.cmp(&b) as i32))
}

/// A number or percentage of a total.
pub fn int_or_percent(case: &Json, _: &Json) -> Result<(), Failure> {
    let total = case.get("total").and_then(Json::as_i64).unwrap_or(0);
    let round_up = case.get("roundUp").and_then(Json::as_bool).unwrap_or(false);
    let got = match IntOrString::parse(text(case, "value")).scaled(total, round_up) {
        Ok(n) => n.to_string(),
        Err(error) => error.to_string(),
    };
    let expected = case.get("result").map_or(text(case, "error").to_owned(), Json::to_string);
    same(case, &expected, &got)
}

/// Every rule for names on one value.
pub fn name_validation(case: &Json, _: &Json) -> Result<(), Failure> {
    const RULES: &[(&str, fn(&str) -> Complaints)] = &[
        ("cIdentifier", names::c_identifier),
        ("configMapKey", names::config_map_key),
        ("dns1035Label", names::dns1035_label),
        ("dns1123Label", names::dns1123_label),
        ("dns1123Subdomain", names::dns1123_subdomain),
        ("envVarName", names::env_var_name),
        ("labelValue", names::label_value),
        ("portName", names::port_name),
        ("qualifiedName", names::qualified_name),
        ("wildcardDNS1123Subdomain", names::wildcard_dns1123_subdomain),
    ];
    for (name, rule) in RULES {
        let got: Json = rule(text(case, "in")).into_iter().map(Json::from).collect();
        let expected = Json::from(case.get(name).map_or(&[][..], Json::items).to_vec());
        same(case, &format!("{name} {expected}"), &format!("{name} {got}"))?;
    }
    Ok(())
}

/// `$(VAR)` in text.
pub fn var_expansion(case: &Json, document: &Json) -> Result<(), Failure> {
    let got = expansion::expand(text(case, "in"), |name| document.at(&["env", name])?.as_str());
    same(case, text(case, "out"), &got)
}

/// Names that contain the hash of a pod template or of a revision's data.
pub fn workload_hashes(case: &Json, _: &Json) -> Result<(), Failure> {
    let template = case.get("template").cloned().unwrap_or_default();
    let Some(data) = case.get("data") else {
        let got = hash::pod_template_hash(&template, None);
        return same(case, text(case, "podTemplateHash"), &got);
    };
    let made = hash::controller_revision_data(&template);
    same(case, &data.clone().sorted().to_string(), &made.to_string())?;
    let got = if text(case, "kind") == "DaemonSet" {
        hash::pod_template_hash(&template, None)
    } else {
        hash::controller_revision_hash(made.to_string().as_bytes(), Some(0))
    };
    same(case, text(case, "hash"), &got)
}
