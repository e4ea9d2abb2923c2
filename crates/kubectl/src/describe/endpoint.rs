//! EndpointSlices and Endpoints.

use api::Json;

use super::sheet::{Sheet, or};
use crate::look::{Look, scalar};

pub(super) fn slice(object: &Json, sheet: &mut Sheet) {
    sheet.names(object);
    sheet.labels(object);
    sheet.annotations(object);
    sheet.field(0, "AddressType", object.text("addressType"));
    if object.list("ports").is_empty() {
        sheet.line(0, "Ports: <unset>");
    } else {
        sheet.line(0, "Ports:");
        sheet.line(1, "Name\tPort\tProtocol");
        sheet.line(1, "----\t----\t--------");
        for port in object.list("ports") {
            let name = or(port.text("name"), "<unset>");
            let number = scalar(port.look("port"));
            sheet.line(1, format!("{name}\t{}\t{}", or(&number, "<unset>"), port.text("protocol")));
        }
    }
    if object.list("endpoints").is_empty() {
        sheet.line(0, "Endpoints: <none>");
        return;
    }
    sheet.line(0, "Endpoints:");
    for endpoint in object.list("endpoints") {
        let addresses: Vec<String> = endpoint.list("addresses").iter().map(scalar).collect();
        sheet.line(1, format!("- Addresses:\t{}", addresses.join(",")));
        sheet.line(2, "Conditions:");
        let ready = endpoint.look("conditions.ready");
        sheet.field(3, "Ready", ready.as_bool().map_or("<unset>".into(), |r| r.to_string()));
        sheet.field(2, "Hostname", or(endpoint.text("hostname"), "<unset>"));
        if endpoint.has("targetRef") {
            let target = endpoint.look("targetRef");
            sheet.field(2, "TargetRef", format!("{}/{}", target.text("kind"), target.text("name")));
        }
        sheet.field(2, "NodeName", or(endpoint.text("nodeName"), "<unset>"));
        sheet.field(2, "Zone", or(endpoint.text("zone"), "<unset>"));
    }
}

pub(super) fn endpoints(object: &Json, sheet: &mut Sheet) {
    sheet.names(object);
    sheet.labels(object);
    sheet.annotations(object);
    sheet.line(0, "Subsets:");
    for subset in object.list("subsets") {
        for (title, key) in [("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")]
        {
            let all: Vec<&str> = subset.list(key).iter().map(|a| a.text("ip")).collect();
            let all = all.join(",");
            sheet.field(1, title, or(&all, "<none>"));
        }
        if !subset.list("ports").is_empty() {
            sheet.line(1, "Ports:");
            sheet.line(2, "Name\tPort\tProtocol");
            sheet.line(2, "----\t----\t--------");
            for port in subset.list("ports") {
                let name = or(port.text("name"), "<unset>");
                sheet.line(2, format!("{name}\t{}\t{}", port.int("port"), port.text("protocol")));
            }
        }
        sheet.line(0, "");
    }
}
