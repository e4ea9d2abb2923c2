//! Namespaces, quotas and limit ranges.

use api::Json;

use super::sheet::{Sheet, or};
use crate::cx::Cx;
use crate::failure::Result;
use crate::look::{Look, scalar};
use crate::resource;

pub(super) fn describe(cx: &mut Cx<'_>, object: &Json, sheet: &mut Sheet) -> Result<()> {
    sheet.names(object);
    sheet.labels(object);
    sheet.annotations(object);
    sheet.field(0, "Status", object.text("status.phase"));
    let conditions = object.list("status.conditions");
    if !conditions.is_empty() {
        sheet.line(0, "Conditions:");
        sheet.line(1, "Type\tStatus\tLastTransitionTime\tReason\tMessage");
        sheet.line(1, "----\t------\t------------------\t------\t-------");
        for condition in conditions {
            let at = crate::text::human::rfc1123(condition.look("lastTransitionTime"));
            sheet.line(
                1,
                format!(
                    "{} \t{} \t{at} \t{} \t{} ",
                    condition.text("type"),
                    condition.text("status"),
                    condition.text("reason"),
                    condition.text("message")
                ),
            );
        }
    }
    let name = object.text("metadata.name");
    let quotas = cx.list(&resource::known("resourcequotas"), name, &[])?;
    sheet.line(0, "");
    if quotas.is_empty() {
        sheet.line(0, "No resource quota.");
    } else {
        sheet.line(0, "Resource Quotas");
        for quota in &quotas {
            sheet.line(0, format!("  Name:\t{}", quota.text("metadata.name")));
            amounts(quota, "  ", sheet);
        }
    }
    let ranges = cx.list(&resource::known("limitranges"), name, &[])?;
    sheet.line(0, "");
    if ranges.is_empty() {
        sheet.line(0, "No LimitRange resource.");
    } else {
        sheet.line(0, "Resource Limits");
        limits(&ranges, " ", sheet);
    }
    Ok(())
}

/// A ResourceQuota alone.
pub(super) fn quota(object: &Json, sheet: &mut Sheet) {
    sheet.names(object);
    let scopes: Vec<String> = object.list("spec.scopes").iter().map(scalar).collect();
    if !scopes.is_empty() {
        sheet.field(0, "Scopes", scopes.join(", "));
    }
    amounts(object, "", sheet);
}

fn amounts(quota: &Json, indent: &str, sheet: &mut Sheet) {
    let dashes = if indent.is_empty() { "----" } else { "---" };
    sheet.block(&format!("{indent}Resource\tUsed\tHard\n"));
    sheet.block(&format!("{indent}--------\t{dashes}\t{dashes}\n"));
    for (name, hard) in quota.map("status.hard") {
        let used = quota.look("status.used").get(name).map(scalar).unwrap_or_default();
        let line = format!("{indent}{name}\t{}\t{}\n", or(&used, "0"), scalar(hard));
        sheet.block(&line);
    }
}

/// A LimitRange alone.
pub(super) fn limit_range(object: &Json, sheet: &mut Sheet) {
    sheet.names(object);
    limits(std::slice::from_ref(object), "", sheet);
}

fn limits(ranges: &[Json], indent: &str, sheet: &mut Sheet) {
    sheet.block(&format!(
        "{indent}Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio\n\
         {indent}----\t--------\t---\t---\t---------------\t-------------\t-----------------------\n"
    ));
    const COLUMNS: [&str; 5] = ["min", "max", "defaultRequest", "default", "maxLimitRequestRatio"];
    for limit in ranges.iter().flat_map(|range| range.list("spec.limits")) {
        let mut names: Vec<&str> =
            COLUMNS.iter().flat_map(|column| limit.map(column)).map(|(name, _)| name).collect();
        base::sort::naturally(&mut names);
        names.dedup();
        for name in names {
            let cells = COLUMNS.map(|column| {
                let text = limit.look(column).get(name).map(scalar).unwrap_or_default();
                or(&text, "-").to_string()
            });
            let line = format!("{indent}{}\t{name}\t{}\n", limit.text("type"), cells.join("\t"));
            sheet.block(&line);
        }
    }
}
