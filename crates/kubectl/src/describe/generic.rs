//! Kinds without a layout of their own: their fields, indented.

use api::Json;

use super::sheet::Sheet;
use crate::look::{Look, scalar};

pub(super) fn describe(object: &Json, sheet: &mut Sheet) {
    sheet.field(0, "Name", object.text("metadata.name"));
    sheet.field(0, "Namespace", object.text("metadata.namespace"));
    sheet.labels(object);
    sheet.annotations(object);
    sheet.field(0, "API Version", object.text("apiVersion"));
    sheet.field(0, "Kind", object.text("kind"));
    sheet.line(0, "Metadata:");
    let skip = ["name", "namespace", "labels", "annotations", "managedFields"];
    fields(object.look("metadata"), 1, &skip, sheet);
    fields(object, 0, &["apiVersion", "kind", "metadata"], sheet);
}

fn fields(value: &Json, level: usize, skip: &[&str], sheet: &mut Sheet) {
    let mut all: Vec<(&str, &Json)> =
        value.fields().iter().map(|(key, value)| (key.as_str(), value)).collect();
    base::sort::by_key(&mut all, |field| field.0);
    for (key, value) in all {
        if skip.contains(&key) {
            continue;
        }
        let label = title(key);
        match value {
            Json::Object(_) => {
                sheet.line(level, format!("{label}:"));
                fields(value, level + 1, &[], sheet);
            }
            Json::Array(items) => {
                sheet.line(level, format!("{label}:"));
                for item in items {
                    match item {
                        Json::Object(_) => fields(item, level + 1, &[], sheet),
                        Json::Array(_) => sheet.line(level + 1, item.to_string()),
                        item => sheet.line(level + 1, scalar(item)),
                    }
                }
            }
            value => sheet.field(level, &label, scalar(value)),
        }
    }
}

/// `podCIDR` as `Pod CIDR`.
fn title(key: &str) -> String {
    if key.contains(['.', '/', '-']) {
        return key.to_string();
    }
    let chars: Vec<char> = key.chars().collect();
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        let begins = c.is_uppercase()
            && i > 0
            && (!chars[i - 1].is_uppercase() || chars.get(i + 1).is_some_and(|n| n.is_lowercase()));
        if begins {
            out.push(' ');
        }
        if i == 0 { out.extend(c.to_uppercase()) } else { out.push(*c) }
    }
    out
}
