//! Ingresses and their classes.

use api::Json;

use super::service;
use super::sheet::{Sheet, or};
use crate::cx::Cx;
use crate::look::{Look, scalar};
use crate::resource;

pub(super) fn describe(cx: &mut Cx<'_>, object: &Json, sheet: &mut Sheet) {
    let spec = object.look("spec");
    sheet.field(0, "Name", object.text("metadata.name"));
    sheet.labels(object);
    sheet.field(0, "Namespace", object.text("metadata.namespace"));
    let addresses: Vec<&str> = object
        .list("status.loadBalancer.ingress")
        .iter()
        .map(|point| or(point.text("ip"), point.text("hostname")))
        .collect();
    sheet.field(0, "Address", addresses.join(","));
    sheet.field(0, "Ingress Class", or(spec.text("ingressClassName"), "<none>"));
    let namespace = object.text("metadata.namespace").to_string();
    let default = spec.look("defaultBackend");
    let default_words = match default.is_null() {
        true => "<default>".to_string(),
        false => backend(cx, &namespace, default),
    };
    sheet.field(0, "Default backend", &default_words);
    if !spec.list("tls").is_empty() {
        sheet.line(0, "TLS:");
        for entry in spec.list("tls") {
            let hosts: Vec<String> = entry.list("hosts").iter().map(scalar).collect();
            match entry.text("secretName") {
                "" => sheet.line(1, format!("SNI routes {}", hosts.join(","))),
                secret => sheet.line(1, format!("{secret} terminates {}", hosts.join(","))),
            }
        }
    }
    sheet.line(0, "Rules:");
    sheet.line(1, "Host\tPath\tBackends");
    sheet.line(1, "----\t----\t--------");
    let mut count = 0;
    for rule in spec.list("rules") {
        let paths = rule.list("http.paths");
        if paths.is_empty() {
            continue;
        }
        count += paths.len();
        sheet.line(1, format!("{}\t", or(rule.text("host"), "*")));
        for path in paths {
            let target = backend(cx, &namespace, path.look("backend"));
            sheet.line(2, format!("\t{} \t{target}", path.text("path")));
        }
    }
    if count == 0 {
        sheet.line(1, format!("*\t*\t{default_words}"));
    }
    sheet.annotations(object);
}

/// `web:80 (10.0.0.1:80)`
fn backend(cx: &mut Cx<'_>, namespace: &str, backend: &Json) -> String {
    if backend.has("resource") {
        let resource = backend.look("resource");
        let group = match resource.text("apiGroup") {
            "" => "<none>",
            group => group,
        };
        return format!(
            "APIGroup: {group}, Kind: {}, Name: {}",
            resource.text("kind"),
            resource.text("name")
        );
    }
    let name = backend.text("service.name");
    let port = match backend.int("service.port.number") {
        0 => backend.text("service.port.name").to_string(),
        number => number.to_string(),
    };
    let Ok(found) = cx.object(&resource::known("services"), namespace, name) else {
        return format!("{name}:{port} (<error: services \"{name}\" not found>)");
    };
    let own = found
        .list("spec.ports")
        .iter()
        .find(|p| scalar(p.look("port")) == port || p.text("name") == port);
    let slices = service::slices(cx, &found).unwrap_or_default();
    let points = own.map_or(String::new(), |p| service::endpoints(&slices, p.text("name")));
    format!("{name}:{port} ({points})")
}

pub(super) fn class(object: &Json, sheet: &mut Sheet) {
    sheet.field(0, "Name", object.text("metadata.name"));
    sheet.labels(object);
    sheet.annotations(object);
    sheet.field(0, "Controller", object.text("spec.controller"));
    if let Some(parameters) = object.look("spec").get("parameters") {
        sheet.line(0, "Parameters:");
        sheet.field_if(1, "APIGroup", parameters.text("apiGroup"));
        sheet.field(1, "Kind", parameters.text("kind"));
        sheet.field(1, "Name", parameters.text("name"));
    }
}
