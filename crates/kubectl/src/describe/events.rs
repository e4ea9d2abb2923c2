//! The events at the end of a description.

use api::Json;

use super::sheet::Sheet;
use crate::cx::Cx;
use crate::failure::Result;
use crate::look::Look;
use crate::resource;
use crate::text::human;

/// Adds the events about an object.
pub(super) fn of(cx: &mut Cx<'_>, object: &Json, sheet: &mut Sheet) -> Result<()> {
    let meta = object.look("metadata");
    let uid = match object.text("kind") {
        // The kubelet reports events about its node under the node's name.
        "Node" => meta.text("name"),
        _ => meta.text("uid"),
    };
    let parts = [
        ("involvedObject.name", meta.text("name")),
        ("involvedObject.namespace", meta.text("namespace")),
        ("involvedObject.kind", object.text("kind")),
        ("involvedObject.uid", uid),
    ];
    let mut events = search(cx, meta.text("namespace"), &parts)?;
    if object.text("kind") == "Node" && uid != meta.text("uid") {
        let mut parts = parts;
        parts[3].1 = meta.text("uid");
        events.extend(search(cx, "", &parts)?);
    }
    print(cx, events, sheet);
    Ok(())
}

fn search(cx: &mut Cx<'_>, namespace: &str, parts: &[(&str, &str)]) -> Result<Vec<Json>> {
    let fields: Vec<String> = parts
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(field, value)| format!("{field}={value}"))
        .collect();
    let query = [("fieldSelector", fields.join(",")), ("limit", "500".to_string())];
    let query: Vec<(&str, &str)> = query.iter().map(|(k, v)| (*k, v.as_str())).collect();
    cx.list(&resource::known("events"), namespace, &query)
}

fn print(cx: &Cx<'_>, mut events: Vec<Json>, sheet: &mut Sheet) {
    if events.is_empty() {
        sheet.line(0, "Events:\t<none>");
        return;
    }
    base::sort::by_cached_key(&mut events, |event| human::instant(event.look("lastTimestamp")));
    sheet.line(0, "Events:");
    sheet.line(1, "Type\tReason\tAge\tFrom\tMessage");
    sheet.line(1, "----\t------\t----\t----\t-------");
    for event in &events {
        let path = event.text("involvedObject.fieldPath");
        let message = event.text("message").trim();
        let message = match path {
            "" => message.to_string(),
            path => format!("{path}: {message}"),
        };
        sheet.line(
            1,
            format!(
                "{}\t{}\t{}\t{}\t{}",
                event.text("type"),
                event.text("reason"),
                interval(cx, event),
                source(event),
                message.replace(['\n', '\t'], " "),
            ),
        );
    }
}

/// When an event happened: `5s`, or `5s (x3 over 1m)`.
pub(crate) fn interval(cx: &Cx<'_>, event: &Json) -> String {
    let first = match human::instant(event.look("eventTime")) {
        Some(_) => human::since(cx.now, event.look("eventTime")),
        None => human::since(cx.now, event.look("firstTimestamp")),
    };
    if event.has("series") {
        let last = human::since(cx.now, event.look("series.lastObservedTime"));
        return format!("{last} (x{} over {first})", event.int("series.count"));
    }
    if event.int("count") > 1 {
        let last = human::since(cx.now, event.look("lastTimestamp"));
        return format!("{last} (x{} over {first})", event.int("count"));
    }
    first
}

/// Who reported an event.
pub(crate) fn source(event: &Json) -> &str {
    match event.text("source.component") {
        "" => event.text("reportingComponent"),
        component => component,
    }
}
