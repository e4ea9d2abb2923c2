//! A pod template as `spew` prints the Go struct, which is what upstream hashes.

use super::shapes;
use crate::json::Json;
use crate::quantity::Quantity;
use std::fmt::Write;

/// The dump of a `PodTemplateSpec`.
pub(super) fn pod_template(template: &Json) -> String {
    let mut out = String::with_capacity(8 * 1024);
    value(&mut out, "v1.PodTemplateSpec", template);
    out
}

/// Writes `(TYPE)VALUE`.
fn value(out: &mut String, ty: &str, json: &Json) {
    if let Some(target) = ty.strip_prefix('*') {
        if json.is_null() {
            put(out, format_args!("({ty})<nil>"));
        } else {
            put(out, format_args!("({ty})"));
            bare(out, target, json);
        }
        return;
    }
    put(out, format_args!("({ty})"));
    bare(out, ty, json);
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to memory succeeds");
}

/// Writes the value alone.
fn bare(out: &mut String, ty: &str, json: &Json) {
    if let Some(element) = ty.strip_prefix("[]") {
        list(out, element, json.items());
    } else if ty.starts_with("map[") {
        map(out, "string", json);
    } else if ty == "v1.ResourceList" {
        map(out, "resource.Quantity", json);
    } else if ty == "resource.Quantity" {
        quantity(out, json);
    } else if ty == "intstr.IntOrString" {
        let (kind, number, text) = match json {
            Json::Str(text) => (1, 0, &**text),
            other => (0, other.as_i64().unwrap_or(0), ""),
        };
        put(
            out,
            format_args!(
                "{{Type:(intstr.Type){kind} IntVal:(int32){number} StrVal:(string){text}}}"
            ),
        );
    } else if let Some(fields) = shapes::fields(ty) {
        out.push('{');
        for (i, field) in fields.iter().enumerate() {
            let space = if i > 0 { " " } else { "" };
            put(out, format_args!("{space}{}:", field.name));
            let inner = if field.json.is_empty() { Some(json) } else { json.get(&field.json) };
            value(out, field.ty, inner.unwrap_or(&Json::Null));
        }
        out.push('}');
    } else {
        scalar(out, ty, json);
    }
}

fn scalar(out: &mut String, ty: &str, json: &Json) {
    match (json, ty) {
        (Json::Str(text), _) => out.push_str(text),
        (Json::Null, "bool") => out.push_str("false"),
        (Json::Null, "int32" | "int64" | "uint64") => out.push('0'),
        (Json::Null, _) => {}
        (other, _) => put(out, format_args!("{other}")),
    }
}

fn list(out: &mut String, element: &str, items: &[Json]) {
    if items.is_empty() {
        out.push_str("<nil>");
        return;
    }
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        bare(out, element, item);
    }
    out.push(']');
}

fn map(out: &mut String, value_ty: &str, json: &Json) {
    let mut fields: Vec<_> = json.fields().iter().collect();
    if fields.is_empty() {
        out.push_str("<nil>");
        return;
    }
    base::sort::by(&mut fields, |a, b| a.0.cmp(&b.0));
    out.push_str("map[");
    for (i, (key, item)) in fields.into_iter().enumerate() {
        let space = if i > 0 { " " } else { "" };
        put(out, format_args!("{space}{key}:"));
        bare(out, value_ty, item);
    }
    out.push(']');
}

/// The inside of a quantity: the small form, the big form, and the text where it is kept.
fn quantity(out: &mut String, json: &Json) {
    let text = match json {
        Json::Str(text) => text.to_string(),
        Json::Null => return zero_quantity(out),
        other => other.to_string(),
    };
    let quantity = Quantity::parse(&text).unwrap_or_default();
    let (small, big, kept) = quantity.go_parts(&text);
    let (amount, scale) = small.unwrap_or((0, 0));
    put(
        out,
        format_args!(
            "{{i:(resource.int64Amount){{value:(int64){amount} scale:(resource.Scale){scale}}} "
        ),
    );
    out.push_str("d:(resource.infDecAmount){Dec:(*inf.Dec)");
    match big {
        None => out.push_str("<nil>"),
        Some((unscaled, scale)) => big_number(out, unscaled, scale),
    }
    let (kept, format) = (if kept { &*text } else { "" }, quantity.format());
    put(out, format_args!("}} s:(string){kept} Format:(resource.Format){format:?}}}"));
}

fn zero_quantity(out: &mut String) {
    out.push_str(
        "{i:(resource.int64Amount){value:(int64)0 scale:(resource.Scale)0} \
         d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>} s:(string) Format:(resource.Format)}",
    );
}

fn big_number(out: &mut String, unscaled: i128, scale: i32) {
    let size = unscaled.unsigned_abs();
    let (low, high) = (size as u64, (size >> 64) as u64);
    put(out, format_args!("{{unscaled:(big.Int){{neg:(bool){} abs:(big.nat)", unscaled < 0));
    match (high, low) {
        (0, 0) => out.push_str("<nil>"),
        (0, low) => put(out, format_args!("[{low}]")),
        (high, low) => put(out, format_args!("[{low} {high}]")),
    }
    put(out, format_args!("}} scale:(inf.Scale){scale}}}"));
}
